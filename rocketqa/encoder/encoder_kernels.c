/* The whole encoder, forward only, for processors that have AVX2: in float32, or with 8-bit matrix
   products. `inference/kernel_encoder.py` packs the weights and calls `encode_rows`.

   In 8 bits, a product of two numbers is exact, and so is their sum: only the rounding of the inputs
   is lost. Each token is rounded on its own, x = lowest + scale q with q from 0 to 255, and each
   column of the weights, w = scale r with r from -127 to 127. Without VNNI it is -64 to 64: then two
   products q r fit into 16 bits, which is what the fastest instruction of AVX2 adds up. What lies
   between these products is float32, but for those of attention where there is VNNI
   (`rounded_attention.h`). In both forms nothing depends on the other rows of a batch.

   Letters: those of cpu_kernels.c, and
       F  size of the feed-forward layer   K, C  inputs and outputs of a product */
#include "cpu_kernels.h"
#include "float32_tile.h"
#include "rounded_attention.h"
#include <omp.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif
#ifdef __AMX_INT8__
#include "amx_products.h"
#endif

/* Rows of an 8-bit product that are computed together, registers of their columns, and the columns of
   a register. */
#ifdef __AVX512VNNI__
enum { ROWS = 6, REGISTERS = 4, LANES = 16 };
#else
enum { ROWS = 4, REGISTERS = 2, LANES = 8 };
#endif
/* Rows of a float32 product that are computed together. FETCHES: whether it reads weights faster
   than they come from the last level of the cache, unless they are fetched before. */
enum { EXACT_ROWS = TILE_SUMS / TILE_REGISTERS, FETCHES = WIDTH == 16 };
/* Tokens that pass through a layer's products together, so that what lies between stays in the
   processor's cache. */
#ifdef __AMX_INT8__
enum { BLOCK = 2 * AMX_BLOCK };
#else
enum { BLOCK = 48 };
#endif
typedef int32_t integers __attribute__((vector_size(4 * LANES)));
typedef float lanes __attribute__((vector_size(4 * LANES)));

/* A dense layer. Where K is no multiple of 8 or C of 16, zeros are added; float32 adds none to K.
   weights: r as [C / 16, K / 4, 16, 4], or w in float32 as [C / 16, K, 16]. bias: [C].
   Of 8 bits alone, else NULL: scales: [C]; sums: [C], of each column of w. */
typedef struct {
    const void *weights;
    const float *scales, *sums, *bias;
    long K, C;
} Product;

/* Norms: [H]. */
typedef struct {
    Product query, keys_values, out, up, down;
    const float *gamma1, *beta1, *gamma2, *beta2;
} Layer;

/* words, positions, types: tables of [entries, H]; task: [H], or NULL. gamma, beta: [H].
   first_only: of the last layer only the first token of each row is computed. */
typedef struct {
    const Layer *layers;
    const float *words, *positions, *types, *task, *gamma, *beta;
    long layer_count, H, F, h, first_only, relu;
    float epsilon;
} Encoder;

/* The rows of a batch. begins, lengths: [N]; the others: [T]. */
typedef struct {
    const int64_t *token_ids, *type_ids, *begins, *lengths;
    long T, N;
} Batch;

/* The tokens that a product takes, [n, stride]: float32, or in 8 bits with scales and lowest [n]. */
typedef struct {
    const float *exact;
    uint8_t *values;
    float *scales, *lowest;
    long stride;
} Inputs;

/* Where the outputs of a product go: column c of token t to
   at + c / columns * group + c % columns + t * stride. */
typedef struct {
    float *at;
    long stride, columns, group;
} Outputs;

/* What a block of tokens needs on its way through a layer. */
typedef struct {
    Inputs inputs;
    float *wide, *narrow; /* [BLOCK, F or H, the larger, padded to 16], [BLOCK, H padded to 16] */
} Scratch;

/* Returns the largest r; 0 where the kernels do not run on this processor. */
long largest_rounded_weight(void) {
#if defined(__AVX512VNNI__)
    return 127;
#elif defined(__AVX2__)
    return 64;
#else
    return 0;
#endif
}

static inline long multiple_of_8(long n) { return (n + 7) / 8 * 8; }

/* Returns the bits of a number without its sign. */
static inline int32_t bits_of(float x) {
    union { float value; int32_t bits; } number = {x};
    return number.bits & INT32_MAX;
}

