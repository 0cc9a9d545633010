"""sentence-transformers on PyTorch: first-token vectors, its cross encoder, a training loop."""

import torch
from sentence_transformers import CrossEncoder, SentenceTransformer, models

from rocketqa.benchmark.batch_size import fastest
from rocketqa.benchmark.padded_rows import joined, titles_and_texts
from rocketqa.benchmark.workload import (
    PAIR_LENGTH,
    PASSAGE_LENGTH,
    QUERY_LENGTH,
    SCORE,
    TRAIN,
    Round,
    Texts,
    thread_count,
    training_batches,
)

LEARNING_RATE = 1e-5


def prepare(work: str, weights: str, texts: Texts, dtype: str) -> Round:
    """Returns a round of the work. dtype: of the weights and activations, float32 or bfloat16."""
    torch.set_num_threads(thread_count())
    if work == TRAIN:
        return _training(weights, texts, dtype)
    if work == SCORE:
        return _scoring(weights, texts, dtype)
    return _encoding(weights, texts, dtype)


def _bi_encoder(weights: str, length: int, dtype: str) -> SentenceTransformer:
    transformer = models.Transformer(weights, max_seq_length=length)
    size = transformer.get_word_embedding_dimension()
    pooling = models.Pooling(size, pooling_mode="cls")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    return model.to(getattr(torch, dtype))


def _encoding(weights: str, texts: Texts, dtype: str) -> Round:
    model = _bi_encoder(weights, PASSAGE_LENGTH, dtype)
    passages = titles_and_texts(texts.passages)

    def round_of_size(size: int) -> Round:
        return lambda: model.encode(passages, batch_size=size, show_progress_bar=False)

    return fastest(round_of_size)


def _scoring(weights: str, texts: Texts, dtype: str) -> Round:
    model = CrossEncoder(
        weights,
        num_labels=2,
        max_length=PAIR_LENGTH,
        device="cpu",
        model_kwargs={"torch_dtype": getattr(torch, dtype)},
    )
    pairs = list(zip(texts.queries, joined(texts.passages)))

    def round_of_size(size: int) -> Round:
        return lambda: model.predict(pairs, batch_size=size, show_progress_bar=False)

    return fastest(round_of_size)


def _training(weights: str, texts: Texts, dtype: str) -> Round:
    query_encoder = _bi_encoder(weights, QUERY_LENGTH, dtype)
    passage_encoder = _bi_encoder(weights, PASSAGE_LENGTH, dtype)
    both = torch.nn.ModuleList([query_encoder, passage_encoder]).train()
    optimizer = torch.optim.AdamW(both.parameters(), lr=LEARNING_RATE)

    def train_all() -> None:
        for batch in training_batches(texts):
            q_reps = _vectors(query_encoder, batch.queries)  # [B, H]
            p_reps = _vectors(passage_encoder, titles_and_texts(batch.positives + batch.negatives))
            logits = (q_reps @ p_reps.T).float()  # [B, 2*B]
            labels = torch.arange(len(batch.queries))
            torch.nn.functional.cross_entropy(logits, labels).backward()
            torch.nn.utils.clip_grad_norm_(both.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

    return train_all


def _vectors(model: SentenceTransformer, texts: list[str] | list[tuple[str, str]]) -> torch.Tensor:
    return model(model.tokenize(texts))["sentence_embedding"]  # [N, H]
