"""Measures by hand on literal runs, and the official script's golden vectors."""

import pytest

from rocketqa.cli import evaluate
from rocketqa.evaluation.judgements import read_rankings
from rocketqa.evaluation.measures import mean, per_query
from rocketqa.files.errors import DataError

QRELS = "1185869\t0\t0\t1\n5\t0\t77\t1\n"


def mrr(tmp_path, run: str, mode: str, measure: str = "MRR@10") -> float:
    path = tmp_path / "a.run"
    path.write_text(run.replace(" ", "\t"))
    return mean(per_query(read_rankings(path, mode), {"1185869": ["0"], "5": ["77"]}, measure))


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


def test_measures_of_a_run_worked_out_by_hand():
    rankings = {"q1": ["a", "b", "c"], "q2": ["d", "e"]}
    positives = {"q1": ["b", "c", "z"], "q2": ["x"], "q3": ["y"]}
    assert per_query(rankings, positives, "MRR@10") == {"q1": 0.5, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, positives, "MRR@1") == {"q1": 0.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, positives, "Success@2") == {"q1": 1.0, "q2": 0.0, "q3": 0.0}
    assert per_query(rankings, positives, "Recall@3") == {"q1": 2 / 3, "q2": 0.0, "q3": 0.0}
    assert mean(per_query(rankings, positives, "Recall@3")) == 2 / 9


def test_evaluate_prints_measures_first_at_full_precision_and_counts_queries(tmp_path, capsys):
    run, qrels = tmp_path / "a.run", tmp_path / "qrels.tsv"
    run.write_text("q1\tQ0\tb\t1\t2.0\tx\nq1\tQ0\ta\t2\t1.5\tx\nq1\tQ0\tc\t3\t1.0\tx\n")
    qrels.write_text("q1\t0\tc\t1\nq2\t0\tz\t1\n")
    assert (
        evaluate.main(
            ["--run", str(run), "--qrels", str(qrels), "--measures", "MRR@10", "Success@3"]
        )
        == 0
    )
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"MRR@10\t{1 / 6!r}",
        "Success@3\t0.5",
        "queries_judged\t2",
        "queries_retrieved\t1",
        "queries_evaluated\t1",
    ]
    assert "queries_judged 2, queries_retrieved 1, queries_evaluated 1" in printed.err


def test_an_unknown_measure_is_refused():
    with pytest.raises(
        DataError, match="expected one of MRR, Success, Recall, accuracy and @k, got NDCG@10"
    ):
        per_query({"q": ["a"]}, {"q": ["a"]}, "NDCG@10")
