"""What a round would take if it were its dense matrix products alone, in float32.

The products are of large square matrices, whose rate is the highest that this machine reaches. A
round has as many operations as the dense layers need for the tokens of the texts.
"""

from collections.abc import Sequence

import paddle

from rocketqa.benchmark.workload import (
    PAIR_LENGTH,
    PASSAGE_LENGTH,
    QUERY_LENGTH,
    SCORE,
    TRAIN,
    Round,
    Texts,
    training_batches,
)
from rocketqa.encoder.operations import TRAINING_TO_FORWARD, operations_a_token
from rocketqa.text.tokenizer import Encoding, TextEncoder, text_encoder_of
from rocketqa.weights.pretrained import load_pretrained

SIZE = 1024  # rows and columns of a matrix
OPERATIONS_A_PRODUCT = 2 * SIZE**3


def prepare(work: str, weights: str, texts: Texts) -> Round:
    """Returns a round of products with as many operations as the work, at least one product."""
    products = round(operations_of(work, weights, texts) / OPERATIONS_A_PRODUCT)
    matrix = paddle.rand([SIZE, SIZE])

    def multiply_all() -> None:
        for _ in range(max(1, products)):
            product = paddle.matmul(matrix, matrix)
        float(product[0, 0])  # waits for the device

    return multiply_all


def operations_of(work: str, weights: str, texts: Texts) -> float:
    """Returns the operations of the dense products of a round."""
    source = load_pretrained(weights)
    text_encoder = text_encoder_of(source.tokenizer_files)
    operations = operations_a_token(source.config)
    if work == TRAIN:
        return TRAINING_TO_FORWARD * operations * _tokens_of_training(text_encoder, texts)
    if work == SCORE:
        rows = text_encoder.pairs(texts.queries, texts.passages, PAIR_LENGTH)
    else:
        rows = text_encoder.passages(texts.passages, PASSAGE_LENGTH)
    return operations * _tokens(rows)


def _tokens_of_training(text_encoder: TextEncoder, texts: Texts) -> int:
    tokens = 0
    for batch in training_batches(texts):
        tokens += _tokens(text_encoder.queries(batch.queries, QUERY_LENGTH))
        passages = batch.positives + batch.negatives
        tokens += _tokens(text_encoder.passages(passages, PASSAGE_LENGTH))
    return tokens


def _tokens(rows: Sequence[Encoding]) -> int:
    return sum(len(row.token_ids) for row in rows)
