/* trainlens.readers._tfevents._native: the Decoder of `fallback.py`, compiled. */
#include <Python.h>

#include "frames.h"

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
static int walk(Decoder *d, Window *w, Found *found) {
    Context c = {&d->table, w->data, &found->odds, &d->skipped, 0, 0};
    size_t at = 0;
    int status = FINE;
    while (at < w->size && !status) {
        uint64_t length = 0, place = d->position + at;
        Verdict verdict = judge(w, at, d->bad != NOWHERE, &length, &status);
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
    Window w = {(const uint8_t *)PyByteArray_AsString(data), (size_t)size, final, NULL};
    Found found;
    memset(&found, 0, sizeof found);
    d->busy = 1;
    d->table.thread = PyEval_SaveThread();
    int status = walk(d, &w, &found);
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

static PyObject *take_tag(Tag *tag) {
    for (int i = 0; i < 3; i++)
        if (PyByteArray_Resize(tag->array[i], (Py_ssize_t)(tag->count * 8))) return NULL;
    PyObject *item = Py_BuildValue("(y#OOO)", (const char *)tag->name, (Py_ssize_t)tag->size,
                                   tag->array[0], tag->array[1], tag->array[2]);
    if (item) drop_points(tag);
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
    return list;
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
    if (!PyArg_ParseTuple(args, "On", &data, &size)) return NULL;
    if (!PyByteArray_Check(data) || size < 0 || size > PyByteArray_Size(data)) {
        PyErr_SetString(PyExc_ValueError, "crc32c takes a bytearray and a size within it");
        return NULL;
    }
    const uint8_t *p = (const uint8_t *)PyByteArray_AsString(data);
    return PyLong_FromUnsignedLong(~crc_update(~0u, p, (size_t)size) & 0xffffffffu);
}

static PyMethodDef functions[] = {
    {"crc32c", crc32c, METH_VARARGS, "crc32c(data, size): the plain CRC-32C of data[:size]"},
    {NULL, NULL, 0, NULL},
};

static PyMethodDef methods[] = {
    {"feed", feed, METH_VARARGS, "feed(data, size, final): see fallback.Decoder.feed"},
    {"take", take, METH_NOARGS, "take(): see fallback.Decoder.take"},
    {"rewind", rewind_bad, METH_VARARGS, "rewind(most): see fallback.Decoder.rewind"},
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
