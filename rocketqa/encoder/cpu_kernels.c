/* What an encoder layer computes between its matrix products, forward and backward, on a CPU.

   All values are float32. `cpu_kernels.py` calls these functions and describes each of them.

   Letters:
       T  tokens of all rows together   H  hidden size
       N  rows                          h  attention heads
       L  tokens of a row               d  size of a head, H / h
       A  attending tokens, for which attention computes a context: all T, or the N first of rows
       a  attending tokens of a row: L or 1

   Within a head, L, a and d are padded with zeros to multiples of 16 (L16, a16, d16), so that
   every product works on whole vector registers.

   Some gradients are sums over all tokens. Each thread sums one contiguous part of the tokens, and
   the sums are added in the order of the threads: a repeated call gives the same bytes. */
#include "cpu_kernels.h"
#include <omp.h>

/* Rows of a product that are computed together. */
enum { ROWS = WIDTH / 2 };

/* Dropout without a stored mask: whether an element is dropped is a hash of (seed, its place), so
   the backward pass computes the same again. `threshold`: hashes below it are dropped;
   `factor`: 1 / (1 - p), by which the others are multiplied. */
typedef struct { uint32_t threshold, seed, salt; float factor; } Dropout;

/* Returns what the element is multiplied by: 0 where it is dropped, else the factor. */
static inline float dropout_at(Dropout dropout, uint32_t place) {
    uint32_t bits = place * 0x9E3779B1u + dropout.seed;
    bits = (bits ^ bits >> 16) * 0x85EBCA6Bu + dropout.salt;
    bits = (bits ^ bits >> 13) * 0xC2B2AE35u;
    bits ^= bits >> 16;
    return bits < dropout.threshold ? 0.0f : dropout.factor;
}

/* Mixes the bits of the seed (splitmix64), so that neighbouring seeds drop different elements. */
static Dropout dropout_of(float p, uint64_t seed) {
    seed = (seed ^ seed >> 30) * 0xBF58476D1CE4E5B9u;
    seed = (seed ^ seed >> 27) * 0x94D049BB133111EBu;
    seed ^= seed >> 31;
    Dropout dropout = {(uint32_t)(p * 4294967296.0), (uint32_t)seed, (uint32_t)(seed >> 32),
                       1.0f / (1.0f - p)};
    return dropout;
}

/* Sets the part of the tokens that this thread sums. */
static void part_of_this_thread(long count, long *begin, long *end) {
    long thread = omp_get_thread_num(), threads = omp_get_num_threads();
    *begin = count * thread / threads;
    *end = count * (thread + 1) / threads;
}

/* Adds the sums of all threads: sums [threads, size], total [size]. */
static void add_sums(const float *sums, long threads, long size, float *total) {
    memcpy(total, sums, size * sizeof(float));
    for (long thread = 1; thread < threads; thread++)
        for (long i = 0; i < size; i++) total[i] += sums[thread * size + i];
}

/* y = norm(residual + dropout(x + bias)), all [T, H].
   For the backward pass: normed [T, H], before gamma and beta; scale [T], 1 / deviation. */
void add_norm(const float *x, const float *bias, const float *residual, const float *gamma,
              const float *beta, float epsilon, float p, uint64_t seed, long T, long H,
              float *normed, float *scale, float *y) {
    Dropout dropout = dropout_of(p, seed);
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++) {
        float *z = normed + t * H, mean = 0.0f, square = 0.0f;
        for (long i = 0; i < H; i++) {
            z[i] = residual[t * H + i]
                   + (x[t * H + i] + bias[i]) * dropout_at(dropout, (uint32_t)(t * H + i));
            mean += z[i];
        }
        mean /= H;
        for (long i = 0; i < H; i++) {
            z[i] -= mean;
            square += z[i] * z[i];
        }
        scale[t] = 1.0f / sqrtf(square / H + epsilon);
        for (long i = 0; i < H; i++) {
            z[i] *= scale[t];
            y[t * H + i] = z[i] * gamma[i] + beta[i];
        }
    }
}

/* From dy [T, H]: dx, dresidual [T, H]; summed [3, H], the gradients of gamma, beta and bias. */
void add_norm_back(const float *dy, const float *normed, const float *scale, const float *gamma,
                   float p, uint64_t seed, long T, long H, float *dx, float *dresidual,
                   float *summed) {
    Dropout dropout = dropout_of(p, seed);
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * 3 * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        part_of_this_thread(T, &begin, &end);
        float *dgamma = sums + omp_get_thread_num() * 3 * H;
        float *dbeta = dgamma + H, *dbias = dbeta + H;
        for (long t = begin; t < end; t++) {
            const float *g = dy + t * H, *z = normed + t * H;
            float mean = 0.0f, projection = 0.0f; /* of dy * gamma: its mean, its part along z */
            for (long i = 0; i < H; i++) {
                mean += g[i] * gamma[i];
                projection += g[i] * gamma[i] * z[i];
                dgamma[i] += g[i] * z[i];
                dbeta[i] += g[i];
            }
            mean /= H;
            projection /= H;
            for (long i = 0; i < H; i++) {
                float dsum = scale[t] * (g[i] * gamma[i] - mean - z[i] * projection);
                float dinput = dsum * dropout_at(dropout, (uint32_t)(t * H + i));
                dresidual[t * H + i] = dsum;
                dx[t * H + i] = dinput;
                dbias[i] += dinput;
            }
        }
    }
    add_sums(sums, threads, 3 * H, summed);
    free(sums);
}

