"""Rows are found by id or by text, in any of several files; of equal rows the first one."""

import numpy as np
import pytest
from data_prep_runs import data_prep_module, write

from rocketqa.files.errors import DataError

row_index = data_prep_module("row_index")

PASSAGES = "7\tAaron\ta prophet\n8\t\tat Sinai\n9\tAaron\ta prophet\n"


@pytest.fixture
def collection(tmp_path):
    """The path of a collection whose first and third passage are equal."""
    folder = write(tmp_path, collection__tsv=PASSAGES)
    return folder / "collection.tsv"


def test_a_row_is_found_by_its_id(collection):
    index = row_index.RowIndex([collection], by_text=False, width=3)
    row = index.find("9")
    assert row == ["9", "Aaron", "a prophet"]
    assert index.find("10") is None


def test_the_first_row_with_a_text_is_found(collection):
    index = row_index.RowIndex([collection], by_text=True, width=3)
    row = index.find("Aaron", "a prophet")
    assert row == ["7", "Aaron", "a prophet"]
    untitled = index.find("", "at Sinai")
    assert untitled == ["8", "", "at Sinai"]
    assert index.find("Sinai", "at Sinai") is None


def test_rows_of_several_files_are_found(tmp_path):
    write(tmp_path, a__tsv="q1\twho\nq2\twhere\n")
    write(tmp_path, b__tsv="u1\twhen\nu2\twhere\n")
    paths = [tmp_path / "a.tsv", tmp_path / "b.tsv"]
    index = row_index.RowIndex(paths, by_text=True, width=2)
    assert index.find("when") == ["u1", "when"]
    assert index.find("where") == ["q2", "where"]


def test_every_row_of_many_is_found(tmp_path):
    numbers = np.random.default_rng(1).permutation(500)
    words = [f"w{number}" for number in numbers]
    lines = "".join(f"{word}\ttext of {word} é\n" for word in words)
    folder = write(tmp_path, queries__tsv=lines)
    index = row_index.RowIndex([folder / "queries.tsv"], by_text=False, width=2)
    for word in words:
        assert index.find(word) == [word, f"text of {word} é"]


def test_a_malformed_row_is_named(tmp_path):
    folder = write(tmp_path, queries__tsv="q1\twho\nq2\n")
    with pytest.raises(DataError, match="queries.tsv:2: expected 2 columns, got 1"):
        row_index.RowIndex([folder / "queries.tsv"], by_text=False, width=2)


def test_the_digest_of_a_text_is_the_same_on_every_machine():
    assert row_index.text_digest("a", "b") == row_index.text_digest("a\tb")
    assert row_index.text_digest("who is he") == 18202166181312715
