/* What exact search computes. `search/kernels.py` calls these functions, in as many threads as it
   likes.

   Letters: Q queries, n passages of a part of a block, H vector size, C candidates of a query. */
#include "../encoder/float32_tile.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

enum { CHUNK = 4 * TILE_ROWS }; /* passages that stay in the cache while all queries pass them */

/* Writes float32 products of the passages `begin` to `end` of a part, [n, H], with all queries:
   [Q / PANEL, n, PANEL]. panels: the queries, [Q / PANEL, H, PANEL]. Q: a multiple of PANEL. */
void multiply_queries(const float *panels, const float *passages, long Q, long n, long H,
                      long begin, long end, float *products) {
    float tile[TILE_ROWS][TILE_COLUMNS] __attribute__((aligned(64)));
    for (long chunk = begin; chunk < end; chunk += CHUNK)
        for (long query = 0; query < Q; query += TILE_COLUMNS) {
            long queries = Q - query < TILE_COLUMNS ? PANEL : TILE_COLUMNS;
            long second = query + queries - WIDTH;
            const float *more = panels + second / PANEL * PANEL * H + second % PANEL;
            for (long row = chunk; row < end && row < chunk + CHUNK; row += TILE_ROWS) {
                long count = end - row < TILE_ROWS ? end - row : TILE_ROWS;
                float32_tile(passages + row * H, count, H, H, panels + query * H, more, tile[0]);
                for (long first = 0; first < queries; first += PANEL)
                    for (long i = 0; i < count; i++)
                        memcpy(products + ((query + first) / PANEL * n + row + i) * PANEL,
                               tile[i] + first, PANEL * sizeof(float));
            }
        }
}

enum { REGISTERS = 4 }; /* of sums, so that no addition waits for the one before */

static float float32_product(const float *q, const float *p, long H) {
    vector sums[REGISTERS] = {{0}}, sum = {0};
    float total = 0.0f;
    long i = 0;
    for (; i + REGISTERS * WIDTH <= H; i += REGISTERS * WIDTH)
        for (int j = 0; j < REGISTERS; j++)
            sums[j] += *(const anywhere *)(q + i + j * WIDTH) * *(const anywhere *)(p + i + j * WIDTH);
    for (int j = 0; j < REGISTERS; j++) sum += sums[j];
    for (int j = 0; j < WIDTH; j++) total += sum[j];
    for (; i < H; i++) total += q[i] * p[i];
    return total;
}

/* Does the same for fewer queries than fill a panel, [Q, H]: it reads them as they are, and reading
   the passages takes the time. Of products, [n, PANEL], it leaves the places without a query. */
void multiply_few_queries(const float *queries, const float *passages, long Q, long H, long begin,
                          long end, float *products) {
    for (long row = begin; row < end; row++)
        for (long query = 0; query < Q; query++)
            products[row * PANEL + query] =
                float32_product(queries + query * H, passages + row * H, H);
}

typedef struct {
    float product;
    int32_t row; /* in the block */
} Candidate;

/* Returns the count-th largest of `size` numbers, which it moves about (quickselect). */
static float count_th_largest(float *all, long size, long count) {
    long low = 0, high = size - 1, wanted = count - 1;
    while (low < high) {
        float first = all[low], middle = all[low + (high - low) / 2], last = all[high];
        float larger = first > middle ? first : middle, smaller = first > middle ? middle : first;
        float pivot = last > larger ? larger : last < smaller ? smaller : last; /* the median */
        long left = low, right = high;
        while (left <= right) {
            while (all[left] > pivot) left++;
            while (all[right] < pivot) right--;
            if (left > right) break;
            float exchanged = all[left];
            all[left++] = all[right];
            all[right--] = exchanged;
        }
        if (wanted <= right) high = right;
        else if (wanted >= left) low = left;
        else break;
    }
    return all[wanted];
}

