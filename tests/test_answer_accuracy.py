"""`rocketqa evaluate --answers` prints the accuracy that DPR's and the released scripts compute."""

import random
from collections.abc import Mapping
from pathlib import Path

import pytest
from answer_evaluation import AnswerEvaluation, write_answers, write_collection, write_run
from slow_answer_match import random_sentence, slow_has_answer

from rocketqa.cli.__main__ import main

ORDERS = (
    "rank 2 of query q1 has the score 3.0, rank 1 the score 2.0; "
    f"accuracy@1 0.0 by rank and {1 / 3!r} by score (--order score measures by score)"
)
ANSWERS = "q1\tthe moon\nq2\tsaturn\tGEMINI\nq3\tnowhere\n"


@pytest.fixture
def evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AnswerEvaluation:
    """Evaluates a run by the answers in its passages: `evaluate(answers, run, *flags)`."""
    return AnswerEvaluation(tmp_path, capsys)


def test_the_released_mode_is_over_the_queries_of_the_run_and_strips_dots_from_answers(evaluate):
    # The answer of q1, without its dots, is in p1. The run lacks q3, and q9 has no answers.
    answers = "q1\tApollo..\nq2\tsaturn\nq3\tApollo\n"
    run = "q1 p4 p1;q2 p4 p3;q9 p1"
    released = evaluate(answers, run, "--mode", "released")
    assert released.status == 0
    assert released.lines == [
        "accuracy@5\t0.5",
        "accuracy@10\t0.5",
        "accuracy@20\t0.5",
        "accuracy@50\t0.5",
        "accuracy@100\t0.5",
        "queries_judged\t2",
        "queries_retrieved\t3",
        "queries_evaluated\t2",
    ]
    assert "1 queries are not in" in released.complaint
    strict = evaluate(answers, run, "--measures", "accuracy@2")
    assert strict.lines[0] == "accuracy@2\t0.0"


@pytest.mark.parametrize(
    "answer, flags, accuracy",
    [
        ("moon", (), 0.0),
        ("moon", ("--with-titles",), 1.0),
        ("Moon . Apollo", ("--with-titles",), 1.0),
    ],
)
def test_titles_are_searched_only_if_that_is_asked_for(evaluate, answer, flags, accuracy):
    printed = evaluate(f"q1\t{answer}\n", "q1 p1", "--measures", "accuracy@1", *flags)
    assert printed.lines[0] == f"accuracy@1\t{accuracy}"


@pytest.mark.parametrize("match, accuracy", [("regex", 1.0), ("string", 0.0)])
def test_answers_are_regular_expressions_only_if_that_is_asked_for(evaluate, match, accuracy):
    flags = ("--measures", "accuracy@1", "--match", match)
    printed = evaluate("q1\tSky?l.b\n", "q1 p4", *flags)
    assert printed.lines[0] == f"accuracy@1\t{accuracy}"


CHINESE = {"p1": "北京是中国的首都。", "p2": "长城全长两万余公里。"}


@pytest.mark.parametrize("mode", ["strict", "official", "released"])
def test_answers_without_blanks_are_found_only_if_that_is_asked_for(tmp_path, evaluate, mode):
    write_collection(tmp_path, CHINESE)
    write_answers(tmp_path, {"q1": ["北京"], "q2": ["两万余公里"]})
    write_run(tmp_path, {"q1": ["p1"], "q2": ["p2"]})
    flags = ("--measures", "accuracy@1", "--mode", mode)
    of_dpr = evaluate.call(*flags)
    assert of_dpr.lines[0] == "accuracy@1\t0.0"
    assert "2 answers are in a script without blanks, such as Chinese" in of_dpr.complaint
    by_characters = evaluate.call(*flags, "--match", "characters")
    assert by_characters.lines[0] == "accuracy@1\t1.0"
    assert not by_characters.complaint


