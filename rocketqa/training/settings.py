"""The settings of a training, as typed records: the command line, the toolkit and the tests fill
the same ones.

They need no Paddle. Defaults are those of the command line; the paper's values are in
`run_scripts/*.env`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rocketqa.jobs.job import Job
from rocketqa.training.schedule import Schedule

INPUTS = ("init", "collection", "queries", "examples", "dev_examples", "mask_positives")
NOT_IDENTITY = ("output", "save_every", "visualdl")  # they do not change the weights
LOG = "train_log.tsv"


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What both trainings are told; see `rocketqa train-dual-encoder --help` for the meaning of
    each field.

    Lengths are in tokens, rates per step, `batch_size` in examples a chunk. `init` is a folder, the
    files of a model, or a name that PaddleNLP knows.
    """

    output: Path
    init: Path | Sequence[Path] | str
    collection: Path | None
    queries: Sequence[Path] | None
    examples: Sequence[Path]
    batch_size: int
    epochs: int
    learning_rate: float
    warmup: float
    decay: str
    weight_decay: float
    seed: int
    layer_norm_eps: float | None = None
    representation: str | None = None
    min_steps: int = 0
    max_steps: int | None = None
    clip_norm: float = 1.0
    accumulate: int = 1
    recompute: bool = False
    precision: Literal["float32", "float16", "bfloat16"] = "float32"
    loss_scale: float | None = None
    save_every: int = 500
    keep: int = 0
    evaluate_every: int = 0
    dev_examples: Path | None = None
    visualdl: Path | None = None

    def schedule(self, examples: int, devices: int) -> Schedule:
        """Returns the schedule of this training over so many examples on so many devices."""
        return Schedule(
            examples=examples,
            batch_size=self.batch_size,
            devices=devices,
            chunks=self.accumulate,
            epochs=self.epochs,
            min_steps=self.min_steps,
            max_steps=self.max_steps,
            seed=self.seed,
        )

    def job(self, verb: str, devices: int, constants: Sequence[str] = ()) -> Job:
        """Returns the job of this training; `constants` names fields that the verb never sets to
        another value.

        Unfinished states are not thrown away for a training with other settings: that one is
        refused.
        """
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        inputs = {name: values.pop(name) for name in INPUTS if name in values}
        inputs = {name: value for name, value in inputs.items() if name not in constants}
        left_out = {*NOT_IDENTITY, *constants}
        flags = {name: value for name, value in values.items() if name not in left_out}
        flags["devices"] = devices
        return Job(
            verb,
            self.output,
            flags=flags,
            inputs=inputs,
            logs=(LOG,),
            keep_unfinished="state-*",
        )


@dataclass(frozen=True, kw_only=True)
class DualEncoderSettings(TrainingSettings):
    """The settings of a dual encoder's training. `negatives`: cross-batch or in-batch."""

    query_length: int = 32
    passage_length: int = 128
    negatives: str = "cross-batch"
    mask_positives: Sequence[Path] | None = None


@dataclass(frozen=True, kw_only=True)
class CrossEncoderSettings(TrainingSettings):
    """The settings of a cross encoder's training. `fgm`: epsilon of the adversarial training, 0 for
    none.
    """

    max_length: int = 160
    fgm: float = 0.0
