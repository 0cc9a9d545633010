"""The processes of a launch share out the same batches, train to the same losses, and finish one
job.
"""

import subprocess

import numpy as np
import pytest
from launching import ROOT, launch
from toy_files import ENVIRONMENT, dual_flags, train_dual, verb, write_tiny_flight
from training_logs import column

from rocketqa.distributed import devices

FURTHER_APART_THAN_GLOO_WAITS = """
import sys, time
from pathlib import Path
import rocketqa
import paddle
import paddle.distributed as dist
from rocketqa.distributed import devices
from rocketqa.jobs.job import Job

def work(workspace):
    part, watchdog = workspace
    time.sleep(35 * devices.rank())
    watchdog.barrier()
    total = paddle.ones([1])
    dist.all_reduce(total)
    (part / f"{devices.rank()}").write_text(str(int(total)))

job = Job("apart", Path(sys.argv[1]) / "made", flags={}, inputs={})
sys.exit(job.run_in(devices.working_on, work))
"""


def test_two_devices_one_device_and_chunks_train_to_the_same_losses_over_fifty_steps(tmp_path):
    """2 x 4, 1 x 8 and 1 x 4 x 2 queries a step, from the same order."""
    write_tiny_flight(tmp_path)
    trainings = {
        "one": {"devices": 1, "batch_size": 8},
        "two": {"devices": 2, "batch_size": 4},
        "chunks": {"devices": 1, "batch_size": 4, "accumulate": 2},
    }
    for name, settings in trainings.items():
        train_dual(tmp_path, tmp_path / name, epochs=10, **{"learning-rate": 1e-4}, **settings)
    one = column(tmp_path / "one", "loss")
    assert len(one) == 50 and one[-1] < one[0]
    np.testing.assert_allclose(column(tmp_path / "two", "loss"), one, rtol=1e-4)
    np.testing.assert_allclose(column(tmp_path / "chunks", "loss"), one, rtol=1e-4)


def test_chunks_have_the_dropout_of_devices(tmp_path):
    write_tiny_flight(tmp_path, dropout=0.3)
    trainings = {
        "four": {"devices": 1, "accumulate": 4},
        "two": {"devices": 2, "accumulate": 2},
        "other": {"devices": 1, "accumulate": 4, "seed": 2},
    }
    for name, settings in trainings.items():
        train_dual(tmp_path, tmp_path / name, batch_size=2, epochs=1, **settings)
    four, two, other = (np.array(column(tmp_path / name, "loss")) for name in trainings)
    np.testing.assert_allclose(two, four, rtol=1e-4)
    assert np.abs(other - four).max() > 0.01


def test_devices_further_apart_than_gloo_waits_meet_and_leave_nothing_behind(tmp_path):
    script = tmp_path / "apart.py"
    script.write_text(FURTHER_APART_THAN_GLOO_WAITS)
    launch(script, tmp_path, 2)
    for rank in (0, 1):
        assert (tmp_path / "made" / str(rank)).read_text() == "2"
    assert not list(tmp_path.glob("made.*"))


FINISHED_WHILE_JOINING = """
import sys
from pathlib import Path
import rocketqa
import paddle
from rocketqa.distributed import devices
from rocketqa.jobs.job import Job

def job():
    return Job("made", Path(sys.argv[1]) / "made", flags={}, inputs={})

def late(one):
    devices.join()
    if devices.is_main():  # as another launch would
        job().run(lambda part: (part / "a").write_text("a") and None)
    return devices.working_on(one)

def fail(workspace):
    raise SystemExit(9)

sys.exit(job().run_in(late, fail))
"""


def test_a_launch_whose_job_another_one_finishes_meanwhile_ends_in_up_to_date(tmp_path):
    script = tmp_path / "late.py"
    script.write_text(FINISHED_WHILE_JOINING)
    launch(script, tmp_path, 2)
    for rank in (0, 1):
        log = (tmp_path / "log" / f"workerlog.{rank}").read_text()
        assert f"{tmp_path}/made: up to date" in log
    assert [path.name for path in tmp_path.glob("made*")] == ["made"]


def test_one_process_without_a_launcher_is_a_launch_of_one(monkeypatch):
    monkeypatch.delenv("PADDLE_TRAINERS_NUM", raising=False)
    devices.join()
    assert devices.launched() == devices.count() == 1
    assert devices.rank() == 0 and devices.is_main()


@pytest.mark.parametrize(
    "variables, line",
    [
        (
            {"PADDLE_NNODES": "2"},
            "PADDLE_NNODES=2: expected a launch on 2 machines, got a process that trains alone",
        ),
        (
            {"PADDLE_TRAINERS_NUM": "2"},
            "PADDLE_TRAINERS_NUM=2: expected a launch of 2 processes, got 0",
        ),
        (
            {"PADDLE_TRAINERS_NUM": "two"},
            "PADDLE_TRAINERS_NUM: expected a whole number from 1, got two",
        ),
    ],
)
def test_a_training_that_would_be_alone_among_several_is_refused_in_one_line(
    tmp_path, variables, line
):
    write_tiny_flight(tmp_path)
    flags = dual_flags(tmp_path, tmp_path / "made", 4)
    done = subprocess.run(
        verb("train-dual-encoder", *flags),
        env=ENVIRONMENT | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(f"rocketqa train-dual-encoder: {line}")
    assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("made*"))
