"""What report.md begins with: which checkpoint to use, how to search with it, and warnings.

The best dual encoder is the one with the highest main measure. The cross encoder is recommended if
its main measure is not below that, and BM25 beside the last dual encoder if their fused ranking,
re-ranked or not, is above both. Where there are no labels, the cross encoder judges; its own rows
are then not compared. All values are percent, rounded as in the tables.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from rocketqa.evaluation.paper_tables import PAPER_NAMES
from rocketqa.evaluation.report_tables import (
    ADAPTED,
    BM25,
    CROSS_ENCODER,
    DISTILLED,
    FUSED,
    FUSED_RERANKED,
    RERANKED,
    START,
    Depths,
    Measured,
    found_main_measure,
    too_deep,
)
from rocketqa.evaluation.search_command import (
    Answering,
    Flight,
    entering_commands,
    search_command,
    serve_command,
)

FOUND_NOTHING = "it retrieved no passage for any judged query"
SEARCH_PAGE = "With a search page, at http://127.0.0.1:8000 on this machine:"
HEADING = "# Which checkpoint to use"
DUAL_ENCODERS = (START, "dual_encoder_0", "dual_encoder_1", "dual_encoder_2", DISTILLED, ADAPTED)
DESCRIPTIONS = {
    BM25: "BM25, which is not trained",
    START: "the initial weights",
    "dual_encoder_0": "stage 1: cross-batch negatives",
    CROSS_ENCODER: "stage 2: cross encoder",
    "dual_encoder_1": "stage 3: denoised hard negatives",
    "dual_encoder_2": "stage 4: data augmentation",
    DISTILLED: "stage 5, beyond the paper: distillation",
    ADAPTED: "trained on without labels",
    FUSED: "BM25 + last model",
    FUSED_RERANKED: "BM25 + last model, re-ranked",
}
GIVEN = {START: "the model as it came", CROSS_ENCODER: "the given cross encoder"}  # by adapt.sh
OF_THE_JUDGE = (CROSS_ENCODER, FUSED_RERANKED)  # rows of the cross encoder, where it judges
LAST = "the last dual encoder"
# What each stage should not fall below: what came before it, the nearest first. The cross encoder
# comes last, because it re-ranks the passages of the last dual encoder.
EARLIER = {
    "dual_encoder_0": (START, BM25),
    "dual_encoder_1": ("dual_encoder_0", START, BM25),
    "dual_encoder_2": ("dual_encoder_1", "dual_encoder_0", START, BM25),
    DISTILLED: ("dual_encoder_2", "dual_encoder_1", "dual_encoder_0", START, BM25),
    ADAPTED: (START, BM25),
    CROSS_ENCODER: (LAST, START, BM25),
    FUSED: (LAST, BM25),
    FUSED_RERANKED: (CROSS_ENCODER, FUSED),
}

Percents = Mapping[str, float]  # model -> its main measure in percent


class Results(NamedTuple):
    """What the first lines are made of."""

    measured: Sequence[Measured]  # all values, of any depth
    judged: Mapping[str, int]  # model -> number of judged queries, where it is known
    depths: Depths
    flight: Flight | None  # None: no command can be given
    without_passages: Collection[str] = ()  # models that found nothing for any judged query
    last: str = RERANKED  # the last dual encoder, whose passages are re-ranked and fused
    notes: Sequence[str] = ()  # lines on what the flight did otherwise
    bm25_weight: float | None = None  # in the fused run; None: not known
    cross_encoder_weight: float | None = None  # beside the fused run; None: it ranks alone
    weighed: str = "chosen on training queries"  # how these weights were found
    judged_by_cross_encoder: bool = False  # there are no labels

    @property
    def names(self) -> Mapping[str, str]:
        """Model -> what it is."""
        return DESCRIPTIONS | GIVEN if _is_adapted(self.last) else DESCRIPTIONS


def _is_adapted(last: str) -> bool:
    """Returns whether the models were given; no other flight ends with its initial weights."""
    return last in (ADAPTED, START)


def first_lines(results: Results) -> list[str]:
    """Returns the first lines of report.md, up to the heading of the table of measures."""
    deep_enough = results.depths.deep_enough(results.measured)
    measure = found_main_measure(deep_enough)
    values = {}
    for row in deep_enough:
        if row.measure == measure:
            values[row.model] = round(100 * row.value, 2)
    if results.judged_by_cross_encoder:
        values = {name: value for name, value in values.items() if name not in OF_THE_JUDGE}
    shown = PAPER_NAMES.get(measure or "", measure or "")
    lines = [HEADING, ""]
    lines += _choice(values, shown, results)
    lines.append(_without_training(values, shown, results))
    lines += _queries(results.judged)
    if results.judged_by_cross_encoder:
        lines.append(_judge(results))
    lines += _depths(results)
    for warning in [*results.notes, *falls(values, shown, results.last)]:
        lines += ["", f"**Warning:** {warning}"]
    return [*lines, "", "# Measures", ""]


def _choice(values: Percents, measure: str, results: Results) -> list[str]:
    """Returns the lines that name the checkpoints and the command."""
    candidates = [model for model in reversed(DUAL_ENCODERS) if model in values]
    if not candidates:
        return ["- Dual encoder: none was measured."]
    best = max(candidates, key=values.__getitem__)
    reranks = CROSS_ENCODER in values and values[CROSS_ENCODER] >= values[best]
    pure = CROSS_ENCODER if reranks else best
    fused = _best_fused(values, values[pure])
    place = _place(best, results.flight)
    lines = [
        f"- Dual encoder: {place} ({results.names[best]}). Its {measure} of {values[best]:.2f} "
        f"percent is the highest of {listed(candidates[::-1])}."
    ]
    if CROSS_ENCODER in values:
        rival = FUSED if fused == FUSED else best
        lines.append(_cross_encoder(values, measure, rival, results))
    if FUSED in values:
        lines.append(_bm25_beside(values, measure, fused, pure, results))
    if results.flight:
        answering = Answering(best, reranks)
        if fused == FUSED:
            answering = Answering(results.last, False, results.bm25_weight)
        elif fused:
            weights = (results.bm25_weight, results.cross_encoder_weight)
            answering = Answering(results.last, True, *weights)
        command = search_command(results.flight, answering)
        lines += ["", "```sh", *entering_commands(), command, "```", ""]
        page = serve_command(results.flight, answering)
        lines += [SEARCH_PAGE, "", "```sh", *entering_commands(), page, "```", ""]
    return lines


def _place(model: str, flight: Flight | None) -> str:
    """Returns the checkpoint of a model, or its name where the folder is not known."""
    return f"`{flight.checkpoints / model}`" if flight else f"`{model}`"


def _best_fused(values: Percents, highest: float) -> str:
    """Returns the best fused row that is above all others; an empty text where none is."""
    rows = [row for row in (FUSED, FUSED_RERANKED) if values.get(row, 0) > highest]
    return max(rows, key=values.__getitem__, default="")


def _bm25_beside(values: Percents, measure: str, fused: str, pure: str, results: Results) -> str:
    """Returns the line on BM25 and the last dual encoder together."""
    reached = f"{measure} {values[FUSED]:.2f}"
    if FUSED_RERANKED in values:
        reached += f", {values[FUSED_RERANKED]:.2f} re-ranked"
    if not fused:
        return (
            f"- BM25 beside it: no. Fused with {results.last} it has {reached}, not above {pure} "
            f"with {values[pure]:.2f}."
        )
    place = _place(results.last, results.flight)
    return (
        f"- BM25 beside it: yes. Fused with {place} it has {reached}, above {pure} with "
        f"{values[pure]:.2f}{_weights(results)}."
    )


def _weights(results: Results) -> str:
    if results.bm25_weight is None:
        return ""
    weights = f"; the weight of BM25, {results.weighed}, is {results.bm25_weight:g}"
    if results.cross_encoder_weight is not None:
        weights += f", that of the cross encoder {results.cross_encoder_weight:g}"
    return weights


def _judge(results: Results) -> str:
    """Returns the line on measures without labels."""
    place = _place(CROSS_ENCODER, results.flight)
    return (
        f"- Measured by the cross encoder, {place}, because there are no labels: the relevant "
        "passage of a query is the one that it finds best, if it is sure of it. Its own rows are "
        "those of the judge, and are not compared with the others."
    )


def _cross_encoder(values: Percents, measure: str, best: str, results: Results) -> str:
    place = _place(CROSS_ENCODER, results.flight)
    passages = reranked_passages(results.depths, results.last)
    reached = f"{measure} {values[CROSS_ENCODER]:.2f} {passages}"
    if values[CROSS_ENCODER] >= values[best]:
        return f"- Cross encoder: {place} re-ranks what the dual encoder finds ({reached})."
    return f"- Cross encoder: none. {place} has {reached}, below {best} with {values[best]:.2f}."


def descriptions(results: Results) -> dict[str, str]:
    """Returns model -> what it is, and that it found nothing where it did not."""
    shown = dict(results.names)
    shown[CROSS_ENCODER] += f" {reranked_passages(results.depths, results.last)}"
    shown[FUSED_RERANKED] += f" {reranked_passages(results.depths, 'the fused ranking')}"
    if results.bm25_weight is not None:
        rest = 1 - results.bm25_weight
        shown[FUSED] += f": {results.bm25_weight:g} x BM25 + {rest:g} x {results.last}"
    if results.cross_encoder_weight is not None:
        rest = 1 - results.cross_encoder_weight
        weights = f"{results.cross_encoder_weight:g} x P(relevant) + {rest:g} x {FUSED}"
        shown[FUSED_RERANKED] += f": {weights}"
    for model in results.without_passages:
        shown[model] = f"{shown.get(model, model)}; {FOUND_NOTHING}"
    return shown


def reranked_passages(depths: Depths, retriever: str = RERANKED) -> str:
    """Returns words for the passages that the cross encoder was measured on."""
    first = f"first {depths.reranked:,}" if depths.reranked else "first"
    return f"over the {first} passages of {retriever}"


def _without_training(values: Percents, measure: str, results: Results) -> str:
    """Returns the line on BM25 and the initial weights."""
    known = [model for model in (BM25, START) if model in values]
    if not known:
        return "- Without training: neither BM25 nor the initial weights were measured."
    last = results.last
    reached = [f"{values[model]:.2f} with {_name(model, last)}" for model in known]
    line = f"- Without training: {measure} is {listed(reached)}."
    if BM25 in results.without_passages:
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


def falls(values: Percents, measure: str, last: str = RERANKED) -> Iterator[str]:
    """Yields a sentence for each stage that is below what came before it, with all numbers."""
    for stage, before in EARLIER.items():
        if stage not in values:
            continue
        earlier = [last if model == LAST else model for model in before]
        above = [model for model in earlier if values.get(model, 0) > values[stage]]
        if above:
            reached = [f"{_name(model, last)} with {values[model]:.2f}" for model in above]
            yield f"{stage} has {measure} {values[stage]:.2f}, below {listed(reached)}."


def listed(words: Sequence[str]) -> str:
    """Returns words with commas and a last `and`."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _name(model: str, last: str) -> str:
    """Returns the name of a model in a sentence; last: the last dual encoder of the flight."""
    if model == START:
        return GIVEN[START] if _is_adapted(last) else DESCRIPTIONS[START]
    return "BM25" if model == BM25 else model
