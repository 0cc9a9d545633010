"""The encoders as they are used, not trained: one fast path for each kind of device.

On a CPU a static graph in Paddle Inference with oneDNN. It works on padded rows, so rows of about equal length belong
into one batch; query, key and value are one product, and only the first token leaves the last layer, where it alone
stands for the row. `float32` is
within 1e-5 of the model that it comes from. `reduced` is bfloat16 where the processor multiplies it (AMX or AVX-512
BF16), and float32, said in a line, where it does not. On a GPU the model itself runs on packed rows, `reduced` in
float16.

Letters: N rows, L tokens of the longest, H hidden size, h heads.
"""

import ctypes
import multiprocessing
import os
import signal
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path

import numpy as np
import paddle
import paddle.nn.functional as F
from paddle import nn

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import refuse_long_row
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.batch_plan import batches_of_similar_length
from rocketqa.encoder.packing import pack
from rocketqa.text.tokenizer import Encoding

PRECISIONS = ("float32", "reduced")
INPUTS = ("token_ids", "type_ids", "mask")
MASKED = -1e9
FEWEST_BATCHES = 4  # for each process of `map`: with fewer, starting it takes longer
PR_SET_PDEATHSIG = 1  # of Linux' prctl
KEPT_SHAPES = 256  # of batches whose oneDNN primitives are kept


class PaddedErnie(nn.Layer):
    """Padded rows -> their vectors [N, H]: the same numbers as those of the `Ernie` that it is made from."""

    def __init__(self, ernie: Ernie):
        super().__init__()
        self.embeddings, self.first_only = ernie.embeddings, ernie.config.representation == "first"
        self.layers = nn.LayerList([PaddedLayer(layer) for layer in ernie.encoder.layers])

    def forward(self, token_ids, type_ids, mask) -> paddle.Tensor:
        """Returns the vectors. token_ids, type_ids, mask: int64 [N, L]; mask is 1 on tokens, 0 on padding."""
        tables = self.embeddings
        positions = paddle.arange(token_ids.shape[1])
        hidden = tables.word_embeddings(token_ids) + tables.position_embeddings(positions)
        hidden = hidden + tables.token_type_embeddings(type_ids)
        if tables.use_task_id:
            hidden = hidden + tables.task_type_embeddings(paddle.zeros_like(type_ids))
        hidden = tables.layer_norm(hidden)  # [N, L, H]
        away = ((1 - mask.astype("float32")) * MASKED).unsqueeze([1, 2])  # [N, 1, 1, L]
        *inner, last = self.layers
        for layer in inner:
            hidden = layer(hidden, away, False)
        hidden = last(hidden, away, self.first_only)  # [N, 1 or L, H]
        return hidden[:, 0] if self.first_only else masked_means(hidden, mask.astype("float32"))


def masked_means(hidden: paddle.Tensor, mask: paddle.Tensor) -> paddle.Tensor:
    """Returns the mean of each row's tokens, [N, H], of hidden [N, L, H] and mask [N, L]."""
    return paddle.matmul(mask.unsqueeze(1), hidden)[:, 0] / mask.sum(axis=1, keepdim=True)


