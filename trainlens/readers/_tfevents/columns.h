/* Points by tag, in bytearrays that numpy adopts without a copy. */
#ifndef TRAINLENS_COLUMNS_H
#define TRAINLENS_COLUMNS_H

#include <Python.h>
#include <stdlib.h>

#include "crc32c.h"

enum { UNKNOWN = 0, SCALAR = 1, TEXT = 2, OTHER = 3 };
#define NO_TAG UINT32_MAX

typedef struct {
    uint8_t *name;
    size_t size;
    uint64_t hash;
    uint32_t follower; /* the tag that came after this one last time: mostly comes again */
    uint8_t plugin;
    PyObject *array[3]; /* step, value, wall_time */
    int64_t *step;
    double *value, *wall;
    size_t count, room;
} Tag;

typedef struct {
    Tag *tags;
    uint32_t count, room;
    uint32_t *slots; /* open addressing: index + 1, 0 is free */
    uint32_t mask, last;
    uint64_t seed;
    PyThreadState *thread; /* saved while the GIL is released */
} Table;

static uint64_t hash_name(const Table *t, const uint8_t *p, size_t n) {
    uint64_t h = t->seed ^ n * 0x9e3779b97f4a7c15ull;
    for (; n >= 8; n -= 8, p += 8) { h = (h ^ load64(p)) * 0xff51afd7ed558ccdull; h ^= h >> 32; }
    uint64_t rest = 0;
    for (size_t i = 0; i < n; i++) rest |= (uint64_t)p[i] << 8 * i;
    h = (h ^ rest) * 0xc4ceb9fe1a85ec53ull;
    return h ^ h >> 29;
}

static inline int same_name(const Tag *tag, const uint8_t *p, size_t n) {
    const uint8_t *name = tag->name;
    if (tag->size != n) return 0;
    if (n < 8 || n > 16) return !memcmp(name, p, n);
    /* Most tags: two overlapping words instead of a call. */
    return load64(name) == load64(p) && load64(name + n - 8) == load64(p + n - 8);
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

static int grow_tag(Table *t, Tag *tag) {
    size_t room = tag->room ? tag->room * 2 : 16;
    int failed = 0;
    PyEval_RestoreThread(t->thread);
    for (int i = 0; i < 3 && !failed; i++) {
        if (!tag->array[i])
            failed = !(tag->array[i] = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(room * 8)));
        else
            failed = PyByteArray_Resize(tag->array[i], (Py_ssize_t)(room * 8)) != 0;
    }
    if (failed) PyErr_Clear(); /* reported as MemoryError once the walk has stopped */
    /* A resize may have moved an array even where a later one failed. */
    if (tag->array[0]) tag->step = (int64_t *)PyByteArray_AsString(tag->array[0]);
    if (tag->array[1]) tag->value = (double *)PyByteArray_AsString(tag->array[1]);
    if (tag->array[2]) tag->wall = (double *)PyByteArray_AsString(tag->array[2]);
    t->thread = PyEval_SaveThread();
    if (failed) return -1;
    tag->room = room;
    return 0;
}

static inline int add_point(Table *t, uint32_t index, int64_t step, double wall, double value) {
    Tag *tag = &t->tags[index];
    if (tag->count == tag->room && grow_tag(t, tag)) return -1;
    tag->step[tag->count] = step;
    tag->value[tag->count] = value;
    tag->wall[tag->count++] = wall;
    return 0;
}

static void drop_points(Tag *tag) {
    for (int i = 0; i < 3; i++) Py_CLEAR(tag->array[i]);
    tag->count = tag->room = 0;
}

static void free_table(Table *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        drop_points(&t->tags[i]);
        free(t->tags[i].name);
    }
    free(t->tags);
    free(t->slots);
}

#endif
