"""How fast this device encodes and trains, beside the rate of its matrix products.

The rates are found here, in seconds, on rows of random tokens; `rocketqa benchmark speed` measures
longer, on real ones. The share of the products' rate says how well the device is used.

Letters: H hidden size, F feed-forward size, L tokens of a row.
"""

import functools
import statistics
import time
from collections.abc import Callable

import paddle

from rocketqa.cross_batch_negatives import DualChunk
from rocketqa.doctor.findings import Judgement, judged
from rocketqa.doctor.small_model import (
    VOCABULARY,
    computing,
    count_gpus,
    device,
    forward_backward,
    random_rows,
    small_model,
)
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.packing import pack
from rocketqa.inference.engine import Engine
from rocketqa.training.optimizer import adam, clip

TERA = 1e12
LONGEST = 128
ROUNDS = 3  # after one that warms up
MATRIX_OF_CPU, MATRIX_OF_GPU = 1024, 8192
ROWS_OF_CPU, ROWS_OF_GPU = 16, 512
TRAINING_TO_FORWARD = 3  # the backward pass computes two products for each one


def config_of_device() -> ErnieConfig:
    """Returns half of a base model on a GPU, a small model on a CPU."""
    size, layers = (768, 6) if count_gpus() else (256, 3)
    return ErnieConfig(
        vocab_size=VOCABULARY,
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=size // 64,
        intermediate_size=4 * size,
    )


def seconds_of(work: Callable[[], paddle.Tensor]) -> float:
    """Returns the median time of some work; reading a number of its result waits for the device."""
    seconds = []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        float(work().astype("float32").sum())
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds[1:])


@functools.cache
def product_rate(dtype: str) -> float:
    """Returns the operations a second of a product of large matrices."""
    size = MATRIX_OF_GPU if count_gpus() else MATRIX_OF_CPU
    with computing(device()):
        matrix = paddle.rand([size, size]).astype(dtype)
        seconds = seconds_of(lambda: paddle.matmul(matrix, matrix)[0])
    return 2 * size**3 / seconds


def number_type() -> str:
    """Returns the number type that the rates are compared in."""
    return "float16" if count_gpus() else "float32"


def products() -> Judgement:
    """Returns the rate of matrix products in each number type."""
    dtypes = dict.fromkeys(["float32", number_type()])
    rates = {dtype: product_rate(dtype) for dtype in dtypes}
    found = ", ".join(f"{dtype} {rate / TERA:.3g} TFLOP/s" for dtype, rate in rates.items())
    return judged(min(rates.values()) > 0, found, "a rate above 0")


def operations_a_token(config: ErnieConfig) -> float:
    """Returns the operations of the dense products of a forward pass, for each token.

    The last layer has keys and values of all tokens, and nothing else.
    """
    size = config.hidden_size
    layer = 2 * (4 * size * size + 2 * size * config.intermediate_size)
    keys_and_values = 2 * 2 * size * size
    return (config.num_hidden_layers - 1) * layer + keys_and_values


def encoding_rate() -> Judgement:
    """Returns the tokens a second of encoding."""
    config = config_of_device()
    rows = random_rows(1, ROWS_OF_GPU if count_gpus() else ROWS_OF_CPU, LONGEST)
    tokens = sum(len(row.token_ids) for row in rows)
    with computing(device()), paddle.no_grad():
        tower = small_model(config=config).passage_encoder
        tower.eval()
        if count_gpus():
            engine = Engine(tower, "reduced")
            seconds = seconds_of(lambda: paddle.to_tensor(engine(rows)))
        else:
            seconds = seconds_of(lambda: tower(pack(rows)))
    return _judge_rate(tokens / seconds, operations_a_token(config))


def training_rate() -> Judgement:
    """Returns the tokens a second of training steps."""
    config = config_of_device()
    count = (ROWS_OF_GPU if count_gpus() else ROWS_OF_CPU) // 4
    queries = random_rows(1, count, LONGEST // 4)
    passages = random_rows(2, 2 * count, LONGEST)
    tokens = sum(len(row.token_ids) for row in queries + passages)
    with computing(device()):
        model = small_model(config=config)
        optimizer = adam(model, weight_decay=0.0)

        def step() -> paddle.Tensor:
            chunk = DualChunk(pack(queries), pack(passages), None)
            losses = forward_backward(model, chunk, number_type())
            clip(model, 1.0)
            optimizer.step()
            optimizer.clear_grad()
            return losses

        seconds = seconds_of(step)
    return _judge_rate(tokens / seconds, TRAINING_TO_FORWARD * operations_a_token(config))


def _judge_rate(tokens_a_second: float, operations: float) -> Judgement:
    """Returns a rate with its share of the rate of matrix products."""
    rate = tokens_a_second * operations
    share = rate / product_rate(number_type())
    config = config_of_device()
    model = f"{config.num_hidden_layers} layers of {config.hidden_size} in {number_type()}"
    found = f"{tokens_a_second:,.0f} tokens a second, {share:.0%} of the products' rate ({model})"
    return judged(tokens_a_second > 0, found, "a rate above 0")


CHECKS = {
    "matrix products": products,
    "encoding rate": encoding_rate,
    "training rate": training_rate,
}
