/* Columns under construction: the numbers of each path, and what else stands among them. */
#ifndef TRAINLENS_CELLS_H
#define TRAINLENS_CELLS_H

#include <Python.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What a cell holds where it is no number; from TEXT on the place of a text, plus TEXT. */
enum { NULL_CELL, TRUE_CELL, FALSE_CELL, LIST_CELL, TEXT };

#define NOTHING UINT32_MAX

/* Room for `count` items and one more, twice as many as before; 0 without memory. */
static int make_room(void **items, uint32_t count, uint32_t *room, size_t size) {
    if (count < *room) return 1;
    if (*room > UINT32_MAX / 4) return 0;
    uint32_t more = *room ? *room * 2 : 64;
    void *grown = realloc(*items, (size_t)more * size);
    if (!grown) return 0;
    *items = grown;
    *room = more;
    return 1;
}

typedef struct {
    uint32_t cell, code;
} Odd;

/* A path of keys: what contains it, and the cells that stand there. */
typedef struct {
    uint32_t above, depth;
    int exact;       /* a whole number must not be rounded */
    int keeps;       /* a list that holds something is kept as its text */
    uint32_t order;  /* when it got its first cell */
    uint32_t count, room, rows_room, odds, odd_room;
    int sparse;      /* rows without a cell here: `row` says which have one */
    uint32_t last_code, last_text, last_size; /* the last text, which is not kept twice */
    PyObject *block; /* the bytearray that `value` lies in, handed out as it is */
    double *value;
    uint32_t *row;
    Odd *odd;
} Path;

typedef struct {
    Path *paths;
    uint32_t count, room;
    uint32_t rows, began; /* complete rows, and columns that have a cell */
    uint64_t cells;
    char *text; /* strings, with their quotes and a comma behind each */
    size_t text_size, text_room;
    uint32_t texts;
    PyThreadState *thread; /* while Python's lock is released */
} Table;

/* Room for twice as many values; memory of Python's, so that it need not be copied. */
static int grow_values(Table *t, Path *path) {
    if (path->room > UINT32_MAX / 4) return 0;
    uint32_t room = path->room ? 2 * path->room : 64;
    PyEval_RestoreThread(t->thread);
    int grown;
    if (path->block) grown = !PyByteArray_Resize(path->block, (Py_ssize_t)room * 8);
    else grown = (path->block = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)room * 8)) != NULL;
    PyErr_Clear();
    if (path->block) path->value = (double *)(void *)PyByteArray_AsString(path->block);
    if (grown) path->room = room;
    t->thread = PyEval_SaveThread();
    return grown;
}

/* From now on each cell says in which row it is; those before are in the first rows. */
static int make_sparse(Path *path) {
    for (uint32_t i = 0; i < path->count; i++) {
        if (!make_room((void **)&path->row, i, &path->rows_room, sizeof *path->row)) return 0;
        path->row[i] = i;
    }
    path->sparse = 1;
    return 1;
}

static inline int put_value(Table *t, Path *path, double value) {
    if (path->count == path->room && !grow_values(t, path)) return 0;
    if (!path->sparse && path->count != t->rows && !make_sparse(path)) return 0;
    if (path->sparse) {
        if (!make_room((void **)&path->row, path->count, &path->rows_room, sizeof *path->row))
            return 0;
        path->row[path->count] = t->rows;
    }
    if (!path->count) path->order = t->began++;
    path->value[path->count++] = value;
    return 1;
}

static int put_odd(Table *t, Path *path, uint32_t code) {
    if (!make_room((void **)&path->odd, path->odds, &path->odd_room, sizeof *path->odd)) return 0;
    Odd odd = {path->count, code};
    if (!put_value(t, path, 0.0)) return 0;
    path->odd[path->odds++] = odd;
    return 1;
}

/* A text as it stands in the file; one that repeats the last of its column is kept once. */
static int put_text(Table *t, Path *path, const char *begin, size_t size) {
    if (path->last_code && path->last_size == size &&
        !memcmp(t->text + path->last_text, begin, size))
        return put_odd(t, path, path->last_code);
    if (t->text_size + size + 1 > UINT32_MAX / 2 || t->texts >= UINT32_MAX - TEXT) return 0;
    if (t->text_size + size + 1 > t->text_room) {
        size_t room = 2 * (t->text_size + size + 1);
        char *grown = realloc(t->text, room);
        if (!grown) return 0;
        t->text = grown;
        t->text_room = room;
    }
    path->last_text = (uint32_t)t->text_size;
    path->last_size = (uint32_t)size;
    memcpy(t->text + t->text_size, begin, size);
    t->text_size += size;
    t->text[t->text_size++] = ',';
    path->last_code = t->texts++ + TEXT;
    return put_odd(t, path, path->last_code);
}

/* Takes back the cell that the row under construction has at a path, if it has one. */
static void take_back(Table *t, Path *path) {
    if (!path->count) return;
    if ((path->sparse ? path->row[path->count - 1] : path->count - 1) != t->rows) return;
    path->count--;
    if (path->odds && path->odd[path->odds - 1].cell == path->count) path->odds--;
}

static void empty_table(Table *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        Path *p = &t->paths[i];
        p->count = p->odds = p->last_code = 0;
        p->sparse = 0;
    }
    t->rows = t->began = t->texts = 0;
    t->text_size = 0;
    t->cells = 0;
}

static void free_table(Table *t) {
    for (uint32_t i = 0; i < t->count; i++) {
        Py_XDECREF(t->paths[i].block);
        free(t->paths[i].row);
        free(t->paths[i].odd);
    }
    free(t->paths);
    free(t->text);
}

static PyObject *bytes_of(const void *data, size_t size) {
    return PyByteArray_FromStringAndSize(data ? (const char *)data : "", (Py_ssize_t)size);
}

/* (path, values, rows or None where every row has a cell, cells that are odd and what they are) */
static PyObject *column_of(const Table *t, uint32_t at) {
    Path *p = &t->paths[at];
    if (!p->sparse && p->count != t->rows && !make_sparse(p)) return PyErr_NoMemory();
    PyObject *rows;
    if (p->sparse) rows = bytes_of(p->row, (size_t)p->count * 4);
    else rows = Py_NewRef(Py_None);
    PyObject *odd = bytes_of(p->odd, (size_t)p->odds * sizeof *p->odd);
    if (!rows || !odd || PyByteArray_Resize(p->block, (Py_ssize_t)p->count * 8)) {
        Py_XDECREF(rows);
        Py_XDECREF(odd);
        return NULL;
    }
    PyObject *values = p->block;
    p->block = NULL;
    p->value = NULL;
    p->room = 0;
    return Py_BuildValue("(INNN)", (unsigned int)at, values, rows, odd);
}

#endif
