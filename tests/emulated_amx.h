/* The instructions of AMX in plain C, for processors without it. It is included before the kernels.
   They stop the program where a processor would: without a layout, or with a wrong one. */
#include <immintrin.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How many were made, for the tests; one number, though each file of the kernels has this code. */
__attribute__((weak)) long emulated_products;
static _Thread_local uint8_t emulated_layout[64];
static _Thread_local uint8_t emulated_registers[8][16][64];

static inline int emulated_rows(int of) {
    if (emulated_layout[0] != 1) abort();
    return emulated_layout[48 + of];
}

static inline int emulated_bytes(int of) {
    uint16_t bytes;
    memcpy(&bytes, emulated_layout + 16 + 2 * of, sizeof bytes);
    return bytes;
}

static inline void emulated_configure(const void *layout) {
    memcpy(emulated_layout, layout, sizeof emulated_layout);
    memset(emulated_registers, 0, sizeof emulated_registers);
    for (int i = 1; i < 16; i++)
        if (emulated_layout[i]) abort();
    for (int i = 0; i < 8; i++)
        if (emulated_layout[48 + i] > 16 || emulated_bytes(i) > 64) abort();
}

static inline void emulated_release(void) { memset(emulated_layout, 0, sizeof emulated_layout); }

static inline void emulated_zero(int to) {
    if (emulated_rows(to)) memset(emulated_registers[to], 0, sizeof emulated_registers[to]);
}

static inline void emulated_load(int to, const void *from, long stride) {
    memset(emulated_registers[to], 0, sizeof emulated_registers[to]);
    for (int row = 0; row < emulated_rows(to); row++)
        memcpy(emulated_registers[to][row], (const char *)from + row * stride, emulated_bytes(to));
}

static inline void emulated_store(int from, void *to, long stride) {
    for (int row = 0; row < emulated_rows(from); row++)
        memcpy((char *)to + row * stride, emulated_registers[from][row], emulated_bytes(from));
}

/* sums += the products of four unsigned bytes of a with four signed bytes of b. */
static inline void emulated_multiply(int sums, int a, int b) {
    emulated_products++;
    if (emulated_rows(sums) != emulated_rows(a) || emulated_bytes(sums) != emulated_bytes(b)
        || emulated_bytes(a) != 4 * emulated_rows(b))
        abort();
    for (int row = 0; row < emulated_rows(sums); row++)
        for (int k = 0; k < emulated_bytes(a) / 4; k++)
            for (int column = 0; column < emulated_bytes(sums) / 4; column++) {
                int32_t sum;
                memcpy(&sum, emulated_registers[sums][row] + 4 * column, sizeof sum);
                for (int i = 0; i < 4; i++)
                    sum += (int32_t)emulated_registers[a][row][4 * k + i]
                           * (int8_t)emulated_registers[b][k][4 * column + i];
                memcpy(emulated_registers[sums][row] + 4 * column, &sum, sizeof sum);
            }
}

#undef _tile_dpbusd
#undef _tile_loadd
#undef _tile_stored
#undef _tile_zero
#define _tile_dpbusd emulated_multiply
#define _tile_loadconfig emulated_configure
#define _tile_loadd emulated_load
#define _tile_release emulated_release
#define _tile_stored emulated_store
#define _tile_zero emulated_zero
#define syscall(...) SYSTEM_ANSWERS /* 0 where it allows AMX */
