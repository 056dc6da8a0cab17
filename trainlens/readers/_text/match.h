/* Lines of one layout, one behind the other: a pattern without choices. See `program.py`.

   Every step takes as much as it can and never gives back. Where that succeeds, the regular
   expression of the layout matches with the same groups; where it fails, Python asks that. */
#ifndef TRAINLENS_TEXT_MATCH_H
#define TRAINLENS_TEXT_MATCH_H

#include <stdlib.h>

#include "../_date.h"

enum { LITERAL = 1, BLANKS, DIGITS, NUMBER, BAR, END, WHOLE, EPOCH, REAL, LIKE_REAL, DATE };

static inline int blank(uint8_t c) { return c == ' ' || c == '\t'; }

static inline const uint8_t *blanks(const uint8_t *p, const uint8_t *end, int least, int most) {
    const uint8_t *begin = p;
    while (p < end && blank(*p)) p++;
    return p - begin < least || p - begin > most ? NULL : p;
}

static inline const uint8_t *digits(const uint8_t *p, const uint8_t *end, int most) {
    const uint8_t *begin = p;
    while (p < end && is_digit(*p)) p++;
    return p == begin || p - begin > most ? NULL : p;
}

/* Digits behind a sign that may be there: with none of them, the sign is no part either. */
static const uint8_t *more(const uint8_t *p, const uint8_t *end, int most) {
    if (p + 1 >= end || !is_digit(p[1])) return p;
    return digits(p + 1, end, most);
}

static const uint8_t *exponent(const uint8_t *p, const uint8_t *end) {
    if (p == end || (*p | 0x20) != 'e') return p;
    const uint8_t *from = p + 1 < end && (p[1] == '+' || p[1] == '-') ? p + 1 : p;
    return more(from, end, 4) == from ? p : more(from, end, 4);
}

static const uint8_t *plain_number(const uint8_t *p, const uint8_t *end) {
    if ((p = digits(p, end, 15)) && p < end && *p == '.') p = more(p, end, 24);
    return p ? exponent(p, end) : NULL;
}

/* What a bar is drawn with, between its percentage and its count. */
static const uint8_t *bar(const uint8_t *p, const uint8_t *end) {
    int drawn = 0;
    if (!(p = blanks(p, end, 0, 9)) || !(p = digits(p, end, 3))) return NULL;
    if (p < end && *p == '.' && !(p = more(p, end, 9))) return NULL;
    if (p == end || *p++ != '%') return NULL;
    if (p < end && blank(*p)) p++;
    if (p == end || *p++ != '|') return NULL;
    for (; p < end && *p != '|' && *p != '\r' && *p != '\n'; p++) drawn += (*p & 0xc0) != 0x80;
    if (p == end || *p++ != '|' || drawn > 500) return NULL;
    return blanks(p, end, 0, 8);
}

static const uint8_t *epoch(const uint8_t *p, const uint8_t *end, double *out) {
    const uint8_t *begin = p;
    if (!(p = digits(p, end, 9))) return NULL;
    if (p < end && *p == '.' && !(p = more(p, end, 20))) return NULL;
    return scan_number(begin, p, out) == p ? p : NULL;
}

/* Bytes of which a number may consist: it is none where one of them follows it. */
static inline int goes_on(uint8_t c) {
    return is_digit(c) || c == '.' || (c | 0x20) == 'e' || c == '+' || c == '-';
}

/* What may be a number; `strict` follows the pattern that a layout uses once it was wrong. */
static inline const uint8_t *real(const uint8_t *p, const uint8_t *end, int strict, double *out) {
    const uint8_t *begin = p, *after;
    if (p < end && (*p == '+' || *p == '-')) p++;
    if (p == end) return NULL;
    if (is_digit(*p) || *p == '.') {
        after = scan_number(begin, end, out);
        if (!after || (after < end && goes_on(*after))) return NULL;
        return after - p > (strict ? 16 : 39) ? NULL : after;
    }
    after = end - p < 3 ? NULL : p + 3;
    if (!after || (memcmp(p, "nan", 3) && memcmp(p, "NaN", 3) && memcmp(p, "inf", 3))) return NULL;
    return scan_number(begin, after, out) == after ? after : NULL;
}

/* Unix seconds of "2024-01-02 03:04:05", with up to nine digits of a second behind it. */
static const uint8_t *date(const uint8_t *p, const uint8_t *end, const uint8_t *model, int point,
                           double *out) {
    int64_t seconds, micro = 0;
    if (end - p < 19) return NULL;
    for (int i = 0; i < 19; i++)
        if (model[i] == '0' ? !is_digit(p[i]) : p[i] != model[i]) return NULL;
    if (!unix_of(p, &seconds)) return NULL;
    p += 19;
    if (point) {
        const uint8_t *begin = p;
        if (p == end || *p != point || !(p = digits(p + 1, end, 9))) return NULL;
        for (int i = 1; i <= 6; i++) micro = micro * 10 + (begin + i < p ? begin[i] - '0' : 0);
    }
    *out = (double)(seconds * 1000000 + micro) / 1e6;
    return p;
}

/* At most 15 digits, which a double holds exactly. */
static inline const uint8_t *whole(const uint8_t *p, const uint8_t *end, double *out) {
    const uint8_t *begin = p;
    uint64_t n = 0;
    for (; p < end && is_digit(*p) && p - begin < 16; p++) n = n * 10 + (uint64_t)(*p - '0');
    *out = (double)n;
    return p == begin || p - begin > 15 ? NULL : p;
}

/* One line from p on; behind its end, or NULL. `value` takes a number for each group. */
static const uint8_t *match_line(const uint8_t *program, const uint8_t *last, const uint8_t *p,
                                 const uint8_t *end, double *value) {
    while (program < last && p) {
        uint8_t step = *program++, size = *program++;
        switch (step) {
        case LITERAL:
            p = end - p >= size && !memcmp(p, program, size) ? p + size : NULL;
            program += size;
            break;
        case BLANKS: p = blanks(p, end, size, 99); break;
        case DIGITS: p = digits(p, end, 15); break;
        case NUMBER: p = plain_number(p, end); break;
        case BAR: p = bar(p, end); break;
        case WHOLE: p = whole(p, end, value++); break;
        case EPOCH: p = epoch(p, end, value++); break;
        case REAL:
        case LIKE_REAL: p = real(p, end, step == REAL, value++); break;
        case DATE:
            p = date(p, end, program, size, value++);
            program += 19;
            break;
        default: /* END */
            p = blanks(p, end, 0, 200);
            p = p && p < end && (*p == '\n' || *p == '\r') ? p + 1 : NULL;
        }
    }
    return p;
}

/* Whether every step of a program has what belongs to it; the number of its groups, or -1. */
static int groups_of(const uint8_t *program, const uint8_t *last) {
    int groups = 0;
    while (program < last) {
        if (last - program < 2) return -1;
        uint8_t step = *program, size = program[1];
        program += 2 + (step == LITERAL ? size : step == DATE ? 19 : 0);
        if (step < LITERAL || step > DATE || program > last) return -1;
        groups += step >= WHOLE;
    }
    return groups;
}

#endif
