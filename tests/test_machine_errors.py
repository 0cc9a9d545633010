"""Where the machine fails, one line says where and what to do, and the exit status is 2."""

import errno
import os
import resource
import subprocess

import pytest
from toy_files import ENVIRONMENT, dual_flags, verb, write_tiny_flight

from rocketqa.files.errors import DataError
from rocketqa.files.machine_errors import line_for_user, refuse_machine_error
from rocketqa.jobs.job import Job

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
NUMPY = OSError("60000 requested and 4080 written")
RUST = ValueError("I/O error: No space left on device (os error 28)")
LAUNCHER = RuntimeError("Traceback:\nOSError: [Errno 28] No space left on device")
FAISS = RuntimeError("write error in i: 9 != 10 (No space left on device)")


@pytest.mark.parametrize("error", [FULL, NUMPY, RUST, LAUNCHER, FAISS])
def test_a_full_disk_is_named_by_the_job_whatever_library_has_met_it(tmp_path, error, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = Job("test", tmp_path / "made", flags={}, inputs={})
    expected = f"^{tmp_path}: expected room on the disk, got 'No space left on device': free some"
    with pytest.raises(DataError, match=expected), job.opened():
        raise error
    assert not list(tmp_path.iterdir())


def test_a_fuller_disk_of_temporary_files_is_named_in_place_of_the_output(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc")  # no byte is free there
    with pytest.raises(DataError, match="^/proc: expected room"):
        refuse_machine_error(FULL, tmp_path)


def test_an_error_that_names_its_file_keeps_it(tmp_path):
    denied = PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/root/x")
    refuse_machine_error(denied, tmp_path)
    line = line_for_user(denied)
    assert line is not None
    assert line.startswith("/root/x: expected permission for this user, got 'Permission denied': ")


@pytest.mark.parametrize(
    "error, words",
    [
        (MemoryError("Unable to allocate 3 GiB"), "expected more memory, got "),
        (RuntimeError("std::bad_alloc"), "expected more memory, got "),
        (RuntimeError("can't start new thread"), "expected more memory, got "),
        (DataError("a: expected b, got c"), "a: expected b, got c"),
        (FileNotFoundError(errno.ENOENT, "No such file", "x"), "[Errno 2] No such file: 'x'"),
    ],
)
def test_each_error_that_a_user_can_mend_has_a_line(error, words):
    line = line_for_user(error)
    assert line is not None and line.startswith(words) and "\n" not in line


def test_our_own_mistakes_have_none(tmp_path):
    assert line_for_user(ZeroDivisionError("division by zero")) is None
    refuse_machine_error(ZeroDivisionError("division by zero"), tmp_path)


def test_a_verb_that_may_write_no_more_ends_in_one_line_and_goes_on_later(tmp_path):
    write_tiny_flight(tmp_path)
    sources = ["--qrels", tmp_path / "qrels.tsv", "--collection", tmp_path / "collection.tsv"]
    output = tmp_path / "examples.tsv"
    settings = ["--for", "dual", "--negatives", 1, "--seed", 1]
    command = verb("sample-negatives", *settings, *sources, "--output", output)
    done = subprocess.run(
        command,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"rocketqa sample-negatives: {tmp_path}: expected larger files to be ")
    assert not output.exists()
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    assert output.is_file()


@pytest.mark.parametrize("mib", [100, 600])
def test_a_verb_without_memory_for_paddle_ends_in_one_line(tmp_path, mib):
    write_tiny_flight(tmp_path)
    limit = mib << 20
    done = subprocess.run(
        verb("train-dual-encoder", *dual_flags(tmp_path, tmp_path / "made", 8)),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    )
    assert done.returncode == 2
    assert done.stderr.startswith("rocketqa train-dual-encoder: expected more memory, got ")
    assert done.stderr.count("\n") == 1
