"""The lines of a plan about memory: the peak of a training step, and what batch fits a device."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

from rocketqa.encoder.config import ErnieConfig
from rocketqa.training.step_memory import (
    HALF,
    OPERATORS,
    Kept,
    StepMemory,
    TrainingShape,
    equal_rows,
    largest_batch,
    step_memory,
)

GIB = 2**30
DEVICE_SIZES = (16, 32, 40, 80)  # GiB
PASSAGES_A_QUERY = 2  # the positive and one hard negative (released code)


class Numbers(NamedTuple):
    """The numbers of one kind of training: BATCH_SIZE, DEVICES and ACCUMULATE."""

    batch_size: int
    devices: int
    chunks: int


def memory_of_dual_encoder(
    variables: Mapping[str, str],
    config: ErnieConfig,
    numbers: Numbers,
    passages_a_query: int = PASSAGES_A_QUERY,
) -> StepMemory:
    """Returns the memory of a step in which all texts have the full length."""
    batch = numbers.batch_size
    passages = passages_a_query * batch
    queries_of_device = batch
    candidates = passages
    if variables["NEGATIVES"] == "cross-batch":
        queries_of_device *= numbers.chunks
        candidates *= numbers.chunks * numbers.devices
    representation = variables.get("REPRESENTATION") or config.representation
    shape = TrainingShape(
        config=config._replace(representation=representation),
        kept=_kept_in(variables["PRECISION"]),
        towers=2,
        recompute=variables["RECOMPUTE"] == "yes",
        devices=numbers.devices,
        chunks=numbers.chunks,
    )
    texts = [
        equal_rows(batch, int(variables["QUERY_LENGTH"])),
        equal_rows(passages, int(variables["PASSAGE_LENGTH"])),
    ]
    return step_memory(shape, texts, queries_of_device * candidates)


def memory_of_cross_encoder(
    variables: Mapping[str, str], config: ErnieConfig, numbers: Numbers
) -> StepMemory:
    """Returns the memory of a step in which all pairs have the full length."""
    shape = TrainingShape(
        config=config,
        kept=_kept_in(variables["PRECISION_CROSS"]),
        devices=numbers.devices,
        chunks=numbers.chunks,
        fgm=float(variables["FGM"]) > 0,
    )
    pairs = equal_rows(numbers.batch_size, int(variables["PAIR_LENGTH"]))
    return step_memory(shape, [pairs])


def memory_lines(
    variables: Mapping[str, str],
    number: Callable[[str], int],
    architecture: Callable[[str], ErnieConfig | None],
) -> Iterator[str]:
    """Yields the lines about every kind of training.

    number: the value of a variable. architecture: that of the weights that a variable names.
    """
    recomputing = {**variables, "RECOMPUTE": "yes"}
    keeping = {**variables, "RECOMPUTE": "no"}
    trainings = [
        ("dual encoder, RECOMPUTE=yes", "BATCH_SIZE", partial(memory_of_dual_encoder, recomputing)),
        ("dual encoder, RECOMPUTE=no", "BATCH_SIZE", partial(memory_of_dual_encoder, keeping)),
        ("cross encoder", "BATCH_SIZE_CROSS", partial(memory_of_cross_encoder, variables)),
    ]
    for name, batch_size, memory_with in trainings:
        suffix = "_CROSS" if batch_size.endswith("_CROSS") else ""
        numbers = _numbers(number, batch_size, suffix)
        init = f"INIT{suffix}"
        yield from lines_of_training(name, init, architecture(init), numbers, memory_with)
    if variables.get("DISTIL") == "yes":
        yield from distillation_lines("dual encoder, stage 5", variables, number, architecture)


def distillation_lines(
    name: str,
    variables: Mapping[str, str],
    number: Callable[[str], int],
    architecture: Callable[[str], ErnieConfig | None],
) -> Iterator[str]:
    """Yields the lines about a distillation; the arguments are as in `memory_lines`."""
    passages = number("DISTIL_NEGATIVES") + 1
    memory_with = partial(memory_of_dual_encoder, variables, passages_a_query=passages)
    numbers = _numbers(number, "BATCH_SIZE_5")
    yield from lines_of_training(name, "INIT", architecture("INIT"), numbers, memory_with)


def _numbers(number: Callable[[str], int], batch_size: str, suffix: str = "") -> Numbers:
    return Numbers(
        batch_size=number(batch_size),
        devices=number(f"DEVICES{suffix}"),
        chunks=number(f"ACCUMULATE{suffix}"),
    )


def _kept_in(precision: str) -> Kept:
    """Returns what a layer keeps on a GPU; with TF32, that is float32."""
    return HALF if precision in ("float16", "bfloat16") else OPERATORS


def lines_of_training(
    name: str,
    init: str,
    config: ErnieConfig | None,
    numbers: Numbers,
    memory_with: Callable[[ErnieConfig, Numbers], StepMemory],
) -> Iterator[str]:
    """Yields the lines about one kind of training.

    init: the variable that names its weights, and config their architecture if it is known.
    """
    if config is None:
        yield (
            f"{name}: unknown, because {init} is neither a folder with a config.json nor a name "
            "that PaddleNLP lists on this machine"
        )
        return
    memory = memory_with(config, numbers)
    yield (
        f"{name}: {memory.peak / GIB:.1f} GiB = {memory.state / GIB:.1f} for weights, gradients "
        f"and moments + {memory.activations / GIB:.1f} for activations + "
        f"{memory.logits / GIB:.1f} for logits"
    )

    def peak_of_batch(batch_size: int) -> float:
        return memory_with(config, numbers._replace(batch_size=batch_size)).peak

    fitting = []
    for size in DEVICE_SIZES:
        batch = largest_batch(peak_of_batch, size * GIB)
        fitting.append(f"{size} GiB: {batch:,}" if batch else f"{size} GiB: none")
    yield f"{name}: largest batch on a device of {', '.join(fitting)}"
