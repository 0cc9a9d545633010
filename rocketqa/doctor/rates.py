"""How fast this device encodes and trains, beside the rate of its matrix products.

The rates are found here, in seconds, on rows of random tokens; `rocketqa benchmark speed` measures
longer, on real ones. The share of the products' rate says how well the device is used.
"""

import functools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import paddle

from rocketqa.cross_batch_negatives import DualChunk
from rocketqa.distributed.gpus import number_of_gpus
from rocketqa.doctor.findings import Judgement, judged
from rocketqa.doctor.small_model import (
    VOCABULARY,
    computing,
    device,
    forward_backward,
    random_rows,
    small_model,
)
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.operations import TRAINING_TO_FORWARD, operations_a_token
from rocketqa.encoder.packing import pack
from rocketqa.inference.engine import Engine
from rocketqa.training.optimizer import adam, clip

TERA = 1e12
LONGEST = 128
ROUNDS = 3  # after one that warms up


class Work(NamedTuple):
    """What a kind of device is measured with.

    dtype: of products and of training. matrix: rows and columns of the products. rows: of a batch.
    """

    dtype: str
    matrix: int
    rows: int
    hidden_size: int
    layers: int

    def config(self) -> ErnieConfig:
        """Returns the architecture of the encoder."""
        return ErnieConfig(
            vocab_size=VOCABULARY,
            hidden_size=self.hidden_size,
            num_hidden_layers=self.layers,
            num_attention_heads=self.hidden_size // 64,
            intermediate_size=4 * self.hidden_size,
        )


OF_CPU = Work("float32", matrix=1024, rows=16, hidden_size=256, layers=2)
OF_GPU = Work("float16", matrix=8192, rows=512, hidden_size=768, layers=6)  # half of a base model


def work_of_device() -> Work:
    """Returns what this device is measured with."""
    return OF_GPU if number_of_gpus() else OF_CPU


def seconds_of(work: Callable[[], paddle.Tensor]) -> float:
    """Returns the median time of some work; reading a number of its result waits for the device."""
    seconds = []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        float(work().astype("float32").sum())
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


@functools.cache
def product_rate(dtype: Any) -> float:
    """Returns the operations a second of a product of large matrices."""
    size = work_of_device().matrix
    with computing(device()):
        matrix = paddle.rand([size, size]).astype(dtype)
        seconds = seconds_of(lambda: paddle.matmul(matrix, matrix)[0])
    return 2 * size**3 / seconds


def products() -> Judgement:
    """Returns the rate of matrix products in each number type."""
    dtypes = dict.fromkeys(["float32", work_of_device().dtype])
    rates = {dtype: product_rate(dtype) for dtype in dtypes}
    found = ", ".join(f"{dtype} {rate / TERA:.3g} TFLOP/s" for dtype, rate in rates.items())
    return judged(min(rates.values()) > 0, found, "a rate above 0")


def encoding_rate() -> Judgement:
    """Returns the tokens a second of encoding."""
    work = work_of_device()
    config = work.config()
    rows = random_rows(1, work.rows, LONGEST)
    tokens = sum(len(row.token_ids) for row in rows)
    with computing(device()), paddle.no_grad():
        tower = small_model(config=config).passage_encoder
        tower.eval()
        if number_of_gpus():
            engine = Engine(tower, "reduced")
            seconds = seconds_of(lambda: paddle.to_tensor(engine(rows)))
        else:
            seconds = seconds_of(lambda: tower(pack(rows)))
    return _judge_rate(tokens / seconds, operations_a_token(config))


def training_rate() -> Judgement:
    """Returns the tokens a second of training steps."""
    work = work_of_device()
    config = work.config()
    count = work.rows // 4
    queries = random_rows(1, count, LONGEST // 4)
    passages = random_rows(2, 2 * count, LONGEST)
    tokens = sum(len(row.token_ids) for row in queries + passages)
    with computing(device()):
        model = small_model(config=config)
        optimizer = adam(model, weight_decay=0.0)

        def step() -> paddle.Tensor:
            chunk = DualChunk(pack(queries), pack(passages), None)
            losses = forward_backward(model, chunk, work.dtype)
            clip(model, 1.0)
            optimizer.step()
            optimizer.clear_grad()
            return losses

        seconds = seconds_of(step)
    return _judge_rate(tokens / seconds, TRAINING_TO_FORWARD * operations_a_token(config))


def _judge_rate(tokens_a_second: float, operations: float) -> Judgement:
    """Returns a rate with its share of the rate of matrix products."""
    rate = tokens_a_second * operations
    work = work_of_device()
    share = rate / product_rate(work.dtype)
    model = f"{work.layers} layers of {work.hidden_size} in {work.dtype}"
    found = f"{tokens_a_second:,.0f} tokens a second, {share:.0%} of the products' rate ({model})"
    return judged(tokens_a_second > 0, found, "a rate above 0")


CHECKS = {
    "matrix products": products,
    "encoding rate": encoding_rate,
    "training rate": training_rate,
}
