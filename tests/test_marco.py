"""MS MARCO's files come from either source, with or without titles.

Their rows are counted; their order and their ids are those of the source.
"""

import json
import tarfile
from pathlib import Path

import pytest
from data_prep_runs import call, call_alone, data_prep_module, read, write
from marco_files import MICROSOFT, RELEASED
from misbehaving_server import serving

from rocketqa.files.formats import read_collection, read_positives, read_queries
from rocketqa.jobs.download import Source

WITH_TITLES = (
    "0\tIntroduction\tThe presence of communication.\n1\t\tThe Manhattan Project.\n"
    '2\t\tA caf\u00e9 "quoted.\n'
)


@pytest.fixture
def both(tmp_path):
    """Microsoft's files and the released corpus in one folder, as unpacked."""
    write(tmp_path / "from/marco", **RELEASED)
    return write(tmp_path / "from", **MICROSOFT)


def build(both, *flags) -> tuple[int, str]:
    """Builds from a folder into `out` beside it; returns the exit status and stderr."""
    return call("marco.py", "--output", both.parent / "out", "--from", both, *flags)


def test_microsofts_files_with_the_released_titles(both, tmp_path):
    assert build(both)[0] == 0
    out = tmp_path / "out"
    assert read(out, "collection.tsv") == WITH_TITLES
    assert read(out, "queries.train.tsv") == "10\twhat is a project\n12\twho drinks coffee\n"
    assert read(out, "queries.dev.tsv") == "20\twhat is communication\n"
    assert read(out, "qrels.train.tsv") == "12\t0\t2\t1\n10\t0\t1\t1\n"
    assert read(out, "qrels.dev.tsv") == "20\t0\t0\t1\n"
    assert read(out, "qrels.train.addition.tsv") == "10\t0\t0\t1\n"


def test_the_script_runs_on_its_own(both, tmp_path):
    assert call_alone("marco.py", "--output", tmp_path / "out", "--from", both)[0] == 0
    assert call_alone("marco.py", "--output", tmp_path / "out", "--from", tmp_path)[0] == 2


def test_the_released_corpus_gives_the_same_files_in_our_format(both, tmp_path):
    assert build(both, "--source", "released")[0] == 0
    out = tmp_path / "out"
    assert list(read_collection(out / "collection.tsv")) == ["0", "1", "2"]
    assert read(out, "qrels.train.tsv") == "10\t0\t1\t1\n12\t0\t2\t1\n"
    assert read_positives(out / "qrels.dev.tsv").keys() == {"20"}
    assert read_queries(out / "queries.dev.tsv").keys() == {"20"}


def test_titles_are_one_switch_that_the_manifest_records_and_that_makes_the_collection_anew(
    both, tmp_path
):
    build(both)
    queries = (tmp_path / "out/queries.train.tsv").stat().st_mtime_ns
    assert build(both, "--titles", "no", "--check")[0] == 3
    assert build(both, "--titles", "no")[0] == 0
    assert read(tmp_path / "out", "collection.tsv") == WITH_TITLES.replace("Introduction", "")
    manifest = json.loads(read(tmp_path / "out", "collection.tsv.meta.json"))
    assert manifest["job"]["flags"]["titles"] == "no"
    assert manifest["titles"] == "no"
    assert manifest["rows"] == 3
    assert (tmp_path / "out/queries.train.tsv").stat().st_mtime_ns == queries
    assert build(both, "--titles", "no", "--check")[0] == 0


def test_without_titles_microsofts_release_is_enough(both, tmp_path):
    microsoft = write(tmp_path / "microsoft", **MICROSOFT)
    flags = ("--output", tmp_path / "out", "--from", microsoft)
    status, stderr = call("marco.py", *flags)
    assert status == 2
    assert "expected para.title.txt or marco.tar.gz" in stderr
    assert stderr.count("\n") == 1
    assert call("marco.py", *flags, "--titles", "no")[0] == 0
    assert not (tmp_path / "out/qrels.train.addition.tsv").exists()


def test_what_is_left_out_is_counted_and_reported(both):
    stderr = build(both)[1]
    assert "queries.train.tsv: 2 rows (1 queries without a judgement left out" in stderr
    assert "2 passages without a title" in stderr


def pack(archive: Path, folder: Path, name_inside: str) -> None:
    """Packs the files of a folder, without its folders, into an archive."""
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                tar.add(path, f"{name_inside}/{path.name}")


