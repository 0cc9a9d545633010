"""A GPU that is none: what Paddle says of the device is replaced, and its one operator for GPUs.

Everything is computed on the CPU. `plain_flash_attention` has the signature of Paddle's operator,
checks what its sources demand of the arguments, and computes the same plainly, row by row. It runs
several operators for each row; to count operators, `OneOperator` takes its place.
"""

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle.nn.functional import flash_attention

V100 = (7, 0)
A100 = (8, 0)


def pretend_gpu(monkeypatch, capability: tuple[int, int], autocast: str | None = None) -> list:
    """Makes Paddle tell of a GPU, and of `auto_cast` in this precision, which no CPU has.

    Returns the list of seeds that the operator is given, which grows with its calls.
    """
    seeds = []

    def noting(*arguments, **named):
        seeds.append(named["fixed_seed_offset"].tolist() if named["training"] else None)
        return plain_flash_attention(*arguments, **named)

    cuda = paddle.device.cuda
    monkeypatch.setattr(paddle.device, "get_device", lambda *_: "gpu:0")
    monkeypatch.setattr(cuda, "get_device_capability", lambda device=None: capability)
    told = {
        "is_autocast_enabled": lambda device_type=None: autocast is not None,
        "get_autocast_dtype": lambda device_type=None: autocast,
    }
    for name, function in told.items():
        monkeypatch.setattr(paddle, name, function, raising=False)  # Paddle 2 does not have them
    monkeypatch.setattr(flash_attention, "flash_attn_unpadded", noting)
    return seeds


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