/* Drops all but the `count` largest of `size` candidates, which keep their order; of equal ones at
   the end the first stay. Returns the least product that stays. scratch: [size]. */
static float keep_largest(Candidate *all, long size, long count, float *scratch) {
    for (long i = 0; i < size; i++) scratch[i] = all[i].product;
    float least = count_th_largest(scratch, size, count);
    long equal = count, kept = 0;
    for (long i = 0; i < size; i++) equal -= all[i].product > least;
    for (long i = 0; i < size; i++) {
        int stays = all[i].product > least || (all[i].product == least && equal-- > 0);
        all[kept] = all[i];
        kept += stays;
    }
    return least;
}

/* Returns a bit for each of PANEL products that is above its floor. */
static inline unsigned above_floors(const float *products, const float *floors) {
#if defined(__AVX512F__)
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(products), _mm512_loadu_ps(floors), _CMP_GT_OQ);
#else
    unsigned bits = 0;
    for (int j = 0; j < PANEL; j++) bits |= (unsigned)(products[j] > floors[j]) << j;
    return bits;
#endif
}

enum { SAMPLE = 512 }; /* products that tell where the C largest begin */

/* Sets floors, [PANEL], to numbers below the C largest of n products of each query, though not far
   below; to -INFINITY where the sample does not tell one. products: [n, PANEL]. scratch: [SAMPLE]. */
static void sample_floors(const float *products, long n, long C, float *floors, float *scratch) {
    float share = (float)C * SAMPLE / n; /* of the sample, expected above */
    long rank = share + 4 * sqrtf(share) + 4;
    int32_t above[PANEL] = {0};
    if (n < 2 * SAMPLE || rank > SAMPLE) return;
    for (int j = 0; j < PANEL; j++) {
        if (floors[j] == INFINITY) continue; /* a place without a query */
        for (long i = 0; i < SAMPLE; i++) scratch[i] = products[i * (n / SAMPLE) * PANEL + j];
        floors[j] = count_th_largest(scratch, SAMPLE, rank);
    }
    for (long i = 0; i < n; i++)
        for (int j = 0; j < PANEL; j++) above[j] += products[i * PANEL + j] > floors[j];
    for (int j = 0; j < PANEL; j++)
        if (above[j] < C && floors[j] != INFINITY) floors[j] = -INFINITY;
}

/* Adds the products of a part, [panels, n, PANEL], to the candidates of the queries,
   [panels * PANEL, room], by row. Of more than C products, those that are not among the C largest
   are dropped sooner or later. sizes: how many candidates a query has. floors: of each query, at
   first -INFINITY, or INFINITY for a place without one; products up to it are dropped. room: more
   than C. */
void add_candidates(const float *products, long panels, long n, long first_row, long C, long room,
                    Candidate *candidates, int64_t *sizes, float *floors) {
    float *scratch = malloc((room > SAMPLE ? room : SAMPLE) * sizeof(float));
    for (long panel = 0; panel < panels; panel++) {
        const float *from = products + panel * n * PANEL;
        Candidate *to = candidates + panel * PANEL * room;
        int64_t *size = sizes + panel * PANEL;
        float *floor = floors + panel * PANEL;
        if (size[0] == 0) sample_floors(from, n, C, floor, scratch);
        for (long i = 0; i < n; i++, from += PANEL)
            for (unsigned above = above_floors(from, floor); above; above &= above - 1) {
                int j = __builtin_ctz(above);
                Candidate *of_query = to + j * room;
                if (size[j] == room) {
                    floor[j] = keep_largest(of_query, room, C, scratch);
                    size[j] = C;
                    if (!(from[j] > floor[j])) continue;
                }
                of_query[size[j]++] = (Candidate){from[j], (int32_t)(first_row + i)};
            }
    }
    free(scratch);
}

