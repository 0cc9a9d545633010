"""Which passages become negatives and pseudo-positives: by hand on literal files (sections 3.3.2 and 3.3.3)."""

import random
from collections import Counter

import pytest

from rocketqa.cli import pseudo_label, sample_negatives
from rocketqa.cli.__main__ import main
from rocketqa.data_augmentation import pseudo_labelled
from rocketqa.denoised_hard_negatives import (
    drawn,
    dual_examples,
    filled,
    in_order,
    random_passages,
    rejected,
    unlabelled,
)
from rocketqa.files.answers import has_answer_string
from rocketqa.files.errors import DataError
from rocketqa.files.runs import ScoredPassage

# q1 has two positives, q2 one, q3 one that is retrieved nowhere; q4 is retrieved and unlabelled.
QRELS = ["q1 0 p2 1", "q1 0 p5 1", "q2 0 p1 1", "q1 0 p6 0", "q3 0 p1 1"]
RUN = [
    f"{query_id} Q0 {passage_id} {rank} {9 - rank} x"
    for query_id, ranking in {
        "q1": "p1 p2 p3 p4 p5 p6 p7",
        "q2": "p3 p1 p2 p4 p5 p6 p7",
        "q4": "p5 p4 p3 p2 p1",
    }.items()
    for rank, passage_id in enumerate(ranking.split(), 1)
]
# The cross encoder ranks anew: its lines stand in another order than the run's.
SCORES = [
    f"{query_id} Q0 {passage_id} {rank} {score} x"
    for query_id, ranking in {
        "q1": "p2 0.99, p1 0.95, p3 0.1, p4 0.09, p5 0.08, p7 0.02, p6 0.01",
        "q2": "p1 0.9, p2 0.5, p3 0.07, p4 0.06, p7 0.05, p6 0.04, p5 0.03",
        "q4": "p4 0.91, p3 0.91, p5 0.5, p1 0.09, p2 0.01",
    }.items()
    for rank, (passage_id, score) in enumerate(map(str.split, ranking.split(", ")), 1)
]
COLLECTION = [f"p{number}||text" for number in range(1, 9)]


@pytest.fixture
def files(tmp_path):
    """Returns a maker of files: blanks and bars become tabs."""

    def write(name: str, lines: list[str]) -> str:
        (tmp_path / name).write_text(
            "".join(line.replace(" ", "\t").replace("|", "\t") + "\n" for line in lines)
        )
        return str(tmp_path / name)

    return write


@pytest.fixture
def sampled(files, tmp_path):
    """Returns a maker of examples: the rows of `rocketqa sample-negatives`, from the run unless told otherwise."""

    def sample(
        *flags: str,
        purpose="dual",
        negatives=2,
        qrels=QRELS,
        run=RUN,
        scores=None,
        collection=None,
        also=None,
        seed=1,
    ) -> list[str]:
        source = (
            ["--collection", files("collection.tsv", collection)]
            if collection
            else ["--run", files("a.run", run)]
        )
        source += ["--scores", files("scores.run", scores)] if scores else []
        source += ["--also-positive", files("also.tsv", also)] if also else []
        output = tmp_path / "examples.tsv"
        assert (
            sample_negatives.main(
                [
                    "--for",
                    purpose,
                    "--qrels",
                    files("qrels.tsv", qrels),
                    *source,
                    *flags,
                    "--negatives",
                    str(negatives),
                    "--seed",
                    str(seed),
                    "--output",
                    str(output),
                ]
            )
            == 0
        )
        return output.read_text().replace("\t", " ").splitlines()

    return sample


@pytest.fixture
def labelled(files, tmp_path):
    """Returns a maker of pseudo-labels: the rows of `rocketqa pseudo-label`."""

    def label(*flags: str, run=RUN, scores=SCORES, negatives=4) -> list[str]:
        output = tmp_path / "pseudo.tsv"
        assert (
            pseudo_label.main(
                [
                    "--run",
                    files("a.run", run),
                    "--scores",
                    files("scores.run", scores),
                    *flags,
                    "--negatives",
                    str(negatives),
                    "--output",
                    str(output),
                ]
            )
            == 0
        )
        return output.read_text().replace("\t", " ").splitlines()

    return label


def ranking_of(query_id: str, passage_ids: str) -> list[ScoredPassage]:
    return [
        ScoredPassage(query_id, passage_id, rank, 1 / rank)
        for rank, passage_id in enumerate(passage_ids.split(), 1)
    ]


