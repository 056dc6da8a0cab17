/* One Event message: its scalars go to the columns, texts and hparams are pointed out, all else
 * (images, audio, histograms, graphs) is stepped over. `event.py` is the same in Python. */
#ifndef TRAINLENS_EVENT_H
#define TRAINLENS_EVENT_H

#include <math.h>

#include "again.h"
#include "wire.h"

enum { FINE = 0, MALFORMED = 1, NO_MEMORY = 2, NOT_PLAIN = 3 };
enum { ODD_TEXT = 0, ODD_HPARAMS = 1 };

typedef struct {
    int kind;
    int64_t step;
    double wall;
    uint64_t begin, end; /* of the Summary.Value message within the buffer */
} Odd;

typedef struct {
    Odd *items;
    size_t count, room;
} Odds;

typedef struct {
    Table *table;
    const uint8_t *buffer;
    Odds *odds;
    uint64_t *skipped;
    int64_t step;
    double wall;
} Context;

/* Slots of the first element in TensorProto's typed fields. */
enum { S_HALF, S_FLOAT, S_DOUBLE, S_INT, S_INT64, S_BOOL, S_UINT32, S_UINT64, SLOTS };

typedef struct {
    uint64_t dtype, first[SLOTS];
    int held[SLOTS], single;
    const uint8_t *content, *packed[SLOTS]; /* packed: where the first floats and doubles stand */
    size_t content_size;
} Tensor;

static double from_half(uint32_t bits) {
    int exponent = (int)(bits >> 10 & 31);
    double part = (double)(bits & 1023), size;
    if (exponent == 31) size = part != 0 ? NAN : INFINITY;
    else if (exponent == 0) size = ldexp(part, -24);
    else size = ldexp(part + 1024, exponent - 25);
    return bits & 0x8000 ? -size : size;
}

/* Wire type, width in bytes (0: varint) and slot of a typed field; 0 where it is none of ours. */
static int typed_field(uint32_t number, int *wire, int *slot) {
    switch (number) {
    case 5: *wire = FIXED32; *slot = S_FLOAT; return 1;
    case 6: *wire = FIXED64; *slot = S_DOUBLE; return 1;
    case 7: *wire = VARINT; *slot = S_INT; return 1;
    case 10: *wire = VARINT; *slot = S_INT64; return 1;
    case 11: *wire = VARINT; *slot = S_BOOL; return 1;
    case 13: *wire = VARINT; *slot = S_HALF; return 1;
    case 16: *wire = VARINT; *slot = S_UINT32; return 1;
    case 17: *wire = VARINT; *slot = S_UINT64; return 1;
    default: return 0;
    }
}

static int tensor_value(Tensor *t, const Field *f) {
    int wire, slot;
    if (!typed_field(f->key >> 3, &wire, &slot)) return FINE;
    uint64_t first = f->value;
    if ((f->key & 7) == BYTES) { /* packed */
        size_t width = wire == FIXED32 ? 4 : wire == FIXED64 ? 8 : 1;
        if (f->size % width) return MALFORMED;
        if (!f->size) return FINE;
        if (wire == VARINT) {
            if (!read_varint(f->data, f->data + f->size, &first)) return MALFORMED;
        } else {
            first = width == 4 ? load32(f->data) : load64(f->data);
            if (!t->held[slot]) t->packed[slot] = f->data;
        }
    } else if ((f->key & 7) != (uint32_t)wire) {
        return FINE;
    }
    if (!t->held[slot]) { t->held[slot] = 1; t->first[slot] = first; }
    return FINE;
}

static int tensor_dim(Tensor *t, const uint8_t *p, const uint8_t *end) {
    Field f;
    uint64_t size = 0;
    while (p < end) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(1, VARINT)) size = f.value;
    }
    t->single &= size == 1;
    return FINE;
}

static int tensor_shape(Tensor *t, const uint8_t *p, const uint8_t *end) {
    Field f;
    while (p < end) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(2, BYTES) && tensor_dim(t, f.data, f.data + f.size))
            return MALFORMED;
        if (f.key == KEY(3, VARINT) && f.value) t->single = 0;
    }
    return FINE;
}

