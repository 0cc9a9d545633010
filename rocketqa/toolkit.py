"""The calls that users of the released `rocketqa` package know, with its signatures, defaults and generators.

    encoder = rocketqa.load_model("v1_marco_de", use_cuda=False, device_id=0, batch_size=32)
    vectors = list(encoder.encode_para(para=["Paris is the capital."], title=["France"]))

What differs is what went wrong there: nothing happens at import, the host program's `sys.argv` is its own, texts are
checked when a method is called, downloads and archives are whole or not there, training takes cross-batch negatives on
all devices of a launch and goes on after a kill. Errors are a `DataError`, a ValueError.
"""

import fcntl
import math
import os
import re
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from pathlib import Path

import paddle
import paddle.distributed as dist
from paddle.base import dygraph

from rocketqa import cross_batch_negatives, cross_encoder
from rocketqa.cli.flags import add_training_flags
from rocketqa.dual_encoder import DualEncoder as DualLayer
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.files.formats import LabelledPair, Passage, Query, TrainingExample
from rocketqa.files.rows import Row, read_rows
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.paths import InputPath
from rocketqa.jobs.unpack import unpack
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.training.batches import CrossBatches, DualBatches
from rocketqa.training.loop import Start, Task, run_training
from rocketqa.weights.checkpoint import LOG, set_weights
from rocketqa.weights.released_models import (
    HOST,
    MODELS,
    JointCrossEncoder,
    Released,
    read_checkpoint,
    read_model_of,
)

# The released trainer's settings, which it lets nobody change; FGM for the cross encoder alone.
WARMUP, WEIGHT_DECAY, FGM = "0.1", "0.01", 0.01
HALF = re.compile("[\ud800-\udfff]")
NOTHING = " "  # the title of a passage without one: no token. An empty one would be "-", as in the training data


def available_models() -> list[str]:
    """Returns the names of the released models."""
    return list(MODELS)


def load_model(model: str, use_cuda: bool = False, device_id: int = 0, batch_size: int = 1):
    """Returns a `DualEncoder` or `CrossEncoder`.

    `model`: a released name (fetched once, into ~/.rocketqa), the config.json of such a model, or a checkpoint of ours;
    a folder stands for its config.json. Raises DataError where it is none of these, or the device is not there.
    """
    source = read_model(model)
    kind = DualEncoder if source.kind.layer is DualLayer else CrossEncoder
    return kind(source, _place(use_cuda, device_id), _whole("batch_size", batch_size))


def read_model(model: str) -> Released:
    """Returns what `load_model` takes, as numbers and files."""
    if model in MODELS:
        folder = downloaded(model)
        try:
            return read_model_of(folder / "config.json")
        except DataError as error:
            raise DataError(f"{error}; to fetch the model anew, remove {folder}") from None
    path = Path(model)
    candidates = (path / "config.json", path, Path(f"{path}.json"))
    config_file = next((candidate for candidate in candidates if candidate.is_file()), None)
    if not config_file:
        raise DataError(
            f"{model}: expected a name of available_models(), a config.json or its folder, got none there"
        )
    return read_model_of(config_file)


def cache() -> Path:
    """Returns the folder that released models are kept in: the released package's, or ROCKETQA_CACHE."""
    return Path(os.environ.get("ROCKETQA_CACHE", "~/.rocketqa")).expanduser()


def downloaded(name: str) -> Path:
    """Returns the folder of a released model, fetched and unpacked where it is not there yet."""
    folder, unpacked = cache() / name, cache() / f"{name}.unpacked"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the processes of a launch all come here
        if not folder.is_dir():
            source = Source(f"{HOST}/RocketQAModels/{name}.tar.gz", md5=MODELS[name])
            unpack(fetch(source, cache() / source.name), unpacked)
            if not (unpacked / name).is_dir():
                raise DataError(
                    f"{cache() / source.name}: expected a folder {name} in it, got an archive without it"
                )
            os.replace(unpacked / name, folder)
            shutil.rmtree(unpacked)
    return folder


