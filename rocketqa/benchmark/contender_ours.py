"""This package as a contender: packed rows in training, else the inference engine."""

from rocketqa.benchmark.training_step import take_step
from rocketqa.benchmark.workload import (
    PAIR_LENGTH,
    PASSAGE_LENGTH,
    QUERY_LENGTH,
    SCORE,
    TRAIN,
    Round,
    Texts,
    TrainingBatch,
    training_batches,
)
from rocketqa.cross_batch_negatives import DualChunk
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.inference.engine import Engine
from rocketqa.text.tokenizer import TextEncoder, text_encoder_of
from rocketqa.training.optimizer import adam
from rocketqa.weights.checkpoint import built
from rocketqa.weights.pretrained import Pretrained, load_pretrained
from rocketqa.weights.stored_model import StoredModel

TOKENS_A_BATCH = 2048  # the default of `rocketqa encode`
LEARNING_RATE = 1e-5


def prepare(work: str, weights: str, texts: Texts, precision: str) -> Round:
    """Returns a round of the work. precision: of encoding and scoring, as in `rocketqa encode`."""
    source = load_pretrained(weights)
    text_encoder = text_encoder_of(source.tokenizer_files)
    if work == TRAIN:
        model = built(_dual_encoder(source, weights))
        assert isinstance(model, DualEncoder)
        return _training(model, text_encoder, texts)
    if work == SCORE:
        engine = Engine(_cross_encoder(source, weights), precision)
        return _scoring(engine, text_encoder, texts)
    engine = Engine(_dual_encoder(source, weights).tower("passage_encoder"), precision)
    return _encoding(engine, text_encoder, texts)


def _dual_encoder(source: Pretrained, weights: str) -> StoredModel:
    initial = DualEncoder.from_encoder_weights(source.weights)
    return StoredModel(DualEncoder, source.config, initial, weights)


def _cross_encoder(source: Pretrained, weights: str) -> StoredModel:
    initial = CrossEncoder.from_encoder_weights(source.weights, source.config, seed=1)
    return StoredModel(CrossEncoder, source.config, initial, weights)


def _encoding(engine: Engine, text_encoder: TextEncoder, texts: Texts) -> Round:
    def encode_all() -> object:
        rows = text_encoder.passages(texts.passages, PASSAGE_LENGTH)
        return engine.run_all(rows, TOKENS_A_BATCH)

    return encode_all


def _scoring(engine: Engine, text_encoder: TextEncoder, texts: Texts) -> Round:
    def score_all() -> object:
        rows = text_encoder.pairs(texts.queries, texts.passages, PAIR_LENGTH)
        return engine.run_all(rows, TOKENS_A_BATCH)

    return score_all


def _training(model: DualEncoder, text_encoder: TextEncoder, texts: Texts) -> Round:
    model.train()
    optimizer = adam(model, weight_decay=0.0)
    optimizer.set_lr(LEARNING_RATE)

    def train_all() -> None:
        for batch in training_batches(texts):
            take_step(model, optimizer, [_chunk(text_encoder, batch)])

    return train_all


def _chunk(text_encoder: TextEncoder, batch: TrainingBatch) -> DualChunk:
    queries = text_encoder.queries(batch.queries, QUERY_LENGTH)
    passages = text_encoder.passages(batch.positives + batch.negatives, PASSAGE_LENGTH)
    return DualChunk(pack(queries), pack(passages), None)
