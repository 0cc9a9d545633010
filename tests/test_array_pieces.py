"""An array is a piece: it is read back as it was, and has a note of its digest."""

import numpy as np
import pytest

from rocketqa.jobs.array_pieces import write_array
from rocketqa.jobs.pieces import NOTES, is_whole


@pytest.mark.parametrize("dtype", [np.uint8, np.float16, np.float32, np.int64])
def test_an_array_is_read_back(tmp_path, dtype):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    write_array(tmp_path / "a.npy", values)
    found = np.load(tmp_path / "a.npy")
    assert found.dtype == dtype and (found == values).all()
    assert {path.name for path in tmp_path.iterdir()} == {"a.npy", NOTES}
    assert is_whole(tmp_path / "a.npy")
