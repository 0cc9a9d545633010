/* What exact search computes besides its float32 matrix products. `search/kernels.py` calls these
   functions, in as many threads as it likes.

   Letters: Q queries, n passages of a part of a block, H vector size, C candidates of a query. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifdef __AVX__
#include <immintrin.h>
#endif

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

enum { SAMPLE = 512 }; /* products that tell where the C largest begin */

/* Returns a number below the C largest of n products, though not far below; -INFINITY where the
   sample does not tell one. scratch: [SAMPLE]. */
static float sampled_floor(const float *products, long n, long C, float *scratch) {
    float share = (float)C * SAMPLE / n; /* of the sample, expected above */
    long rank = share + 4 * sqrtf(share) + 4, above = 0;
    if (n < 2 * SAMPLE || rank > SAMPLE) return -INFINITY;
    for (long i = 0; i < SAMPLE; i++) scratch[i] = products[i * (n / SAMPLE)];
    float floor = count_th_largest(scratch, SAMPLE, rank);
    for (long i = 0; i < n; i++) above += products[i] > floor;
    return above < C ? -INFINITY : floor;
}

enum { GROUP = 32 }; /* products that are looked at together */

/* Adds the products of a part, [Q, n], to the candidates of each query, [Q, room], by row. Of more
   than C products, those that are not among the C largest are dropped sooner or later.
   sizes: [Q], how many candidates there are. floors: [Q], at first -INFINITY; products up to it are
   dropped. room: at least C + GROUP. */
void add_candidates(const float *products, long Q, long n, long first_row, long C, long room,
                    Candidate *candidates, int64_t *sizes, float *floors) {
    float *scratch = malloc((room > SAMPLE ? room : SAMPLE) * sizeof(float));
    for (long query = 0; query < Q; query++) {
        const float *from = products + query * n;
        Candidate *to = candidates + query * room;
        long size = sizes[query];
        float floor = floors[query];
        if (size == 0) floor = sampled_floor(from, n, C, scratch);
        for (long begin = 0; begin < n; begin += GROUP) {
            long end = begin + GROUP < n ? begin + GROUP : n;
            int above = 0;
            for (long i = begin; i < end; i++) above |= from[i] > floor;
            if (!above) continue;
            if (size + GROUP > room) {
                floor = keep_largest(to, size, C, scratch);
                size = C;
            }
            for (long i = begin; i < end; i++) { /* it writes before it asks: no branch to guess */
                to[size] = (Candidate){from[i], (int32_t)(first_row + i)};
                size += from[i] > floor;
            }
        }
        sizes[query] = size;
        floors[query] = floor;
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

enum { WIDTH = sizeof(doubles) / sizeof(double) };
enum { SUMS = 8 }; /* that are added side by side, so that no addition waits for the one before */
enum { LINE = 16 }; /* floats of a line of the cache */

/* The float64 inner product of q and p. `next` is the row that is multiplied after p: it is on its
   way to the cache meanwhile. */
static double inner_product(const float *q, const float *p, const float *next, long H) {
    doubles sums[SUMS] = {{0.0}}, sum = {0.0};
    double total = 0.0;
    long i = 0;
    for (; i + SUMS * WIDTH <= H; i += SUMS * WIDTH)
#pragma GCC unroll 8
        for (int j = 0; j < SUMS; j++) {
            long at = i + j * WIDTH;
            if (j * WIDTH % LINE == 0) __builtin_prefetch(next + at);
            sums[j] += widened(q + at) * widened(p + at);
        }
    for (int j = 0; j < SUMS; j++) sum += sums[j];
    for (int j = 0; j < WIDTH; j++) total += sum[j];
    for (; i < H; i++) total += (double)q[i] * p[i];
    return total;
}

enum { PASSAGES = 128 }; /* rows that stay in the cache */

/* Writes float64 inner products of queries [Q, H] with their candidates, [Q, C], where `wanted`.
   vectors: [N, H]; rows, wanted, results: [Q, C], the rows of a query in ascending order. All
   queries pass some rows before the next ones are read from memory. next: [Q], of this function. */
void multiply_candidates(const float *queries, const float *vectors, long Q, long C, long H,
                         long N, const int64_t *rows, const uint8_t *wanted, int64_t *next,
                         double *results) {
    memset(next, 0, Q * sizeof(int64_t));
    for (long end = PASSAGES; end < N + PASSAGES; end += PASSAGES)
        for (long query = 0; query < Q; query++) {
            const int64_t *of_query = rows + query * C;
            long place = next[query];
            for (; place < C && of_query[place] < end; place++) {
                if (!wanted[query * C + place]) continue;
                long later = place + 1 < C ? place + 1 : place;
                results[query * C + place] =
                    inner_product(queries + query * H, vectors + of_query[place] * H,
                                  vectors + of_query[later] * H, H);
            }
            next[query] = place;
        }
}
