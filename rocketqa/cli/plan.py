"""Foretell a flight: rows, steps, disk, memory and hours of every stage, from its variables and what its files hold.

rocket.sh --plan calls it after the flight's commands. ROWS says how many rows a file has that is not there yet; RATES,
what one device does in a second (rocketqa benchmark measures it), tells the hours.
"""

from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError

FILES = (
    "collection",
    "queries.train",
    "qrels.train",
    "queries.dev",
    "queries.test",
    "queries.unlabelled",
)
RATES = ("train", "cross", "encode", "score")
BYTES_A_RUN_LINE = 45
# Parameters of one encoder in millions, size of its vectors. Adam in float32 keeps four numbers of each parameter.
ENCODERS = {"ernie-2.0-base-en": (109.5, 768), "ernie-2.0-large-en": (335.1, 1024)}
BYTES_A_TRAINED_PARAMETER = 16


class Step(NamedTuple):
    """One line of the plan. `amount` at `rate` a second and device are its hours."""

    what: str
    arithmetic: str
    amount: float = 0
    rate: str = ""
    devices: int = 1
    bytes: float = 0


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa plan", description=__doc__.split("\n\n")[0])
    parser.add_argument(
        "variables", nargs="+", metavar="NAME=VALUE", help="every variable of the flight's env file"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    flight = Flight(
        dict(word.partition("=")[::2] for word in build_parser().parse_args(argv).variables)
    )
    print("\n".join(flight.lines()))
    return 0


class Flight:
    """A flight's variables, the rows of its files and its steps."""

    def __init__(self, variables: dict[str, str]):
        self.variables = variables
        self.rates = numbers(variables["RATES"], RATES, "RATES")
        said = numbers(variables["ROWS"], FILES, "ROWS")
        there = {name: rows_of(Path(variables["DATA_DIR"]) / f"{name}.tsv") for name in FILES}
        self.rows = {name: there[name] or said.get(name, 0) for name in FILES}
        self.sources = {
            name: "counted" if there[name] else "expected" for name in FILES if self.rows[name]
        }

    def __getitem__(self, name: str) -> int:
        return int(self.variables[name])

    def training(self, what: str, rows: int, epochs: str, cross: str = "") -> Step:
        """Returns a training: rows that the flight's batches pass so many times."""
        devices, chunks, batch = (
            self["DEVICES" + cross],
            self["ACCUMULATE" + cross],
            self["BATCH_SIZE" + cross],
        )
        together = batch * devices * chunks
        steps = rows // together
        given = steps * self[epochs]
        taken = max(given, self["MIN_STEPS" + cross])
        factors = f"{batch} x {devices}" + (f" x {chunks} chunks" if chunks > 1 else "")
        shown = (
            f"{rows:,} rows / ({factors} = {together:,}) = {steps:,} steps x {self[epochs]} epochs = "
            f"{given:,}" + (f", then on to {taken:,}" if taken > given else "")
        )
        parameters, _ = ENCODERS.get(self.variables["INIT" + cross], (0, 0))
        size = parameters * 1e6 * (1 if cross else 2) * BYTES_A_TRAINED_PARAMETER
        if size:
            shown += f"; {size / 2**30:.1f} GiB a device for weights, gradients and moments, activations besides"
        return Step(what, shown, taken * together, "cross" if cross else "train", devices, size)

    def retrieval(self, model: str, split: str, depth: str) -> Iterator[Step]:
        """Yields the encoding of the collection by a model and its run for a split."""
        queries, passages, devices = (
            self.rows[f"queries.{split}"],
            self.rows["collection"],
            self["DEVICES_INFERENCE"],
        )
        _, size = ENCODERS.get(self.variables["INIT"], (0, 0))
        lines = queries * min(self[depth], passages or self[depth])
        yield Step(
            f"encode with {model}",
            f"{passages:,} passages and {queries:,} queries"
            + (f", {size} x 4 bytes each" if size else ""),
            passages + queries,
            "encode",
            devices,
            (passages + queries) * size * 4,
        )
        yield Step(
            f"retrieve for {split}",
            f"{queries:,} queries x {self[depth]:,} = {lines:,} lines",
            bytes=lines * BYTES_A_RUN_LINE,
        )

    def scoring(self, split: str, depth: str) -> Step:
        """Returns the cross encoder's reading of the top of a run."""
        pairs = self.rows[f"queries.{split}"] * self[depth]
        shown = f"{self.rows[f'queries.{split}']:,} queries x {self[depth]:,} = {pairs:,} pairs"
        return Step(
            f"score for {split}",
            shown,
            pairs,
            "score",
            self["DEVICES_INFERENCE"],
            pairs * BYTES_A_RUN_LINE,
        )

    def steps(self) -> Iterator[tuple[str, list[Step]]]:
        """Yields (stage, its steps)."""
        positives, queries = self.rows["qrels.train"], self.rows["queries.train"]
        by_answers = self.variables["POSITIVES"] == "answers"
        labelled = positives * self["DUAL_NEGATIVES"]
        mined = queries * self["DUAL_NEGATIVES"] if by_answers else labelled
        pairs = (queries if by_answers else positives) + queries * self["CROSS_NEGATIVES"]
        augmented = self.rows["queries.unlabelled"] * self["DUAL_NEGATIVES"]
        yield "stage 1", [self.training("train dual_encoder_0", labelled, "EPOCHS_1")]
        yield (
            "stage 2",
            [
                *self.retrieval("dual_encoder_0", "train", "RETRIEVE_DEPTH"),
                self.training("train cross_encoder", pairs, "EPOCHS_CROSS", "_CROSS"),
            ],
        )
        yield (
            "stage 3",
            [
                self.scoring("train", "DENOISE_DEPTH"),
                self.training("train dual_encoder_1, at most", mined, "EPOCHS_3"),
            ],
        )
        yield (
            "stage 4",
            [
                *self.retrieval("dual_encoder_1", "unlabelled", "AUGMENT_DEPTH"),
                self.scoring("unlabelled", "AUGMENT_DEPTH"),
                self.training("train dual_encoder_2, at most", mined + augmented, "EPOCHS_4"),
            ],
        )
        split = self.variables["EVALUATE_SPLIT"]
        yield (
            "evaluation",
            [
                *self.retrieval("dual_encoder_2", split, "RETRIEVE_DEPTH"),
                self.scoring(split, "RERANK_DEPTH"),
            ],
        )

    def hours(self, step: Step) -> float | None:
        """Returns the hours that a step takes on its devices, None where no rate is known."""
        return (
            step.amount / self.rates[step.rate] / step.devices / 3600
            if step.rate in self.rates
            else None
        )

    def lines(self) -> Iterator[str]:
        """Yields the plan."""
        yield "rows: " + ", ".join(
            f"{name} {self.rows[name]:,} ({how})" for name, how in self.sources.items()
        )
        total, disk, known = 0.0, 0.0, True
        for stage, steps in self.steps():
            yield f"{stage}:"
            for step in steps:
                hours = self.hours(step)
                trained = step.rate in ("train", "cross")
                disk += 0 if trained else step.bytes
                total, known = total + (hours or 0), known and (hours is not None or not step.rate)
                yield (
                    f"  {step.what}: {step.arithmetic}"
                    + (
                        ""
                        if trained or not step.bytes
                        else f"; {step.bytes / 2**30:.1f} GiB of disk"
                    )
                    + (f"; {hours:.1f} h on {step.devices} devices" if hours is not None else "")
                )
        yield f"in all: {disk / 2**30:.0f} GiB of disk" + (
            f", {total:.0f} h"
            if known
            else "; hours: unknown, RATES names no rate (measure: rocketqa benchmark)"
        )


def numbers(text: str, names: tuple[str, ...], variable: str) -> dict[str, float]:
    """Returns name -> number of words NAME=NUMBER. Raises DataError on another word."""
    found = {}
    for word in text.split():
        name, _, value = word.partition("=")
        if name not in names or not value.replace(".", "", 1).isdecimal():
            raise DataError(
                f"{variable}: expected words NAME=NUMBER of {', '.join(names)}, got {word}"
            )
        found[name] = float(value) if "." in value else int(value)
    return found


def rows_of(path: Path) -> int:
    """Returns how many lines a file has; none where it is not there."""
    if not path.is_file():
        return 0
    with path.open("rb") as lines:
        return sum(block.count(b"\n") for block in iter(lambda: lines.read(1 << 20), b""))
