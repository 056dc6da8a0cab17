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

/* Put the numbers of v[0..n) below the pivot, or not above it where `with` is set, first; says how
 * many they are. Without a branch: on which side a number lies nobody can predict. */
static Py_ssize_t divide(double *v, Py_ssize_t n, double pivot, int with) {
    Py_ssize_t held = 0;
    for (Py_ssize_t i = 0; i < n; i++) {
        double x = v[i];
        v[i] = v[held];
        v[held] = x;
        held += with ? x <= pivot : x < pivot;
    }
    return held;
}

/* Order v[0..n), none of them NaN, so that v[k] is where sorting would put it, nothing larger
 * before it and nothing smaller behind. */
static void quickselect(double *v, Py_ssize_t n, Py_ssize_t k) {
    for (int round = 0; n > 1; round++) {
        if (round > 40) { /* crafted values: no quadratic time for them */
            qsort(v, (size_t)n, sizeof(double), ascending);
            return;
        }
        double a = v[0], b = v[n / 2], c = v[n - 1];
        double pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        Py_ssize_t less = divide(v, n, pivot, 0);
        if (k < less) {
            n = less;
            continue;
        }
        v += less, k -= less, n -= less;
        less = divide(v, n, pivot, 1); /* those that equal it */
        if (k < less) return;
        v += less, k -= less, n -= less;
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
