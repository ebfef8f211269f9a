#ifndef GREET_H
#define GREET_H
/* Write a greeting for a name; returns its length, as snprintf does. */
int greet(char *out, unsigned long size, const char *name);
/* The file in which the salutation stands. */
const char *greet_file(void);
#endif