static int parse_tensor(Tensor *t, const uint8_t *p, const uint8_t *end) {
    Field f;
    while (p < end) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(1, VARINT)) t->dtype = f.value;
        else if (f.key == KEY(2, BYTES)) {
            if (tensor_shape(t, f.data, f.data + f.size)) return MALFORMED;
        } else if (f.key == KEY(4, BYTES)) {
            t->content = f.data;
            t->content_size = f.size;
        } else if (tensor_value(t, &f)) return MALFORMED;
    }
    return FINE;
}

/* Bytes of an element and the slot of a dtype; 0 where it is not a number. */
static size_t dtype_layout(uint64_t dtype, int *slot) {
    switch (dtype) {
    case 1: *slot = S_FLOAT; return 4;
    case 2: *slot = S_DOUBLE; return 8;
    case 3: *slot = S_INT; return 4;
    case 4: case 6: *slot = S_INT; return 1;
    case 5: case 17: *slot = S_INT; return 2;
    case 9: *slot = S_INT64; return 8;
    case 10: *slot = S_BOOL; return 1;
    case 14: case 19: *slot = S_HALF; return 2;
    case 22: *slot = S_UINT32; return 4;
    case 23: *slot = S_UINT64; return 8;
    default: return 0;
    }
}

static double from_raw(uint64_t dtype, uint64_t raw) {
    switch (dtype) {
    case 1: return from_bits32((uint32_t)raw);
    case 2: return from_bits64(raw);
    case 3: return (int32_t)(uint32_t)raw;
    case 4: return (uint8_t)raw;
    case 5: return (int16_t)(uint16_t)raw;
    case 6: return (int8_t)(uint8_t)raw;
    case 9: return (double)(int64_t)raw;
    case 10: return raw != 0;
    case 14: return from_bits32((uint32_t)(raw & 0xffff) << 16);
    case 17: return (uint16_t)raw;
    case 19: return from_half((uint32_t)(raw & 0xffff));
    case 22: return (uint32_t)raw;
    default: return (double)raw;
    }
}

/* The number in a tensor of one element; 0 where it holds none. Absent values are zero, as in
 * TensorFlow. */
static int tensor_number(const Tensor *t, double *value) {
    int slot;
    size_t width = dtype_layout(t->dtype, &slot);
    if (!width || !t->single) return 0;
    uint64_t raw = t->held[slot] ? t->first[slot] : 0;
    if (t->content_size) {
        if (t->content_size != width) return 0;
        raw = 0;
        for (size_t i = 0; i < width; i++) raw |= (uint64_t)t->content[i] << 8 * i;
    }
    *value = from_raw(t->dtype, raw);
    return 1;
}

/* Where a tensor of one float or double has it; NULL for others. */
static const uint8_t *float_of(const Tensor *t) {
    if (t->dtype != 1 && t->dtype != 2) return NULL;
    return t->content_size ? t->content : t->packed[t->dtype == 1 ? S_FLOAT : S_DOUBLE];
}

typedef struct {
    const uint8_t *plugin;
    size_t plugin_size;
    uint64_t data_class;
} Metadata;

static int parse_metadata(Metadata *m, const uint8_t *p, const uint8_t *end) {
    Field f, g;
    while (p < end) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(4, VARINT)) m->data_class = f.value;
        if (f.key != KEY(1, BYTES)) continue;
        for (const uint8_t *q = f.data, *stop = f.data + f.size; q < stop;) {
            if (!(q = read_field(q, stop, &g))) return MALFORMED;
            if (g.key == KEY(1, BYTES)) { m->plugin = g.data; m->plugin_size = g.size; }
        }
    }
    return FINE;
}

static int is_text(const uint8_t *p, size_t n, const char *text) {
    return n == strlen(text) && !memcmp(p, text, n);
}

static uint8_t plugin_of(const Metadata *m) {
    if (is_text(m->plugin, m->plugin_size, "text")) return TEXT;
    if (is_text(m->plugin, m->plugin_size, "scalars") || m->data_class == 1) return SCALAR;
    return m->plugin_size || m->data_class ? OTHER : UNKNOWN;
}

