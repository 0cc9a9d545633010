"""A run is read one query at a time, the same whatever the order of its lines, with every fault named."""

import random
import tracemalloc

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, ScoredPassage, open_scores, ranked, run_lines

LINES = [
    line
    for query_id in ("q1", "q2", "q3")
    for line in run_lines(
        ranked(query_id, [("a", 3.0), ("b", 2.0), ("c", 1.5), ("dé", 1.0)][: int(query_id[1]) + 1])
    )
]


def written(path, lines):
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def test_a_query_has_its_passages_by_rank_and_a_missing_one_none(tmp_path):
    run = RunFile(written(tmp_path / "a.run", LINES))
    assert run["q2"] == [("q2", "a", 1, 3.0), ("q2", "b", 2, 2.0), ("q2", "c", 3, 1.5)]
    assert (list(run), len(run), run.lines, run.columns) == (["q1", "q2", "q3"], 3, 9, 6)
    assert run.get("q4", []) == [] and "q4" not in run
    assert run.scores("q1") == {("q1", "a"): 3.0, ("q1", "b"): 2.0} and run.scores("q4") == {}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_lines_changes_no_ranking(tmp_path, seed):
    lines = LINES.copy()
    random.Random(seed).shuffle(lines)
    assert dict(RunFile(written(tmp_path / "b.run", lines))) == dict(
        RunFile(written(tmp_path / "a.run", LINES))
    )


@pytest.mark.parametrize(
    "faults, lines",
    [
        ([":3: expected rank 2 of query q1 next, got 3"], ["q1 a 1 1", "q2 a 1 1", "q1 b 3 1"]),
        (
            [":3: expected each rank of query q1 once, got 1 again"],
            ["q1 a 1 1", "q2 a 1 1", "q1 b 1 1"],
        ),
        (
            [":3: expected each id once, got ('q1', 'a') again"],
            ["q1 a 1 1", "q2 a 1 1", "q1 a 2 1"],
        ),
        (
            [
                ":2: expected rank 1 of query q2 next, got 2",
                ":4: expected ranks 1, 2, ... for query q3, got 0",
            ],
            ["q1 a 2 1", "q2 a 2 1", "q1 b 1 1", "q3 a 0 1"],
        ),
        ([":2: expected rank as int, got 'x'"], ["q1 a 1 1", "q1 b x 1", "q1 c 3 1"]),
    ],
)
def test_faults_of_scattered_lines_are_named_at_their_lines(tmp_path, faults, lines):
    path = written(tmp_path / "a.run", [line.replace(" ", "\t") for line in lines])
    found = []
    RunFile(path, Check(report=found.append))
    assert list(map(str, found)) == [f"{path}{fault}" for fault in faults]
    with pytest.raises(DataError) as error:
        RunFile(path)
    assert str(error.value) == f"{path}{faults[0]}"


def test_a_run_without_scores_has_none_to_open(tmp_path):
    path = written(tmp_path / "a.run", run_lines([ScoredPassage("q", "p", 1, 0.5)], "msmarco"))
    assert RunFile(path)["q"] == [("q", "p", 1, 1.0)]
    with pytest.raises(
        DataError, match=r"a.run:1: expected 6 or 4 columns, a score among them, got 3"
    ):
        open_scores(path)


def test_memory_is_that_of_the_queries_and_not_of_the_lines(tmp_path):
    def peak(depth: int) -> int:
        rankings = (
            ranked(f"q{query}", ((f"p{i}", -i) for i in range(depth))) for query in range(200)
        )
        path = written(
            tmp_path / "a.run", (line for ranking in rankings for line in run_lines(ranking))
        )
        tracemalloc.start()
        run = RunFile(path)
        assert sum(len(run[query_id]) for query_id in run) == 200 * depth
        try:
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert (
        peak(200) - peak(20) < 400_000
    )  # one query's lines; all of them are 36,000 more, some 20 MB
