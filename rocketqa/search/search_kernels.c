/* What exact search computes besides its float32 matrix products. `search/kernels.py` calls these
   functions, in as many threads as it likes.

   Letters: Q queries, n passages of a part of a block, H vector size, C candidates of a query. */
#include <stdint.h>
#include <string.h>

typedef struct {
    float product;
    int32_t row; /* in the block */
} Candidate;

static inline void swap(Candidate *a, Candidate *b) {
    Candidate c = *a;
    *a = *b;
    *b = c;
}

/* Moves the `count` largest products of all `size` to the front (quickselect); returns the least of
   them. */
static float keep_largest(Candidate *all, long size, long count) {
    long low = 0, high = size - 1, last = count - 1;
    while (low < high) {
        long middle = low + (high - low) / 2, left = low, right = high;
        if (all[middle].product > all[low].product) swap(all + middle, all + low);
        if (all[high].product > all[low].product) swap(all + high, all + low);
        if (all[high].product > all[middle].product) swap(all + high, all + middle);
        float pivot = all[middle].product;
        while (left <= right) {
            while (all[left].product > pivot) left++;
            while (all[right].product < pivot) right--;
            if (left <= right) swap(all + left++, all + right--);
        }
        if (last <= right) high = right;
        else if (last >= left) low = left;
        else break;
    }
    return all[last].product;
}

enum { GROUP = 32 }; /* products whose largest is compared first */

/* Adds the products of a part, [Q, n], to the candidates of each query, [Q, room]. Of more than
   C products, those that are not among the C largest are dropped sooner or later.
   sizes: [Q], how many candidates there are. floors: [Q]; products up to it are dropped. */
void add_candidates(const float *products, long Q, long n, long first_row, long C, long room,
                    Candidate *candidates, int64_t *sizes, float *floors) {
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
                    floor = keep_largest(to, size, C);
                    size = C;
                }
            }
        }
        sizes[query] = size;
        floors[query] = floor;
    }
}

/* Writes the C largest products and their rows, [Q, C] each, in any order; all sizes are at least
   C. */
void take_candidates(long Q, long C, long room, Candidate *candidates, const int64_t *sizes,
                     float *products, int64_t *rows) {
    for (long query = 0; query < Q; query++) {
        Candidate *from = candidates + query * room;
        keep_largest(from, sizes[query], C);
        for (long i = 0; i < C; i++) {
            products[query * C + i] = from[i].product;
            rows[query * C + i] = from[i].row;
        }
    }
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

enum { AHEAD = 2, LINE = 16 }; /* rows that are asked for early; floats of a line of the cache */

static inline void ask_for(const float *row, long H) {
    for (long i = 0; i < H; i += LINE) __builtin_prefetch(row + i);
}

/* Writes float64 inner products of queries [Q, H] with their candidates, [Q, C], where `wanted`.
   vectors: [.., H]; rows, wanted, results: [Q, C]. The candidates lie anywhere in memory, and to
   wait for them would take most of the time. */
void multiply_candidates(const double *queries, const float *vectors, long Q, long C, long H,
                         const int64_t *rows, const uint8_t *wanted, double *results) {
    for (long place = 0; place < Q * C; place++) {
        if (place + AHEAD < Q * C && wanted[place + AHEAD])
            ask_for(vectors + rows[place + AHEAD] * H, H);
        if (wanted[place])
            results[place] = inner_product(queries + place / C * H, vectors + rows[place] * H, H);
    }
}
