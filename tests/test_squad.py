"""SQuAD becomes a data set for retrieval whose labels are one of several relevant windows."""

import json
from pathlib import Path

import pytest
from data_prep_runs import call, read

from rocketqa.cli.__main__ import main

WORDS = [f"w{number}" for number in range(60)]
WINDOWS = ("--words", "20", "--stride", "5", "--sentences", "no")


def write_articles(path: Path, count: int = 6) -> Path:
    """Writes articles of 60 words, with four questions about each."""
    data = []
    for number in range(count):
        context = " ".join(f"{word}.{number}" for word in WORDS)
        questions = []
        for at in (3, 20, 35, 50):
            answer = {"text": f"w{at}.{number}", "answer_start": context.index(f"w{at}.{number}")}
            question = {
                "id": f"q{number}x{at}",
                "question": f"what is {at} of {number}?",
                "answers": [answer],
            }
            questions.append(question)
        paragraphs = [{"context": context, "qas": questions}]
        data.append({"title": f"Article {number}", "paragraphs": paragraphs})
    path.write_text(json.dumps({"data": data}))
    return path


def rows(folder: Path, name: str) -> list[list[str]]:
    return [line.split("\t") for line in read(folder, name).splitlines()]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The file, and the folder of its windows."""
    folder = tmp_path_factory.mktemp("squad")
    file = write_articles(folder / "dev.json")
    flags = ("--from", file, "--dev-articles", 2, *WINDOWS, "--output", folder / "out")
    status, said = call("squad.py", *flags)
    assert status == 0, said
    return flags, folder / "out"


def articles_of(queries: list[list[str]]) -> set[str]:
    return {query_id[1] for query_id, _ in queries}


def test_dev_queries_have_articles_of_their_own_and_half_of_the_others_have_no_label(built):
    _, folder = built
    dev, train, unlabelled = (
        rows(folder, f"queries.{split}.tsv")
        for split in (
            "dev",
            "train",
            "unlabelled",
        )
    )
    assert (len(dev), len(train), len(unlabelled)) == (8, 8, 8)
    assert not articles_of(dev) & articles_of(train + unlabelled)
    assert not (folder / "qrels.unlabelled.tsv").exists()


def test_every_window_with_the_answer_is_the_truth_and_one_of_them_is_the_label(built):
    _, folder = built
    collection = {row[0]: row[2].split() for row in rows(folder, "collection.tsv")}
    for split in ("train", "dev"):
        truth = {(row[0], row[2]) for row in rows(folder, f"truth.{split}.tsv")}
        holding = set()
        for query_id, _ in rows(folder, f"queries.{split}.tsv"):
            number, _, at = query_id[1:].partition("x")
            for passage_id, words in collection.items():
                if f"w{at}.{number}" in words:
                    holding.add((query_id, passage_id))
        assert truth == holding and len(truth) > 2 * len({query for query, _ in truth})
        labels = [(row[0], row[2]) for row in rows(folder, f"qrels.{split}.tsv")]
        assert set(labels) <= truth and len(labels) == len({query for query, _ in truth})


def test_a_second_call_changes_nothing_and_another_seed_draws_other_labels(built, tmp_path):
    flags, folder = built
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert call("squad.py", *flags)[0] == 0
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before
    assert call("squad.py", *flags[:-1], tmp_path / "same")[0] == 0
    assert call("squad.py", *flags[:-1], tmp_path / "other", "--seed", 2)[0] == 0
    for name in ("queries.train.tsv", "qrels.train.tsv", "truth.dev.tsv"):
        assert read(tmp_path / "same", name) == read(folder, name) != read(tmp_path / "other", name)


def test_fewer_training_questions_are_among_those_that_all_would_be(built, tmp_path):
    flags, folder = built
    assert call("squad.py", *flags[:-1], tmp_path / "few", "--train-questions", 3)[0] == 0
    for split in ("train", "unlabelled"):
        few = rows(tmp_path / "few", f"queries.{split}.tsv")
        every = rows(folder, f"queries.{split}.tsv")
        assert len(few) == 3 and few == [row for row in every if row in few]
    labels = rows(tmp_path / "few", "qrels.train.tsv")
    assert len(labels) == 3 and all(row in rows(folder, "qrels.train.tsv") for row in labels)
    for name in ("collection.tsv", "queries.dev.tsv", "truth.dev.tsv"):
        assert read(tmp_path / "few", name) == read(folder, name)


def test_without_words_a_passage_is_a_paragraph_and_its_only_label(built, tmp_path):
    flags, folder = built
    status, _ = call("squad.py", *flags[:2], "--dev-articles", 2, "--output", tmp_path / "out")
    assert status == 0
    assert len(rows(tmp_path / "out", "collection.tsv")) == 6
    assert not list((tmp_path / "out").glob("truth.*"))
    status, said = call("squad.py", *flags[:2], "--dev-articles", 2, "--output", folder)
    assert status == 2 and said.count("\n") == 1


def test_validate_finds_no_fault(built):
    _, folder = built
    assert main(["validate", str(folder)]) == 0


@pytest.mark.parametrize(
    "flags, fault",
    [
        (
            ("--dev-articles", 6),
            "--dev-articles: expected fewer than there are articles, got 6 of 6",
        ),
        (("--stride", 3), "--stride: expected --words with it, got 3 alone"),
    ],
)
def test_what_cannot_be_built_is_one_line(built, tmp_path, flags, fault):
    given, _ = built
    status, said = call("squad.py", *given[:2], *flags, "--output", tmp_path / "out")
    assert (status, said) == (2, f"data_prep/squad.py: {fault}\n")
    assert not list((tmp_path / "out").glob("*.tsv"))
