"""The verb itself, under the launcher: devices and chunks share out the same batches, and train to the same losses."""

from pathlib import Path

import numpy as np
from toy_files import train_dual, write_tiny_flight


def losses_in_log(output: Path) -> np.ndarray:
    return np.array(
        [line.split("\t")[1] for line in (output / "train_log.tsv").read_text().splitlines()[1:]],
        float,
    )


def test_two_devices_one_device_and_chunks_train_to_the_same_losses_over_fifty_steps(tmp_path):
    """2 x 4, 1 x 8 and 1 x 4 x 2 queries a step, from the same order."""
    write_tiny_flight(tmp_path)
    for name, settings in {
        "one": {"devices": 1, "batch_size": 8},
        "two": {"devices": 2, "batch_size": 4},
        "chunks": {"devices": 1, "batch_size": 4, "accumulate": 2},
    }.items():
        train_dual(tmp_path, tmp_path / name, epochs=10, **{"learning-rate": 1e-4}, **settings)
    one = losses_in_log(tmp_path / "one")
    assert len(one) == 50 and one[-1] < one[0]
    np.testing.assert_allclose(losses_in_log(tmp_path / "two"), one, rtol=1e-4)
    np.testing.assert_allclose(losses_in_log(tmp_path / "chunks"), one, rtol=1e-4)


def test_chunks_have_the_dropout_of_devices(tmp_path):
    write_tiny_flight(tmp_path, dropout=0.3)
    for name, settings in {
        "four": {"devices": 1, "accumulate": 4},
        "two": {"devices": 2, "accumulate": 2},
        "other": {"devices": 1, "accumulate": 4, "seed": 2},
    }.items():
        train_dual(tmp_path, tmp_path / name, batch_size=2, epochs=1, **settings)
    four, two, other = (losses_in_log(tmp_path / name) for name in ("four", "two", "other"))
    np.testing.assert_allclose(two, four, rtol=1e-4)
    assert np.abs(other - four).max() > 0.01
