"""A run is read one query at a time, the same in any order of its lines, with every fault named."""

import random
import tracemalloc
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from rocketqa.files.errors import DataError, Fault
from rocketqa.files.formats import write_lines
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, ScoredPassage, iterate_run, open_scores, ranked, run_lines

LINES = [
    "q1\tQ0\ta\t1\t3\trocketqa",
    "q1\tQ0\tb\t2\t2\trocketqa",
    "q2\tQ0\ta\t1\t3\trocketqa",
    "q2\tQ0\tb\t2\t2\trocketqa",
    "q2\tQ0\tc\t3\t1.5\trocketqa",
    "q3\tQ0\ta\t1\t3\trocketqa",
    "q3\tQ0\tb\t2\t2\trocketqa",
    "q3\tQ0\tc\t3\t1.5\trocketqa",
    "q3\tQ0\td\u00e9\t4\t1\trocketqa",
]


def write_run(path: Path, lines: Iterable[str]) -> Path:
    """Writes the lines and returns the path."""
    write_lines(path, lines)
    return path


def write_short_run(path: Path, lines: Iterable[str]) -> Path:
    """Writes lines of `query_id passage_id rank score` in the released code's form."""
    return write_run(path, (line.replace(" ", "\t") for line in lines))


def test_a_query_has_its_passages_by_rank_and_a_missing_one_none(tmp_path):
    run = RunFile(write_run(tmp_path / "a.run", LINES))
    assert run["q2"] == [("q2", "a", 1, 3.0), ("q2", "b", 2, 2.0), ("q2", "c", 3, 1.5)]
    assert list(run) == ["q1", "q2", "q3"] and len(run) == 3
    assert run.line_count == 9 and run.column_count == 6
    assert run.get("q4", []) == [] and "q4" not in run
    assert run.scores("q1") == {("q1", "a"): 3.0, ("q1", "b"): 2.0} and run.scores("q4") == {}


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_lines_changes_no_ranking(tmp_path, seed):
    shuffled = LINES.copy()
    random.Random(seed).shuffle(shuffled)
    run = RunFile(write_run(tmp_path / "a.run", LINES))
    shuffled_run = RunFile(write_run(tmp_path / "b.run", shuffled))
    assert dict(shuffled_run) == dict(run)


@pytest.mark.parametrize(
    "line, message",
    [
        ("q1\tQ0\tp1\t1\tnan\ttag", ":1: expected a finite score, got 'nan'"),
        ("q1\tQ0\tp1\t0\t1.5\ttag", ":1: expected ranks 1, 2, ... for query q1, got 0"),
        (
            "q1\tQ0\tp1\t1\t2\tt\nq1\tQ0\tp2\t3\t1\tt",
            ":2: expected rank 2 of query q1 next, got 3",
        ),
        (
            "q1\tQ0\tp1\t1\t2\tt\nq1\tQ0\tp1\t2\t1\tt",
            ":2: expected each id once, got ('q1', 'p1') again",
        ),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path, line, message):
    path = write_run(tmp_path / "a.run", [line])
    with pytest.raises(DataError) as error:
        RunFile(path)
    assert str(error.value) == f"{path}{message}"


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
        (
            [":1: expected rank as int, got 'x'", ":2: expected rank as int, got 'y'"],
            ["q1 a x 1", "q1 b y 1", "q1 c 3 1"],
        ),
    ],
)
def test_faults_of_scattered_lines_are_named_at_their_lines(tmp_path, faults, lines):
    path = write_short_run(tmp_path / "a.run", lines)
    reported: list[Fault] = []
    RunFile(path, Check(reported.append))
    assert [str(fault) for fault in reported] == [f"{path}{fault}" for fault in faults]
    with pytest.raises(DataError) as error:
        RunFile(path)
    assert str(error.value) == f"{path}{faults[0]}"


def test_an_unreadable_rank_is_0_and_an_unreadable_score_nan_after_their_faults(tmp_path):
    path = write_short_run(tmp_path / "a.run", ["q1 a x 1", "q1 b 2 high"])
    reported: list[Fault] = []
    (_, first), (_, second) = iterate_run(path, Check(reported.append))
    assert first == ("q1", "a", 0, 1.0)
    assert second.rank == 2 and np.isnan(second.score)
    assert len(reported) == 2


def test_runs_of_three_four_and_six_columns_are_read_alike(tmp_path):
    trec = write_run(tmp_path / "trec.run", ["q1\tQ0\tp2\t2\t0.5\tx", "q1\tQ0\tp1\t1\t1.0\tx"])
    released = write_run(tmp_path / "released.run", ["q1\tp1\t1\t1.0", "q1\tp2\t2\t0.5"])
    marco = write_run(tmp_path / "marco.run", ["q1\tp1\t1", "q1\tp2\t2"])
    expected = {"q1": [("q1", "p1", 1, 1.0), ("q1", "p2", 2, 0.5)]}
    for path in (trec, released, marco):
        assert dict(RunFile(path)) == expected


