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

enum { CHUNK = 2 * TILE_SUMS }; /* passages that stay in the cache while all queries pass them */

/* Sets sums [TILE_SUMS / registers, registers] to the products of passages and registers of queries,
   as float32_tile does. */
static void multiply_tile(long registers, const float *x, long count, long H,
                          const float *const columns[], vector sums[TILE_SUMS]) {
    vector sum[TILE_SUMS] = {{0}};
    if (registers == TILE_REGISTERS)
        float32_tile(TILE_REGISTERS, x, count, H, H, columns, x, 0, sum);
    else if (registers == 2) float32_tile(2, x, count, H, H, columns, x, 0, sum);
    else float32_tile(1, x, count, H, H, columns, x, 0, sum);
    memcpy(sums, sum, sizeof sum);
}

/* Writes float32 products of the passages `begin` to `end` of a part, [n, H], with all queries:
   [Q / PANEL, n, PANEL]. panels: the queries, [Q / PANEL, H, PANEL]. Q: a multiple of PANEL. */
void multiply_queries(const float *panels, const float *passages, long Q, long n, long H,
                      long begin, long end, float *products) {
    vector sums[TILE_SUMS];
    for (long chunk = begin; chunk < end; chunk += CHUNK)
        for (long query = 0, registers; query < Q; query += registers * WIDTH) {
            const float *columns[TILE_REGISTERS];
            registers = (Q - query) / WIDTH < TILE_REGISTERS ? (Q - query) / WIDTH : TILE_REGISTERS;
            for (long v = 0; v < registers; v++)
                columns[v] = column_at(panels, H, query + v * WIDTH);
            long rows = TILE_SUMS / registers;
            for (long row = chunk; row < end && row < chunk + CHUNK; row += rows) {
                long count = end - row < rows ? end - row : rows;
                multiply_tile(registers, passages + row * H, count, H, columns, sums);
                for (long first = 0; first < registers * WIDTH; first += PANEL)
                    for (long i = 0; i < count; i++)
                        memcpy(products + ((query + first) / PANEL * n + row + i) * PANEL,
                               (const float *)sums + i * registers * WIDTH + first,
                               PANEL * sizeof(float));
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

static float median(float a, float b, float c) {
    float larger = a > b ? a : b, smaller = a > b ? b : a;
    return c > larger ? larger : c < smaller ? smaller : c;
}

/* Moves those of the numbers from `begin` to `end` that are at least `least` (or above it, where
   `above`) before the others; returns where these begin. No branch depends on a number. */
static long moved(float *all, long begin, long end, float least, int above) {
    long next = begin;
    for (long i = begin; i < end; i++) {
        float number = all[i];
        all[i] = all[next];
        all[next] = number;
        next += above ? number > least : number >= least;
    }
    return next;
}

/* Returns the count-th largest of `size` numbers, which it moves about (quickselect). */
static float count_th_largest(float *all, long size, long count) {
    long begin = 0, end = size, wanted = count - 1;
    for (;;) {
        float pivot = median(all[begin], all[begin + (end - begin) / 2], all[end - 1]);
        long larger = moved(all, begin, end, pivot, 1);
        if (wanted < larger) {
            end = larger;
            continue;
        }
        begin = moved(all, larger, end, pivot, 0);
        if (wanted < begin || begin == larger) return pivot; /* the latter: it is no number */
    }
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

enum { DOUBLES = sizeof(doubles) / sizeof(double) };
enum { SUMS = 8 }; /* that are added side by side, so that no addition waits for the one before */
enum { LINE = 16 }; /* floats of a line of the cache */

static void widen(const float *p, long H, double *wide) {
    long i = 0;
    for (; i + DOUBLES <= H; i += DOUBLES) *(doubles *)(wide + i) = widened(p + i);
    for (; i < H; i++) wide[i] = p[i];
}

/* The float64 inner product of q and p. `next` is the query that is multiplied after q: it is on its
   way to the cache meanwhile. */
static double inner_product(const float *q, const float *next, const double *p, long H) {
    doubles sums[SUMS] = {{0.0}}, sum = {0.0};
    double total = 0.0;
    long i = 0;
    for (; i + SUMS * DOUBLES <= H; i += SUMS * DOUBLES)
#pragma GCC unroll 8
        for (int j = 0; j < SUMS; j++) {
            long at = i + j * DOUBLES;
            if (j * DOUBLES % LINE == 0) __builtin_prefetch(next + at);
            sums[j] += *(const doubles *)(p + at) * widened(q + at);
        }
    for (int j = 0; j < SUMS; j++) sum += sums[j];
    for (int j = 0; j < DOUBLES; j++) total += sum[j];
    for (; i < H; i++) total += q[i] * p[i];
    return total;
}

/* Returns the first place of an ascending list of C rows that is at least `row`; C if there is
   none. */
static long place_of(const int64_t *rows, long C, long row) {
    long low = 0, high = C;
    while (low < high) {
        long middle = (low + high) / 2;
        if (rows[middle] < row) low = middle + 1;
        else high = middle;
    }
    return low;
}

typedef struct {
    int32_t query, place; /* of a candidate, in [Q, C] */
} Pair;

enum { ROWS = 1024 }; /* that are looked at together */
enum { SOONER = 2 };  /* rows, after which a row is in the cache that was asked for */

/* Writes the lowest scores that float64 inner products of queries [Q, H] with their candidates
   allow, and whether the highest are others, [Q, C] both, where `wanted` and where the candidate is
   one of the rows `begin` to `end`. It changes nothing elsewhere.
   vectors: [N, H]; norms: [N], of them; query_norms: [Q]; error: of a product whose norms are 1.
   rows, wanted: [Q, C], the rows of a query in ascending order. A row is read from memory once, and
   all queries that want it are multiplied with it. */
void score_candidates(const float *queries, const double *query_norms, const float *vectors,
                      const double *norms, double error, long Q, long C, long H, long begin,
                      long end, const int64_t *rows, const uint8_t *wanted, float *scores,
                      uint8_t *is_open) {
    double *p = aligned_alloc(64, (H * sizeof(double) + 63) / 64 * 64);
    long *next = malloc(Q * sizeof(long)), *after = malloc(Q * sizeof(long));
    Pair *pairs = malloc(Q * (C < ROWS ? C : ROWS) * sizeof(Pair)); /* by row */
    for (long query = 0; query < Q; query++) next[query] = place_of(rows + query * C, C, begin);
    for (long first = begin; first < end; first += ROWS) {
        long last = end - first < ROWS ? end : first + ROWS, found = 0;
        long ends[ROWS + 1] = {0}, present[ROWS];
        for (long query = 0; query < Q; query++) {
            const int64_t *of_query = rows + query * C;
            long place = next[query];
            for (; place < C && of_query[place] < last; place++)
                ends[of_query[place] - first + 1] += wanted[query * C + place];
            after[query] = place;
        }
        for (long i = 0; i < last - first; i++) {
            if (ends[i + 1]) present[found++] = i;
            ends[i + 1] += ends[i];
        }
        for (long query = 0; query < Q; query++) {
            for (long place = next[query]; place < after[query]; place++) {
                long at = query * C + place;
                if (wanted[at]) pairs[ends[rows[at] - first]++] = (Pair){query, place};
            }
            next[query] = after[query];
        }
        long pair = 0, count = ends[last - first - 1];
        for (long i = 0; i < found; i++) {
            long row = first + present[i];
            if (i + SOONER < found)
                for (long at = 0; at < H; at += LINE)
                    __builtin_prefetch(vectors + (first + present[i + SOONER]) * H + at);
            widen(vectors + row * H, H, p);
            for (; pair < ends[present[i]]; pair++) {
                long query = pairs[pair].query, at = query * C + pairs[pair].place;
                const float *later = queries + pairs[pair + 1 < count ? pair + 1 : pair].query * H;
                double product = inner_product(queries + query * H, later, p, H);
                double most = error * query_norms[query] * norms[row];
                scores[at] = (float)(product - most);
                is_open[at] = scores[at] != (float)(product + most);
            }
        }
    }
    free(p);
    free(next);
    free(after);
    free(pairs);
}
