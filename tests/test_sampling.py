"""Positives by label or answer, and random negatives that depend on nothing but query and seed."""

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
    sample_by_answers,
)

from rocketqa.training.sampling import (
    QueryPositives,
    RowSettings,
    random_negatives,
    rows_of_query,
    sorted_ids,
)


@pytest.fixture
def sampled(tmp_path):
    """Returns a maker of examples by labels: the rows of `rocketqa sample-negatives --qrels`."""
    return partial(sample, tmp_path)


@pytest.fixture
def answered(tmp_path):
    """Returns a maker of examples by answers: the rows of `rocketqa sample-negatives --answers`."""
    return partial(sample_by_answers, tmp_path)


class LetterNegatives:
    """A source whose negatives are the letters after the query's."""

    def negatives(self, query_id: str, excluded, count: int) -> list[str]:
        """Returns the first `count` letters that are not excluded."""
        letters = [letter for letter in "abcdef" if letter > query_id and letter not in excluded]
        return letters[:count]


@pytest.mark.parametrize(
    "settings, rows",
    [
        (RowSettings("dual", 1), [("a", "c", ("b",)), ("a", "d", ("e",))]),
        (RowSettings("dual", 1, negatives_per_row=2), [("a", "c", ("b", "e"))]),
        (RowSettings("cross", 1), [("a", "c", 1), ("a", "d", 1), ("a", "b", 0)]),
    ],
)
def test_a_query_asks_its_source_for_the_negatives_of_all_its_rows(settings, rows):
    query = QueryPositives("a", ["c", "d"], {"c", "d", "f"})
    assert list(rows_of_query(query, LetterNegatives(), settings)) == rows


# Natural Questions: positives and negatives by the answer.


def test_the_first_passage_with_an_answer_is_the_positive_and_none_with_one_is_a_negative(
    answered, capsys
):
    # q1's run is p1 ... p7: p2 holds "wright" in its title, p3 "WRIGHTS", p6 "or ville".
    # q2's run is p3 p1 p2 p4 p5 p6 p7: p7 alone holds it. Nothing was retrieved for q3 and q5.
    assert answered(negatives=9) == [
        "q1 p2 p1",
        "q1 p2 p4",
        "q1 p2 p5",
        "q1 p2 p7",
        "q2 p7 p3",
        "q2 p7 p1",
        "q2 p7 p2",
        "q2 p7 p4",
        "q2 p7 p5",
        "q2 p7 p6",
    ]
    assert capsys.readouterr().out.endswith(": 10 rows, 2 queries, 2 queries left out\n")


def test_negatives_by_answer_are_denoised_too(answered):
    # q1 rejects p4 (0.09) and p7, and p5 (0.08), which is a labelled positive but holds no answer.
    assert answered(scores=SCORES) == ["q1 p2 p4", "q2 p7 p3"]


def test_without_an_answer_in_reach_there_is_no_row_of_the_dual_encoder(answered):
    assert answered("--depth", "6") == ["q1 p2 p1"]


def test_a_positive_or_a_negative_by_answer_stands_alone_for_the_cross_encoder(answered):
    assert answered("--depth", "6", purpose="cross") == ["q1 p2 1", "q1 p1 0", "q2 p3 0"]
    assert answered("--depth", "1", purpose="cross", answers=["q2 wright"]) == ["q2 p3 1"]


def test_random_negatives_by_answer_come_from_those_without_one(answered):
    rows = answered("--order", "random", purpose="cross", negatives=3)
    negatives = negatives_in(rows, "cross")
    assert len(negatives["q1"]) == 3 and not negatives["q1"] & {"p2", "p3", "p6"}
    assert len(negatives["q2"]) == 3 and not negatives["q2"] & {"p7"}


# What is drawn depends on query and seed alone.


def test_random_negatives_follow_the_query_and_the_seed_and_not_the_order_of_the_qrels(sampled):
    qrels = [f"q{number} 0 p1 1" for number in range(12)]
    run = [f"q{number} Q0 p{rank} {rank} 1.0 x" for number in range(12) for rank in range(1, 9)]
    ways = [
        (("--order", "random"), {"run": run}),
        (("--depth", "2", "--fill-depth", "8"), {"run": run}),
        ((), {"collection": COLLECTION}),
    ]
    for flags, source in ways:
        expected = sampled(*flags, qrels=qrels, **source)
        assert sorted(sampled(*flags, qrels=qrels[::-1], **source)) == sorted(expected)
        two_queries = sampled(*flags, qrels=[qrels[3], qrels[8]], **source)
        assert [row for row in expected if row.split()[0] in ("q3", "q8")] == two_queries
        assert sampled(*flags, qrels=qrels, seed=2, **source) != expected
        assert len(set(map(frozenset, negatives_in(expected).values()))) > 3


@pytest.mark.parametrize(
    "flags, source",
    [
        (("--order", "random"), {}),
        (("--depth", "3", "--fill-depth", "7"), {"scores": SCORES}),
        ((), {"scores": SCORES}),
        ((), {"collection": COLLECTION}),
    ],
)
@pytest.mark.parametrize("purpose", ["dual", "cross"])
def test_each_query_has_the_same_examples_whatever_the_order_of_all_lines(
    sampled, flags, source, purpose
):
    files = {"qrels": QRELS, "also": ["q2 0 p4 1", "q1 0 p7 1"], "run": RUN} | source
    expected = sampled(*flags, purpose=purpose, **files)
    for seed in range(4):
        shuffled = {
            name: random.Random(seed).sample(lines, len(lines)) for name, lines in files.items()
        }
        assert sorted(sampled(*flags, purpose=purpose, **shuffled)) == sorted(expected)


def test_labels_and_answers_do_not_follow_the_order_of_lines_either(answered, tmp_path):
    way = partial(answered, "--order", "random", purpose="cross")
    expected = label(tmp_path)
    expected_by_answer = way(scores=SCORES)
    for seed in range(4):
        run, scores, answers = (
            random.Random(seed).sample(lines, len(lines)) for lines in (RUN, SCORES, ANSWERS)
        )
        assert sorted(label(tmp_path, run=run, scores=scores)) == sorted(expected)
        by_answer = way(run=run, scores=scores, answers=answers)
        assert sorted(by_answer) == sorted(expected_by_answer)


def test_numeric_ids_are_sorted_numerically():
    assert sorted_ids(["10", "9", "b", "0", "100"]) == ["0", "9", "b", "10", "100"]


def test_every_passage_is_drawn_equally_often_and_at_most_once():
    passage_ids = ["a", "+", "b", "c", "d", "e"]
    draws = [random_negatives(f"q{number}", passage_ids, ["+"], 2, 1) for number in range(1000)]
    assert all(len(set(pair)) == 2 for pair in draws)
    counts = Counter(passage_id for pair in draws for passage_id in pair)
    assert counts.keys() == set("abcde")
    assert all(340 < count < 460 for count in counts.values())  # 400, standard deviation 15


@pytest.mark.parametrize(
    "collection, positives, count, expected",
    [
        ("a b c", "b", 9, {"a", "c"}),
        ("a b", "a b", 4, set()),
        ("a", "a", 1, set()),
        ("a", "x y z", 0, set()),
    ],
)
def test_a_tiny_collection_gives_what_it_has_and_drawing_ends(
    collection, positives, count, expected
):
    negatives = random_negatives("q", collection.split(), positives.split(), count, 1)
    assert set(negatives) == expected
    assert len(negatives) == len(expected)
