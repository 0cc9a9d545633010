"""Operators with gradients, on a CPU, for what a layer computes between its matrix products.

On a CPU, Paddle's own operators for this take longer than its matrix products: dropout, sums of
gradients, norms and activations run in a single thread, and every transposition copies. The
functions of `cpu_kernels.c` take their place where there is a C compiler. On a GPU, without a
compiler, or with ROCKETQA_KERNELS=no the layer uses Paddle's operators. Outputs and gradients of
both are equal up to the rounding of float32, but their dropout drops different elements.

Letters: N rows, T tokens of all rows, H hidden size, h heads; A attending tokens: all T, or with
`first_only` the N that begin a row. p is the probability of dropout. `call` is what Paddle keeps of
a forward pass until its backward pass.
"""

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
import paddle
from paddle import Tensor
from paddle.autograd import PyLayer

from rocketqa.encoder.kernel_library import call_kernel, library

SEED_LIMIT = 2**31 - 1  # of the integers that are drawn from Paddle's generator
FLOAT_BYTES = 4
# The gradients of an operator's inputs: a tuple of tensors, None for an input that does not need
# one. Paddle's stubs do not know about the None.
Gradients = Any


def usable(tensor: Tensor) -> bool:
    """Returns whether the kernels can compute with a tensor: float32, on a CPU, and compiled."""
    is_float32 = tensor.dtype == paddle.float32
    return is_float32 and tensor.place.is_cpu_place() and library() is not None


def add_norm(
    x: Tensor,
    bias: Tensor,
    residual: Tensor,
    norm: paddle.nn.LayerNorm,
    p: float,
) -> Tensor:
    """Returns norm(residual + dropout(x + bias)), [T, H]; x and residual: [T, H], bias: [H]."""
    gamma = norm.weight
    beta = norm.bias
    return _AddNorm.apply(x, bias, residual, gamma, beta, norm._epsilon, float(p))


def bias_gelu(x: Tensor, bias: Tensor) -> Tensor:
    """Returns gelu(x + bias), [T, H]; x: [T, H], bias: [H]."""
    return _BiasGelu.apply(x, bias)


def attend(
    q: Tensor,
    kv: Tensor,
    bias: Tensor,
    groups: Sequence[tuple[int, int]],
    heads: int,
    first_only: bool,
    p: float,
) -> Tensor:
    """Returns the context of each attending token over the tokens of its row, [A, H].

    q: [A, H]. kv: keys beside values, [T, 2 H]. bias: [3 H], which is added to q, keys and values.
    groups: (rows, length) of the packed rows, as in PackedRows. The dropout is on the weights.
    """
    return _Attend.apply(q, kv, bias, groups, heads, first_only, float(p))


class _AddNorm(PyLayer):
    """The operator behind `add_norm`; gamma and beta are the weight and the bias of the norm."""

    @staticmethod
    def forward(
        call: Any,
        x: Tensor,
        bias: Tensor,
        residual: Tensor,
        gamma: Tensor,
        beta: Tensor,
        epsilon: float,
        p: float,
    ) -> Tensor:
        _note_what_needs_gradients(call, x, bias, residual, gamma, beta)
        x = x.contiguous()
        residual = residual.contiguous()
        tokens, size = x.shape
        call.shape = (tokens, size)
        call.p = p
        call.seed = _draw_seed(p)
        normed = paddle.empty_like(x)  # [T, H], before gamma and beta
        scale = paddle.empty([tokens])  # [T], 1 / deviation
        y = paddle.empty_like(x)  # [T, H]
        inputs = (x, bias, residual, gamma, beta)
        settings = (epsilon, p, call.seed, tokens, size)
        call_kernel("add_norm", *inputs, *settings, normed, scale, y)
        call.save_for_backward(normed, scale, gamma)
        return y

    @staticmethod
    def backward(call: Any, dy: Tensor) -> Gradients:
        normed, scale, gamma = call.saved_tensor()
        tokens, size = call.shape
        dx = paddle.empty_like(normed)  # [T, H]
        dresidual = paddle.empty_like(normed)  # [T, H]
        summed = paddle.empty([3, size])  # [3, H]
        inputs = (dy.contiguous(), normed, scale, gamma)
        settings = (call.p, call.seed, tokens, size)
        call_kernel("add_norm_back", *inputs, *settings, dx, dresidual, summed)
        dgamma, dbeta, dbias = summed.unbind()  # [H] each
        return _needed(call, dx, dbias, dresidual, dgamma, dbeta)


class _BiasGelu(PyLayer):
    """The operator behind `bias_gelu`."""

    @staticmethod
    def forward(call: Any, x: Tensor, bias: Tensor) -> Tensor:
        _note_what_needs_gradients(call, x, bias)
        x = x.contiguous()
        y = paddle.empty_like(x)  # [T, H]
        call_kernel("bias_gelu", x, bias, *x.shape, y)
        call.save_for_backward(x, bias)
        return y

    @staticmethod
    def backward(call: Any, dy: Tensor) -> Gradients:
        x, bias = call.saved_tensor()
        dx = paddle.empty_like(x)  # [T, H]
        dbias = paddle.empty_like(bias)  # [H]
        inputs = (dy.contiguous(), x, bias)
        call_kernel("bias_gelu_back", *inputs, *x.shape, dx, dbias)
        return _needed(call, dx, dbias)