@pytest.mark.parametrize(
    "content",
    [
        "q1 Q0 p2 2 0.5 x\nq1 Q0 p1 1 1.0 x\n",
        "q1  Q0 p2   2 0.5 x \n q1 Q0 p1 1 1.0 x\n",
        "q1 Q0\tp2\t2 0.5 x\nq1\tQ0\tp1\t1\t1.0\tx\n",
        "q1 \tQ0 p2 2\t 0.5 x\nq1 Q0 p1 1 1.0\tx\n",
        "q1 p2 2 0.5\nq1 p1 1 1.0\n",
        "q1 p2 2\nq1 p1 1\n",
    ],
)
def test_any_blanks_separate_the_columns_of_a_run(tmp_path, content):
    path = tmp_path / "a.run"
    path.write_text(content)
    run = RunFile(path)
    assert dict(run) == {"q1": [("q1", "p1", 1, 1.0), ("q1", "p2", 2, 0.5)]}


def test_scattered_lines_between_blanks_are_found_again(tmp_path):
    path = tmp_path / "a.run"
    path.write_text("q1 Q0 a 1 2 x\nq2 Q0 \u00e9  1 2 x\nq1  Q0 b 2 1 x\n")
    expected = {"q1": [("q1", "a", 1, 2.0), ("q1", "b", 2, 1.0)], "q2": [("q2", "\u00e9", 1, 2.0)]}
    assert dict(RunFile(path)) == expected


def test_a_run_says_whether_it_has_scores(tmp_path):
    for number, (run_format, has_scores) in enumerate(
        [("trec", True), ("released", True), ("msmarco", False)]
    ):
        lines = run_lines([ScoredPassage("q", "p", 1, 0.5)], run_format)
        assert RunFile(write_run(tmp_path / f"{number}.run", lines)).has_scores == has_scores


def test_a_run_without_scores_is_refused_where_scores_are_needed(tmp_path):
    ranking = [ScoredPassage("q", "p", 1, 0.5)]
    path = write_run(tmp_path / "a.run", run_lines(ranking, "msmarco"))
    assert RunFile(path)["q"] == [("q", "p", 1, 1.0)]
    expected = r"a.run:1: expected 6 or 4 columns, a score among them, got 3"
    with pytest.raises(DataError, match=expected):
        open_scores(path)


def test_a_written_run_is_read_back_with_float32_scores_exact(tmp_path):
    scores = np.random.default_rng(0).normal(size=200).astype(np.float32).tolist()
    ids = [f"p{number}" for number in range(200)]
    path = write_run(tmp_path / "a.run", run_lines(ranked("q1", zip(ids, scores))))
    read = [np.float32(scored.score) for scored in RunFile(path)["q1"]]
    assert read == sorted(scores, reverse=True)


def test_equal_scores_are_ordered_by_passage_id():
    ranking = ranked("q", [("b", 1.0), ("a", 1.0), ("c", 2.0)])
    assert ranking == [("q", "c", 1, 2.0), ("q", "a", 2, 1.0), ("q", "b", 3, 1.0)]


def test_the_lines_of_a_run_have_the_columns_of_its_form():
    ranking = [ScoredPassage("q", "p", 1, 0.1)]
    assert list(run_lines(ranking)) == ["q\tQ0\tp\t1\t0.1\trocketqa"]
    assert list(run_lines(ranking, "msmarco")) == ["q\tp\t1"]
    assert list(run_lines(ranking, "released")) == ["q\tp\t1\t0.1"]


def write_deep_run(path: Path, depth: int) -> None:
    """Writes a run of 200 queries with `depth` passages each."""
    lines: list[str] = []
    for query in range(200):
        scores = [(f"p{passage}", -float(passage)) for passage in range(depth)]
        lines.extend(run_lines(ranked(f"q{query}", scores)))
    write_lines(path, lines)


def peak_memory_of_reading(path: Path, lines: int) -> int:
    """Returns the most bytes in use while each query of a run with so many lines is read."""
    tracemalloc.start()
    try:
        run = RunFile(path)
        assert sum(len(run[query_id]) for query_id in run) == lines
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_that_of_the_queries_and_not_of_the_lines(tmp_path):
    path = tmp_path / "a.run"
    write_deep_run(path, depth=20)
    shallow = peak_memory_of_reading(path, lines=200 * 20)
    write_deep_run(path, depth=200)
    deep = peak_memory_of_reading(path, lines=200 * 200)
    # The lines of one query are allowed; all of them are 36,000 more, some 20 MB.
    assert deep - shallow < 400_000
