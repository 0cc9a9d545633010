"""The calls of the released `rocketqa` package, with its signatures, defaults and generators.

    encoder = rocketqa.load_model("v1_marco_de", use_cuda=False, device_id=0, batch_size=32)
    vectors = list(encoder.encode_para(para=["Paris is the capital."], title=["France"]))

The calls differ where the released package had faults: an import does nothing, the toolkit never
reads the `sys.argv` of the program, texts are checked when a method is called, a download is
complete or absent, and training takes cross-batch negatives on all devices of a launch and resumes
after a kill. Every error is a `DataError`, which is a ValueError.

Letters: N texts, H hidden size.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import paddle
import paddle.distributed as dist
from paddle.base import dygraph

from rocketqa.cross_batch_negatives import NegativesObjective
from rocketqa.cross_encoder import ClassificationObjective
from rocketqa.distributed.place import place_of
from rocketqa.dual_encoder import DualEncoder as DualLayer
from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import allow_tf32
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.files.released_rows import (
    BLANK_TITLE,
    read_cross_training_set,
    read_dual_training_set,
)
from rocketqa.inference.finite_outputs import refuse_non_finite
from rocketqa.text.call_arguments import (
    checked_pairs,
    checked_passages,
    checked_rate,
    checked_texts,
    checked_whole_number,
)
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.training.batches import Batches, CrossBatches, DualBatches
from rocketqa.training.loop import Task
from rocketqa.training.objective import Objective
from rocketqa.training.run import run_training
from rocketqa.training.settings import (
    LOG,
    CrossEncoderSettings,
    DualEncoderSettings,
    TrainingSettings,
)
from rocketqa.weights.checkpoint import set_weights
from rocketqa.weights.released_archives import MODELS, downloaded
from rocketqa.weights.released_layout import JointCrossEncoder
from rocketqa.weights.released_models import Released, read_checkpoint, read_model_of

# Settings of the released trainer that its callers cannot change; FGM: of the cross encoder alone.
WARMUP = 0.1
WEIGHT_DECAY = 0.01
FGM = 0.01
SAVE_STEPS = 500  # where the caller does not choose
# Settings that this trainer never varies, and that are no part of the identity of its jobs.
CONSTANTS = ("negatives", "mask_positives", "similarity", "temperature", "fgm")

Pair = tuple[str, Passage]


def load_model(
    model: str, use_cuda: bool = False, device_id: int = 0, batch_size: int = 1
) -> "DualEncoder | CrossEncoder":
    """Returns a `DualEncoder` or `CrossEncoder`, ready to answer.

    model: a released name (fetched once, into ~/.rocketqa), the config.json of such a model, or a
    checkpoint of ours; a folder stands for the config.json in it. Raises DataError where it is none
    of these, or where the device is missing.
    """
    source = read_model(model)
    place = place_of(use_cuda, device_id)
    if use_cuda:
        allow_tf32(False)
    batch_size = checked_whole_number("batch_size", batch_size)
    if source.kind.layer is DualLayer:
        return DualEncoder(source, place, batch_size)
    return CrossEncoder(source, place, batch_size)


def read_model(model: str) -> Released:
    """Returns the weights and files of the model that `load_model` takes."""
    if model in MODELS:
        folder = downloaded(model)
        try:
            return read_model_of(folder / "config.json")
        except DataError as error:
            raise DataError(f"{error}; to fetch the model anew, remove {folder}") from None
    path = Path(model)
    for config_file in (path / "config.json", path, Path(f"{path}.json")):
        if config_file.is_file():
            return read_model_of(config_file)
    expected = "a name of available_models(), a config.json or its folder"
    raise DataError(f"{model}: expected {expected}, got none there")


class Encoder:
    """What both encoders share: a network on a device, its tokenizer, and how it is trained."""

    layer: paddle.nn.Layer
    _objective: Objective

    def __init__(self, source: Released, place: paddle.base.core.Place, batch_size: int):
        self.place = place
        self.batch_size = batch_size
        self.lengths = source.lengths
        self.files = source.files
        self.tokenizer_files = source.tokenizer_files
        self.text_encoder = text_encoder_of(source.tokenizer_files)
        with dygraph.guard(place):
            self.layer = source.kind.layer(source.config)
            set_weights(self.layer, source.weights, str(source.files[0]))
        self.layer.eval()

    def _in_batches(
        self, compute: Callable[[Sequence], paddle.Tensor], items: Sequence
    ) -> Iterator[np.ndarray]:
        """Yields a row of what `compute` returns for each item, a batch at a time on demand.

        Raises DataError on a row that is not finite.
        """
        for begin in range(0, len(items), self.batch_size):
            with dygraph.guard(self.place), paddle.no_grad():
                rows = compute(items[begin : begin + self.batch_size]).numpy()
            names = [f"input {begin + row + 1} of {len(items)}" for row in range(len(rows))]
            refuse_non_finite(rows, self.files[0], names.__getitem__)
            yield from rows

    def _scores_in_batches(
        self, compute: Callable[[Sequence[Pair]], paddle.Tensor], pairs: Sequence[Pair]
    ) -> Iterator[float]:
        return (float(score) for score in self._in_batches(compute, pairs))

    def train(
        self,
        train_set: str,
        epoch: int,
        save_model_path: str,
        save_steps: int = 0,
        batch_size: int | None = None,
        learning_rate: float = 2e-5,
        log_folder: str | None = None,
    ) -> None:
        """Trains this encoder and writes it as a checkpoint, the folder `save_model_path`.

        train_set: a TSV without header (see files/released_rows.py). batch_size: on each device
        (default: that of load_model). save_steps: steps between two states that a killed training
        resumes from. log_folder: gets a copy of the log. A second call with the same arguments
        resumes a training that was killed, and keeps the checkpoint of a finished one.
        """
        common = TrainingSettings(
            output=Path(save_model_path),
            init=[Path(path) for path in self.files],
            collection=None,  # texts and examples stand in the same file
            queries=None,
            examples=[Path(train_set)],
            batch_size=checked_whole_number("batch_size", batch_size or self.batch_size),
            epochs=checked_whole_number("epoch", epoch),
            learning_rate=checked_rate(learning_rate),
            warmup=WARMUP,
            decay="linear",
            weight_decay=WEIGHT_DECAY,
            seed=1,
            save_every=checked_whole_number("save_steps", save_steps or SAVE_STEPS),
        )
        settings = self._settings(common)
        with dygraph.guard(self.place):
            try:
                self._run_training(settings)
            finally:
                self.layer.eval()
        self.files = (settings.output,)
        if log_folder and dist.get_rank() == 0:
            Path(log_folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(settings.output / LOG, log_folder)

    def _run_training(self, settings: TrainingSettings) -> None:
        verb = f"train {type(self).__name__}"
        run_training(verb, settings, lambda: self._task(settings.examples), constants=CONSTANTS)
        if dist.get_world_size() > 1:
            dist.barrier()  # the first device writes the folder, the others read it
        if not self.layer.training:  # the checkpoint was finished before this call
            trained = read_checkpoint(settings.output).weights
            set_weights(self.layer, trained, str(settings.output))

    def _task(self, examples: Sequence[Path]) -> Task:
        weights = {name: value.numpy() for name, value in self.layer.state_dict().items()}
        batches = self._batches(examples)
        return Task(self.layer, weights, self.tokenizer_files, batches, self._objective)

    def _settings(self, common: TrainingSettings) -> TrainingSettings:
        raise NotImplementedError

    def _batches(self, examples: Sequence[Path]) -> Batches:
        raise NotImplementedError


class DualEncoder(Encoder):
    """Turns queries and paragraphs into vectors, float32 [H] each, and into their dot products."""

    @property
    def _objective(self) -> Objective:  # type: ignore[override]
        return NegativesObjective(temperature=self.layer.config.temperature)

    def encode_query(self, query: Sequence[str]) -> Iterator[np.ndarray]:
        """Returns a generator of the queries' vectors."""
        return self._in_batches(self._query_vectors, checked_texts("query", query))

    def encode_para(self, para: Sequence[str], title: Sequence[str] = ()) -> Iterator[np.ndarray]:
        """Returns a generator of the paragraphs' vectors."""
        return self._in_batches(self._passage_vectors, checked_passages(para, title, BLANK_TITLE))

    def matching(
        self, query: Sequence[str], para: Sequence[str], title: Sequence[str] = ()
    ) -> Iterator[float]:
        """Returns a generator of the dot product of each query with its paragraph."""
        pairs = checked_pairs(query, para, title, BLANK_TITLE)
        return self._scores_in_batches(self._dot_products, pairs)

    def _dot_products(self, pairs: Sequence[Pair]) -> paddle.Tensor:
        queries, passages = _unzipped(pairs)
        q_reps = self._query_vectors(queries)  # [N, H]
        p_reps = self._passage_vectors(passages)  # [N, H]
        return (q_reps * p_reps).sum(axis=1)  # [N]

    def _query_vectors(self, texts: Sequence[str]) -> paddle.Tensor:
        rows = self.text_encoder.queries(texts, self.lengths["query_length"])
        return self.layer.query_encoder(pack(rows))  # [N, H]

    def _passage_vectors(self, passages: Sequence[Passage]) -> paddle.Tensor:
        rows = self.text_encoder.passages(passages, self.lengths["passage_length"])
        return self.layer.passage_encoder(pack(rows))  # [N, H]

    def _settings(self, common: TrainingSettings) -> TrainingSettings:
        return DualEncoderSettings(
            **vars(common),
            query_length=self.lengths["query_length"],
            passage_length=self.lengths["passage_length"],
        )

    def _batches(self, examples: Sequence[Path]) -> DualBatches:
        queries, collection, rows = read_dual_training_set(examples)
        return DualBatches(
            rows,
            queries,
            collection,
            self.text_encoder,
            self.lengths["query_length"],
            self.lengths["passage_length"],
        )


