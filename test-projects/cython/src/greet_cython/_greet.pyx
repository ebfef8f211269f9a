# cython: language_level=3
cdef extern from "greet.h":
    int greet_number()
    const char *greet_words(int)
    const char *greet_header()


def number():
    return greet_number()


def words():
    return greet_words(1).decode()


def header():
    return greet_header().decode()
