/* A tile of a float32 matrix product: of the encoders' dense layers, and of queries with passages. */
#pragma once
/* The loops that the compiler turns into vectors have the width of the products, too: it would take
   half of it, though the products have already slowed the processor's clock. */
#ifdef __AVX512F__
#pragma GCC target("prefer-vector-width=512")
#endif
#include <string.h>

/* The floats of a vector register. */
#ifdef __AVX512F__
enum { WIDTH = 16 };
#else
enum { WIDTH = 8 };
#endif
typedef float vector __attribute__((vector_size(4 * WIDTH)));
typedef vector anywhere __attribute__((aligned(4))); /* of memory that is not aligned */

/* PANEL: columns that are packed together, so that a step along K reads them from one place.
   AHEAD: steps between a line of the cache that is asked for and its use. */
enum { PANEL = 16, TILE_ROWS = WIDTH == 16 ? 12 : 6, TILE_COLUMNS = 2 * WIDTH, AHEAD = 12 };

/* y [TILE_ROWS, TILE_COLUMNS] = the products of `count` rows of K numbers, `stride` apart, and two
   registers of columns. count: 1 to TILE_ROWS; the rows of y after it are copies of the last one.
   columns, more: where each register begins in its panel, [K, PANEL]. */
static inline void float32_tile(const float *x, long count, long stride, long K,
                                const float *columns, const float *more, float *y) {
    vector sum[TILE_ROWS][2] = {{{0}}};
    const float *rows[TILE_ROWS];
    for (int i = 0; i < TILE_ROWS; i++) rows[i] = x + (i < count ? i : count - 1) * stride;
    for (long k = 0; k < K; k++) {
        vector first = *(const anywhere *)(columns + k * PANEL);
        vector second = *(const anywhere *)(more + k * PANEL);
        __builtin_prefetch(columns + (k + AHEAD) * PANEL);
        __builtin_prefetch(more + (k + AHEAD) * PANEL);
#pragma GCC unroll 12
        for (int i = 0; i < TILE_ROWS; i++) {
            sum[i][0] += rows[i][k] * first;
            sum[i][1] += rows[i][k] * second;
        }
    }
    memcpy(y, sum, sizeof sum);
}