/* Writes the C largest products and their rows, [Q, C] each, by row; all sizes are at least C. */
void take_candidates(long Q, long C, long room, Candidate *candidates, const int64_t *sizes,
                     float *products, int64_t *rows) {
    float *scratch = malloc(room * sizeof(float));
    for (long query = 0; query < Q; query++) {
        Candidate *from = candidates + query * room;
        keep_largest(from, sizes[query], C, scratch);
        for (long i = 0; i < C; i++) {
            products[query * C + i] = from[i].product;
            rows[query * C + i] = from[i].row;
        }
    }
    free(scratch);
}

/* As many numbers as fill a register, in float64, of float32 ones. */
#if defined(__AVX512F__)
typedef __m512d doubles;
static inline doubles widened(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
#elif defined(__AVX__)
typedef __m256d doubles;
static inline doubles widened(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
#else
typedef double doubles __attribute__((vector_size(16)));
static inline doubles widened(const float *p) { return (doubles){p[0], p[1]}; }
#endif
typedef doubles doubles_anywhere __attribute__((aligned(8))); /* of memory that is not aligned */

enum { DOUBLES = sizeof(doubles) / sizeof(double) };
enum { SUMS = 8 }; /* that are added side by side, so that no addition waits for the one before */
enum { LINE = 16 }; /* floats of a line of the cache */

/* The float64 inner product of q and p. `next` is the row that is multiplied after p: it is on its
   way to the cache meanwhile. */
static double inner_product(const double *q, const float *p, const float *next, long H) {
    doubles sums[SUMS] = {{0.0}}, sum = {0.0};
    double total = 0.0;
    long i = 0;
    for (; i + SUMS * DOUBLES <= H; i += SUMS * DOUBLES)
#pragma GCC unroll 8
        for (int j = 0; j < SUMS; j++) {
            long at = i + j * DOUBLES;
            if (j * DOUBLES % LINE == 0) __builtin_prefetch(next + at);
            sums[j] += *(const doubles_anywhere *)(q + at) * widened(p + at);
        }
    for (int j = 0; j < SUMS; j++) sum += sums[j];
    for (int j = 0; j < DOUBLES; j++) total += sum[j];
    for (; i < H; i++) total += q[i] * p[i];
    return total;
}

enum { PASSAGES = 128 }; /* rows that stay in the cache */

/* Writes the lowest scores that float64 inner products of queries [Q, H] with their candidates
   allow, and whether the highest are others, [Q, C] both, where `wanted`; 0 elsewhere.
   vectors: [N, H]; norms: [N], of them; query_norms: [Q]; error: of a product whose norms are 1.
   rows, wanted: [Q, C], the rows of a query in ascending order. All queries pass some rows before
   the next ones are read from memory. next: [Q], of this function. */
void score_candidates(const float *queries, const double *query_norms, const float *vectors,
                      const double *norms, double error, long Q, long C, long H, long N,
                      const int64_t *rows, const uint8_t *wanted, int64_t *next, float *scores,
                      uint8_t *is_open) {
    double *q = malloc(H * sizeof(double));
    memset(next, 0, Q * sizeof(int64_t));
    for (long end = PASSAGES; end < N + PASSAGES; end += PASSAGES)
        for (long query = 0; query < Q; query++) {
            const int64_t *of_query = rows + query * C;
            long place = next[query];
            if (place == C || of_query[place] >= end) continue;
            for (long i = 0; i < H; i++) q[i] = queries[query * H + i];
            for (; place < C && of_query[place] < end; place++) {
                long at = query * C + place, row = of_query[place];
                scores[at] = 0.0f;
                is_open[at] = 0;
                if (!wanted[at]) continue;
                long later = place + 1 < C ? place + 1 : place;
                double product = inner_product(q, vectors + row * H, vectors + of_query[later] * H, H);
                double most = error * query_norms[query] * norms[row];
                scores[at] = (float)(product - most);
                is_open[at] = scores[at] != (float)(product + most);
            }
            next[query] = place;
        }
    free(q);
}
