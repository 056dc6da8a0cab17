/* What stands in a block of bytes that keeps it from being read as it is. See `block.py`. */
#ifndef TRAINLENS_TEXT_LOOK_H
#define TRAINLENS_TEXT_LOOK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { ODD = 1, CRLF = 2 };

/* Without a branch in it, so that a compiler takes many bytes at once. p[n] can be read. */
static inline void look_at_some(const uint8_t *p, size_t n, uint8_t *high, uint8_t *control,
                                uint8_t *crlf) {
    uint8_t h = 0, c = 0, r = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t b = p[i];
        h |= b;
        c |= (uint8_t)((b < 0x20) & (b != '\t') & (b != '\n') & (b != '\r')) | (uint8_t)(b == 0x7f);
        r |= (uint8_t)((b == '\r') & (p[i + 1] == '\n'));
    }
    *high |= h;
    *control |= c;
    *crlf |= r;
}

static inline int follows(const uint8_t *p, size_t n) {
    for (; n; n--, p++)
        if ((*p & 0xc0) != 0x80) return 0;
    return 1;
}

/* Whether bytes are UTF-8: the shortest form, no surrogates, nothing above U+10FFFF. */
static int is_utf8(const uint8_t *p, const uint8_t *end) {
    while (p < end) {
        uint64_t eight;
        while (end - p >= 8 && (memcpy(&eight, p, 8), !(eight & 0x8080808080808080u))) p += 8;
        if (p == end) break;
        uint8_t c = *p;
        if (c < 0x80) {
            p++;
            continue;
        }
        size_t more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
        if (c < 0xc2 || c > 0xf4 || (size_t)(end - p) <= more || !follows(p + 1, more)) return 0;
        if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f)) return 0;
        if ((c == 0xf0 && p[1] < 0x90) || (c == 0xf4 && p[1] > 0x8f)) return 0;
        p += more + 1;
    }
    return 1;
}

/* The byte at p[n] can be read. */
static int look_at(const uint8_t *p, size_t n) {
    uint8_t high = 0, control = 0, crlf = 0;
    for (size_t at = 0; at < n && !control; at += 4096)
        look_at_some(p + at, n - at < 4096 ? n - at : 4096, &high, &control, &crlf);
    int odd = control || ((high & 0x80) && !is_utf8(p, p + n));
    return (odd ? ODD : 0) | (crlf ? CRLF : 0);
}

#endif
