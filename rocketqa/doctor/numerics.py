"""What this device computes in, and how far its results are from float64 on the CPU."""

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import paddle
from paddle import Tensor, nn

from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.doctor.findings import Judgement, judged
from rocketqa.doctor.small_model import (
    Arrays,
    chunk_of,
    computing,
    device,
    distance,
    forward_backward,
    gradients_of,
    random_rows,
    small_model,
)
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.attention import attention_path
from rocketqa.encoder.ernie import EncoderLayer
from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import autocast
from rocketqa.inference.engine import Engine
from rocketqa.training.optimizer import LossScale, clip

# Largest distance from float64 (see `distance`): half a million products have 2e-7 in float32, and
# 3e-4 in TF32, which rounds each factor to 11 bits.
OF_FLOAT32, OF_TF32 = 1e-5, 2e-3
# The same of the gradients of the small model, and of its vectors.
TOLERANCES = {"float32": 1e-4, "TF32": 1e-2, "float16": 5e-2, "bfloat16": 2e-1, "reduced": 5e-2}
SMALLEST_OF_REDUCED = 1e-5  # a smaller one was computed in float32
SIZE = 512  # of the matrices
ROWS = 16
HEAD_SIZE = 64  # of the base and large models
NO_CLIPPING = 1e30
OVERFLOW = 1e39  # a loss scale that float32 does not hold


@functools.cache
def float32_products() -> tuple[str, float]:
    """Returns the type that the device multiplies float32 in, and its distance from float64.

    The type is an empty text where the distance is larger than that of TF32.
    """
    drawing = np.random.default_rng(1)
    a, b = drawing.standard_normal((2, SIZE, SIZE), np.float32)
    with computing(device()):
        product = paddle.matmul(paddle.to_tensor(a), paddle.to_tensor(b)).numpy()
    exact = a.astype(np.float64) @ b.astype(np.float64)
    error = distance({"product": product}, {"product": exact})
    if error < OF_FLOAT32:
        return "float32", error
    return ("TF32" if error < OF_TF32 else ""), error


def products() -> Judgement:
    """Returns the finding about the products of float32 matrices."""
    name, error = float32_products()
    return judged(
        name != "",
        f"computed in {name}: {error:.0e} from float64",
        f"at most {OF_TF32:g} from float64",
    )


def attention() -> Judgement:
    """Returns the finding about the path that attention takes in each precision."""
    paths = {}
    with computing(device()):
        hidden = paddle.zeros([2, HEAD_SIZE])  # [T, H]
        for precision in precisions():
            with autocast(precision):
                paths[precision] = attention_path(hidden, HEAD_SIZE)
    described = [f"{name}: {path}" for name, path in paths.items()]
    return judged(True, "; ".join(described), "")


def precisions() -> list[Any]:
    """Returns the precisions that this device trains in."""
    if not number_of_gpus():
        return ["float32"]
    major, _ = paddle.device.cuda.get_device_capability(0)
    return ["float32", "float16", "bfloat16"] if major >= 8 else ["float32", "float16"]


def training_precision() -> Judgement:
    """Returns the finding about the number types of a training step, and about its gradients."""
    with computing("cpu", "float64"):
        exact = step_of("float64")[1]
    found = []
    is_ok = True
    for precision in precisions():
        with computing(device()):
            dtypes, gradients = step_of(precision)
        error = distance(gradients, exact)
        is_ok = is_ok and is_computed_in(precision, dtypes) and error < _tolerance(precision)
        listed = ", ".join(sorted(dtypes))
        found.append(f"{precision}: activations {listed}, gradients {error:.0e} from float64")
    expected = "activations of the precision that is asked for, gradients near those of float64"
    return judged(is_ok, "; ".join(found), expected)


def is_computed_in(precision: str, dtypes: set[str]) -> bool:
    """Returns whether activations of these number types are those of a precision."""
    return dtypes == {precision} if precision == "float32" else precision in dtypes


def _tolerance(precision: str) -> float:
    if precision == "float32":
        return TOLERANCES[float32_products()[0] or "float32"]
    return TOLERANCES[precision]


