/* A number in text, correctly rounded: the same bits as Python's float(), or an honest no.

   scan_number() takes what float() takes but for underscores, blanks and digits of other scripts;
   take_apart() and value_of() are its halves, for a stricter grammar. It gives up where it would
   need arithmetic beyond 128 bits: more than 19 significant digits, an exponent outside of the
   table, or a product too close to the middle between two doubles. The caller then asks Python.

   The usual case is exact at once (W. D. Clinger, How to Read Floating Point Numbers Accurately,
   1990): a whole number up to 2^53 times or divided by a power of ten below 10^23. The next takes
   one or two products with 128 bits of the power of five (D. Lemire, Number parsing at a gigabyte
   per second, Software: Practice and Experience 51, 2021). */
#ifndef TRAINLENS_NUMBER_H
#define TRAINLENS_NUMBER_H

#include <float.h>
#include <stdint.h>
#include <string.h>

#include "_powers.h"

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* The upper half of a * b; *low the lower one. */
static inline uint64_t wide_product(uint64_t a, uint64_t b, uint64_t *low) {
#ifdef __SIZEOF_INT128__
    unsigned __int128 product = (unsigned __int128)a * b;
    *low = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t first = a0 * b0, middle = a1 * b0 + (first >> 32);
    uint64_t other = a0 * b1 + (uint32_t)middle;
    *low = other << 32 | (uint32_t)first;
    return a1 * b1 + (middle >> 32) + (other >> 32);
#endif
}

static inline int leading_zeros(uint64_t w) {
#if defined(__GNUC__) || defined(__clang__)
    return __builtin_clzll(w);
#else
    int n = 0;
    while (!(w >> 63)) { w <<= 1; n++; }
    return n;
#endif
}

/* w * 10^q, rounded to the nearest double; 0 where that is not certain. */
static inline int exact_double(uint64_t w, int64_t q, double *out) {
    /* Where a machine does not round each product to a double, the table does it. */
    if (FLT_EVAL_METHOD == 0 && w <= (1ull << 53) && q >= -22 && q <= 22) {
        double value = (double)w;
        *out = q < 0 ? value / TENS[-q] : value * TENS[q];
        return 1;
    }
    if (w == 0) {
        *out = 0.0;
        return 1;
    }
    if (q < LEAST_POWER || q > MOST_POWER) return 0;
    int zeros = leading_zeros(w);
    const uint64_t *power = POWERS[q - LEAST_POWER];
    uint64_t low, high = wide_product(w << zeros, power[0], &low);
    if ((high & 0x1ff) == 0x1ff) { /* only then do the lower bits of the power matter */
        uint64_t rest, carry = wide_product(w << zeros, power[1], &rest);
        low += carry;
        high += low < carry;
    }
    if (low == UINT64_MAX && q < -27) return 0;
    int upper = (int)(high >> 63), shift = upper + 9;
    uint64_t mantissa = high >> shift;
    /* Exactly in the middle, which needs a small power: to even. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << shift == high)
        mantissa &= ~1ull;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    /* Within the powers of the table neither the smallest nor the largest double is near. */
    int64_t exponent = ((217706 * q) >> 16) + 1086 + upper - zeros;
    if (mantissa >= 1ull << 53) {
        mantissa = 1ull << 52;
        exponent++;
    }
    uint64_t bits = (mantissa & ((1ull << 52) - 1)) | (uint64_t)exponent << 52;
    memcpy(out, &bits, sizeof *out);
    return 1;
}

static inline int is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

static inline int little_endian(void) {
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first;
}

