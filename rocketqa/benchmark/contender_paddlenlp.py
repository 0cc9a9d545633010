"""A plain loop on PaddleNLP's ErnieModel: rows by length, padded to the longest of a batch."""

from collections.abc import Sequence

import numpy as np
import paddle
import paddle.nn.functional as F
from paddlenlp.transformers import ErnieConfig, ErnieModel

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
from rocketqa.text.tokenizer import Encoding, TextEncoder, text_encoder_of
from rocketqa.weights.pretrained import Pretrained, load_pretrained

ROWS_A_BATCH = 32  # as many as sentence-transformers takes by default
LEARNING_RATE = 1e-5


def prepare(work: str, weights: str, texts: Texts) -> Round:
    """Returns a round of the work."""
    source = load_pretrained(weights)
    text_encoder = text_encoder_of(source.tokenizer_files)
    if work == TRAIN:
        return _training(source, text_encoder, texts)
    return _inference(work, source, text_encoder, texts)


def ernie_model(source: Pretrained) -> ErnieModel:
    """Returns PaddleNLP's model with the weights of the source."""
    model = ErnieModel(ErnieConfig(**source.config._asdict()))
    tensors = {name: paddle.to_tensor(value) for name, value in source.weights.items()}
    model.set_state_dict(tensors)
    return model


def first_token_vectors(model: ErnieModel, rows: Sequence[Encoding]) -> paddle.Tensor:
    """Returns the last layer's first token of each row, [N, H]."""
    token_ids = _padded([row.token_ids for row in rows])  # [N, L]
    type_ids = _padded([row.type_ids for row in rows])  # [N, L]
    mask = (token_ids != 0).astype("int64")  # [N, L]
    hidden = model(token_ids, token_type_ids=type_ids, attention_mask=mask)[0]  # [N, L, H]
    return hidden[:, 0]


def _padded(rows: Sequence[np.ndarray]) -> paddle.Tensor:
    """Returns the rows as one tensor [N, L], filled up with 0."""
    longest = max(len(row) for row in rows)
    filled = [np.pad(row, (0, longest - len(row))) for row in rows]
    return paddle.to_tensor(np.stack(filled))


def _inference(work: str, source: Pretrained, text_encoder: TextEncoder, texts: Texts) -> Round:
    """Scoring, too, ends at the first token: a classifier behind it would take no time."""
    model = ernie_model(source)
    model.eval()

    def encode_all() -> np.ndarray:
        if work == SCORE:
            rows = text_encoder.pairs(texts.queries, texts.passages, PAIR_LENGTH)
        else:
            rows = text_encoder.passages(texts.passages, PASSAGE_LENGTH)
        order = sorted(range(len(rows)), key=lambda place: len(rows[place].token_ids))
        vectors = []
        with paddle.no_grad():
            for begin in range(0, len(rows), ROWS_A_BATCH):
                batch = [rows[place] for place in order[begin : begin + ROWS_A_BATCH]]
                vectors.append(first_token_vectors(model, batch).numpy())
        return np.concatenate(vectors)[np.argsort(order)]

    return encode_all


def _training(source: Pretrained, text_encoder: TextEncoder, texts: Texts) -> Round:
    query_encoder = ernie_model(source)
    passage_encoder = ernie_model(source)
    query_encoder.train()
    passage_encoder.train()
    optimizer = paddle.optimizer.AdamW(
        LEARNING_RATE,
        parameters=query_encoder.parameters() + passage_encoder.parameters(),
        weight_decay=0.0,
        grad_clip=paddle.nn.ClipGradByGlobalNorm(1.0),
    )

    def train_all() -> None:
        for batch in training_batches(texts):
            queries = text_encoder.queries(batch.queries, QUERY_LENGTH)
            passages = text_encoder.passages(batch.positives + batch.negatives, PASSAGE_LENGTH)
            q_reps = first_token_vectors(query_encoder, queries)  # [B, H]
            p_reps = first_token_vectors(passage_encoder, passages)  # [2*B, H]
            logits = paddle.matmul(q_reps, p_reps, transpose_y=True)  # [B, 2*B]
            F.cross_entropy(logits, paddle.arange(len(queries))).backward()
            optimizer.step()
            optimizer.clear_grad()

    return train_all