class CrossEncoder(Encoder):
    """Scores how relevant each paragraph is to its query."""

    _objective = ClassificationObjective(FGM)

    def matching(
        self, query: Sequence[str], para: Sequence[str], title: Sequence[str] = ()
    ) -> Iterator[float]:
        """Returns a generator of P(relevant); a RocketQAv2 model gives logits instead."""
        pairs = checked_pairs(query, para, title, no_title="")
        return self._scores_in_batches(self._scores, pairs)

    def _scores(self, pairs: Sequence[Pair]) -> paddle.Tensor:
        queries, passages = _unzipped(pairs)
        rows = self.text_encoder.pairs(queries, passages, self.lengths["max_length"])
        if isinstance(self.layer, JointCrossEncoder):
            return self.layer(pack(rows))  # [N]
        return self.layer.probability(pack(rows))  # [N]

    def _settings(self, common: TrainingSettings) -> TrainingSettings:
        return CrossEncoderSettings(**vars(common), max_length=self.lengths["max_length"])

    def _batches(self, examples: Sequence[Path]) -> CrossBatches:
        if isinstance(self.layer, JointCrossEncoder):
            raise DataError(
                f"{self.files[0]}: expected a cross encoder of two classes, got RocketQAv2's "
                f"re-ranker, which is trained together with its dual encoder"
            )
        queries, collection, pairs = read_cross_training_set(examples)
        return CrossBatches(
            pairs, queries, collection, self.text_encoder, self.lengths["max_length"]
        )


def _unzipped(pairs: Sequence[Pair]) -> tuple[list[str], list[Passage]]:
    """Returns the queries and the passages of the pairs."""
    queries = [query for query, _ in pairs]
    passages = [passage for _, passage in pairs]
    return queries, passages
