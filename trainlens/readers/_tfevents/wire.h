/* The protobuf wire format: one field after another, every bound checked.
 *
 * `wire.py` is the same in Python; what one refuses, the other refuses.
 */
#ifndef TRAINLENS_WIRE_H
#define TRAINLENS_WIRE_H

#include "crc32c.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, GROUP = 3, END_GROUP = 4, FIXED32 = 5 };
#define KEY(number, wire) ((uint32_t)(number) << 3 | (uint32_t)(wire))
#define GROUP_DEPTH 64

typedef struct {
    uint32_t key; /* number and wire type: compared as one, KEY(number, wire) */
    uint64_t value;      /* of VARINT, FIXED64 and FIXED32 */
    const uint8_t *data; /* of BYTES */
    size_t size;
} Field;

/* NULL where the number is cut off or longer than 10 bytes. */
static inline const uint8_t *read_varint(const uint8_t *p, const uint8_t *end, uint64_t *out) {
    if (p < end && *p < 128) { *out = *p; return p + 1; }
    uint64_t value = 0;
    for (int shift = 0; shift < 70 && p < end; shift += 7) {
        uint8_t byte = *p++;
        value |= (uint64_t)(byte & 127) << shift;
        if (byte < 128) { *out = value; return p; }
    }
    return NULL;
}

static inline const uint8_t *read_payload(const uint8_t *p, const uint8_t *end, Field *f) {
    switch (f->key & 7) {
    case VARINT:
        return read_varint(p, end, &f->value);
    case FIXED64:
        if (end - p < 8) return NULL;
        f->value = load64(p);
        return p + 8;
    case FIXED32:
        if (end - p < 4) return NULL;
        f->value = load32(p);
        return p + 4;
    case BYTES: {
        uint64_t size;
        p = read_varint(p, end, &size);
        if (!p || size > (uint64_t)(end - p)) return NULL;
        f->data = p;
        f->size = (size_t)size;
        return p + size;
    }
    default:
        return NULL;
    }
}

static inline const uint8_t *read_key(const uint8_t *p, const uint8_t *end, Field *f) {
    uint64_t key;
    p = read_varint(p, end, &key);
    if (!p || key > UINT32_MAX || key < 8) return NULL;
    f->key = (uint32_t)key;
    return p;
}

static const uint8_t *skip_group(const uint8_t *p, const uint8_t *end, uint32_t number) {
    uint32_t open[GROUP_DEPTH];
    int depth = 0;
    open[depth++] = number;
    while (depth) {
        Field f;
        p = read_key(p, end, &f);
        if (!p) return NULL;
        if ((f.key & 7) == GROUP) {
            if (depth == GROUP_DEPTH) return NULL;
            open[depth++] = f.key >> 3;
        } else if ((f.key & 7) == END_GROUP) {
            if (open[--depth] != f.key >> 3) return NULL;
        } else {
            p = read_payload(p, end, &f);
            if (!p) return NULL;
        }
    }
    return p;
}

/* The byte behind the field at p, NULL where the message is malformed. */
static inline const uint8_t *read_field(const uint8_t *p, const uint8_t *end, Field *f) {
    p = read_key(p, end, f);
    if (!p) return NULL;
    /* Only what belongs to its type is read; the rest is nothing, not whatever was there. */
    f->data = p;
    f->size = 0;
    f->value = 0;
    return (f->key & 7) == GROUP ? skip_group(p, end, f->key >> 3) : read_payload(p, end, f);
}

#endif
