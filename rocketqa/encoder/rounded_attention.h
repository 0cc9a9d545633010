/* Attention whose two matrix products take numbers of 16 bits, for the encoders whose other products
   take 8. An instruction of VNNI multiplies and adds twice as many of them as of float32, and what
   rounding loses here is little beside what 8 bits lose.

   Each (row, head) is rounded by its own largest numbers: q and k so that the sum of d products fits
   into 32 bits, the weights of the softmax to 0 to LARGEST_WEIGHT, v to at most LARGEST_VALUE, so that
   the sum over KEYS keys does. Two neighbouring numbers, or those of two keys, are a pair, which an
   instruction takes together.

   Letters: those of cpu_kernels.c. */
#pragma once
#include "cpu_kernels.h"
#ifdef __AVX512VNNI__
#include <immintrin.h>

/* QUERIES: attending tokens that are computed together, in two registers. KEYS: whose products are
   summed in 32 bits. TILE: rows of a product that are computed together. */
enum { QUERIES = 32, KEYS = 64, TILE = 8, LARGEST_WEIGHT = 8191, LARGEST_VALUE = 4095 };

/* What a (row, head) needs, for the longest row. keys: [L, d / 2] pairs. values: [L / 2, d] pairs.
   queries: [d / 2, QUERIES] pairs. scores: [L to 8, QUERIES]; then, in its place, the pairs of the
   weights, [L / 2, QUERIES]. out: [QUERIES, d]. */
typedef struct {
    int32_t *keys, *values, *queries, *scores;
    float *out;
} Heads;

/* Returns the largest distance from 0 of n numbers, a multiple of 16; NAN where one is not finite. */
static float largest_of(const float *x, long n) {
    const __m512i sign = _mm512_set1_epi32(INT32_MAX);
    __m512i most = _mm512_setzero_si512(); /* numbers without a sign have the order of their bits */
    for (long i = 0; i < n; i += 16)
        most = _mm512_max_epi32(most, _mm512_and_si512(sign, _mm512_loadu_si512(x + i)));
    union { int32_t bits; float value; } largest = {_mm512_reduce_max_epi32(most)};
    return largest.bits < 0x7f800000 ? largest.value : NAN;
}

/* Returns what numbers are multiplied by to be at most `most`. */
static inline float inverse_scale(float largest, float most) {
    return largest > 0.0f ? most / largest : 0.0f;
}

/* to [n] = x [n] * inverse, rounded to 16 bits. n is a multiple of 16. */
static void round_to_16_bits(const float *x, long n, float inverse, int16_t *to) {
    for (long i = 0; i < n; i += 16) {
        __m512i rounded = _mm512_cvtps_epi32(_mm512_loadu_ps(x + i) * inverse);
        _mm256_storeu_si256((__m256i *)(to + i), _mm512_cvtepi32_epi16(rounded));
    }
}

/* Returns the pairs of two registers of numbers of 16 bits. */
static inline __m512i paired(__m512i first, __m512i second) {
    return _mm512_or_si512(_mm512_and_si512(first, _mm512_set1_epi32(0xffff)),
                           _mm512_slli_epi32(second, 16));
}

/* to [L / 2, d] = the pairs of two keys' values x [L, d] * inverse; a last key is paired with 0. */
static inline void pair_values(const float *x, long L, long d, float inverse, int32_t *to) {
    for (long j = 0; j < L; j += 2)
        for (long c = 0; c < d; c += 16) {
            const float *at = x + j * d + c;
            __m512i first = _mm512_cvtps_epi32(_mm512_loadu_ps(at) * inverse);
            __m512i second = _mm512_setzero_si512();
            if (j + 1 < L) second = _mm512_cvtps_epi32(_mm512_loadu_ps(at + d) * inverse);
            _mm512_storeu_si512(to + j / 2 * d + c, paired(first, second));
        }
}

