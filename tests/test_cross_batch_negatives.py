"""Two real processes with fleet give the loss and the gradients of one process on the joint batch."""
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import paddle
import pytest

from rocketqa.cross_batch_negatives import loss_and_accuracy

A, B, P, H = 2, 3, 3, 5  # devices, queries a device, passages a query, hidden size

WORKER = '''
import sys
import numpy as np
import rocketqa
import paddle
import paddle.distributed as dist
from rocketqa import devices
from rocketqa.cross_batch_negatives import loss_and_accuracy
devices.join()
rank, folder, cross_batch = dist.get_rank(), sys.argv[1], sys.argv[2] == "cross-batch"
own = np.load(f"{folder}/{rank}.npz")
q_reps = paddle.to_tensor(own["q"], stop_gradient=False)
p_reps = paddle.to_tensor(own["p"], stop_gradient=False)
loss, accuracy = loss_and_accuracy(q_reps, p_reps, cross_batch)
loss.backward()
np.savez(f"{folder}/out-{rank}.npz", loss=loss.numpy(), accuracy=accuracy.numpy(), q=q_reps.grad.numpy(),
         p=p_reps.grad.numpy(), world=dist.get_world_size())
'''


def launch(folder: Path, script: str, *arguments: str, processes: int = A) -> None:
    """Runs a script as several processes, as run_scripts/lib.sh does."""
    path = folder / "worker.py"
    path.write_text(script)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir",
         str(folder / "log"), str(path), *arguments], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def slow_loss_and_gradients(q, p):
    """The joint loss over all queries in float64, and its gradients, written out. q [A, B, H], p [A, B*P, H]."""
    passages = p.reshape(-1, H)
    loss, q_gradient, p_gradient = 0.0, np.zeros_like(q), np.zeros_like(passages)
    for device in range(A):
        for i in range(B):
            logits = passages @ q[device, i]
            shares = np.exp(logits - logits.max())
            shares /= shares.sum()
            positive = device * B * P + i
            loss -= np.log(shares[positive]) / (A * B)
            shares[positive] -= 1
            q_gradient[device, i] = shares @ passages / (A * B)
            p_gradient += np.outer(shares, q[device, i]) / (A * B)
    return loss, q_gradient, p_gradient.reshape(p.shape)


@pytest.fixture
def reps():
    drawing = np.random.default_rng(5)
    return drawing.normal(size=(A, B, H)), drawing.normal(size=(A, B * P, H))


def run_devices(folder: Path, q, p, negatives: str):
    for device in range(A):
        np.savez(folder / f"{device}.npz", q=q[device], p=p[device])
    launch(folder, WORKER, str(folder), negatives)
    return [np.load(folder / f"out-{device}.npz") for device in range(A)]


def test_passages_of_other_devices_are_negatives_and_gradients_are_those_of_the_joint_batch(tmp_path, reps):
    q, p = reps
    out = run_devices(tmp_path, q, p, "cross-batch")
    loss, q_gradient, p_gradient = slow_loss_and_gradients(q, p)
    assert [int(part["world"]) for part in out] == [A, A]
    np.testing.assert_allclose(np.mean([part["loss"] for part in out]), loss, rtol=1e-10)
    # Data parallel training divides by A: here each device's own loss is the mean of its B queries.
    np.testing.assert_allclose([part["q"] / A for part in out], q_gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose([part["p"] / A for part in out], p_gradient, rtol=1e-9, atol=1e-12)


def test_in_batch_negatives_see_no_other_device(tmp_path, reps):
    q, p = reps
    before = run_devices(tmp_path, q, p, "in-batch")[0]
    for_one, _ = loss_and_accuracy(paddle.to_tensor(q[0]), paddle.to_tensor(p[0]), cross_batch=True)
    np.testing.assert_allclose(before["loss"], for_one.numpy(), rtol=1e-12)


def test_loss_of_a_batch_worked_out_by_hand():
    q_reps = paddle.to_tensor([[1.0, 0.0], [0.0, 2.0]])
    p_reps = paddle.to_tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])  # two positives, two hard negatives
    loss, accuracy = loss_and_accuracy(q_reps, p_reps, cross_batch=True)
    first = -np.log(np.e / (2 * np.e + 2))  # logits 1 1 0 0
    second = -np.log(1 / (3 + np.exp(2)))  # logits 0 0 0 2
    assert float(loss) == pytest.approx((first + second) / 2, rel=1e-6)
    assert float(accuracy) == 0.5


def test_two_devices_train_to_the_weights_of_one_device_with_the_joint_batch(tmp_path):
    """The verb itself, under the launcher: 2 x 4 and 1 x 8 queries a step, the same examples, the same weights."""
    from toy_files import train_dual, write_tiny_flight

    write_tiny_flight(tmp_path)
    one, two = tmp_path / "one", tmp_path / "two"
    train_dual(tmp_path, one, devices=1, batch_size=8)
    train_dual(tmp_path, two, devices=2, batch_size=4)
    from safetensors.numpy import load_file

    weights, expected = load_file(two / "model.safetensors"), load_file(one / "model.safetensors")
    initial = load_file(tmp_path / "init/model.safetensors")
    moved = 0.0
    # No softmax feels these, so their gradients are rounding noise, of which Adam makes whole steps.
    unfelt = ("k_proj.bias", "passage_encoder.encoder.layers.1.norm2.bias")
    for name, value in expected.items():
        if name.endswith(unfelt):
            continue
        np.testing.assert_allclose(weights[name], value, rtol=0, atol=2e-5, err_msg=name)
        moved = max(moved, np.abs(value - initial[name.split(".", 1)[1]]).max())
    assert moved > 1e-3
    log = [(line.split("\t")[1]) for line in (two / "train_log.tsv").read_text().splitlines()[1:]]
    expected_log = [(line.split("\t")[1]) for line in (one / "train_log.tsv").read_text().splitlines()[1:]]
    np.testing.assert_allclose(np.array(log, float), np.array(expected_log, float), rtol=1e-4)
    assert json.loads((two / "meta.json").read_text())["job"]["flags"]["devices"] == 2
