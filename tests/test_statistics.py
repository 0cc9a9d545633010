"""`rocketqa statistics` counts queries, passages and words as the paper's table 1 does."""

import json
from pathlib import Path

import numpy as np
import pytest

from rocketqa.cli.__main__ import main
from rocketqa.cli.statistics import count_texts, length_cutting
from rocketqa.files.formats import Passage, Query

LINES = [
    "queries.train\t2",
    "queries.dev\t1",
    "collection\t2",
    "query_words\t2.0",
    "passage_words\t2.0",
]


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """The command line of the verb on a collection and two files of queries."""
    collection = tmp_path / "collection.tsv"
    collection.write_text("a\tthe title\tone two three\nb\t\tfour\n")
    train = tmp_path / "queries.train.tsv"
    train.write_text("1\twho flew\n2\twhat\n")
    dev = tmp_path / "queries.dev.tsv"
    dev.write_text("3\twhen was  it\n")
    output = ["--output", str(tmp_path / "out.tsv")]
    queries = ["--queries", str(train), str(dev)]
    return ["statistics", "--collection", str(collection), *queries, *output]


def test_rows_and_words_are_counted_written_and_printed(command, tmp_path, capsys):
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == LINES
    assert (tmp_path / "out.tsv").read_text().splitlines() == LINES


def test_finished_counts_are_printed_again_and_not_made_again(command, tmp_path, capsys):
    assert main(command) == 0
    written = (tmp_path / "out.tsv").stat().st_mtime_ns
    capsys.readouterr()
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines() == LINES
    assert (tmp_path / "out.tsv").stat().st_mtime_ns == written


def test_a_check_makes_and_prints_nothing(command, tmp_path, capsys):
    assert main([*command, "--check"]) not in (0, 2)
    assert capsys.readouterr().out == "" and not (tmp_path / "out.tsv").exists()


def test_the_lengths_that_cut_texts_are_told_where_a_tokenizer_is_given(command, tmp_path, capsys):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-", "one", "two", "three", "who"]
    (tmp_path / "vocab.txt").write_text("\n".join(words) + "\n")
    assert main([*command, "--checkpoint", str(tmp_path)]) == 0
    # Queries of 2, 1 and 3 words and 2 special tokens; passages of 2 + 3 and 1 + 1 words and 3.
    assert capsys.readouterr().out.splitlines() == [
        *LINES,
        "query_length_cutting_1_percent\t5",
        "query_length_cutting_5_percent\t5",
        "query_length_cutting_10_percent\t5",
        "passage_length_cutting_1_percent\t8",
        "passage_length_cutting_5_percent\t8",
        "passage_length_cutting_10_percent\t8",
    ]
    flags = json.loads((tmp_path / "out.tsv.meta.json").read_text())["job"]["flags"]
    assert list(flags) == ["tokenizer"]


def test_without_a_tokenizer_the_job_is_what_it_was(command, tmp_path):
    assert main(command) == 0
    assert json.loads((tmp_path / "out.tsv.meta.json").read_text())["job"]["flags"] == {}


def test_a_length_cuts_at_most_its_percentage():
    lengths = np.arange(1, 101)  # 1 to 100 tokens
    assert [length_cutting(lengths, percent) for percent in (1, 5, 10)] == [99, 95, 90]
    assert length_cutting(np.array([4, 4, 4, 9]), 10) == 9


def test_the_words_of_a_text_are_what_stands_between_spaces():
    assert count_texts([Query("q1", " who  flew\u00a0first "), Query("q2", "when")]) == (2, 4)
    assert count_texts([Passage("p1", "titles do not count", "Apollo-11, 1969")]) == (1, 2)
    assert count_texts([]) == (0, 0)


def test_a_character_is_a_word_where_most_texts_are_without_spaces():
    chinese, english = Query("q1", "中国的首都，Beijing"), Query("q2", "the capital")
    assert count_texts([chinese]) == (1, 6)
    assert count_texts([chinese, english]) == (2, 3)
    assert count_texts([chinese, chinese, english]) == (3, 14)
