/* A tile of a float32 matrix product: of the encoders' dense layers, and of queries with passages. */
#pragma once
/* The loops that the compiler turns into vectors have the width of the products, too: it would take
   half of it, though the products have already slowed the processor's clock. */
#ifdef __AVX512F__
#pragma GCC target("prefer-vector-width=512")
#endif

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
enum { PANEL = 16, AHEAD = 12, MOST_ROWS = 24, MOST_REGISTERS = 3 };

/* Adds to sum [tile_rows, registers] the products of `count` rows of K numbers, `stride` apart, and
   `registers` registers of columns. It is inlined with constants, so that the sums stay in registers:
   tile_rows to MOST_ROWS, registers to MOST_REGISTERS. count: 1 to tile_rows; the sums of rows after
   it are those of the last one. columns: where each register begins in its panel, [K, PANEL]. next:
   K * step numbers that will be read later, and that are fetched meanwhile; none with a step of 0. */
static inline __attribute__((always_inline)) void float32_tile(
    const int tile_rows, const int registers, const float *x, long count, long stride, long K,
    const float *const columns[], const float *next, long step, vector sum[]) {
    const float *rows[MOST_ROWS];
#pragma GCC unroll 24
    for (int i = 0; i < tile_rows; i++) rows[i] = x + (i < count ? i : count - 1) * stride;
    for (long k = 0; k < K; k++) {
        vector column[MOST_REGISTERS];
#pragma GCC unroll 3
        for (int v = 0; v < registers; v++) {
            column[v] = *(const anywhere *)(columns[v] + k * PANEL);
            if (v * WIDTH % PANEL == 0) /* the others lie in the same line */
                __builtin_prefetch(columns[v] + (k + AHEAD) * PANEL);
        }
        if (step) __builtin_prefetch(next + k * step, 0, 2);
#pragma GCC unroll 24
        for (int i = 0; i < tile_rows; i++)
#pragma GCC unroll 3
            for (int v = 0; v < registers; v++)
                sum[i * registers + v] += rows[i][k] * column[v];
    }
}