@pytest.mark.parametrize("mode", ["strict", "official", "released"])
def test_a_run_that_found_nothing_counts_0_only_if_that_is_asked_for(tmp_path, evaluate, mode):
    write_collection(tmp_path, CHINESE)
    write_answers(tmp_path, {"q1": ["moon"]})
    (tmp_path / "a.run").write_text("")
    flags = ("--measures", "accuracy@1", "--mode", mode)
    refused = evaluate.call(*flags)
    assert refused.status == 2 and not refused.lines
    allowed = evaluate.call(*flags, "--allow-empty")
    assert allowed.status == 0
    assert allowed.lines[0] == "accuracy@1\t0.0"


@pytest.mark.parametrize(
    "flags",
    [
        ("--mode", "released"),
        ("--match", "regex"),
        ("--match", "characters"),
        ("--with-titles",),
    ],
)
def test_flags_about_answers_are_refused_with_qrels(tmp_path, capsys, flags):
    run = tmp_path / "a.run"
    run.write_text("q1\tp1\t1\n")
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("q1\tp1\n")
    assert main(["evaluate", "--run", str(run), "--qrels", str(qrels), *flags]) == 2
    assert capsys.readouterr().err.endswith("expected them with --answers, got --qrels\n")


def test_accuracy_is_over_all_queries_and_by_the_text_alone(evaluate):
    # q1 has its answer at rank 3 (the title "Moon" does not count), q2 at rank 1, q3 nowhere.
    run = "q1 p1 p2 p3;q2 p2 p1;q3 p1 p2 p3 p4"
    printed = evaluate(ANSWERS, run, "--measures", "accuracy@1", "accuracy@2", "accuracy@3")
    assert printed.status == 0
    assert printed.lines == [
        f"accuracy@1\t{1 / 3!r}",
        f"accuracy@2\t{1 / 3!r}",
        f"accuracy@3\t{2 / 3!r}",
        "queries_judged\t3",
        "queries_retrieved\t3",
        "queries_evaluated\t3",
    ]


def test_a_query_that_the_run_lacks_counts_0_and_is_named(evaluate):
    answers = ANSWERS + "q4\tSkylab\n"
    printed = evaluate(answers, "q1 p1 p2 p3;q2 p2 p1;q3 p1", "--measures", "accuracy@3")
    assert printed.lines[0] == "accuracy@3\t0.5"
    assert "1 judged queries are not in the run and count 0: q4" in printed.complaint


def test_accuracy_at_5_20_and_100_is_the_default(tmp_path, evaluate):
    texts = {f"p{passage}": "to the moon" for passage in range(100)}
    write_collection(tmp_path, texts)
    write_answers(tmp_path, {"q1": ["moon"]})
    write_run(tmp_path, {"q1": list(texts)})
    measures = [line.split("\t")[0] for line in evaluate.call().lines[:3]]
    assert measures == ["accuracy@5", "accuracy@20", "accuracy@100"]


def test_an_accuracy_beyond_the_longest_list_is_left_out(evaluate):
    run = "q1 p1;q2 p1 p2;q3 p1"
    printed = evaluate(ANSWERS, run, "--measures", "accuracy@2", "accuracy@3")
    assert [line.split("\t")[0] for line in printed.lines[:2]] == ["accuracy@2", "queries_judged"]
    expected = "a.run: no accuracy@3: the run has at most 2 passages for a query\n"
    assert printed.complaint.endswith(expected)


def test_by_answers_too_both_orders_of_a_contradicting_run_are_named(tmp_path, evaluate):
    evaluate(ANSWERS, "q1 p1")
    lines = ["q1\tQ0\tp1\t1\t2\tx", "q1\tQ0\tp3\t2\t3\tx", "q2\tQ0\tp4\t1\t3\tx"]
    (tmp_path / "a.run").write_text("\n".join(lines) + "\n")
    by_rank = evaluate.call("--measures", "accuracy@1")
    assert by_rank.lines[0] == "accuracy@1\t0.0"
    assert f"a.run:2: the ranks contradict the scores: {ORDERS}" in by_rank.complaint
    by_score = evaluate.call("--measures", "accuracy@1", "--order", "score")
    assert by_score.lines[0] == f"accuracy@1\t{1 / 3!r}"
    assert "contradict" not in by_score.complaint