static int add_odd(Context *c, int kind, const uint8_t *begin, const uint8_t *end) {
    Odds *o = c->odds;
    if (o->count == o->room) {
        size_t room = o->room ? o->room * 2 : 16;
        Odd *items = realloc(o->items, room * sizeof *items);
        if (!items) return NO_MEMORY;
        o->items = items;
        o->room = room;
    }
    o->items[o->count++] = (Odd){kind, c->step, c->wall, (uint64_t)(begin - c->buffer),
                                 (uint64_t)(end - c->buffer)};
    return FINE;
}

static inline int add_scalar(Context *c, const Field *tag, double value) {
    return add_point(c->table, tag->data, tag->size, c->step, c->wall, value) ? NO_MEMORY : FINE;
}

/* The plugin of a tag: only its first event needs to carry the metadata. */
static int remember_plugin(Context *c, const Field *tag, const Metadata *m, uint8_t *plugin) {
    uint64_t hash = 0;
    uint32_t index = guess_tag(c->table, tag->data, tag->size);
    if (index == NO_TAG) index = find_tag(c->table, tag->data, tag->size, &hash);
    uint8_t given = plugin_of(m);
    if (index == NO_TAG && given != UNKNOWN) {
        index = add_tag(c->table, tag->data, tag->size, hash);
        if (index == NO_TAG) return NO_MEMORY;
    }
    *plugin = UNKNOWN;
    if (index == NO_TAG) return FINE;
    Tag *held = &c->table->tags[index];
    if (held->plugin == UNKNOWN) held->plugin = given;
    *plugin = held->plugin;
    return FINE;
}

static const char HPARAMS[] = "_hparams_/";
static const char SESSION_START[] = "_hparams_/session_start_info";

static int parse_value(Context *c, const uint8_t *begin, const uint8_t *end) {
    enum { NONE, SIMPLE, TENSOR, BULKY } content = NONE;
    static const uint8_t nothing[1];
    Field f, tag = {0, 0, nothing, 0};
    Tensor tensor;
    Metadata meta = {nothing, 0, 0};
    double value = 0;
    int described = 0;
    for (const uint8_t *p = begin; p < end;) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(2, FIXED32)) {
            content = SIMPLE;
            value = from_bits32((uint32_t)f.value);
        }
        if ((f.key & 7) != BYTES) continue;
        uint32_t number = f.key >> 3;
        if (number == 1) tag = f;
        else if (number >= 3 && number <= 6) content = BULKY;
        else if (number == 8) {
            if (content != TENSOR) { memset(&tensor, 0, sizeof tensor); tensor.single = 1; }
            content = TENSOR;
            if (parse_tensor(&tensor, f.data, f.data + f.size)) return MALFORMED;
        } else if (number == 9) {
            described = 1;
            if (parse_metadata(&meta, f.data, f.data + f.size)) return MALFORMED;
        }
    }
    if (tag.size >= sizeof HPARAMS - 1 && !memcmp(tag.data, HPARAMS, sizeof HPARAMS - 1)) {
        int wanted = described && is_text(tag.data, tag.size, SESSION_START);
        return wanted ? add_odd(c, ODD_HPARAMS, begin, end) : FINE;
    }
    uint8_t plugin = UNKNOWN;
    if ((described || content == TENSOR) && remember_plugin(c, &tag, &meta, &plugin))
        return NO_MEMORY;
    if (content == SIMPLE) return add_scalar(c, &tag, value);
    if (content != TENSOR) return FINE;
    if (plugin == TEXT && tensor.dtype == 7) return add_odd(c, ODD_TEXT, begin, end);
    if (plugin != SCALAR && plugin != UNKNOWN) return FINE;
    if (tensor_number(&tensor, &value)) {
        if (add_scalar(c, &tag, value)) return NO_MEMORY;
        const uint8_t *number = float_of(&tensor);
        if (number) keep_like(c->table, begin, end, number, tensor.dtype == 2 ? 8 : 4);
        return FINE;
    }
    *c->skipped += plugin == SCALAR;
    return FINE;
}

static int parse_summary(Context *c, const uint8_t *p, const uint8_t *end) {
    Field f;
    while (p < end) {
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key != KEY(1, BYTES)) continue;
        int status = parse_value(c, f.data, f.data + f.size);
        if (status) return status;
    }
    return FINE;
}

