"""Devices that do not have the gradients of one process are noticed."""

import numpy as np
import pytest
from pretended_gpus import A100, pretend_gpus

from rocketqa.doctor.collectives import gather, joint_step, judge
from rocketqa.doctor.findings import ABSENT, OK, WRONG

EXACT = {"loss": np.array(2.0), "weight": np.array([1.0, -2.0])}


@pytest.mark.parametrize(
    "factor, losses, norms, verdict",
    [
        (1.0, (1.5, 2.5), (np.nan, np.inf), OK),
        (0.5, (1.5, 2.5), (np.nan, np.inf), WRONG),  # each device has the loss of all: 1/A
        (1.0, (2.0, 2.5), (np.nan, np.inf), WRONG),
        (1.0, (1.5, 2.5), (1.0, np.inf), WRONG),
    ],
)
def test_another_gradient_loss_or_overflow_is_wrong(tmp_path, factor, losses, norms, verdict):
    for rank in range(2):
        values = {"loss": np.array(losses[rank]), "weight": factor * EXACT["weight"]}
        np.savez(tmp_path / f"{rank}.npz", **values, **{"norm of an overflow": norms[rank]})
    assert judge(tmp_path, 2, EXACT)[0] == verdict


def test_the_joint_step_is_on_the_rows_of_all_devices():
    one, two = joint_step(1), joint_step(2)
    assert one.keys() == two.keys() and len(one) > 30
    assert float(one["loss"]) != float(two["loss"])


def test_one_gpu_gathers_nothing(monkeypatch):
    pretend_gpus(monkeypatch, A100)
    assert gather() == (ABSENT, "one GPU, which has nothing to gather")
