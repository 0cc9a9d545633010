"""Compressed files, UTF-16 and JSON are told by their first bytes, and refused with the cure."""

import pytest

from rocketqa.files.errors import DataError
from rocketqa.files.first_bytes import fault_of_first_bytes
from rocketqa.files.formats import read_queries
from rocketqa.files.runs import RunFile

CURE = "queries.tsv: expected UTF-8 (iconv -f UTF-16 -t UTF-8 converts it), got UTF-16"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_called_so_and_not_by_its_last_line(tmp_path, encoding):
    path = tmp_path / "queries.tsv"
    path.write_bytes("\ufeffq1\twho flew\n".encode(encoding))
    with pytest.raises(DataError) as error:
        read_queries(path)
    assert str(error.value) == f"{tmp_path}/{CURE}"


@pytest.mark.parametrize("content", ['{"q1": {"p1": 0.5}}', '{\n  "q1": {}\n}\n', '[{"id": 1}]\n'])
def test_json_is_called_so_and_not_by_its_last_line(tmp_path, content):
    path = tmp_path / "first.run"
    path.write_text(content)
    with pytest.raises(DataError) as error:
        RunFile(path)
    assert str(error.value) == (
        f"{path}: expected columns with tabs between them (data_prep/README.md says what converts "
        "files), got JSON"
    )


def test_text_in_utf_8_and_an_empty_file_have_no_fault(tmp_path):
    path = tmp_path / "queries.tsv"
    for start in (b"", b"\xef\xbb\xbfq1", "\u00fe1\t".encode(), b"q1\tx", b"[1", b"{a", b"["):
        path.write_bytes(start)
        assert fault_of_first_bytes(path) is None
