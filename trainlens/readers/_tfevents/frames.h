/* Walking TFRecord frames, and finding the next intact one behind damage.
 *
 * A frame: u64 length, u32 masked CRC of it, the data, u32 masked CRC of the data. Behind damage
 * every offset is tried. Long candidates are checked against checkpoints of the CRC state, so a
 * file full of plausible headers costs time proportional to its size.
 */
#ifndef TRAINLENS_FRAMES_H
#define TRAINLENS_FRAMES_H

#include "event.h"

#define RECORD_CAP ((uint64_t)64 << 20)
#define HEADER 12
#define FRAME 16
#define SHORT_RECORD 4096
#define STRIDE 1024

typedef enum { INTACT, BROKEN, UNFINISHED } Verdict;

typedef struct {
    uint64_t begin, end;
} Range;

typedef struct {
    Range *items;
    size_t count, room;
} Ranges;

typedef struct {
    const uint8_t *data;
    size_t size;
    int final;
    uint32_t *checkpoint; /* state before each STRIDE bytes, started from 0; NULL until needed */
    uint8_t header[HEADER]; /* the last one that held: most records are as long as another */
} Window;

static int add_range(Ranges *r, uint64_t begin, uint64_t end) {
    if (r->count == r->room) {
        size_t room = r->room ? r->room * 2 : 16;
        Range *items = realloc(r->items, room * sizeof *items);
        if (!items) return NO_MEMORY;
        r->items = items;
        r->room = room;
    }
    r->items[r->count++] = (Range){begin, end};
    return FINE;
}

/* Until one has held: that of an empty record. */
static void begin_headers(Window *w) {
    uint32_t stored = crc_mask(crc_update(~0u, w->header, 8));
    for (int i = 0; i < 4; i++) w->header[8 + i] = (uint8_t)(stored >> 8 * i);
}

static int make_checkpoints(Window *w) {
    size_t n = w->size / STRIDE + 1;
    w->checkpoint = malloc(n * sizeof *w->checkpoint);
    if (!w->checkpoint) return NO_MEMORY;
    uint32_t state = 0;
    for (size_t i = 0; i < n; i++) {
        w->checkpoint[i] = state;
        if (i + 1 < n) state = crc_update(state, w->data + i * STRIDE, STRIDE);
    }
    return FINE;
}

static uint32_t state_at(const Window *w, size_t at) {
    size_t i = at / STRIDE;
    return crc_update(w->checkpoint[i], w->data + i * STRIDE, at - i * STRIDE);
}

/* CRC state of data[begin:end] from the states at its ends: the CRC is linear. */
static uint32_t range_state(const Window *w, size_t begin, size_t end) {
    return state_at(w, end) ^ crc_shift(state_at(w, begin) ^ ~0u, end - begin);
}

ALWAYS_INLINE int header_holds(Window *w, const uint8_t *p, uint64_t *length, CrcFunction crc) {
    *length = load64(p);
    if (*length == load64(w->header) && load32(p + 8) == load32(w->header + 8)) return 1;
    if (*length > RECORD_CAP || crc_mask(crc(~0u, p, 8)) != load32(p + 8)) return 0;
    memcpy(w->header, p, HEADER);
    return 1;
}

/* What stands at `at`; lost says that the walk is searching behind damage. */
ALWAYS_INLINE Verdict judge(Window *w, size_t at, int lost, uint64_t *length, int *status,
                            CrcFunction crc) {
    const uint8_t *p = w->data + at;
    size_t left = w->size - at;
    if (left < HEADER) return w->final ? BROKEN : UNFINISHED;
    if (!header_holds(w, p, length, crc)) return BROKEN;
    if (*length + FRAME > left) return w->final ? BROKEN : UNFINISHED;
    size_t n = (size_t)*length;
    uint32_t state;
    if (lost && n > SHORT_RECORD) {
        if (!w->checkpoint && (*status = make_checkpoints(w))) return BROKEN;
        state = range_state(w, at + HEADER, at + HEADER + n);
    } else {
        state = crc(~0u, p + HEADER, n);
    }
    return crc_mask(state) == load32(p + HEADER + n) ? INTACT : BROKEN;
}

#endif
