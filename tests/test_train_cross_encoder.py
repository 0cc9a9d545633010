"""The verb trains what its flags say."""

import numpy as np
from toy_files import cross_flags, write_tiny_flight
from training_logs import column

from rocketqa.cli import train_cross_encoder


def test_the_verb_trains_and_is_not_repeated(tmp_path, capsys):
    write_tiny_flight(tmp_path)
    flags = cross_flags(tmp_path, tmp_path / "cross", epochs=4, **{"learning-rate": 0.01})
    assert train_cross_encoder.main([*flags, "--check"]) == 3
    assert train_cross_encoder.main(flags) == 0
    losses = column(tmp_path / "cross", "loss")
    assert len(losses) == 40 and np.mean(losses[-10:]) < np.mean(losses[:10])
    assert train_cross_encoder.main([*flags, "--check"]) == 0
    assert capsys.readouterr().err.endswith("cross: up to date\n")


def test_a_longer_pair_is_cut_to_the_length_that_is_asked_for(tmp_path):
    write_tiny_flight(tmp_path)
    losses = []
    for length in (8, 40):
        changed = {"max-length": length, "max-steps": 1}
        flags = cross_flags(tmp_path, tmp_path / str(length), **changed)
        assert train_cross_encoder.main(flags) == 0
        losses += column(tmp_path / str(length), "loss")
    assert losses[0] != losses[1]
