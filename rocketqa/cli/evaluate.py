"""Evaluate a run against judgements or answers; prints measure<TAB>value lines."""

import sys
from argparse import ArgumentParser

from rocketqa.cli.flags import add_job_flags
from rocketqa.evaluation.measures import (
    OFFICIAL,
    mean,
    parse_measure,
    per_query,
    read_answered,
    read_judgements,
    read_rankings,
    repeated,
)
from rocketqa.files.answers import has_answer, has_pattern, tokens
from rocketqa.files.collection import CollectionFile
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_answers, write_lines
from rocketqa.files.rows import FIRST_FAULT
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

DEFAULT_MEASURES = ("MRR@10", "Success@1", "Success@50", "Success@1000", "Recall@50", "Recall@1000")
ANSWER_MEASURES = ("accuracy@5", "accuracy@20", "accuracy@100")
RELEASED_MEASURES = ("accuracy@5", "accuracy@10", "accuracy@20", "accuracy@50", "accuracy@100")
SHOWN_IDS = 3


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa evaluate", description=__doc__)
    add_job_flags(parser, output_required=False)
    parser.add_argument("--run", type=InputPath, required=True)
    truth = parser.add_mutually_exclusive_group(required=True)
    truth.add_argument("--qrels", type=InputPath)
    truth.add_argument(
        "--answers", type=InputPath, help="search the passages' texts, of --collection, for these"
    )
    parser.add_argument("--collection", type=InputPath)
    parser.add_argument(
        "--measures", nargs="+", help="MRR@k, Success@k, Recall@k; with --answers accuracy@k"
    )
    parser.add_argument(
        "--mode",
        choices=("strict", "official", "released"),
        default="strict",
        help="refuse a faulty run; score it as the official MS MARCO script and DPR do; or, answers, "
        "as the released code does, over the queries of the run",
    )
    parser.add_argument(
        "--match",
        choices=("string", "regex"),
        default="string",
        help="answers are texts, or regular expressions (DPR's option for CuratedTREC)",
    )
    parser.add_argument(
        "--with-titles",
        action="store_true",
        help="search `title . text` for the answers, not the text alone (DPR's option)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    args.measures = args.measures or list(
        RELEASED_MEASURES
        if args.mode == "released"
        else ANSWER_MEASURES
        if args.answers
        else DEFAULT_MEASURES
    )
    _check_flags(args)
    if args.output is None:
        print("\n".join(_evaluate(args)))
        return 0
    job = Job("evaluate", args)
    status = job.status_if_done(args.check)
    if status is None:
        with job as part:
            write_lines(part / args.output.name, _evaluate(args))
        print(args.output.read_text(encoding="utf-8"), end="")
    return status or 0


def _check_flags(args) -> None:
    if bool(args.answers) != bool(args.collection):
        raise DataError("--collection: expected it together with --answers, got one alone")
    if args.qrels and (args.mode == "released" or args.match == "regex" or args.with_titles):
        raise DataError(
            "--mode released, --match, --with-titles: expected them with --answers, got --qrels"
        )
    for measure in args.measures:
        parse_measure(measure)
        if measure.startswith("accuracy@") != bool(args.answers):
            raise DataError(
                f"--measures: expected accuracy@k with --answers and no other, got {measure}"
            )


def _evaluate(args) -> list[str]:
    if args.answers:
        depth = max(parse_measure(measure)[1] for measure in args.measures)
        answers = _read_answers(args)
        rankings, positives = read_answered(
            args.run,
            answers,
            CollectionFile(args.collection),
            depth,
            args.mode,
            has_pattern if args.match == "regex" else has_answer,
            args.with_titles,
        )
        _check_queries(args, rankings, positives)
        measures = _within_first_list(args, rankings, positives)
    else:
        rankings, judgements = (
            read_rankings(args.run, args.mode),
            read_judgements(args.qrels, args.mode),
        )
        _check_queries(args, rankings, judgements)
        positives = {query_id: relevant for query_id, relevant in judgements.items() if relevant}
        measures = args.measures
    lines = [
        f"{measure}\t{mean(per_query(rankings, positives, measure))!r}" for measure in measures
    ]
    return lines + [
        f"{name}\t{count}" for name, count in _counts(args, rankings, positives).items()
    ]


def _read_answers(args) -> dict[str, tuple[str, ...]]:
    """Returns query_id -> answers; the lenient modes say how many are in any passage."""
    answers = read_answers(args.answers, FIRST_FAULT if args.mode == "strict" else OFFICIAL)
    if args.mode == "released":
        answers = {
            query_id: tuple(answer.strip(".") for answer in own)
            for query_id, own in answers.items()
        }
    if empty := args.match == "string" and sum(
        not tokens(answer) for own in answers.values() for answer in own
    ):
        print(
            f"{args.answers}: {empty} answers have no token, so that any passage holds them",
            file=sys.stderr,
        )
    return answers


def _check_queries(args, rankings, judgements) -> None:
    """Says which queries nobody judged, and what official mode lets pass."""
    unknown = [query_id for query_id in rankings if query_id not in judgements]
    if 0 < len(unknown) < len(rankings):
        print(
            f"{args.run}: {len(unknown)} queries are not in {args.qrels or args.answers} and are left out: "
            f"{_some(unknown)}",
            file=sys.stderr,
        )
    if args.mode == "official" and (twice := repeated(rankings)):
        print(
            f"{args.run}: {len(twice)} passages stand twice in a query's list, the first: query {twice[0][0]}, "
            f"passage {twice[0][1]}",
            file=sys.stderr,
        )


def _within_first_list(args, rankings, positives) -> list[str]:
    """Returns the measures that there are: DPR's table ends in official mode where the first query's list ends."""
    first = next((len(rankings[query_id]) for query_id in positives if query_id in rankings), 0)
    beyond = [
        name
        for name in args.measures
        if args.mode == "official" and parse_measure(name)[1] > first > 0
    ]
    if beyond:
        print(
            f"{args.run}: no {', '.join(beyond)}: the first query has {first} passages",
            file=sys.stderr,
        )
    return [name for name in args.measures if name not in beyond]


def _counts(args, rankings, positives) -> dict[str, int]:
    """Returns how many queries were judged, retrieved and both; says where they differ."""
    counts = {
        "queries_judged": len(positives),
        "queries_retrieved": len(rankings),
        "queries_evaluated": len(positives.keys() & rankings.keys()),
    }
    if len(set(counts.values())) > 1:
        print(
            f"{args.run}: " + ", ".join(f"{name} {count}" for name, count in counts.items()),
            file=sys.stderr,
        )
        if missing := [query_id for query_id in positives if query_id not in rankings]:
            print(
                f"{args.run}: {len(missing)} judged queries are not in the run and count 0: {_some(missing)}",
                file=sys.stderr,
            )
    return counts


def _some(ids: list[str]) -> str:
    return ", ".join(ids[:SHOWN_IDS]) + (", ..." if len(ids) > SHOWN_IDS else "")
