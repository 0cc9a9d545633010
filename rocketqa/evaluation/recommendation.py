"""What report.md begins with: which checkpoint to use, how to search with it, and warnings.

The best dual encoder is the one with the highest main measure. The cross encoder is recommended if
its main measure is not below that. All values are percent, rounded as in the tables.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rocketqa.evaluation.paper_tables import PAPER_NAMES
from rocketqa.evaluation.report_tables import (
    BM25,
    CROSS_ENCODER,
    DISTILLED,
    RERANKED,
    START,
    Depths,
    Measured,
    found_main_measure,
    too_deep,
)
from rocketqa.evaluation.search_command import Flight, entering_commands, search_command

FOUND_NOTHING = "it retrieved no passage for any judged query"
HEADING = "# Which checkpoint to use"
DUAL_ENCODERS = (START, "dual_encoder_0", "dual_encoder_1", "dual_encoder_2", DISTILLED)
DESCRIPTIONS = {
    BM25: "BM25, which is not trained",
    START: "the initial weights",
    "dual_encoder_0": "stage 1: cross-batch negatives",
    CROSS_ENCODER: "stage 2: cross encoder",
    "dual_encoder_1": "stage 3: denoised hard negatives",
    "dual_encoder_2": "stage 4: data augmentation",
    DISTILLED: "stage 5, beyond the paper: distillation",
}
# What each stage should not fall below: what came before it, the nearest first. The cross encoder
# comes last, because it re-ranks the passages of the last dual encoder.
EARLIER = {
    "dual_encoder_0": (START, BM25),
    "dual_encoder_1": ("dual_encoder_0", START, BM25),
    "dual_encoder_2": ("dual_encoder_1", "dual_encoder_0", START, BM25),
    DISTILLED: ("dual_encoder_2", "dual_encoder_1", "dual_encoder_0", START, BM25),
    CROSS_ENCODER: (DISTILLED, "dual_encoder_2", START, BM25),
}

Percents = Mapping[str, float]  # model -> its main measure in percent


class Results(NamedTuple):
    """What the first lines are made of."""

    measured: Sequence[Measured]  # all values, of any depth
    judged: Mapping[str, int]  # model -> number of judged queries, where it is known
    depths: Depths
    flight: Flight | None  # None: no command can be given
    without_passages: Collection[str] = ()  # models that found nothing for any judged query


def first_lines(results: Results) -> list[str]:
    """Returns the first lines of report.md, up to the heading of the table of measures."""
    deep_enough = results.depths.deep_enough(results.measured)
    measure = found_main_measure(deep_enough)
    values = {}
    for row in deep_enough:
        if row.measure == measure:
            values[row.model] = round(100 * row.value, 2)
    shown = PAPER_NAMES.get(measure or "", measure or "")
    lines = [HEADING, ""]
    lines += _choice(values, shown, results)
    lines.append(_without_training(values, shown, results.without_passages))
    lines += _queries(results.judged)
    lines += _depths(results)
    for warning in falls(values, shown):
        lines += ["", f"**Warning:** {warning}"]
    return [*lines, "", "# Measures", ""]


def _choice(values: Percents, measure: str, results: Results) -> list[str]:
    """Returns the lines that name the checkpoints and the command."""
    candidates = [model for model in reversed(DUAL_ENCODERS) if model in values]
    if not candidates:
        return ["- Dual encoder: none was measured."]
    best = max(candidates, key=values.__getitem__)
    reranks = CROSS_ENCODER in values and values[CROSS_ENCODER] >= values[best]
    place = _place(best, results.flight)
    lines = [
        f"- Dual encoder: {place} ({DESCRIPTIONS[best]}). Its {measure} of {values[best]:.2f} "
        f"percent is the highest of {listed(candidates[::-1])}."
    ]
    if CROSS_ENCODER in values:
        lines.append(_cross_encoder(values, measure, best, reranks, results))
    if results.flight:
        command = search_command(results.flight, best, reranks)
        lines += ["", "```sh", *entering_commands(), command, "```", ""]
    return lines


def _place(model: str, flight: Flight | None) -> str:
    """Returns the checkpoint of a model, or its name where the folder is not known."""
    return f"`{flight.checkpoints / model}`" if flight else f"`{model}`"


def _cross_encoder(
    values: Percents, measure: str, best: str, reranks: bool, results: Results
) -> str:
    place = _place(CROSS_ENCODER, results.flight)
    reached = f"{measure} {values[CROSS_ENCODER]:.2f} {reranked_passages(results)}"
    if reranks:
        return f"- Cross encoder: {place} re-ranks what the dual encoder finds ({reached})."
    return f"- Cross encoder: none. {place} has {reached}, below {best} with {values[best]:.2f}."


def descriptions(results: Results) -> dict[str, str]:
    """Returns model -> what it is, and that it found nothing where it did not."""
    shown = dict(DESCRIPTIONS)
    shown[CROSS_ENCODER] += f" {reranked_passages(results)}"
    for model in results.without_passages:
        shown[model] = f"{shown.get(model, model)}; {FOUND_NOTHING}"
    return shown


def reranked_passages(results: Results) -> str:
    """Returns words for the passages that the cross encoder was measured on."""
    depth = results.depths.reranked
    first = f"first {depth:,}" if depth else "first"
    models = {row.model for row in results.measured}
    retriever = DISTILLED if DISTILLED in models else RERANKED
    return f"over the {first} passages of {retriever}"


def _without_training(values: Percents, measure: str, without_passages: Collection[str]) -> str:
    """Returns the line on BM25 and the initial weights."""
    known = [model for model in (BM25, START) if model in values]
    if not known:
        return "- Without training: neither BM25 nor the initial weights were measured."
    reached = [f"{values[model]:.2f} with {_name(model)}" for model in known]
    line = f"- Without training: {measure} is {listed(reached)}."
    if BM25 in without_passages:
        line += f" BM25 has 0 because {FOUND_NOTHING}."
    return line


def _queries(judged: Mapping[str, int]) -> list[str]:
    """Returns the line on how many queries were judged."""
    counts = sorted(set(judged.values()))
    if not counts:
        return []
    if len(counts) == 1:
        return [f"- Judged queries: {counts[0]:,}."]
    return [
        f"- Judged queries: {counts[0]:,} to {counts[-1]:,}. Models that were judged on other "
        "queries cannot be compared."
    ]


def _depths(results: Results) -> list[str]:
    """Returns the line on how deep the runs are, and which measures are left out for it."""
    depths = results.depths
    parts = []
    if depths.retrieved:
        parts.append(f"{depths.retrieved:,} passages were retrieved for each query")
    measured = {row.model for row in results.measured}
    if depths.reranked and CROSS_ENCODER in measured:
        parts.append(f"the cross encoder re-ranked the first {depths.reranked:,}")
    if not parts:
        return []
    line = f"- Depth: {', and '.join(parts)}."
    left_out = too_deep(results.measured, depths)
    if left_out:
        verb = "are" if len(left_out) > 1 else "is"
        line += f" {listed(left_out)} {verb} left out where a run has fewer passages."
    return [line]


def falls(values: Percents, measure: str) -> Iterator[str]:
    """Yields a sentence for each stage that is below what came before it, with all numbers."""
    for stage, earlier in EARLIER.items():
        if stage not in values:
            continue
        above = [model for model in earlier if values.get(model, 0) > values[stage]]
        if above:
            reached = [f"{_name(model)} with {values[model]:.2f}" for model in above]
            yield f"{stage} has {measure} {values[stage]:.2f}, below {listed(reached)}."


def listed(words: Sequence[str]) -> str:
    """Returns words with commas and a last `and`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _name(model: str) -> str:
    """Returns the name of a model in a sentence."""
    return {BM25: "BM25", START: "the initial weights"}.get(model, model)
