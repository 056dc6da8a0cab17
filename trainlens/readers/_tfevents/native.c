/* trainlens.readers._tfevents._native: the Decoder of `fallback.py`, compiled. */
#include <Python.h>

#include "frames.h"
#include "state.h"

typedef struct {
    PyObject_HEAD
    uint64_t position, bad, records, skipped; /* bad: where the open damage began, or NOWHERE */
    int busy;
    Table table;
} Decoder;

#define NOWHERE UINT64_MAX

typedef struct {
    Ranges damage, malformed;
    Odds odds;
    size_t used;
    uint64_t need;
} Found;

/* A record of every intact frame of the window; stops where more bytes are needed. */
ALWAYS_INLINE int walk(Decoder *d, Window *w, Found *found, CrcFunction crc) {
    Context c = {&d->table, w->data, &found->odds, &d->skipped, 0, 0};
    size_t at = 0;
    int status = FINE;
    while (at < w->size && !status) {
        uint64_t length = 0, place = d->table.at = d->position + at;
        Verdict verdict = judge(w, at, d->bad != NOWHERE, &length, &status, crc);
        if (status) break;
        if (verdict == UNFINISHED) {
            found->need = w->size - at < HEADER ? HEADER : length + FRAME;
            break;
        }
        if (verdict == BROKEN) {
            if (d->bad == NOWHERE) d->bad = place;
            at++;
            continue;
        }
        if (d->bad != NOWHERE) {
            status = add_range(&found->damage, d->bad, place);
            d->bad = NOWHERE;
        }
        const uint8_t *data = w->data + at + HEADER;
        if (!status) status = plain_scalar(&c, data, data + length);
        if (status == NOT_PLAIN) status = tensor_again(&c, data, data + length);
        if (status == NOT_PLAIN) status = parse_event(&c, data, data + length);
        if (status == MALFORMED) status = add_range(&found->malformed, place, place + length + FRAME);
        d->records++;
        at += (size_t)length + FRAME;
    }
    d->position += at;
    found->used = at;
    if (!status && w->final && d->bad != NOWHERE) {
        status = add_range(&found->damage, d->bad, d->position);
        d->bad = NOWHERE;
    }
    return status;
}

/* The walk with the checksum compiled into it: with the processor's instruction, and without. */
CRC_TARGET static int walk_instruction(Decoder *d, Window *w, Found *found) {
    return walk(d, w, found, crc_instruction);
}

static int walk_software(Decoder *d, Window *w, Found *found) {
    return walk(d, w, found, crc_software);
}

