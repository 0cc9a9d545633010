"""The settings of a training, as typed records: the command line, the toolkit and the tests fill
the same ones.

They need no Paddle. Defaults are those of the command line; the paper's values are in
`run_scripts/*.env`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import (
    ABOVE_0,
    ANY_WHOLE,
    EPSILON,
    FROM_0,
    LEARNING_RATE,
    LOSS_SCALE,
    SHARE_OF_STEPS,
    TOKENS,
    WEIGHT,
    WHOLE_FROM_0,
    WHOLE_FROM_1,
    Range,
    check_choice,
)
from rocketqa.jobs.job import Job
from rocketqa.training.schedule import Schedule

INPUTS = (
    "init",
    "collection",
    "queries",
    "examples",
    "dev_examples",
    "mask_positives",
    "teacher",
    "teacher_retriever",
)
NOT_IDENTITY = ("output", "save_every", "visualdl")  # they do not change the weights
# At these values a training is what it was without the flag.
NO_IDENTITY_AT: dict[str, tuple[object, ...]] = {
    "deterministic": (False,),
    "similarity": (None, "dot"),
    "temperature": (None, 1.0),
    "teacher": (None,),
    "teacher_retriever": (None,),
    "teacher_temperature": (None,),
    "teacher_weight": (None,),
    "held_out": (0,),
}
LOG = "train_log.tsv"
RANGES: dict[str, Range] = {  # of the fields that are numbers
    "batch_size": WHOLE_FROM_1,
    "epochs": WHOLE_FROM_0,
    "learning_rate": LEARNING_RATE,
    "warmup": SHARE_OF_STEPS,
    "weight_decay": FROM_0,
    "seed": ANY_WHOLE,
    "layer_norm_eps": EPSILON,
    "temperature": ABOVE_0,
    "teacher_temperature": ABOVE_0,
    "teacher_weight": WEIGHT,
    "min_steps": WHOLE_FROM_0,
    "max_steps": WHOLE_FROM_1,
    "clip_norm": ABOVE_0,
    "accumulate": WHOLE_FROM_1,
    "loss_scale": LOSS_SCALE,
    "save_every": WHOLE_FROM_1,
    "keep": WHOLE_FROM_0,
    "evaluate_every": WHOLE_FROM_0,
    "query_length": TOKENS,
    "passage_length": TOKENS,
    "max_length": TOKENS,
    "fgm": FROM_0,
    "held_out": WHOLE_FROM_0,
}
CHOICES = {  # of the fields that are words
    "decay": ("linear", "constant"),
    "representation": ("first", "mean"),
    "similarity": ("dot", "cosine"),
    "precision": ("float32", "tf32", "float16", "bfloat16"),
    "negatives": ("cross-batch", "in-batch"),
}
MAY_BE_NONE = (
    *("layer_norm_eps", "representation", "similarity", "temperature"),
    *("max_steps", "loss_scale", "teacher_temperature", "teacher_weight"),
)


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """What both trainings are told; see `rocketqa train-dual-encoder --help` for the meaning of
    each field.

    Lengths are in tokens, rates per step, `batch_size` in examples a chunk. `init` is a folder, the
    files of a model, or a name that PaddleNLP knows. Raises DataError where a number is out of its
    range (RANGES), or a word is none of its choices.
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
    precision: Literal["float32", "tf32", "float16", "bfloat16"] = "float32"
    deterministic: bool = False
    loss_scale: float | None = None
    save_every: int = 500
    keep: int = 0
    evaluate_every: int = 0
    dev_examples: Path | None = None
    visualdl: Path | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None and field.name in MAY_BE_NONE:
                continue
            if field.name in RANGES:
                RANGES[field.name].check(field.name, value)
            if field.name in CHOICES:
                check_choice(field.name, value, CHOICES[field.name])

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
        unset = {
            name
            for name, usual in NO_IDENTITY_AT.items()
            if name in values and values[name] in usual
        }
        left_out = {*NOT_IDENTITY, *constants, *unset}
        inputs = {name: values.pop(name) for name in INPUTS if name in values}
        inputs = {name: value for name, value in inputs.items() if name not in left_out}
        flags = {name: value for name, value in values.items() if name not in left_out}
        flags["devices"] = devices
        job = Job(
            verb,
            self.output,
            flags=flags,
            inputs=inputs,
            logs=(LOG,),
            keep_unfinished="state-*",
        )
        return job.of_folder()


@dataclass(frozen=True, kw_only=True)
class DualEncoderSettings(TrainingSettings):
    """The settings of a dual encoder's training. `negatives`: cross-batch or in-batch.
    `similarity`: dot or cosine, whose value the loss divides by `temperature`. `teacher`: runs that
    a cross encoder has scored, whose distribution is learnt (`rocketqa.distillation`), and
    `teacher_retriever` runs of `init`, whose scores count in it, too.

    Raises DataError, besides, where a setting of the teacher is given without a teacher.
    """

    similarity: str | None = None
    temperature: float | None = None
    query_length: int = 32
    passage_length: int = 128
    negatives: str = "cross-batch"
    mask_positives: Sequence[Path] | None = None
    teacher: Sequence[Path] | None = None
    teacher_retriever: Sequence[Path] | None = None
    teacher_temperature: float | None = None
    teacher_weight: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("teacher_retriever", "teacher_temperature", "teacher_weight"):
            if getattr(self, name) is not None and not self.teacher:
                flag = f"--{name.replace('_', '-')}"
                raise DataError(f"{flag}: expected it together with --teacher, got it alone")


@dataclass(frozen=True, kw_only=True)
class CrossEncoderSettings(TrainingSettings):
    """The settings of a cross encoder's training. `fgm`: epsilon of the adversarial training, 0 for
    none. `held_out`: queries that end the training and are not trained on, 0 for none.
    """

    max_length: int = 160
    fgm: float = 0.0
    held_out: int = 0
