"""Which measures a run is deep enough for: a run of 100 passages for each query has no Recall@1000.

Success@k, Recall@k and accuracy@k are left out where k is above the depth. MRR@k, nDCG@k and MAP@k
are kept and the depth is said, because the first ranks decide them, and a passage that was not
retrieved counts 0 by their definitions.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from rocketqa.evaluation.measures import Warn, parse_measure
from rocketqa.evaluation.rankings import RankedRun
from rocketqa.jobs.manifest import flag_of, verb_of

NEED_DEPTH = ("Success", "Recall", "accuracy")
COMPLETE_WHEN_SHORT = (
    "retrieve",
    "bm25",
    "fuse",
)  # such a run is short where nothing more was found


def depth_of(run: Path, longest: int) -> int:
    """Returns how many passages for each query a run holds, or could have held.

    longest: the number of passages of its longest ranking. By their manifests, some runs may have
    been asked for more passages than there are; they are complete up to the depth of that job. A
    run of `score` goes no deeper than what was re-ranked.
    """
    asked = flag_of(run, "depth")
    if not isinstance(asked, int):
        return longest
    verb = verb_of(run)
    if verb in COMPLETE_WHEN_SHORT:
        return max(longest, asked)
    if verb == "score":
        return min(longest, asked)
    return longest


def deepest_rank(measures: Sequence[str]) -> int:
    """Returns the largest k of measures that all have one."""
    return max(parse_measure(measure)[1] or 0 for measure in measures)


def measures_of_labels(
    run: Path, longest: int, measures: Sequence[str], mode: str, warn: Warn
) -> list[str]:
    """Returns the measures that the run is deep enough for; in official mode all.

    The official script fills each ranking up to 1,000 passages, so it has every measure.
    """
    depth = depth_of(run, longest)
    if mode == "official":
        _warn_of_missing_ranks(run, depth, _beyond(depth, measures), warn)
        return list(measures)
    return _measures_within(run, depth, measures, warn)


def measures_of_answers(
    run: Path,
    ranked_run: RankedRun,
    judged: Iterable[str],
    measures: Sequence[str],
    mode: str,
    warn: Warn,
) -> list[str]:
    """Returns the accuracies that the run is deep enough for; in released mode all.

    DPR's script, which is official mode, prints none beyond the length of the first query's list.
    judged: the ids of the queries with answers.
    """
    if mode == "strict":
        return _measures_within(run, depth_of(run, ranked_run.depth), measures, warn)
    if mode == "released":
        _warn_of_missing_ranks(run, ranked_run.depth, _beyond(ranked_run.depth, measures), warn)
        return list(measures)
    rankings = ranked_run.rankings
    lengths = (len(rankings[query_id]) for query_id in judged if query_id in rankings)
    first_length = next(lengths, 0)
    beyond = _beyond(first_length, measures) if first_length else []
    if beyond:
        warn(f"{run}: no {', '.join(beyond)}: the first query has {first_length} passages")
    return [measure for measure in measures if measure not in beyond]


def _measures_within(run: Path, depth: int, measures: Sequence[str], warn: Warn) -> list[str]:
    """Returns the measures that a run of a depth has, and says what the others lack."""
    beyond = _beyond(depth, measures)
    lacking = [measure for measure in beyond if measure.startswith(NEED_DEPTH)]
    if lacking:
        warn(f"{run}: no {', '.join(lacking)}: the run has at most {depth} passages for a query")
    shallow = [measure for measure in beyond if measure not in lacking]
    _warn_of_missing_ranks(run, depth, shallow, warn)
    return [measure for measure in measures if measure not in lacking]


def _beyond(depth: int, measures: Sequence[str]) -> list[str]:
    """Returns the measures whose k is above a depth."""
    beyond = []
    for measure in measures:
        _, k = parse_measure(measure)
        if k is not None and k > depth:
            beyond.append(measure)
    return beyond


def _warn_of_missing_ranks(run: Path, depth: int, measures: Sequence[str], warn: Warn) -> None:
    """Says, where there are any such measures, that the run ends at its depth."""
    if measures:
        warn(f"{run}: {', '.join(measures)}: the run has no passage beyond rank {depth}")
