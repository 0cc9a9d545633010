"""Export a checkpoint for Paddle Inference or as ONNX, and check that both compute the same."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import VerbParser, add_job_flags, job_of, to_path
from rocketqa.weights.config_files import class_of_checkpoint
from rocketqa.weights.model_kinds import TRAINING_VERBS, checkpoint_settings, trained_lengths

EXAMPLE = "rocketqa export --checkpoint DIR --format onnx --output output/deployed"


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa export", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--checkpoint",
        type=to_path,
        required=True,
        help="a dual encoder, which becomes two graphs, or a cross encoder, which becomes one",
    )
    parser.add_argument(
        "--format",
        choices=("paddle", "onnx"),
        default="paddle",
        help="what to write: graphs for Paddle Inference, or ONNX, for which the extra `export` "
        "has to be installed (default: paddle)",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    settings = checkpoint_settings(args.checkpoint, *TRAINING_VERBS)
    job = job_of("export", args, inputs=("checkpoint",))
    differences: dict[str, float] = {}

    def make(part: Path) -> None:
        from rocketqa.inference.export import export_checkpoint

        differences.update(export_checkpoint(args.checkpoint, part, args.format))
        job.facts["difference"] = differences
        job.facts["lengths"] = trained_lengths(args.checkpoint, class_of_checkpoint(settings))

    status = job.run(make, args.check)
    if differences:
        parts = [f"{name} {value:.2g}" for name, value in differences.items()]
        message = f"largest difference from the checkpoint: {', '.join(parts)}"
        print(f"{args.output}: {message}", file=sys.stderr)
    return status
