"""A released model is fetched once, whole, checked, by however many processes."""

import fcntl
import hashlib
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from misbehaving_server import serving
from released_fixture import ReleasedFixture

import rocketqa
from rocketqa import toolkit
from rocketqa.files.errors import DataError

QUERY, PARA = ["when is the dog home"], ["the dog ran home"]


def packed_model(folder: Path) -> bytes:
    """Returns the archive of a small model, as that of v1_nq_ce is."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(ReleasedFixture(folder / "packed", "cross").folder, "v1_nq_ce")
    return archive.getvalue()


def test_a_model_is_fetched_once_whole_and_checked(tmp_path, monkeypatch):
    body = packed_model(tmp_path)
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path / "cache"))
    with serving(body, "fine") as server:
        monkeypatch.setattr(toolkit, "HOST", server.url.removesuffix("/file.tsv"))
        with pytest.raises(DataError, match="expected md5 15aac78d70cc25994016b8a30d80f12c, got "):
            rocketqa.load_model("v1_nq_ce")
        monkeypatch.setitem(toolkit.MODELS, "v1_nq_ce", hashlib.md5(body).hexdigest())
        (
            tmp_path / "cache" / "v1_nq_ce.unpacked.part"
        ).mkdir()  # a process was killed while it unpacked
        (tmp_path / "cache" / "v1_nq_ce.unpacked.part" / "half").write_text("")
        first = list(rocketqa.load_model("v1_nq_ce").matching(QUERY, PARA))
        assert len(server.asked) == 2
    assert (
        list(rocketqa.load_model("v1_nq_ce").matching(QUERY, PARA)) == first
    )  # now without a server
    assert {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()} == {"v1_nq_ce"}
    assert not (tmp_path / "cache" / "v1_nq_ce" / "half").exists()


def test_processes_of_a_launch_fetch_a_model_once(tmp_path, monkeypatch):
    body = packed_model(tmp_path)
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path))
    monkeypatch.setitem(toolkit.MODELS, "v1_nq_ce", hashlib.md5(body).hexdigest())
    with serving(body, "fine") as server, ThreadPoolExecutor() as pool:
        monkeypatch.setattr(toolkit, "HOST", server.url.removesuffix("/file.tsv"))
        with (tmp_path / "v1_nq_ce.lock").open("w") as first:
            fcntl.flock(first, fcntl.LOCK_EX)
            others = [pool.submit(toolkit.downloaded, "v1_nq_ce") for _ in range(2)]
            assert wait(others, timeout=0.3).not_done == set(others) and not server.asked
        assert [other.result() for other in others] == [tmp_path / "v1_nq_ce"] * 2 and len(
            server.asked
        ) == 1


def test_a_half_extracted_model_of_the_released_package_is_named_with_its_cure(
    tmp_path, monkeypatch
):
    fixture = ReleasedFixture(tmp_path / "v1_nq_de", "separate")
    (fixture.folder / "step_10" / "query_pos_embedding").unlink()
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path))
    with pytest.raises(
        DataError, match=r"\['query_pos_embedding'\]; to fetch the model anew, remove .*v1_nq_de$"
    ):
        rocketqa.load_model("v1_nq_de")
