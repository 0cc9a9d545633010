"""Devices are named, and a Paddle without machine code for a GPU is found before it computes."""

import paddle
import pytest
from pretended_gpus import A100, H100, pretend_gpus, replace

from rocketqa.doctor.findings import ABSENT, OK, WRONG
from rocketqa.doctor.hardware import devices, machine_code, runs_on

PADDLE_2 = not hasattr(paddle.version, "cuda_archs")


def test_a_cpu_is_named_with_its_cores():
    assert devices()[0] == OK
    assert "cores for this process" in devices()[1]
    assert machine_code() == (ABSENT, "no GPU")


def test_every_gpu_is_named(monkeypatch):
    pretend_gpus(monkeypatch, A100, H100)
    replace(monkeypatch, paddle, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(paddle.version, "cuda", lambda: "12.6")
    monkeypatch.setattr(paddle.version, "cudnn", lambda: "9.5")
    assert devices() == (
        OK,
        "CUDA 12.6, cuDNN 9.5; 0: GPU, compute capability 8.0, 80 GiB; "
        "1: GPU, compute capability 9.0, 80 GiB",
    )


def test_a_paddle_for_gpus_that_sees_none_is_wrong(monkeypatch):
    pretend_gpus(monkeypatch)
    replace(monkeypatch, paddle, "is_compiled_with_cuda", lambda: True)
    verdict, text = devices()
    assert verdict == WRONG and "got none" in text and "CUDA_VISIBLE_DEVICES" in text


@pytest.mark.skipif(PADDLE_2, reason="Paddle 2 does not tell what it was compiled for")
def test_a_gpu_without_machine_code_is_wrong(monkeypatch):
    pretend_gpus(monkeypatch, A100, (12, 0))
    replace(monkeypatch, paddle.version, "cuda_archs", lambda: [70, 75, 80, 86, 90])
    assert machine_code() == (
        WRONG,
        "expected a Paddle that is compiled for sm_80, sm_120, "
        "got sm_80, sm_120 of sm_70 sm_75 sm_80 sm_86 sm_90",
    )


@pytest.mark.parametrize(
    "capability, runs",
    [
        ((7, 0), True),
        ((8, 0), True),
        ((8, 9), True),
        ((9, 0), False),
        ((7, 2), True),
        ((6, 1), False),
    ],
)
def test_machine_code_runs_on_later_gpus_of_its_generation(capability, runs):
    assert runs_on(capability, [70, 75, 80, 86]) is runs
