"""The precision that a device computes in: it is set here, and then measured by what comes out.

Training in half precision is Paddle's automatic mixed precision at level O1 (section 4.1.3). Matrix
products are in float16 or bfloat16; norms, softmax and the sums around the layers are in float32,
and so are weights, moments and checkpoints. Level O2 would keep the weights in half precision, and
a second copy of them in float32 to add small steps to. Inference makes no steps, so there the
weights are cast once, and all that follows them is in half precision.

float32 has two meanings on a GPU of compute capability 8.0 or later: its products are exact, or
their inputs are rounded to TF32, which has 10 bits behind the point instead of 23. Left alone,
Paddle 2.6.2 rounds and 3.3.1 does not. Here `float32` is exact and `tf32` rounds, with any Paddle.
"""

import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Literal, cast

import paddle
import paddle.nn.functional as F
from paddle import Tensor, nn
from paddle.base import core

Half = Literal["float16", "bfloat16"]

FLOAT32 = "float32"
TF32 = "tf32"
HALF = ("float16", "bfloat16")
SIDE = 64  # of the matrices whose product tells the precision
FINE = 1 + 2.0**-12  # float32 holds this number; TF32 and half precision round it to 1
# Of the names of Paddle's operators: those of matrix products.
PRODUCTS = ("matmul", "linear", "addmm", "gemm", "flash_attn")
COUNTED = ("float16", "bfloat16", "float32", "other")  # the order of Paddle's list of operators
# The sums of the gradients of words, and those of flash attention, are made in a fixed order.
DETERMINISTIC = {"FLAGS_embedding_deterministic": 1, "FLAGS_cudnn_deterministic": True}


def on_gpu() -> bool:
    """Returns whether Paddle computes on a GPU."""
    return paddle.get_device() != "cpu"


def autocast(precision: str) -> AbstractContextManager[None]:
    """Returns a context in which a forward pass is in a precision of training, on a GPU."""
    if precision in HALF:
        return paddle.amp.auto_cast(level="O1", dtype=cast(Half, precision))
    return nullcontext()


def cast_weights(model: nn.Layer, dtype: Half) -> None:
    """Casts the weights of a model for good, but not those of layer norms.

    Paddle's kernel of a layer norm on a GPU takes inputs in half precision with weights in float32.
    """
    for layer in model.sublayers():
        if isinstance(layer, (nn.Linear, nn.Embedding)):
            layer.to(dtype=dtype)


def use_precision(precision: str) -> str:
    """Sets a GPU to a precision of training, and returns what its matrix products are then in."""
    allow_tf32(precision == TF32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # where Paddle does not cast, the product tells
        with autocast(precision):
            return precision_of_products()


def allow_tf32(allowed: bool) -> None:
    """Sets whether products of float32 on a GPU may round their inputs to TF32.

    NVIDIA_TF32_OVERRIDE=0 in the environment forbids it to all of NVIDIA's libraries.
    """
    core.set_cublas_switch(allowed)
    _set_flags({"FLAGS_cublas_allow_tf32": allowed})
    if allowed:  # Paddle 3.3 asks cuBLASLt for a dense layer, in float32, unless it is "legacy"
        _set_flags({"FLAGS_use_legacy_linear": True})


def use_deterministic_kernels() -> None:
    """Lets a GPU make sums in a fixed order where Paddle has a kernel for that."""
    _set_flags(DETERMINISTIC)


def _set_flags(flags: Mapping[str, bool | int]) -> None:
    """Sets those of the flags that this version and build of Paddle has."""
    for name, value in flags.items():
        with suppress(ValueError):
            paddle.set_flags({name: value})


@paddle.no_grad()
def precision_of_products() -> str:
    """Returns what matrix products are in at this moment: float32, tf32, float16 or bfloat16.

    It is read off a dense layer and a product as attention has it, on the device in use. Where
    these two differ, both are named, as in "float32 and tf32".
    """
    identity = paddle.eye(SIDE)
    fine = identity * FINE
    products = (F.linear(fine, identity, paddle.zeros([SIDE])), paddle.matmul(fine, identity))
    return " and ".join(sorted({_precision_of(product) for product in products}))


def _precision_of(product: Tensor) -> str:
    """Returns the precision that a product of FINE and 1 was computed in."""
    dtype = str(product.dtype).removeprefix("paddle.")
    if dtype == FLOAT32 and product[0, 0].item() != FINE:
        return TF32
    return dtype


def products_by_dtype(run: Callable[[], object]) -> Counter[str]:
    """Runs something, and returns how many matrix products Paddle computed in each dtype.

    These are the kernels that were launched, whatever was asked for. TF32 counts as float32.
    """
    counts: Counter[str] = Counter()
    paddle.set_flags({"FLAGS_low_precision_op_list": 1})
    core.clear_low_precision_op_list()
    try:
        run()
        launched = core.get_low_precision_op_list()
    finally:
        paddle.set_flags({"FLAGS_low_precision_op_list": 0})
    for operator, numbers in launched.items():
        if any(name in operator for name in PRODUCTS):
            counts.update(dict(zip(COUNTED, map(int, numbers.split(",")))))
    return +counts