def negatives_of(rows: list[str], purpose: str = "dual") -> dict[str, set[str]]:
    """Returns query_id -> its negatives."""
    found = {}
    for query_id, *passages in map(str.split, rows):
        negatives = (
            passages[1:] if purpose == "dual" else passages[:1] if passages[1] == "0" else []
        )
        found.setdefault(query_id, set()).update(negatives)
    return found


# Hard negatives.


def test_top_passages_that_are_no_labelled_positives_are_negatives_in_the_order_of_their_ranks(
    sampled,
):
    # q1: two rows for each of its two positives. p6 was judged irrelevant, so it may be a negative.
    assert sampled() == ["q1 p2 p1", "q1 p2 p3", "q1 p5 p4", "q1 p5 p6", "q2 p1 p3", "q2 p1 p2"]


def test_denoised_negatives_are_those_that_the_cross_encoder_rejects(sampled):
    # q1 keeps p4 (0.09), p6 and p7, not p3 (0.1: the threshold is strict) nor p1 (0.95); q2 not p2 (0.5).
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


@pytest.mark.parametrize("flags", [{}, {"scores": SCORES}, {"collection": COLLECTION}])
@pytest.mark.parametrize("order", ["rank", "random"])
@pytest.mark.parametrize("purpose", ["dual", "cross"])
def test_labelled_and_further_positives_are_never_negatives(sampled, flags, order, purpose):
    barred = {"q1": {"p2", "p5", "p7"}, "q2": {"p1", "p4"}, "q3": {"p1"}}
    rows = sampled(
        "--order",
        order,
        "--fill-depth",
        "7",
        "--depth",
        "5",
        purpose=purpose,
        negatives=9,
        also=["q1 0 p7 1", "q2 0 p4 1", "q2 0 p6 0"],
        **flags,
    )
    found = negatives_of(rows, purpose)
    assert found.keys() == barred.keys() - ({"q3"} if "collection" not in flags else set())
    assert all(not found[query_id] & barred[query_id] for query_id in found)


def test_further_positives_are_no_positives_to_learn_from(sampled):
    assert {row.split()[1] for row in sampled(also=["q2 0 p4 1", "q4 0 p1 1"])} == {
        "p1",
        "p2",
        "p5",
    }


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


def test_each_positive_has_its_own_negatives_and_fewer_negatives_give_fewer_rows():
    def rows(negatives: str, count: int, per_row: int):
        return [
            example[1:]
            for example in dual_examples("q", ["A", "B"], negatives.split(), count, per_row)
        ]

    assert rows("a b c d e f g h i", 4, 1) == [
        ("A", ("a",)),
        ("A", ("b",)),
        ("A", ("c",)),
        ("A", ("d",)),
        ("B", ("e",)),
        ("B", ("f",)),
        ("B", ("g",)),
        ("B", ("h",)),
    ]
    assert rows("a b c", 2, 1) == [("A", ("a",)), ("A", ("b",)), ("B", ("c",))]
    assert rows("a b c d e", 1, 2) == [("A", ("a", "b")), ("B", ("c", "d"))]
    assert rows("a b c", 1, 2) == [("A", ("a", "b"))]
    assert rows("a", 1, 2) == rows("", 4, 1) == []


def test_several_negatives_fit_in_a_row(sampled):
    assert sampled("--negatives-per-row", "2", negatives=1) == [
        "q1 p2 p1 p3",
        "q1 p5 p4 p6",
        "q2 p1 p3 p2",
    ]


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


# Filling up.


def test_filling_up_takes_only_deeper_ranks_without_asking_the_cross_encoder(sampled):
    # Among the top 4, q1 keeps p4 alone. Deeper are p5 (its positive), p6 and p7; 7 is out of reach of --fill-depth 6.
    rows = sampled("--depth", "4", "--fill-depth", "6", scores=SCORES)
    assert rows == ["q1 p2 p4", "q1 p2 p6", "q2 p1 p3", "q2 p1 p4"]
    # Of q2 the cross encoder read the top 2 alone, its positive p1 and p3.
    rows = sampled(
        "--depth",
        "2",
        "--fill-depth",
        "7",
        scores=["q2 Q0 p3 1 0.07 x"],
        qrels=["q2 0 p1 1"],
        negatives=4,
    )
    assert rows[0] == "q2 p1 p3" and len(rows) == 4
    assert negatives_of(rows)["q2"] < {"p3", "p2", "p4", "p5", "p6", "p7"}


