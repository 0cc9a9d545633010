"""DPR's answer match on its golden vectors, and the accuracy that `evaluate` prints of it."""

import random
import unicodedata

import pytest
import regex

from rocketqa.cli.__main__ import main
from rocketqa.files.answers import has_answer, has_pattern, tokens


@pytest.mark.parametrize(
    "answer, text, found",
    [
        ("14 December 1972", "It was 14 December 1972 UTC.", True),
        ("U.S.", "the U. S. government", True),
        ("US", "the U.S. government", False),
        ("Beyonce", "Beyonc\u00e9 sang", False),
        ("Beyonc\u00e9", "Beyonce\u0301", True),
        ("don't", "I don\u2019t know", False),
        ("1,000", "1000 men", False),
        ("New-York", "New - York", True),
        ("New-York", "new york", False),
        ("stra\u00dfe", "STRASSE", False),
        ("\ufb01n", "fin", False),
        ("2 m\u00b2", "2 m2", False),
        ("\u6771\u4eac", "\u6771\u4eac\u90fd", False),
        ("\u6771\u4eac", "\u79c1\u306f \u6771\u4eac \u306b", True),
        ("", "any", True),
        ("\u200b", "any", True),
        ("\x01\x02", "any", True),
        ("", "", True),
        ("MOON", "the moon.", True),
        ("oon", "the moon", False),
        ("the moon", "the full moon", False),
        ("b a", "a b", False),
        ("a b", "a a b", True),
    ],
)
def test_an_answer_is_found_where_dpr_finds_it(answer, text, found):
    assert has_answer(text, [answer]) is found and has_answer(text, ["not there", answer]) is found


def test_no_answers_are_found_nowhere():
    assert has_answer("any", []) is False


def test_tokens_are_runs_of_letters_digits_and_marks_or_single_signs():
    assert tokens("Caf\u00e9 No. 5%\u200b\t\u00a0x_y") == [
        "cafe\u0301",
        "no",
        ".",
        "5",
        "%",
        "x",
        "_",
        "y",
    ]


@pytest.fixture
def evaluated(tmp_path, capsys):
    """Returns a maker of what `evaluate --answers` prints: exit status, lines, complaints."""

    def evaluate(answers: str, run: str, *flags: str) -> tuple[int, list[str], str]:
        texts = {
            "p1": "Apollo flew",
            "p2": "Gemini came before",
            "p3": "to the Moon",
            "p4": "Skylab",
        }
        (tmp_path / "collection.tsv").write_text(
            "".join(f"{key}\tMoon\t{text}\n" for key, text in texts.items())
        )
        (tmp_path / "answers.tsv").write_text(answers)
        (tmp_path / "a.run").write_text(
            "".join(
                f"{query_id}\tQ0\t{passage_id}\t{rank}\t{9 - rank}\tx\n"
                for query_id, *ids in map(str.split, run.split(";"))
                for rank, passage_id in enumerate(ids, 1)
            )
        )
        status = main(
            [
                "evaluate",
                "--run",
                f"{tmp_path}/a.run",
                "--answers",
                f"{tmp_path}/answers.tsv",
                "--collection",
                f"{tmp_path}/collection.tsv",
                *flags,
            ]
        )
        printed = capsys.readouterr()
        return status, printed.out.splitlines(), printed.err

    return evaluate


ANSWERS = "q1\tthe moon\nq2\tsaturn\tGEMINI\nq3\tnowhere\n"


def test_the_released_mode_is_over_the_queries_of_the_run_and_strips_dots_from_answers(evaluated):
    # q1's answer is in p1 but for its dots; q3 is not in the run, q9 has no answers.
    run, answers = "q1 p4 p1;q2 p4 p3;q9 p1", "q1\tApollo..\nq2\tsaturn\nq3\tApollo\n"
    status, lines, complaint = evaluated(answers, run, "--mode", "released")
    assert status == 0 and lines[:5] == [f"accuracy@{k}\t0.5" for k in (5, 10, 20, 50, 100)]
    assert lines[5:] == ["queries_judged\t2", "queries_retrieved\t3", "queries_evaluated\t2"]
    assert "1 queries are not in" in complaint
    assert evaluated(answers, run, "--measures", "accuracy@5")[1][0] == "accuracy@5\t0.0"


