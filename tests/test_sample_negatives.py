"""Which passages `rocketqa sample-negatives` takes as negatives, by hand on literal files."""

import random
from collections import Counter
from functools import partial

import pytest
from sampling_fixture import (
    ANSWERS,
    COLLECTION,
    QRELS,
    RUN,
    SCORES,
    label,
    negatives_in,
    sample,
    write,
)

from rocketqa.cli.__main__ import main


@pytest.fixture
def sampled(tmp_path):
    """Returns a maker of examples: the rows of `rocketqa sample-negatives`."""
    return partial(sample, tmp_path)


# Hard negatives.


def test_top_passages_that_are_no_labelled_positives_are_negatives_in_the_order_of_their_ranks(
    sampled,
):
    # q1: two rows for each of its two positives. p6 is labelled irrelevant: it may be a negative.
    assert sampled() == ["q1 p2 p1", "q1 p2 p3", "q1 p5 p4", "q1 p5 p6", "q2 p1 p3", "q2 p1 p2"]


def test_denoised_negatives_are_those_that_the_cross_encoder_rejects(sampled):
    # q1 has p4 (0.09), p6 and p7, but not p3 (0.1: the threshold is strict) nor p1 (0.95).
    # q2 has p3 and p4, but not p2 (0.5).
    assert sampled(scores=SCORES) == ["q1 p2 p4", "q1 p2 p6", "q1 p5 p7", "q2 p1 p3", "q2 p1 p4"]


def test_the_depth_counts_ranks_of_the_run(sampled):
    assert sampled("--depth", "4", scores=SCORES) == ["q1 p2 p4", "q2 p1 p3", "q2 p1 p4"]
    assert sampled("--depth", "4", negatives=9) == [
        "q1 p2 p1",
        "q1 p2 p3",
        "q1 p2 p4",
        "q2 p1 p3",
        "q2 p1 p2",
        "q2 p1 p4",
    ]


@pytest.mark.parametrize("source", [{}, {"scores": SCORES}, {"collection": COLLECTION}])
@pytest.mark.parametrize("order", ["rank", "random"])
@pytest.mark.parametrize("purpose", ["dual", "cross"])
def test_labelled_and_further_positives_are_never_negatives(sampled, source, order, purpose):
    excluded = {"q1": {"p2", "p5", "p7"}, "q2": {"p1", "p4"}, "q3": {"p1"}}
    flags = ["--order", order, "--fill-depth", "7", "--depth", "5"]
    further = ["q1 0 p7 1", "q2 0 p4 1", "q2 0 p6 0"]
    rows = sampled(*flags, purpose=purpose, negatives=9, also=further, **source)
    negatives = negatives_in(rows, purpose)
    never_retrieved = set() if "collection" in source else {"q3"}
    assert negatives.keys() == excluded.keys() - never_retrieved
    assert all(not negatives[query_id] & excluded[query_id] for query_id in negatives)


def test_further_positives_are_no_positives_to_learn_from(sampled):
    rows = sampled(also=["q2 0 p4 1", "q4 0 p1 1"])
    assert {row.split()[1] for row in rows} == {"p1", "p2", "p5"}


def test_ids_are_compared_whole(sampled):
    run = [
        f"q1 Q0 {passage_id} {rank} 1.0 x"
        for rank, passage_id in enumerate(["12", "123456", "1234567", "012"], 1)
    ]
    rows = sampled(qrels=["q1 0 123456 1"], run=run, negatives=4)
    assert rows == ["q1 123456 12", "q1 123456 1234567", "q1 123456 012"]
    collection = ["12||text", "123456||text", "456||text"]
    rows = sampled(qrels=["q1 0 123456 1"], collection=collection, negatives=4)
    assert sorted(rows) == ["q1 123456 12", "q1 123456 456"]


def test_several_negatives_fit_in_a_row(sampled):
    rows = sampled("--negatives-per-row", "2", negatives=1)
    assert rows == ["q1 p2 p1 p3", "q1 p5 p4 p6", "q2 p1 p3 p2"]


def test_cross_examples_are_all_positives_then_the_negatives_of_each_query(sampled):
    assert sampled(purpose="cross") == [
        "q1 p2 1",
        "q1 p5 1",
        "q1 p1 0",
        "q1 p3 0",
        "q2 p1 1",
        "q2 p3 0",
        "q2 p2 0",
    ]


def test_queries_without_negatives_are_left_out_and_counted(sampled, capsys):
    sampled(scores=SCORES)
    assert capsys.readouterr().out.endswith("examples.tsv: 5 rows, 2 queries, 1 queries left out\n")


def test_filling_up_takes_only_deeper_ranks_without_asking_the_cross_encoder(sampled):
    # Among the top 4, q1 has p4 alone. Deeper are p5 (its positive), p6 and p7; p7 is below rank 6.
    rows = sampled("--depth", "4", "--fill-depth", "6", scores=SCORES)
    assert rows == ["q1 p2 p4", "q1 p2 p6", "q2 p1 p3", "q2 p1 p4"]
    # The top 2 of q2 are its positive p1, and p3: the only passage with a score.
    rows = sampled(
        "--depth",
        "2",
        "--fill-depth",
        "7",
        scores=["q2 Q0 p3 1 0.07 x"],
        qrels=["q2 0 p1 1"],
        negatives=4,
    )
    assert rows[0] == "q2 p1 p3"
    assert len(rows) == 4
    assert negatives_in(rows)["q2"] < {"p3", "p2", "p4", "p5", "p6", "p7"}


