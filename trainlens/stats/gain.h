/* How far a curve fell within a window. trainlens/stats/gains.py says what is computed and does
 * the same with numpy; sums are in another order here and may differ in their last digits. */
#ifndef TRAINLENS_GAIN_H
#define TRAINLENS_GAIN_H
#include "select.h"

#define MAD_TO_SIGMA 1.482602218505602
#define BLOCKS 20 /* as in gains.py */

typedef struct {
    double value, error, dof;
} Gain;

/* As numpy sums: eight sums side by side, of 128 numbers at most; halves of longer rows. */
static double total(const double *v, Py_ssize_t n) {
    if (n > 128) {
        Py_ssize_t half = n / 2 - n / 2 % 8;
        return total(v, half) + total(v + half, n - half);
    }
    double sum = 0.0;
    Py_ssize_t i = 0;
    if (n >= 8) {
        double s[8];
        memcpy(s, v, sizeof s);
        for (i = 8; i + 8 <= n; i += 8)
            for (int k = 0; k < 8; k++) s[k] += v[i + k];
        sum = ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
    }
    for (; i < n; i++) sum += v[i];
    return sum;
}

static double dot(const double *a, const double *b, Py_ssize_t n) {
    double sum = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Lag-1 autocorrelation without its small-sample bias; `room` of n numbers, and v is kept. */
static double autocorrelation(const double *v, Py_ssize_t n, double *room) {
    Py_ssize_t good = 0;
    double size = 0.0;
    for (Py_ssize_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        double height = fabs(v[i]);
        size = height > size ? height : size;
        room[good++] = v[i];
    }
    if (good < 3 || size == 0.0) return 0.0;
    for (Py_ssize_t i = 0; i < good; i++) room[i] /= size; /* squares of 1e300 would overflow */
    double mean = total(room, good) / (double)good;
    for (Py_ssize_t i = 0; i < good; i++) room[i] -= mean;
    double power = dot(room, room, good);
    if (power <= (double)good * 1e-30) return 0.0;
    double r = dot(room + 1, room, good - 1) / power;
    r += (1 + 4 * r) / (double)good;
    return r > 0.99 ? 0.99 : r < -0.99 ? -0.99 : r;
}

/* Mean place and level of BLOCKS blocks of n points, n > BLOCKS; `room` of 2 n numbers. */
static void levels(const double *x, const double *y, Py_ssize_t n, double *bx, double *by,
                   double *room) {
    Py_ssize_t edge[BLOCKS + 1];
    double *away = room, *distance = room + n, width = (double)n / BLOCKS;
    for (int k = 0; k < BLOCKS; k++) edge[k] = (Py_ssize_t)(k * width);
    edge[BLOCKS] = n;
    for (int k = 0; k < BLOCKS; k++) {
        Py_ssize_t first = edge[k], size = edge[k + 1] - first;
        bx[k] = (x[first] + total(x + first + 1, size - 1)) / (double)size;
        memcpy(distance, y + first, (size_t)size * sizeof(double));
        by[k] = middle(distance, size);
    }
    if (n < 3 * BLOCKS) return;
    for (int k = 0; k < BLOCKS; k++)
        for (Py_ssize_t i = edge[k]; i < edge[k + 1]; i++) away[i] = y[i] - by[k];
    for (Py_ssize_t i = 0; i < n; i++) distance[i] = fabs(away[i]);
    double limit = 3 * MAD_TO_SIGMA * middle(distance, n);
    for (Py_ssize_t i = 0; i < n; i++)
        away[i] = away[i] > limit ? limit : away[i] < -limit ? -limit : away[i];
    for (int k = 0; k < BLOCKS; k++) {
        Py_ssize_t first = edge[k], size = edge[k + 1] - first;
        by[k] += (away[first] + total(away + first + 1, size - 1)) / (double)size;
    }
}

/* Of a line through `count` blocks, count <= BLOCKS; 0 where they lie at one place. */
static int fall(const double *bx, const double *by, int count, double width, Gain *out) {
    double away[BLOCKS], rest[BLOCKS], room[BLOCKS];
    double place = total(bx, count) / count, level = total(by, count) / count;
    for (int i = 0; i < count; i++) away[i] = bx[i] - place, rest[i] = by[i] - level;
    double spread = dot(away, away, count);
    if (!(spread > 0.0)) return 0;
    double slope = dot(away, rest, count) / spread;
    for (int i = 0; i < count; i++) rest[i] -= slope * away[i];
    double rho = autocorrelation(rest, count, room), dof = count - 2;
    rho += (1.0 + 4.0 * (rho > 0.0 ? rho : 0.0)) / count;
    double most = count == BLOCKS ? 0.9 : 0.8;
    rho = rho > most ? most : rho < 0.0 ? 0.0 : rho;
    double inflation = (1 + rho) / (1 - rho), least = dof < 4.0 ? dof : 4.0;
    out->value = -slope * width;
    out->error = sqrt(dot(rest, rest, count) / dof / spread * inflation) * width;
    out->dof = dof / inflation > least ? dof / inflation : least;
    return 1;
}

/* Points of x, which ascends, that are below `limit`, or not above it where `with` is set. */
static Py_ssize_t before(const double *x, Py_ssize_t n, double limit, int with) {
    Py_ssize_t low = 0, high = n;
    while (low < high) {
        Py_ssize_t at = low + (high - low) / 2;
        if (with ? x[at] <= limit : x[at] < limit) {
            low = at + 1;
        } else {
            high = at;
        }
    }
    return low;
}

/* Over the window [first, last]: 1 with a gain, 0 without any, -1 without memory. */
static int gain_of(const double *x, const double *y, Py_ssize_t n, double first, double last,
                   Py_ssize_t least, Gain *out) {
    Py_ssize_t a = before(x, n, first, 0), size = before(x, n, last, 1) - a;
    if (size < least || size < 3) return 0;
    if (size <= BLOCKS) return fall(x + a, y + a, (int)size, last - first, out);
    double bx[BLOCKS], by[BLOCKS], *room = malloc((size_t)size * 2 * sizeof(double));
    if (!room) return -1;
    levels(x + a, y + a, size, bx, by, room);
    free(room);
    return fall(bx, by, BLOCKS, last - first, out);
}

#endif