/* to [d / 2, QUERIES] = the pairs of `count` queries x [count, d] * inverse; the others are 0. */
static inline void pair_queries(const float *x, long count, long d, float inverse, int32_t *to) {
    int32_t pairs[d / 2];
    memset(to, 0, d / 2 * QUERIES * sizeof *to);
    for (long t = 0; t < count; t++) {
        round_to_16_bits(x + t * d, d, inverse, (int16_t *)pairs);
        for (long i = 0; i < d / 2; i++) to[i * QUERIES + t] = pairs[i];
    }
}

/* Adds the products of TILE rows of pairs with two registers of columns to their sums. */
static inline __attribute__((always_inline)) void add_pairs(long pairs, const int32_t *rows,
                                                            long row, long next,
                                                            const int32_t *columns, long width,
                                                            __m512i sum[TILE][2]) {
    for (long k = 0; k < pairs; k++) {
        __m512i left = _mm512_loadu_si512(columns + k * width);
        __m512i right = _mm512_loadu_si512(columns + k * width + 16);
#pragma GCC unroll 8
        for (int i = 0; i < TILE; i++) {
            __m512i same = _mm512_set1_epi32(rows[i * row + k * next]);
            sum[i][0] = _mm512_dpwssd_epi32(sum[i][0], same, left);
            sum[i][1] = _mm512_dpwssd_epi32(sum[i][1], same, right);
        }
    }
}

/* scores [L to 8, QUERIES] = the products of keys and queries; the largest of each query. */
static inline __attribute__((always_inline)) void score_keys(const Heads *at, long L, long d,
                                                             __m512i largest[2]) {
    largest[0] = largest[1] = _mm512_set1_epi32(INT32_MIN);
    for (long j = 0; j < L; j += TILE) {
        __m512i sum[TILE][2] = {{{0}}};
        add_pairs(d / 2, at->keys + j * d / 2, d / 2, 1, at->queries, QUERIES, sum);
#pragma GCC unroll 8
        for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
            for (int v = 0; v < 2; v++) {
                _mm512_storeu_si512(at->scores + (j + i) * QUERIES + 16 * v, sum[i][v]);
                if (j + i < L) largest[v] = _mm512_max_epi32(largest[v], sum[i][v]);
            }
    }
}

/* e^(scale (scores - largest)) * LARGEST_WEIGHT of a register of scores, rounded: 2^n times a
   polynomial for 2^(x - n), with an error of 7.5e-5, less than the rounding of the largest weights.
   scale: with log2 e in it. */
static inline __m512i weights_of(__m512i scores, __m512 largest, float scale) {
    __m512 x = (_mm512_cvtepi32_ps(scores) - largest) * scale; /* two integers can be 2^32 apart */
    x = _mm512_max_ps(x, _mm512_set1_ps(-64.0f));
    __m512 n = _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC), r = x - n;
    __m512 p = 0.05517149f * r + 0.24261094f;
    p = p * r + 0.69326099f;
    p = (p * r + 0.99992808f) * LARGEST_WEIGHT;
    return _mm512_cvtps_epi32(_mm512_scalef_ps(p, n));
}

/* Replaces the scores by the pairs of the weights [L / 2, QUERIES], and sets their sums. */
static void weigh_keys(const Heads *at, long L, const __m512i largest[2], float scale,
                       int32_t sums[QUERIES]) {
    for (int v = 0; v < 2; v++) {
        __m512 most = _mm512_cvtepi32_ps(largest[v]);
        __m512i sum = _mm512_setzero_si512();
        for (long j = 0; j < L; j += 2) {
            const int32_t *from = at->scores + j * QUERIES + 16 * v;
            __m512i first = weights_of(_mm512_loadu_si512(from), most, scale);
            __m512i second = _mm512_setzero_si512();
            if (j + 1 < L)
                second = weights_of(_mm512_loadu_si512(from + QUERIES), most, scale);
            sum = _mm512_add_epi32(sum, _mm512_add_epi32(first, second));
            _mm512_storeu_si512(at->scores + j / 2 * QUERIES + 16 * v, paired(first, second));
        }
        _mm512_storeu_si512(sums + 16 * v, sum);
    }
}

