"""The archive of a released model is fetched once and checked, by however many processes."""

import fcntl
import hashlib
import io
import subprocess
import sys
import tarfile
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import pytest
from misbehaving_server import serving
from released_fixture import ReleasedFixture

import rocketqa
from rocketqa.files.errors import DataError
from rocketqa.weights import released_archives

QUERY, PARA = ["when is the dog home"], ["the dog ran home"]


def test_the_names_of_the_released_models_are_listed_without_loading_paddle():
    script = """if True:
        import sys
        import rocketqa
        print(*rocketqa.available_models())
        assert "paddle" not in sys.modules, "listing the names loads Paddle"
    """
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    names = done.stdout.split()
    assert len(names) == 13
    assert {"v1_marco_de", "v2_nq_de", "zh_dureader_ce_v2"} <= set(names)


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
        monkeypatch.setattr(released_archives, "HOST", server.url.removesuffix("/file.tsv"))
        with pytest.raises(DataError, match="expected md5 15aac78d70cc25994016b8a30d80f12c, got "):
            rocketqa.load_model("v1_nq_ce")
        monkeypatch.setitem(released_archives.MODELS, "v1_nq_ce", hashlib.md5(body).hexdigest())
        left_by_a_killed_process = tmp_path / "cache" / "v1_nq_ce.unpacked.part"
        left_by_a_killed_process.mkdir()
        (left_by_a_killed_process / "half").write_text("")
        scores = list(rocketqa.load_model("v1_nq_ce").matching(QUERY, PARA))
        assert len(server.asked) == 2
    scores_without_server = list(rocketqa.load_model("v1_nq_ce").matching(QUERY, PARA))
    assert scores_without_server == scores
    assert {path.name for path in (tmp_path / "cache").iterdir() if path.is_dir()} == {"v1_nq_ce"}
    assert not (tmp_path / "cache" / "v1_nq_ce" / "half").exists()


def test_processes_of_a_launch_fetch_a_model_once(tmp_path, monkeypatch):
    body = packed_model(tmp_path)
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path))
    monkeypatch.setitem(released_archives.MODELS, "v1_nq_ce", hashlib.md5(body).hexdigest())
    with serving(body, "fine") as server, ThreadPoolExecutor() as pool:
        monkeypatch.setattr(released_archives, "HOST", server.url.removesuffix("/file.tsv"))
        with (tmp_path / "v1_nq_ce.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            waiting = [pool.submit(released_archives.downloaded, "v1_nq_ce") for _ in range(2)]
            assert wait(waiting, timeout=0.3).not_done == set(waiting)
            assert not server.asked
        assert [folder.result() for folder in waiting] == [tmp_path / "v1_nq_ce"] * 2
        assert len(server.asked) == 1


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
