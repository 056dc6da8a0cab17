/* Strings and lists: checked by the grammar of JSON, passed over, never taken apart.

   All text ends in a newline, which no string and no list may hold: no loop runs past the end.
   What is not plainly right is refused, and Python judges the line. */
#ifndef TRAINLENS_TEXT_H
#define TRAINLENS_TEXT_H

#include "number.h"

#define DEEPEST_LIST 16

static inline const char *skip_blanks(const char *p) {
    while (*p == ' ' || *p == '\t') p++;
    return p;
}

/* Behind the string that begins at the quote p; NULL for one with an escape of digits. */
static const char *skip_string(const char *p) {
    for (p++; *p != '"'; p++) {
        if ((unsigned char)*p < 0x20) return NULL;
        if (*p != '\\') continue;
        p++;
        if (!*p || !strchr("\"\\/bfnrt", *p)) return NULL;
    }
    return p + 1;
}

/* Behind the word at p if it is the given one, else NULL. */
static inline const char *skip_word(const char *p, const char *end, const char *word, size_t n) {
    return (size_t)(end - p) > n && !memcmp(p, word, n) ? p + n : NULL;
}

static const char *skip_list(const char *p, const char *end, int depth);

static const char *skip_item(const char *p, const char *end, int depth) {
    switch (*p) {
    case '"': return skip_string(p);
    case '[': return skip_list(p, end, depth + 1);
    case 't': return skip_word(p, end, "true", 4);
    case 'f': return skip_word(p, end, "false", 5);
    case 'n': return skip_word(p, end, "null", 4);
    default: break;
    }
    Number n = take_number(p, end);
    /* A number of many digits or a large power may be none for Python. */
    return n.end && !n.parts.hard && n.parts.power <= 280 ? n.end : NULL;
}

/* Behind the list that begins at p; NULL for one with an object in it. */
static const char *skip_list(const char *p, const char *end, int depth) {
    if (depth > DEEPEST_LIST) return NULL;
    p = skip_blanks(p + 1);
    if (*p == ']') return p + 1;
    while ((p = skip_item(p, end, depth))) {
        p = skip_blanks(p);
        if (*p == ']') return p + 1;
        if (*p != ',') return NULL;
        p = skip_blanks(p + 1);
    }
    return NULL;
}

#endif
