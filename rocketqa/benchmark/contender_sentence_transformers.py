"""sentence-transformers on PyTorch: first-token vectors, its cross encoder, a training loop."""

import os

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer, models

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
from rocketqa.files.formats import Passage

ROWS_A_BATCH = 32  # the package's default
LEARNING_RATE = 1e-5


def prepare(work: str, weights: str, texts: Texts, dtype: str) -> Round:
    """Returns a round of the work. dtype: of the weights and activations, float32 or bfloat16."""
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", cores)))
    if work == TRAIN:
        return _training(weights, texts, dtype)
    if work == SCORE:
        return _scoring(weights, texts, dtype)
    return _encoding(weights, texts, dtype)


def _joined(passages: list[Passage]) -> list[str]:
    return [f"{passage.title} {passage.text}" for passage in passages]


def _bi_encoder(weights: str, length: int, dtype: str) -> SentenceTransformer:
    transformer = models.Transformer(weights, max_seq_length=length)
    size = transformer.get_word_embedding_dimension()
    pooling = models.Pooling(size, pooling_mode="cls")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    return model.to(getattr(torch, dtype))


def _encoding(weights: str, texts: Texts, dtype: str) -> Round:
    model = _bi_encoder(weights, PASSAGE_LENGTH, dtype)
    passages = _joined(texts.passages)

    def encode_all() -> object:
        return model.encode(passages, batch_size=ROWS_A_BATCH, show_progress_bar=False)

    return encode_all


def _scoring(weights: str, texts: Texts, dtype: str) -> Round:
    model = CrossEncoder(
        weights,
        num_labels=2,
        max_length=PAIR_LENGTH,
        device="cpu",
        model_kwargs={"torch_dtype": getattr(torch, dtype)},
    )
    pairs = list(zip(texts.queries, _joined(texts.passages)))

    def score_all() -> object:
        return model.predict(pairs, batch_size=ROWS_A_BATCH, show_progress_bar=False)

    return score_all


def _training(weights: str, texts: Texts, dtype: str) -> Round:
    query_encoder = _bi_encoder(weights, QUERY_LENGTH, dtype)
    passage_encoder = _bi_encoder(weights, PASSAGE_LENGTH, dtype)
    both = torch.nn.ModuleList([query_encoder, passage_encoder]).train()
    optimizer = torch.optim.AdamW(both.parameters(), lr=LEARNING_RATE)

    def train_all() -> None:
        for batch in training_batches(texts):
            q_reps = _vectors(query_encoder, batch.queries)  # [B, H]
            p_reps = _vectors(passage_encoder, _joined(batch.positives + batch.negatives))
            logits = (q_reps @ p_reps.T).float()  # [B, 2*B]
            labels = torch.arange(len(batch.queries))
            torch.nn.functional.cross_entropy(logits, labels).backward()
            torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return train_all


def _vectors(model: SentenceTransformer, texts: list[str]) -> torch.Tensor:
    return model(model.tokenize(texts))["sentence_embedding"]  # [N, H]
