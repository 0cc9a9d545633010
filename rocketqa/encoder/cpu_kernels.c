/* What Paddle does slowly on a CPU between its matrix products, forward and backward, float32.

   Letters: T tokens, N rows, L tokens of a row, Q of them that ask (all, or the first alone), H hidden size, h heads,
   d = H / h. Lengths are padded to 16 within a head, so that every product runs on whole vectors. Gradients of what is
   added to every token are summed thread by thread, each its own run of tokens: the same bytes each time. */
#include <math.h>
#include <omp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __AVX512F__
enum { WIDTH = 16, ROWS = 8 };
#else
enum { WIDTH = 8, ROWS = 4 };
#endif
typedef float vector __attribute__((vector_size(4 * WIDTH)));

static inline long up16(long n) { return (n + 15) / 16 * 16; }

static inline float *room(long floats) { return aligned_alloc(64, up16(floats) * sizeof(float)); }

/* e^x to 2e-7; not a number stays so. */
static inline float exponential(float x) {
    x = x < -87.0f ? -87.0f : x > 88.0f ? 88.0f : x;
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

/* The normal distribution's P(X < x), to 1e-7 (Abramowitz and Stegun 7.1.26), with its density. */
static inline float cumulative(float x, float *density) {
    float z = fabsf(x) * 0.70710678f, t = 1.0f / (1.0f + 0.3275911f * z), e = exponential(-z * z);
    float tail = 0.5f * e * t * (0.254829592f + t * (-0.284496736f + t * (1.421413741f + t * (-1.453152027f
                 + t * 1.061405429f))));
    *density = 0.39894228f * e;
    return x < 0.0f ? tail : 1.0f - tail;
}

/* Dropout of an element: 0, or what makes up for the others. A hash of (seed, place): nothing has to be kept. */
typedef struct { uint32_t below, seed, salt; float kept; } Dropout;

static inline float keep(Dropout dropout, uint32_t place) {
    uint32_t bits = place * 0x9E3779B1u + dropout.seed;
    bits = (bits ^ bits >> 16) * 0x85EBCA6Bu + dropout.salt;
    bits = (bits ^ bits >> 13) * 0xC2B2AE35u;
    bits ^= bits >> 16;
    return bits < dropout.below ? 0.0f : dropout.kept;
}

/* Mixes the seed (splitmix64), so that neighbours drop others. */
static Dropout dropout_of(float p, uint64_t seed) {
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9u;
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EBu;
    seed ^= seed >> 31;
    Dropout dropout = {(uint32_t)(p * 4294967296.0), (uint32_t)seed, (uint32_t)(seed >> 32), 1.0f / (1.0f - p)};
    return dropout;
}

/* The run of this thread's tokens. */
static void own_run(long count, long *begin, long *end) {
    long thread = omp_get_thread_num(), threads = omp_get_num_threads();
    *begin = count * thread / threads;
    *end = count * (thread + 1) / threads;
}

/* sums[thread][size] -> total[size] */
static void total_of(const float *sums, long threads, long size, float *total) {
    memcpy(total, sums, size * sizeof(float));
    for (long thread = 1; thread < threads; thread++)
        for (long i = 0; i < size; i++) total[i] += sums[thread * size + i];
}

/* y = norm(residual + dropout(x + bias)); keeps what the norm has made before gamma and beta, and 1 / deviation. */
void add_norm(const float *x, const float *bias, const float *residual, const float *gamma, const float *beta,
              float epsilon, float p, uint64_t seed, long T, long H, float *normed, float *scale, float *y) {
    Dropout dropout = dropout_of(p, seed);
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        float *z = normed + t * H, mean = 0.0f, square = 0.0f;
        for (long i = 0; i < H; i++) {
            z[i] = residual[t * H + i] + (x[t * H + i] + bias[i]) * keep(dropout, (uint32_t)(t * H + i));
            mean += z[i];
        }
        mean /= H;
        for (long i = 0; i < H; i++) z[i] -= mean, square += z[i] * z[i];
        scale[t] = 1.0f / sqrtf(square / H + epsilon);
        for (long i = 0; i < H; i++) z[i] *= scale[t], y[t * H + i] = z[i] * gamma[i] + beta[i];
    }
}

