/* What stands between the values of a record, learnt once and then only compared.

   A log repeats itself: behind each value comes the same text up to the next one, `, "loss": `,
   and behind the last `}` and a newline. These texts form a tree that begins with a line; a
   record is a way down to one of its ends. So the end stands for all keys of the record, in
   their order and nesting, and Python is asked about each end only once: whether such a record
   is a plain one. */
#ifndef TRAINLENS_SHAPES_H
#define TRAINLENS_SHAPES_H

#include "cells.h"
#include "text.h"

#define MOST_NODES 65536
#define MOST_CELLS 8192 /* of one record */
#define MOST_CHILDREN 64
#define MOST_TEXT (8u << 20)
#define DEEPEST 8

typedef enum { FINE, ODD, FULL, FAILED } Status; /* FAILED: with an exception of Python */

typedef struct {
    uint32_t text, size; /* place in the pool of the text before the value */
    uint32_t path;       /* of the value; NOTHING at the end of a record */
    uint32_t above, first, next, children;
    uint32_t cells;
    int plain;
} Node;

typedef struct {
    PyObject_HEAD
    Table table;
    Node *nodes;
    uint32_t count, room;
    char *pool;
    uint32_t pool_size, pool_room;
    PyObject *known; /* (path above, key) -> path */
    PyObject *names; /* the keys of `known`, in order */
    PyObject *exact; /* keys of records, in lower case, whose whole numbers must be exact */
    PyObject *keeps; /* last parts of keys, in lower case, whose lists are kept; NULL for none */
    int busy;
} Scanner;

/* Made without its content: Python shares bytes objects of length one, which must not be changed. */
static PyObject *lowered(const char *key, size_t size) {
    PyObject *copy = PyBytes_FromStringAndSize(NULL, (Py_ssize_t)size);
    char *c = copy ? PyBytes_AsString(copy) : NULL;
    for (size_t i = 0; c && i < size; i++)
        c[i] = key[i] >= 'A' && key[i] <= 'Z' ? key[i] + ('a' - 'A') : key[i];
    return copy;
}

/* Whether a set has a key; -1 with an exception. */
static int is_one_of(PyObject *set, const char *key, size_t size) {
    PyObject *name = lowered(key, size);
    int found = name ? PySet_Contains(set, name) : -1;
    Py_XDECREF(name);
    return found;
}

/* Whether the lists of a key are kept: by what stands behind its last slash. */
static int is_kept(const Scanner *s, const char *key, size_t size) {
    size_t begin = size;
    while (begin > 0 && key[begin - 1] != '/') begin--;
    return s->keeps ? is_one_of(s->keeps, key + begin, size - begin) : 0;
}

/* Makes a path; with Python's lock. */
static Status new_path(Scanner *s, PyObject *name, const char *key, size_t size, uint32_t above) {
    Table *t = &s->table;
    int exact = above ? 0 : is_one_of(s->exact, key, size), keeps = is_kept(s, key, size);
    PyObject *number = PyLong_FromUnsignedLong(t->count);
    int failed = exact < 0 || keeps < 0 || !number || PyDict_SetItem(s->known, name, number) ||
                 PyList_Append(s->names, name);
    Py_XDECREF(number);
    if (failed) return FAILED;
    if (!make_room((void **)&t->paths, t->count, &t->room, sizeof *t->paths))
        return PyErr_NoMemory(), FAILED;
    Path *path = &t->paths[t->count++];
    memset(path, 0, sizeof *path);
    path->above = above;
    path->depth = t->paths[above].depth + 1;
    path->exact = exact;
    path->keeps = keeps;
    return FINE;
}

/* Number of the path of a key within another path. */
static Status path_of(Scanner *s, uint32_t above, const char *key, size_t size, uint32_t *path) {
    PyEval_RestoreThread(s->table.thread);
    Status status = FAILED;
    PyObject *name = Py_BuildValue("(Iy#)", (unsigned int)above, key, (Py_ssize_t)size);
    PyObject *found = name ? PyDict_GetItemWithError(s->known, name) : NULL;
    if (found) {
        *path = (uint32_t)PyLong_AsUnsignedLong(found);
        status = FINE;
    } else if (name && !PyErr_Occurred()) {
        *path = s->table.count;
        status = new_path(s, name, key, size, above);
    }
    Py_XDECREF(name);
    s->table.thread = PyEval_SaveThread();
    return status;
}

