"""`rocketqa choose-depth` looks at the scored queries of a run alone."""

import pytest
from sampling_fixture import write

from rocketqa.cli.__main__ import main

QUERIES = [f"q{number}" for number in range(30)]


def run_lines(scores: dict[str, list[float]], with_scores: bool) -> list[str]:
    """Returns the lines of the run, or of its scores, which have another order."""
    lines = []
    for query_id, values in scores.items():
        ranked = list(enumerate(values, 1))
        if with_scores:
            ranked.sort(key=lambda pair: -pair[1])
        for rank, (place, value) in enumerate(ranked, 1):
            score = value if with_scores else 9 - rank
            lines.append(f"{query_id} Q0 p{place} {rank} {score} x")
    return lines


@pytest.fixture
def flags(tmp_path):
    # Rank 2 is the first below 0.1; it is the labelled passage of q0 to q14, which go on to rank 3.
    scores = dict.fromkeys(QUERIES, [0.95, 0.05, 0.02, 0.01])
    run = run_lines(scores | {"other": [0.5, 0.5, 0.5, 0.5]}, with_scores=False)
    labels = [f"{query_id} 0 p2 1" for query_id in QUERIES[:15]]
    return [
        *("--run", write(tmp_path, "a.run", run), "--depth", "4", "--negatives", "1"),
        *("--scores", write(tmp_path, "b.run", run_lines(scores, with_scores=True))),
        *("--qrels", write(tmp_path, "qrels.tsv", labels)),
    ]


def choose(tmp_path, words: list[str]) -> list[str]:
    """Runs the verb and returns the depth that it has chosen, with its numbers."""
    output = tmp_path / "depth.tsv"
    assert main(["choose-depth", *words, "--output", str(output)]) == 0
    _, *rows = [line.split("\t") for line in output.read_text().splitlines()]
    [chosen] = [row for row in rows if row[-1] == "yes"]
    assert [row[0] for row in rows] == ["1", "2", "3", "4"]
    return chosen


def test_queries_without_scores_do_not_count_and_labelled_passages_are_no_negatives(
    flags, tmp_path, capsys
):
    assert choose(tmp_path, flags) == ["3", "30", "1.0", "yes"]
    assert capsys.readouterr().out == (
        f"{tmp_path}/depth.tsv: 30 of 30 drawn queries have 1 negative (below 0.1) among "
        "their first 4 passages, 30 of these among their first 3, so 3 ranks are scored\n"
    )
    assert choose(tmp_path, flags[:-2]) == ["2", "30", "1.0", "yes"]


def test_thresholds_decide_what_is_sure(flags, tmp_path):
    assert choose(tmp_path, [*flags[:-2], "--max-negative", "0.02"])[0] == "4"
    assert choose(tmp_path, [*flags[:-2], "--min-positive", "0.9"])[0] == "2"
    # No query has a positive, so none says anything, and the depth stays the largest.
    assert choose(tmp_path, [*flags[:-2], "--min-positive", "0.95"])[:2] == ["4", "0"]


def test_ranks_below_the_largest_depth_are_not_looked_at(flags, tmp_path, capsys):
    output = tmp_path / "depth.tsv"
    assert main(["choose-depth", *flags, "--depth", "2", "--output", str(output)]) == 0
    assert output.read_text().splitlines()[1:] == ["1\t0\t0.0\tno", "2\t15\t0.5\tyes"]
    assert "15 of 30 drawn queries have 1 negative (below 0.1)" in capsys.readouterr().out


def test_scores_of_other_queries_are_one_line(flags, tmp_path, capsys):
    other = write(tmp_path, "other.run", ["x1 Q0 p1 1 0.5 x"])
    words = ["choose-depth", *flags, "--scores", other, "--output", str(tmp_path / "out.tsv")]
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == (
        f"rocketqa choose-depth: {other}: expected queries of {tmp_path}/a.run, got none of them"
    )
    assert not (tmp_path / "out.tsv").exists()
