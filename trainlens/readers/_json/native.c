/* trainlens.readers._json._native: records of JSON, a line each, straight into columns. */
#include <Python.h>

#include "shapes.h"

static inline uint64_t word_at(const char *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

static inline int same_text(const char *a, const char *b, size_t size) {
    if (size < 8) return !memcmp(a, b, size);
    size_t i = 0;
    for (; i + 8 <= size; i += 8)
        if (word_at(a + i) != word_at(b + i)) return 0;
    return word_at(a + size - 8) == word_at(b + size - 8);
}

/* The way down from a node that the text at p takes, 0 for none known. */
static inline uint32_t find(Scanner *s, uint32_t above, const char *p, const char *end) {
    uint32_t before = 0, at = s->nodes[above].first;
    for (; at; before = at, at = s->nodes[at].next) {
        const Node *n = &s->nodes[at];
        if ((size_t)(end - p) < n->size || !same_text(p, s->pool + n->text, n->size)) continue;
        /* The same key holds an object here. */
        if (n->path != NOTHING && p[n->size] == '{') continue;
        break;
    }
    if (at && before) {
        s->nodes[before].next = s->nodes[at].next;
        s->nodes[at].next = s->nodes[above].first;
        s->nodes[above].first = at;
    }
    return at;
}

static Status take_plain(Scanner *s, Path *path, const char **p, const char *end) {
    Number n = take_number(*p, end);
    if (!n.end) return ODD;
    if (path->exact && (n.parts.hard || (!n.parts.real && n.parts.digits > EXACT))) return ODD;
    double value;
    int good = quick_value(&n, &value);
    if (!good) {
        PyEval_RestoreThread(s->table.thread);
        good = slow_value(*p, n.end, &value);
        s->table.thread = PyEval_SaveThread();
    }
    *p = n.end;
    if (!good) return ODD;
    return put_value(&s->table, path, value) ? FINE : FULL;
}

static Status take_word(Table *t, Path *path, const char **p, const char *end) {
    static const struct { const char *word; uint32_t code; } WORDS[] = {
        {"null", NULL_CELL}, {"true", TRUE_CELL}, {"false", FALSE_CELL}};
    for (int i = 0; i < 3; i++) {
        const char *stop = skip_word(*p, end, WORDS[i].word, strlen(WORDS[i].word));
        if (!stop) continue;
        *p = stop;
        return put_odd(t, path, WORDS[i].code) ? FINE : FULL;
    }
    const char *stop = skip_word(*p, end, "NaN", 3);
    double value = Py_NAN;
    if (!stop) {
        stop = skip_word(*p, end, "Infinity", 8);
        value = Py_HUGE_VAL;
    }
    if (!stop) {
        stop = skip_word(*p, end, "-Infinity", 9);
        value = -Py_HUGE_VAL;
    }
    if (!stop) return ODD;
    *p = stop;
    return put_value(t, path, value) ? FINE : FULL;
}

static Status take_value(Scanner *s, Path *path, const char **p, const char *end) {
    const char *begin = *p = skip_blanks(*p);
    Table *t = &s->table;
    if (is_digit(*begin) || (*begin == '-' && is_digit(begin[1])))
        return take_plain(s, path, p, end);
    if (*begin == '"') {
        *p = skip_string(begin);
        return !*p ? ODD : put_text(t, path, begin, (size_t)(*p - begin)) ? FINE : FULL;
    }
    if (*begin == '[') {
        *p = skip_list(begin, end, 0);
        if (!*p) return ODD;
        if (path->keeps && *skip_blanks(begin + 1) != ']')
            return put_text(t, path, begin, (size_t)(*p - begin)) ? FINE : FULL;
        return put_odd(t, path, LIST_CELL) ? FINE : FULL;
    }
    return take_word(t, path, p, end);
}

/* One record; a row that cannot be finished leaves no trace. */
static Status take_row(Scanner *s, PyObject *judge, const char **begin, const char *end) {
    Table *t = &s->table;
    const char *p = *begin;
    uint32_t at = 0, next;
    Status status = FINE;
    for (;;) {
        next = find(s, at, p, end);
        if (!next && (status = learn(s, at, judge, *begin, p, &next))) break;
        const Node *n = &s->nodes[next];
        p += n->size;
        if (n->path == NOTHING) {
            if (!n->plain) {
                status = ODD;
                break;
            }
            t->rows++;
            t->cells += n->cells;
            *begin = p;
            return FINE;
        }
        at = next;
        if ((status = take_value(s, &t->paths[n->path], &p, end))) break;
    }
    for (; at; at = s->nodes[at].above) take_back(t, &t->paths[s->nodes[at].path]);
    return status;
}

static PyObject *feed(PyObject *self, PyObject *args) {
    Scanner *s = (Scanner *)self;
    PyObject *data, *judge;
    Py_ssize_t at;
    if (!PyArg_ParseTuple(args, "OnO", &data, &at, &judge)) return NULL;
    Py_ssize_t size = PyBytes_Check(data) ? PyBytes_Size(data) : -1;
    if (at < 0 || at > size || (size && PyBytes_AsString(data)[size - 1] != '\n')) {
        PyErr_SetString(PyExc_ValueError, "feed takes bytes of complete lines and a place in them");
        return NULL;
    }
    if (s->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this scanner is at work already");
        return NULL;
    }
    const char *text = PyBytes_AsString(data), *p = text + at, *end = text + size;
    Status status = FINE;
    s->busy = 1;
    s->table.thread = PyEval_SaveThread();
    while (p < end && !status && s->table.rows < UINT32_MAX / 8) status = take_row(s, judge, &p, end);
    PyEval_RestoreThread(s->table.thread);
    s->busy = 0;
    if (status == FAILED) return NULL;
    return Py_BuildValue("(nKi)", (Py_ssize_t)(p - text), (unsigned long long)s->table.cells,
                         (int)(status == FULL));
}

static int by_order(const void *a, const void *b) {
    const uint32_t *x = a, *y = b;
    return x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Columns in the order of their first cells. */
static PyObject *take_columns(const Table *t) {
    PyObject *list = PyList_New(0);
    uint32_t held = 0, (*order)[2] = malloc((size_t)t->count * sizeof *order);
    if (!order) Py_CLEAR(list);
    for (uint32_t i = 0; list && i < t->count; i++) {
        if (!t->paths[i].count) continue;
        order[held][0] = i;
        order[held++][1] = t->paths[i].order;
    }
    if (list) qsort(order, held, sizeof *order, by_order);
    for (uint32_t i = 0; list && i < held; i++) {
        PyObject *column = column_of(t, order[i][0]);
        if (!column || PyList_Append(list, column)) Py_CLEAR(list);
        Py_XDECREF(column);
    }
    free(order);
    return list || PyErr_Occurred() ? list : PyErr_NoMemory();
}

static PyObject *take(PyObject *self, PyObject *unused) {
    (void)unused;
    Scanner *s = (Scanner *)self;
    if (s->busy) {
        PyErr_SetString(PyExc_RuntimeError, "this scanner is at work already");
        return NULL;
    }
    PyObject *columns = take_columns(&s->table);
    PyObject *text = columns ? bytes_of(s->table.text, s->table.text_size) : NULL;
    uint32_t rows = s->table.rows;
    empty_table(&s->table);
    if (!text) {
        Py_XDECREF(columns);
        return NULL;
    }
    return Py_BuildValue("(INN)", (unsigned int)rows, columns, text);
}

static PyObject *get_names(PyObject *self, void *unused) {
    (void)unused;
    return Py_NewRef(((Scanner *)self)->names);
}

/* The record itself is path 0, the beginning of a line node 0. */
static int begin_tree(Scanner *s) {
    if (!make_room((void **)&s->nodes, 0, &s->room, sizeof *s->nodes)) return 0;
    if (!make_room((void **)&s->table.paths, 0, &s->table.room, sizeof *s->table.paths)) return 0;
    memset(&s->nodes[0], 0, sizeof *s->nodes);
    memset(&s->table.paths[0], 0, sizeof *s->table.paths);
    s->nodes[0].path = NOTHING;
    s->count = s->table.count = 1;
    return 1;
}

static PyObject *make(PyTypeObject *type, PyObject *args, PyObject *keywords) {
    static char *words[] = {"exact", "keeps", NULL};
    PyObject *exact, *keeps = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, keywords, "O|O", words, &exact, &keeps)) return NULL;
    if (!PyFrozenSet_Check(exact) || (keeps && !PyFrozenSet_Check(keeps))) {
        PyErr_SetString(PyExc_TypeError, "exact and keeps are frozensets of bytes");
        return NULL;
    }
    allocfunc allocate = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
    Scanner *s = (Scanner *)allocate(type, 0);
    if (!s) return NULL;
    s->exact = Py_NewRef(exact);
    s->keeps = Py_XNewRef(keeps);
    s->known = PyDict_New();
    s->names = Py_BuildValue("[(Iy)]", 0u, "");
    if (!s->known || !s->names || !begin_tree(s)) {
        Py_DECREF((PyObject *)s);
        return PyErr_Occurred() ? NULL : PyErr_NoMemory();
    }
    return (PyObject *)s;
}

