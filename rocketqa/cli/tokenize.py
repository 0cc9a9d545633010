"""Tokenise a collection or queries once, into a folder that other verbs take in their place."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import add_job_flags
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa tokenize", description=__doc__)
    add_job_flags(parser)
    parser.add_argument(
        "--checkpoint",
        type=InputPath,
        required=True,
        help="whose tokenizer: a checkpoint, or a folder with vocab.txt (and tokenizer_config.json)",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--collection", type=InputPath)
    source.add_argument("--queries", type=InputPath)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.jobs.progress import bar
    from rocketqa.text.token_store import COLLECTION, QUERIES, finish_store, write_store
    from rocketqa.text.tokenizer import load_text_encoder

    encoder = load_text_encoder(Path(args.checkpoint))
    args.checkpoint, args.tokenizer = (
        str(args.checkpoint),
        encoder.digest,
    )  # any folder with this tokenizer does
    job = Job("tokenize", args, not_identity=("checkpoint",))
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    kind, source = (COLLECTION, args.collection) if args.collection else (QUERIES, args.queries)
    with job as part, bar(unit="text", desc=f"tokenize {args.output.name}") as progress:
        rows = write_store(part, kind, Path(source), encoder, told=progress.update)
        finish_store(part, kind, rows, encoder)
        job.facts = {"rows": rows}
    print(f"{args.output}: {rows:,} rows")
    return 0