/* dy -> gradients of x, residual [T, H]; of gamma, beta, bias: small [3, H]. */
void add_norm_back(const float *dy, const float *normed, const float *scale, const float *gamma, float p,
                   uint64_t seed, long T, long H, float *dx, float *dresidual, float *small) {
    Dropout dropout = dropout_of(p, seed);
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * 3 * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        own_run(T, &begin, &end);
        float *dgamma = sums + omp_get_thread_num() * 3 * H, *dbeta = dgamma + H, *dbias = dbeta + H;
        for (long t = begin; t < end; t++) {
            const float *g = dy + t * H, *z = normed + t * H;
            float mean = 0.0f, along = 0.0f;
            for (long i = 0; i < H; i++) {
                mean += g[i] * gamma[i];
                along += g[i] * gamma[i] * z[i];
                dgamma[i] += g[i] * z[i];
                dbeta[i] += g[i];
            }
            mean /= H, along /= H;
            for (long i = 0; i < H; i++) {
                float d = scale[t] * (g[i] * gamma[i] - mean - z[i] * along);
                float through = d * keep(dropout, (uint32_t)(t * H + i));
                dresidual[t * H + i] = d;
                dx[t * H + i] = through;
                dbias[i] += through;
            }
        }
    }
    total_of(sums, threads, 3 * H, small);
    free(sums);
}

/* y = gelu(x + bias) */
void bias_gelu(const float *x, const float *bias, long T, long H, float *y) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++)
        for (long i = 0; i < H; i++) {
            float value = x[t * H + i] + bias[i], density;
            y[t * H + i] = value * cumulative(value, &density);
        }
}

void bias_gelu_back(const float *dy, const float *x, const float *bias, long T, long H, float *dx, float *dbias) {
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        own_run(T, &begin, &end);
        float *sum = sums + omp_get_thread_num() * H;
        for (long t = begin; t < end; t++)
            for (long i = 0; i < H; i++) {
                float value = x[t * H + i] + bias[i], density, below = cumulative(value, &density);
                float d = dy[t * H + i] * (below + value * density);
                dx[t * H + i] = d;
                sum[i] += d;
            }
    }
    total_of(sums, threads, H, dbias);
    free(sums);
}

/* C[ROWS, width vectors] = A B, A by any strides, B and C by rows. */
static inline __attribute__((always_inline)) void tile(const int width, long K, const float *A, long by_row, long by_k,
                                                       const float *B, long ldb, float *C, long ldc) {
    vector sum[ROWS][2] = {{{0}}};
    for (long k = 0; k < K; k++)
        for (int i = 0; i < ROWS; i++)
            for (int v = 0; v < width; v++)
                sum[i][v] += A[i * by_row + k * by_k] * *(const vector *)(B + k * ldb + v * WIDTH);
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < width; v++) *(vector *)(C + i * ldc + v * WIDTH) = sum[i][v];
}

/* C[M, N] = A[M, K] B[K, N]; M, N multiples of 16. */
static void product(long M, long N, long K, const float *A, long by_row, long by_k, const float *B, float *C) {
    for (long n = 0; n < N; n += 2 * WIDTH)
        for (long m = 0; m < M; m += ROWS) {
            const float *a = A + m * by_row, *b = B + n;
            float *c = C + m * N + n;
            if (N - n >= 2 * WIDTH) tile(2, K, a, by_row, by_k, b, N, c, N);
            else tile(1, K, a, by_row, by_k, b, N, c, N);
        }
}

/* Takes a head's part of `count` tokens into [up16(count), D], with its bias, times `scale`; the rest is 0. */
static void gather(const float *from, long stride, const float *bias, long count, long d, long D, float scale,
                   float *to) {
    memset(to, 0, up16(count) * D * sizeof(float));
    for (long t = 0; t < count; t++)
        for (long i = 0; i < d; i++) to[t * D + i] = (from[t * stride + i] + (bias ? bias[i] : 0.0f)) * scale;
}

static void scatter(const float *from, long count, long d, long D, float scale, long stride, float *to) {
    for (long t = 0; t < count; t++)
        for (long i = 0; i < d; i++) to[t * stride + i] = from[t * D + i] * scale;
}

static void transpose(const float *from, long rows, long columns, float *to) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
}

/* q, k, v: [T, H] within rows of `stride` floats (q: of `q_stride`), biases [H]; begins, lengths [N]. Where
   `first_only`, q is [N, H]. Each (row, head) is a task. */
typedef struct {
    const float *q, *k, *v, *q_bias, *k_bias, *v_bias;
    const int64_t *begins, *lengths;
    long q_stride, stride, N, h, d, first_only;
    float p;
    uint64_t seed;
} Heads;

/* Takes a head's part of a row: its askers' q, times `scale`, and its k and v. */
static void gather_heads(const Heads *of, long ask, long begin, long head, long Q, long L, float scale, float *q,
                         float *k, float *v) {
    long d = of->d, D = up16(d), at = head * d;
    gather(of->q + ask * of->q_stride + at, of->q_stride, of->q_bias + at, Q, d, D, scale, q);
    gather(of->k + begin * of->stride + at, of->stride, of->k_bias + at, L, d, D, 1.0f, k);
    gather(of->v + begin * of->stride + at, of->stride, of->v_bias + at, L, d, D, 1.0f, v);
}

