/* trainlens.readers._csv._native: rows of numbers, compiled. `table.py` says what they mean. */
#include <Python.h>

#include "scan.h"

static size_t count_lines(const uint8_t *p, const uint8_t *end) {
    size_t lines = 1;
    while (p < end && (p = memchr(p, '\n', (size_t)(end - p)))) {
        lines++;
        p++;
    }
    return lines;
}

static PyObject *list_of(const Numbers *n) {
    return PyByteArray_FromStringAndSize((const char *)n->items,
                                         (Py_ssize_t)(n->used * sizeof *n->items));
}

static PyObject *array_of(size_t count, size_t size, void *data) {
    PyObject *array = PyByteArray_FromStringAndSize(NULL, (Py_ssize_t)(count * size));
    if (array) *(char **)data = PyByteArray_AsString(array);
    return array;
}

static PyObject *rows_of(Table *t, const uint8_t *data, size_t start, size_t size) {
    size_t cells = t->room * t->width;
    PyObject *value = array_of(cells, sizeof(double), &t->value);
    PyObject *absent = array_of(cells, 1, &t->absent);
    PyObject *line = array_of(t->room, sizeof(int64_t), &t->line);
    PyObject *gaps = array_of(t->width, sizeof(int64_t), &t->gaps), *result = NULL;
    if (value && absent && line && gaps) {
        int64_t rows;
        memset(t->gaps, 0, t->width * sizeof *t->gaps);
        Py_BEGIN_ALLOW_THREADS
        rows = scan_lines(t, data, start, size);
        Py_END_ALLOW_THREADS
        PyObject *texts = rows < 0 ? PyErr_NoMemory() : list_of(&t->texts);
        PyObject *odd = texts ? list_of(&t->odd) : NULL;
        if (odd)
            result = Py_BuildValue("(nnOOOOOO)", (Py_ssize_t)rows, (Py_ssize_t)t->room, value,
                                   absent, line, gaps, texts, odd);
        Py_XDECREF(texts);
        Py_XDECREF(odd);
    }
    Py_XDECREF(value);
    Py_XDECREF(absent);
    Py_XDECREF(line);
    Py_XDECREF(gaps);
    free(t->texts.items);
    free(t->odd.items);
    return result;
}

static PyObject *scan(PyObject *self, PyObject *args) {
    (void)self;
    PyObject *bytes; /* which, unlike other buffers, have a zero behind their end */
    const char *as_text, *first;
    char *data;
    Py_ssize_t size, start, width, first_size;
    int sep, numeric;
    if (!PyArg_ParseTuple(args, "Sniy#y#p", &bytes, &start, &sep, &as_text, &width, &first,
                          &first_size, &numeric))
        return NULL;
    if (PyBytes_AsStringAndSize(bytes, &data, &size)) return NULL;
    if (start < 0 || start > size || width < 1) {
        PyErr_SetString(PyExc_ValueError, "scan takes a place in the data and a column or more");
        return NULL;
    }
    const uint8_t *p = (const uint8_t *)data;
    size_t room = count_lines(p + start, p + size), most = (size_t)((size - start) / width + 1);
    Table t = {.sep = (uint8_t)sep, .width = (size_t)width, .room = room < most ? room : most,
               .as_text = (const uint8_t *)as_text, .first = (const uint8_t *)first,
               .first_size = (size_t)first_size, .numeric = numeric};
    return rows_of(&t, p, (size_t)start, (size_t)size);
}

static PyMethodDef functions[] = {
    {"scan", scan, METH_VARARGS,
     "scan(data, start, sep, as_text, first, numeric): see trainlens.readers._csv.table"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "_native", NULL, 0, functions, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