/* Sets the least and the largest of n numbers, and returns whether all are finite. That is seen by
   their bits, because the compiler may take x * 0 for 0. Two numbers are compared with each other
   first, because a step of the loop has to wait for the result of the step before. */
static inline long finite_extremes(const float *x, long n, float *least, float *largest) {
    const int32_t infinite = 0x7f800000;
    long half = n / 2;
    float low = x[n - 1], high = x[n - 1];
    int32_t most = bits_of(x[n - 1]);
#pragma omp simd reduction(min : low) reduction(max : high, most)
    for (long i = 0; i < half; i++) {
        float a = x[i], b = x[half + i], smaller = a < b ? a : b, larger = a > b ? a : b;
        int32_t bits = bits_of(a), other = bits_of(b), more = bits > other ? bits : other;
        low = smaller < low ? smaller : low;
        high = larger > high ? larger : high;
        most = more > most ? more : most;
    }
    *least = low;
    *largest = high;
    return most < infinite;
}

/* Rounds x [K] as one row of the inputs. With a number that is not finite its scale is not one
   either. */
static void round_row(const float *x, long K, long row, Inputs *to) {
    uint8_t *values = to->values + row * to->stride;
    float lowest, highest;
    long finite = finite_extremes(x, K, &lowest, &highest);
    float scale = (highest - lowest) / 255.0f, inverse = scale > 0.0f ? 1.0f / scale : 0.0f;
    for (long k = 0; k < K; k++)
        values[k] = (uint8_t)(int32_t)((x[k] - lowest) * inverse + 0.5f);
    memset(values + K, 0, to->stride - K);
    to->scales[row] = finite ? scale : NAN;
    to->lowest[row] = lowest;
}

#ifdef __AVX512VNNI__
/* The sums of q r for ROWS rows and the columns of REGISTERS panels. It is inlined, so that the sums
   stay in registers. next, step: as in float32_tile. */
static inline __attribute__((always_inline)) void tile(const Inputs *rows, long row, long K8,
                                                       const int8_t *const panels[REGISTERS],
                                                       const int8_t *next, long step,
                                                       integers sum[ROWS][REGISTERS]) {
    const uint8_t *values = rows->values + row * rows->stride;
    for (long k = 0; k < K8; k += 4) {
        __m512i weights[REGISTERS];
        __builtin_prefetch(next + k * step, 0, 2);
#pragma GCC unroll 4
        for (int v = 0; v < REGISTERS; v++) {
            weights[v] = _mm512_loadu_si512(panels[v] + k * PANEL);
            __builtin_prefetch(panels[v] + (k + 4 * AHEAD) * PANEL);
        }
#pragma GCC unroll 6
        for (int i = 0; i < ROWS; i++) {
            int32_t four;
            memcpy(&four, values + i * rows->stride + k, sizeof four);
            __m512i same = _mm512_set1_epi32(four);
#pragma GCC unroll 4
            for (int v = 0; v < REGISTERS; v++)
                sum[i][v] = (integers)_mm512_dpbusd_epi32((__m512i)sum[i][v], same, weights[v]);
        }
    }
}
#elif defined(__AVX2__)
/* sum += the products of four values with four weights, for 8 columns. It is written as
   instructions, because a compiler that moves them runs out of registers. */
static inline __attribute__((always_inline)) __m256i add_products(__m256i sum, __m256i values,
                                                                  const __m256i *weights) {
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i products;
    __asm__("vpmaddubsw %3, %2, %0\n\tvpmaddwd %4, %0, %0\n\tvpaddd %0, %1, %1"
            : "=&x"(products), "+x"(sum)
            : "x"(values), "m"(*weights), "x"(ones));
    return sum;
}

/* The sums of q r for ROWS rows and 16 columns, two registers of the same panel. */
static inline __attribute__((always_inline)) void tile(const Inputs *rows, long row, long K8,
                                                       const int8_t *const panels[REGISTERS],
                                                       const int8_t *next, long step,
                                                       integers sum[ROWS][REGISTERS]) {
    const __m256i *w = (const __m256i *)panels[0];
    const uint8_t *values = rows->values + row * rows->stride;
    for (long k = 0; k < K8; k += 4, w += 2) {
        __builtin_prefetch(next + k * step, 0, 2);
#pragma GCC unroll 4
        for (int i = 0; i < ROWS; i++) {
            int32_t four;
            memcpy(&four, values + i * rows->stride + k, sizeof four);
            __m256i same = _mm256_set1_epi32(four);
            sum[i][0] = (integers)add_products((__m256i)sum[i][0], same, w);
            sum[i][1] = (integers)add_products((__m256i)sum[i][1], same, w + 1);
        }
    }
}
#endif

