"""Evaluate a run against labels or answers; prints `measure<TAB>value` lines."""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path, to_text
from rocketqa.evaluation.measures import parse_measure
from rocketqa.evaluation.run_evaluation import (
    Evaluation,
    evaluate_by_answers,
    evaluate_by_labels,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines

LABEL_MEASURES = ("MRR@10", "Success@1", "Success@50", "Success@1000", "Recall@50", "Recall@1000")
ANSWER_MEASURES = ("accuracy@5", "accuracy@20", "accuracy@100")
RELEASED_MEASURES = ("accuracy@5", "accuracy@10", "accuracy@20", "accuracy@50", "accuracy@100")
INPUTS = ("run", "qrels", "answers", "collection")
EXAMPLE = "rocketqa evaluate --run dev.run --qrels qrels.dev.tsv --measures MRR@10 Recall@50"


def build_parser() -> ArgumentParser:
    """Returns the parser of the verb's flags."""
    parser = VerbParser("rocketqa evaluate", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser, output_required=False)
    parser.add_argument("--run", type=to_path, required=True, help="the run to evaluate")
    judged_by = parser.add_mutually_exclusive_group(required=True)
    judged_by.add_argument("--qrels", type=to_path, help="labels: they name the relevant passages")
    judged_by.add_argument(
        "--answers",
        type=to_path,
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
        help="MRR@k, Success@k or Recall@k; with --answers accuracy@k "
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
    parser.add_argument(
        "--allow-empty",
        action="store_true",
        help="let a run without a judged query count 0, as a baseline may find nothing "
        "(default: refuse it)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    args.measures = args.measures or list(_default_measures(args))
    _check_flags(args)
    if args.output is None:
        print("\n".join(_evaluate(args).lines()))
        return 0
    job = job_of("evaluate", args, inputs=INPUTS, not_identity=("allow_empty",))

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


def _evaluate(args: Namespace) -> Evaluation:
    if args.qrels:
        return evaluate_by_labels(
            args.run, args.qrels, args.measures, args.mode, _warn, allow_empty=args.allow_empty
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
        allow_empty=args.allow_empty,
    )


def _warn(message: str) -> None:
    print(message, file=sys.stderr)
