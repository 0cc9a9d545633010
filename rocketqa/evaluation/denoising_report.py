"""The denoising report: what the cross encoder's thresholds do to a run.

by_rank         share of the unlabelled passages that denoising removes, by rank: figure 5
by_score        histogram of P(relevant)
max_negative    what each threshold leaves as hard negatives, and how many of them are wrong
min_positive    how many queries would get a pseudo-positive with each threshold
removals        some removed passages with their texts

The two tables of thresholds also count held-out pairs, where there are such pairs.

The kinds of passages and the truth are explained in `rocketqa.evaluation.denoising_counts`.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import pairwise

import numpy as np

from rocketqa.evaluation.calibration import (
    HeldOutPairs,
    with_wrong_negatives,
    with_wrong_positives,
)
from rocketqa.evaluation.denoising_counts import (
    IRRELEVANT,
    LABELLED,
    RANK_ENDS,
    RELEVANT,
    UNKNOWN,
    DenoisingCounts,
)
from rocketqa.evaluation.pseudo_label_samples import PseudoLabelSamples
from rocketqa.evaluation.tables import Table, markdown_lines
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query
from rocketqa.files.runs import RunFile

HEADINGS = {
    "by_rank": "Unlabelled passages removed, by rank (the paper's figure 5)",
    "by_score": "Passages by P(relevant)",
    "max_negative": "Thresholds below which a passage is a negative",
    "min_positive": "Thresholds above which a query's best passage is a positive",
    "removals": "Removals, drawn by chance",
}
YES_OR_NO = {True: "yes", False: "no", None: ""}

Positives = Mapping[str, Collection[str]]  # query_id -> ids of its relevant passages


def count_run(
    run: RunFile,
    scores: RunFile,
    passages: Mapping[str, Passage],
    positives: Positives,
    truth: Positives,
    depth: int,
    counts: DenoisingCounts,
    samples: PseudoLabelSamples | None = None,
) -> None:
    """Adds the top `depth` passages of all queries of a run to the counts, and to the samples of
    pseudo-labels.

    scores: the run scored by the cross encoder. Raises DataError if a passage has no score, or if
    the collection lacks it.
    """
    for query_id, ranking in run.items():
        top = ranking[:depth]
        for scored in top:
            if scored.passage_id not in passages:
                raise DataError(
                    f"{run.path}: expected passages of the collection, got {scored.passage_id!r}"
                )
        positive_ids = positives.get(query_id, ())
        scores_of_query = scores.scores(query_id)
        counts.add(query_id, top, scores_of_query, positive_ids, truth.get(query_id))
        if samples is not None:
            samples.add(query_id, top, scores_of_query, truth.get(query_id))


def denoising_tables(
    counts: DenoisingCounts,
    queries: Mapping[str, Query],
    passages: Mapping[str, Passage],
    held_out: HeldOutPairs | None = None,
) -> dict[str, Table]:
    """Returns name -> table of the report."""
    tables = {
        "by_rank": by_rank(counts),
        "by_score": by_score(counts),
        "max_negative": by_max_negative(counts),
        "min_positive": by_min_positive(counts),
        "removals": removals_with_texts(counts, queries, passages),
    }
    if held_out is not None:
        tables["max_negative"] = with_wrong_negatives(tables["max_negative"], held_out)
        tables["min_positive"] = with_wrong_positives(tables["min_positive"], held_out)
    return tables


def report_lines(tables: Mapping[str, Table]) -> Iterator[str]:
    """Yields the lines of report.md."""
    for name, table in tables.items():
        yield from ("", f"## {HEADINGS[name]}", "")
        yield from markdown_lines(table)


def by_rank(counts: DenoisingCounts) -> Table:
    """Returns figure 5: the share of the unlabelled passages that is removed, by range of ranks.

    The last four columns are empty where no truth is known.
    """
    columns = "first_rank last_rank unlabelled removed share_removed"
    by_truth = "relevant relevant_removed irrelevant irrelevant_removed"
    table: Table = [[*columns.split(), *by_truth.split()]]
    passages = counts.passages.sum(-1)  # [kind, range of ranks]
    removed = passages - counts.passages_below(counts.max_negative)
    first_ranks = [1, *(RANK_ENDS + 1)]
    last_ranks = [*RANK_ENDS, "more"]
    for place, (first, last) in enumerate(zip(first_ranks, last_ranks)):
        here = passages[:, place]
        removed_here = removed[:, place]
        unlabelled = here[UNKNOWN:].sum()
        if unlabelled == 0:
            continue
        all_removed = removed_here[UNKNOWN:].sum()
        row: list[object] = [first, last, unlabelled, all_removed, share(all_removed, unlabelled)]
        if here[IRRELEVANT:].any():
            row += [here[RELEVANT], removed_here[RELEVANT]]
            row += [here[IRRELEVANT], removed_here[IRRELEVANT]]
        else:
            row += [""] * 4
        table.append(row)
    return table


def by_score(counts: DenoisingCounts) -> Table:
    """Returns the histogram of P(relevant)."""
    table: Table = [["from", "below", "labelled", "unlabelled", "relevant", "irrelevant"]]
    passages = counts.passages.sum(1)  # [kind, interval]
    bounds = [0.0, *counts.edges, 1.0]
    for place, (low, high) in enumerate(pairwise(bounds)):
        here = passages[:, place]
        unlabelled = here[UNKNOWN:].sum()
        table.append([low, high, here[LABELLED], unlabelled, here[RELEVANT], here[IRRELEVANT]])
    return table


def by_max_negative(counts: DenoisingCounts) -> Table:
    """Returns what each threshold leaves as hard negatives, and how many of these are wrong."""
    columns = "threshold negatives share_removed queries_with_negatives"
    errors = "labelled_taken_for_negatives share_of_negatives_relevant"
    table: Table = [[*columns.split(), *errors.split()]]
    passages = counts.passages.sum((1, 2))  # [kind]
    unlabelled = passages[UNKNOWN:].sum()
    for edge in counts.edges:
        below = counts.passages_below(edge).sum(1)  # [kind]
        negatives = below[UNKNOWN:].sum()
        row = [
            edge,
            negatives,
            share(unlabelled - negatives, unlabelled),
            counts.queries_with_score_below(edge),
            share(below[LABELLED], passages[LABELLED]),
            share(below[RELEVANT], below[IRRELEVANT] + below[RELEVANT]),
        ]
        table.append(row)
    return table


def by_min_positive(counts: DenoisingCounts) -> Table:
    """Returns how many queries would get a pseudo-positive with each threshold.

    The last column is the share of the pseudo-positives that are relevant by the labels or the
    truth, among those that are known to be relevant or irrelevant.
    """
    columns = "threshold queries_with_a_positive share_of_queries labelled_or_relevant"
    table: Table = [list(columns.split())]
    for edge in counts.edges:
        above = counts.best_above(edge)  # [kind]
        positives = above.sum()
        right = above[LABELLED] + above[RELEVANT]
        judged = right + above[IRRELEVANT]
        table.append([edge, positives, share(positives, counts.queries), share(right, judged)])
    return table


def removals_with_texts(
    counts: DenoisingCounts, queries: Mapping[str, Query], passages: Mapping[str, Passage]
) -> Table:
    """Returns some removed passages with their texts, to be read by a person."""
    columns = "query_id query rank score passage_id title text relevant"
    table: Table = [list(columns.split())]
    for removal in counts.removals():
        passage = passages[removal.passage_id]
        row = [
            removal.query_id,
            queries[removal.query_id].text,
            removal.rank,
            f"{removal.score:.4g}",
            removal.passage_id,
            passage.title,
            passage.text,
            YES_OR_NO[removal.relevant],
        ]
        table.append(row)
    return table


def share(part: np.integer, whole: np.integer | int) -> float | str:
    """Returns part / whole to four digits; an empty text if the whole is 0."""
    return round(float(part / whole), 4) if whole else ""
