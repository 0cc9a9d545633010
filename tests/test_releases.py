"""A published file is found under --from, packed or not, or downloaded once and checked."""

import gzip
import hashlib
import tarfile
from pathlib import Path

import pytest
from data_prep_runs import data_prep_module, read, write
from misbehaving_server import serving

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source

builds = data_prep_module("builds")
releases = data_prep_module("releases")

ROWS = Source("http://127.0.0.1:1/rows.tsv.gz", md5=hashlib.md5(b"published").hexdigest())
CORPUS = Source("http://127.0.0.1:1/corpus.tar.gz")


@pytest.fixture
def given(tmp_path):
    """Settings with a folder of --from that is empty."""
    (tmp_path / "from").mkdir()
    return builds.BuildSettings(
        output=tmp_path / "out",
        from_folder=tmp_path / "from",
        downloads=tmp_path / "downloads",
        counts="any",
        check=False,
    )


@pytest.fixture
def online(given):
    """Settings without --from."""
    return given._replace(from_folder=None)


def pack(archive: Path, **files: str) -> None:
    """Writes an archive with these files in a folder `inner`."""
    folder = write(archive.with_name("to pack"), **files)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder, "inner")


def test_an_unpacked_file_is_taken_before_the_packed_one(given):
    write(given.from_folder, rows__tsv__gz="")
    assert releases.file_of(ROWS, given) == given.from_folder / "rows.tsv.gz"
    write(given.from_folder, rows__tsv="a\n")
    assert releases.file_of(ROWS, given) == given.from_folder / "rows.tsv"


def test_a_missing_file_is_named(given):
    with pytest.raises(DataError, match="from: expected rows.tsv.gz, got a folder without it"):
        releases.file_of(ROWS, given)


def test_with_published_counts_another_packed_file_is_refused(given):
    published = given._replace(counts="published")
    write(given.from_folder, rows__tsv__gz="another")
    with pytest.raises(DataError, match=f"rows.tsv.gz: expected md5 {ROWS.md5}, got "):
        releases.file_of(ROWS, published)
    write(given.from_folder, rows__tsv__gz="published")
    assert releases.file_of(ROWS, published) == given.from_folder / "rows.tsv.gz"


def test_a_file_is_downloaded_once(online):
    content = gzip.compress(b"a\n")
    with serving(content, "fine") as server:
        source = Source(server.url)
        with pytest.raises(builds.NotFinished):
            releases.file_of(source, online._replace(check=True))
        for _ in range(2):
            path = releases.file_of(source, online)
            assert path.read_bytes() == content
        assert len(server.asked) == 1
    assert releases.file_of(source, online._replace(check=True)) == path


@pytest.mark.parametrize("place", [".", "corpus", "corpus/corpus"])
def test_the_files_of_an_archive_may_lie_unpacked(given, place):
    folder = write(given.from_folder / place, para__txt="0\ta\n")
    assert releases.folder_of(CORPUS, given, "para.txt").samefile(folder)


def test_an_archive_is_unpacked_and_searched(given):
    pack(given.from_folder / "corpus.tar.gz", para__txt="0\ta\n")
    with pytest.raises(builds.NotFinished):
        releases.folder_of(CORPUS, given._replace(check=True), "para.txt")
    folder = releases.folder_of(CORPUS, given, "para.txt")
    assert folder == given.downloads / "corpus/inner"
    assert read(folder, "para.txt") == "0\ta\n"


def test_an_archive_without_the_file_is_named(given):
    with pytest.raises(DataError, match="from: expected para.txt or corpus.tar.gz, got a folder"):
        releases.folder_of(CORPUS, given, "para.txt")
    pack(given.from_folder / "corpus.tar.gz", other__txt="0\ta\n")
    with pytest.raises(DataError, match="corpus.tar.gz: expected para.txt in it, got an archive"):
        releases.folder_of(CORPUS, given, "para.txt")


def test_an_unpacked_download_is_enough(online, tmp_path):
    pack(tmp_path / "packed.tar.gz", para__txt="0\ta\n")
    content = (tmp_path / "packed.tar.gz").read_bytes()
    with serving(content, "fine") as server:
        source = Source(server.url.replace("file.tsv", "corpus.tar.gz"))
        folder = releases.folder_of(source, online, "para.txt")
        (online.downloads / "corpus.tar.gz").unlink()
        assert releases.folder_of(source, online, "para.txt") == folder
        assert len(server.asked) == 1


def test_the_published_numbers_are_those_of_the_paper():
    assert releases.NQ_QUERIES == {"train": 58_812, "dev": 6_515, "test": 3_610}
    assert releases.NQ_PASSAGES == 21_015_324
