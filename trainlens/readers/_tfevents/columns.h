/* Points by tag, in memory that numpy adopts without a copy.
 *
 * The columns of all tags share large blocks. How far a tag will grow is estimated from how far
 * the file has been read, so most columns are moved once; and a large block asks the kernel for
 * huge pages, because touching small ones for the first time costs more than the decoding.
 */
#ifndef TRAINLENS_COLUMNS_H
#define TRAINLENS_COLUMNS_H

#include <Python.h>
#include <stdlib.h>

#include "crc32c.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

enum { UNKNOWN = 0, SCALAR = 1, TEXT = 2, OTHER = 3 };
#define NO_TAG UINT32_MAX

#define POINT 24 /* bytes: step, value and wall time */
#define LARGEST_BLOCK ((size_t)32 << 20)
#define HUGE_PAGE ((size_t)2 << 20)
#define EVIDENCE 64 /* the part of a file, one in so many, from which the rest is estimated */

typedef struct {
    uint8_t *name;
    size_t size;
    uint64_t hash;
    uint32_t follower; /* the tag that came after this one last time: mostly comes again */
    uint8_t plugin;
    PyObject *block; /* the bytearray that holds the columns, one behind the other */
    size_t offset;   /* of `step` in it */
    int64_t *step;
    double *value, *wall;
    size_t count, room;
    uint8_t *like; /* a message that gave a point of this tag, see again.h */
    uint16_t like_size, like_at;
    uint8_t like_width, like_plugin;
} Tag;

typedef struct {
    Tag *tags;
    uint32_t count, room;
    uint32_t *slots; /* open addressing: index + 1, 0 is free */
    uint32_t mask, last;
    uint64_t seed;
    PyThreadState *thread;   /* saved while the GIL is released */
    PyObject *block;         /* the newest: columns that grow move into it */
    size_t used, held;       /* bytes of it that are given out, and all of them */
    double rooms;            /* points that the columns have room for */
    uint64_t begin, at, end; /* file offsets: where this reading began, stands, and will end */
} Table;

static uint64_t hash_name(const Table *t, const uint8_t *p, size_t n) {
    uint64_t h = t->seed ^ n * 0x9e3779b97f4a7c15ull;
    for (; n >= 8; n -= 8, p += 8) { h = (h ^ load64(p)) * 0xff51afd7ed558ccdull; h ^= h >> 32; }
    uint64_t rest = 0;
    for (size_t i = 0; i < n; i++) rest |= (uint64_t)p[i] << 8 * i;
    h = (h ^ rest) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 29;
}

static inline uint64_t odd_words(const uint8_t *a, const uint8_t *b, size_t first, size_t last) {
    return (load64(a + first) ^ load64(b + first)) | (load64(a + last) ^ load64(b + last));
}

static inline int same_name(const Tag *tag, const uint8_t *p, size_t n) {
    if (tag->size != n) return 0;
    if (n < 8 || n > 32) return !memcmp(tag->name, p, n);
    /* Most tags: overlapping words instead of a call. */
    uint64_t odd = odd_words(tag->name, p, 0, n - 8);
    if (n > 16) odd |= odd_words(tag->name, p, 8, n - 16);
    return !odd;
}

static int grow_slots(Table *t) {
    uint32_t size = t->mask ? (t->mask + 1) * 2 : 64;
    uint32_t *slots = calloc(size, sizeof *slots);
    if (!slots) return -1;
    for (uint32_t i = 0; i < t->count; i++) {
        uint32_t at = (uint32_t)t->tags[i].hash & (size - 1);
        while (slots[at]) at = (at + 1) & (size - 1);
        slots[at] = i + 1;
    }
    free(t->slots);
    t->slots = slots;
    t->mask = size - 1;
    return 0;
}

/* Index of a tag or NO_TAG; *hash is filled for add_tag. */
static uint32_t find_tag(Table *t, const uint8_t *p, size_t n, uint64_t *hash) {
    *hash = hash_name(t, p, n);
    if (!t->count) return NO_TAG;
    for (uint32_t at = (uint32_t)*hash & t->mask; t->slots[at]; at = (at + 1) & t->mask) {
        Tag *tag = &t->tags[t->slots[at] - 1];
        if (tag->hash == *hash && same_name(tag, p, n)) return t->slots[at] - 1;
    }
    return NO_TAG;
}

/* NO_TAG means out of memory. */
static uint32_t add_tag(Table *t, const uint8_t *p, size_t n, uint64_t hash) {
    if (t->count == t->room) {
        uint32_t room = t->room ? t->room * 2 : 32;
        Tag *tags = realloc(t->tags, room * sizeof *tags);
        if (!tags) return NO_TAG;
        t->tags = tags;
        t->room = room;
    }
    if ((!t->mask || t->count >= t->mask / 2) && grow_slots(t)) return NO_TAG;
    uint8_t *name = malloc(n + 1);
    if (!name) return NO_TAG;
    memcpy(name, p, n);
    Tag *tag = &t->tags[t->count];
    memset(tag, 0, sizeof *tag);
    tag->name = name;
    tag->size = n;
    tag->hash = hash;
    uint32_t at = (uint32_t)hash & t->mask;
    while (t->slots[at]) at = (at + 1) & t->mask;
    t->slots[at] = t->count + 1;
    return t->count++;
}