static PyObject *range_list(const Ranges *r) {
    PyObject *list = PyList_New((Py_ssize_t)r->count);
    for (size_t i = 0; list && i < r->count; i++) {
        PyObject *item = Py_BuildValue("(KK)", (unsigned long long)r->items[i].begin,
                                       (unsigned long long)r->items[i].end);
        if (!item) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *odd_list(const Odds *o) {
    PyObject *list = PyList_New((Py_ssize_t)o->count);
    for (size_t i = 0; list && i < o->count; i++) {
        const Odd *odd = &o->items[i];
        PyObject *item = Py_BuildValue("(iLdKK)", odd->kind, (long long)odd->step, odd->wall,
                                       (unsigned long long)odd->begin,
                                       (unsigned long long)odd->end);
        if (!item) Py_CLEAR(list);
        else PyList_SetItem(list, (Py_ssize_t)i, item);
    }
    return list;
}

static PyObject *report(const Found *found) {
    PyObject *damage = range_list(&found->damage);
    PyObject *malformed = damage ? range_list(&found->malformed) : NULL;
    PyObject *odds = malformed ? odd_list(&found->odds) : NULL;
    PyObject *result = NULL;
    if (odds)
        result = Py_BuildValue("(KKOOO)", (unsigned long long)found->used,
                               (unsigned long long)found->need, damage, malformed, odds);
    Py_XDECREF(damage);
    Py_XDECREF(malformed);
    Py_XDECREF(odds);
    return result;
}

static PyObject *feed(PyObject *self, PyObject *args) {
    Decoder *d = (Decoder *)self;
    PyObject *data;
    Py_ssize_t size;
    int final;
    if (!PyArg_ParseTuple(args, "Onp", &data, &size, &final)) return NULL;
    if (!PyByteArray_Check(data) || size < 0 || size > PyByteArray_Size(data)) {
        PyErr_SetString(PyExc_ValueError, "feed takes a bytearray and a size within it");
        return NULL;
    }
    if (d->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this decoder is at work in another thread");
        return NULL;
    }
    /* An exported view keeps other threads from resizing the buffer meanwhile. */
    PyObject *view = PyMemoryView_FromObject(data);
    if (!view) return NULL;
    Window w = {(const uint8_t *)PyByteArray_AsString(data), (size_t)size, final, NULL, {0}};
    begin_headers(&w);
    Found found;
    memset(&found, 0, sizeof found);
    d->busy = 1;
    d->table.thread = PyEval_SaveThread();
    int status = crc_hardware ? walk_instruction(d, &w, &found) : walk_software(d, &w, &found);
    PyEval_RestoreThread(d->table.thread);
    d->busy = 0;
    Py_DECREF(view);
    PyObject *result = status == NO_MEMORY ? PyErr_NoMemory() : report(&found);
    free(w.checkpoint);
    free(found.damage.items);
    free(found.malformed.items);
    free(found.odds.items);
    return result;
}

/* The name of a tag and views of its columns. */
static PyObject *take_tag(Tag *tag) {
    PyObject *view = PyMemoryView_FromObject(tag->block);
    PyObject *item = view ? PyTuple_New(4) : NULL;
    PyObject *name = item ? PyBytes_FromStringAndSize((const char *)tag->name,
                                                      (Py_ssize_t)tag->size) : NULL;
    int failed = !name || PyTuple_SetItem(item, 0, name);
    for (size_t i = 0; !failed && i < 3; i++) {
        Py_ssize_t begin = (Py_ssize_t)(tag->offset + i * tag->room * 8);
        PyObject *part = PySequence_GetSlice(view, begin, begin + (Py_ssize_t)(tag->count * 8));
        failed = !part || PyTuple_SetItem(item, (Py_ssize_t)i + 1, part);
    }
    Py_XDECREF(view);
    if (failed) Py_CLEAR(item);
    else drop_points(tag);
    return item;
}

static PyObject *take(PyObject *self, PyObject *unused) {
    (void)unused;
    Decoder *d = (Decoder *)self;
    if (d->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this decoder is at work in another thread");
        return NULL;
    }
    PyObject *list = PyList_New(0);
    for (uint32_t i = 0; list && i < d->table.count; i++) {
        if (!d->table.tags[i].count) continue;
        PyObject *item = take_tag(&d->table.tags[i]);
        if (!item || PyList_Append(list, item)) Py_CLEAR(list);
        Py_XDECREF(item);
    }
    if (list) drop_block(&d->table);
    d->table.begin = d->position;
    return list;
}

static PyObject *expect(PyObject *self, PyObject *args) {
    unsigned long long end;
    if (!PyArg_ParseTuple(args, "K", &end)) return NULL;
    ((Decoder *)self)->table.end = end;
    Py_RETURN_NONE;
}

static PyObject *rewind_bad(PyObject *self, PyObject *args) {
    Decoder *d = (Decoder *)self;
    unsigned long long most;
    if (!PyArg_ParseTuple(args, "K", &most)) return NULL;
    if (d->bad != NOWHERE && d->position - d->bad <= most) {
        d->position = d->bad;
        d->bad = NOWHERE;
    }
    Py_RETURN_NONE;
}

/* Everything that outlasts a poll and its `take`. */
static PyObject *state(PyObject *self, PyObject *unused) {
    (void)unused;
    Decoder *d = (Decoder *)self;
    PyObject *tags = d->busy ? NULL : tag_list(&d->table);
    if (d->busy) PyErr_SetString(PyExc_RuntimeError, "this decoder is at work in another thread");
    if (!tags) return NULL;
    return Py_BuildValue("(KKKKN)", (unsigned long long)d->position, (unsigned long long)d->bad,
                         (unsigned long long)d->records, (unsigned long long)d->skipped, tags);
}

static PyObject *restore(PyObject *self, PyObject *args) {
    Decoder *d = (Decoder *)self;
    unsigned long long position, bad, records, skipped;
    PyObject *tags;
    if (!PyArg_ParseTuple(args, "KKKKO", &position, &bad, &records, &skipped, &tags)) return NULL;
    if (d->busy || d->position || d->table.count || (bad != NOWHERE && bad > position)) {
        PyErr_SetString(PyExc_ValueError, "restore takes what `state` gave, once, at the beginning");
        return NULL;
    }
    if (add_tags(&d->table, tags)) return NULL;
    d->position = d->table.begin = d->table.at = position;
    d->bad = bad;
    d->records = records;
    d->skipped = skipped;
    Py_RETURN_NONE;
}

static PyObject *get_position(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Decoder *)self)->position);
}

