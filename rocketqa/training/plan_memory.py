"""The lines of a plan about memory: the peak of a training step, and what batch fits a device."""

from collections.abc import Callable, Iterator, Mapping
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
    variables: Mapping[str, str], config: ErnieConfig, numbers: Numbers
) -> StepMemory:
    """Returns the memory of a step in which all texts have the full length."""
    batch = numbers.batch_size
    passages = PASSAGES_A_QUERY * batch
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
