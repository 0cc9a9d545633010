"""Evaluate a run against labels or answers; prints `measure<TAB>value` lines."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_job_flags,
    job_of,
    to_file,
    to_path,
    to_text,
)
from rocketqa.evaluation.measures import parse_measure
from rocketqa.evaluation.run_evaluation import (
    Evaluation,
    evaluate_by_answers,
    evaluate_by_labels,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import WHOLE_FROM_1
from rocketqa.jobs.digests import refuse_damaged

LABEL_MEASURES = ("MRR@10", "Success@1", "Success@50", "Success@1000", "Recall@50", "Recall@1000")
ANSWER_MEASURES = ("accuracy@5", "accuracy@20", "accuracy@100")
RELEASED_MEASURES = ("accuracy@5", "accuracy@10", "accuracy@20", "accuracy@50", "accuracy@100")
INPUTS = ("run", "qrels", "answers", "collection")
FLAGS_OF_STRICT_MODE = {"order": "rank", "relevance_level": 1, "ignore_identical_ids": False}
EXAMPLE = "rocketqa evaluate --run dev.run --qrels qrels.dev.tsv --measures MRR@10 Recall@50"


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa evaluate", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser, output_required=False)
    parser.add_argument("--run", type=to_file, required=True, help="the run to evaluate")
    judged_by = parser.add_mutually_exclusive_group(required=True)
    judged_by.add_argument("--qrels", type=to_file, help="labels: they name the relevant passages")
    judged_by.add_argument(
        "--answers",
        type=to_file,
        help="a passage is relevant if its text, in --collection, holds an answer of its query",
    )
    parser.add_argument(
        "--collection", type=to_path, help="with --answers: the passages' texts (default: none)"
    )
    parser.add_argument(
        "--measures",
        type=to_text,
        nargs="+",
        metavar="MEASURE",
        help="MRR@k, Success@k, Recall@k, nDCG@k, MAP@k or MAP; with --answers accuracy@k; a "
        "Success, Recall or accuracy whose k is beyond the depth of the run is left out "
        f"(default: {' '.join(LABEL_MEASURES)}; with --answers {' '.join(ANSWER_MEASURES)}; "
        f"with --mode released {' '.join(RELEASED_MEASURES)})",
    )
    parser.add_argument(
        "--mode",
        choices=("strict", "official", "released"),
        default="strict",
        help="strict: refuse a faulty run; official: evaluate it as the official MS MARCO script "
        "and DPR's script do; released: with --answers, as the released code does, over the "
        "queries of the run (default: %(default)s)",
    )
    _add_ranking_flags(parser)
    _add_answer_flags(parser)
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="let a run without a judged query count 0, as a baseline may find nothing "
        "(default: refuse it)",
    )
    return parser


def _add_ranking_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--order",
        choices=("rank", "score"),
        default="rank",
        help="the order that is measured in strict mode: score reads no ranks, as trec_eval; equal "
        "scores are then ordered by passage_id, descending (default: %(default)s)",
    )
    parser.add_argument(
        "--relevance-level",
        type=NumberType(WHOLE_FROM_1),
        default=1,
        help="with --qrels: a passage is relevant from this relevance on; the gains of nDCG are "
        "the relevance itself (default: %(default)s)",
    )
    parser.add_argument(
        "--ignore-identical-ids",
        action="store_true",
        help="with --qrels: leave out the passage that has the id of its query, where the queries "
        "stand in the collection, as in BEIR's ArguAna and Quora (default: no)",
    )


def _add_answer_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--match",
        choices=("string", "regex", "characters"),
        default="string",
        help="answers are texts, or regular expressions (DPR's option for CuratedTREC), or texts "
        "that are compared by characters where they have no blanks (Chinese, Japanese, Thai ...) "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--with-titles",
        action="store_true",
        help="search `title . text` for the answers, not the text alone (as DPR can; default: no)",
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    args.measures = args.measures or list(_default_measures(args))
    _check_flags(args)
    _check_flags_of_strict_mode(args)
    if args.output is None:
        refuse_damaged(args.run, args.qrels, args.answers, args.collection)
        print("\n".join(_evaluate(args).lines()))
        return 0
    not_identity = ["allow_empty", *_unchanged_flags(args)]
    job = job_of("evaluate", args, inputs=INPUTS, not_identity=not_identity)

    def make(part: Path) -> None:
        lines = _evaluate(args).lines()
        write_lines(part / args.output.name, lines)
        print("\n".join(lines))

    return job.run(make, args.check)


def _default_measures(args: Namespace) -> tuple[str, ...]:
    if args.mode == "released":
        return RELEASED_MEASURES
    return ANSWER_MEASURES if args.answers else LABEL_MEASURES


def _check_flags(args: Namespace) -> None:
    if bool(args.answers) != bool(args.collection):
        raise DataError("--collection: expected it together with --answers, got one alone")
    if args.qrels and (args.mode == "released" or args.match != "string" or args.with_titles):
        raise DataError(
            "--mode released, --match, --with-titles: expected them with --answers, got --qrels"
        )
    for measure in args.measures:
        parse_measure(measure)
        if measure.startswith("accuracy@") != bool(args.answers):
            raise DataError(
                f"--measures: expected accuracy@k with --answers and no other, got {measure}"
            )


def _check_flags_of_strict_mode(args: Namespace) -> None:
    """Raises DataError for a flag that changes what an official script measures."""
    for name in FLAGS_OF_STRICT_MODE:
        if getattr(args, name) == FLAGS_OF_STRICT_MODE[name]:
            continue
        flag = f"--{name.replace('_', '-')}"
        if args.mode != "strict":
            raise DataError(f"{flag}: expected it with --mode strict, got {args.mode}")
        if args.answers and name != "order":
            raise DataError(f"{flag}: expected it with --qrels, got --answers")


def _unchanged_flags(args: Namespace) -> list[str]:
    """Returns the later flags that have their default: a job without them is the same job."""
    defaults = FLAGS_OF_STRICT_MODE.items()
    return [name for name, default in defaults if getattr(args, name) == default]


def _evaluate(args: Namespace) -> Evaluation:
    if args.qrels:
        return evaluate_by_labels(
            args.run,
            args.qrels,
            args.measures,
            args.mode,
            _warn,
            order=args.order,
            relevance_level=args.relevance_level,
            ignore_identical_ids=args.ignore_identical_ids,
            allow_empty=args.allow_empty,
        )
    return evaluate_by_answers(
        args.run,
        args.answers,
        args.collection,
        args.measures,
        args.mode,
        _warn,
        match=args.match,
        with_titles=args.with_titles,
        order=args.order,
        allow_empty=args.allow_empty,
    )


def _warn(message: str) -> None:
    print(message, file=sys.stderr)
