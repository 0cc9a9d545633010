"""Sample negatives: random passages, retrieved ones, or retrieved ones that the cross encoder rejects (denoised)."""
from argparse import ArgumentParser

from rocketqa.artefacts import Job
from rocketqa.denoised_hard_negatives import (
    cross_examples,
    drawn,
    dual_examples,
    filled,
    random_passages,
    rejected,
    unlabelled,
)
from rocketqa.flags import InputPath, add_job_flags
from rocketqa.formats import DataError, iterate_collection, line_of, read_positives, write_lines
from rocketqa.runs import RunFile, open_scores


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa sample-negatives", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--for", dest="purpose", choices=("dual", "cross"), required=True,
                        help="write examples.dual.tsv or examples.cross.tsv rows")
    parser.add_argument("--qrels", type=InputPath, required=True, help="the labelled positives")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--collection", type=InputPath, help="draw from all passages")
    source.add_argument("--run", type=InputPath, help="take from the retrieved passages")
    parser.add_argument("--also-positive", type=InputPath, help="qrels of further passages that are no negatives")
    parser.add_argument("--depth", type=int, default=1000, help="ranks of the run to look at")
    parser.add_argument("--order", choices=("rank", "random"), default="rank", help="which candidates come first")
    parser.add_argument("--scores", type=InputPath, help="a run scored by the cross encoder: denoise")
    parser.add_argument("--max-score", type=float, default=0.1, help="P(relevant) below which a passage is a negative")
    parser.add_argument("--fill-depth", type=int, default=0,
                        help="fill up from the ranks below --depth down to this one, without denoising (0: never)")
    parser.add_argument("--negatives", type=int, required=True,
                        help="negatives for each positive (dual: rows for each positive; cross: for each query)")
    parser.add_argument("--negatives-per-row", type=int, default=1, help="of examples.dual.tsv")
    parser.add_argument("--seed", type=int, required=True)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("sample-negatives", args)
    status = job.settle(args.check)
    if status is not None:
        return status
    with job as part:
        job.facts, lines = _sample(args)
        write_lines(part / args.output.name, lines)
    print(f"{args.output}: " + ", ".join(f"{count} {what}" for what, count in job.facts.items()))
    return 0


def _sample(args) -> tuple[dict[str, int], list[str]]:
    """Returns the counts for the manifest and the lines of the file."""
    positives = read_positives(args.qrels)
    barred = read_positives(args.qrels, args.also_positive) if args.also_positive else positives
    negatives_of = _from_collection(args, barred) if args.collection else _from_run(args, barred)
    lines, without = [], 0
    for query_id, known in positives.items():
        wanted = args.negatives * (args.negatives_per_row * len(known) if args.purpose == "dual" else 1)
        negatives = negatives_of(query_id, wanted)
        if args.purpose == "dual":
            rows = dual_examples(query_id, known, negatives, args.negatives, args.negatives_per_row)
        else:
            rows = cross_examples(query_id, known, negatives) if negatives else []
        before = len(lines)
        lines.extend(map(line_of, rows))
        without += len(lines) == before
    if not lines:
        raise DataError(f"{args.qrels}: expected a query with negatives, got none for {len(positives)} queries")
    return {"rows": len(lines), "queries": len(positives) - without, "queries without negatives": without}, lines


def _from_collection(args, barred):
    passage_ids = [passage.passage_id for passage in iterate_collection(args.collection)]
    return lambda query_id, wanted: random_passages(query_id, passage_ids, barred[query_id], wanted, args.seed)


def _from_run(args, barred):
    run = RunFile(args.run)
    scores = open_scores(args.scores) if args.scores else None

    def negatives_of(query_id: str, wanted: int) -> list[str]:
        ranking = run.get(query_id, [])
        candidates = unlabelled(ranking, barred[query_id], args.depth)
        if scores is not None:
            candidates = rejected(query_id, candidates, scores.scores(query_id), args.max_score)
        if args.order == "random":
            candidates = drawn(query_id, candidates, wanted, args.seed, "sample")
        if args.fill_depth:
            deeper = [scored.passage_id for scored in ranking if args.depth < scored.rank <= args.fill_depth
                      and scored.passage_id not in barred[query_id]]
            return filled(query_id, candidates[:wanted], deeper, wanted, args.seed)
        return candidates[:wanted]

    return negatives_of
