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
   AHEAD: steps between a line of the cache that is asked for and its use.
   TILE_SUMS: the registers of sums of a tile, which leave some for what is multiplied; of its rows
   each has as many as the tile has registers of columns, at most TILE_REGISTERS.
   TILE_STEPS: steps along K in a turn of the loop. With AVX2 a turn of one step has one instruction
   more than the processor decodes while it multiplies. */
enum { PANEL = 16, AHEAD = 12 };
enum { TILE_SUMS = WIDTH == 16 ? 24 : 12, TILE_REGISTERS = WIDTH == 16 ? 3 : 2 };
enum { TILE_STEPS = WIDTH == 16 ? 1 : 2 };

/* Where column c begins in its panel. panels: [columns / PANEL, K, PANEL]. */
static inline const float *column_at(const float *panels, long K, long c) {
    return panels + c / PANEL * PANEL * K + c % PANEL;
}

/* Adds to sum [TILE_SUMS / registers, registers] the products of `count` rows of K numbers, `stride`
   apart, and `registers` registers of columns. It is inlined with a constant, so that the sums stay
   in registers. count: 1 to TILE_SUMS / registers; the sums of the rows after it are those of the
   last one. columns: where each register begins, as column_at says. next: K * step numbers that will
   be read later, and that are fetched meanwhile; none with a step of 0. */
static inline __attribute__((always_inline)) void float32_tile(
    const int registers, const float *x, long count, long stride, long K,
    const float *const columns[], const float *next, long step, vector sum[]) {
    const int tile_rows = TILE_SUMS / registers;
    const float *rows[TILE_SUMS];
#pragma GCC unroll 24
    for (int i = 0; i < tile_rows; i++) rows[i] = x + (i < count ? i : count - 1) * stride;
#pragma GCC unroll TILE_STEPS
    for (long k = 0; k < K; k++) {
        vector column[TILE_REGISTERS];
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
