"""Export a checkpoint for Paddle Inference or as ONNX, proved equal to it."""

import sys
from argparse import ArgumentParser

from rocketqa.cli.flags import add_job_flags
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa export", description=__doc__)
    add_job_flags(parser)
    parser.add_argument(
        "--checkpoint", type=InputPath, required=True, help="a dual encoder or a cross encoder"
    )
    parser.add_argument(
        "--format",
        choices=("paddle", "onnx"),
        default="paddle",
        help="what to write; onnx needs the extra `export`",
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("export", args)
    status = job.status_if_done(args.check)
    return _export(job, args) if status is None else status


def _export(job: Job, args) -> int:
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.inference.export import write_graphs
    from rocketqa.weights.checkpoint import load_model
    from rocketqa.weights.pretrained import TOKENIZER_FILES, settings_of

    kind = settings_of(args.checkpoint).get("model")
    model, _ = load_model(args.checkpoint, CrossEncoder if kind == "CrossEncoder" else DualEncoder)
    with job as part:
        worst = write_graphs(model, part, args.format)
        for name in TOKENIZER_FILES:
            if (args.checkpoint / name).is_file():
                (part / name).write_bytes((args.checkpoint / name).read_bytes())
        job.facts["difference"] = worst
    told = ", ".join(f"{name} {value:.2g}" for name, value in worst.items())
    print(f"{job.output}: largest difference from the checkpoint: {told}", file=sys.stderr)
    return 0
