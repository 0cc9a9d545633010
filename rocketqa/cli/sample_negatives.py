"""Sample negatives: random passages, retrieved ones, or retrieved ones that the cross encoder rejects (denoised)."""

from argparse import ArgumentParser
from collections.abc import Callable, Collection, Iterator

from rocketqa.cli.flags import add_job_flags, finite, positive
from rocketqa.denoised_hard_negatives import (
    cross_examples,
    drawn,
    dual_examples,
    filled,
    in_order,
    random_passages,
    rejected,
    unlabelled,
    with_answer,
)
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.formats import (
    iterate_collection,
    line_of,
    read_answers,
    read_positives,
    write_lines,
)
from rocketqa.files.rows import Check
from rocketqa.files.runs import RunFile, open_scores
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

Truth = tuple[
    str, list[str], Collection[str]
]  # a query, its positives, and what is no negative of it
NegativesOf = Callable[
    [str, Collection[str], int], list[str]
]  # query_id, no negatives, how many -> negatives


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa sample-negatives", description=__doc__)
    add_job_flags(parser)
    parser.add_argument(
        "--for",
        dest="purpose",
        choices=("dual", "cross"),
        required=True,
        help="write examples.dual.tsv or examples.cross.tsv rows",
    )
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument("--qrels", type=InputPath, help="the labelled positives")
    truth.add_argument(
        "--answers",
        type=InputPath,
        help="the positive is the first passage of the run that holds one of these, in text or title; "
        "those that hold one are no negatives (needs --run and --collection)",
    )
    parser.add_argument("--run", type=InputPath, help="take from the retrieved passages")
    parser.add_argument(
        "--collection", type=InputPath, help="without --run: draw from all passages"
    )
    parser.add_argument(
        "--also-positive", type=InputPath, help="qrels of further passages that are no negatives"
    )
    parser.add_argument("--depth", type=positive, default=1000, help="ranks of the run to look at")
    parser.add_argument(
        "--order", choices=("rank", "random"), default="rank", help="which candidates come first"
    )
    parser.add_argument(
        "--scores", type=InputPath, help="a run scored by the cross encoder: denoise"
    )
    parser.add_argument(
        "--max-score",
        type=finite,
        default=0.1,
        help="P(relevant) below which a passage is a negative",
    )
    parser.add_argument(
        "--fill-depth",
        type=int,
        default=0,
        help="fill up from the ranks below --depth down to this one, without denoising (0: never)",
    )
    parser.add_argument(
        "--negatives",
        type=positive,
        required=True,
        help="negatives for each positive (dual: rows for each positive; cross: for each query)",
    )
    parser.add_argument(
        "--negatives-per-row", type=positive, default=1, help="of examples.dual.tsv"
    )
    parser.add_argument("--seed", type=int, required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    _check_flags(args)
    job = Job("sample-negatives", args)
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    with job as part:
        job.facts, lines = _sample(args)
        write_lines(part / args.output.name, lines)
    print(f"{args.output}: " + ", ".join(f"{count} {what}" for what, count in job.facts.items()))
    return 0


def _check_flags(args) -> None:
    sources = [name for name in ("run", "collection") if getattr(args, name)]
    if args.answers and len(sources) < 2:
        raise DataError(
            f"--answers: expected --run and --collection with it, got {' '.join(sources) or 'neither'}"
        )
    if args.qrels and len(sources) != 1:
        raise DataError(
            f"--qrels: expected --run or --collection with it, got {' and '.join(sources) or 'neither'}"
        )


def _sample(args) -> tuple[dict[str, int], list[str]]:
    """Returns the counts for the manifest and the lines of the file."""
    passages = CollectionFile(args.collection) if args.answers else None
    run = RunFile(args.run, Check(passage_ids=passages)) if args.run else None
    known_ids: set[str] | None = None if args.run else set()
    negatives_of = _from_run(args, run) if args.run else _from_collection(args, known_ids)
    truths = (
        _by_answers(args, run, passages)
        if args.answers
        else _by_labels(args, Check(passage_ids=known_ids))
    )
    lines, queries, without = [], 0, 0
    for query_id, known, barred in truths:
        wanted = args.negatives * (
            args.negatives_per_row * len(known) if args.purpose == "dual" else 1
        )
        negatives = negatives_of(query_id, barred, wanted)
        if args.purpose == "dual":
            rows = dual_examples(query_id, known, negatives, args.negatives, args.negatives_per_row)
        elif (
            negatives or args.answers
        ):  # Official code: by answers, a positive or a negative stands alone too
            rows = cross_examples(query_id, known, negatives)
        else:
            rows = []
        before, queries = len(lines), queries + 1
        lines.extend(map(line_of, rows))
        without += len(lines) == before
    if not lines and args.scores:
        raise DataError(
            f"{args.scores}: expected a passage with P(relevant) below {args.max_score}, got none for "
            f"{queries} queries (report-denoising shows how sure it is)"
        )
    if not lines:
        raise DataError(
            f"{args.qrels or args.answers}: expected a query with negatives, got none for {queries} "
            f"queries"
        )
    return {"rows": len(lines), "queries": queries - without, "queries left out": without}, lines


def _by_labels(args, check: Check) -> Iterator[Truth]:
    positives = read_positives(args.qrels, check=check)
    barred = (
        read_positives(args.qrels, args.also_positive, check=check)
        if args.also_positive
        else positives
    )
    for query_id, known in positives.items():
        yield query_id, in_order(known), barred[query_id]


def _by_answers(args, run: RunFile, passages: CollectionFile) -> Iterator[Truth]:
    also = read_positives(args.also_positive) if args.also_positive else {}
    for query_id, answers in read_answers(args.answers).items():
        top = [
            scored
            for scored in run.get(query_id, ())
            if scored.rank <= max(args.depth, args.fill_depth)
        ]
        holding = with_answer(top, passages, answers)
        first = [
            scored.passage_id
            for scored in top
            if scored.rank <= args.depth and scored.passage_id in holding
        ][:1]
        yield query_id, first, holding.union(also.get(query_id, ()))


def _from_collection(args, known_ids: set[str]) -> NegativesOf:
    passage_ids = in_order(
        passage.passage_id for passage in iterate_collection(args.collection, seen=known_ids)
    )
    return lambda query_id, barred, wanted: random_passages(
        query_id, passage_ids, barred, wanted, args.seed
    )


def _from_run(args, run: RunFile) -> NegativesOf:
    scores = open_scores(args.scores) if args.scores else None

    def negatives_of(query_id: str, barred: Collection[str], wanted: int) -> list[str]:
        ranking = run.get(query_id, [])
        candidates = unlabelled(ranking, barred, args.depth)
        if scores is not None:
            candidates = rejected(query_id, candidates, scores.scores(query_id), args.max_score)
        if args.order == "random":
            candidates = drawn(query_id, candidates, wanted, args.seed, "sample")
        if args.fill_depth:
            deeper = unlabelled(
                [scored for scored in ranking if scored.rank > args.depth], barred, args.fill_depth
            )
            return filled(query_id, candidates[:wanted], deeper, wanted, args.seed)
        return candidates[:wanted]

    return negatives_of
