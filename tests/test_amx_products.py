"""Products by AMX give the bytes of the other kernels, by instructions that a C file emulates."""

import ctypes
import functools
from pathlib import Path

import pytest
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_ernie

from rocketqa.encoder import kernel_library
from rocketqa.inference import kernel_encoder
from rocketqa.jobs.processor import instruction_sets
from rocketqa.weights.stored_model import StoredModel

pytestmark = pytest.mark.skipif(
    not kernel_encoder.is_supported() or "avx512_vnni" not in instruction_sets(),
    reason="needs a C compiler and AVX-512 with VNNI, which every processor with AMX has",
)
EMULATED = Path(__file__).with_name("emulated_amx.h")
WITHOUT_AMX = ["-U__AMX_INT8__"]
WITH_AMX = [*WITHOUT_AMX, "-D__AMX_INT8__", "-include", str(EMULATED), "-DSYSTEM_ANSWERS=0"]
REFUSED = [*WITH_AMX[:-1], "-DSYSTEM_ANSWERS=-1"]
SIZES = TINY_CONFIG._replace(hidden_size=128, intermediate_size=320, num_attention_heads=4)


@functools.cache
def compiled(*flags: str) -> ctypes.CDLL:
    source = kernel_library.source()
    library = source._replace(flags=[*source.flags, *flags]).load("the test fails")
    assert library is not None
    return library


def products_of(emulated: ctypes.CDLL) -> int:
    """Returns how many products of registers the emulated instructions have made."""
    return ctypes.c_long.in_dll(emulated, "emulated_products").value


def vectors_by(library, monkeypatch, config, rows):
    with monkeypatch.context() as patched:
        for module in (kernel_library, kernel_encoder):
            patched.setattr(module, "library", lambda: library)
        return kernel_encoder.kernel_twin(StoredModel.of(tiny_ernie(config)), True)(rows)


@pytest.mark.parametrize(
    "config, by_amx",
    [
        (SIZES, True),
        (SIZES._replace(representation="mean"), True),
        (SIZES._replace(intermediate_size=200), True),  # the last product is not by AMX
        (SIZES._replace(hidden_size=192, num_attention_heads=6), True),
        (SIZES._replace(hidden_size=72, intermediate_size=144, num_attention_heads=2), False),
    ],
)
@pytest.mark.parametrize(
    "lengths", [(7,), (2, 40, 3, 3, 17), (33,) * 4, tuple(range(2, 40)), (2,) * 70]
)
def test_vectors_have_the_same_bytes_with_amx_and_without(monkeypatch, config, by_amx, lengths):
    rows = rows_of_lengths(*lengths)
    emulated = compiled(*WITH_AMX)
    before = products_of(emulated)
    vectors = vectors_by(emulated, monkeypatch, config, rows)
    assert (products_of(emulated) > before) == by_amx
    expected = vectors_by(compiled(*WITHOUT_AMX), monkeypatch, config, rows)
    assert vectors.tobytes() == expected.tobytes()
    by_this_processor = vectors_by(kernel_library.library(), monkeypatch, config, rows)
    assert by_this_processor.tobytes() == expected.tobytes()


def test_without_the_leave_of_the_system_amx_is_not_used(monkeypatch):
    rows = rows_of_lengths(9, 40, 3)
    refused = compiled(*REFUSED)
    vectors = vectors_by(refused, monkeypatch, SIZES, rows)
    assert products_of(refused) == 0
    expected = vectors_by(compiled(*WITHOUT_AMX), monkeypatch, SIZES, rows)
    assert vectors.tobytes() == expected.tobytes()
