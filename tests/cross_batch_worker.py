"""What each process of tests/test_cross_batch_negatives.py computes: with ours, and with what is
known to be wrong.
"""

import sys
from contextlib import contextmanager

import numpy as np
import paddle
import paddle.distributed as dist
from paddle.autograd import PyLayer

from rocketqa import cross_batch_negatives
from rocketqa.cross_batch_negatives import (
    DualChunk,
    NegativesObjective,
)
from rocketqa.distillation import EMPTY, DistillationObjective
from rocketqa.distributed import devices
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import Encoding
from rocketqa.training.known_positives import EMPTY_PLACE, KnownPositives
from rocketqa.training.objective import Step

CHUNKS, B, P, H = 2, 3, 3, 5  # chunks a device, queries a chunk, passages a query, hidden size
WEIGHT = 0.3  # of the divergence from a teacher
CONFIG = ErnieConfig(
    vocab_size=60,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=2,
    intermediate_size=32,
    max_position_embeddings=16,
    hidden_dropout_prob=0.2,
    attention_probs_dropout_prob=0.2,
)


COSINE = CONFIG.with_similarity("cosine", 0.05)


def model(config: ErnieConfig = CONFIG) -> DualEncoder:
    """Returns the same small dual encoder in each process."""
    encoder = DualEncoder(config)
    weights = DualEncoder.from_encoder_weights(initial_weights(CONFIG, 3))
    for name, parameter in encoder.named_parameters():
        parameter.set_value(weights[name])
    encoder.train()
    return encoder


def chunk(place: int) -> DualChunk:
    """Returns the chunk that the device, or chunk, of this number has."""
    drawing = np.random.default_rng(place)

    def rows(count):
        return pack(
            [
                Encoding(drawing.integers(1, 60, length), np.zeros(length, np.int64))
                for length in drawing.integers(2, 9, count)
            ]
        )

    return DualChunk(rows(B), rows(B * P), None)


def chunk_with_empty_places(place: int) -> DualChunk:
    """Returns the chunk of this number without some of its hard negatives."""
    queries = chunk(place).queries
    drawing = np.random.default_rng(50 + place)
    is_there = np.arange(B * P) < B  # the positives
    is_there |= drawing.random(B * P) < 0.4
    count = int(is_there.sum())
    lengths = drawing.integers(2, 9, count)
    rows = [Encoding(drawing.integers(1, 60, n), np.zeros(n, np.int64)) for n in lengths]
    places = np.where(is_there, np.cumsum(is_there) - 1, count)
    numbers = np.where(is_there, 0, EMPTY_PLACE)
    masked = KnownPositives(numbers, [[EMPTY_PLACE]] * B)
    return DualChunk(queries, pack(rows), masked, paddle.to_tensor(places))


def teacher_of(place: int, is_there: np.ndarray) -> np.ndarray:
    """Returns logits of a cross encoder for the passages that are there, [B, P]."""
    logits = 3 * np.random.default_rng(70 + place).normal(size=(B, P))
    by_query = is_there.reshape([P, B]).T  # [B, P]
    return np.where(by_query, logits, EMPTY)


def chunk_with_teacher(place: int) -> DualChunk:
    """Returns the chunk of this number without some of its hard negatives, with a teacher."""
    own = chunk_with_empty_places(place)
    is_there = own.known_positives.passages != EMPTY_PLACE
    teacher = teacher_of(place, is_there).astype(np.float32)
    return own._replace(teacher=paddle.to_tensor(teacher))


@contextmanager
def seeded(place: int):
    """The dropout of the device, or chunk, of this number."""
    paddle.seed(100 + place)
    yield


def gradients(encoder: DualEncoder) -> dict[str, np.ndarray]:
    return {name: parameter.grad.numpy() for name, parameter in encoder.named_parameters()}


class OwnSliceTimesDevices(PyLayer):
    @staticmethod
    def forward(context, p_reps):
        parts = []
        dist.all_gather(parts, p_reps)
        return paddle.concat(parts)

    @staticmethod
    def backward(context, gradient):
        return paddle.split(gradient * dist.get_world_size(), dist.get_world_size())[
            dist.get_rank()
        ]


def own_slice(p_reps):
    parts = []
    dist.all_gather(parts, p_reps.detach())
    parts[dist.get_rank()] = p_reps
    return paddle.concat(parts)


class FullLossOnEachDevice:
    """An objective that computes the loss of all queries on each device: its gradient is 1/A."""

    def forward_backward(self, model, chunks, step):
        with step.chunk_context(0):
            q_reps, p_reps = model(chunks[0].queries, chunks[0].passages)
        queries = q_reps.shape[0]
        device = paddle.arange(dist.get_world_size() * queries, dtype="int64") // queries
        labels = device * (p_reps.shape[0] - queries) + paddle.arange(len(device), dtype="int64")
        logits = paddle.matmul(own_slice(q_reps), own_slice(p_reps), transpose_y=True)
        losses = paddle.nn.functional.cross_entropy(logits, labels, reduction="none")
        losses.mean().backward()
        return losses, None


