#include "greet.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *greet_file(void) {
    const char *file = getenv("GREET_FILE");
    return file ? file : PREFIX "/share/greet/salutation.txt";
}

int greet(char *out, unsigned long size, const char *name) {
    char salutation[64] = "Hello";
    FILE *file = fopen(greet_file(), "r");
    if (file) {
        if (fgets(salutation, sizeof salutation, file)) salutation[strcspn(salutation, "\n")] = '\0';
        fclose(file);
    }
    return snprintf(out, size, "%s, %s!", salutation, name);
}

int greet_number(void) { return 42; }

const char *greet_words(int tone) { return tone ? "hello" : "goodbye"; }