/* out [QUERIES, d] = weights times values, in their units. */
static inline __attribute__((always_inline)) void weigh_values(const Heads *at, long L, long d) {
    memset(at->out, 0, QUERIES * d * sizeof *at->out);
    for (long j = 0; j < L; j += KEYS) {
        long pairs = L - j < KEYS ? (L - j + 1) / 2 : KEYS / 2;
        for (long c = 0; c < d; c += 32)
            for (long t = 0; t < QUERIES; t += TILE) {
                __m512i sum[TILE][2] = {{{0}}};
                add_pairs(pairs, at->scores + j / 2 * QUERIES + t, 1, QUERIES,
                          at->values + j / 2 * d + c, d, sum);
#pragma GCC unroll 8
                for (int i = 0; i < TILE; i++)
#pragma GCC unroll 2
                    for (int v = 0; v < 2; v++) {
                        float *to = at->out + (t + i) * d + c + 16 * v;
                        _mm512_storeu_ps(to, _mm512_loadu_ps(to) + _mm512_cvtepi32_ps(sum[i][v]));
                    }
            }
    }
}

/* One (row, head): q [a, d], k and v [L, d] to context [a, h d], its columns of the head. */
static inline __attribute__((always_inline)) void attend_head(const Heads *at, const float *q,
                                                              const float *k, const float *v,
                                                              long a, long L, long d, long stride,
                                                              float *context) {
    const float most = floorf(sqrtf(2147483000.0f / d));
    float of_q = largest_of(q, a * d), of_k = largest_of(k, L * d), of_v = largest_of(v, L * d);
    float scale = of_q / most * (of_k / most) / sqrtf((float)d) * 1.44269504f; /* log2 e */
    round_to_16_bits(k, L * d, inverse_scale(of_k, most), (int16_t *)at->keys);
    pair_values(v, L, d, inverse_scale(of_v, LARGEST_VALUE), at->values);
    for (long first = 0; first < a; first += QUERIES) {
        long count = a - first < QUERIES ? a - first : QUERIES;
        __m512i largest[2];
        int32_t sums[QUERIES];
        pair_queries(q + first * d, count, d, inverse_scale(of_q, most), at->queries);
        score_keys(at, L, d, largest);
        weigh_keys(at, L, largest, scale, sums);
        weigh_values(at, L, d);
        for (long t = 0; t < count; t++) {
            float unit = of_v / LARGEST_VALUE / sums[t]; /* of a scale of NAN, sums are 0 */
            for (long c = 0; c < d; c++)
                context[(first + t) * stride + c] = at->out[t * d + c] * unit;
        }
    }
}

/* context [A, H], as `attend` without dropout and biases computes it. d is a multiple of 32, and the
   tokens of a head are neighbours. */
static void attend_rounded(const AttentionInputs *in, float *context) {
    long d = in->d, longest = 0;
    for (long row = 0; row < in->N; row++)
        longest = in->lengths[row] > longest ? in->lengths[row] : longest;
    longest = multiple_of_16(longest);
    float *memory = allocate(longest * d + (longest + d / 2 + d) * QUERIES);
    int32_t *numbers = (int32_t *)memory; /* each part is a multiple of 16 long */
    Heads at = {numbers, numbers + longest * d / 2, numbers + longest * d,
                numbers + longest * d + d / 2 * QUERIES,
                memory + longest * d + (longest + d / 2) * QUERIES};
    memset(memory, 0, longest * d * sizeof *memory); /* keys behind the last one are read */
    for (long row = 0; row < in->N; row++)
        for (long head = 0; head < in->h; head++) {
            long begin = in->begins[row], L = in->lengths[row];
            long attending = in->first_only ? row : begin, a = in->first_only ? 1 : L;
            const float *q = in->q + head * in->q_head + attending * d;
            const float *k = in->k + head * in->kv_head + begin * d;
            const float *v = in->v + head * in->kv_head + begin * d;
            float *to = context + (attending * in->h + head) * d;
            if (d == 32) attend_head(&at, q, k, v, a, L, 32, in->h * d, to); /* known when compiled */
            else if (d == 64) attend_head(&at, q, k, v, a, L, 64, in->h * d, to);
            else attend_head(&at, q, k, v, a, L, d, in->h * d, to);
        }
    free(memory);
}
#endif