def test_filling_up_repeats_nothing_and_ends_where_the_ranks_end():
    assert filled("q", ["a", "b"], ["c", "d"], 2, 1) == ["a", "b"]
    assert filled("q", ["a"], ["c", "d"], 9, 1) == ["a", "c", "d"]
    found = filled("q", ["a"], list("cdefgh"), 4, 1)
    assert found[0] == "a" and len(set(found)) == 4 and set(found[1:]) < set("cdefgh")


# Natural Questions: positives and negatives by the answer.

ANSWERS = ["q1 Wright.|Orville", "q2 1903", "q3 Wright", "q5 kitty"]
TEXTS = [
    "p1||a text",
    "p2|The Wright brothers|a text",
    "p3||WRIGHTS flew",
    "p4||another text",
    "p5||Kitty Hawk",
    "p6||or ville",
    "p7||in 19 03",
]


@pytest.fixture
def answered(files, tmp_path):
    """Returns a maker of examples by answers, from the run and the texts."""

    def sample(
        *flags: str, purpose="dual", negatives=1, scores=None, run=RUN, answers=ANSWERS
    ) -> list[str]:
        (tmp_path / "collection.tsv").write_text(
            "".join(line.replace("|", "\t") + "\n" for line in TEXTS)
        )
        flags += ("--scores", files("scores.run", scores)) if scores else ()
        output = tmp_path / "examples.tsv"
        assert (
            main(
                [
                    "sample-negatives",
                    "--for",
                    purpose,
                    "--answers",
                    files("answers.tsv", answers),
                    "--run",
                    files("a.run", run),
                    "--collection",
                    str(tmp_path / "collection.tsv"),
                    *flags,
                    "--negatives",
                    str(negatives),
                    "--seed",
                    "1",
                    "--output",
                    str(output),
                ]
            )
            == 0
        )
        return output.read_text().replace("\t", " ").splitlines()

    return sample


def test_the_first_passage_with_an_answer_is_the_positive_and_none_with_one_is_a_negative(
    answered, capsys
):
    # q1's run is p1 ... p7: p2 holds "wright" in its title, p3 in "WRIGHTS", p6 "orville" but for a blank.
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
    for seed_query in ("q1", "q2"):
        rows = answered("--order", "random", purpose="cross", negatives=3)
        negatives = {
            row.split()[1] for row in rows if row.startswith(seed_query) and row.endswith("0")
        }
        assert (
            len(negatives) == 3
            and not negatives & {"q1": {"p2", "p3", "p6"}, "q2": {"p7"}}[seed_query]
        )


