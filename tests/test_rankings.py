"""What the modes read from runs, with the official script's golden vectors."""

import pytest

from rocketqa.evaluation.measures import mean, per_query
from rocketqa.evaluation.rankings import (
    read_ranked_run,
    read_top_passages,
    repeated_passages,
    without_identical_ids,
)
from rocketqa.files.errors import DataError


def written(folder, text: str):
    """Returns the path of a file, in which spaces become tabs."""
    path = folder / "file"
    path.write_text(text.replace(" ", "\t"))
    return path


def ranked_run(tmp_path, run: str, order: str = "rank", mode: str = "strict"):
    """Returns the run as it is measured, and the remarks on it."""
    remarks: list[str] = []
    path = written(tmp_path, run)
    return read_ranked_run(path, mode, order, remarks.append), remarks


def mrr(tmp_path, run: str, mode: str) -> float:
    """Returns MRR@10 of a run, by one relevant passage of each of two queries."""
    judgements = {"1185869": {"0": 1}, "5": {"77": 1}}
    ranked_run = read_ranked_run(written(tmp_path, run), mode, "rank", print)
    return mean(per_query(ranked_run.rankings, judgements, "MRR@10"))


@pytest.mark.parametrize(
    "run, value",
    [
        ("5 77 1\n", 0.5),
        ("5 77 1\n5 77 2\n", 0.5),
        ("5 77 2\n5 3 1\n", 0.25),
        ("5 77 11\n", 0.0),
        ("5 77 0\n", 0.0),
        ("5 77 1\n5 3 1\n", 0.0),
        ("1185869 9 1\n5 8 1\n", 0.25),
        ("5 77 1 13.2\n", 0.5),
    ],
)
def test_official_mode_gives_what_the_official_script_gives(tmp_path, run, value):
    assert mrr(tmp_path, run, "official") == value


@pytest.mark.parametrize("run", ["5 77 1001\n", "99 77 1\n"])
def test_official_mode_refuses_what_the_official_script_refuses(tmp_path, run):
    with pytest.raises(DataError):
        mrr(tmp_path, run, "official")


@pytest.mark.parametrize("run", ["5 77 0\n", "5 77 1\n5 77 2\n", "5 77 1\n5 3 1\n", "99 77 1\n"])
def test_strict_mode_refuses_faulty_runs(tmp_path, run):
    with pytest.raises(DataError):
        mrr(tmp_path, run, "strict")


def test_a_short_list_has_no_credit_for_padding_in_strict_mode(tmp_path):
    assert mrr(tmp_path, "1185869 9 1\n5 8 1\n", "strict") == 0.0


def test_a_run_is_ranked_by_rank_or_by_score(tmp_path):
    run = "q1 a 2 5\nq1 b 1 4\nq1 c 3 4\nq2 a 1 1\n"
    by_rank, remarks = ranked_run(tmp_path, run)
    assert by_rank.rankings == {"q1": ["b", "a", "c"], "q2": ["a"]}
    assert by_rank.depth == 3 and by_rank.contradiction.line_number == 1
    by_score, more_remarks = ranked_run(tmp_path, run, "score")
    assert by_score.rankings == {"q1": ["a", "c", "b"], "q2": ["a"]}
    assert by_score.depth == 3 and by_score.contradiction is None
    assert remarks == more_remarks == []


@pytest.mark.parametrize("run", ["q1 a 0 5\nq1 b 1 6\n", "q1 a 0 5\nq1 b 0 6\n"])
def test_ranks_below_1_are_not_read_where_there_are_scores(tmp_path, run):
    by_score, remarks = ranked_run(tmp_path, run)
    assert by_score.rankings == {"q1": ["b", "a"]} and by_score.contradiction is None
    [remark] = remarks
    assert remark.startswith(f"{tmp_path}/file:1: rank 0 is below 1: the run is measured by its ")


@pytest.mark.parametrize(
    "run, message",
    [
        ("q1 a 1 5\nq1 b 3 4\n", "file:2: expected rank 2 of query q1 next, got 3; --order score "),
        ("q1 a 1 5\nq1 b 1 4\n", "query q1 once, got 1 again; --order score measures the run by "),
        ("q1 a 0\nq1 b 1\n", "file:1: expected ranks 1, 2, ... for query q1, got 0$"),
        ("q1 a 0 5\nq1 a 1 4\n", "file:2: expected each id once, got .'q1', 'a'. again$"),
        ("q1 a 0 5\nq1 b 1 nan\n", "file:2: expected a finite score, got 'nan'$"),
    ],
)
def test_other_faults_are_refused_with_the_way_out_where_there_is_one(tmp_path, run, message):
    with pytest.raises(DataError, match=message):
        ranked_run(tmp_path, run)


def test_by_score_no_rank_is_read_but_each_passage_is_there_once(tmp_path):
    by_score, remarks = ranked_run(tmp_path, "q1 a 7 5\nq1 b 7 6\n", "score")
    assert by_score.rankings == {"q1": ["b", "a"]} and not remarks
    with pytest.raises(DataError, match="expected each id once"):
        ranked_run(tmp_path, "q1 a 1 5\nq1 a 2 6\n", "score")


def test_a_run_without_scores_has_no_order_by_score(tmp_path):
    with pytest.raises(DataError, match="expected 6 or 4 columns, a score among them, got 3"):
        ranked_run(tmp_path, "q1 a 1\n", "score")


@pytest.mark.parametrize("rank, depth", [("3", 3), ("0", 1000), ("-1", 999)])
def test_official_mode_is_as_deep_as_its_highest_slot(tmp_path, rank, depth):
    run, remarks = ranked_run(tmp_path, f"q1 a 1\nq1 b {rank}\n", mode="official")
    assert run.depth == depth
    assert bool(remarks) == (depth > 3)


@pytest.mark.parametrize("mode", ["strict", "official", "released"])
def test_the_top_passages_are_cut_at_the_depth_and_the_run_keeps_its_own(tmp_path, mode):
    run = written(tmp_path, "q1 b 2\nq1 a 1\nq1 c 3\n")
    top = read_top_passages(run, 2, mode, "rank", print)
    assert top.rankings == {"q1": ["a", "b"]} and top.depth == 3


def test_a_query_does_not_find_itself_and_the_others_move_up():
    rankings = {"q1": ["a", "q1", "b"], "q2": ["q1", "a"], "q3": ["q3"]}
    assert without_identical_ids(rankings) == {"q1": ["a", "b"], "q2": ["q1", "a"], "q3": []}


def test_repeated_passages_are_found_but_not_the_empty_slots():
    rankings = {"q1": ["a", "0", "0", "b"], "q2": ["c", "d", "c"]}
    assert repeated_passages(rankings) == [("q2", "c")]