class Encoder:
    """What both encoders share: a network on a device, its tokenizer, and how it is trained."""

    def __init__(self, source: Released, place: paddle.base.core.Place, batch_size: int):
        self.place, self.batch_size, self.lengths = place, batch_size, source.lengths
        self.files, self.tokenizer_files = source.files, source.tokenizer_files
        self.text_encoder = text_encoder_of(source.tokenizer_files)
        with dygraph.guard(place):
            self.layer = source.kind.layer(source.config)
            set_weights(self.layer, source.weights, str(source.files[0]))
        self.layer.eval()

    def _answers(self, compute: Callable, items: Sequence) -> Iterator:
        """Yields what `compute` makes of each item, a batch at a time."""
        for begin in range(0, len(items), self.batch_size):
            with dygraph.guard(self.place), paddle.no_grad():
                answers = compute(items[begin : begin + self.batch_size]).numpy()
            yield from answers

    def _numbers(self, compute: Callable, items: Sequence) -> Iterator[float]:
        return (float(answer) for answer in self._answers(compute, items))

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
        """Trains on a TSV without header, writes the checkpoint `save_model_path` (a folder), and is trained itself.

        Six columns for a dual encoder: query, title and text of the positive, title and text of a negative, 0; four for
        a cross encoder: query, title, text, label (0 or 1). `batch_size`: on each device (default: load_model's);
        `save_steps`: between two states to go on from; `log_folder`: gets a copy of the log. Called again after a kill
        it goes on; called again with the same arguments it keeps the checkpoint that is there.
        """
        args = self._flags(
            train_set,
            _whole("epoch", epoch),
            save_model_path,
            save_steps,
            _whole("batch_size", batch_size or self.batch_size),
            _rate(learning_rate),
        )
        with dygraph.guard(self.place):
            try:
                run_training(f"train {type(self).__name__}", args, self._task)
                if dist.get_world_size() > 1:
                    dist.barrier()  # the first device finishes the folder alone
                if not self.layer.training:  # it was finished before
                    set_weights(self.layer, read_checkpoint(args.output).weights, str(args.output))
            finally:
                self.layer.eval()
        self.files = (args.output,)
        if log_folder and dist.get_rank() == 0:
            Path(log_folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(args.output / LOG, log_folder)

    def _flags(
        self,
        train_set: str,
        epoch: int,
        save_model_path: str,
        save_steps: int,
        batch_size: int,
        rate: float,
    ) -> Namespace:
        """Returns the flags of a training verb, as the released trainer has them."""
        parser = ArgumentParser()
        add_training_flags(parser)
        args = parser.parse_args(
            [
                "--init",
                "",
                "--collection",
                "",
                "--queries",
                "",
                "--examples",
                str(train_set),
                "--output",
                str(save_model_path),
                "--batch-size",
                str(batch_size),
                "--epochs",
                str(epoch),
                "--learning-rate",
                str(rate),
                "--warmup",
                WARMUP,
                "--decay",
                "linear",
                "--weight-decay",
                WEIGHT_DECAY,
                "--seed",
                "1",
                *(("--save-every", str(_whole("save_steps", save_steps))) if save_steps else ()),
            ]
        )
        args.init, args.collection, args.queries = (
            [InputPath(path) for path in self.files],
            None,
            None,
        )
        return Namespace(**vars(args), **self.lengths)

    def _start(self) -> Start:
        weights = {name: value.numpy() for name, value in self.layer.state_dict().items()}
        return Start(self.layer, weights, self.tokenizer_files)


class DualEncoder(Encoder):
    """Queries and paragraphs to vectors, float32 [H] each, and their dot products."""

    def encode_query(self, query: Sequence[str]) -> Iterator:
        """Returns a generator of the queries' vectors."""
        return self._answers(self._query_vectors, _texts("query", query))

    def encode_para(self, para: Sequence[str], title: Sequence[str] = ()) -> Iterator:
        """Returns a generator of the paragraphs' vectors."""
        return self._answers(self._passage_vectors, _passages(para, title, NOTHING))

    def matching(
        self, query: Sequence[str], para: Sequence[str], title: Sequence[str] = ()
    ) -> Iterator[float]:
        """Returns a generator of the dot products of each query and its paragraph."""

        def dot_products(pairs):
            queries, passages = zip(*pairs)
            return (self._query_vectors(queries) * self._passage_vectors(passages)).sum(axis=1)

        return self._numbers(dot_products, _pairs(query, para, title, NOTHING))

    def _query_vectors(self, texts: Sequence[str]) -> paddle.Tensor:
        return self.layer.query_encoder(
            pack(self.text_encoder.queries(texts, self.lengths["query_length"]))
        )

    def _passage_vectors(self, passages: Sequence[Passage]) -> paddle.Tensor:
        return self.layer.passage_encoder(
            pack(self.text_encoder.passages(passages, self.lengths["passage_length"]))
        )

    def _task(self, args: Namespace) -> Task:
        queries, collection, examples = {}, {}, []
        for path in args.examples:
            for row in read_rows(path, (6,)):
                query, title, text, negative_title, negative_text, _ = row.columns
                query_id, positive_id, negative_id = (
                    row.place,
                    f"{row.place} positive",
                    f"{row.place} negative",
                )
                queries[query_id] = Query(query_id, row.text(query))
                collection[positive_id] = Passage(positive_id, title or NOTHING, row.text(text))
                collection[negative_id] = Passage(
                    negative_id, negative_title or NOTHING, row.text(negative_text)
                )
                examples.append(TrainingExample(query_id, positive_id, (negative_id,)))
        batches = DualBatches(examples, queries, collection, self.text_encoder, **self.lengths)

        def backward(model, *step, barrier):
            return cross_batch_negatives.backward(
                lambda chunk: model(chunk.queries, chunk.passages), *step, barrier, True
            )

        return Task(self._start(), len(examples), batches.query_ids, batches.rows, backward, None)


class CrossEncoder(Encoder):
    """How relevant each paragraph is to its query."""

    def matching(
        self, query: Sequence[str], para: Sequence[str], title: Sequence[str] = ()
    ) -> Iterator[float]:
        """Returns a generator of P(relevant); of a RocketQAv2 model's logits, which are none."""

        def scores(pairs):
            rows = pack(self.text_encoder.pairs(*zip(*pairs), self.lengths["max_length"]))
            return (
                self.layer(rows)
                if isinstance(self.layer, JointCrossEncoder)
                else self.layer.probability(rows)
            )

        return self._numbers(scores, _pairs(query, para, title, ""))

    def _task(self, args: Namespace) -> Task:
        if isinstance(self.layer, JointCrossEncoder):
            raise DataError(
                f"{self.files[0]}: expected a cross encoder of two classes, got RocketQAv2's re-ranker, "
                f"which is trained together with its dual encoder"
            )
        queries, collection, pairs = {}, {}, []
        for path in args.examples:
            for row in read_rows(path, (4,)):
                query, title, text, label = row.columns
                queries[row.place] = Query(row.place, row.text(query))
                collection[row.place] = Passage(row.place, title, row.text(text))
                pairs.append(LabelledPair(row.place, row.place, _label(row, label)))
        batches = CrossBatches(pairs, queries, collection, self.text_encoder, **self.lengths)
        return Task(
            self._start(),
            len(pairs),
            batches.query_ids,
            batches.rows,
            lambda *step, barrier: cross_encoder.backward(*step, FGM),
            None,
        )


def _label(row: Row, label: str) -> int:
    if label not in ("0", "1"):
        row.fault("labels", "label 0 or 1", repr(label))
    return int(label)


def _texts(name: str, values: Sequence[str], may_be_empty: bool = False) -> list[str]:
    """Returns the texts as a list. Raises DataError where it is one text, or something in it is none."""
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        kind = "text" if isinstance(values, str) else type(values).__name__
        raise DataError(f"{name}: expected a list of texts, got a single {kind}")
    for number, value in enumerate(values := list(values)):
        if not isinstance(value, str):
            raise DataError(f"{name}[{number}]: expected a text, got {type(value).__name__}")
        if HALF.search(value) or not may_be_empty and not value.strip():
            found = "half a character of UTF-16" if value.strip() else "an empty one"
            raise DataError(f"{name}[{number}]: expected a text, got {found}")
    return values


def _passages(para: Sequence[str], title: Sequence[str], no_title: str) -> list[Passage]:
    texts, titles = _texts("para", para), _texts("title", title, may_be_empty=True)
    if titles and len(titles) != len(texts):
        raise DataError(
            f"title: expected {len(texts)}, one for each para, or none, got {len(titles)}"
        )
    return [
        Passage("", title or no_title, text)
        for title, text in zip(titles or [""] * len(texts), texts)
    ]


def _pairs(
    query: Sequence[str], para: Sequence[str], title: Sequence[str], no_title: str
) -> list[tuple[str, Passage]]:
    queries, passages = _texts("query", query), _passages(para, title, no_title)
    if len(queries) != len(passages):
        raise DataError(f"para: expected {len(queries)}, one for each query, got {len(passages)}")
    return list(zip(queries, passages))


def _whole(name: str, value: int) -> int:
    if not isinstance(value, Integral) or value < 1:
        raise DataError(f"{name}: expected a whole number from 1, got {value!r}")
    return int(value)


def _rate(value: float) -> float:
    if not isinstance(value, Real) or not 0 < value < math.inf:
        raise DataError(f"learning_rate: expected a number above 0, got {value!r}")
    return float(value)


def _place(use_cuda: bool, device_id: int) -> paddle.base.core.Place:
    """Returns where to compute: under a launch, the device that the launcher gave."""
    if not use_cuda:
        _use_the_cores()
        return paddle.CPUPlace()
    devices = paddle.device.cuda.device_count() if paddle.is_compiled_with_cuda() else 0
    if dist.get_world_size() > 1:
        device_id = dist.ParallelEnv().device_id
    if not 0 <= device_id < devices:
        raise DataError(
            f"device_id: expected one of {devices} GPUs that this Paddle knows, got {device_id}"
            + ("" if devices else "; use_cuda=False computes without")
        )
    return paddle.CUDAPlace(device_id)


def _use_the_cores() -> None:
    """Gives Paddle the cores of this process, as the commands do, unless the user has said otherwise.

    It takes one by itself: half the speed on two.
    """
    if "OMP_NUM_THREADS" not in os.environ:
        paddle.base.core.set_num_threads(
            max(1, len(os.sched_getaffinity(0)) // dist.get_world_size())
        )