/* y = gelu(x + bias), [T, H]; H is the size of the feed-forward layer here. */
void bias_gelu(const float *x, const float *bias, long T, long H, float *y) {
#pragma omp parallel for schedule(static)
    for (long t = 0; t < T; t++)
        for (long i = 0; i < H; i++) {
            float value = x[t * H + i] + bias[i], density;
            y[t * H + i] = value * cumulative(value, &density);
        }
}

/* From dy [T, H]: dx [T, H], dbias [H]. */
void bias_gelu_back(const float *dy, const float *x, const float *bias, long T, long H, float *dx,
                    float *dbias) {
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        part_of_this_thread(T, &begin, &end);
        float *sum = sums + omp_get_thread_num() * H;
        for (long t = begin; t < end; t++)
            for (long i = 0; i < H; i++) {
                float value = x[t * H + i] + bias[i], density;
                float probability = cumulative(value, &density);
                float d = dy[t * H + i] * (probability + value * density);
                dx[t * H + i] = d;
                sum[i] += d;
            }
    }
    add_sums(sums, threads, H, dbias);
    free(sums);
}

/* A tile of a product: C[ROWS, `vectors` registers] = A B. A has any strides; consecutive rows of
   B and C are row_of_B and row_of_C floats apart. */
static inline __attribute__((always_inline)) void tile(const int vectors, long K, const float *A,
                                                       long row_of_A, long column_of_A,
                                                       const float *B, long row_of_B, float *C,
                                                       long row_of_C) {
    vector sum[ROWS][2] = {{{0}}};
    for (long k = 0; k < K; k++)
        for (int i = 0; i < ROWS; i++)
            for (int v = 0; v < vectors; v++)
                sum[i][v] += A[i * row_of_A + k * column_of_A]
                             * *(const vector *)(B + k * row_of_B + v * WIDTH);
    for (int i = 0; i < ROWS; i++)
        for (int v = 0; v < vectors; v++) *(vector *)(C + i * row_of_C + v * WIDTH) = sum[i][v];
}

/* C[M, N] = A[M, K] B[K, N]; M and N are multiples of 16. A has any strides. */
static void product(long M, long N, long K, const float *A, long row_of_A, long column_of_A,
                    const float *B, float *C) {
    for (long n = 0; n < N; n += 2 * WIDTH)
        for (long m = 0; m < M; m += ROWS) {
            const float *a = A + m * row_of_A, *b = B + n;
            float *c = C + m * N + n;
            if (N - n >= 2 * WIDTH) tile(2, K, a, row_of_A, column_of_A, b, N, c, N);
            else tile(1, K, a, row_of_A, column_of_A, b, N, c, N);
        }
}

/* Returns the numbers of a vector, which may begin anywhere. */
static inline vector load(const float *from) {
    vector numbers;
    memcpy(&numbers, from, sizeof numbers);
    return numbers;
}

/* Copies a head's part of `count` tokens into to [count padded to 16, d16], plus its bias (if any),
   times `scale`; the padding is 0. */
static void gather(const float *from, long stride, const float *bias, long count, long d, long d16,
                   float scale, float *to) {
    long whole = d == d16 ? d : 0; /* the numbers of a token that fill whole registers */
    memset(to + count * whole, 0, (multiple_of_16(count) * d16 - count * whole) * sizeof(float));
    for (long t = 0; t < count; t++) {
        const float *token = from + t * stride;
        for (long i = 0; i < whole; i += WIDTH) {
            vector part = load(token + i);
            *(vector *)(to + t * d16 + i) = (bias ? part + load(bias + i) : part) * scale;
        }
        for (long i = whole; i < d; i++)
            to[t * d16 + i] = (token[i] + (bias ? bias[i] : 0.0f)) * scale;
    }
}

/* Copies from [count, d16], times `scale`, back to a head's part of `count` tokens. */
static void scatter(const float *from, long count, long d, long d16, float scale, long stride,
                    float *to) {
    for (long t = 0; t < count; t++)
        for (long i = 0; i < d; i++) to[t * stride + i] = from[t * d16 + i] * scale;
}

