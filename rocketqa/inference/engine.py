"""Runs the encoders where they are used and not trained: one fast path for each kind of device.

On a CPU with AVX2 the kernels in C compute it (`kernel_encoder.py`): float32 within 1e-5 of the
model, and `reduced` with products of 8 bits. Where there is no AVX2 or no C compiler, Paddle
Inference runs a static graph with oneDNN. There `reduced` is bfloat16 where the processor has
instructions for it (AMX or AVX-512 BF16), else float32, and a line says so. A graph works on padded
rows (`padded_encoder.py`), so rows of about equal length belong in one batch.

On a GPU the model itself runs on packed rows. There `float32` is exact, and `reduced` computes in
float16: the weights are cast once, and all that follows them is float16 (`encoder/precision.py`).
"""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import paddle

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.batch_plan import batches_of_similar_length
from rocketqa.encoder.config import refuse_long_row
from rocketqa.encoder.ernie import Ernie
from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import Half, allow_tf32, cast_weights, on_gpu
from rocketqa.inference import kernel_encoder
from rocketqa.inference.graph_files import RunRows, load_graph, write_graph
from rocketqa.inference.padded_encoder import padded_twin
from rocketqa.inference.threads import Threads
from rocketqa.inference.workers import Workers
from rocketqa.jobs.processor import multiplies_bfloat16
from rocketqa.jobs.stopping import signals_wait
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.text.tokenizer import Encoding
from rocketqa.weights.checkpoint import built
from rocketqa.weights.stored_model import StoredModel

PRECISIONS = ("float32", "reduced")
REDUCED_ON_GPU: Half = "float16"
# Batches of each process of `run_batches`: with fewer, a start of the process takes more time than
# it saves.
FEWEST_BATCHES = 4
# Tokens of a batch of the kernels in `run_all`: larger ones are no faster, and the threads share
# smaller ones evenly.
KERNEL_TOKENS = 512


class Engine:
    """Runs batches of rows: vectors [N, H] of a tower, or P(relevant) [N] of a cross encoder.

    On a CPU a batch is computed by one thread. `run_batches` uses as many threads of the kernels,
    or processes of the graph, as OMP_NUM_THREADS says: the bytes do not depend on their number.

    model: a layer of Paddle, or what it is built of, of which the kernels build none. precision:
    the one that is used, which is `float32` where the device does not support `reduced`. On a GPU,
    `reduced` casts the weights of the layer that is given.
    """

    def __init__(self, model: Ernie | CrossEncoder | StoredModel, precision: str = "float32"):
        if not isinstance(model, StoredModel):
            model.eval()
        self._config = model.config
        self._on_gpu = on_gpu()
        self._by_kernels = False
        self.precision = precision if self._on_gpu else _precision_of_cpu(precision)
        self._reduced = self.precision == "reduced"
        self._workers: Workers | Threads | None = None
        if self._on_gpu:
            self._run = _run_packed(_layer_of(model), self._reduced)
        elif kernel_encoder.is_supported():
            stored = model if isinstance(model, StoredModel) else StoredModel.of(model)
            self._run = kernel_encoder.kernel_twin(stored, self._reduced)
            self._by_kernels = True
        else:
            with signals_wait():
                self._folder = temporary_folder()
            twin = padded_twin(_layer_of(model))
            self._graph = write_graph(twin, Path(self._folder.name), "encoder")
            self._run = load_graph(self._graph, self._reduced)

    def __call__(self, rows: Sequence[Encoding]) -> np.ndarray:
        """Returns the output for one batch, float32 [N, H] or [N], in the order of its rows.

        Raises DataError where a row is too long for the encoder.
        """
        self._refuse_long_rows(rows)
        return self._run(rows)

    def run_all(self, rows: Sequence[Encoding], batch_tokens: int) -> np.ndarray:
        """Returns the output for all rows, in their order.

        They are put into batches of similar length, each of at most `batch_tokens` tokens with its
        padding.
        """
        if self._by_kernels:
            batch_tokens = min(batch_tokens, KERNEL_TOKENS)
        lengths = [len(row.token_ids) for row in rows]
        batches = batches_of_similar_length(lengths, batch_tokens)

        def rows_of_batches() -> Iterator[Sequence[Encoding]]:
            for batch in batches:
                yield [rows[place] for place in batch]

        outputs = list(self.run_batches(rows_of_batches(), len(batches)))
        places = np.concatenate(batches)
        return np.concatenate(outputs)[np.argsort(places)]

    def run_batches(
        self, batches: Iterable[Sequence[Encoding]], count: int
    ) -> Iterator[np.ndarray]:
        """Yields the output for each of `count` batches, in their order.

        Few batches and outputs are in memory at a time. Raises DataError where a row is too long.
        """
        workers = self._workers_for(count)
        if workers is None:
            yield from map(self, batches)
        else:
            yield from workers.run(self._of_fitting_rows(batches))

    def start(self, count: int) -> None:
        """Starts the processes that `run_batches` uses for so many batches, so that its first call
        is as fast as the next.
        """
        workers = self._workers_for(count)
        if workers is not None:
            workers.wait_for_start()

    def _workers_for(self, count: int) -> Workers | Threads | None:
        """Returns what runs so many batches: processes or threads; None: the caller's thread."""
        threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
        if self._workers is None and threads > 1 and count > 1 and not self._on_gpu:
            processes = min(threads, count // FEWEST_BATCHES)
            if self._by_kernels:
                self._workers = Threads(threads, self._run)
            elif processes > 1:
                self._workers = Workers(processes, self._graph, self._reduced, self._folder)
        return self._workers if count > 1 else None

    def _of_fitting_rows(
        self, batches: Iterable[Sequence[Encoding]]
    ) -> Iterator[Sequence[Encoding]]:
        for rows in batches:
            self._refuse_long_rows(rows)
            yield rows

    def _refuse_long_rows(self, rows: Sequence[Encoding]) -> None:
        longest = max(len(row.token_ids) for row in rows)
        refuse_long_row(self._config, longest)


def _layer_of(model: Ernie | CrossEncoder | StoredModel) -> Ernie | CrossEncoder:
    """Returns the layer of Paddle, ready for inference."""
    layer = built(model) if isinstance(model, StoredModel) else model
    assert isinstance(layer, Ernie | CrossEncoder)
    return layer


def _run_packed(model: Ernie | CrossEncoder, reduced: bool) -> RunRows:
    """Returns a function that runs the model itself on packed rows; `reduced` is float16."""
    allow_tf32(False)
    if reduced:
        cast_weights(model, REDUCED_ON_GPU)
    forward = model.probability if isinstance(model, CrossEncoder) else model

    def run(rows: Sequence[Encoding]) -> np.ndarray:
        with paddle.no_grad():
            return forward(pack(rows)).astype("float32").numpy()

    return run


def _precision_of_cpu(precision: str) -> str:
    """Returns the precision to use on this CPU; a line says where it is not the given one."""
    if precision == "float32" or kernel_encoder.is_supported() or multiplies_bfloat16():
        return precision
    print(
        "reduced precision: expected AVX2 and a C compiler for matrix products of 8 bits, or "
        "instructions for bfloat16 (AMX, AVX-512 BF16), got neither; float32 is used",
        file=sys.stderr,
    )
    return "float32"
