"""Files that are told by their first bytes to be no rows of plain text in UTF-8."""

from pathlib import Path

from rocketqa.files.errors import Fault

GZIP_MARK = b"\x1f\x8b"
UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")
JSON_MARKS = (b'{"', b"{\n", b"{\r", b"[{", b'["', b"[\n", b"[\r")


def fault_of_first_bytes(path: Path) -> Fault | None:
    """Returns the fault that a file's first bytes tell, with its cure; None where they tell none.

    Raises OSError where the file cannot be opened.
    """
    with path.open("rb") as file:
        start = file.read(2)
    if start.startswith(GZIP_MARK):
        expected = "a file that is not compressed (gunzip unpacks it)"
        return Fault("compressed file", str(path), expected, "a gzip file")
    if start.startswith(UTF_16_MARKS):
        expected = "UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)"
        return Fault("UTF-8", str(path), expected, "UTF-16")
    if start.startswith(JSON_MARKS):
        expected = "columns with tabs between them (data_prep/README.md says what converts files)"
        return Fault("columns", str(path), expected, "JSON")
    return None
