/* Numbers by the grammar of JSON; their value is that of `_number.h`, or Python's. */
#ifndef TRAINLENS_JSON_NUMBER_H
#define TRAINLENS_JSON_NUMBER_H

#include <Python.h>

#include "../_number.h"

#define EXACT ((uint64_t)1 << 53)

typedef struct {
    Parts parts;
    int negative;
    const char *end; /* behind it; NULL where it is broken */
} Number;

static inline Number take_number(const char *p, const char *end) {
    Number n = {.negative = *p == '-', .end = NULL};
    const uint8_t *begin = (const uint8_t *)p + n.negative, *stop = (const uint8_t *)end;
    if (!is_digit(*begin) || (*begin == '0' && is_digit(begin[1]))) return n;
    stop = take_apart(begin, stop, &n.parts);
    if (stop && !n.parts.open) n.end = (const char *)stop;
    return n;
}

/* The value of a number that is not broken; 0 where only Python can tell. */
static inline int quick_value(const Number *n, double *value) {
    if (!value_of(&n->parts, value)) return 0;
    /* The whole number -0 is 0. */
    if (n->negative && (n->parts.digits || n->parts.real)) *value = -*value;
    return 1;
}

/* Asks Python, which needs its lock; 0 for a number beyond the largest double. */
static int slow_value(const char *begin, const char *end, double *value) {
    char *stop = NULL;
    *value = PyOS_string_to_double(begin, &stop, NULL);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        return 0;
    }
    return stop == end && *value - *value == 0;
}

#endif
