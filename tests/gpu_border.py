"""Stands in for a GPU at the border to Paddle: its name, its switch for TF32, and its kernels.

No machine of ours has a GPU. What a function of ours does on one is run on the CPU, with the calls
of the device replaced. The signatures are those of the installed Paddle (`test_precision.py`).
"""

import numpy as np
import paddle
import pytest
from paddle.base import core
from paddle.nn.layer import norm

MANTISSA_OF_TF32 = np.uint32(0xFFFFE000)  # sign, exponent and the first 10 bits of the mantissa


def pretend_a_gpu(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Lets Paddle say that it computes on a GPU; returns the values that TF32 is switched to."""
    switched: list[bool] = []
    monkeypatch.setattr(paddle, "get_device", lambda: "gpu:0")
    monkeypatch.setattr(core, "set_cublas_switch", switched.append, raising=False)
    return switched


def pretend_cuda(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a program choose GPU 0, which is this CPU."""
    monkeypatch.setattr(paddle, "is_compiled_with_cuda", lambda: True)
    monkeypatch.setattr(paddle.device.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(paddle, "CUDAPlace", lambda device_id: paddle.CPUPlace())


def in_tf32(tensor: paddle.Tensor) -> paddle.Tensor:
    """Returns the tensor with the bits that a product in TF32 reads of it."""
    bits = tensor.numpy().view(np.uint32) & MANTISSA_OF_TF32
    return paddle.to_tensor(bits.view(np.float32))


def product_in_tf32(x: paddle.Tensor, y: paddle.Tensor) -> paddle.Tensor:
    """Computes a product as a GPU does in TF32."""
    return paddle.mm(in_tf32(x), in_tf32(y))


def dense_layer_in_tf32(
    x: paddle.Tensor, weight: paddle.Tensor, bias: paddle.Tensor
) -> paddle.Tensor:
    """Computes a dense layer as a GPU does in TF32."""
    return product_in_tf32(x, weight) + bias


def layer_norm_of_mixed_types(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets a layer norm have weights in float32 and inputs of another type, as on a GPU.

    Its output has the type of the inputs; it computes in float32.
    """
    on_cpu = norm.layer_norm

    def layer_norm(x, *arguments, **named):
        return on_cpu(x.astype("float32"), *arguments, **named).astype(x.dtype)

    monkeypatch.setattr(norm, "layer_norm", layer_norm)