static PyObject *get_records(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Decoder *)self)->records);
}

static PyObject *get_skipped(PyObject *self, void *unused) {
    (void)unused;
    return PyLong_FromUnsignedLongLong(((Decoder *)self)->skipped);
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *none[] = {NULL};
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "", none)) return NULL;
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Decoder *d = (Decoder *)allocate(type, 0);
    if (!d) return NULL;
    /* Python's own hash is seeded per process: crafted tags cannot aim at collisions. */
    PyObject *salt = PyUnicode_FromString("tfevents");
    d->table.seed = salt ? (uint64_t)PyObject_Hash(salt) : 0;
    Py_XDECREF(salt);
    d->bad = NOWHERE;
    return (PyObject *)d;
}

static void destroy(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    free_table(&((Decoder *)self)->table);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyObject *crc32c(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *data;
    Py_ssize_t size;
    int table = 0;
    if (!PyArg_ParseTuple(args, "On|p", &data, &size, &table)) return NULL;
    if (!PyByteArray_Check(data) || size < 0 || size > PyByteArray_Size(data)) {
        PyErr_SetString(PyExc_ValueError, "crc32c takes a bytearray and a size within it");
        return NULL;
    }
    const uint8_t *p = (const uint8_t *)PyByteArray_AsString(data);
    uint32_t state = table ? crc_software(~0u, p, (size_t)size) : crc_update(~0u, p, (size_t)size);
    return PyLong_FromUnsignedLong(~state & 0xffffffffu);
}

static PyMethodDef functions[] = {
    {"crc32c", crc32c, METH_VARARGS, "crc32c(data, size, table=False): the plain CRC-32C of data[:size]"},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods[] = {
    {"feed", feed, METH_VARARGS, "feed(data, size, final): see fallback.Decoder.feed"},
    {"take", take, METH_NOARGS, "take(): see fallback.Decoder.take"},
    {"expect", expect, METH_VARARGS, "expect(end): see fallback.Decoder.expect"},
    {"rewind", rewind_bad, METH_VARARGS, "rewind(most): see fallback.Decoder.rewind"},
    {"state", state, METH_NOARGS, "state(): what a new decoder needs to go on from here"},
    {"restore", restore, METH_VARARGS, "restore(*state): go on from where another decoder was"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"position", get_position, NULL, "file offset of the next byte", NULL},
    {"records", get_records, NULL, "intact records so far", NULL},
    {"skipped", get_skipped, NULL, "scalar tensors so far that hold no single number", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, (void *)make},
    {Py_tp_dealloc, (void *)destroy},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_doc, "Decoder of an event file, compiled; the same as fallback.Decoder."},
    {0, NULL},
};

static PyType_Spec spec = {"trainlens.readers._tfevents._native.Decoder", sizeof(Decoder), 0,
                           Py_TPFLAGS_DEFAULT, slots};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, -1, functions,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) {
    crc_init();
    PyObject *module = PyModule_Create(&definition);
    PyObject *type = module ? PyType_FromSpec(&spec) : NULL;
    if (!type || PyModule_AddObject(module, "Decoder", type)) {
        Py_XDECREF(type);
        Py_XDECREF(module);
        return NULL;
    }
    return module;
}