def test_the_archives_are_read_as_they_were_published(both, tmp_path):
    packed = tmp_path / "packed"
    packed.mkdir()
    pack(packed / "collectionandqueries.tar.gz", both, ".")
    pack(packed / "marco.tar.gz", both / "marco", "marco")
    assert call("marco.py", "--output", tmp_path / "out", "--from", packed)[0] == 0
    assert read(tmp_path / "out", "collection.tsv") == WITH_TITLES
    flags = ("--output", tmp_path / "other", "--from", packed, "--counts", "published")
    status, stderr = call("marco.py", *flags)
    assert status == 2
    assert "expected md5 31644046b18952c1386cd4564ba2ae69" in stderr


def test_a_download_is_unpacked_and_built_and_not_fetched_again(both, tmp_path, monkeypatch):
    marco = data_prep_module("marco")
    with tarfile.open(tmp_path / "released.tar.gz", "w:gz") as tar:
        tar.add(both / "marco", "marco")
    flags = ("--output", tmp_path / "out", "--source", "released", "--counts", "any")
    with serving((tmp_path / "released.tar.gz").read_bytes(), "fine") as server:
        url = server.url.replace("file.tsv", "marco.tar.gz")
        monkeypatch.setattr(marco, "RELEASED_MARCO", Source(url))
        assert call("marco.py", *flags, "--check")[0] == 3
        assert not server.asked
        assert call("marco.py", *flags)[0] == 0
        assert read(tmp_path / "out", "collection.tsv") == WITH_TITLES
        assert call("marco.py", *flags)[0] == 0
        (tmp_path / "out/downloads/marco.tar.gz").unlink()
        assert call("marco.py", *flags, "--check")[0] == 0
        assert len(server.asked) == 1


def test_a_judgement_that_occurs_twice_is_built_once_and_reported(both, tmp_path):
    (both / "qrels.train.tsv").write_text("12\t0\t2\t1\n10\t0\t1\t1\n12\t0\t2\t1\n")
    status, stderr = build(both)
    assert status == 0
    expected = "qrels.train.tsv: 2 rows (1 repeated rows left out; 532,758 rows fewer or more"
    assert expected in stderr
    assert read_positives(tmp_path / "out/qrels.train.tsv") == {"12": ["2"], "10": ["1"]}


def test_other_counts_than_the_published_are_refused(both):
    status, stderr = build(both, "--counts", "published")
    assert status == 2
    assert "qrels.train.tsv: expected 532,761 rows as published, got 2" in stderr
    assert not (both.parent / "out/qrels.train.tsv").exists()
    assert "6,979 rows fewer or more than the 6,980 published" in build(both)[1]


@pytest.mark.parametrize(
    "name, content, line",
    [
        (
            "collection.tsv",
            "0\ta\n1\tb\n2\tc\n0\td\n",
            "collection.tsv:4: expected each id once, got that of line 1 again",
        ),
        ("collection.tsv", "0\ta\n1\t \n", "collection.tsv:2: expected a text, got an empty one"),
        ("collection.tsv", "0\ta\tb\n", "collection.tsv:1: expected 2 columns, got 3"),
        (
            "collection.tsv",
            "0 1\ta\n",
            "collection.tsv:1: expected a passage_id without spaces, got '0 1'",
        ),
        (
            "marco/para.title.txt",
            "2\tLast\n0\tFirst\n",
            "para.title.txt:2: expected a passage_id of ",
        ),
        ("marco/para.title.txt", "7\tNobody\n", "para.title.txt:1: expected a passage_id of "),
        (
            "queries.train.tsv",
            "10\twhat\n",
            "queries.train.tsv: expected the text of each query that ",
        ),
        ("qrels.train.tsv", "10\t0\tx\n", "qrels.train.tsv:1: expected 4 or 2 columns, got 3"),
    ],
)
def test_a_fault_of_a_source_ends_in_one_line(both, name, content, line):
    (both / name).write_text(content)
    status, stderr = build(both)
    assert status == 2
    assert line in stderr.splitlines()[-1]
    assert "Traceback" not in stderr


def test_invalid_utf8_is_named_and_a_carriage_return_does_not_end_a_text(both, tmp_path):
    (both / "collection.tsv").write_bytes(b"0\ta\rb\r\n1\t\xc2\x85x\n2\tc\n")
    assert build(both)[0] == 0
    lines = read(tmp_path / "out", "collection.tsv").split("\n")
    assert lines[:2] == ["0\tIntroduction\ta b", "1\t\t\u0085x"]
    (both / "collection.tsv").write_bytes(b"0\tcaf\xe9\n")
    status, stderr = build(both)
    assert status == 2
    assert "collection.tsv:1: expected UTF-8, got byte 0xe9 at 5" in stderr