#ifdef __AVX2__
/* Makes x [n, K], whose rows are row_of_x floats apart, the inputs of a product. */
static void take_rows(const Product *product, const float *x, long n, long row_of_x, Inputs *to) {
    if (product->scales) {
        to->stride = multiple_of_8(product->K);
        for (long row = 0; row < n; row++) round_row(x + row * row_of_x, product->K, row, to);
    } else {
        to->exact = x;
        to->stride = row_of_x;
    }
}

/* Where column c of the first token goes. */
static inline float *outputs_at(const Outputs *to, long c) {
    return to->at + c / to->columns * to->group + c % to->columns;
}

/* One register of numbers that belong to columns, as their scales do. */
static inline lanes register_at(const float *of_columns) {
    lanes some;
    memcpy(&some, of_columns, sizeof some);
    return some;
}

/* A register of columns of an 8-bit product: its weights, and what makes outputs of its sums. */
typedef struct {
    const int8_t *weights;
    lanes scales, sums, bias;
    float *y; /* where the outputs of the first token go */
} RoundedColumns;

/* The register that begins at column c; behind the last column, that register once more. */
static inline RoundedColumns rounded_columns(const Product *product, long c, const Outputs *to) {
    long C16 = multiple_of_16(product->C), column = c < C16 ? c : C16 - LANES;
    const int8_t *weights = product->weights;
    return (RoundedColumns){
        weights + column / PANEL * PANEL * multiple_of_8(product->K),
        register_at(product->scales + column), register_at(product->sums + column),
        register_at(product->bias + column), outputs_at(to, column)};
}

/* Writes the outputs of one token for a register of columns, of the sums of its products. The empty
   instruction keeps the order of the sums the same wherever this is inlined. */
static inline __attribute__((always_inline)) void write_outputs(
    integers sum, const Inputs *x, long row, const RoundedColumns *columns, const Outputs *to) {
    float scale = x->scales[row], lowest = x->lowest[row];
    lanes products = __builtin_convertvector(sum, lanes);
    lanes factors = scale * columns->scales, offsets = lowest * columns->sums + columns->bias;
    __asm__("" : "+v"(factors), "+v"(offsets));
    lanes outputs = products * factors + offsets;
    memcpy(columns->y + row * to->stride, &outputs, sizeof outputs);
}

#ifdef __AMX_INT8__
static void multiply_by_amx(const Product *product, const Inputs *x, long n, const Outputs *to) {
    long K = product->K, C16 = multiple_of_16(product->C);
    begin_amx();
    for (long c = 0; c < C16; c += AMX_BLOCK) {
        RoundedColumns columns[] = {rounded_columns(product, c, to),
                                    rounded_columns(product, c + LANES, to)};
        const int8_t *panels[] = {columns[0].weights, columns[1].weights};
        for (long row = 0; row < n; row += AMX_BLOCK) {
            _Alignas(64) AmxSums sums;
            long count = n - row < AMX_BLOCK ? n - row : AMX_BLOCK;
            amx_sums(x->values + row * x->stride, x->stride, K, panels, sums);
            for (long i = 0; i < count; i++)
                for (int v = 0; v < 2; v++)
                    write_outputs(*(const integers *)sums[v][i], x, row + i, columns + v, to);
        }
    }
    end_amx();
}
#endif