# Scores.


def test_scores_are_joined_by_ids_whatever_the_order_of_the_lines(sampled, tmp_path):
    expected = sampled(scores=SCORES)
    expected_labels = label(tmp_path)
    for seed in range(3):
        lines = SCORES.copy()
        random.Random(seed).shuffle(lines)
        assert sampled(scores=lines) == expected
        assert label(tmp_path, scores=lines) == expected_labels


def scores_without(passage_id: str, query_id: str) -> list[str]:
    """Returns the scores without one line; the ranks below it are moved up."""
    rows = [line.split() for line in SCORES]
    rows = [columns for columns in rows if (columns[0], columns[2]) != (query_id, passage_id)]
    ranks: Counter[str] = Counter()
    for columns in rows:
        ranks[columns[0]] += 1
        columns[3] = str(ranks[columns[0]])
    return [" ".join(columns) for columns in rows]


def test_a_dropped_line_of_scores_is_refused_and_never_shifts_the_others(tmp_path, capsys):
    output = tmp_path / "examples.tsv"
    common = ["--run", write(tmp_path, "a.run", RUN), "--negatives", "2", "--output", str(output)]
    qrels = write(tmp_path, "qrels.tsv", QRELS)
    verb = ["sample-negatives", "--for", "dual", "--qrels", qrels, "--seed", "1", *common]
    scores = write(tmp_path, "dropped.run", scores_without("p4", "q1"))
    assert main([*verb, "--scores", scores]) == 2
    assert capsys.readouterr().err == (
        "rocketqa sample-negatives: --scores: expected a score of query q1 and passage p4, "
        "got none: score this --run, at least as deep\n"
    )
    scores = write(tmp_path, "dropped.run", scores_without("p2", "q4"))
    assert main(["pseudo-label", *common, "--scores", scores]) == 2
    assert capsys.readouterr().err == (
        "rocketqa pseudo-label: --scores: expected a score of query q4 and passage p2, got none: "
        "score this --run, at least as deep\n"
    )
    assert not output.exists()


# Refusals.


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            "--answers answers.tsv --run a.run",
            "--answers: expected --run and --collection with it, got run",
        ),
        ("--qrels qrels.tsv", "--qrels: expected --run or --collection with it, got neither"),
        (
            "--qrels qrels.tsv --run a.run --collection c.tsv",
            "--qrels: expected --run or --collection with it, got run and collection",
        ),
        (
            "--qrels qrels.tsv --collection c.tsv",
            "qrels.tsv:1: expected a passage_id of the collection, got 'p2'",
        ),
        (
            "--answers answers.tsv --run a.run --collection c.tsv",
            "a.run:1: expected a passage_id of the collection, got 'p1'",
        ),
    ],
)
def test_sources_that_do_not_fit_are_refused(tmp_path, capsys, flags, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "answers.tsv", ANSWERS)
    write(tmp_path, "qrels.tsv", QRELS)
    write(tmp_path, "a.run", RUN)
    write(tmp_path, "c.tsv", ["p9||text"])
    command = "sample-negatives --for dual --negatives 1 --seed 1 --output x".split()
    assert main([*command, *flags.split()]) == 2
    assert capsys.readouterr().err == f"rocketqa sample-negatives: {message}\n"


def test_a_collection_of_positives_alone_is_refused(tmp_path, capsys):
    command = "sample-negatives --for dual --negatives 4 --seed 1".split()
    command += ["--qrels", write(tmp_path, "qrels.tsv", ["q1 0 p1 1"])]
    command += ["--collection", write(tmp_path, "collection.tsv", ["p1||text"])]
    assert main([*command, "--output", str(tmp_path / "examples.tsv")]) == 2
    assert capsys.readouterr().err.endswith(
        "qrels.tsv: expected a query with negatives, got none for 1 queries\n"
    )


def test_a_cross_encoder_that_rejects_nothing_is_named(tmp_path, capsys):
    scores = write(tmp_path, "scores.run", SCORES)
    command = "sample-negatives --for dual --negatives 1 --seed 1 --max-score 0.01".split()
    command += ["--qrels", write(tmp_path, "qrels.tsv", QRELS[:3])]
    command += ["--run", write(tmp_path, "a.run", RUN), "--scores", scores]
    assert main([*command, "--output", str(tmp_path / "examples.tsv")]) == 2
    assert capsys.readouterr().err.endswith(
        f"{scores}: expected a passage with P(relevant) below 0.01, got none for 2 queries "
        "(rocketqa report-denoising shows how the scores are distributed)\n"
    )
    assert main([*command, "--output", str(tmp_path / "examples.tsv"), "--allow-empty"]) == 0
    assert (tmp_path / "examples.tsv").read_text() == ""
    assert "0 rows, 0 queries, 2 queries left out\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "flags",
    [
        ["--negatives", "-1"],
        ["--negatives-per-row", "0"],
        ["--depth", "-5"],
        ["--max-score", "nan"],
    ],
)
def test_a_number_that_means_nothing_is_refused(capsys, flags):
    with pytest.raises(SystemExit, match="2"):
        main(["sample-negatives", *flags])
    line = capsys.readouterr().err
    assert line.startswith(f"rocketqa sample-negatives: {flags[0]}: expected a ")
    assert line.count("\n") == 1