/* Whether all eight bytes are digits: high nibbles 3, and still so with 6 added. */
static inline int eight_digits(uint64_t v) {
    return ((v & 0xf0f0f0f0f0f0f0f0u) | (((v + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u) >> 4))
           == 0x3333333333333333u;
}

/* Their value: neighbours are joined to pairs, pairs to fours, fours to eight. */
static inline uint64_t value_of_eight(uint64_t v) {
    v -= 0x3030303030303030u;
    v = v * 10 + (v >> 8);
    v = (v & 0x000000ff000000ffu) * 0x000f424000000064u +
        ((v >> 16) & 0x000000ff000000ffu) * 0x0000271000000001u;
    return v >> 32;
}

/* Digits from p on, appended to *w; overflow is the caller's to notice by their count. The byte
   at `end` can be read and is no digit. */
static inline const uint8_t *scan_digits(const uint8_t *p, const uint8_t *end, uint64_t *w) {
    uint64_t v;
    while (end - p >= 8 && little_endian() && (memcpy(&v, p, 8), eight_digits(v))) {
        *w = *w * 100000000 + value_of_eight(v);
        p += 8;
    }
    for (; is_digit(*p); p++) *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
}

/* A number without its sign, taken apart. */
typedef struct {
    uint64_t digits; /* the point left out */
    int64_t power;   /* of ten */
    int real;        /* with a point or an exponent */
    int open;        /* no digit before the point, or none behind it */
    int hard;        /* more digits than fit */
} Parts;

/* More than 19 digits: do those that count still fit 64 bits? */
static int too_many_digits(const uint8_t *p, const uint8_t *end, int64_t count) {
    for (; p < end && (*p == '0' || *p == '.'); p++) count -= *p == '0';
    return count > 19;
}

static const uint8_t *scan_exponent(const uint8_t *p, const uint8_t *end, int64_t *power) {
    int minus = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;
    if (p == end || !is_digit(*p)) return NULL;
    int64_t e = 0;
    for (; p < end && is_digit(*p); p++)
        if (e < 100000) e = e * 10 + (*p - '0');
    *power += minus ? -e : e;
    return p;
}

/* Behind the number at p; NULL where there is none. What follows it is not looked at, but the
   byte at `end` can be read and is no digit. */
static inline const uint8_t *take_apart(const uint8_t *p, const uint8_t *end, Parts *n) {
    const uint8_t *begin = p;
    n->digits = 0;
    n->power = 0;
    n->real = n->hard = 0;
    if (*p == '0' && !is_digit(p[1])) p++;
    else p = scan_digits(p, end, &n->digits);
    int64_t count = p - begin;
    n->open = !count;
    if (p < end && *p == '.') {
        const uint8_t *point = ++p;
        p = scan_digits(p, end, &n->digits);
        n->power = point - p;
        n->real = 1;
        n->open |= p == point;
        count += p - point;
    }
    if (!count) return NULL;
    if (count > 19) n->hard = too_many_digits(begin, p, count);
    if (p < end && (*p | 0x20) == 'e') {
        n->real = 1;
        p = scan_exponent(p + 1, end, &n->power);
    }
    return p;
}

/* The value of a number without its sign; 0 where it is for Python to read. */
static inline int value_of(const Parts *n, double *out) {
    return !n->hard && exact_double(n->digits, n->power, out);
}

static inline const uint8_t *scan_word(const uint8_t *p, const uint8_t *end, const char *word) {
    for (; *word; word++, p++)
        if (p == end || (*p | 0x20) != (uint8_t)*word) return NULL;
    return p;
}

static const uint8_t *scan_non_finite(const uint8_t *p, const uint8_t *end, double *out) {
    const uint8_t *after;
    uint64_t bits = 0x7ff0000000000000ull;
    if ((after = scan_word(p, end, "nan"))) bits = 0x7ff8000000000000ull;
    else if ((after = scan_word(p, end, "infinity"))) {}
    else after = scan_word(p, end, "inf");
    memcpy(out, &bits, sizeof *out);
    return after;
}

/* Behind the number that begins at p, its value in *out; NULL where there is none or it is for
   Python to read. The byte at `end` can be read and is no digit. */
static inline const uint8_t *scan_number(const uint8_t *p, const uint8_t *end, double *out) {
    int negative = 0;
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    if (p == end) return NULL;
    if (!is_digit(*p) && *p != '.') {
        p = scan_non_finite(p, end, out);
    } else {
        Parts parts;
        p = take_apart(p, end, &parts);
        if (p && !value_of(&parts, out)) return NULL;
    }
    if (p && negative) *out = -*out;
    return p;
}

#endif
