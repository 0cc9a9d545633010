"""Vectors and scores that are not finite are refused with the text and the checkpoint."""

from pathlib import Path

import numpy as np
import pytest

from rocketqa.files.errors import DataError
from rocketqa.inference.finite_outputs import refuse_non_finite

NAMES = ["passage 'p0'", "passage 'p1'", "passage 'p2'"]


def test_finite_outputs_pass_however_large():
    largest = np.finfo(np.float32).max
    refuse_non_finite(np.full((3, 2), largest, np.float32), Path("model"), NAMES.__getitem__)
    refuse_non_finite(np.zeros(0, np.float32), Path("model"), NAMES.__getitem__)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_the_first_bad_row_is_named(bad):
    vectors = np.zeros((3, 2), np.float32)
    vectors[1:, 1] = bad
    with pytest.raises(DataError) as refused:
        refuse_non_finite(vectors, Path("model"), NAMES.__getitem__)
    assert str(refused.value) == (
        "model: expected finite vectors, got nan or infinity for passage 'p1': "
        "its weights may be damaged"
    )
    scores = np.array([0.5, 0.5, bad])
    with pytest.raises(DataError, match="model: expected finite scores, .* for passage 'p2'"):
        refuse_non_finite(scores, Path("model"), NAMES.__getitem__)


def test_where_float16_is_too_narrow_the_error_says_so():
    with np.errstate(over="ignore"):
        vectors = np.full((1, 2), 70_000.0).astype(np.float16)
    with pytest.raises(DataError, match=r"float16 too narrow for them \(--dtype float32\)"):
        refuse_non_finite(vectors, Path("model"), NAMES.__getitem__)
