"""Any number of processes, and any number of chunks, give the loss and the gradients of one process on the joint batch."""
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import paddle
import pytest

from rocketqa.batches import DualRows
from rocketqa.cross_batch_negatives import KnownPositives, backward, losses_and_hits, positive_places
from rocketqa.dual_encoder import DualEncoder
from rocketqa.ernie import ErnieConfig, initial_weights, pack
from rocketqa.tokenizer import Encoding

CHUNKS, B, P, H = 2, 3, 3, 5  # chunks a device, queries a chunk, passages a query, hidden size
CONFIG = ErnieConfig(vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
                     max_position_embeddings=16, hidden_dropout_prob=0.2, attention_probs_dropout_prob=0.2)

# What is known to be wrong: the same gradients by another path through the gather.
IDIOMS = '''
import paddle
import paddle.distributed as dist
from paddle.autograd import PyLayer


class OwnSliceTimesDevices(PyLayer):
    @staticmethod
    def forward(context, p_reps):
        parts = []
        dist.all_gather(parts, p_reps)
        return paddle.concat(parts)

    @staticmethod
    def backward(context, gradient):
        return paddle.split(gradient * dist.get_world_size(), dist.get_world_size())[dist.get_rank()]


def own_slice(p_reps):
    parts = []
    dist.all_gather(parts, p_reps.detach())
    parts[dist.get_rank()] = p_reps
    return paddle.concat(parts)


def full_loss_on_each_device(encode, chunks, within, loss_scale, cross_batch):
    with within(0):
        q_reps, p_reps = encode(chunks[0])
    queries = q_reps.shape[0]
    device = paddle.arange(dist.get_world_size() * queries, dtype="int64") // queries
    labels = device * (p_reps.shape[0] - queries) + paddle.arange(len(device), dtype="int64")
    logits = paddle.matmul(own_slice(q_reps), own_slice(p_reps), transpose_y=True)
    losses = paddle.nn.functional.cross_entropy(logits, labels, reduction="none")
    losses.mean().backward()
    return losses, None
'''

WORKER = IDIOMS + '''
import sys
import numpy as np
sys.path.insert(0, sys.argv[2])
import rocketqa
from rocketqa import cross_batch_negatives, devices
from rocketqa.formats import DataError
import test_cross_batch_negatives as this

devices.join()
folder, rank = sys.argv[1], devices.rank()
out = {"world": devices.count()}


def gradients_of_reps(name, cross_batch=True, known=None):
    own = np.load(f"{folder}/{rank}.npz")
    q_reps, p_reps = (paddle.to_tensor(own[part], stop_gradient=False) for part in "qp")
    losses, hits = cross_batch_negatives.losses_and_hits(q_reps, p_reps, cross_batch, known_positives=known and known(own))
    losses.mean().backward()
    out.update({f"{name}:loss": losses.numpy(), f"{name}:hits": hits.numpy(), f"{name}:q": q_reps.grad.numpy(),
                f"{name}:p": p_reps.grad.numpy()})


def gradients_of_model(name, chunks, backward=cross_batch_negatives.backward, cross_batch=True):
    model = this.model()
    losses, _ = backward(
        lambda chunk: model(chunk.queries, chunk.passages), [this.chunk(rank * chunks + n) for n in range(chunks)],
        lambda n: this.seeded(rank * chunks + n), 1.0, cross_batch)
    devices.average_gradients(model)
    out.update({f"{name}:loss": losses.numpy()} | {f"{name}:{key}": value for key, value in this.gradients(model).items()})


gradients_of_reps("cross-batch")
gradients_of_reps("in-batch", cross_batch=False)
gradients_of_reps("masked", known=lambda own: cross_batch_negatives.KnownPositives(own["ids"], own["known"].tolist()))
gradients_of_model("model", 1)
gradients_of_model("chunks", this.CHUNKS)
right = cross_batch_negatives.gather
cross_batch_negatives.gather = own_slice
gradients_of_model("no gradient through the gather", 1)
cross_batch_negatives.gather = OwnSliceTimesDevices.apply
gradients_of_model("own slice times devices", 1)
cross_batch_negatives.gather = right
gradients_of_model("full loss on each device", 1, full_loss_on_each_device)
gradients_of_model("in-batch only", 1, cross_batch=False)
try:
    cross_batch_negatives.gather(paddle.zeros([2 + rank, 5]))
except DataError as error:
    out["refusal"] = str(error)
gradients_of_reps("after the refusal")
np.savez(f"{folder}/out-{rank}.npz", **out)
'''