def step_of(places, loss_scale: float = 1.0) -> Step:
    """Returns a step whose chunks have the dropout of these places."""
    return Step(lambda n: seeded(places[n]), loss_scale, lambda: None)


def gradients_of_reps(folder, rank, out, name, objective=None, known=None):
    """Keeps losses, hits and gradients of this device's representations."""
    own = np.load(f"{folder}/{rank}.npz")
    q_reps, p_reps = (paddle.to_tensor(own[part], stop_gradient=False) for part in "qp")
    teacher = paddle.to_tensor(own["teacher"])
    chunk = DualChunk(None, None, known and known(own), None, teacher)
    objective = objective or NegativesObjective()
    losses, hits = objective.losses_and_hits(q_reps, p_reps, [chunk])
    losses.mean().backward()
    out.update(
        {
            f"{name}:loss": losses.numpy(),
            f"{name}:hits": hits.numpy(),
            f"{name}:q": q_reps.grad.numpy(),
            f"{name}:p": p_reps.grad.numpy(),
        }
    )


def gradients_of_model(rank, out, name, chunks, objective, chunk=chunk, config=CONFIG):
    """Keeps losses and averaged gradients of the whole model."""
    encoder = model(config)
    places = range(rank * chunks, (rank + 1) * chunks)
    own_chunks = [chunk(place) for place in places]
    losses, _ = objective.forward_backward(encoder, own_chunks, step_of(places))
    devices.average_gradients(encoder)
    out[f"{name}:loss"] = losses.numpy()
    out.update({f"{name}:{key}": value for key, value in gradients(encoder).items()})


def reads_of_gathers() -> list[int]:
    """Returns how many tensors each of two gathers of equal shapes has read, which waits for a GPU.

    A shape that no other gather of this worker has.
    """
    tolist, reads = paddle.Tensor.tolist, []

    def noted(tensor):
        reads.append(tensor.shape)
        return tolist(tensor)

    paddle.Tensor.tolist = noted
    counts = []
    for _ in range(2):
        reads.clear()
        cross_batch_negatives.gather(paddle.zeros([3, 7]))
        counts.append(len(reads))
    paddle.Tensor.tolist = tolist
    return counts


def main(folder: str) -> None:
    devices.join()
    rank, out = devices.rank(), {"world": devices.count()}
    gradients_of_reps(folder, rank, out, "cross-batch")
    gradients_of_reps(folder, rank, out, "in-batch", NegativesObjective(cross_batch=False))
    distilled = DistillationObjective(weight=WEIGHT)
    gradients_of_reps(folder, rank, out, "distilled", distilled)
    gradients_of_reps(
        folder,
        rank,
        out,
        "masked",
        known=lambda own: KnownPositives(own["ids"], own["known"].tolist()),
    )
    cross_batch = NegativesObjective()
    gradients_of_model(rank, out, "model", 1, cross_batch)
    gradients_of_model(rank, out, "model, chunks", CHUNKS, cross_batch)
    cosine = NegativesObjective(temperature=COSINE.temperature)
    gradients_of_model(rank, out, "cosine", 1, cosine, config=COSINE)
    gradients_of_model(rank, out, "cosine, chunks", CHUNKS, cosine, config=COSINE)
    for name, chunks in (("empty places", 1), ("empty places, chunks", CHUNKS)):
        gradients_of_model(rank, out, name, chunks, cross_batch, chunk_with_empty_places)
    for name, chunks in (("distilled model", 1), ("distilled model, chunks", CHUNKS)):
        gradients_of_model(rank, out, name, chunks, distilled, chunk_with_teacher)
    right = cross_batch_negatives.gather
    cross_batch_negatives.gather = own_slice
    gradients_of_model(rank, out, "no gradient through the gather", 1, cross_batch)
    cross_batch_negatives.gather = OwnSliceTimesDevices.apply
    gradients_of_model(rank, out, "own slice times devices", 1, cross_batch)
    cross_batch_negatives.gather = right
    gradients_of_model(rank, out, "full loss on each device", 1, FullLossOnEachDevice())
    gradients_of_model(rank, out, "in-batch only", 1, NegativesObjective(cross_batch=False))
    out["reads of gathers"] = reads_of_gathers()
    try:
        cross_batch_negatives.gather(paddle.zeros([2 + rank, 5]))
    except DataError as error:
        out["refusal"] = str(error)
    gradients_of_reps(folder, rank, out, "after the refusal")
    np.savez(f"{folder}/out-{rank}.npz", **out)


if __name__ == "__main__":
    main(sys.argv[1])