static void multiply_rounded(const Product *product, const Inputs *x, long n, const Outputs *to) {
    long K8 = multiple_of_8(product->K), C16 = multiple_of_16(product->C);
    long tiles = (n + ROWS - 1) / ROWS;
    long fetched = (REGISTERS * LANES + tiles - 1) / tiles; /* in a step of a tile */
    for (long c = 0; c < C16; c += REGISTERS * LANES) {
        RoundedColumns columns[REGISTERS];
        const int8_t *panels[REGISTERS];
        for (int v = 0; v < REGISTERS; v++) {
            columns[v] = rounded_columns(product, c + v * LANES, to);
            panels[v] = columns[v].weights;
        }
        const int8_t *next = (const int8_t *)product->weights + (c + REGISTERS * LANES) * K8;
        for (long row = 0; row < n; row += ROWS, next += fetched * K8) {
            integers sum[ROWS][REGISTERS] = {{{0}}};
            tile(x, row, K8, panels, next, fetched, sum);
#pragma GCC unroll 6
            for (int i = 0; i < ROWS; i++) {
                if (row + i == n) break;
#pragma GCC unroll 4
                for (int v = 0; v < REGISTERS; v++)
                    write_outputs(sum[i][v], x, row + i, columns + v, to);
            }
        }
    }
}

static void multiply_exact(const Product *product, const Inputs *x, long n, const Outputs *to) {
    long K = product->K, C16 = multiple_of_16(product->C);
    long tiles = (n + EXACT_ROWS - 1) / EXACT_ROWS;
    long fetched = FETCHES ? (TILE_REGISTERS * WIDTH + tiles - 1) / tiles : 0; /* in a step */
    const float *weights = product->weights;
    for (long c = 0; c < C16; c += TILE_REGISTERS * WIDTH) {
        const float *columns[TILE_REGISTERS];
        vector bias[TILE_REGISTERS];
        float *y[TILE_REGISTERS];
        for (int v = 0; v < TILE_REGISTERS; v++) { /* as in rounded_columns */
            long column = c + v * WIDTH < C16 ? c + v * WIDTH : C16 - WIDTH;
            columns[v] = column_at(weights, K, column);
            bias[v] = *(const anywhere *)(product->bias + column);
            y[v] = outputs_at(to, column);
        }
        const float *next = weights + (c + TILE_REGISTERS * WIDTH) * K;
        for (long row = 0; row < n; row += EXACT_ROWS, next += fetched * K) {
            long count = n - row < EXACT_ROWS ? n - row : EXACT_ROWS;
            vector sum[TILE_SUMS] = {{0}};
            float32_tile(TILE_REGISTERS, x->exact + row * x->stride, count, x->stride, K, columns,
                         next, fetched, sum);
#pragma GCC unroll 8
            for (int i = 0; i < EXACT_ROWS; i++) {
                if (i == count) break;
#pragma GCC unroll 3
                for (int v = 0; v < TILE_REGISTERS; v++)
                    *(anywhere *)(y[v] + (row + i) * to->stride) =
                        sum[i * TILE_REGISTERS + v] + bias[v];
            }
        }
    }
}

/* x W + bias of n tokens, with C padded to 16, to where the outputs go. */
static void multiply_to(const Product *product, const Inputs *x, long n, const Outputs *to) {
    if (!product->scales) multiply_exact(product, x, n, to);
#ifdef __AMX_INT8__
    else if (amx_takes(product->K)) multiply_by_amx(product, x, n, to);
#endif
    else multiply_rounded(product, x, n, to);
}

/* y [n, C padded to 16] = x W + bias. */
static void multiply(const Product *product, const Inputs *x, long n, float *y) {
    Outputs rows = {y, multiple_of_16(product->C), multiple_of_16(product->C), 0};
    multiply_to(product, x, n, &rows);
}

/* Whether a head of d numbers fills registers of 16-bit numbers, so that heads lie one after the
   other. */
static inline int lies_by_heads(long d) { return d % 32 == 0; }

/* The outputs of a product of q, or of k and v, from token `begin` on: one head after the other,
   [heads, tokens, d], so that attention reads neighbours; or where a head does not fill registers,
   [tokens, C padded to 16]. */
static Outputs by_heads(const Product *product, float *y, long begin, long tokens, long d) {
    if (lies_by_heads(d)) return (Outputs){y + begin * d, d, d, tokens * d};
    long C16 = multiple_of_16(product->C);
    return (Outputs){y + begin * C16, C16, d, d};
}

/* x = norm(x + y), [H] each. */
static void add_norm_row(float *x, const float *y, const float *gamma, const float *beta,
                         float epsilon, long H) {
    float mean = 0.0f, square = 0.0f;
    for (long i = 0; i < H; i++) {
        x[i] += y[i];
        mean += x[i];
    }
    mean /= H;
    for (long i = 0; i < H; i++) square += (x[i] - mean) * (x[i] - mean);
    float scale = 1.0f / sqrtf(square / H + epsilon);
    for (long i = 0; i < H; i++) x[i] = (x[i] - mean) * scale * gamma[i] + beta[i];
}