class PaddedLayer(nn.Layer):
    """An encoder layer with one product for query, key and value."""

    def __init__(self, layer: nn.Layer):
        super().__init__()
        attention = layer.self_attn
        self.heads, self.scale = attention.heads, attention.head_size**-0.5
        size = attention.heads * attention.head_size
        self.qkv = nn.Linear(size, 3 * size)
        parts = (attention.q_proj, attention.k_proj, attention.v_proj)
        self.qkv.weight.set_value(paddle.concat([part.weight for part in parts], axis=1))
        self.qkv.bias.set_value(paddle.concat([part.bias for part in parts]))
        self.out_proj, self.linear1, self.linear2 = attention.out_proj, layer.linear1, layer.linear2
        self.norm1, self.norm2, self.activation = layer.norm1, layer.norm2, layer.activation

    def forward(self, hidden, away, first_only: bool) -> paddle.Tensor:
        """Returns [N, L, H], or [N, 1, H] of the first tokens."""
        parts = self.qkv(hidden).reshape([0, 0, 3, self.heads, -1]).transpose([2, 0, 3, 1, 4])
        q, k, v = parts[0], parts[1], parts[2]  # [N, h, L, H / h]
        if first_only:
            q, hidden = q[:, :, :1], hidden[:, :1]
        weights = F.softmax(paddle.matmul(q * self.scale, k, transpose_y=True) + away)
        context = paddle.matmul(weights, v).transpose([0, 2, 1, 3]).flatten(2)
        hidden = self.norm1(hidden + self.out_proj(context))
        return self.norm2(hidden + self.linear2(self.activation(self.linear1(hidden))))


class PaddedCrossEncoder(nn.Layer):
    """Padded pairs -> P(relevant) [N]."""

    def __init__(self, model: CrossEncoder):
        super().__init__()
        self.ernie = PaddedErnie(model.ernie)
        self.dense, self.classifier = model.ernie.pooler.dense, model.classifier

    def forward(self, token_ids, type_ids, mask) -> paddle.Tensor:
        """Returns the probabilities; inputs as PaddedErnie's."""
        pooled = paddle.tanh(self.dense(self.ernie(token_ids, type_ids, mask)))
        return F.softmax(self.classifier(pooled))[:, 1]


def padded(rows: Sequence[Encoding]) -> dict[str, np.ndarray]:
    """Returns the inputs of a graph for rows of tokens: int64 [N, L] each, 0 where a row has ended."""
    inputs = {
        name: np.zeros((len(rows), max(len(row.token_ids) for row in rows)), np.int64)
        for name in INPUTS
    }
    for place, row in enumerate(rows):
        for name, values in zip(INPUTS, (row.token_ids, row.type_ids, 1)):
            inputs[name][place, : len(row.token_ids)] = values
    return inputs


