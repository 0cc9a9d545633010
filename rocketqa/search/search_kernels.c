/* What exact search computes besides its float32 matrix products. `search/kernels.py` calls these
   functions, in as many threads as it likes.

   Letters: Q queries, n passages of a part of a block, H vector size, C candidates of a query. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

enum { GROUP = 32 }; /* products whose largest is compared first */

/* Adds the products of a part, [Q, n], to the candidates of each query, [Q, room], by row. Of more
   than C products, those that are not among the C largest are dropped sooner or later.
   sizes: [Q], how many candidates there are. floors: [Q]; products up to it are dropped. */
void add_candidates(const float *products, long Q, long n, long first_row, long C, long room,
                    Candidate *candidates, int64_t *sizes, float *floors) {
    float *scratch = malloc(room * sizeof(float));
    for (long query = 0; query < Q; query++) {
        const float *from = products + query * n;
        Candidate *to = candidates + query * room;
        long size = sizes[query];
        float floor = floors[query];
        for (long begin = 0; begin < n; begin += GROUP) {
            long end = begin + GROUP < n ? begin + GROUP : n;
            float largest = from[begin];
            for (long i = begin + 1; i < end; i++) largest = from[i] > largest ? from[i] : largest;
            if (!(largest > floor)) continue;
            for (long i = begin; i < end; i++) {
                if (!(from[i] > floor)) continue;
                Candidate found = {from[i], (int32_t)(first_row + i)};
                to[size++] = found;
                if (size == room) {
                    floor = keep_largest(to, size, C, scratch);
                    size = C;
                }
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

enum { SUMS = 32 }; /* that are added side by side, so that no addition waits for the one before */

static double inner_product(const double *q, const float *p, long H) {
    double sums[SUMS] = {0.0}, total = 0.0;
    long i = 0;
    for (; i + SUMS <= H; i += SUMS)
        for (int j = 0; j < SUMS; j++) sums[j] += q[i + j] * p[i + j];
    for (int j = 0; j < SUMS; j++) total += sums[j];
    for (; i < H; i++) total += q[i] * p[i];
    return total;
}

enum { LINE = 16, PASSAGES = 128 }; /* floats of a line of the cache; rows that stay in it */

static inline void ask_for(const float *row, long H) {
    for (long i = 0; i < H; i += LINE) __builtin_prefetch(row + i);
}

/* Writes float64 inner products of queries [Q, H] with their candidates, [Q, C], where `wanted`.
   vectors: [N, H]; rows, wanted, results: [Q, C], the rows of a query in ascending order. All
   queries pass some rows before the next ones are read from memory. next: [Q], of this function. */
void multiply_candidates(const double *queries, const float *vectors, long Q, long C, long H,
                         long N, const int64_t *rows, const uint8_t *wanted, int64_t *next,
                         double *results) {
    memset(next, 0, Q * sizeof(int64_t));
    for (long end = PASSAGES; end < N + PASSAGES; end += PASSAGES)
        for (long query = 0; query < Q; query++) {
            const int64_t *of_query = rows + query * C;
            long place = next[query];
            if (place == C || of_query[place] >= end) continue;
            for (; place < C && of_query[place] < end; place++)
                if (wanted[query * C + place])
                    results[query * C + place] = inner_product(
                        queries + query * H, vectors + of_query[place] * H, H);
            if (place < C) ask_for(vectors + of_query[place] * H, H);
            next[query] = place;
        }
}
