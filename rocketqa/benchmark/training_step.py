"""One training step of a dual encoder on one device: its time, its memory, its operator calls."""

import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import paddle

from rocketqa.benchmark.accumulation import StepCost, StepSettings
from rocketqa.benchmark.operator_calls import count_operator_calls
from rocketqa.cross_batch_negatives import DualChunk, NegativesObjective
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.cpu_kernels import usable
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import PackedRows, pack
from rocketqa.text.tokenizer import Encoding
from rocketqa.training.objective import Step
from rocketqa.training.optimizer import adam, clip
from rocketqa.training.step_memory import (
    KERNELS,
    OPERATORS,
    Rows,
    TrainingShape,
    rows_of_lengths,
    step_memory,
)
from rocketqa.weights.checkpoint import set_weights

MEASURED_STEPS = 3  # after one more that is not measured
LEARNING_RATE = 1e-5
PASSAGES_A_QUERY = 2
LARGEST_TOKEN_ID = 30_000


def take_step(
    model: DualEncoder, optimizer: paddle.optimizer.Optimizer, chunks: Sequence[DualChunk]
) -> None:
    """Takes a step on the chunks; all passages of all chunks are candidates of every query."""
    step = Step(_dropout_of_chunk, loss_scale=1.0, barrier=_no_barrier)
    NegativesObjective(cross_batch=True).forward_backward(model, chunks, step)
    clip(model, 1.0)
    optimizer.step()
    optimizer.clear_grad()


@contextmanager
def _dropout_of_chunk(chunk: int) -> Iterator[None]:
    """Gives a chunk the same dropout each time that it is encoded."""
    paddle.seed(chunk)
    yield


def _no_barrier() -> None:
    """There is only one device."""


def measure_step(settings: StepSettings) -> StepCost:
    """Returns the cost of a step on random tokens; memory is that of this process so far."""
    model = random_model(settings)
    chunks = random_chunks(settings)
    optimizer = adam(model, weight_decay=0.0)
    optimizer.set_lr(LEARNING_RATE)
    _make_gradients_and_moments(model, optimizer)
    memory_before = peak_memory()
    seconds = []
    for _ in range(1 + MEASURED_STEPS):
        begin = time.perf_counter()
        take_step(model, optimizer, chunks)
        float(model.parameters()[0].sum())  # waits for a GPU to finish
        seconds.append(time.perf_counter() - begin)
    return StepCost(
        statistics.median(seconds[1:]),
        memory_before,
        peak_memory(),
        peak_of_tensors(),
        foretold_peak(model, settings, chunks),
        count_operator_calls(lambda: take_step(model, optimizer, chunks)),
    )


def foretold_peak(model: DualEncoder, settings: StepSettings, chunks: Sequence[DualChunk]) -> float:
    """Returns the bytes of all tensors at the peak of a step, as they are foretold."""
    has_kernels = usable(model.parameters()[0])
    shape = TrainingShape(
        config=model.config,
        kept=KERNELS if has_kernels else OPERATORS,
        towers=2,
        recompute=settings.recompute,
        chunks=settings.chunks,
    )
    logits = settings.queries * PASSAGES_A_QUERY * settings.queries
    peaks = []
    for chunk in chunks:
        texts = [_rows_of(chunk.queries), _rows_of(chunk.passages)]
        peaks.append(step_memory(shape, texts, logits).peak)
    return max(peaks)


def _rows_of(packed: PackedRows) -> Rows:
    lengths = []
    for group in packed.groups:
        lengths += [group.length] * group.rows
    return rows_of_lengths(lengths)


def random_model(settings: StepSettings) -> DualEncoder:
    """Returns a dual encoder with random weights, in training mode."""
    config = ErnieConfig(
        hidden_size=settings.hidden_size,
        num_hidden_layers=settings.layers,
        intermediate_size=4 * settings.hidden_size,
    )
    model = DualEncoder(config)
    weights = DualEncoder.from_encoder_weights(initial_weights(config, seed=1))
    set_weights(model, weights, "random weights")
    model.query_encoder.recompute = settings.recompute
    model.passage_encoder.recompute = settings.recompute
    model.train()
    return model


def random_chunks(settings: StepSettings) -> list[DualChunk]:
    """Returns the chunks of a batch; rows have from a quarter of the largest length up to it."""
    generator = np.random.default_rng(1)
    queries = settings.queries // settings.chunks
    chunks = []
    for _ in range(settings.chunks):
        query_rows = _random_rows(generator, queries, settings.query_length)
        passage_rows = _random_rows(generator, PASSAGES_A_QUERY * queries, settings.passage_length)
        chunks.append(DualChunk(query_rows, passage_rows, None))
    return chunks


def _random_rows(generator: np.random.Generator, count: int, longest: int) -> PackedRows:
    rows = []
    for length in generator.integers(longest // 4, longest + 1, count):
        token_ids = generator.integers(1, LARGEST_TOKEN_ID, length)
        rows.append(Encoding(token_ids, np.zeros(length, np.int64)))
    return pack(rows)


def _make_gradients_and_moments(model: DualEncoder, optimizer: paddle.optimizer.Optimizer) -> None:
    """Allocates the gradients and Adam's moments, so that they count as memory before the step."""
    sums = [parameter.sum() for parameter in model.parameters()]
    paddle.add_n(sums).backward()
    optimizer.step()
    optimizer.clear_grad(set_to_zero=True)


def peak_of_tensors() -> int:
    """Returns the most bytes that Paddle has given to tensors so far."""
    if paddle.device.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated()
    return paddle.base.core.host_memory_stat_peak_value("Allocated", 0)


def peak_memory() -> int:
    """Returns the peak memory of this process so far, in bytes: of the GPU where it uses one."""
    if paddle.device.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