static uint64_t seed_of(uint64_t seed, long task) { return seed + 0x9E3779B97F4A7C15u * (uint64_t)(task + 1); }

/* context [T or N, H]; norms: the logarithm of each softmax's sum, [h, T or N]. */
void attend(const Heads *of, long askers, float *context, float *norms) {
    const long d = of->d, D = up16(d), h = of->h;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for schedule(dynamic)
    for (long task = 0; task < of->N * h; task++) {
        long row = task / h, head = task % h, L = of->lengths[row], P = up16(L), begin = of->begins[row];
        long Q = of->first_only ? 1 : L, R = up16(Q), ask = of->first_only ? row : begin;
        float *q = room((2 * R + 3 * P) * D + R * P), *k = q + R * D, *kt = k + P * D, *v = kt + P * D;
        float *weights = v + P * D, *out = weights + R * P;
        gather_heads(of, ask, begin, head, Q, L, scale, q, k, v);
        transpose(k, P, D, kt);
        product(R, P, D, q, D, 1, kt, weights);
        Dropout dropout = dropout_of(of->p, seed_of(of->seed, task));
        for (long i = 0; i < Q; i++) {
            float *w = weights + i * P, most = w[0], sum = 0.0f;
            for (long j = 1; j < L; j++) most = w[j] > most ? w[j] : most;
            for (long j = 0; j < L; j++) w[j] = exponential(w[j] - most), sum += w[j];
            for (long j = 0; j < L; j++) w[j] *= keep(dropout, (uint32_t)(i * L + j)) / sum;
            for (long j = L; j < P; j++) w[j] = 0.0f;
            norms[head * askers + ask + i] = most + logf(sum);
        }
        product(R, D, L, weights, P, 1, v, out);
        scatter(out, Q, d, D, 1.0f, h * d, context + ask * h * d + head * d);
        free(q);
    }
}

/* dcontext -> dq [T or N, H], dk, dv [T, H], each within rows of their strides. */
void attend_back(const Heads *of, long askers, const float *dcontext, const float *norms, float *dq, float *dk,
                 float *dv) {
    const long d = of->d, D = up16(d), h = of->h;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for schedule(dynamic)
    for (long task = 0; task < of->N * h; task++) {
        long row = task / h, head = task % h, L = of->lengths[row], P = up16(L), begin = of->begins[row];
        long Q = of->first_only ? 1 : L, R = up16(Q), ask = of->first_only ? row : begin;
        float *q = room((2 * R + 5 * P) * D + 2 * R * P), *k = q + R * D, *v = k + P * D, *t = v + P * D;
        float *g = t + P * D, *out = g + R * D, *weights = out + 2 * P * D, *slopes = weights + R * P;
        gather_heads(of, ask, begin, head, Q, L, scale, q, k, v);
        gather(dcontext + ask * h * d + head * d, h * d, NULL, Q, d, D, 1.0f, g);
        transpose(k, P, D, t);
        product(R, P, D, q, D, 1, t, weights);
        transpose(v, P, D, t);
        product(R, P, D, g, D, 1, t, slopes);
        Dropout dropout = dropout_of(of->p, seed_of(of->seed, task));
        memset(weights + Q * P, 0, (R - Q) * P * sizeof(float));
        memset(slopes + Q * P, 0, (R - Q) * P * sizeof(float));
        for (long i = 0; i < Q; i++) { /* weights: after dropout; slopes: of the scores */
            float *w = weights + i * P, *s = slopes + i * P, norm = norms[head * askers + ask + i], along = 0.0f;
            for (long j = 0; j < L; j++) {
                float weight = exponential(w[j] - norm), kept = keep(dropout, (uint32_t)(i * L + j));
                w[j] = weight * kept;
                along += w[j] * s[j];
                s[j] = w[j] * s[j];
                t[j] = weight;
            }
            for (long j = 0; j < L; j++) s[j] -= t[j] * along;
            for (long j = L; j < P; j++) w[j] = s[j] = 0.0f;
        }
        product(R, D, L, slopes, P, 1, k, out);
        scatter(out, Q, d, D, scale, of->q_stride, dq + ask * of->q_stride + head * d);
        product(P, D, Q, slopes, 1, P, q, out);
        scatter(out, L, d, D, 1.0f, of->stride, dk + begin * of->stride + head * d);
        product(P, D, Q, weights, 1, P, g, out);
        scatter(out, L, d, D, 1.0f, of->stride, dv + begin * of->stride + head * d);
        free(q);
    }
}

/* The sum of x [T, H] over T. */
void column_sums(const float *x, long T, long H, float *total) {
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        own_run(T, &begin, &end);
        float *sum = sums + omp_get_thread_num() * H;
        for (long t = begin; t < end; t++)
            for (long i = 0; i < H; i++) sum[i] += x[t * H + i];
    }
    total_of(sums, threads, H, total);
    free(sums);
}
