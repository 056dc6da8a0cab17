/* Scalars as tensors (TF2) come with shape, type and metadata, the same bytes each time. So of
 * each tag the last such message is kept, and one that differs from it in nothing but the bytes of
 * its number says the same of another number: it needs no parsing. */
#ifndef TRAINLENS_AGAIN_H
#define TRAINLENS_AGAIN_H

#include "columns.h"

#define LONGEST_LIKE 512

static double from_bits32(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static double from_bits64(uint64_t bits) {
    double d;
    memcpy(&d, &bits, 8);
    return d;
}

/* Keep the message that has just given a point of the last tag; where there is no memory, not. */
static void keep_like(Table *t, const uint8_t *begin, const uint8_t *end, const uint8_t *number,
                      size_t width) {
    Tag *tag = &t->tags[t->last];
    size_t size = (size_t)(end - begin);
    if (size > LONGEST_LIKE) return;
    if (size != tag->like_size) {
        uint8_t *like = realloc(tag->like, size);
        if (!like) return;
        tag->like = like;
        tag->like_size = (uint16_t)size;
    }
    memcpy(tag->like, begin, size);
    tag->like_at = (uint16_t)(number - begin);
    tag->like_width = (uint8_t)width;
    tag->like_plugin = tag->plugin;
}

/* The tag whose turn it is, where the message is like its last one; else NULL. What another event
 * has said of the plugin since then counts, so the plugin must still be the same. */
static inline const Tag *like_again(const Table *t, const uint8_t *p, size_t size) {
    if (!t->count) return NULL;
    const Tag *tag = &t->tags[t->tags[t->last].follower];
    if (!tag->like || tag->like_size != size || tag->like_plugin != tag->plugin) return NULL;
    size_t behind = (size_t)tag->like_at + tag->like_width;
    if (memcmp(tag->like, p, tag->like_at)) return NULL;
    return memcmp(tag->like + behind, p + behind, size - behind) ? NULL : tag;
}

#endif
