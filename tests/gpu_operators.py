"""Operators as a GPU has them, computed plainly on the CPU: products, norms, flash attention.

`plain_flash_attention` has the signature of Paddle's operator, checks what its sources demand of
the arguments, and computes the same row by row. It runs several operators for each row; to count
operators, `OneOperator` takes its place.
"""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle.nn.functional import flash_attention
from paddle.nn.layer import norm

MANTISSA_OF_TF32 = np.uint32(0xFFFFE000)  # sign, exponent and the first 10 bits of the mantissa


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


def layer_norm_of_mixed_types(monkeypatch) -> None:
    """Lets a layer norm have inputs of another type than its weights, as on a GPU.

    Its output has the type of the inputs; it computes in that of the weights.
    """
    on_cpu = norm.layer_norm

    def layer_norm(x, normalized_shape, weight, bias, epsilon):
        output = on_cpu(x.astype(weight.dtype), normalized_shape, weight, bias, epsilon)
        return output.astype(x.dtype)

    monkeypatch.setattr(norm, "layer_norm", layer_norm)


def multiply_half_precision(monkeypatch) -> None:
    """Lets a product of float16 be computed, in float32: a CPU has none."""
    multiply = paddle.matmul

    def product(a: paddle.Tensor, b: paddle.Tensor, *flags: bool, **named: bool) -> paddle.Tensor:
        if a.dtype != paddle.float16:
            return multiply(a, b, *flags, **named)
        return multiply(a.astype("float32"), b.astype("float32"), *flags, **named).astype("float16")

    monkeypatch.setattr(paddle, "matmul", product)


def install_flash_attention(monkeypatch) -> list[list[int] | None]:
    """Puts the plain operator into Paddle.

    Returns the list of the seeds of dropout, to which each call adds one, or None without training.
    """
    seeds: list[list[int] | None] = []

    def noting(*arguments, **named):
        seeds.append(named["fixed_seed_offset"].tolist() if named["training"] else None)
        return plain_flash_attention(*arguments, **named)

    monkeypatch.setattr(flash_attention, "flash_attn_unpadded", noting)
    return seeds


def count_flash_attention_as_one_operator(monkeypatch) -> None:
    """Puts one operator into Paddle for flash attention; what it returns means nothing."""

    def one_operator(query, key, value, *arguments, **named):
        return OneOperator.apply(query, key, value), None

    monkeypatch.setattr(flash_attention, "flash_attn_unpadded", one_operator)


def plain_flash_attention(
    query,
    key,
    value,
    cu_seqlens_q,
    cu_seqlens_k,
    max_seqlen_q,
    max_seqlen_k,
    scale,
    dropout=0.0,
    causal=False,
    return_softmax=False,
    fixed_seed_offset=None,
    rng_name="",
    training=True,
    name=None,
):
    """Returns the contexts, [A, h, d], and None; query: [A, h, d], key and value: [T, h, d]."""
    check_bounds(cu_seqlens_q, query, max_seqlen_q)
    check_bounds(cu_seqlens_k, key, max_seqlen_k)
    assert query.dtype == key.dtype == value.dtype
    assert key.shape == value.shape and key.shape[1:] == query.shape[1:]
    assert not causal and not return_softmax
    dropout = dropout if training else 0.0
    if dropout:
        assert fixed_seed_offset.place.is_cpu_place()  # the operator reads it on the host
        assert fixed_seed_offset.dtype == paddle.int64 and fixed_seed_offset.shape == [2]
        drawing = np.random.default_rng(fixed_seed_offset.tolist())
    contexts = []
    ends_q = cu_seqlens_q.tolist()
    ends_k = cu_seqlens_k.tolist()
    for row in range(len(ends_q) - 1):
        of_row = slice(ends_k[row], ends_k[row + 1])
        q = computable(query[ends_q[row] : ends_q[row + 1]])  # [h, a, d]
        k = computable(key[of_row])  # [h, L, d]
        v = computable(value[of_row])  # [h, L, d]
        weights = F.softmax(paddle.matmul(q, k, transpose_y=True) * scale)  # [h, a, L]
        if dropout:
            kept = drawing.random(weights.shape) >= dropout
            weights = weights * paddle.to_tensor(kept / (1 - dropout)).astype(weights.dtype)
        context = paddle.matmul(weights, v)  # [h, a, d]
        contexts.append(context.transpose([1, 0, 2]))  # [a, h, d]
    return paddle.concat(contexts).astype(query.dtype), None


class OneOperator(paddle.autograd.PyLayer):
    """Runs as many operators as flash attention does, forward: one. It computes nothing."""

    @staticmethod
    def forward(context, query, key, value):
        context.save_for_backward(key)
        return query.clone()

    @staticmethod
    def backward(context, gradient):
        [key] = context.saved_tensor()
        return gradient.clone(), paddle.zeros_like(key), paddle.zeros_like(key)


def computable(by_token: paddle.Tensor) -> paddle.Tensor:
    """Returns [h, L, d] of [L, h, d], in a precision that a CPU computes in."""
    if by_token.dtype in (paddle.float16, paddle.bfloat16):
        by_token = by_token.astype("float32")
    return by_token.transpose([1, 0, 2])


def check_bounds(bounds: paddle.Tensor, by_token: paddle.Tensor, longest: int) -> None:
    """The bounds are int32, from 0 to the last token, and the longest row is as long as is said."""
    assert bounds.dtype == paddle.int32
    assert bounds[0] == 0 and bounds[-1] == by_token.shape[0]
    assert len(by_token.shape) == 3
    assert max(np.diff(bounds.numpy())) == longest
