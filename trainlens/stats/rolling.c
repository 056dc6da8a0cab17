/* Order statistics of trailing windows. trainlens/stats/rolling.py says what each argument means
 * and does the same with numpy where this module could not be compiled.
 *
 * Of a window only the core lies sorted: all its points within [low, high], chosen around the
 * rank that is wanted. The others are only counted, so most points that come and go cost two
 * comparisons. The rank wanders by one a point at most; where it leaves the core, or the core has
 * grown for long, a new one is selected from the window. A short window is all core. */
#include <Python.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double *core, *scratch; /* of room for a whole window each */
    double low, high;
    Py_ssize_t size;  /* points of the core */
    Py_ssize_t below; /* points of the window below it */
    Py_ssize_t count; /* points of the window */
    Py_ssize_t bad;   /* of them not finite: they stand as 0 and make the result NaN */
    Py_ssize_t reach; /* ranks of the core on each side of the wanted one */
    Py_ssize_t age;   /* points since the core was selected */
} Window;

static double known(double x) { return isfinite(x) ? x : 0.0; }

/* One branch, seldom taken: which side of the core a point lies on nobody can predict. */
static int within(const Window *w, double x) { return (x >= w->low) & (x <= w->high); }

/* First place of the core whose value is not below x. Binary search waits for each of its loads;
 * the last points are counted instead, each eighth of them first, which no load has to wait for. */
static Py_ssize_t place(const Window *w, double x) {
    const double *base = w->core;
    Py_ssize_t size = w->size, below = 0;
    while (size > 256) {
        Py_ssize_t half = size / 2;
        base += (base[half - 1] < x) ? half : 0;
        size -= half;
    }
    for (Py_ssize_t i = 7; i < size; i += 8) below += base[i] < x;
    base += below * 8;
    size -= below * 8;
    if (size > 7) size = 7;
    below = 0;
    for (Py_ssize_t i = 0; i < size; i++) below += base[i] < x;
    return (base - w->core) + below;
}

static void add(Window *w, double x) {
    w->count++, w->age++;
    w->below += x < w->low;
    if (!within(w, x)) return;
    Py_ssize_t at = place(w, x);
    memmove(w->core + at + 1, w->core + at, (size_t)(w->size - at) * sizeof(double));
    w->core[at] = x;
    w->size++;
}

static void drop(Window *w, double x) {
    w->count--;
    w->below -= x < w->low;
    if (!within(w, x)) return;
    Py_ssize_t at = place(w, x);
    if (at >= w->size) return; /* only where another thread writes into the values */
    w->size--;
    memmove(w->core + at, w->core + at + 1, (size_t)(w->size - at) * sizeof(double));
}

/* Put x in the place of a point of the core. */
static void swap(Window *w, double old, double x) {
    double *s = w->core;
    Py_ssize_t at = place(w, old), end = w->size - 1;
    if (at > end) return; /* as in `drop` */
    for (; at < end && s[at + 1] < x; at++) s[at] = s[at + 1];
    for (; at > 0 && s[at - 1] > x; at--) s[at] = s[at - 1];
    s[at] = x;
    w->age++;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Order v[0..n) so that v[k] is where sorting would put it, nothing larger before it. */
static void quickselect(double *v, Py_ssize_t n, Py_ssize_t k) {
    for (int round = 0; n > 1; round++) {
        if (round > 40) { /* crafted values: no quadratic time for them */
            qsort(v, (size_t)n, sizeof(double), ascending);
            return;
        }
        double a = v[0], b = v[n / 2], c = v[n - 1];
        double pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        Py_ssize_t i = 0, j = n - 1;
        while (i <= j) {
            while (v[i] < pivot) i++;
            while (v[j] > pivot) j--;
            if (i <= j) {
                double t = v[i];
                v[i++] = v[j];
                v[j--] = t;
            }
        }
        if (k <= j) {
            n = j + 1;
        } else if (k >= i) {
            v += i, k -= i, n -= i;
        } else {
            return;
        }
    }
}

/* Select a new core around `rank` from the points `value` of the window. */
static void select_core(Window *w, const double *value, Py_ssize_t rank) {
    Py_ssize_t n = w->count, first = rank - w->reach, last = rank + 1 + w->reach;
    double *v = w->scratch;
    for (Py_ssize_t i = 0; i < n; i++) v[i] = known(value[i]);
    w->low = -INFINITY, w->high = INFINITY;
    if (last < n - 1) {
        quickselect(v, n, last);
        w->high = v[last];
    }
    if (first > 0) {
        quickselect(v, last < n - 1 ? last + 1 : n, first);
        w->low = v[first];
    }
    w->size = w->below = w->age = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        w->below += v[i] < w->low;
        if (v[i] >= w->low && v[i] <= w->high) w->core[w->size++] = v[i];
    }
    qsort(w->core, (size_t)w->size, sizeof(double), ascending);
}

static void take(Window *w, const double *value, Py_ssize_t j, Py_ssize_t window) {
    double x = known(value[j]);
    w->bad += !isfinite(value[j]);
    if (w->count < window) {
        add(w, x);
        return;
    }
    double old = known(value[j - window]);
    w->bad -= !isfinite(value[j - window]);
    if (within(w, old) & within(w, x)) {
        swap(w, old, x);
    } else {
        drop(w, old);
        add(w, x);
    }
}

/* The order statistic of a window whose last point is value[j]. */
static double statistic(Window *w, const double *value, Py_ssize_t j, double q,
                        Py_ssize_t window) {
    Py_ssize_t rank = (Py_ssize_t)(q * (double)(w->count - 1));
    int pair = q == 0.5 && w->count < window && w->count % 2 == 0;
    int gone = rank < w->below || rank + pair >= w->below + w->size;
    if (gone || (w->size > 6 * w->reach && w->age > window))
        select_core(w, value + j - w->count + 1, rank);
    Py_ssize_t at = rank - w->below;
    if (at < 0 || at + pair >= w->size) return NAN; /* as in `drop` */
    return pair ? w->core[at] * 0.5 + w->core[at + 1] * 0.5 : w->core[at];
}

static void roll(Window *w, const double *value, double *out, Py_ssize_t n, Py_ssize_t window,
                 double q, Py_ssize_t lag, Py_ssize_t least, Py_ssize_t start) {
    Py_ssize_t j = start - lag - window + 1; /* what lies before is in no window that is wanted */
    if (j < 0) j = 0;
    for (Py_ssize_t i = start; i < n; i++) {
        for (; j <= i - lag; j++) take(w, value, j, window);
        int ready = w->count && w->bad == 0 && i - lag + 1 >= least;
        out[i - start] = ready ? statistic(w, value, i - lag, q, window) : NAN;
    }
}

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

static PyMethodDef functions[] = {
    {"rolling_quantile", rolling_quantile, METH_VARARGS,
     "rolling_quantile(value, window, q, lag, least, start): see stats.rolling"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "_native", NULL, 0, functions,
                                        NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__native(void) { return PyModule_Create(&definition); }
