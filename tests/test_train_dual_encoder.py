"""The verb trains what its flags say."""

from toy_files import dual_flags, write_tiny_flight
from training_logs import column

from rocketqa.cli import train_dual_encoder


def test_the_verb_trains_and_is_not_repeated(tmp_path, capsys):
    write_tiny_flight(tmp_path)
    flags = dual_flags(tmp_path, tmp_path / "dual", 8, epochs=10, **{"learning-rate": 1e-4})
    assert train_dual_encoder.main([*flags, "--check"]) == 3
    assert train_dual_encoder.main(flags) == 0
    losses = column(tmp_path / "dual", "loss")
    assert len(losses) == 50 and losses[-1] < losses[0]
    assert train_dual_encoder.main([*flags, "--check"]) == 0
    assert capsys.readouterr().err.endswith("dual: up to date\n")


def test_in_batch_negatives_of_chunks_are_fewer(tmp_path):
    """With in-batch negatives a chunk sees only its own passages: the first loss is smaller."""
    write_tiny_flight(tmp_path)
    for negatives in ("cross-batch", "in-batch"):
        changed = {"negatives": negatives, "accumulate": 4, "max-steps": 1}
        flags = dual_flags(tmp_path, tmp_path / negatives, 2, **changed)
        assert train_dual_encoder.main(flags) == 0
    [cross_batch] = column(tmp_path / "cross-batch", "loss")
    [in_batch] = column(tmp_path / "in-batch", "loss")
    assert in_batch < cross_batch - 0.5  # 4 candidates instead of 16
