"""Evaluate a run against judgements; prints measure<TAB>value lines."""
import sys
from argparse import ArgumentParser

from rocketqa.artefacts import Job
from rocketqa.flags import InputPath, add_job_flags
from rocketqa.formats import read_positives, write_lines
from rocketqa.measures import mean, per_query, read_rankings

DEFAULT_MEASURES = ("MRR@10", "Success@1", "Success@50", "Success@1000", "Recall@50", "Recall@1000")


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa evaluate", description=__doc__)
    add_job_flags(parser, output_required=False)
    parser.add_argument("--run", type=InputPath, required=True)
    parser.add_argument("--qrels", type=InputPath, required=True)
    parser.add_argument("--measures", nargs="+", default=list(DEFAULT_MEASURES), help="MRR@k, Success@k, Recall@k")
    parser.add_argument("--mode", choices=("strict", "official"), default="strict",
                        help="refuse a faulty run, or score it as the official MS MARCO script does")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.output is None:
        print("\n".join(_evaluate(args)))
        return 0
    job = Job("evaluate", args)
    status = job.settle(args.check)
    if status is None:
        with job as part:
            write_lines(part / args.output.name, _evaluate(args))
        print(args.output.read_text(encoding="utf-8"), end="")
    return status or 0


def _evaluate(args) -> list[str]:
    rankings, positives = read_rankings(args.run, args.mode), read_positives(args.qrels)
    lines = [f"{measure}\t{mean(per_query(rankings, positives, measure))!r}" for measure in args.measures]
    counts = {"queries_judged": len(positives), "queries_retrieved": len(rankings),
              "queries_evaluated": len(positives.keys() & rankings.keys())}
    if len(set(counts.values())) > 1:
        print(f"{args.run}: " + ", ".join(f"{name} {count}" for name, count in counts.items()), file=sys.stderr)
    return lines + [f"{name}\t{count}" for name, count in counts.items()]
