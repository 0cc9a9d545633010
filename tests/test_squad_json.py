"""The official files of SQuAD become articles, with queries and the places of their answers."""

import json
from collections import Counter
from pathlib import Path

import pytest
from data_prep_runs import data_prep_module

from rocketqa.files.errors import DataError

squad_json = data_prep_module("squad_json")


def asked(query_id: str, text: str, *answers: tuple[str, int]) -> dict[str, object]:
    places = [{"text": words, "answer_start": start} for words, start in answers]
    return {"id": query_id, "question": text, "answers": places}


def write_articles(path: Path, **paragraphs: list[dict[str, object]]) -> Path:
    """Writes articles, each by its title."""
    data = [{"title": title, "paragraphs": given} for title, given in paragraphs.items()]
    path.write_text(json.dumps({"version": "1.1", "data": data}))
    return path


def one_paragraph(*questions: dict[str, object]) -> list[dict[str, object]]:
    return [{"context": "A red fox ran.", "qas": list(questions)}]


def test_the_first_answer_of_a_question_is_a_span_of_the_whole_article(tmp_path):
    first = {"context": "A red fox ran.", "qas": []}
    second = {
        "context": "It was red.",
        "qas": [asked("q1", " Which  colour?", ("red", 7), ("It", 0))],
    }
    path = write_articles(tmp_path / "a.json", Big_Fox=[first, second])
    [article] = squad_json.read_articles([path], Counter())
    assert article.document.title == "Big Fox"
    [question] = article.questions
    span = question.span
    assert question[:2] == ("q1", "Which colour?")
    assert article.document.text[span.begin : span.end] == "red" and span.begin > 14
    parts = [article.document.text[begin:end] for begin, end in article.paragraphs]
    assert parts == ["A red fox ran.", "It was red."]


def test_questions_without_an_answer_at_its_place_are_left_out_and_counted(tmp_path):
    given = one_paragraph(
        asked("q1", "What?"),
        asked("q2", "What?", ("fox", 5)),
        asked("q3", "What?", ("fox", 6)),
    )
    notes: Counter[str] = Counter()
    [article] = squad_json.read_articles([write_articles(tmp_path / "a.json", F=given)], notes)
    assert [question.query_id for question in article.questions] == ["q3"]
    assert notes == {squad_json.UNANSWERED: 1, squad_json.MISPLACED: 1}


@pytest.mark.parametrize(
    "content, fault",
    [
        ('{"data": 3}', "expected a list for data, got 3"),
        ('{"data": [3]}', "expected an object for data[0], got 3"),
        ('{"data": [{"paragraphs": []}]}', "expected a text for data[0].title, got nothing"),
    ],
)
def test_a_file_of_another_form_is_refused_with_the_place_in_it(tmp_path, content, fault):
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(DataError) as caught:
        squad_json.read_articles([path], Counter())
    assert str(caught.value).startswith(str(path)) and fault in str(caught.value)


def test_an_article_and_a_question_come_once(tmp_path):
    one = write_articles(tmp_path / "1.json", F=one_paragraph(asked("q1", "What?", ("fox", 6))))
    two = write_articles(tmp_path / "2.json", G=one_paragraph(asked("q1", "What?", ("fox", 6))))
    for files, got in (
        ((one, one), "article once, got 'F'"),
        ((one, two), "question once, got 'q1'"),
    ):
        with pytest.raises(DataError, match=f"expected each {got} again"):
            squad_json.read_articles(files, Counter())
