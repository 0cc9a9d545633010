"""A small dual encoder with seeded weights, its rows, and one step of training.

The same on every device and in every number type, so that results can be compared. There is no
dropout, which differs between devices.

Letters: A devices, B queries a device, P passages a query, H hidden size.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor

from rocketqa.cross_batch_negatives import DualChunk, NegativesObjective
from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import autocast
from rocketqa.text.tokenizer import Encoding
from rocketqa.training.objective import Step

VOCABULARY = 1000
LONGEST = 64  # tokens of a row
B, P = 4, 2
SCALE_OF_VECTORS = 0.25  # by the last norm, so that dot products are small enough for bfloat16
CONFIG = ErnieConfig(
    vocab_size=VOCABULARY,
    hidden_size=128,
    num_hidden_layers=2,
    num_attention_heads=2,  # of size 64, as in the base and large models
    intermediate_size=512,
    max_position_embeddings=LONGEST,
    hidden_dropout_prob=0.0,
    attention_probs_dropout_prob=0.0,
    initializer_range=0.1,  # attention is then far from uniform
)

Arrays = dict[str, np.ndarray]


def device() -> str:
    """Returns the first GPU that Paddle knows, else the CPU."""
    return "gpu:0" if number_of_gpus() else "cpu"


@contextmanager
def computing(place: str, dtype: Any = "float32") -> Iterator[None]:
    """Lets new models and tensors be on a device, and of a number type."""
    device_before = paddle.get_device()
    paddle.set_device(place)
    paddle.set_default_dtype(dtype)
    try:
        yield
    finally:
        paddle.set_default_dtype("float32")
        paddle.set_device(device_before)


def small_model(dtype: str = "float32", config: ErnieConfig = CONFIG) -> DualEncoder:
    """Returns the dual encoder on the device in use; its weights are those of float32."""
    weights = DualEncoder.from_encoder_weights(initial_weights(config, seed=1))
    model = DualEncoder(config)
    for name, parameter in model.named_parameters():
        value = weights[name].astype(dtype)
        if name.endswith(f"layers.{config.num_hidden_layers - 1}.norm2.weight"):
            value *= SCALE_OF_VECTORS
        parameter.set_value(value)
    model.train()
    return model


def random_rows(seed: int, count: int, longest: int = LONGEST) -> list[Encoding]:
    """Returns rows of random tokens, of a quarter of the longest length up to it."""
    drawing = np.random.default_rng(seed)
    rows = []
    for length in drawing.integers(longest // 4, longest + 1, count):
        token_ids = drawing.integers(1, VOCABULARY, length)
        rows.append(Encoding(token_ids, np.zeros(length, np.int64)))
    return rows


def chunk_of(devices: range) -> DualChunk:
    """Returns the rows of these devices as one chunk: all positives, then all hard negatives."""
    queries: list[Encoding] = []
    positives: list[Encoding] = []
    negatives: list[Encoding] = []
    for number in devices:
        queries += random_rows(3 * number, B, LONGEST // 4)
        positives += random_rows(3 * number + 1, B)
        negatives += random_rows(3 * number + 2, B * (P - 1))
    return DualChunk(pack(queries), pack(positives + negatives), None)


def forward_backward(
    model: DualEncoder, chunk: DualChunk, precision: str, loss_scale: float = 1.0
) -> Tensor:
    """Leaves the gradients of a step without an update, and returns the losses [A*B]."""

    def context(chunk: int) -> AbstractContextManager[None]:
        return autocast(precision)

    step = Step(context, loss_scale, barrier=lambda: None)
    losses, _ = NegativesObjective(cross_batch=True).forward_backward(model, [chunk], step)
    return losses


def gradients_of(model: DualEncoder, loss_scale: float = 1.0) -> Arrays:
    """Returns the gradients of all parameters that have one, without the loss scale, in float64."""
    gradients = {}
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            gradients[name] = parameter.grad.astype("float64").numpy() / loss_scale
    return gradients


def distance(arrays: Arrays, exact: Arrays) -> float:
    """Returns the norm of all differences, divided by the norm of the exact values.

    It is infinite where arrays are missing or not finite.
    """
    if arrays.keys() != exact.keys():
        return float("inf")
    difference = sum(float(np.square(arrays[name] - exact[name]).sum()) for name in exact)
    norm = sum(float(np.square(value).sum()) for value in exact.values())
    ratio = float(np.sqrt(difference / norm))
    return ratio if np.isfinite(ratio) else float("inf")