def step_of(precision: str) -> tuple[set[str], Arrays]:
    """Returns the number types of the activations of a training step, and its gradients."""
    scale = LossScale.INITIAL if precision == "float16" else 1.0
    model = small_model("float64" if precision == "float64" else "float32")
    with activations_of(model) as dtypes:
        forward_backward(model, chunk_of(range(1)), precision, scale)
    return dtypes, gradients_of(model, scale)


@contextmanager
def activations_of(model: DualEncoder) -> Iterator[set[str]]:
    """Collects the number types of what dense layers and encoder layers return."""
    dtypes: set[str] = set()

    def collect(layer: nn.Layer, inputs: Tensor, output: Tensor) -> Tensor:
        dtypes.add(str(output.dtype).removeprefix("paddle."))
        return output

    hooks = []
    for layer in model.sublayers():
        if isinstance(layer, (nn.Linear, EncoderLayer)):
            hooks.append(layer.register_forward_post_hook(collect))
    try:
        yield dtypes
    finally:
        for hook in hooks:
            hook.remove()


def loss_scale() -> Judgement:
    """Returns whether a scale is undone, and whether an overflow is noticed and lowers it."""
    precision = "float16" if number_of_gpus() else "float32"
    with computing(device()):
        norms = [_norm_with(scale, precision) for scale in (1.0, LossScale.INITIAL, OVERFLOW)]
    scale = LossScale(LossScale.INITIAL, dynamic=True)
    for _ in range(LossScale.BAD_STEPS):
        scale.update(math.isfinite(norms[2]))
    lowered = scale.scale < LossScale.INITIAL
    is_undone = abs(norms[1] / norms[0] - 1) < TOLERANCES["float16"]
    return judged(
        lowered and is_undone,
        f"{precision}: norm {norms[0]:.4g}, with a scale of {LossScale.INITIAL:g} {norms[1]:.4g}, "
        f"with an overflow {norms[2]}; the scale falls to {scale.scale:g}",
        "equal norms with and without a scale, and a lower scale after an overflow",
    )


def _norm_with(scale: float, precision: str) -> float:
    """Returns the norm of the gradients of a step with a loss scale, as the training finds it."""
    model = small_model()
    forward_backward(model, chunk_of(range(1)), precision, scale)
    return clip(model, NO_CLIPPING, scale)


def encoding() -> Judgement:
    """Returns how far the vectors of this device are from those of float64 on the CPU."""
    rows = random_rows(7, ROWS)
    vectors: dict[str, Callable[[], np.ndarray]] = {
        "training": lambda: small_model().passage_encoder(pack(rows)).numpy(),
        "float32": lambda: Engine(small_model().passage_encoder)(rows),
        "reduced": lambda: reduced_engine()(rows),
    }
    with computing("cpu", "float64"), paddle.no_grad():
        exact = small_model("float64").passage_encoder(pack(rows)).numpy()
    errors = {}
    with computing(device()), paddle.no_grad():
        for name, encode in vectors.items():
            errors[name] = distance({"vectors": encode()}, {"vectors": exact})
        in_use = reduced_engine().precision
    found = ", ".join(f"{name} {error:.0e}" for name, error in errors.items())
    float32 = _tolerance("float32")
    is_ok = max(errors["training"], errors["float32"]) < float32
    if in_use == "reduced":
        is_ok = is_ok and SMALLEST_OF_REDUCED < errors["reduced"] < TOLERANCES["reduced"]
    return judged(
        is_ok,
        f"from float64: {found} (computed in {in_use})",
        f"at most {float32:g}, and {SMALLEST_OF_REDUCED:g} to {TOLERANCES['reduced']:g} reduced",
    )


@functools.cache
def reduced_engine() -> Engine:
    """Returns the engine of the small model in reduced precision."""
    return Engine(small_model().passage_encoder, "reduced")


CHECKS = {
    "float32 products": products,
    "attention": attention,
    "training precision": training_precision,
    "loss scale": loss_scale,
    "encoding": encoding,
}