@pytest.mark.parametrize(
    "text, answers, found",
    [
        ("a party", ["art"], True),
        ("New York", ["newyork"], True),
        ("NewYork", ["  new york "], True),
        ("NewYork", [".new york. "], False),
        ("J. R. R.", ["J.R.R."], True),
        ("text", ["."], False),
        ("text", ["x", "TEXT"], True),
        ("", ["x"], False),
        ("two\u00a0words", ["twowords"], False),
    ],
)
def test_the_released_answer_match_is_a_part_of_the_text_without_blanks(text, answers, found):
    assert has_answer_string(text, answers) is found


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--answers", "answers.tsv", "--run", "a.run"],
            "--answers: expected --run and --collection with it, got run",
        ),
        (["--qrels", "qrels.tsv"], "--qrels: expected --run or --collection with it, got neither"),
        (
            ["--qrels", "qrels.tsv", "--run", "a.run", "--collection", "c.tsv"],
            "--qrels: expected --run or --collection with it, got run and collection",
        ),
        (
            ["--qrels", "qrels.tsv", "--collection", "c.tsv"],
            "qrels.tsv:1: expected a passage_id of the collection, got 'p2'",
        ),
        (
            ["--answers", "answers.tsv", "--run", "a.run", "--collection", "c.tsv"],
            "a.run:1: expected a passage_id of the collection, got 'p1'",
        ),
    ],
)
def test_sources_that_do_not_fit_are_refused(files, tmp_path, capsys, flags, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, lines in {
        "answers.tsv": ANSWERS,
        "qrels.tsv": QRELS,
        "a.run": RUN,
        "c.tsv": ["p9||text"],
    }.items():
        files(name, lines)
    assert (
        main(
            [
                "sample-negatives",
                "--for",
                "dual",
                *flags,
                "--negatives",
                "1",
                "--seed",
                "1",
                "--output",
                "x",
            ]
        )
        == 2
    )
    assert capsys.readouterr().err == f"rocketqa sample-negatives: {message}\n"


# Scores.


def test_the_threshold_is_strict():
    scores = {("q", "a"): 0.1, ("q", "b"): 0.0999, ("q", "c"): 0.0, ("q", "d"): 0.1001}
    assert rejected("q", "abcd", scores, 0.1) == ["b", "c"]


def test_scores_are_joined_by_ids_whatever_the_order_of_the_lines(sampled, labelled):
    expected, expected_labels = sampled(scores=SCORES), labelled()
    for seed in range(3):
        lines = SCORES.copy()
        random.Random(seed).shuffle(lines)
        assert sampled(scores=lines) == expected and labelled(scores=lines) == expected_labels


def without(passage_id: str, query_id: str) -> list[str]:
    """The scores without one line, the ranks below it moved up."""
    kept = [line.split() for line in SCORES if line.split()[:3:2] != [query_id, passage_id]]
    ranks = Counter()
    for columns in kept:
        ranks[columns[0]] += 1
        columns[3] = str(ranks[columns[0]])
    return list(map(" ".join, kept))


def test_a_dropped_line_of_scores_is_refused_and_never_shifts_the_others(files, tmp_path, capsys):
    output = tmp_path / "examples.tsv"
    common = ["--run", files("a.run", RUN), "--negatives", "2", "--output", str(output), "--scores"]
    sample = [
        "sample-negatives",
        "--for",
        "dual",
        "--qrels",
        files("qrels.tsv", QRELS),
        "--seed",
        "1",
        *common,
    ]
    assert main([*sample, files("dropped.run", without("p4", "q1"))]) == 2
    assert capsys.readouterr().err == (
        "rocketqa sample-negatives: scores: expected one of query q1 with passage p4, got none\n"
    )
    assert main(["pseudo-label", *common, files("dropped.run", without("p2", "q4"))]) == 2
    assert capsys.readouterr().err == (
        "rocketqa pseudo-label: scores: expected one of query q4 with passage p2, got none\n"
    )
    assert not output.exists()


# Chance.


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
        assert [row for row in expected if row.split()[0] in ("q3", "q8")] == sampled(
            *flags, qrels=[qrels[3], qrels[8]], **source
        )
        assert sampled(*flags, qrels=qrels, seed=2, **source) != expected
        assert len(set(map(frozenset, negatives_of(expected).values()))) > 3


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


def test_labels_and_answers_do_not_follow_the_order_of_lines_either(labelled, answered):
    expected, by_answer = labelled(), answered("--order", "random", purpose="cross", scores=SCORES)
    for seed in range(4):
        run, scores, answers = (
            random.Random(seed).sample(lines, len(lines)) for lines in (RUN, SCORES, ANSWERS)
        )
        assert sorted(labelled(run=run, scores=scores)) == sorted(expected)
        assert sorted(
            answered("--order", "random", purpose="cross", run=run, scores=scores, answers=answers)
        ) == sorted(by_answer)


def test_ids_in_order_stand_as_numbers():
    assert in_order(["10", "9", "b", "0", "100"]) == ["0", "9", "b", "10", "100"]


@pytest.mark.parametrize(
    "draw",
    [
        lambda query_id: drawn(query_id, "abcde", 2, 1, "sample"),
        lambda query_id: random_passages(query_id, ["a", "+", "b", "c", "d", "e"], ["+"], 2, 1),
    ],
)
def test_every_candidate_is_drawn_equally_often_and_at_most_once(draw):
    draws = [draw(f"q{number}") for number in range(1000)]
    assert all(len(set(pair)) == 2 for pair in draws)
    counts = Counter(passage_id for pair in draws for passage_id in pair)
    assert counts.keys() == set("abcde") and all(
        340 < count < 460 for count in counts.values()
    )  # 400, deviation 15


def test_drawing_all_or_more_keeps_every_candidate():
    assert drawn("q", "abc", 3, 1, "sample") == drawn("q", "abc", 9, 1, "sample") == ["a", "b", "c"]


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
    found = random_passages("q", collection.split(), positives.split(), count, 1)
    assert set(found) == expected and len(found) == len(expected)


def test_a_collection_of_positives_alone_is_refused(files, tmp_path, capsys):
    assert (
        main(
            [
                "sample-negatives",
                "--for",
                "dual",
                "--qrels",
                files("qrels.tsv", ["q1 0 p1 1"]),
                "--collection",
                files("collection.tsv", ["p1||text"]),
                "--negatives",
                "4",
                "--seed",
                "1",
                "--output",
                str(tmp_path / "examples.tsv"),
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.endswith(
        "qrels.tsv: expected a query with negatives, got none for 1 queries\n"
    )


def test_a_cross_encoder_that_rejects_nothing_is_named(files, tmp_path, capsys):
    scores = files("scores.run", SCORES)
    assert (
        main(
            [
                "sample-negatives",
                "--for",
                "dual",
                "--qrels",
                files("qrels.tsv", QRELS[:3]),
                "--run",
                files("a.run", RUN),
                "--scores",
                scores,
                "--max-score",
                "0.01",
                "--negatives",
                "1",
                "--seed",
                "1",
                "--output",
                str(tmp_path / "examples.tsv"),
            ]
        )
        == 2
    )
    assert capsys.readouterr().err.endswith(
        f"{scores}: expected a passage with P(relevant) below 0.01, got none for 2 queries (report-denoising shows how "
        "sure it is)\n"
    )


# Pseudo-labels.


def test_the_best_scored_passage_is_the_positive_and_the_rejected_ones_are_negatives_by_rank(
    labelled, capsys
):
    # q1: p2 (0.99), and of p4 p5 p6 p7, the rejected ones in the run's order, two. q2: its best, 0.9, is not above 0.9.
    # q4: p4 and p3 share 0.91; p4 has the better rank. Fewer negatives give fewer rows.
    assert labelled(negatives=2) == ["q1 p2 p4", "q1 p2 p5", "q4 p4 p2", "q4 p4 p1"]
    assert capsys.readouterr().out.endswith("pseudo.tsv: 4 rows, 2 queries, 1 queries left out\n")
    assert labelled(negatives=9)[-2:] == ["q4 p4 p2", "q4 p4 p1"]


def test_equal_best_scores_go_to_the_better_rank_wherever_the_scores_stand():
    scores = {("q", "c"): 0.95, ("q", "b"): 0.95, ("q", "a"): 0.94, ("q", "n"): 0.0}
    assert pseudo_labelled("q", ranking_of("q", "a b n c"), scores, 4, 0.9, 0.1, 4, 1) == [
        ("q", "b", ("n",))
    ]


@pytest.mark.parametrize(
    "best, negative, rows", [(0.9001, 0.0999, 1), (0.9, 0.0999, 0), (0.9001, 0.1, 0), (0.3, 0.0, 0)]
)
def test_only_confident_labels_are_kept(best, negative, rows):
    scores = {("q", "a"): best, ("q", "b"): negative, ("q", "c"): 0.5}
    assert len(pseudo_labelled("q", ranking_of("q", "c b a"), scores, 50, 0.9, 0.1, 4, 1)) == rows


def test_pseudo_labels_look_no_deeper_than_the_depth(labelled):
    # At depth 3, q1 has no rejected passage; q4 has p5 p4 p3 and none either; at 4, p4 of q1 and p2 of q4.
    assert labelled("--depth", "4") == ["q1 p2 p4", "q4 p4 p2"]
    assert labelled("--depth", "4", "--max-negative", "0.05") == ["q4 p4 p2"]


def test_pseudo_labels_without_a_confident_query_are_refused():
    assert pseudo_labelled("q", [], {}, 50, 0.9, 0.1, 4, 1) == []
    with pytest.raises(DataError, match="scores: expected one of query q with passage b, got none"):
        pseudo_labelled("q", ranking_of("q", "a b"), {("q", "a"): 0.95}, 50, 0.9, 0.1, 4, 1)


def test_the_top_of_a_ranking_is_by_rank_and_not_by_place():
    shuffled = [
        ScoredPassage("q", "c", 3, 0.0),
        ScoredPassage("q", "a", 1, 0.0),
        ScoredPassage("q", "d", 4, 0.0),
    ]
    assert unlabelled(shuffled, ["c"], 3) == ["a"]


@pytest.mark.parametrize(
    "verb, flags",
    [
        ("sample-negatives", ["--negatives", "-1"]),
        ("sample-negatives", ["--negatives-per-row", "0"]),
        ("sample-negatives", ["--depth", "-5"]),
        ("sample-negatives", ["--max-score", "nan"]),
        ("pseudo-label", ["--negatives", "0"]),
        ("pseudo-label", ["--negatives-per-row", "-2"]),
        ("pseudo-label", ["--min-positive", "nan"]),
        ("report-denoising", ["--depth", "-1"]),
        ("report-denoising", ["--max-negative", "inf"]),
    ],
)
def test_a_number_that_means_nothing_is_refused(capsys, verb, flags):
    with pytest.raises(SystemExit, match="2"):
        main([verb, *flags])
    assert f"argument {flags[0]}: expected a " in capsys.readouterr().err
