/* A number in text, correctly rounded: the same bits as Python's float(), or an honest no.

   scan_number() takes what float() takes but for underscores, blanks and digits of other scripts.
   It gives up (NULL) where it would need arithmetic beyond 128 bits: more than 19 significant
   digits, an exponent outside of the table, or a product too close to the middle between two
   doubles. The caller then asks Python. Method: D. Lemire, Number parsing at a gigabyte per
   second, Software: Practice and Experience 51 (2021). */
#ifndef TRAINLENS_NUMBER_H
#define TRAINLENS_NUMBER_H

#include <stdint.h>
#include <string.h>

#include "_powers.h"

#define MOST_EXPONENT_DIGITS 4

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
static inline int exact_double(uint64_t w, int q, double *out) {
    if (w <= (1ull << 53) && q >= -22 && q <= 22) {
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
    if (low == UINT64_MAX && (q < -27 || q > 55)) return 0;
    int upper = (int)(high >> 63), shift = upper + 9;
    uint64_t mantissa = high >> shift;
    /* Exactly in the middle, which needs a small power: to even. */
    if (low <= 1 && q >= -4 && q <= 23 && (mantissa & 3) == 1 && mantissa << shift == high)
        mantissa &= ~1ull;
    mantissa = (mantissa + (mantissa & 1)) >> 1;
    int exponent = ((217706 * q) >> 16) + 1086 + upper - zeros;
    if (mantissa >= 1ull << 53) {
        mantissa = 1ull << 52;
        exponent++;
    }
    if (exponent <= 0 || exponent >= 0x7ff) return 0;
    uint64_t bits = (mantissa & ((1ull << 52) - 1)) | (uint64_t)exponent << 52;
    memcpy(out, &bits, sizeof *out);
    return 1;
}

static inline int is_digit(uint8_t c) { return (uint8_t)(c - '0') < 10; }

/* Eight digits at once where there are eight; their number goes to *value. */
static inline int eight_digits(const uint8_t *p, uint64_t *value) {
    uint64_t v;
    memcpy(&v, p, 8);
    if (((v & 0xf0f0f0f0f0f0f0f0ull) | ((v + 0x0606060606060606ull) & 0xf0f0f0f0f0f0f0f0ull) >> 4)
        != 0x3333333333333333ull)
        return 0;
    v = (v & 0x0f0f0f0f0f0f0f0full) * 2561 >> 8;
    v = (v & 0x00ff00ff00ff00ffull) * 6553601 >> 16;
    *value = (v & 0x0000ffff0000ffffull) * 42949672960001ull >> 32;
    return 1;
}

static inline int little_endian(void) {
    const uint16_t one = 1;
    uint8_t first;
    memcpy(&first, &one, 1);
    return first;
}

/* Digits from p on, appended to *w; overflow is the caller's to notice by their count. */
static inline const uint8_t *scan_digits(const uint8_t *p, const uint8_t *end, uint64_t *w) {
    uint64_t eight;
    while (end - p >= 8 && little_endian() && eight_digits(p, &eight)) {
        *w = *w * 100000000 + eight;
        p += 8;
    }
    for (; p < end && is_digit(*p); p++) *w = *w * 10 + (uint64_t)(*p - '0');
    return p;
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
   Python to read. What follows the number is not looked at. */
static inline const uint8_t *scan_number(const uint8_t *p, const uint8_t *end, double *out) {
    int negative = 0;
    if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
    if (p == end) return NULL;
    if (!is_digit(*p) && *p != '.') {
        p = scan_non_finite(p, end, out);
        if (p && negative) *out = -*out;
        return p;
    }
    uint64_t w = 0;
    const uint8_t *begin = p, *stop = scan_digits(p, end, &w);
    p = stop;
    long digits = (long)(p - begin), power = 0;
    if (p < end && *p == '.') {
        stop = scan_digits(p + 1, end, &w);
        power = -(long)(stop - p - 1);
        digits -= power;
        p = stop;
    }
    if (!digits) return NULL;
    if (digits > 19) { /* zeros in front do not count */
        for (; begin < stop && (*begin == '0' || *begin == '.'); begin++) digits -= *begin == '0';
        if (digits > 19) return NULL;
    }
    if (p < end && (*p | 0x20) == 'e') {
        const uint8_t *mark = ++p;
        int minus = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+')) mark = ++p;
        long exponent = 0;
        for (; p < end && is_digit(*p) && p - mark <= MOST_EXPONENT_DIGITS; p++)
            exponent = exponent * 10 + (*p - '0');
        if (p == mark || p - mark > MOST_EXPONENT_DIGITS) return NULL;
        power += minus ? -exponent : exponent;
    }
    if (power < -10000 || power > 10000 || !exact_double(w, (int)power, out)) return NULL;
    if (negative) *out = -*out;
    return p;
}

#endif