def test_dprs_table_ends_where_the_first_list_ends(evaluate):
    run = "q1 p1;q2 p1 p2;q3 p1"
    flags = ("--measures", "accuracy@1", "accuracy@2", "--mode")
    official = evaluate(ANSWERS, run, *flags, "official")
    assert official.lines[0] == "accuracy@1\t0.0"
    assert official.lines[1].startswith("queries_judged")
    assert "no accuracy@2: the first query has 1 passages" in official.complaint
    strict = evaluate(ANSWERS, run, *flags, "strict")
    assert strict.lines[1] == f"accuracy@2\t{1 / 3!r}"


def test_an_answer_without_tokens_counts_in_official_mode_and_is_refused_in_strict(evaluate):
    answers = "q1\tthe moon\nq2\t\u200b\n"
    flags = ("--measures", "accuracy@1", "--mode")
    official = evaluate(answers, "q1 p1;q2 p1", *flags, "official")
    assert official.lines[0] == "accuracy@1\t0.5"
    assert "1 answers have no token" in official.complaint
    strict = evaluate(answers, "q1 p1;q2 p1", *flags, "strict")
    assert strict.status == 2
    expected = "answers.tsv:2: expected an answer with a visible character, got '\\u200b'\n"
    assert strict.complaint.endswith(expected)


@pytest.mark.parametrize(
    "run, flags, message",
    [
        ("q9 p1", (), "answers.tsv, such as 'q1', got none of them, but others, such as 'q9'"),
        ("q1 p1 p9", (), "expected passages of "),
        ("q1 p1 p9", ("--mode", "official"), "expected passages of "),
        (
            "q1 p1",
            ("--measures", "MRR@10"),
            "expected accuracy@k with --answers and no other, got MRR@10",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(evaluate, run, flags, message):
    printed = evaluate(ANSWERS, run, *flags)
    assert printed.status == 2 and not printed.lines
    assert printed.complaint.startswith("rocketqa evaluate: ")
    assert message in printed.complaint


Rankings = Mapping[str, list[str]]
Answers = Mapping[str, list[str]]


def slow_accuracy(
    run: Rankings, answers: Answers, texts: Mapping[str, str], k: int, mode: str
) -> float:
    """DPR's mean is over the queries with answers, that of nq_eval.py over those of the run."""
    hits = 0
    for query_id in run:
        wanted = answers[query_id]
        if mode == "released":
            wanted = [answer.strip(".").lower() for answer in wanted]
        top_texts = [texts[passage_id] for passage_id in run[query_id][:k]]
        hits += any(slow_has_answer(text, answer) for text in top_texts for answer in wanted)
    return hits / len(run if mode == "released" else answers)


def random_answers(drawing: random.Random) -> dict[str, list[str]]:
    """Returns one or two answers for each of seven queries."""
    answers = {}
    for query in range(7):
        count = drawing.randint(1, 2)
        answers[f"q{query}"] = [random_sentence(drawing, 2) for _ in range(count)]
    return answers


def random_run(
    drawing: random.Random, query_ids: list[str], passage_ids: list[str]
) -> dict[str, list[str]]:
    """Returns eight passages for most of the queries, at least for one."""
    run = {}
    for query_id in query_ids:
        if drawing.random() < 0.8:
            run[query_id] = drawing.sample(passage_ids, 8)
    return run or {"q0": ["p0"]}


@pytest.mark.parametrize("mode", ["strict", "official", "released"])
def test_random_runs_have_the_accuracy_of_the_slow_one_to_the_last_digit(tmp_path, evaluate, mode):
    different_values = set()
    for seed in range(30):
        drawing = random.Random(seed)
        texts = {f"p{passage}": random_sentence(drawing, 5) for passage in range(12)}
        answers = random_answers(drawing)
        run = random_run(drawing, list(answers), sorted(texts))
        write_collection(tmp_path, texts)
        write_answers(tmp_path, answers)
        write_run(tmp_path, run)
        printed = evaluate.call("--mode", mode, "--measures", "accuracy@1", "accuracy@3")
        assert printed.status == 0
        for k, line in zip((1, 3), printed.lines):
            value = slow_accuracy(run, answers, texts, k, mode)
            assert line == f"accuracy@{k}\t{value!r}", seed
            different_values.add(value)
    assert len(different_values) > 4
