/* Numbers as JSON writes them to the nearest double, bit by bit what Python's float() gives.

   The usual case is exact at once (W. D. Clinger, "How to Read Floating Point Numbers
   Accurately", 1990): a whole number below 2^53 times or divided by a power of ten below 10^23.
   The next takes one or two products with 128 bits of the power of five (D. Lemire, "Number
   Parsing at a Gigabyte per Second", 2021), for powers of which 128 bits are known to decide.
   Everything else goes to Python itself. */
#ifndef TRAINLENS_DECIMAL_H
#define TRAINLENS_DECIMAL_H

#include <Python.h>
#include <float.h>
#include <stdint.h>
#include <string.h>

#define MOST_POWER 27 /* 5^27 is the largest power of five below 2^64 */
#define EXACT ((uint64_t)1 << 53)

#if defined(__SIZEOF_INT128__) && defined(__BYTE_ORDER__) && \
    __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WIDE 1
typedef unsigned __int128 uint128;
#endif

typedef enum { IS_BROKEN, IS_WHOLE, IS_REAL, IS_HARD } Sort;

/* The text of a number, taken apart. */
typedef struct {
    uint64_t digits; /* sign and point left out */
    int64_t power;   /* of ten */
    int negative;
    Sort sort;
    const char *end;
} Decimal;

static const double TENS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static inline int is_digit(char c) { return (unsigned char)(c - '0') < 10; }

#ifdef WIDE
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
#endif

/* Digits from p on, behind which a byte that is none must stand before `end`. */
static inline const char *take_digits(const char *p, const char *end, uint64_t *digits) {
    uint64_t w = *digits;
#ifdef WIDE
    uint64_t v;
    while (end - p >= 8 && (memcpy(&v, p, 8), eight_digits(v))) {
        w = w * 100000000 + value_of_eight(v);
        p += 8;
    }
#else
    (void)end;
#endif
    for (; is_digit(*p); p++) w = w * 10 + (uint64_t)(*p - '0');
    *digits = w;
    return p;
}

static const char *take_exponent(const char *p, int64_t *power) {
    int minus = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!is_digit(*p)) return NULL;
    int64_t e = 0;
    for (; is_digit(*p); p++)
        if (e < 100000) e = e * 10 + (*p - '0');
    *power += minus ? -e : e;
    return p;
}

/* More than 19 digits: do those that count still fit 64 bits? */
static int too_many_digits(const char *p, const char *end) {
    int count = 0, begun = 0;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        begun |= *p > '0' && *p <= '9';
        count += begun && *p != '.' && *p != '-';
    }
    return count > 19;
}

/* Takes a number apart, by the grammar of JSON. The text must end before `end`. */
static inline Decimal take_number(const char *p, const char *end) {
    Decimal d = {0, 0, 0, IS_WHOLE, p};
    const char *begin = p;
    d.negative = *p == '-';
    p += d.negative;
    const char *first = p;
    if (!is_digit(*p)) return d.sort = IS_BROKEN, d;
    if (*p == '0') p++;
    else p = take_digits(p, end, &d.digits);
    int64_t count = p - first;
    if (*p == '.') {
        const char *point = ++p;
        p = take_digits(p, end, &d.digits);
        if (p == point) return d.sort = IS_BROKEN, d;
        d.power = point - p;
        d.sort = IS_REAL;
        count += p - point;
    }
    if (*p == 'e' || *p == 'E') {
        p = take_exponent(p + 1, &d.power);
        if (!p) return d.sort = IS_BROKEN, d;
        d.sort = IS_REAL;
    }
    d.end = p;
    if (is_digit(*p)) d.sort = IS_BROKEN; /* a leading zero */
    else if (count > 19 && too_many_digits(begin, p)) d.sort = IS_HARD;
    return d;
}

#ifdef WIDE
/* 128 bits of 5^q, the highest of them set; a reciprocal is rounded up. */
typedef struct {
    uint64_t high[2 * MOST_POWER + 1], low[2 * MOST_POWER + 1];
} Powers;

static void make_powers(Powers *powers) {
    uint64_t five = 1;
    for (int q = 0; q <= MOST_POWER; q++, five *= 5) {
        powers->high[MOST_POWER + q] = five << __builtin_clzll(five);
        powers->low[MOST_POWER + q] = 0;
        if (!q) continue;
        /* Long division of a power of two, as large as gives 128 bits. */
        uint128 rest = (uint128)1 << (63 - __builtin_clzll(five));
        uint64_t high = (uint64_t)((rest << 64) / five);
        rest = (rest << 64) % five;
        uint64_t low = (uint64_t)((rest << 64) / five);
        powers->high[MOST_POWER - q] = high + (low == UINT64_MAX);
        powers->low[MOST_POWER - q] = low + 1;
    }
}

/* Nearest double of digits * 10^q for digits > 0 and |q| <= MOST_POWER; ties to even. */
static inline double by_product(const Powers *powers, uint64_t digits, int q) {
    int shift = __builtin_clzll(digits);
    uint64_t w = digits << shift;
    uint128 product = (uint128)w * powers->high[MOST_POWER + q];
    /* Of the 64 high bits 55 are needed; where the rest is all ones a carry may still come. */
    if (((uint64_t)(product >> 64) & 0x1ff) == 0x1ff)
        product += (uint64_t)(((uint128)w * powers->low[MOST_POWER + q]) >> 64);
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    int top = (int)(high >> 63);
    uint64_t bits = high >> (top + 9);
    /* floor(q * log2(10)), and the bias of the exponent. */
    int64_t exponent = ((217706 * (int64_t)q) >> 16) + 63 + top - shift + 1023;
    /* Exactly between two doubles, which only small powers can give: the even one. */
    if (low <= 1 && q >= -4 && q <= 23 && (bits & 3) == 1 && (bits << (top + 9)) == high)
        bits &= ~(uint64_t)1;
    bits = (bits + (bits & 1)) >> 1;
    if (bits >> 53) {
        bits >>= 1;
        exponent++;
    }
    bits = (bits & (EXACT / 2 - 1)) | ((uint64_t)exponent << 52);
    double value;
    memcpy(&value, &bits, 8);
    return value;
}
#else
typedef int Powers;
static void make_powers(Powers *powers) { *powers = 0; }
#endif

/* The value of a number that is not broken; 0 where only Python can tell. */
static inline int quick_value(const Powers *powers, const Decimal *d, double *value) {
    uint64_t w = d->digits;
    int64_t q = d->power;
    if (d->sort == IS_HARD) return 0;
    double v;
    if (FLT_EVAL_METHOD == 0 && w < EXACT && q >= -22 && q <= 22)
        v = q < 0 ? (double)(int64_t)w / TENS[-q] : (double)(int64_t)w * TENS[q];
    else if (!w) v = 0.0;
#ifdef WIDE
    else if (q >= -MOST_POWER && q <= MOST_POWER) v = by_product(powers, w, (int)q);
#endif
    else return 0;
    (void)powers;
    /* The whole number -0 is 0. */
    *value = d->negative && (w || d->sort == IS_REAL) ? -v : v;
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
