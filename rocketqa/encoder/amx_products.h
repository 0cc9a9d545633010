/* 8-bit products by AMX, the matrix unit of some processors. Their sums are whole numbers, exact in
   any order, so the outputs of an encoder have the same bytes as by VNNI. */
#pragma once
#include "float32_tile.h"
#include <immintrin.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The registers of AMX have AMX_ROWS rows of AMX_BYTES bytes. A block of sums takes two of rows and
   two of columns: AMX_BLOCK rows and as many columns. */
enum { AMX_ROWS = 16, AMX_BYTES = 64, AMX_BLOCK = 2 * AMX_ROWS };
typedef int32_t AmxSums[AMX_BLOCK / PANEL][AMX_BLOCK][PANEL];

/* How the registers are laid out, in the form that the processor reads. */
typedef struct {
    uint8_t palette, first_row, unused[14];
    uint16_t bytes_of_row[16];
    uint8_t rows[16];
} AmxLayout;

/* Linux (asm/prctl.h): the request to use a part of the processor's state, and the part of AMX. */
enum { REQUEST = 0x1023, AMX_STATE = 18 };

static int amx_is_allowed;

/* Linux allows a process AMX when it asks for it, and so its threads and the processes that it forks.
   It is asked when the library is loaded. */
__attribute__((constructor)) static void ask_for_amx(void) {
    amx_is_allowed = syscall(SYS_arch_prctl, REQUEST, AMX_STATE) == 0;
}

/* Whether products of K numbers can be made by AMX: they fill whole registers. */
static inline int amx_takes(long K) { return amx_is_allowed && K % AMX_BYTES == 0; }

/* Prepares the registers of this thread for amx_sums; end_amx gives them back. The compiler does not
   know what these instructions read: the empty one has it write the layout and all inputs first. */
static inline void begin_amx(void) {
    AmxLayout layout = {.palette = 1};
    for (int i = 0; i < 8; i++) {
        layout.bytes_of_row[i] = AMX_BYTES;
        layout.rows[i] = AMX_ROWS;
    }
    __asm__ volatile("" : : "r"(&layout) : "memory");
    _tile_loadconfig(&layout);
}

static inline void end_amx(void) { _tile_release(); }

/* Sets sums[panel][row] to the products of AMX_BLOCK rows of K numbers, `stride` bytes apart, with the
   columns of two panels, [K / 4, PANEL, 4] each. */
static inline void amx_sums(const uint8_t *rows, long stride, long K, const int8_t *const panels[],
                            AmxSums sums) {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (long k = 0; k < K; k += AMX_BYTES) {
        _tile_loadd(4, rows + k, stride);
        _tile_loadd(5, rows + AMX_ROWS * stride + k, stride);
        _tile_loadd(6, panels[0] + k * PANEL, AMX_BYTES);
        _tile_loadd(7, panels[1] + k * PANEL, AMX_BYTES);
        _tile_dpbusd(0, 4, 6);
        _tile_dpbusd(1, 5, 6);
        _tile_dpbusd(2, 4, 7);
        _tile_dpbusd(3, 5, 7);
    }
    _tile_stored(0, sums[0][0], AMX_BYTES);
    _tile_stored(1, sums[0][AMX_ROWS], AMX_BYTES);
    _tile_stored(2, sums[1][0], AMX_BYTES);
    _tile_stored(3, sums[1][AMX_ROWS], AMX_BYTES);
}