static void destroy(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    Scanner *s = (Scanner *)self;
    free_table(&s->table);
    free(s->nodes);
    free(s->pool);
    Py_XDECREF(s->known);
    Py_XDECREF(s->names);
    Py_XDECREF(s->exact);
    Py_XDECREF(s->keeps);
    freefunc release = (freefunc)PyType_GetSlot(type, Py_tp_free);
    release(self);
    Py_DECREF(type);
}

static PyMethodDef methods[] = {
    {"feed", feed, METH_VARARGS, "feed(data, at, judge): see _native.pyi"},
    {"take", take, METH_NOARGS, "take(): see _native.pyi"},
    {NULL, NULL, 0, NULL},
};

static PyGetSetDef properties[] = {
    {"names", get_names, NULL, "path above and key of each path, by its number", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, make},
    {Py_tp_dealloc, destroy},
    {Py_tp_methods, methods},
    {Py_tp_getset, properties},
    {Py_tp_doc, "Records of JSON lines to columns; see scanned.py."},
    {0, NULL},
};

static PyType_Spec spec = {
    .name = "trainlens.readers._json._native.Scanner",
    .basicsize = sizeof(Scanner),
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = slots,
};

static struct PyModuleDef module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_native",
    .m_doc = "Records of JSON lines to columns, compiled.",
    .m_size = 0,
};

PyMODINIT_FUNC PyInit__native(void) {
    PyObject *m = PyModule_Create(&module);
    PyObject *type = m ? PyType_FromSpec(&spec) : NULL;
    if (!type || PyModule_AddObject(m, "Scanner", type)) {
        Py_XDECREF(type);
        Py_XDECREF(m);
        return NULL;
    }
    return m;
}