class _Attend(PyLayer):
    """The operator behind `attend`."""

    @staticmethod
    def forward(
        call: Any,
        q: Tensor,
        kv: Tensor,
        bias: Tensor,
        groups: Sequence[tuple[int, int]],
        heads: int,
        first_only: bool,
        p: float,
    ) -> Tensor:
        _note_what_needs_gradients(call, q, kv, bias)
        q = q.contiguous()
        kv = kv.contiguous()
        call.layout = _RowLayout(groups, heads, first_only)
        call.p = p
        call.seed = _draw_seed(p)
        attending = q.shape[0]
        context = paddle.empty_like(q)  # [A, H]
        norms = paddle.empty([heads, attending])  # [h, A], log of the sum of each softmax
        inputs = call.layout.inputs(q, kv, bias, p, call.seed)
        call_kernel("attend", inputs, attending, context, norms)
        call.save_for_backward(q, kv, bias, norms)
        return context

    @staticmethod
    def backward(call: Any, dcontext: Tensor) -> Gradients:
        q, kv, bias, norms = call.saved_tensor()
        dq = paddle.empty_like(q)  # [A, H]
        dkv = paddle.empty_like(kv)  # [T, 2 H]
        dbias = paddle.empty_like(bias)  # [3 H]
        attending, size = q.shape
        dv = ctypes.c_void_p(_address(dkv, size))
        dkv_bias = ctypes.c_void_p(_address(dbias, size))
        dcontext = dcontext.contiguous()
        inputs = call.layout.inputs(q, kv, bias, call.p, call.seed)
        call_kernel("attend_back", inputs, attending, dcontext, norms, dq, dkv, dv)
        call_kernel("column_sums", dq, attending, size, dbias)
        call_kernel("column_sums", dkv, *kv.shape, dkv_bias)
        return _needed(call, dq, dkv, dbias)


class _AttentionInputs(ctypes.Structure):
    """The struct `AttentionInputs` of cpu_kernels.c. It holds addresses: their owners must live."""

    _fields_ = [
        ("q", ctypes.c_void_p),
        ("k", ctypes.c_void_p),
        ("v", ctypes.c_void_p),
        ("q_bias", ctypes.c_void_p),
        ("k_bias", ctypes.c_void_p),
        ("v_bias", ctypes.c_void_p),
        ("begins", ctypes.c_void_p),
        ("lengths", ctypes.c_void_p),
        ("q_stride", ctypes.c_long),
        ("q_head", ctypes.c_long),
        ("kv_stride", ctypes.c_long),
        ("kv_head", ctypes.c_long),
        ("rows", ctypes.c_long),
        ("heads", ctypes.c_long),
        ("head_size", ctypes.c_long),
        ("first_only", ctypes.c_long),
        ("p", ctypes.c_float),
        ("seed", ctypes.c_uint64),
    ]


class _RowLayout:
    """Where each row begins and how long it is, int64 [N] both; how many heads; who attends."""

    def __init__(self, groups: Sequence[tuple[int, int]], heads: int, first_only: bool):
        by_column = np.array(groups, np.int64).T
        group_rows, group_lengths = by_column
        self.lengths = np.repeat(group_lengths, group_rows)
        self.begins = np.cumsum(self.lengths) - self.lengths
        self.heads = heads
        self.first_only = first_only

    def inputs(self, q: Tensor, kv: Tensor, bias: Tensor, p: float, seed: int) -> _AttentionInputs:
        """Returns the argument that says where everything is; valid while all of them live."""
        size = q.shape[1]
        return _AttentionInputs(
            q=q.data_ptr(),
            k=kv.data_ptr(),
            v=_address(kv, size),
            q_bias=bias.data_ptr(),
            k_bias=_address(bias, size),
            v_bias=_address(bias, 2 * size),
            begins=self.begins.ctypes.data,
            lengths=self.lengths.ctypes.data,
            q_stride=size,
            q_head=size // self.heads,
            kv_stride=2 * size,
            kv_head=size // self.heads,
            rows=len(self.lengths),
            heads=self.heads,
            head_size=size // self.heads,
            first_only=self.first_only,
            p=p,
            seed=seed,
        )


def _address(tensor: Tensor, element: int) -> int:
    """Returns where an element of a contiguous float32 tensor lies in memory."""
    return tensor.data_ptr() + FLOAT_BYTES * element


def _draw_seed(p: float) -> int:
    """Returns the seed of one dropout, from Paddle's generator: equal states give equal dropout."""
    if not p:
        return 0
    numbers = paddle.randint(0, SEED_LIMIT, [2], dtype="int64")
    low, high = map(int, numbers.numpy())
    return high << 32 | low


def _note_what_needs_gradients(call: Any, *inputs: Tensor) -> None:
    call.needs_gradient = [not tensor.stop_gradient for tensor in inputs]


def _needed(call: Any, *gradients: Tensor) -> Gradients:
    """Returns the gradients of the inputs, None for an input that does not need one."""
    results = []
    for gradient, is_needed in zip(gradients, call.needs_gradient):
        results.append(gradient if is_needed else None)
    return tuple(results)