/* Returns P(X < x) of the standard normal distribution by a polynomial, so that x P(X < x), gelu, has
   an error of at most 3e-4: less than its rounding to 8 bits adds. */
static inline float fast_cumulative(float x) {
    float above = x > -4.0f ? x : -4.0f, z = above < 4.0f ? above : 4.0f, s = z * z;
    float p = 2.19240253e-8f;
    p = p * s - 1.55790925e-6f;
    p = p * s + 4.72356459e-5f;
    p = p * s - 8.08254668e-4f;
    p = p * s + 8.75298735e-3f;
    p = p * s - 6.45587985e-2f;
    p = p * s + 3.97906679e-1f;
    p = 0.5f + z * p;
    p = p > 0.0f ? p : 0.0f;
    return p < 1.0f ? p : 1.0f;
}

static void activate(float *x, long n, long relu, long exact) {
    float density;
    if (relu)
        for (long i = 0; i < n; i++) x[i] = x[i] < 0.0f ? 0.0f : x[i];
    else if (exact)
        for (long i = 0; i < n; i++) x[i] *= cumulative(x[i], &density);
    else
        for (long i = 0; i < n; i++) x[i] *= fast_cumulative(x[i]);
}

/* Activates x [n, row_of_x] and makes it the inputs of a product, each row while it is cached. */
static void take_activated_rows(const Product *product, float *x, long n, long row_of_x, long relu,
                                Inputs *to) {
    to->exact = x;
    to->stride = product->scales ? multiple_of_8(product->K) : row_of_x;
    for (long row = 0; row < n; row++) {
        activate(x + row * row_of_x, row_of_x, relu, !product->scales);
        if (product->scales) round_row(x + row * row_of_x, product->K, row, to);
    }
}

/* hidden [T, H] = norm(word + position + type + task). */
static void embed(const Encoder *encoder, const Batch *batch, float *hidden) {
    long H = encoder->H;
    for (long row = 0; row < batch->N; row++)
        for (long place = 0; place < batch->lengths[row]; place++) {
            long t = batch->begins[row] + place;
            const float *word = encoder->words + batch->token_ids[t] * H;
            const float *type = encoder->types + batch->type_ids[t] * H;
            float *x = hidden + t * H;
            for (long i = 0; i < H; i++)
                x[i] = word[i] + type[i] + (encoder->task ? encoder->task[i] : 0.0f);
            const float *position = encoder->positions + place * H;
            add_norm_row(x, position, encoder->gamma, encoder->beta, encoder->epsilon, H);
        }
}

/* What follows attention in a layer, for a block of tokens: hidden [n, H] in and out. */
static void feed_forward(const Encoder *encoder, const Layer *layer, const float *context, long n,
                         Scratch *scratch, float *hidden) {
    long H = encoder->H, H16 = multiple_of_16(H), F16 = multiple_of_16(encoder->F);
    Inputs *inputs = &scratch->inputs;
    float *wide = scratch->wide;
    take_rows(&layer->out, context, n, H, inputs);
    multiply(&layer->out, inputs, n, wide);
    for (long t = 0; t < n; t++)
        add_norm_row(hidden + t * H, wide + t * H16, layer->gamma1, layer->beta1,
                     encoder->epsilon, H);
    take_rows(&layer->up, hidden, n, H, inputs);
    multiply(&layer->up, inputs, n, wide);
    take_activated_rows(&layer->down, wide, n, F16, encoder->relu, inputs);
    multiply(&layer->down, inputs, n, scratch->narrow);
    for (long t = 0; t < n; t++)
        add_norm_row(hidden + t * H, scratch->narrow + t * H16, layer->gamma2, layer->beta2,
                     encoder->epsilon, H);
}