def model() -> DualEncoder:
    """Returns the same small dual encoder in each process."""
    encoder = DualEncoder(CONFIG)
    weights = DualEncoder.from_encoder_weights(initial_weights(CONFIG, 3))
    for name, parameter in encoder.named_parameters():
        parameter.set_value(weights[name])
    encoder.train()
    return encoder


def chunk(place: int) -> DualRows:
    """Returns the chunk that the device, or chunk, of this number has."""
    drawing = np.random.default_rng(place)

    def rows(count):
        return pack([Encoding(drawing.integers(1, 60, length), np.zeros(length, np.int64))
                     for length in drawing.integers(2, 9, count)])

    return DualRows(rows(B), rows(B * P), None)


class seeded:
    """The dropout of the device, or chunk, of this number."""

    def __init__(self, place: int):
        self.place = place

    def __enter__(self):
        paddle.seed(100 + self.place)

    def __exit__(self, *_):
        pass


def gradients(encoder: DualEncoder) -> dict[str, np.ndarray]:
    return {name: parameter.grad.numpy() for name, parameter in encoder.named_parameters()}


def joint_loss_and_gradients(places: int) -> tuple[float, dict[str, np.ndarray]]:
    """One process, one graph: what so many devices have, joined before the loss."""
    encoder, reps = model(), []
    for place in range(places):
        with seeded(place):
            own = chunk(place)
            reps.append(encoder(own.queries, own.passages))
    q_reps, p_reps = (paddle.concat(part) for part in zip(*reps))
    losses, _ = losses_and_hits(q_reps, p_reps, True, chunks=places)
    losses.mean().backward()
    return float(losses.mean()), gradients(encoder)


