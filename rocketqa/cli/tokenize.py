"""Tokenise a collection or queries once, into a folder that other verbs take in their place."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path
from rocketqa.jobs.digests import refuse_damaged
from rocketqa.text.tokenizer import TextEncoder, load_text_encoder, text_encoder_of

EXAMPLE = (
    "rocketqa tokenize --checkpoint checkpoints/dual_encoder --collection collection.tsv "
    "--output tokens/collection"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa tokenize", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        required=True,
        metavar="DIR",
        help="take the tokenizer of this checkpoint, of a folder with vocab.txt "
        "(and tokenizer_config.json), or of a model whose name PaddleNLP knows",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--collection", type=to_path, metavar="FILE", help="tokenise a collection.tsv"
    )
    source.add_argument(
        "--queries", type=to_path, metavar="FILE", help="tokenise a queries.SPLIT.tsv"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    from rocketqa.jobs.progress import bar
    from rocketqa.text.token_store import COLLECTION, QUERIES, finish_store, write_store

    encoder = _text_encoder(args.checkpoint)
    kind = COLLECTION if args.collection else QUERIES
    job = job_of(
        "tokenize",
        args,
        inputs=("collection", "queries"),
        not_identity=("checkpoint",),  # every folder with the same tokenizer gives the same bytes
        tokenizer=encoder.digest,
    ).of_folder()

    def write(part: Path) -> None:
        with bar(unit="text", desc=f"tokenize {args.output.name}") as progress:
            source = args.collection or args.queries
            rows = write_store(part, kind, source, encoder, advance=progress.update)
        finish_store(part, kind, rows, encoder)
        job.facts["rows"] = rows
        print(f"{args.output}: {rows:,} rows")

    return job.run(write, args.check)


def _text_encoder(source: Path) -> TextEncoder:
    """Returns the tokenizer of a folder, or that of a model whose name PaddleNLP knows."""
    from rocketqa.weights.sentence_transformers import encoder_folder

    is_name = len(source.parts) == 1 and not source.exists()
    if is_name:
        from rocketqa.weights.pretrained import load_pretrained

        return text_encoder_of(load_pretrained(str(source)).tokenizer_files)
    refuse_damaged(source)
    return load_text_encoder(encoder_folder(source))
