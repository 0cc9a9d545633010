"""Source files are read line by line, and a fault in one is named with its file and line."""

import gzip

import pytest
from data_prep_runs import data_prep_module

from rocketqa.files.errors import DataError

sources = data_prep_module("sources")

CUT_GZIP = gzip.compress(b"1\ta\n", mtime=0)[:-9]


def rows_of(path, *widths: int) -> list[tuple[str, list[str]]]:
    """Returns the rows of a file, their places without the folder."""
    rows = sources.read_foreign(path, widths or None)
    return [(place.rsplit("/", 1)[-1], columns) for place, columns in rows]


def test_rows_have_their_place_and_their_columns(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_bytes(b"1\ta b\r\n2\tc\rd\n3\t\xc3\xa9")
    assert rows_of(path, 2) == [
        ("rows.tsv:1", ["1", "a b"]),
        ("rows.tsv:2", ["2", "c d"]),
        ("rows.tsv:3", ["3", "é"]),
    ]


def test_a_gzipped_file_is_read_as_its_content(tmp_path):
    path = tmp_path / "rows.tsv.gz"
    path.write_bytes(gzip.compress(b"1\ta\n"))
    assert rows_of(path, 2) == [("rows.tsv.gz:1", ["1", "a"])]


def test_any_number_of_columns_can_be_allowed(tmp_path):
    path = tmp_path / "rows.tsv"
    path.write_bytes(b"1\n2\ta\tb\n")
    assert [columns for _, columns in rows_of(path)] == [["1"], ["2", "a", "b"]]


@pytest.mark.parametrize(
    "name, content, fault",
    [
        ("rows.tsv", b"1\ta\n2\n", "rows.tsv:2: expected 2 or 3 columns, got 1"),
        ("rows.tsv", b"1\tcaf\xe9\n", "rows.tsv:1: expected UTF-8, got byte 0xe9 at 5"),
        ("rows.tsv.gz", b"1\ta\n", "rows.tsv.gz: expected a whole gzip file, got Not a gzipped"),
        (
            "rows.tsv.gz",
            gzip.compress(b"1\ta\n", mtime=0)[:-9],
            "rows.tsv.gz: expected a whole gzip file",
        ),
    ],
)
def test_a_fault_is_named(tmp_path, name, content, fault):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=fault):
        rows_of(tmp_path / name, 2, 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match="gone.tsv: expected a file, got nothing there"):
        rows_of(tmp_path / "gone.tsv")


def test_a_text_is_one_line():
    assert sources.one_line(" a\tb\nc\rd ", "f:1") == " a b c d "
    for empty in ("", " ", "\t\n"):
        with pytest.raises(DataError, match="f:1: expected a text, got an empty one"):
            sources.one_line(empty, "f:1")


def test_an_id_has_no_spaces():
    assert sources.identifier("q-1", "f:1", "query_id") == "q-1"
    for value in ("", "a b", " a", "a\t"):
        with pytest.raises(DataError, match="f:1: expected a query_id without spaces, got "):
            sources.identifier(value, "f:1", "query_id")


def test_different_ids_are_accepted(tmp_path):
    ids = sources.IdColumn(tmp_path / "rows.tsv")
    ids.refuse_repeated()
    for value in ("a", "b", "c"):
        ids.add(value)
    ids.refuse_repeated()


def test_the_first_row_that_repeats_an_id_is_named(tmp_path):
    ids = sources.IdColumn(tmp_path / "rows.tsv", first_line=2)
    for value in ("a", "b", "c", "b", "a", "b"):
        ids.add(value)
    expected = "rows.tsv:5: expected each id once, got that of line 3 again"
    with pytest.raises(DataError, match=expected):
        ids.refuse_repeated()


def test_objects_have_their_place_and_whole_numbers_are_ids(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"id": "a", "text": "b\\tc\\u2028d"}\r\n{"id": 7, "text": null}\n')
    first, second = sources.read_objects(path)
    assert (sources.id_field(first, "id"), sources.text_field(first, "text")) == ("a", "b c\u2028d")
    assert (sources.id_field(second, "id"), sources.text_field(second, "text")) == ("7", "")
    assert str(second.place).endswith("rows.jsonl:2")
    for value in (1.5, True, None, ["a"]):
        second.fields["id"] = value
        with pytest.raises(DataError, match="rows.jsonl:2: expected a text for id, got "):
            sources.id_field(second, "id")


def test_half_a_character_is_named_with_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n{"text": "a \\ud83d dog"}\n')
    _, second = sources.read_objects(path)
    with pytest.raises(DataError, match="rows.jsonl:2: expected whole characters for text, got "):
        sources.text_field(second, "text")


def test_a_byte_order_mark_before_an_object_is_left_out(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('\ufeff{"text": "a"}\n', encoding="utf-8")
    [record] = sources.read_objects(path)
    assert record.fields == {"text": "a"}


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.jsonl.gz"])
def test_a_git_lfs_pointer_is_named(tmp_path, name):
    path = tmp_path / name
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n")
    with pytest.raises(DataError, match=f"{name}: expected a source file, got a Git LFS pointer"):
        list(sources.read_objects(path))


def test_repeated_ids_are_found_by_their_hashes(tmp_path):
    ids = sources.IdColumn(tmp_path / "rows.tsv")
    assert ids.repeated() == set()
    for value in ("a", "b", "c", "b", "a", "b"):
        ids.add(value)
    assert ids.repeated() == {hash("a"), hash("b")}
