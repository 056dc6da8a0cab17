/* trainlens.readers._text._native: lines of one layout, compiled. `program.py` says how. */
#include <Python.h>

#include "look.h"
#include "match.h"

typedef struct {
    const uint8_t *program, *last;
    size_t groups;
    double *value;  /* [row][group] */
    int64_t *start; /* [row] */
    size_t rows, room;
} Lines;

static int grow(Lines *l) {
    size_t room = l->room ? l->room * 4 : 32, groups = l->groups ? l->groups : 1;
    double *value = realloc(l->value, room * groups * sizeof *value);
    if (value) l->value = value;
    int64_t *start = value ? realloc(l->start, room * sizeof *start) : NULL;
    if (!start) return -1;
    l->start = start;
    l->room = room;
    return 0;
}

/* Lines of blanks say nothing: what follows them may be one more line of the layout. */
static const uint8_t *behind_blank_lines(const uint8_t *p, const uint8_t *end) {
    for (const uint8_t *q = p; q < end && (blank(*q) || *q == '\n' || *q == '\r'); q++)
        if (!blank(*q)) p = q + 1;
    return p;
}

/* Lines from p on; behind the last of them. NULL without memory. */
static const uint8_t *match_lines(Lines *l, const uint8_t *begin, const uint8_t *p,
                                  const uint8_t *end) {
    while (p < end) {
        if (l->rows == l->room && grow(l)) return NULL;
        double *value = l->value + l->rows * l->groups;
        const uint8_t *after = match_line(l->program, l->last, p, end, value);
        if (!after) break;
        l->start[l->rows++] = p - begin;
        p = behind_blank_lines(after, end);
    }
    return p;
}

/* The values of one group behind those of the other: what follows works on columns. */
static PyObject *columns_of(const Lines *l) {
    PyObject *array =
        PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(l->rows * l->groups * sizeof(double)));
    char *column = array ? PyByteArray_AsString(array) : NULL;
    for (size_t group = 0; array && group < l->groups; group++)
        for (size_t row = 0; row < l->rows; row++, column += sizeof(double))
            memcpy(column, l->value + row * l->groups + group, sizeof(double));
    return array;
}

static PyObject *match(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *bytes; /* which, unlike other buffers, have a zero behind their end */
    const char *program;
    char *data;
    Py_ssize_t size, at, length;
    if (!PyArg_ParseTuple(args, "Sy#n", &bytes, &program, &size, &at)) return NULL;
    if (PyBytes_AsStringAndSize(bytes, &data, &length)) return NULL;
    Lines l = {.program = (const uint8_t *)program, .last = (const uint8_t *)program + size};
    int groups = groups_of(l.program, l.last);
    if (groups < 0 || at < 0 || at > length || !size) {
        PyErr_SetString(PyExc_ValueError, "match takes a whole program and a place in the data");
        return NULL;
    }
    l.groups = (size_t)groups;
    const uint8_t *begin = (const uint8_t *)data, *stop;
    Py_BEGIN_ALLOW_THREADS
    stop = match_lines(&l, begin, begin + at, begin + length);
    Py_END_ALLOW_THREADS
    PyObject *result = NULL;
    if (!stop) {
        PyErr_NoMemory();
    } else {
        PyObject *value = columns_of(&l);
        PyObject *start = PyByteArray_FromStringAndSize((const char *)l.start,
                                                        (Py_ssize_t)(l.rows * sizeof(int64_t)));
        if (value && start)
            result = Py_BuildValue("(nnOO)", (Py_ssize_t)l.rows, (Py_ssize_t)(stop - begin), value,
                                   start);
        Py_XDECREF(value);
        Py_XDECREF(start);
    }
    free(l.value);
    free(l.start);
    return result;
}

static PyObject *look(PyObject *self, PyObject *bytes) {
    (void)self;
    char *data;
    Py_ssize_t size;
    if (PyBytes_AsStringAndSize(bytes, &data, &size)) return NULL;
    int seen;
    Py_BEGIN_ALLOW_THREADS
    seen = look_at((const uint8_t *)data, (size_t)size);
    Py_END_ALLOW_THREADS
    return PyLong_FromLong(seen);
}

static PyMethodDef functions[] = {
    {"match", match, METH_VARARGS,
     "match(data, program, at): see trainlens.readers._text.program"},
    {"look", look, METH_O, "look(data): see trainlens.readers._text.block"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
