"""`rocketqa pseudo-label` writes the rows of the confident queries, by hand on literal files."""

from functools import partial

import pytest
from sampling_fixture import RUN, SCORES, label, write

from rocketqa.cli.__main__ import main


@pytest.fixture
def labelled(tmp_path):
    """Returns a maker of pseudo-labels: the rows of `rocketqa pseudo-label`."""
    return partial(label, tmp_path)


def test_the_best_scored_passage_is_the_positive_and_the_rejected_ones_are_negatives_by_rank(
    labelled, capsys
):
    # q1: p2 (0.99), and of the rejected p4 p5 p6 p7, by the run's ranks, the first two.
    # q2: its best score, 0.9, is not above 0.9.
    # q4: p4 and p3 share 0.91; p4 has the better rank. Fewer negatives give fewer rows.
    assert labelled(negatives=2) == ["q1 p2 p4", "q1 p2 p5", "q4 p4 p2", "q4 p4 p1"]
    assert capsys.readouterr().out.endswith("pseudo.tsv: 4 rows, 2 queries, 1 queries left out\n")
    assert labelled(negatives=9)[-2:] == ["q4 p4 p2", "q4 p4 p1"]


def test_pseudo_labels_look_no_deeper_than_the_depth(labelled):
    # At depth 4, q1 has the rejected p4, and q4 has p2.
    assert labelled("--depth", "4") == ["q1 p2 p4", "q4 p4 p2"]
    assert labelled("--depth", "4", "--max-negative", "0.05") == ["q4 p4 p2"]


def test_several_negatives_fit_in_a_row(labelled):
    assert labelled("--negatives-per-row", "2", negatives=1) == ["q1 p2 p4 p5", "q4 p4 p2 p1"]


def test_a_run_without_a_confident_query_is_refused(tmp_path, capsys):
    run = write(tmp_path, "a.run", RUN)
    command = ["pseudo-label", "--run", run, "--scores", write(tmp_path, "scores.run", SCORES)]
    command += ["--negatives", "1", "--output", str(tmp_path / "pseudo.tsv")]
    assert main([*command, "--min-positive", "0.99"]) == 2
    assert capsys.readouterr().err == (
        f"rocketqa pseudo-label: {run}: expected a query with a confident positive and negative, "
        "got none of 3\n"
    )
    assert not (tmp_path / "pseudo.tsv").exists()
    assert main([*command, "--min-positive", "0.99", "--allow-empty"]) == 0
    assert (tmp_path / "pseudo.tsv").read_text() == ""


@pytest.mark.parametrize(
    "flags",
    [["--negatives", "0"], ["--negatives-per-row", "-2"], ["--min-positive", "nan"]],
)
def test_a_number_that_means_nothing_is_refused(capsys, flags):
    with pytest.raises(SystemExit, match="2"):
        main(["pseudo-label", *flags])
    line = capsys.readouterr().err
    assert line.startswith(f"rocketqa pseudo-label: {flags[0]}: expected a ")
    assert line.count("\n") == 1