def launch(folder: Path, script: str, *arguments: str, processes: int) -> None:
    """Runs a script as several processes, as run_scripts/lib.sh does."""
    path = folder / "worker.py"
    path.write_text(script)
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "paddle.distributed.launch", "--nproc_per_node", str(processes), "--log_dir",
         str(folder / "log"), str(path), *arguments], env=environment, capture_output=True, text=True, timeout=240)
    logs = "".join(path.read_text() for path in (folder / "log").glob("workerlog.*"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def slow_loss_and_gradients(q, p, left_out=None):
    """The joint loss over all queries in float64, and its gradients, written out. q [A, B, H], p [A, B*P, H]."""
    passages = p.reshape(-1, H)
    loss, q_gradient, p_gradient = 0.0, np.zeros_like(q), np.zeros_like(passages)
    for device in range(len(q)):
        for i in range(B):
            shares = np.exp(passages @ q[device, i])
            if left_out is not None:
                shares[left_out[device, i]] = 0
            shares /= shares.sum()
            positive = device * B * P + i
            loss -= np.log(shares[positive]) / (len(q) * B)
            shares[positive] -= 1
            q_gradient[device, i] = shares @ passages / (len(q) * B)
            p_gradient += np.outer(shares, q[device, i]) / (len(q) * B)
    return loss, q_gradient, p_gradient.reshape(p.shape)


def reps_of(devices: int) -> SimpleNamespace:
    """Returns representations, passage numbers with repetitions, and two known positives of each query."""
    drawing = np.random.default_rng(5)
    ids = drawing.integers(0, 12, (devices, B * P))
    known = np.stack([ids[:, :B], drawing.integers(0, 12, (devices, B))], axis=2)  # the own positive and another
    return SimpleNamespace(q=drawing.normal(size=(devices, B, H)), p=drawing.normal(size=(devices, B * P, H)), ids=ids,
                           known=known)


@pytest.fixture(scope="module", params=[2, 4])
def launched(request, tmp_path_factory):
    """What A processes have computed, all in one launch."""
    devices, folder = request.param, tmp_path_factory.mktemp("launched")
    reps = reps_of(devices)
    for device in range(devices):
        np.savez(folder / f"{device}.npz", q=reps.q[device], p=reps.p[device], ids=reps.ids[device],
                 known=reps.known[device])
    launch(folder, WORKER, str(folder), str(Path(__file__).parent), processes=devices)
    return reps, [np.load(folder / f"out-{device}.npz") for device in range(devices)]


def assert_reps_as_expected(reps, out, name, expected):
    loss, q_gradient, p_gradient = expected
    devices = len(out)
    assert [int(part["world"]) for part in out] == [devices] * devices
    np.testing.assert_allclose(np.mean([part[f"{name}:loss"] for part in out]), loss, rtol=1e-10)
    # Training divides by A: here each device's own loss is the mean of its B queries.
    np.testing.assert_allclose([part[f"{name}:q"] / devices for part in out], q_gradient, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose([part[f"{name}:p"] / devices for part in out], p_gradient, rtol=1e-10, atol=1e-12)


def test_passages_of_other_devices_are_negatives_and_gradients_are_those_of_the_joint_batch(launched):
    reps, out = launched
    assert_reps_as_expected(reps, out, "cross-batch", slow_loss_and_gradients(reps.q, reps.p))


def test_known_positives_and_copies_of_the_positive_are_no_negatives_wherever_they_are(launched):
    reps, out = launched
    everywhere = reps.ids.reshape(-1)
    left_out = (everywhere == reps.known[..., :1]) | (everywhere == reps.known[..., 1:])  # [A, B, A*B*P]
    for device in range(len(out)):
        for i in range(B):
            left_out[device, i, device * B * P + i] = False
    from_others = left_out.copy()
    for device in range(len(out)):
        from_others[device, :, device * B * P:(device + 1) * B * P] = False
    assert from_others.any()
    assert_reps_as_expected(reps, out, "masked", slow_loss_and_gradients(reps.q, reps.p, left_out))


def test_in_batch_negatives_see_no_other_device(launched):
    reps, out = launched
    for device, part in enumerate(out):
        alone, _, _ = slow_loss_and_gradients(reps.q[device:device + 1], reps.p[device:device + 1])
        np.testing.assert_allclose(part["in-batch:loss"].mean(), alone, rtol=1e-12)


def furthest(out, name, expected) -> float:
    """Returns how far a device's whole gradient is from the expected one, relative to that one's norm, at most."""
    size = np.sqrt(sum((value.astype(np.float64) ** 2).sum() for value in expected.values()))
    return max(np.sqrt(sum(((part[f"{name}:{key}"] - value).astype(np.float64) ** 2).sum()
                           for key, value in expected.items())) for part in out) / size


def test_whole_models_have_the_loss_and_gradients_of_the_joint_batch_dropout_included(launched):
    _, out = launched
    loss, expected = joint_loss_and_gradients(len(out))
    np.testing.assert_allclose(np.mean([part["model:loss"] for part in out]), loss, rtol=1e-6)
    assert furthest(out, "model", expected) < 1e-6


def test_chunks_on_each_device_are_as_many_more_devices(launched):
    _, out = launched
    loss, expected = joint_loss_and_gradients(len(out) * CHUNKS)
    np.testing.assert_allclose(np.mean([part["chunks:loss"] for part in out]), loss, rtol=1e-6)
    assert furthest(out, "chunks", expected) < 1e-6


@pytest.mark.parametrize("idiom", ["no gradient through the gather", "own slice times devices",
                                   "full loss on each device", "in-batch only"])
def test_what_is_known_to_be_wrong_would_be_noticed(launched, idiom):
    _, out = launched
    _, expected = joint_loss_and_gradients(len(out))
    assert furthest(out, idiom, expected) > 0.05


def test_unequal_shapes_are_refused_on_every_device_before_the_collective_runs(launched):
    reps, out = launched
    shapes = [[2 + device, 5] for device in range(len(out))]
    assert {str(part["refusal"]) for part in out} == {f"p_reps: expected the same shape on every device, got {shapes}"}
    assert_reps_as_expected(reps, out, "after the refusal", slow_loss_and_gradients(reps.q, reps.p))


@pytest.mark.parametrize("chunks", [1, 2, 4])
def test_one_device_takes_chunks_as_so_many_devices_would(chunks):
    encoder = model()
    losses, _ = backward(lambda own: encoder(own.queries, own.passages), [chunk(n) for n in range(chunks)], seeded, 1.0,
                         cross_batch=True)
    loss, expected = joint_loss_and_gradients(chunks)
    np.testing.assert_allclose(float(losses.mean()), loss, rtol=1e-6)
    found = [{f"own:{key}": value for key, value in gradients(encoder).items()}]
    assert furthest(found, "own", expected) < 1e-6


def test_in_batch_chunks_see_only_themselves():
    encoder = model()
    losses, _ = backward(lambda own: encoder(own.queries, own.passages), [chunk(0), chunk(1)], seeded, 1.0,
                         cross_batch=False)
    both = gradients(encoder)
    for n in (0, 1):
        encoder = model()
        alone, _ = backward(lambda own: encoder(own.queries, own.passages), [chunk(n)], lambda _, n=n: seeded(n), 1.0,
                            cross_batch=False)
        np.testing.assert_allclose(losses[n * B:(n + 1) * B].numpy(), alone.numpy(), rtol=1e-6)
        both = {name: value - gradients(encoder)[name] / 2 for name, value in both.items()}
    assert max(np.abs(value).max() for value in both.values()) < 1e-5


def test_the_loss_scale_multiplies_every_gradient():
    found = []
    for scale in (1.0, 1024.0):
        for chunks in ([chunk(0)], [chunk(0), chunk(1)]):
            encoder = model()
            backward(lambda own: encoder(own.queries, own.passages), chunks, seeded, scale, cross_batch=True)
            found.append({name: value / scale for name, value in gradients(encoder).items()})
    for plain, scaled in ((found[0], found[2]), (found[1], found[3])):
        for name, value in plain.items():
            np.testing.assert_array_equal(scaled[name], value, err_msg=name)


def test_positives_are_found_in_each_chunk():
    # Two chunks of two queries with three passages each: positives at 0 1 of six, and at 6 7 of twelve.
    assert positive_places(4, 12, 2).tolist() == [0, 1, 6, 7]
    assert positive_places(3, 6, 1).tolist() == [0, 1, 2]


def test_loss_of_a_batch_worked_out_by_hand():
    q_reps = paddle.to_tensor([[1.0, 0.0], [0.0, 2.0]])
    p_reps = paddle.to_tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])  # two positives, two hard negatives
    losses, hits = losses_and_hits(q_reps, p_reps, cross_batch=True)
    first = -np.log(np.e / (2 * np.e + 2))  # logits 1 1 0 0
    second = -np.log(1 / (3 + np.exp(2)))  # logits 0 0 0 2
    np.testing.assert_allclose(losses.numpy(), [first, second], rtol=1e-6)
    assert hits.tolist() == [1.0, 0.0]
    # The second positive is a copy of the first, and the last passage is known to answer the second query.
    known = KnownPositives(np.array([7, 7, 8, 9]), [[7], [7, 9]])
    losses, hits = losses_and_hits(q_reps, p_reps, True, known_positives=known)
    np.testing.assert_allclose(losses.numpy(), [-np.log(np.e / (np.e + 2)), -np.log(1 / 2)], rtol=1e-6)


def losses_in_log(output: Path) -> np.ndarray:
    return np.array([line.split("\t")[1] for line in (output / "train_log.tsv").read_text().splitlines()[1:]], float)


def test_two_devices_one_device_and_chunks_train_to_the_same_losses_over_fifty_steps(tmp_path):
    """The verb itself, under the launcher: 2 x 4, 1 x 8 and 1 x 4 x 2 queries a step, from the same order."""
    from toy_files import train_dual, write_tiny_flight

    write_tiny_flight(tmp_path)
    for name, settings in {"one": {"devices": 1, "batch_size": 8}, "two": {"devices": 2, "batch_size": 4},
                           "chunks": {"devices": 1, "batch_size": 4, "accumulate": 2}}.items():
        train_dual(tmp_path, tmp_path / name, epochs=10, **{"learning-rate": 1e-4}, **settings)
    one = losses_in_log(tmp_path / "one")
    assert len(one) == 50 and one[-1] < one[0]
    np.testing.assert_allclose(losses_in_log(tmp_path / "two"), one, rtol=1e-4)
    np.testing.assert_allclose(losses_in_log(tmp_path / "chunks"), one, rtol=1e-4)


def test_chunks_have_the_dropout_of_devices(tmp_path):
    from toy_files import train_dual, write_tiny_flight

    write_tiny_flight(tmp_path, dropout=0.3)
    for name, settings in {"four": {"devices": 1, "accumulate": 4}, "two": {"devices": 2, "accumulate": 2},
                           "other": {"devices": 1, "accumulate": 4, "seed": 2}}.items():
        train_dual(tmp_path, tmp_path / name, batch_size=2, epochs=1, **settings)
    four, two, other = (losses_in_log(tmp_path / name) for name in ("four", "two", "other"))
    np.testing.assert_allclose(two, four, rtol=1e-4)
    assert np.abs(other - four).max() > 0.01
