"""Flags that verbs share. A path that a verb reads is known by its type, so that its digest joins the job."""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from rocketqa.jobs.paths import NOT_FINISHED, InputPath, OutputPath


def init_source(value: str) -> str | InputPath:
    """Returns INIT as a path where there is such a directory, else as a name that PaddleNLP may know."""
    return InputPath(value) if Path(value).is_dir() else value


def text_length(value: str) -> int:
    """Returns a number of tokens with room for the special ones and some text."""
    if not value.isdecimal() or not 8 <= int(value) <= 512:
        raise ArgumentTypeError(f"expected 8 to 512 tokens, got {value}")
    return int(value)


def positive(value: str) -> int:
    """Returns a whole number above 0."""
    if not value.isdecimal() or int(value) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, got {value}")
    return int(value)


def finite(value: str) -> float:
    """Returns a number that scores can be above or below: not nan, which none is."""
    if not math.isfinite(float(value)):
        raise ArgumentTypeError(f"expected a finite number, got {value}")
    return float(value)


def memory(value: str) -> int:
    """Returns bytes: 500MB and 4GiB are numbers with a unit, of 1,000 or 1,024 each."""
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)(i?)B?", value)
    if not size or size[3] and not size[2] or float(size[1]) == 0:
        raise ArgumentTypeError(f"expected bytes above 0, such as 500MB or 4GiB, got {value}")
    return int(float(size[1]) * (1024 if size[3] else 1000) ** " KMGT".index(size[2] or " "))


def add_job_flags(parser: ArgumentParser, output_required: bool = True) -> None:
    """Adds what every verb takes."""
    parser.add_argument(
        "--output",
        type=OutputPath,
        required=output_required,
        help="what to make; kept where it is finished and nothing changed",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help=f"make nothing: exit 0 where the output is finished and up to date, else {NOT_FINISHED}",
    )


def add_format_flag(parser: ArgumentParser) -> None:
    """Adds the form of the run that a verb writes."""
    parser.add_argument(
        "--format",
        choices=("trec", "msmarco", "released"),
        default="trec",
        help="columns of the run: TREC's six, MS MARCO's query_id, passage_id, rank, or the released "
        "code's, with a score; equal scores by passage_id, ascending",
    )


def add_inference_flags(parser: ArgumentParser) -> None:
    """Adds what the verbs take that use an encoder and train none."""
    parser.add_argument(
        "--precision",
        choices=("float32", "reduced"),
        default="float32",
        help="reduced: bfloat16 on a CPU that multiplies it, float16 on a GPU",
    )
    parser.add_argument(
        "--batch-tokens", type=positive, default=2048, help="tokens a batch; on a GPU take more"
    )


def add_search_flags(parser: ArgumentParser) -> None:
    """Adds an encoded collection and what answers from it."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="the dual encoder that encoded the collection",
    )
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument(
        "--passage-vectors",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="one folder, or those of all shards of an encoding",
    )
    parser.add_argument(
        "--cross-encoder", type=Path, metavar="DIR", help="ranks what is retrieved anew"
    )
    parser.add_argument(
        "--query-length", type=text_length, default=32, help="tokens, [CLS] and [SEP] included"
    )
    parser.add_argument(
        "--max-length",
        type=text_length,
        default=160,
        help="tokens of a pair, special ones included",
    )
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="of passage vectors in memory at a time, such as 500MB or 4GiB (default: 4GiB); what does "
        "not fit is read for every query",
    )


def add_text_flags(parser: ArgumentParser) -> None:
    """Adds the lengths of the dual encoder's two inputs."""
    parser.add_argument(
        "--query-length", type=text_length, default=32, help="tokens, [CLS] and [SEP] included"
    )
    parser.add_argument(
        "--passage-length",
        type=text_length,
        default=128,
        help="tokens, [CLS] and both [SEP] included",
    )


def add_training_flags(parser: ArgumentParser) -> None:
    """Adds what both trainings take."""
    add_job_flags(parser)
    parser.add_argument(
        "--init",
        type=init_source,
        required=True,
        help="initial encoder: a folder or PaddleNLP name",
    )
    parser.add_argument(
        "--layer-norm-eps", type=float, help="epsilon of every norm (default: what the source says)"
    )
    parser.add_argument(
        "--representation",
        choices=("first", "mean"),
        help="what stands for a row: the vector of its first token, or the mean of all its tokens' "
        "(default: what the source says, `first` where it does not)",
    )
    parser.add_argument("--collection", type=InputPath, required=True)
    parser.add_argument("--queries", type=InputPath, required=True, nargs="+")
    parser.add_argument("--examples", type=InputPath, required=True, nargs="+")
    parser.add_argument(
        "--batch-size", type=int, required=True, help="examples a step on each device"
    )
    parser.add_argument(
        "--epochs", type=int, required=True, help="0 writes the initial weights as a checkpoint"
    )
    parser.add_argument(
        "--min-steps",
        type=int,
        default=0,
        metavar="N",
        help="where the epochs are fewer than N steps, go on with further ones until the N-th",
    )
    parser.add_argument(
        "--max-steps", type=int, help="stop after so many steps (the schedule follows)"
    )
    parser.add_argument("--learning-rate", type=float, required=True, help="peak of the schedule")
    parser.add_argument("--warmup", type=float, required=True, help="share of the steps, 0 to 1")
    parser.add_argument("--decay", choices=("linear", "constant"), required=True)
    parser.add_argument(
        "--weight-decay", type=float, required=True, help="decoupled; norms and biases left out"
    )
    parser.add_argument(
        "--clip-norm", type=float, default=1.0, help="largest global norm of the gradients"
    )
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument(
        "--accumulate",
        type=positive,
        default=1,
        metavar="N",
        help="chunks of --batch-size a device takes one after the other each step, as N times as many "
        "devices would side by side",
    )
    parser.add_argument(
        "--recompute",
        action="store_true",
        help="make activations again for the gradient instead of keeping them: less memory, more time",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "bfloat16"),
        default="float32",
        help="of products on a GPU; float16 with a dynamic loss scale",
    )
    parser.add_argument(
        "--loss-scale", type=float, help="begin a dynamic loss scale here (float16: 32768)"
    )
    parser.add_argument(
        "--save-every", type=positive, default=500, help="steps between two states to go on from"
    )
    parser.add_argument(
        "--keep", type=int, default=0, metavar="N", help="keep the last N states after the end, too"
    )
    parser.add_argument(
        "--evaluate-every",
        type=int,
        default=0,
        metavar="STEPS",
        help="measure MRR@10 on --dev-examples (0: never) and keep the best model in best/",
    )
    parser.add_argument(
        "--dev-examples", type=InputPath, help="as --examples; their queries belong into --queries"
    )
    parser.add_argument(
        "--visualdl", type=Path, metavar="DIR", help="write the log for VisualDL, too"
    )