def test_titles_are_searched_where_they_are_asked_for(evaluated):
    flags = ("--measures", "accuracy@1")
    assert evaluated("q1\tmoon\n", "q1 p1", *flags)[1][0] == "accuracy@1\t0.0"
    assert evaluated("q1\tmoon\n", "q1 p1", *flags, "--with-titles")[1][0] == "accuracy@1\t1.0"
    assert (
        evaluated("q1\tMoon . Apollo\n", "q1 p1", *flags, "--with-titles")[1][0]
        == "accuracy@1\t1.0"
    )


@pytest.mark.parametrize(
    "pattern, text, found",
    [
        (r"19\d\d", "in 1972", True),
        (r"19\d\d", "in 1872", False),
        ("apollo", "the APOLLO flight", True),
        ("(", "(", False),
        ("^flew", "who\nflew", True),
        (r"\p{Lu}", "é", True),
        ("ollo", "Apollo", True),
        ("Beyonc\u00e9", "Beyonce\u0301 sang", True),
    ],
)
def test_regular_expressions_are_found_as_dprs(pattern, text, found):
    assert has_pattern(text, [pattern]) is found


def test_answers_are_regular_expressions_where_that_is_said(evaluated):
    flags = ("--measures", "accuracy@1", "--match")
    assert evaluated("q1\tSky?l.b\n", "q1 p4", *flags, "regex")[1][0] == "accuracy@1\t1.0"
    assert evaluated("q1\tSky?l.b\n", "q1 p4", *flags, "string")[1][0] == "accuracy@1\t0.0"


@pytest.mark.parametrize(
    "flags", [("--mode", "released"), ("--match", "regex"), ("--with-titles",)]
)
def test_what_is_said_of_answers_is_refused_with_qrels(tmp_path, capsys, flags):
    for name in ("a.run", "qrels.tsv"):
        (tmp_path / name).write_text("q1\tp1\t1\n" if name == "a.run" else "q1\tp1\n")
    assert (
        main(["evaluate", "--run", f"{tmp_path}/a.run", "--qrels", f"{tmp_path}/qrels.tsv", *flags])
        == 2
    )
    assert capsys.readouterr().err.endswith("expected them with --answers, got --qrels\n")


def test_accuracy_is_over_all_queries_and_by_the_text_alone(evaluated):
    # q1 has its answer at rank 3 (not at once in the title "Moon"), q2 at rank 1, q3 nowhere; q4 below has no list.
    status, lines, _ = evaluated(
        ANSWERS,
        "q1 p1 p2 p3;q2 p2 p1;q3 p1 p2 p3 p4",
        "--measures",
        "accuracy@1",
        "accuracy@2",
        "accuracy@3",
    )
    assert status == 0 and lines == [
        f"accuracy@1\t{1 / 3!r}",
        f"accuracy@2\t{1 / 3!r}",
        f"accuracy@3\t{2 / 3!r}",
        "queries_judged\t3",
        "queries_retrieved\t3",
        "queries_evaluated\t3",
    ]
    status, lines, complaint = evaluated(
        ANSWERS + "q4\tSkylab\n", "q1 p1 p2 p3;q2 p2 p1;q3 p1", "--measures", "accuracy@3"
    )
    assert (
        lines[0] == "accuracy@3\t0.5"
        and "1 judged queries are not in the run and count 0: q4" in complaint
    )


def test_accuracy_at_5_20_and_100_is_the_default(evaluated):
    _, lines, _ = evaluated(ANSWERS, "q1 p1;q2 p1 p2;q3 p1")
    assert [line.split("\t")[0] for line in lines[:3]] == [
        "accuracy@5",
        "accuracy@20",
        "accuracy@100",
    ]


def test_dprs_table_ends_where_the_first_list_ends(evaluated):
    flags = ("--measures", "accuracy@1", "accuracy@2", "--mode")
    _, lines, complaint = evaluated(ANSWERS, "q1 p1;q2 p1 p2;q3 p1", *flags, "official")
    assert lines[0] == "accuracy@1\t0.0" and lines[1].startswith("queries_judged")
    assert "no accuracy@2: the first query has 1 passages" in complaint
    assert (
        evaluated(ANSWERS, "q1 p1;q2 p1 p2;q3 p1", *flags, "strict")[1][1]
        == f"accuracy@2\t{1 / 3!r}"
    )


