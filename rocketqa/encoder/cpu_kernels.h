/* What the files of kernels share: memory, functions of one number, and the inputs of attention.
   The letters are those of cpu_kernels.c. */
#pragma once
#include "float32_tile.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static inline long multiple_of_16(long n) { return (n + 15) / 16 * 16; }

static inline float *allocate(long floats) {
    return aligned_alloc(64, multiple_of_16(floats) * sizeof(float));
}

/* Returns e^x with a relative error of at most 2e-7; nan for nan. */
static inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x; /* two steps, each one instruction that passes nan on */
    x = x > 88.0f ? 88.0f : x;
    float n = rintf(x * 1.44269504f), r = x - n * 0.693359375f + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    union { int32_t bits; float value; } scale = {((int32_t)n + 127) << 23};
    return (p * r * r + r + 1.0f) * scale.value;
}

/* Returns P(X < x) of the standard normal distribution with an error of at most 1e-7 (Abramowitz
   and Stegun 7.1.26), and its density at x. */
static inline float cumulative(float x, float *density) {
    float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z), e = exponential(-z * z);
    float tail = 0.5f * e * t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f
                 + t * (-1.453152027f + t * 1.061405429f))));
    *density = 0.39894228f * e;
    return x < 0.0f ? tail : 1.0f - tail;
}

/* Where the inputs of attention are; `AttentionInputs` in cpu_kernels.py has the same fields.
   q: [A, H], tokens q_stride floats apart, and heads q_head. k, v: [T, H], likewise.
   Biases: [H], or NULL: then k and v may be read up to 15 tokens after a row.
   begins, lengths: [N], of the rows. first_only: A = N, else A = T. */
typedef struct {
    const float *q, *k, *v, *q_bias, *k_bias, *v_bias;
    const int64_t *begins, *lengths;
    long q_stride, q_head, kv_stride, kv_head, N, h, d, first_only;
    float p;
    uint64_t seed;
} AttentionInputs;

/* In cpu_kernels.c. */
void attend(const AttentionInputs *in, long A, float *context, float *norms);
