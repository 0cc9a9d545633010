"""What the modes read from labels and answers."""

import pytest

from rocketqa.evaluation.judgements import (
    first_passages_with_answer,
    read_answers_in_mode,
    read_judgements,
    relevant_passages,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage


def written(folder, text: str):
    """Returns the path of a file, in which spaces become tabs."""
    path = folder / "file"
    path.write_text(text.replace(" ", "\t"))
    return path


def test_official_mode_takes_every_judged_passage_for_relevant(tmp_path):
    qrels = written(tmp_path, "5 0 77 1\n5 0 3 0\n6 0 8 0\n")
    assert relevant_passages(read_judgements(qrels, "strict")) == {"5": {"77": 1}}
    assert read_judgements(qrels, "official") == {"5": {"77": 1, "3": 1}, "6": {"8": 1}}


def test_a_passage_is_relevant_from_a_level_on(tmp_path):
    judgements = read_judgements(written(tmp_path, "5 0 77 3\n5 0 3 1\n6 0 8 -1\n"), "strict")
    assert judgements == {"5": {"77": 3, "3": 1}, "6": {"8": -1}}
    assert relevant_passages(judgements) == {"5": {"77": 3, "3": 1}}
    assert relevant_passages(judgements, 2) == {"5": {"77": 3}}
    assert relevant_passages(judgements, 4) == {}


@pytest.mark.parametrize("labels", ["5 0 77 1\n", "query-id\tcorpus-id\tscore\n5\t77\t1\n"])
def test_official_mode_reads_labels_at_tabs_alone_and_without_a_header(tmp_path, labels):
    path = tmp_path / "qrels.tsv"
    path.write_text(labels)
    assert read_judgements(path, "strict") == {"5": {"77": 1}}
    with pytest.raises(DataError, match="qrels.tsv:1: expected 4 or 2 columns"):
        read_judgements(path, "official")


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
    assert hits == {"q1": {"p2": 1}, "q2": {}, "q3": {}}
    with_titles = first_passages_with_answer(rankings, answers, collection, with_titles=True)
    assert with_titles == {"q1": {"p1": 1}, "q2": {}, "q3": {}}
