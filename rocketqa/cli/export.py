"""Take a model or a collection to other programs: graphs, model folders, a faiss index.

A checkpoint becomes graphs for Paddle Inference or ONNX, which are compared with it, or model
folders for transformers, sentence-transformers and PaddleNLP. An encoded collection becomes an
index for faiss and Pyserini.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path
from rocketqa.files.errors import DataError
from rocketqa.search.encodings import COLLECTION, check_directories, refuse_other_side
from rocketqa.weights.config_files import class_of_checkpoint
from rocketqa.weights.model_kinds import (
    TRAINING_VERBS,
    checkpoint_settings,
    told_length,
    trained_lengths,
)

EXAMPLE = "rocketqa export --checkpoint DIR --format onnx --output output/deployed"
GRAPHS = ("paddle", "onnx")
HUGGINGFACE = "huggingface"
FAISS = "faiss"
SOURCES = ("checkpoint", "passage_vectors")


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    description = str(__doc__).split("\n\n")[0]
    parser = VerbParser("rocketqa export", description=description, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--checkpoint",
        type=to_path,
        help="a dual encoder, which becomes two graphs or folders, or a cross encoder, which "
        "becomes one",
    )
    source.add_argument(
        "--passage-vectors",
        type=to_path,
        nargs="+",
        metavar="DIR",
        help="for --format faiss: folder of an encoded collection, or the folders of all its "
        "shards; folders of passages that were added, and of lists of removed ones",
    )
    parser.add_argument(
        "--format",
        choices=(*GRAPHS, HUGGINGFACE, FAISS),
        default="paddle",
        help="what to write: graphs for Paddle Inference; graphs as ONNX, for which the extra "
        "`export` has to be installed; model folders in Hugging Face's layout; or an index of "
        "faiss with its passage ids (default: paddle)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    _refuse_other_source(args)
    if args.format == FAISS:
        return _export_vectors(args)
    settings = checkpoint_settings(args.checkpoint, *TRAINING_VERBS)
    if args.format == HUGGINGFACE:
        return _export_folders(args, class_of_checkpoint(settings))
    return _export_graphs(args, class_of_checkpoint(settings))


def _refuse_other_source(args: Namespace) -> None:
    """Raises DataError where a model is given for an index, or vectors for a model's format."""
    expected = "--passage-vectors" if args.format == FAISS else "--checkpoint"
    got = "--checkpoint" if args.checkpoint else "--passage-vectors"
    if got != expected:
        raise DataError(f"--format {args.format}: expected {expected}, got {got}")


def _export_graphs(args: Namespace, model_class: str) -> int:
    job = job_of("export", args, inputs=("checkpoint",), not_identity=SOURCES).of_folder()
    differences: dict[str, float] = {}

    def make(part: Path) -> None:
        from rocketqa.inference.export import export_checkpoint

        differences.update(export_checkpoint(args.checkpoint, part, args.format))
        job.facts["difference"] = differences
        job.facts["lengths"] = trained_lengths(args.checkpoint, model_class)

    status = job.run(make, args.check)
    if differences:
        parts = [f"{name} {value:.2g}" for name, value in differences.items()]
        message = f"largest difference from the checkpoint: {', '.join(parts)}"
        print(f"{args.output}: {message}", file=sys.stderr)
    return status


def _export_folders(args: Namespace, model_class: str) -> int:
    lengths = trained_lengths(args.checkpoint, model_class)
    for name, length in lengths.items():
        if told_length(args.checkpoint, name) is None:
            flag = f"--{name.replace('_', '-')}"
            line = f"no manifest tells its {flag}: the folder says {length}, the default"
            print(f"{args.checkpoint}: {line}", file=sys.stderr)
    job = job_of("export", args, ("checkpoint",), not_identity=SOURCES, **lengths).of_folder()

    def make(part: Path) -> None:
        from rocketqa.inference.huggingface_folders import export_huggingface

        export_huggingface(args.checkpoint, part, lengths)

    return job.run(make, args.check)


def _export_vectors(args: Namespace) -> int:
    check_directories(args.passage_vectors)
    refuse_other_side(args.passage_vectors, COLLECTION)
    job = job_of("export", args, inputs=("passage_vectors",), not_identity=SOURCES).of_folder()

    def make(part: Path) -> None:
        from rocketqa.search.faiss_files import write_faiss_files
        from rocketqa.search.vectors import VectorStore

        vectors = VectorStore(args.passage_vectors)
        if len(vectors.encodings) > 1:
            vectors.rows_by_id()  # refuses a passage that is in two of them
        write_faiss_files(vectors, part)

    return job.run(make, args.check)
