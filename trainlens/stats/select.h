/* Order statistics of a finished row of numbers. */
#ifndef TRAINLENS_SELECT_H
#define TRAINLENS_SELECT_H
#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* Median of v[0..n), which it puts into another order; NaNs count as the largest, n >= 1. */
static double middle(double *v, Py_ssize_t n) {
    Py_ssize_t half = n / 2, good = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        double x = v[i];
        if (x != x) continue;
        v[i] = v[good];
        v[good++] = x;
    }
    if (half >= good) return NAN;
    quickselect(v, good, half);
    if (n % 2) return v[half];
    double below = v[0];
    for (Py_ssize_t i = 1; i < half; i++) below = v[i] > below ? v[i] : below;
    return (below + v[half]) / 2;
}

#endif