/* The follower of the last tag where that is the one named, else NO_TAG. */
static inline uint32_t guess_tag(const Table *t, const uint8_t *p, size_t n) {
    if (!t->count) return NO_TAG;
    uint32_t next = t->tags[t->last].follower;
    return same_name(&t->tags[next], p, n) ? next : NO_TAG;
}

static inline uint32_t intern_tag(Table *t, const uint8_t *p, size_t n) {
    uint32_t guess = guess_tag(t, p, n);
    if (guess != NO_TAG) return t->last = guess;
    uint64_t hash;
    uint32_t index = find_tag(t, p, n, &hash);
    if (index == NO_TAG) index = add_tag(t, p, n, hash);
    if (index == NO_TAG) return NO_TAG;
    t->tags[t->last].follower = index;
    return t->last = index;
}

/* How many times as many points as now there will be at the end of the file. */
static double growth(const Table *t) {
    uint64_t done = t->at - t->begin;
    if (t->end <= t->at || done <= (t->end - t->begin) / EVIDENCE) return 2;
    double estimate = 1.06 * (double)(t->end - t->begin) / (double)done; /* a little to spare */
    return estimate < 1.25 ? 1.25 : estimate;
}

static void ask_for_huge_pages(PyObject *block, size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    uintptr_t start = (uintptr_t)PyByteArray_AsString(block), end = start + size;
    start = (start + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    end &= ~(uintptr_t)(HUGE_PAGE - 1);
    if (start < end) (void)madvise((void *)start, end - start, MADV_HUGEPAGE);
#else
    (void)block;
    (void)size;
#endif
}

static int new_block(Table *t, size_t need, double scale) {
    double wanted = t->rooms * POINT * (scale - 1);
    size_t size = wanted < (double)LARGEST_BLOCK ? (size_t)wanted : LARGEST_BLOCK;
    if (size < need) size = need;
    PyObject *block = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)size);
    if (!block) return -1;
    ask_for_huge_pages(block, size);
    Py_XDECREF(t->block);
    t->block = block;
    t->used = 0;
    t->held = size;
    return 0;
}

/* Move the columns of a tag to where there is room for more. */
static int move_tag(Table *t, Tag *tag, size_t room, double scale) {
    size_t need = room * POINT;
    if (t->held - t->used < need && new_block(t, need, scale)) return -1;
    int64_t *step = (int64_t *)(PyByteArray_AsString(t->block) + t->used);
    double *value = (double *)(step + room), *wall = value + room;
    if (tag->count) {
        memcpy(step, tag->step, tag->count * 8);
        memcpy(value, tag->value, tag->count * 8);
        memcpy(wall, tag->wall, tag->count * 8);
    }
    Py_XDECREF(tag->block);
    Py_INCREF(t->block);
    tag->block = t->block;
    tag->offset = t->used;
    tag->step = step;
    tag->value = value;
    tag->wall = wall;
    t->rooms += (double)(room - tag->room);
    tag->room = room;
    t->used += need;
    return 0;
}

static int grow_tag(Table *t, Tag *tag) {
    double scale = growth(t), wanted = (double)tag->count * scale + 16;
    if (wanted > (double)(PY_SSIZE_T_MAX / (2 * POINT))) return -1;
    PyEval_RestoreThread(t->thread);
    int failed = move_tag(t, tag, (size_t)wanted, scale);
    if (failed) PyErr_Clear(); /* reported as MemoryError once the walk has stopped */
    t->thread = PyEval_SaveThread();
    return failed;
}

static inline void append(Tag *tag, int64_t step, double wall, double value) {
    tag->step[tag->count] = step;
    tag->value[tag->count] = value;
    tag->wall[tag->count++] = wall;
}

/* A point of a tag that is new, out of turn or without room. */
static int add_slowly(Table *t, const uint8_t *p, size_t n, int64_t step, double wall,
                      double value) {
    uint32_t index = intern_tag(t, p, n);
    if (index == NO_TAG) return -1;
    Tag *tag = &t->tags[index];
    if (tag->count == tag->room && grow_tag(t, tag)) return -1;
    append(tag, step, wall, value);
    return 0;
}

static inline int add_point(Table *t, const uint8_t *p, size_t n, int64_t step, double wall,
                            double value) {
    uint32_t guess = guess_tag(t, p, n);
    if (guess == NO_TAG || t->tags[guess].count == t->tags[guess].room)
        return add_slowly(t, p, n, step, wall, value);
    append(&t->tags[t->last = guess], step, wall, value);
    return 0;
}

static void drop_points(Tag *tag) {
    Py_CLEAR(tag->block);
    tag->count = tag->room = 0;
}

static void drop_block(Table *t) {
    Py_CLEAR(t->block);
    t->used = t->held = 0;
    t->rooms = 0;
}

static void free_table(Table *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        drop_points(&t->tags[i]);
        free(t->tags[i].name);
        free(t->tags[i].like);
    }
    drop_block(t);
    free(t->tags);
    free(t->slots);
}

#endif
