"""A dynamic loss scale changes no byte, and all devices leave out the same steps."""

import numpy as np
import pytest
from launching import launch
from safetensors.numpy import load_file
from toy_files import train_dual, write_tiny_flight
from training_logs import WEIGHTS, column, weights

from rocketqa.training.optimizer import LossScale

OVERFLOW_ON_ONE_DEVICE = """
import sys
import numpy as np
import rocketqa
import paddle
from rocketqa.distributed import devices
from rocketqa.training.optimizer import LossScale, clip
devices.join()
model, scale = paddle.nn.Linear(2, 2), LossScale(8.0, dynamic=True)
with open(f"{sys.argv[1]}/scale-{devices.rank()}", "w") as log:
    for step in range(4):
        (model(paddle.ones([1, 2])).sum() * scale.scale).backward()
        if devices.rank() == 0 and step < 2:
            model.bias.grad.set_value(np.array([np.inf, 0], np.float32))
        devices.average_gradients(model)
        norm = clip(model, 1e9, scale.scale)
        scale.update(bool(np.isfinite(norm)))
        print(step, np.isfinite(norm), scale.scale, file=log)
        model.clear_gradients()
"""


@pytest.fixture(scope="module")
def flight(tmp_path_factory):
    folder = tmp_path_factory.mktemp("flight")
    write_tiny_flight(folder, dropout=0.1)
    return folder


def test_a_loss_scale_of_a_power_of_two_changes_no_byte(flight):
    train_dual(flight, flight / "plain", devices=1, batch_size=4)
    train_dual(flight, flight / "scaled", devices=1, batch_size=4, **{"loss-scale": 1024})
    assert weights(flight / "scaled") == weights(flight / "plain")
    assert set(column(flight / "scaled", "loss_scale")) == {1024}


def test_steps_that_overflow_are_left_out_and_make_the_scale_smaller(flight):
    output = flight / "overflow"
    changed = {"loss-scale": 2.0**61, "epochs": 10}
    train_dual(flight, output, devices=1, batch_size=4, **changed)
    norms = np.array(column(output, "gradient_norm"))
    scales = column(output, "loss_scale")
    assert scales[0] == pytest.approx(2.0**61)
    assert scales[1] == pytest.approx(0.8 * 2.0**61)
    assert not np.isfinite(norms[:2]).any()
    assert np.isfinite(norms[-1])
    for value in load_file(output / WEIGHTS).values():
        assert np.isfinite(value).all()


def test_one_device_s_overflow_is_every_device_s(tmp_path):
    """Only the first device's gradients overflow; the weights stay, on all."""
    script = tmp_path / "overflow.py"
    script.write_text(OVERFLOW_ON_ONE_DEVICE)
    launch(script, tmp_path, 2)
    expected = "0 False 8.0\n1 False 6.4\n2 True 6.4\n3 True 6.4\n"
    for rank in (0, 1):
        assert (tmp_path / f"scale-{rank}").read_text() == expected


def test_the_scale_falls_after_two_overflows_in_a_row_and_doubles_after_a_thousand_good_steps():
    scale = LossScale(1000.0, dynamic=True)
    for finite in (False, True, False):
        scale.update(finite)
    assert scale.scale == 1000.0
    scale.update(False)
    assert scale.scale == 800.0
    for _ in range(999):
        scale.update(True)
    assert scale.scale == 800.0
    resumed = LossScale(1.0, dynamic=True)
    resumed.restore(scale.state())
    resumed.update(True)
    assert resumed.scale == 1600.0
    for _ in range(1000):
        resumed.update(False)
    assert resumed.scale == 1.0


def test_a_scale_that_is_not_dynamic_stays():
    scale = LossScale(1.0, dynamic=False)
    for _ in range(1500):
        scale.update(True)
    assert scale.scale == 1.0