static Status add_node(Scanner *s, uint32_t above, const char *text, size_t size, uint32_t path,
                       uint32_t *node) {
    if (s->count >= MOST_NODES || s->nodes[above].cells >= MOST_CELLS ||
        s->nodes[above].children >= MOST_CHILDREN || s->pool_size + size > MOST_TEXT)
        return FULL;
    while (s->pool_size + size > s->pool_room)
        if (!make_room((void **)&s->pool, s->pool_room, &s->pool_room, 1)) return FULL;
    if (!make_room((void **)&s->nodes, s->count, &s->room, sizeof *s->nodes)) return FULL;
    memcpy(s->pool + s->pool_size, text, size);
    Node *parent = &s->nodes[above];
    Node new = {s->pool_size, (uint32_t)size, path, above, 0, parent->first, 0, 0, 0};
    new.cells = parent->cells + (path != NOTHING);
    parent->first = *node = s->count;
    parent->children++;
    s->pool_size += (uint32_t)size;
    s->nodes[s->count++] = new;
    return FINE;
}

/* Asks Python whether records of the keys of this line are plain ones. */
static Status ask(Scanner *s, PyObject *judge, const char *line, size_t size, Node *end) {
    PyEval_RestoreThread(s->table.thread);
    PyObject *paths = PyTuple_New((Py_ssize_t)end->cells);
    uint32_t at = end->above;
    for (uint32_t i = end->cells; paths && i > 0; i--, at = s->nodes[at].above) {
        PyObject *path = PyLong_FromUnsignedLong(s->nodes[at].path);
        if (!path || PyTuple_SetItem(paths, (Py_ssize_t)i - 1, path)) Py_CLEAR(paths);
    }
    PyObject *answer = NULL;
    if (paths) answer = PyObject_CallFunction(judge, "y#O", line, (Py_ssize_t)size, paths);
    int plain = answer ? PyObject_IsTrue(answer) : -1;
    Py_XDECREF(answer);
    Py_XDECREF(paths);
    s->table.thread = PyEval_SaveThread();
    if (plain < 0) return FAILED;
    end->plain = plain;
    return FINE;
}

static Status add_end(Scanner *s, uint32_t above, PyObject *judge, const char *line,
                      const char *text, const char *p, uint32_t *node) {
    p = skip_blanks(p);
    if (*p == '\r') p++;
    if (*p != '\n') return ODD;
    Status status = add_node(s, above, text, (size_t)(p + 1 - text), NOTHING, node);
    return status ? status : ask(s, judge, line, (size_t)(p - line), &s->nodes[*node]);
}

/* The quote behind a key without escapes, NULL for others. */
static const char *key_end(const char *p) {
    if (*p != '"') return NULL;
    for (p++; *p != '"'; p++)
        if ((unsigned char)*p < 0x20 || *p == '\\') return NULL;
    return p;
}

/* Reads on from the node `above` to the next value, or to the end of the record. */
static Status learn(Scanner *s, uint32_t above, PyObject *judge, const char *line, const char *p,
                    uint32_t *node) {
    const char *text = p;
    uint32_t inside = above ? s->table.paths[s->nodes[above].path].above : 0;
    p = skip_blanks(p);
    int key = !above; /* whether a key must come, or else a comma or a brace */
    if (key && *p++ != '{') return ODD;
    for (;;) {
        p = skip_blanks(p);
        if (!key) {
            if (*p == '}') {
                if (!inside) return add_end(s, above, judge, line, text, p + 1, node);
                inside = s->table.paths[inside].above;
                p++;
                continue;
            }
            if (*p++ != ',') return ODD;
            p = skip_blanks(p);
        }
        const char *stop = key_end(p);
        if (!stop) return ODD;
        uint32_t path = 0;
        Status status = path_of(s, inside, p + 1, (size_t)(stop - p - 1), &path);
        if (status) return status;
        p = skip_blanks(stop + 1);
        if (*p++ != ':') return ODD;
        p = skip_blanks(p);
        if (*p != '{') return add_node(s, above, text, (size_t)(p - text), path, node);
        if (s->table.paths[path].depth >= DEEPEST) return ODD;
        const char *after = skip_blanks(p + 1);
        key = *after != '}';
        if (key) inside = path;
        p = after + !key;
    }
}

#endif
