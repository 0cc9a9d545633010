"""A run is evaluated without a command line; the warnings name the queries that differ."""

import pytest

from rocketqa.evaluation.run_evaluation import evaluate_by_answers, evaluate_by_labels
from rocketqa.files.errors import DataError


@pytest.fixture
def files(tmp_path):
    """A folder with a run, labels, answers and a collection."""
    (tmp_path / "a.run").write_text("q1\tp1\t1\nq1\tp2\t2\nq2\tp1\t1\nq9\tp1\t1\n")
    (tmp_path / "qrels.tsv").write_text("q1\t0\tp2\t1\nq2\t0\tp1\t0\nq3\t0\tp1\t1\n")
    (tmp_path / "answers.tsv").write_text("q1\tmoon\nq2\tSaturn\nq3\tmoon\n")
    (tmp_path / "collection.tsv").write_text("p1\tMoon\tApollo\np2\t\tthe moon\n")
    return tmp_path


def by_labels(folder, mode: str, *measures: str):
    """Returns the evaluation of the run by labels, and its warnings."""
    warnings: list[str] = []
    run, qrels = folder / "a.run", folder / "qrels.tsv"
    return evaluate_by_labels(run, qrels, measures, mode, warnings.append), warnings


def by_answers(folder, mode: str, *measures: str, **options):
    """Returns the evaluation of the run by answers, and its warnings."""
    warnings: list[str] = []
    paths = [folder / name for name in ("a.run", "answers.tsv", "collection.tsv")]
    return evaluate_by_answers(*paths, measures, mode, warnings.append, **options), warnings


def test_queries_without_a_relevant_passage_are_not_judged(files):
    evaluation, warnings = by_labels(files, "strict", "MRR@10")
    assert evaluation.means == {"MRR@10": 0.25}  # 1/2 of q1, 0 of q3
    assert evaluation.counts == {
        "queries_judged": 2,
        "queries_retrieved": 3,
        "queries_evaluated": 1,
    }
    assert warnings == [
        f"{files}/a.run: 1 queries are not in {files}/qrels.tsv and are left out: q9",
        f"{files}/qrels.tsv: 1 queries have no passage of relevance 1 or more and are left out: q2",
        f"{files}/a.run: MRR@10: the run has no passage beyond rank 2",
        f"{files}/a.run: queries_judged 2, queries_retrieved 3, queries_evaluated 1",
        f"{files}/a.run: 1 judged queries are not in the run and count 0: q3",
    ]


def test_official_mode_warns_of_repeated_passages(files):
    (files / "a.run").write_text("q1\tp2\t1\nq1\tp2\t2\nq2\tp1\t1\nq3\tp1\t1\n")
    evaluation, warnings = by_labels(files, "official", "MRR@10")
    assert evaluation.means == {"MRR@10": 1.0}
    assert warnings == [
        f"{files}/a.run: 1 passages occur more than once for a query; "
        "the first: query q1, passage p2",
        f"{files}/a.run: MRR@10: the run has no passage beyond rank 2",
    ]


def test_the_lines_have_the_measures_first_at_full_precision(files):
    evaluation, _ = by_labels(files, "strict", "MRR@10", "Success@1")
    assert evaluation.lines() == [
        "MRR@10\t0.25",
        "Success@1\t0.0",
        "queries_judged\t2",
        "queries_retrieved\t3",
        "queries_evaluated\t1",
    ]


@pytest.mark.parametrize(
    "mode, options, value",
    [
        ("strict", {}, 1 / 3),  # q1 at rank 2
        ("released", {}, 1 / 2),  # without q3, which the run lacks
        ("strict", {"with_titles": True}, 1 / 3),  # q1 at rank 1
        ("strict", {"match": "regex"}, 1 / 3),
    ],
)
def test_accuracy_by_answers(files, mode, options, value):
    evaluation, _ = by_answers(files, mode, "accuracy@2", **options)
    assert evaluation.means == {"accuracy@2": value}


def test_official_mode_has_no_accuracy_beyond_the_first_list(files):
    evaluation, warnings = by_answers(files, "official", "accuracy@1", "accuracy@3")
    assert evaluation.means == {"accuracy@1": 0.0}
    assert f"{files}/a.run: no accuracy@3: the first query has 2 passages" in warnings


def test_an_answer_without_a_token_is_warned_of(files):
    (files / "answers.tsv").write_text("q1\t\u200b\nq2\tSaturn\n")
    evaluation, warnings = by_answers(files, "official", "accuracy@1")
    assert evaluation.means == {"accuracy@1": 0.5}
    assert warnings[0] == (
        f"{files}/answers.tsv: 1 answers have no token and are found in every passage"
    )


def test_a_run_of_other_queries_is_refused_with_an_id_of_each_file(files):
    cure = "give both of the same queries"
    (files / "qrels.tsv").write_text("x1\t0\tp1\t1\n")
    with pytest.raises(DataError) as refused:
        by_labels(files, "strict", "MRR@10")
    assert str(refused.value) == (
        f"{files}/a.run: expected queries of {files}/qrels.tsv, such as 'x1', "
        f"got none of them, but others, such as 'q1': {cure}"
    )
    (files / "answers.tsv").write_text("x1\tSaturn\n")
    with pytest.raises(DataError, match=f"expected queries of .*answers.tsv, .*{cure}"):
        by_answers(files, "released", "accuracy@1")


def test_labels_without_a_relevant_passage_are_refused(files):
    (files / "qrels.tsv").write_text("q1\t0\tp1\t0\n")
    with pytest.raises(DataError) as refused:
        by_labels(files, "strict", "MRR@10")
    assert str(refused.value) == (
        f"{files}/qrels.tsv: expected a query with a relevant passage, got none"
    )


def test_a_passage_that_the_collection_lacks_is_refused(files):
    (files / "collection.tsv").write_text("p1\tMoon\tApollo\n")
    with pytest.raises(DataError) as refused:
        by_answers(files, "strict", "accuracy@2")
    assert str(refused.value) == (f"{files}/a.run: expected passages of the collection, got 'p2'")