/* The commonest event at once: wall time, step, one value of a tag and a float, short lengths.
 * NOT_PLAIN leaves any other to parse_event; what both accept they read alike. */
ALWAYS_INLINE int plain_scalar(Context *c, const uint8_t *p, const uint8_t *end) {
    if (end - p < 24 || p[0] != KEY(1, FIXED64)) return NOT_PLAIN;
    c->wall = from_bits64(load64(p + 1));
    c->step = 0;
    p += 9;
    if (*p == KEY(2, VARINT)) {
        uint64_t step;
        if (!(p = read_varint(p + 1, end, &step))) return NOT_PLAIN;
        c->step = (int64_t)step;
    }
    ptrdiff_t left = end - p;
    if (left < 11 || left >= 130) return NOT_PLAIN;
    /* Summary, value and tag, each a key and a length that reaches to the end or the float. */
    uint64_t lengths = ((uint64_t)left - 2) << 8 | ((uint64_t)left - 4) << 24 |
                       ((uint64_t)left - 11) << 40;
    uint64_t keys = (uint64_t)KEY(5, BYTES) | KEY(1, BYTES) << 16 | (uint64_t)KEY(1, BYTES) << 32;
    if ((load64(p) & 0xffffffffffffu) != (keys | lengths)) return NOT_PLAIN;
    if (end[-5] != KEY(2, FIXED32) || p[6] == '_') return NOT_PLAIN;
    Field tag = {0, 0, p + 6, (size_t)(left - 11)};
    return add_scalar(c, &tag, from_bits32(load32(end - 4)));
}

/* An event with one value like the last one of its tag, in the usual order: NOT_PLAIN as above. */
static inline int tensor_again(Context *c, const uint8_t *p, const uint8_t *end) {
    uint64_t step = 0, size;
    if (end - p < 16 || p[0] != KEY(1, FIXED64)) return NOT_PLAIN;
    double wall = from_bits64(load64(p + 1));
    p += 9;
    if (*p == KEY(2, VARINT) && !(p = read_varint(p + 1, end, &step))) return NOT_PLAIN;
    for (int depth = 0; depth < 2; depth++) { /* the summary, and the value in it, to the end */
        if (p == end || *p != (depth ? KEY(1, BYTES) : KEY(5, BYTES))) return NOT_PLAIN;
        if (!(p = read_varint(p + 1, end, &size)) || size != (uint64_t)(end - p)) return NOT_PLAIN;
    }
    const Tag *tag = like_again(c->table, p, (size_t)(end - p));
    if (!tag) return NOT_PLAIN;
    const uint8_t *at = p + tag->like_at;
    double value = tag->like_width == 8 ? from_bits64(load64(at)) : from_bits32(load32(at));
    int failed = add_point(c->table, tag->name, tag->size, (int64_t)step, wall, value);
    return failed ? NO_MEMORY : FINE;
}

/* Two looks, because step and wall time may stand behind the summary. */
static int parse_event(Context *c, const uint8_t *begin, const uint8_t *end) {
    Field f, summary = {0};
    const uint8_t *from = NULL, *p = begin;
    int summaries = 0;
    c->step = 0;
    c->wall = 0;
    while (p < end) {
        const uint8_t *at = p;
        if (!(p = read_field(p, end, &f))) return MALFORMED;
        if (f.key == KEY(1, FIXED64)) c->wall = from_bits64(f.value);
        else if (f.key == KEY(2, VARINT)) c->step = (int64_t)f.value;
        else if (f.key == KEY(5, BYTES)) {
            if (!summaries++) { from = at; summary = f; }
        } else if ((f.key & 7) == BYTES && f.key >= KEY(3, 0) && f.key < KEY(10, 0)) {
            summaries = 0; /* a oneof: the last member counts, repeated summaries merge */
        }
    }
    if (summaries == 1) return parse_summary(c, summary.data, summary.data + summary.size);
    if (!summaries) return FINE;
    for (p = from; p < end;) {
        p = read_field(p, end, &f);
        if (f.key != KEY(5, BYTES)) continue;
        int status = parse_summary(c, f.data, f.data + f.size);
        if (status) return status;
    }
    return FINE;
}

#endif
