#ifndef GREET_H
#define GREET_H
#ifdef __cplusplus
extern "C" {
#endif
/* Write a greeting for a name; returns its length, as snprintf does. */
int greet(char *out, unsigned long size, const char *name);
/* The file in which the salutation stands. */
const char *greet_file(void);
/* A number, and words for a tone: for what is compiled against the library. */
int greet_number(void);
const char *greet_words(int tone);
/* Where this header was read. */
static inline const char *greet_header(void) { return __FILE__; }
#ifdef __cplusplus
}
#endif
#endif
