/* Dates in text, as Unix seconds. */
#ifndef TRAINLENS_DATE_H
#define TRAINLENS_DATE_H

#include <stdint.h>

#include "_number.h"

static inline int two_digits(const uint8_t *p) { return (p[0] - '0') * 10 + (p[1] - '0'); }

/* Unix seconds of "2024-01-02 03:04:05", whose digits are known to be digits and whose marks are
   not looked at; 0 where that is no moment of the calendar. */
static inline int unix_of(const uint8_t *p, int64_t *seconds) {
    static const uint8_t LENGTH[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year = two_digits(p) * 100 + two_digits(p + 2), month = two_digits(p + 5);
    int64_t day = two_digits(p + 8), hour = two_digits(p + 11), minute = two_digits(p + 14);
    int64_t second = two_digits(p + 17);
    if (year < 1 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return 0;
    int leap = (year % 4 == 0 && year % 100) || year % 400 == 0;
    if (day < 1 || day > LENGTH[month - 1] + (month == 2 && leap)) return 0;
    /* Days since 1970 of the proleptic Gregorian calendar, years beginning in March. */
    int64_t y = year - (month < 3), m = (month + 9) % 12;
    int64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (m * 306 + 5) / 10 + day - 1 - 719468;
    *seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    return 1;
}

/* Whether the bytes at p are those of a model, in which a 0 stands for any digit. */
static inline int is_like(const uint8_t *p, const char *model) {
    for (; *model; model++, p++)
        if (*model == '0' ? !is_digit(*p) : *p != (uint8_t)*model) return 0;
    return 1;
}

/* Unix seconds of an ISO date from `p` to `end`: "2024-01-02", with or without " 03:04:05", a
   fraction and a zone ("Z", "+02:00"), in UTC without one. Gives up on all other forms, on 1970
   itself and on years beyond 2255, where doubles are no longer exact to the microsecond: what it
   gives is what `unix_seconds` of `_values.py` gives, and numpy. */
static inline int iso_seconds(const uint8_t *p, const uint8_t *end, double *out) {
    uint8_t whole[] = "0000-00-00 00:00:00";
    int64_t seconds, micro = 0;
    if (end - p < 10) return 0;
    memcpy(whole, p, 10);
    for (int i = 4; i < 8; i += 3)
        if (whole[i] == '/') whole[i] = '-';
    if (!is_like(whole, "0000-00-00")) return 0;
    if (end - p > 10) {
        if (end - p < 19 || (p[10] != ' ' && p[10] != 'T') || !is_like(p + 11, "00:00:00"))
            return 0;
        memcpy(whole + 11, p + 11, 8);
    }
    if (!unix_of(whole, &seconds)) return 0;
    p += end - p > 10 ? 19 : 10;
    if (p < end && (*p == '.' || *p == ',')) {
        int count = 0;
        for (p++; p < end && is_digit(*p) && count < 10; p++, count++)
            if (count < 6) micro = micro * 10 + (*p - '0');
        if (!count || count > 9) return 0;
        for (; count < 6; count++) micro *= 10;
    }
    if (end - p == 6 && (*p == '+' || *p == '-') && is_like(p + 1, "00:00")) {
        int64_t hour = two_digits(p + 1), minute = two_digits(p + 4);
        if (hour > 23 || minute > 59) return 0;
        seconds -= (*p == '-' ? -60 : 60) * (hour * 60 + minute);
        p = end;
    } else if (end - p == 1 && (*p | 0x20) == 'z') {
        p = end;
    }
    micro += seconds * 1000000;
    if (p != end || !micro || micro > 1ll << 53 || micro < -(1ll << 53)) return 0;
    *out = (double)micro / 1e6;
    return 1;
}

#endif
