"""What lies between the matrix products of an encoder layer, on a CPU: `cpu_kernels.c`, with gradients.

Paddle's own operators there take longer than its matrix products: a single thread at dropout, sums of gradients, norms
and activations, and copies for each transposition. The C file is compiled at its first use by the machine's compiler
for the machine's processor and kept in the user's cache; without a compiler, on a GPU, or with ROCKETQA_KERNELS=no the
layer takes Paddle's operators. Both are equal in forward and gradients to float32's rounding; their dropout differs.

Letters: T tokens, N rows, H hidden size, h heads; askers: all tokens, or each row's first.
"""

import ctypes
import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import paddle
from paddle.autograd import PyLayer

SOURCE = Path(__file__).with_suffix(".c")
COMPILER = (
    "cc",
    "-O3",
    "-march=native",
    "-fopenmp",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-fno-signed-zeros",
    "-fassociative-math",
    "-Wno-psabi",
    "-fPIC",
    "-shared",
)
SEEDS = 2**31 - 1  # of Paddle's generator


@cache
def library() -> ctypes.CDLL | None:
    """Returns the compiled kernels; None, with a line on the screen, where they cannot be had."""
    if os.environ.get("ROCKETQA_KERNELS") == "no":
        return None
    processor = Path("/proc/cpuinfo")
    flags = (
        [line for line in processor.read_text().splitlines() if line.startswith("flags")][:1]
        if processor.is_file()
        else []
    )
    made_of = [
        SOURCE.read_bytes(),
        *map(str.encode, (*COMPILER, *flags, paddle.__version__, str(OPENMP))),
    ]
    cache_folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rocketqa"
    built = cache_folder / f"cpu_kernels-{hashlib.sha256(b' '.join(made_of)).hexdigest()[:16]}.so"
    try:
        if not built.is_file():
            _compile(built)
        return ctypes.CDLL(str(built))
    except (OSError, subprocess.CalledProcessError) as error:
        print(
            f"training on a CPU: expected a C compiler (cc) for the fast path, got {error}; Paddle's own operators "
            "take about twice as long",
            file=sys.stderr,
        )
        return None


# Paddle's own OpenMP, so that one pool of threads serves its matrix products and these kernels.
OPENMP = Path(paddle.__file__).parent / "libs" / "libiomp5.so"


def _compile(built: Path) -> None:
    built.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=built.parent) as folder:
        unfinished = Path(folder) / built.name
        link = [str(OPENMP), f"-Wl,-rpath,{OPENMP.parent}"] if OPENMP.is_file() else []
        subprocess.run(
            [*COMPILER, "-o", unfinished, SOURCE, *link, "-lm"], check=True, capture_output=True
        )
        os.replace(unfinished, built)


def usable(tensor: paddle.Tensor) -> bool:
    """Returns whether the kernels take a tensor: float32 on a CPU that has a compiler."""
    return tensor.dtype == paddle.float32 and tensor.place.is_cpu_place() and library() is not None


def _run(name: str, *arguments) -> None:
    """Calls a kernel: arrays by their addresses, whole numbers as 64 bits, others as float32."""

    def as_c(argument):
        if isinstance(argument, paddle.Tensor):
            return ctypes.c_void_p(argument.data_ptr())
        return (
            ctypes.c_float(argument)
            if isinstance(argument, float)
            else ctypes.c_int64(argument)
            if isinstance(argument, int)
            else argument
        )

    getattr(library(), name)(*map(as_c, arguments))


def _seed(p: float) -> int:
    """Returns the seed of a dropout, drawn from Paddle's generator: a repeated forward repeats it."""
    if not p:
        return 0
    low, high = paddle.randint(0, SEEDS, [2], dtype="int64").tolist()
    return high << 32 | low


def _note_wanted(call, *inputs: paddle.Tensor) -> None:
    call.wanted = [not tensor.stop_gradient for tensor in inputs]


def _wanted(call, *gradients: paddle.Tensor) -> tuple[paddle.Tensor | None, ...]:
    """Returns the gradients, None for what wants none."""
    return tuple(gradient if wanted else None for gradient, wanted in zip(gradients, call.wanted))


def _like(*tensors: paddle.Tensor) -> list[paddle.Tensor]:
    return [paddle.empty_like(tensor) for tensor in tensors]


