"""What the modes read from runs, labels and answers, with the official script's golden vectors."""

import pytest

from rocketqa.evaluation.judgements import (
    first_passages_with_answer,
    read_answers_in_mode,
    read_judgements,
    read_rankings,
    read_top_passages,
    repeated_passages,
)
from rocketqa.evaluation.measures import mean, per_query
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage


def written(folder, text: str):
    """Returns the path of a file, in which spaces become tabs."""
    path = folder / "file"
    path.write_text(text.replace(" ", "\t"))
    return path


def mrr(tmp_path, run: str, mode: str) -> float:
    """Returns MRR@10 of a run, by one relevant passage of each of two queries."""
    judgements = {"1185869": ["0"], "5": ["77"]}
    return mean(per_query(read_rankings(written(tmp_path, run), mode), judgements, "MRR@10"))


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


def test_official_mode_takes_every_judged_passage_for_relevant(tmp_path):
    qrels = written(tmp_path, "5 0 77 1\n5 0 3 0\n6 0 8 0\n")
    assert read_judgements(qrels, "strict") == {"5": ["77"], "6": []}
    assert read_judgements(qrels, "official") == {"5": ["77", "3"], "6": ["8"]}


def test_the_top_passages_are_cut_at_the_depth(tmp_path):
    run = written(tmp_path, "q1 b 2\nq1 a 1\nq1 c 3\n")
    assert read_top_passages(run, 2, "strict") == {"q1": ["a", "b"]}


def test_released_mode_strips_dots_from_the_ends_of_answers(tmp_path):
    path = tmp_path / "answers.tsv"
    path.write_text("q1\tU.S.\t..a\n")
    assert read_answers_in_mode(path, "strict") == {"q1": ("U.S.", "..a")}
    assert read_answers_in_mode(path, "released") == {"q1": ("U.S", "a")}


def test_the_first_passage_with_an_answer_is_the_relevant_one():
    collection = {
        "p1": Passage("p1", "Moon", "Apollo flew"),
        "p2": Passage("p2", "", "to the moon"),
        "p3": Passage("p3", "", "the moon again"),
    }
    rankings = {"q1": ["p1", "p2", "p3"], "q2": ["p1"], "q9": ["p1"]}
    answers = {"q1": ("Moon",), "q2": ("Saturn",), "q3": ("Moon",)}
    hits = first_passages_with_answer(rankings, answers, collection)
    assert hits == {"q1": ["p2"], "q2": [], "q3": []}
    with_titles = first_passages_with_answer(rankings, answers, collection, with_titles=True)
    assert with_titles == {"q1": ["p1"], "q2": [], "q3": []}


def test_repeated_passages_are_found_but_not_the_empty_slots():
    rankings = {"q1": ["a", "0", "0", "b"], "q2": ["c", "d", "c"]}
    assert repeated_passages(rankings) == [("q2", "c")]
