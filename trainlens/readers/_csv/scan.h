/* Rows beyond doubt among lines: their numbers, and where their texts stand. See `table.py`. */
#ifndef TRAINLENS_CSV_SCAN_H
#define TRAINLENS_CSV_SCAN_H

#include <stdlib.h>

#include "../_date.h"

typedef struct {
    int64_t *items;
    size_t used, room;
} Numbers;

typedef struct {
    uint8_t sep;
    size_t width, room;       /* columns; rows for which there is space */
    const uint8_t *as_text;   /* per column: whether it is never read as numbers */
    const uint8_t *first;     /* what no first cell may be; its length */
    size_t first_size;
    int numeric;              /* whether the first filled cell has to look like a number */
    double *value;            /* [column][row] */
    uint8_t *absent;          /* [column][row]: empty or text */
    int64_t *line;            /* [row] */
    int64_t *gaps;            /* [column]: how many are absent */
    Numbers texts;            /* column, row, start, end of each text; the bits of the Unix seconds
                                 where it is a date, else of a NaN */
    Numbers odd;              /* line, start, end of each line that is no row beyond doubt */
} Table;

static int keep(Numbers *n, const int64_t *items, size_t count) {
    if (n->used + count > n->room) {
        size_t room = n->room ? n->room * 2 : 256;
        int64_t *grown = realloc(n->items, room * sizeof *grown);
        if (!grown) return -1;
        n->items = grown;
        n->room = room;
    }
    memcpy(n->items + n->used, items, count * sizeof *items);
    n->used += count;
    return 0;
}

static inline int is_blank(const Table *t, uint8_t c) {
    return c == ' ' || (c == '\t' && t->sep != '\t');
}

enum { NO_ROW = 0, ROW = 1, BLANK = 2, NO_MEMORY = -1 };

/* A cell in quotes, without quotes within: from behind the first to before the second. */
static const uint8_t *quoted(const Table *t, const uint8_t *begin, const uint8_t *p,
                             const uint8_t *end, const uint8_t **from, const uint8_t **to) {
    if (t->sep == '\t' && p != begin) return NULL;
    const uint8_t *close = memchr(p + 1, '"', (size_t)(end - p - 1));
    if (!close || (close + 1 < end && close[1] != t->sep)) return NULL;
    *from = p + 1;
    *to = close;
    return close + 1;
}

/* Whether the first cell that holds anything begins a row of this table. */
static int begins(const Table *t, const uint8_t *from, const uint8_t *to) {
    if (t->numeric) return is_digit(*from) || *from == '+' || *from == '-' || *from == '.';
    size_t size = (size_t)(to - from);
    return size != t->first_size || memcmp(from, t->first, size);
}

static int keep_text(Table *t, const uint8_t *data, const uint8_t *from, const uint8_t *to,
                     size_t column, size_t row) {
    int64_t text[5] = {(int64_t)column, (int64_t)row, from - data, to - data, 0x7ff8ll << 48};
    double moment;
    if (iso_seconds(from, to, &moment)) memcpy(text + 4, &moment, sizeof moment);
    return keep(&t->texts, text, 5);
}

/* One line without its end, into row `row`. */
static int scan_row(Table *t, const uint8_t *data, const uint8_t *p, const uint8_t *end,
                    size_t row) {
    const uint8_t *line = p;
    size_t column = 0;
    int begun = 0, quotes = 0;
    if (p < end && strchr("#<=>|s", *p) && *p) return NO_ROW;
    for (;; column++) {
        if (column == t->width) return NO_ROW;
        const uint8_t *begin = p, *from, *to, *number = NULL;
        double *value = t->value + column * t->room + row;
        while (p < end && is_blank(t, *p)) p++;
        if (p < end && *p == '"') {
            quotes = 1;
            if (!(p = quoted(t, begin, p, end, &from, &to))) return NO_ROW;
            while (from < to && is_blank(t, *from)) from++;
            if (!t->as_text[column]) number = scan_number(from, to, value);
        } else {
            from = p;
            if (!t->as_text[column] && (number = scan_number(p, end, value))) p = number;
            while (p < end && *p != t->sep && *p != '"') p++;
            if (p < end && *p == '"') return NO_ROW;
            to = p;
        }
        while (to > from && is_blank(t, to[-1])) to--;
        if (from < to && !begun && !(begun = begins(t, from, to))) return NO_ROW;
        int is_number = number && number == to;
        t->absent[column * t->room + row] = !is_number;
        if (!is_number) {
            t->gaps[column]++;
            *value = 0;
            if (from < to && keep_text(t, data, from, to, column, row)) return NO_MEMORY;
        }
        if (p == end) break;
        p++;
    }
    if (!begun) {
        for (p = line; p < end && (*p == ' ' || *p == '\t' || *p == '\r'); p++) {}
        return p == end ? BLANK : NO_ROW;
    }
    /* Beside quotes, some bytes make the csv module of Python refuse the row. */
    size_t size = (size_t)(end - line);
    if (quotes && (memchr(line, '\r', size) || memchr(line, 0, size))) return NO_ROW;
    return column + 1 == t->width ? ROW : NO_ROW;
}

/* All complete lines; the number of rows, or -1 without memory. */
static int64_t scan_lines(Table *t, const uint8_t *data, size_t start, size_t size) {
    size_t rows = 0;
    int64_t line = 0;
    const uint8_t *p = data + start, *stop = data + size;
    for (; p < stop; line++) {
        const uint8_t *end = memchr(p, '\n', (size_t)(stop - p));
        if (!end) end = stop;
        size_t texts = t->texts.used;
        int found = rows < t->room ? scan_row(t, data, p, end, rows) : NO_ROW;
        if (found == NO_MEMORY) return -1;
        if (found == ROW) {
            t->line[rows++] = line;
        } else {
            /* What half a row left behind. */
            for (size_t column = 0; rows < t->room && column < t->width; column++)
                t->gaps[column]++; /* only ever asked whether there are none */
            t->texts.used = texts;
            int64_t odd[3] = {line, p - data, end - data};
            if (found == NO_ROW && keep(&t->odd, odd, 3)) return -1;
        }
        p = end + 1;
    }
    return (int64_t)rows;
}

#endif
