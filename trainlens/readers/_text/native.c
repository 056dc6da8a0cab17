/* trainlens.readers._text._native: lines of one layout, compiled. `program.py` says how. */
#include <Python.h>

#include "match.h"

typedef struct {
    const uint8_t *program, *last;
    int groups;
    double *value;   /* [row][group] */
    int64_t *start;  /* [row], in characters */
    size_t rows, room;
} Lines;

static int grow(Lines *l) {
    size_t room = l->room ? l->room * 2 : 32, groups = l->groups ? (size_t)l->groups : 1;
    double *value = realloc(l->value, room * groups * sizeof *value);
    if (value) l->value = value;
    int64_t *start = value ? realloc(l->start, room * sizeof *start) : NULL;
    if (!start) return -1;
    l->start = start;
    l->room = room;
    return 0;
}

/* Lines from p on; *at, where that is in characters, moves behind them. NULL without memory. */
static const uint8_t *match_lines(Lines *l, const uint8_t *p, const uint8_t *end, int64_t *at) {
    while (p < end) {
        if (l->rows == l->room && grow(l)) return NULL;
        double *value = l->value + l->rows * (size_t)l->groups;
        const uint8_t *after = match_line(l->program, l->last, p, end, value);
        if (!after) break;
        l->start[l->rows++] = *at;
        for (; p < after; p++) *at += (*p & 0xc0) != 0x80;
    }
    return p;
}

static PyObject *match(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *text;
    const char *program;
    Py_ssize_t size, byte, at, length;
    if (!PyArg_ParseTuple(args, "Uy#nn", &text, &program, &size, &byte, &at)) return NULL;
    const char *data = PyUnicode_AsUTF8AndSize(text, &length);
    if (!data) return NULL;
    Lines l = {(const uint8_t *)program, (const uint8_t *)program + size, 0, NULL, NULL, 0, 0};
    l.groups = groups_of(l.program, l.last);
    if (l.groups < 0 || byte < 0 || byte > length || !size) {
        PyErr_SetString(PyExc_ValueError, "match takes a whole program and a place in the text");
        return NULL;
    }
    const uint8_t *begin = (const uint8_t *)data, *stop;
    int64_t place = at;
    Py_BEGIN_ALLOW_THREADS
    stop = match_lines(&l, begin + byte, begin + length, &place);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (!stop) {
        PyErr_NoMemory();
    } else {
        Py_ssize_t cells = (Py_ssize_t)(l.rows * (size_t)l.groups * sizeof(double));
        PyObject *value = PyByteArray_FromStringAndSize((const char *)l.value, cells);
        PyObject *start = PyByteArray_FromStringAndSize((const char *)l.start,
                                                        (Py_ssize_t)(l.rows * sizeof(int64_t)));
        if (value && start)
            result = Py_BuildValue("(nLnOO)", (Py_ssize_t)l.rows, (long long)place,
                                   (Py_ssize_t)(stop - begin), value, start);
        Py_XDECREF(value);
        Py_XDECREF(start);
    }
    free(l.value);
    free(l.start);
    return result;
}

static PyMethodDef functions[] = {
    {"match", match, METH_VARARGS,
     "match(text, program, byte, at): see trainlens.readers._text.program"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