class Engine:
    """A tower's vectors [N, H], or a cross encoder's P(relevant) [N], of batches of rows.

    On a CPU a batch takes one thread, and `map` has a process at work for each thread that this one may use: so the
    bytes do not depend on their number. (Paddle Inference lets no second thread of a process compute.)

    precision: the one in use, after what the device offers.
    """

    def __init__(self, model: Ernie | CrossEncoder, precision: str = "float32"):
        model.eval()
        self._on_gpu = paddle.get_device() != "cpu"
        self.precision, self._pool = precision, None
        if precision == "reduced" and not self._on_gpu and not multiplies_bfloat16():
            print(
                "reduced precision: this processor multiplies no bfloat16 (AMX, AVX-512 BF16), so float32 it is",
                file=sys.stderr,
            )
            self.precision = "float32"
        if self._on_gpu:
            self._run = self._packed(model)
        else:
            self._folder = tempfile.TemporaryDirectory(prefix="rocketqa-")
            graph = (
                PaddedCrossEncoder(model) if isinstance(model, CrossEncoder) else PaddedErnie(model)
            )
            self._structure = write_graph(graph, Path(self._folder.name), "encoder")
            self._run = graph_of(self._structure, self.precision == "reduced")
        self._config = model.config

    def __call__(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Returns float32 [N, H] or [N], in the order of the rows."""
        return self._run(self._short(rows))

    def _short(self, rows: Sequence[Encoding]) -> Sequence[Encoding]:
        """Returns the rows. Raises DataError where one is too long for the encoder."""
        refuse_long_row(self._config, max(len(row.token_ids) for row in rows))
        return rows

    def all(self, rows: Sequence[Encoding], batch_tokens: int) -> np.ndarray:
        """Returns what all rows give, in their order, by batches of similar length of at most so many tokens."""
        batches = batches_of_similar_length([len(row.token_ids) for row in rows], batch_tokens)
        found = np.concatenate(
            list(self.map(([rows[i] for i in batch] for batch in batches), len(batches)))
        )
        return found[np.argsort(np.concatenate(batches))]

    def map(self, batches: Iterable[Sequence[Encoding]], count: int) -> Iterator[np.ndarray]:
        """Yields what each of `count` batches gives, in their order; a few are held at a time."""
        threads = min(int(os.environ.get("OMP_NUM_THREADS", "1")), count // FEWEST_BATCHES)
        if self._on_gpu or threads < 2:
            yield from map(self, batches)
            return
        if self._pool is None:
            self._pool = ProcessPoolExecutor(
                threads,
                multiprocessing.get_context("spawn"),
                _open_here,
                (self._structure, self.precision == "reduced"),
            )
        ahead: deque[Future] = deque()
        for rows in batches:
            ahead.append(self._pool.submit(_run_here, self._short(rows)))
            if len(ahead) > 4 * threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def _packed(self, model: Ernie | CrossEncoder) -> Callable[[Sequence[Encoding]], np.ndarray]:
        forward = model.probability if isinstance(model, CrossEncoder) else model

        def run(rows: Sequence[Encoding]) -> np.ndarray:
            reduced = self.precision == "reduced"
            with paddle.no_grad(), paddle.amp.auto_cast(reduced, level="O2", dtype="float16"):
                return forward(pack(rows)).astype("float32").numpy()

        return run


def _open_here(structure: Path, reduced: bool) -> None:
    """Opens a graph in a process of `map`, which is not to outlive the one that it works for."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    global _run_here_graph
    _run_here_graph = graph_of(structure, reduced)


def _run_here(rows: Sequence[Encoding]) -> np.ndarray:
    return _run_here_graph(rows)


def graph_of(structure: Path, reduced: bool) -> Callable[[Sequence[Encoding]], np.ndarray]:
    """Returns what runs a written graph on rows."""
    predictor = open_graph(structure, reduced)
    handles = {name: predictor.get_input_handle(name) for name in INPUTS}
    output = predictor.get_output_handle(predictor.get_output_names()[0])

    def run(rows: Sequence[Encoding]) -> np.ndarray:
        for name, values in padded(rows).items():
            handles[name].copy_from_cpu(values)
        predictor.run()
        return output.copy_to_cpu()

    return run


def write_graph(graph: nn.Layer, folder: Path, name: str) -> Path:
    """Writes a padded graph for Paddle Inference and returns the path of its structure; its weights lie beside."""
    graph.eval()
    spec = [paddle.static.InputSpec([None, None], "int64", name=each) for each in INPUTS]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        paddle.jit.save(graph, str(folder / name), input_spec=spec)
    return next(
        path for path in (folder / f"{name}.json", folder / f"{name}.pdmodel") if path.is_file()
    )


def open_graph(structure: Path, reduced: bool):
    """Returns a Paddle Inference predictor of a written graph, on this CPU, with oneDNN."""
    from paddle import inference

    config = inference.Config(str(structure), str(structure.with_suffix(".pdiparams")))
    config.disable_glog_info()
    config.disable_gpu()
    config.set_cpu_math_library_num_threads(1)
    config.enable_mkldnn()
    config.set_mkldnn_cache_capacity(KEPT_SHAPES)
    if hasattr(config, "enable_new_ir"):  # Paddle 2.6 has another, old way to the same
        config.enable_new_ir(True)
        config.enable_new_executor(True)
    if reduced:
        config.enable_mkldnn_bfloat16()
    return inference.create_predictor(config)


def multiplies_bfloat16() -> bool:
    """Returns whether this processor has instructions for it, without which bfloat16 is slower than float32."""
    processor = Path("/proc/cpuinfo")
    flags = processor.read_text(encoding="utf-8").split() if processor.is_file() else []
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(flags)
