"""The two trainings (section 3.4): the model to start from, its examples and its objective."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa import distillation
from rocketqa.cross_batch_negatives import NegativesObjective
from rocketqa.cross_encoder import ClassificationObjective, CrossEncoder
from rocketqa.distributed import devices
from rocketqa.dual_encoder import DualEncoder
from rocketqa.files.errors import DataError
from rocketqa.files.examples import TrainingExample, read_examples, read_pairs
from rocketqa.files.formats import Passage, Query, read_positives
from rocketqa.files.rows import Check
from rocketqa.jobs.manifest import flag_of
from rocketqa.text.token_store import open_collection, open_queries
from rocketqa.text.tokenizer import TextEncoder, Tokens, text_encoder_of
from rocketqa.training.batches import CrossBatches, DualBatches
from rocketqa.training.dev_measure import cross_encoder_mrr, dual_encoder_mrr
from rocketqa.training.held_out import FEWEST_QUERIES, LARGEST_SHARE, HeldOut, split
from rocketqa.training.loop import Task
from rocketqa.training.run import run_training
from rocketqa.training.settings import CrossEncoderSettings, DualEncoderSettings, TrainingSettings
from rocketqa.weights.model_similarity import with_similarity_of
from rocketqa.weights.notes import say
from rocketqa.weights.pretrained import Pretrained, load_pretrained

MODELS = ("dual", "cross")  # which `sample-negatives --for` makes examples for


def train_dual_encoder(settings: DualEncoderSettings, check: bool = False) -> int:
    """Trains a dual encoder, writes its checkpoint, and returns the exit status."""
    job_settings = with_similarity_of_start(settings)
    return run_training(
        "train-dual-encoder", job_settings, lambda: dual_encoder_task(settings), check
    )


def with_similarity_of_start(settings: DualEncoderSettings) -> DualEncoderSettings:
    """Returns the settings with the similarity and temperature that the model is trained with: as
    they were chosen, or as the initial weights have them.
    """
    config = with_similarity_of(settings.init, settings.similarity, settings.temperature)
    return replace(settings, similarity=config.similarity, temperature=config.temperature)


def train_cross_encoder(settings: CrossEncoderSettings, check: bool = False) -> int:
    """Trains a cross encoder, writes its checkpoint, and returns the exit status."""
    return run_training(
        "train-cross-encoder", settings, lambda: cross_encoder_task(settings), check
    )


class Texts(NamedTuple):
    """What the examples name, and the tokenizer that reads it."""

    queries: Mapping[str, Query | Tokens]
    collection: Mapping[str, Passage | Tokens]
    encoder: TextEncoder

    def check(self) -> Check:
        """Returns the check of the examples: they may name only queries and passages that are
        there.
        """
        return Check(query_ids=self.queries, passage_ids=self.collection)


def dual_encoder_task(settings: DualEncoderSettings) -> Task:
    """Returns the twin towers to start from, the examples, and the loss over cross-batch or
    in-batch negatives.
    """
    _refuse_examples_for_another_model(settings, "dual")
    start = _initial_encoder(settings, "DualEncoder")
    texts = _texts(settings, start)
    lengths = (settings.query_length, settings.passage_length)
    positives = None
    if settings.mask_positives:
        positives = read_positives(*settings.mask_positives)
    examples = read_examples(*settings.examples, check=texts.check())
    teacher = _teacher(settings, examples, start.config.temperature)
    batches = DualBatches(examples, *texts, *lengths, positives, teacher)
    dev_measure = None
    if settings.dev_examples:
        dev_examples = read_examples(settings.dev_examples, check=texts.check())
        dev = DualBatches(dev_examples, *texts, *lengths)

        def dev_measure(model: DualEncoder) -> float:
            return dual_encoder_mrr(model, dev)

    return Task(
        model=DualEncoder(start.config),
        weights=DualEncoder.from_encoder_weights(start.weights),
        tokenizer_files=start.tokenizer_files,
        batches=batches,
        objective=_dual_encoder_objective(settings, start.config.temperature),
        dev_measure=dev_measure,
    )


def _teacher(
    settings: DualEncoderSettings, examples: Sequence[TrainingExample], own_temperature: float
) -> list[np.ndarray] | None:
    """Returns the teacher's logits for each example; None where nothing is distilled.

    own_temperature: that of the dual encoder. Raises DataError where no query has a passage to
    compare its positive with.
    """
    if not settings.teacher:
        return None
    if not any(example.negative_ids for example in examples):
        raise DataError("--teacher: expected examples with hard negatives, got positives alone")
    temperature = settings.teacher_temperature or distillation.TEMPERATURE
    retriever = None
    if settings.teacher_retriever:
        retriever = distillation.Retriever(settings.teacher_retriever, own_temperature)
    return distillation.teacher_logits(examples, settings.teacher, temperature, retriever)


def _dual_encoder_objective(
    settings: DualEncoderSettings, temperature: float
) -> NegativesObjective:
    """Returns the loss over the negatives, and with a teacher the divergence from it, too."""
    cross_batch = settings.negatives == "cross-batch"
    if not settings.teacher:
        return NegativesObjective(cross_batch, temperature)
    weight = settings.teacher_weight
    if weight is None:
        weight = distillation.WEIGHT
    return distillation.DistillationObjective(cross_batch, temperature, weight)


def cross_encoder_task(settings: CrossEncoderSettings) -> Task:
    """Returns the encoder to start from, the labelled pairs, and the loss of the two classes."""
    _refuse_examples_for_another_model(settings, "cross")
    start = _initial_encoder(settings, "CrossEncoder")
    texts = _texts(settings, start)
    pairs = read_pairs(*settings.examples, check=texts.check())
    held_out = None
    if settings.held_out:
        batch = settings.schedule(len(pairs), devices.count()).batch
        pairs, apart = split(pairs, settings.held_out, settings.seed, batch)
        held_out = _held_out(CrossBatches(apart, *texts, settings.max_length))
    batches = CrossBatches(pairs, *texts, settings.max_length)
    dev_measure = None
    if settings.dev_examples:
        dev_pairs = read_pairs(settings.dev_examples, check=texts.check())
        dev = CrossBatches(dev_pairs, *texts, settings.max_length)

        def dev_measure(model: CrossEncoder) -> float:
            return cross_encoder_mrr(model, dev)

    return Task(
        model=CrossEncoder(start.config),
        weights=CrossEncoder.from_encoder_weights(start.weights, start.config, settings.seed),
        tokenizer_files=start.tokenizer_files,
        batches=batches,
        objective=ClassificationObjective(settings.fgm),
        dev_measure=dev_measure,
        held_out=held_out,
    )


def _held_out(apart: CrossBatches) -> HeldOut | None:
    """Returns the held-out pairs; None, which a line says, where there are none."""
    if len(apart):
        return HeldOut(apart)
    fewest = LARGEST_SHARE * FEWEST_QUERIES
    say(
        f"--held-out: expected at least {fewest} queries, and a batch of pairs beside a fifth of "
        "them, got fewer: none is held out"
    )
    return None


def _refuse_examples_for_another_model(settings: TrainingSettings, model: str) -> None:
    """Raises DataError where `sample-negatives` made the examples for the other model.

    With numbers as passage ids, the labels 0 and 1 of the cross encoder's examples would be read as
    passages. Examples without a manifest are not checked.
    """
    examples = [*settings.examples]
    if settings.dev_examples:
        examples.append(settings.dev_examples)
    for path in examples:
        purpose = flag_of(path, "purpose")
        if purpose in MODELS and purpose != model:
            raise DataError(
                f"{path}: expected examples of a {model} encoder, got those of a {purpose} "
                f"encoder: make them with `rocketqa sample-negatives --for {model}`"
            )


def _initial_encoder(settings: TrainingSettings, kind: str) -> Pretrained:
    """Returns the initial encoder, or the checkpoint of a model of the class `kind` that is trained
    further.
    """
    assert isinstance(settings.init, str | Path)
    chosen: dict[str, object] = {
        "layer_norm_eps": settings.layer_norm_eps,
        "representation": settings.representation,
    }
    if isinstance(settings, DualEncoderSettings):
        chosen["similarity"] = settings.similarity
        chosen["temperature"] = settings.temperature
    return load_pretrained(settings.init, kind, **chosen)


def _texts(settings: TrainingSettings, start: Pretrained) -> Texts:
    """Returns the queries and passages; the texts of the collection stay on disk."""
    assert settings.queries is not None and settings.collection is not None
    encoder = text_encoder_of(start.tokenizer_files)
    queries = open_queries(settings.queries, encoder)
    collection = open_collection(settings.collection, encoder)
    return Texts(queries, collection, encoder)