def test_an_answer_without_tokens_counts_in_official_mode_and_is_refused_in_strict(evaluated):
    answers, flags = "q1\tthe moon\nq2\t\u200b\n", ("--measures", "accuracy@1", "--mode")
    assert evaluated(answers, "q1 p1;q2 p1", *flags, "official")[1][0] == "accuracy@1\t0.5"
    assert "1 answers have no token" in evaluated(answers, "q1 p1;q2 p1", *flags, "official")[2]
    status, _, complaint = evaluated(answers, "q1 p1;q2 p1", *flags, "strict")
    assert status == 2 and complaint.endswith(
        "answers.tsv:2: expected an answer with a visible character, got '\\u200b'\n"
    )


@pytest.mark.parametrize(
    "run, flags, message",
    [
        ("q9 p1", (), "expected queries of the judgements, got none"),
        ("q1 p1 p9", (), "expected passages of "),
        ("q1 p1 p9", ("--mode", "official"), "expected passages of "),
        (
            "q1 p1",
            ("--measures", "MRR@10"),
            "expected accuracy@k with --answers and no other, got MRR@10",
        ),
    ],
)
def test_what_cannot_be_evaluated_is_refused(evaluated, run, flags, message):
    status, lines, complaint = evaluated(ANSWERS, run, *flags)
    assert (
        status == 2
        and not lines
        and message in complaint
        and complaint.startswith("rocketqa evaluate: ")
    )


WORDS = [
    "U.S.",
    "u",
    "s",
    ".",
    "Caf\u00e9",
    "cafe\u0301",
    "New-York",
    "new",
    "york",
    "1,000",
    "moon",
    "the",
    "A.",
]
SIGNS = regex.compile(
    r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
)


def sentence(drawing: random.Random, most: int) -> str:
    return " ".join(drawing.choices(WORDS, k=drawing.randint(1, most)))


def slow_match(answer: str, text: str) -> bool:
    """DPR's string match from its description: the answer's words are a part of the text's list of words."""
    within, own = (
        [found.group().lower() for found in SIGNS.finditer(unicodedata.normalize("NFD", each))]
        for each in (text, answer)
    )
    return any(within[i : i + len(own)] == own for i in range(len(within) - len(own) + 1))


def slow_accuracy(run: dict, answers: dict, texts: dict, k: int, mode: str) -> float:
    """The mean of DPR's script over the queries with answers, of nq_eval.py over those of the run."""
    hits = 0
    for query_id in run:
        own = (
            [answer.strip(".").lower() for answer in answers[query_id]]
            if mode == "released"
            else answers[query_id]
        )
        for passage_id in run[query_id][:k]:
            if any(slow_match(answer, texts[passage_id]) for answer in own):
                hits += 1
                break
    return hits / len(run if mode == "released" else answers)


@pytest.mark.parametrize("mode", ["strict", "official", "released"])
def test_random_runs_have_the_accuracy_of_the_slow_twin_to_the_last_digit(tmp_path, capsys, mode):
    told = set()
    for seed in range(30):
        drawing = random.Random(seed)
        texts = {f"p{i}": sentence(drawing, 5) for i in range(12)}
        answers = {
            f"q{i}": [sentence(drawing, 2) for _ in range(drawing.randint(1, 2))] for i in range(7)
        }
        run = {
            key: drawing.sample(sorted(texts), 8) for key in answers if drawing.random() < 0.8
        } or {"q0": ["p0"]}
        (tmp_path / "collection.tsv").write_text(
            "".join(f"{key}\tmoon\t{text}\n" for key, text in texts.items())
        )
        (tmp_path / "answers.tsv").write_text(
            "".join("\t".join((key, *own)) + "\n" for key, own in answers.items())
        )
        (tmp_path / "a.run").write_text(
            "".join(
                f"{key}\t{passage_id}\t{rank}\n"
                for key, own in run.items()
                for rank, passage_id in enumerate(own, 1)
            )
        )
        assert (
            main(
                [
                    "evaluate",
                    "--run",
                    f"{tmp_path}/a.run",
                    "--answers",
                    f"{tmp_path}/answers.tsv",
                    "--collection",
                    f"{tmp_path}/collection.tsv",
                    "--mode",
                    mode,
                    "--measures",
                    "accuracy@1",
                    "accuracy@3",
                ]
            )
            == 0
        )
        lines = capsys.readouterr().out.splitlines()
        for k, line in zip((1, 3), lines):
            value = slow_accuracy(run, answers, texts, k, mode)
            assert line == f"accuracy@{k}\t{value!r}", seed
            told.add(value)
    assert len(told) > 4  # the cases are worth something
