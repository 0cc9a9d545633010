"""The order of a run by score is trec_eval's, and a contradiction with its ranks is found."""

import pytest

from rocketqa.files.rows import IGNORE_FAULTS
from rocketqa.files.run_order import by_score, first_contradiction, first_rank_below_1
from rocketqa.files.runs import RunFile, ScoredPassage


def run_of(tmp_path, lines: list[str]) -> RunFile:
    """Returns a run of `query_id passage_id rank score`."""
    path = tmp_path / "a.run"
    path.write_text("".join(f"{line}\n" for line in lines))
    return RunFile(path)


def test_equal_scores_are_ordered_by_passage_id_descending_as_strings():
    ids = ["a", "10", "9", "\u00e9", "b"]
    passages = [ScoredPassage("q", passage_id, 1, 2.0) for passage_id in ids]
    best = ScoredPassage("q", "0", 9, 2.5)
    ordered = [scored.passage_id for scored in by_score([*passages, best])]
    assert ordered == ["0", "\u00e9", "b", "a", "9", "10"]


def test_scores_are_compared_as_float64():
    close = [ScoredPassage("q", "b", 1, 200.000001), ScoredPassage("q", "a", 2, 200.000002)]
    assert [scored.passage_id for scored in by_score(close)] == ["a", "b"]


@pytest.mark.parametrize(
    "lines, number, words",
    [
        (["q a 1 2", "q b 2 3"], 2, "rank 2 of query q has the score 3.0, rank 1 the score 2.0"),
        (["q b 2 3", "q a 1 2"], 1, "rank 2 of query q has the score 3.0, rank 1 the score 2.0"),
        (["q a 1 3", "q b 2 1", "q c 3 2.5"], 3, "rank 3 of query q has the score 2.5, rank 2 "),
        (["p a 1 1", "q a 1 1", "q b 2 2", "p b 2 2"], 3, "rank 2 of query q has the score 2.0"),
    ],
)
def test_the_first_line_whose_score_rises_with_its_rank_is_named(tmp_path, lines, number, words):
    contradiction = first_contradiction(run_of(tmp_path, lines))
    assert contradiction.line_number == number
    start = f"{tmp_path}/a.run:{number}: the ranks contradict the scores: {words}"
    assert contradiction.text.startswith(start)


@pytest.mark.parametrize("lines", [["q a 1 2", "q b 2 2", "q c 3 1"], ["q a 1", "q b 2"]])
def test_equal_scores_and_a_run_without_scores_contradict_nothing(tmp_path, lines):
    assert first_contradiction(run_of(tmp_path, lines)) is None


def test_the_first_rank_below_1_is_found(tmp_path):
    path = tmp_path / "a.run"
    path.write_text("p a 1 2\nq a -1 2\np b 0 1\n")
    row, scored = first_rank_below_1(RunFile(path, IGNORE_FAULTS))
    assert (row.number, scored.rank) == (2, -1)
    assert first_rank_below_1(run_of(tmp_path, ["q a 1 2"])) is None