static void transpose(const float *from, long rows, long columns, float *to) {
    for (long r = 0; r < rows; r++)
        for (long c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
}

/* Returns a head's part of k or v of the L tokens of a row, [L16, d16], plus its bias: where it lies,
   if it has no bias and lies so, else as a copy in `to`. Only a copy has zeros as its padding. */
static const float *part_of_head(const AttentionInputs *in, const float *from, const float *bias,
                                 long begin, long head, long L, float *to) {
    const long d = in->d, d16 = multiple_of_16(d), stride = in->kv_stride;
    from += begin * stride + head * in->kv_head;
    if (!bias && d == d16 && stride == d) return from;
    gather(from, stride, bias ? bias + head * d : NULL, L, d, d16, 1.0f, to);
    return to;
}

/* Returns the seed of the dropout of one (row, head). */
static uint64_t seed_of(uint64_t seed, long task) {
    return seed + 0x9E3779B97F4A7C15u * (uint64_t)(task + 1);
}

/* Attending tokens that are computed together, each in a place of two registers of its own: the
   softmax goes down the rows of the weights, without sums across a register. */
enum { TOGETHER = 2 * WIDTH };

/* Copies a head's part of q of `count` tokens, plus its bias (if any), times `scale`, into
   to [d16, TOGETHER]; the padding is 0. */
static void gather_queries(const float *from, long stride, const float *bias, long count, long d,
                           float scale, float *to) {
    memset(to, 0, multiple_of_16(d) * TOGETHER * sizeof(float));
    for (long t = 0; t < count; t++)
        for (long i = 0; i < d; i++)
            to[i * TOGETHER + t] = (from[t * stride + i] + (bias ? bias[i] : 0.0f)) * scale;
}

/* weights [L, TOGETHER] = e^(weights - the largest of their column), and its sums. */
static void raise(float *weights, long L, float *largest, float *sums) {
    for (int i = 0; i < TOGETHER; i++) {
        largest[i] = weights[i];
        sums[i] = 0.0f;
    }
    for (long j = 1; j < L; j++)
        for (int i = 0; i < TOGETHER; i++) {
            float w = weights[j * TOGETHER + i];
            largest[i] = w > largest[i] ? w : largest[i];
        }
    for (long begin = 0; begin < L; begin += 16) { /* sums of sums: a long one rounds more */
        float some[TOGETHER] = {0.0f};
        for (long j = begin; j < L && j < begin + 16; j++)
            for (int i = 0; i < TOGETHER; i++) {
                float w = exponential(weights[j * TOGETHER + i] - largest[i]);
                weights[j * TOGETHER + i] = w;
                some[i] += w;
            }
        for (int i = 0; i < TOGETHER; i++) sums[i] += some[i];
    }
}

/* context [A, H]. For the backward pass, else NULL: norms [h, A], the logarithm of each softmax's
   sum. Each (row, head) is a task of its own. */
void attend(const AttentionInputs *in, long A, float *context, float *norms) {
    const long d = in->d, d16 = multiple_of_16(d), h = in->h;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for schedule(dynamic)
    for (long task = 0; task < in->N * h; task++) {
        long row = task / h, head = task % h, begin = in->begins[row];
        long L = in->lengths[row], L16 = multiple_of_16(L), a = in->first_only ? 1 : L;
        long first_attending = in->first_only ? row : begin;
        float *q = allocate((2 * L16 + 2 * TOGETHER) * d16 + L16 * TOGETHER); /* [d16, TOGETHER] */
        float *out = q + d16 * TOGETHER;          /* [TOGETHER, d16], times sums */
        float *weights = out + TOGETHER * d16;    /* [L16, TOGETHER], times sums */
        float *copies = weights + L16 * TOGETHER; /* [2, L16, d16] */
        const float *k = part_of_head(in, in->k, in->k_bias, begin, head, L, copies);
        const float *v = part_of_head(in, in->v, in->v_bias, begin, head, L, copies + L16 * d16);
        const float *from_q = in->q + first_attending * in->q_stride + head * in->q_head;
        const float *q_bias = in->q_bias ? in->q_bias + head * d : NULL;
        Dropout dropout = dropout_of(in->p, seed_of(in->seed, task));
        for (long first = 0; first < a; first += TOGETHER) {
            long count = a - first < TOGETHER ? a - first : TOGETHER;
            float largest[TOGETHER], sums[TOGETHER];
            gather_queries(from_q + first * in->q_stride, in->q_stride, q_bias, count, d, scale, q);
            product(L16, TOGETHER, d16, k, d16, 1, q, weights);
            raise(weights, L, largest, sums);
            if (in->p > 0.0f)
                for (long j = 0; j < L; j++)
                    for (long i = 0; i < TOGETHER; i++)
                        weights[j * TOGETHER + i] *=
                            dropout_at(dropout, (uint32_t)((first + i) * L + j));
            product(TOGETHER, d16, L, weights, 1, TOGETHER, v, out);
            long t = first_attending + first;
            for (long i = 0; i < count; i++, t++) {
                if (norms) norms[head * A + t] = largest[i] + logf(sums[i]);
                scatter(out + i * d16, 1, d, d16, 1.0f / sums[i], h * d, context + (t * h + head) * d);
            }
        }
        free(q);
    }
}

/* From dcontext [A, H]: dq [A, H], dk and dv [T, H], with the strides of q, k and v. */
void attend_back(const AttentionInputs *in, long A, const float *dcontext, const float *norms,
                 float *dq, float *dk, float *dv) {
    const long d = in->d, d16 = multiple_of_16(d), h = in->h;
    const float scale = 1.0f / sqrtf((float)d);
#pragma omp parallel for schedule(dynamic)
    for (long task = 0; task < in->N * h; task++) {
        long row = task / h, head = task % h, begin = in->begins[row];
        long L = in->lengths[row], L16 = multiple_of_16(L);
        long a = in->first_only ? 1 : L, a16 = multiple_of_16(a);
        long first_attending = in->first_only ? row : begin;
        float *q = allocate((2 * a16 + 5 * L16) * d16 + 2 * a16 * L16); /* [a16, d16] */
        float *copies = q + a16 * d16;                                  /* [2, L16, d16] */
        float *transposed = copies + 2 * L16 * d16;                     /* [d16, L16] */
        float *g = transposed + L16 * d16;                              /* [a16, d16] dcontext */
        float *out = g + a16 * d16;                                     /* [a16 or L16, d16] */
        float *weights = out + 2 * L16 * d16;                           /* [a16, L16] */
        float *dscores = weights + a16 * L16;                           /* [a16, L16] */
        const float *from_q = in->q + first_attending * in->q_stride + head * in->q_head;
        gather(from_q, in->q_stride, in->q_bias + head * d, a, d, d16, scale, q);
        const float *k = part_of_head(in, in->k, in->k_bias, begin, head, L, copies);
        const float *v = part_of_head(in, in->v, in->v_bias, begin, head, L, copies + L16 * d16);
        const float *from_g = dcontext + first_attending * h * d + head * d;
        gather(from_g, h * d, NULL, a, d, d16, 1.0f, g);
        transpose(k, L16, d16, transposed);
        product(a16, L16, d16, q, d16, 1, transposed, weights);
        transpose(v, L16, d16, transposed);
        product(a16, L16, d16, g, d16, 1, transposed, dscores);
        Dropout dropout = dropout_of(in->p, seed_of(in->seed, task));
        memset(weights + a * L16, 0, (a16 - a) * L16 * sizeof(float));
        memset(dscores + a * L16, 0, (a16 - a) * L16 * sizeof(float));
        float *softmax = transposed; /* its first L floats are free again */
        for (long i = 0; i < a; i++) {
            /* w: scores, then the weights after dropout; s: gradients of w, then of the scores */
            float *w = weights + i * L16, *s = dscores + i * L16;
            float norm = norms[head * A + first_attending + i], projection = 0.0f;
            for (long j = 0; j < L; j++) {
                float weight = exponential(w[j] - norm);
                float factor = dropout_at(dropout, (uint32_t)(i * L + j));
                w[j] = weight * factor;
                projection += w[j] * s[j];
                s[j] = w[j] * s[j];
                softmax[j] = weight;
            }
            for (long j = 0; j < L; j++) s[j] -= softmax[j] * projection;
            for (long j = L; j < L16; j++) w[j] = s[j] = 0.0f;
        }
        product(a16, d16, L, dscores, L16, 1, k, out);
        float *to_q = dq + first_attending * in->q_stride + head * in->q_head;
        scatter(out, a, d, d16, scale, in->q_stride, to_q);
        product(L16, d16, a, dscores, 1, L16, q, out);
        scatter(out, L, d, d16, 1.0f, in->kv_stride, dk + begin * in->kv_stride + head * in->kv_head);
        product(L16, d16, a, weights, 1, L16, g, out);
        scatter(out, L, d, d16, 1.0f, in->kv_stride, dv + begin * in->kv_stride + head * in->kv_head);
        free(q);
    }
}

/* total [H] = the sum of x [T, H] over its tokens. */
void column_sums(const float *x, long T, long H, float *total) {
    long threads = omp_get_max_threads();
    float *sums = calloc(threads * H, sizeof(float));
#pragma omp parallel
    {
        long begin, end;
        part_of_this_thread(T, &begin, &end);
        float *sum = sums + omp_get_thread_num() * H;
        for (long t = begin; t < end; t++)
            for (long i = 0; i < H; i++) sum[i] += x[t * H + i];
    }
    add_sums(sums, threads, H, total);
    free(sums);
}