/* Moves the first token of each row to the begin of hidden [T, H], and computes q [N, H] of them. */
static void query_first_tokens(const Layer *layer, const Batch *batch, long H, long d,
                               Inputs *inputs, float *hidden, float *q) {
    for (long row = 0; row < batch->N; row++)
        memmove(hidden + row * H, hidden + batch->begins[row] * H, H * sizeof(float));
    for (long begin = 0; begin < batch->N; begin += BLOCK) {
        long count = batch->N - begin < BLOCK ? batch->N - begin : BLOCK;
        Outputs to_q = by_heads(&layer->query, q, begin, batch->N, d);
        take_rows(&layer->query, hidden + begin * H, count, H, inputs);
        multiply_to(&layer->query, inputs, count, &to_q);
    }
}

/* context [A, H]; with `rounded` in 16 bits where the processor has the instructions. */
static void attend_in(int rounded, const AttentionInputs *in, long A, float *context) {
#ifdef __AVX512VNNI__
    if (rounded && lies_by_heads(in->d)) {
        attend_rounded(in, context);
        return;
    }
#endif
    (void)rounded;
    attend(in, A, context, NULL);
}

/* hidden: [T, H] in, [A, H] out. q, kv and context: [A, H], [T, 2 H], [A, H]. */
static void run_layer(const Encoder *encoder, const Layer *layer, const Batch *batch,
                      long first_only, Scratch *scratch, float *hidden, float *q, float *kv,
                      float *context) {
    long H = encoder->H, d = H / encoder->h, T = batch->T, A = first_only ? batch->N : T;
    Inputs *inputs = &scratch->inputs;
    for (long begin = 0; begin < T; begin += BLOCK) {
        long count = T - begin < BLOCK ? T - begin : BLOCK;
        Outputs to_q = by_heads(&layer->query, q, begin, A, d);
        Outputs to_kv = by_heads(&layer->keys_values, kv, begin, T, d);
        take_rows(&layer->query, hidden + begin * H, count, H, inputs);
        multiply_to(&layer->keys_values, inputs, count, &to_kv);
        if (!first_only) multiply_to(&layer->query, inputs, count, &to_q);
    }
    if (first_only) query_first_tokens(layer, batch, H, d, inputs, hidden, q);
    Outputs at_q = by_heads(&layer->query, q, 0, A, d);
    Outputs at_k = by_heads(&layer->keys_values, kv, 0, T, d);
    AttentionInputs attended = {
        q, kv, kv + encoder->h * at_k.group, NULL, NULL, NULL, batch->begins, batch->lengths,
        at_q.stride, at_q.group, at_k.stride, at_k.group, batch->N, encoder->h, d, first_only,
        0.0f, 0};
    attend_in(layer->query.scales != NULL, &attended, A, context);
    for (long begin = 0; begin < A; begin += BLOCK) {
        long count = A - begin < BLOCK ? A - begin : BLOCK;
        feed_forward(encoder, layer, context + begin * H, count, scratch, hidden + begin * H);
    }
}

/* hidden [T, H]: the outputs of the last layer; with first_only [N, H] of them. It takes one
   thread: the caller calls it in as many threads as it likes. */
void encode_rows(const Encoder *encoder, const Batch *batch, float *hidden) {
    long H = encoder->H, F = encoder->F, T = batch->T, wider = F > H ? F : H;
    int threads = omp_get_max_threads();
    omp_set_num_threads(1);
    float *q = allocate(T * multiple_of_16(H)), *context = allocate(T * H);
    float *kv = allocate((T + 15) * multiple_of_16(2 * H)); /* attention reads beyond the last row */
    long bytes = multiple_of_16(BLOCK + ROWS) * multiple_of_16(wider); /* a tile reads whole rows */
    uint8_t *values = memset(aligned_alloc(64, bytes), 0, bytes);
    Scratch scratch = {{NULL, values, allocate(BLOCK), allocate(BLOCK), 0},
                       allocate(BLOCK * multiple_of_16(wider)),
                       allocate(BLOCK * multiple_of_16(H))};
    embed(encoder, batch, hidden);
    for (long layer = 0; layer < encoder->layer_count; layer++)
        run_layer(encoder, encoder->layers + layer, batch,
                  encoder->first_only && layer == encoder->layer_count - 1, &scratch, hidden, q,
                  kv, context);
    void *owned[] = {q, kv, context, values, scratch.inputs.scales, scratch.inputs.lowest,
                     scratch.wide, scratch.narrow};
    for (int i = 0; i < 8; i++) free(owned[i]);
    omp_set_num_threads(threads);
}
#endif