class _AddNorm(PyLayer):
    @staticmethod
    def forward(call, x, bias, residual, gamma, beta, epsilon: float, p: float):
        _note_wanted(call, x, bias, residual, gamma, beta)
        x, residual = x.contiguous(), residual.contiguous()
        call.size, call.p, call.seed = (x.shape[0], x.shape[1]), p, _seed(p)
        normed, y = _like(x, x)
        scale = paddle.empty([x.shape[0]])
        _run(
            "add_norm",
            x,
            bias,
            residual,
            gamma,
            beta,
            epsilon,
            p,
            call.seed,
            *call.size,
            normed,
            scale,
            y,
        )
        call.save_for_backward(normed, scale, gamma)
        return y

    @staticmethod
    def backward(call, dy):
        normed, scale, gamma = call.saved_tensor()
        dx, dresidual = _like(normed, normed)
        small = paddle.empty([3, call.size[1]])
        _run(
            "add_norm_back",
            dy.contiguous(),
            normed,
            scale,
            gamma,
            call.p,
            call.seed,
            *call.size,
            dx,
            dresidual,
            small,
        )
        dgamma, dbeta, dbias = small.unbind()
        return _wanted(call, dx, dbias, dresidual, dgamma, dbeta)


def add_norm(x, bias, residual, norm: paddle.nn.LayerNorm, p: float) -> paddle.Tensor:
    """Returns norm(residual + dropout(x + bias)), all [T, H]; p is that of the dropout."""
    return _AddNorm.apply(x, bias, residual, norm.weight, norm.bias, norm._epsilon, float(p))


class _BiasGelu(PyLayer):
    @staticmethod
    def forward(call, x, bias):
        _note_wanted(call, x, bias)
        x = x.contiguous()
        (y,) = _like(x)
        _run("bias_gelu", x, bias, *x.shape, y)
        call.save_for_backward(x, bias)
        return y

    @staticmethod
    def backward(call, dy):
        x, bias = call.saved_tensor()
        dx, dbias = _like(x, bias)
        _run("bias_gelu_back", dy.contiguous(), x, bias, *x.shape, dx, dbias)
        return _wanted(call, dx, dbias)


def bias_gelu(x, bias) -> paddle.Tensor:
    """Returns gelu(x + bias), [T, H]."""
    return _BiasGelu.apply(x, bias)


class _Heads(ctypes.Structure):
    _fields_ = (
        [
            (name, ctypes.c_void_p)
            for name in ("q", "k", "v", "q_bias", "k_bias", "v_bias", "begins", "lengths")
        ]
        + [
            (name, ctypes.c_long)
            for name in ("q_stride", "stride", "rows", "heads", "size", "first_only")
        ]
        + [("p", ctypes.c_float), ("seed", ctypes.c_uint64)]
    )


class _Attend(PyLayer):
    """q [askers, H], kv [T, 2 H] and the bias of all three [3 H]; the askers' contexts [askers, H]."""

    @staticmethod
    def forward(call, q, kv, bias, groups, heads: int, first_only: bool, p: float):
        _note_wanted(call, q, kv, bias)
        q, kv = q.contiguous(), kv.contiguous()
        call.told, call.seed = (groups, heads, first_only, p), _seed(p)
        context, norms = paddle.empty_like(q), paddle.empty([heads, q.shape[0]])
        _run("attend", _heads(q, kv, bias, *call.told, call.seed), q.shape[0], context, norms)
        call.save_for_backward(q, kv, bias, norms)
        return context

    @staticmethod
    def backward(call, dcontext):
        q, kv, bias, norms = call.saved_tensor()
        dq, dkv, dbias = _like(q, kv, bias)
        size = q.shape[1]
        dv = ctypes.c_void_p(dkv.data_ptr() + 4 * size)
        _run(
            "attend_back",
            _heads(q, kv, bias, *call.told, call.seed),
            q.shape[0],
            dcontext.contiguous(),
            norms,
            dq,
            dkv,
            dv,
        )
        _run("column_sums", dq, *q.shape, dbias)
        _run("column_sums", dkv, *kv.shape, ctypes.c_void_p(dbias.data_ptr() + 4 * size))
        return _wanted(call, dq, dkv, dbias)


def _heads(q, kv, bias, groups, heads: int, first_only: bool, p: float, seed: int):
    """Returns the argument that tells where everything is; `groups` as in PackedRows."""
    size, kv_at, bias_at = q.shape[1], kv.data_ptr(), bias.data_ptr()
    counts, lengths = np.array(groups, np.int64).T
    lengths = np.repeat(lengths, counts)
    begins = np.cumsum(lengths) - lengths
    told = _Heads(
        q.data_ptr(),
        kv_at,
        kv_at + 4 * size,
        bias_at,
        bias_at + 4 * size,
        bias_at + 8 * size,
        begins.ctypes.data,
        lengths.ctypes.data,
        size,
        2 * size,
        len(lengths),
        heads,
        size // heads,
        first_only,
        p,
        seed,
    )
    told.kept = begins, lengths  # as long as the argument lives
    return ctypes.byref(told)


def attend(
    q, kv, bias, groups: Sequence[tuple[int, int]], heads: int, first_only: bool, p: float
) -> paddle.Tensor:
    """Returns each asker's context over its row's tokens, [askers, H], with dropout p on the weights.

    q: [askers, H]; kv: keys and values, [T, 2 H], all without their biases [3 H].
    """
    return _Attend.apply(q, kv, bias, groups, heads, first_only, float(p))
