/* The statistics that are asked for too often, of too few points, for numpy. Every one is done with
 * numpy, too, where this module could not be compiled: see rolling.py, noise.py, gains.py. */
#include <Python.h>

#include "gain.h"
#include "rolling.h"
#include "select.h"

static PyObject *rolling_quantile(PyObject *self, PyObject *args) {
    (void)self;
    const char *data;
    Py_ssize_t bytes, window, lag, least, start;
    double q;
    if (!PyArg_ParseTuple(args, "y#ndnnn", &data, &bytes, &window, &q, &lag, &least, &start))
        return NULL;
    Py_ssize_t n = bytes / (Py_ssize_t)sizeof(double);
    if (window < 1 || lag < 0 || least < 1 || start < 0 || start > n || !(q >= 0 && q <= 1)) {
        PyErr_SetString(PyExc_ValueError, "rolling_quantile: an argument is out of its range");
        return NULL;
    }
    if (window > n + 1) window = n + 1; /* never full, whatever its length: no need to hold it */
    if (lag > n) lag = n;
    Window w = {0};
    w.low = -INFINITY, w.high = INFINITY, w.reach = 8 + window / 16;
    w.core = malloc((size_t)window * 2 * sizeof(double));
    PyObject *made = PyByteArray_FromStringAndSize(NULL, (n - start) * (Py_ssize_t)sizeof(double));
    if (!w.core || !made) {
        free(w.core);
        Py_XDECREF(made);
        return PyErr_NoMemory();
    }
    w.scratch = w.core + window;
    double *out = (double *)PyByteArray_AsString(made);
    Py_BEGIN_ALLOW_THREADS;
    roll(&w, (const double *)data, out, n, window, q, lag, least, start);
    Py_END_ALLOW_THREADS;
    free(w.core);
    return made;
}

/* A copy of the numbers of `args`, the finite ones only if so wanted; the caller frees it. */
static double *numbers(PyObject *args, Py_ssize_t *count, int finite) {
    const char *data;
    Py_ssize_t bytes;
    if (!PyArg_ParseTuple(args, "y#", &data, &bytes)) return NULL;
    Py_ssize_t n = bytes / (Py_ssize_t)sizeof(double), good = 0;
    double *v = malloc((size_t)(n + 1) * sizeof(double));
    if (!v) {
        PyErr_NoMemory();
        return NULL;
    }
    const double *from = (const double *)data;
    for (Py_ssize_t i = 0; i < n; i++)
        if (!finite || isfinite(from[i])) v[good++] = from[i];
    *count = good;
    return v;
}

static PyObject *median(PyObject *self, PyObject *args) {
    (void)self;
    Py_ssize_t n;
    double result, *v = numbers(args, &n, 0);
    if (!v) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    result = n ? middle(v, n) : NAN;
    Py_END_ALLOW_THREADS;
    free(v);
    return PyFloat_FromDouble(result);
}

static PyObject *deviation(PyObject *self, PyObject *args) {
    (void)self;
    Py_ssize_t n;
    double result = NAN, *v = numbers(args, &n, 1);
    if (!v) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    if (n) {
        double centre = middle(v, n);
        for (Py_ssize_t i = 0; i < n; i++) v[i] = fabs(v[i] - centre);
        result = middle(v, n);
    }
    Py_END_ALLOW_THREADS;
    free(v);
    return PyFloat_FromDouble(result);
}

static PyObject *bend(PyObject *self, PyObject *args) {
    (void)self;
    Py_ssize_t n;
    double result = NAN, *v = numbers(args, &n, 1);
    if (!v) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    if (n >= 4) {
        for (Py_ssize_t i = 0; i + 2 < n; i++) v[i] = fabs((v[i + 2] - v[i + 1]) - (v[i + 1] - v[i]));
        result = middle(v, n - 2);
    }
    Py_END_ALLOW_THREADS;
    free(v);
    return PyFloat_FromDouble(result);
}

static PyObject *lag1(PyObject *self, PyObject *args) {
    (void)self;
    Py_ssize_t n;
    double result, *v = numbers(args, &n, 1);
    if (!v) return NULL;
    Py_BEGIN_ALLOW_THREADS;
    result = autocorrelation(v, n, v); /* each number is read before it is written over */
    Py_END_ALLOW_THREADS;
    free(v);
    return PyFloat_FromDouble(result);
}

static PyObject *gain(PyObject *self, PyObject *args) {
    (void)self;
    const char *x, *y;
    Py_ssize_t bytes, more, least;
    double first, last;
    if (!PyArg_ParseTuple(args, "y#y#ddn", &x, &bytes, &y, &more, &first, &last, &least))
        return NULL;
    if (bytes != more) {
        PyErr_SetString(PyExc_ValueError, "gain: places and values differ in number");
        return NULL;
    }
    Gain found = {0};
    int outcome;
    Py_BEGIN_ALLOW_THREADS;
    outcome = gain_of((const double *)x, (const double *)y, bytes / (Py_ssize_t)sizeof(double),
                      first, last, least, &found);
    Py_END_ALLOW_THREADS;
    if (outcome < 0) return PyErr_NoMemory();
    if (!outcome) Py_RETURN_NONE;
    return Py_BuildValue("(ddd)", found.value, found.error, found.dof);
}

static PyMethodDef functions[] = {
    {"rolling_quantile", rolling_quantile, METH_VARARGS,
     "rolling_quantile(value, window, q, lag, least, start): see stats.rolling"},
    {"median", median, METH_VARARGS, "median(value): see stats.noise"},
    {"deviation", deviation, METH_VARARGS, "deviation(value): median absolute, of the finite ones"},
    {"bend", bend, METH_VARARGS, "bend(value): median absolute second difference, finite ones"},
    {"lag1", lag1, METH_VARARGS, "lag1(value): see stats.noise.lag1_autocorrelation"},
    {"gain", gain, METH_VARARGS, "gain(x, y, first, last, least): see stats.gains"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, functions,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
