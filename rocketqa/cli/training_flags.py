"""The flags that both trainings take. Their meaning is that of the fields of `TrainingSettings`."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import add_job_flags, positive


def init_source(value: str) -> str | Path:
    """Returns the initial encoder as a path where there is such a folder, else as a name that
    PaddleNLP may know.
    """
    return Path(value) if Path(value).is_dir() else value


def add_training_flags(parser: ArgumentParser) -> None:
    """Adds the flags that both trainings take."""
    add_job_flags(parser)
    _add_model_flags(parser)
    _add_data_flags(parser)
    _add_schedule_flags(parser)
    _add_optimizer_flags(parser)
    _add_device_flags(parser)
    _add_record_flags(parser)


def _add_model_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--init",
        type=init_source,
        required=True,
        help="the initial encoder: a folder, or a model name that PaddleNLP knows",
    )
    parser.add_argument(
        "--layer-norm-eps",
        type=float,
        help="epsilon of every layer norm (default: that of the initial encoder)",
    )
    parser.add_argument(
        "--representation",
        choices=("first", "mean"),
        help="the vector of a text: that of its first token, or the mean over its tokens "
        "(default: as the initial encoder says, else first)",
    )


def _add_data_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--collection",
        type=Path,
        required=True,
        help="collection.tsv, or the folder that `rocketqa tokenize` has made of it",
    )
    parser.add_argument(
        "--queries",
        type=Path,
        required=True,
        nargs="+",
        help="files queries.SPLIT.tsv, or their tokenised folders",
    )
    parser.add_argument(
        "--examples",
        type=Path,
        required=True,
        nargs="+",
        help="files of training examples, as `rocketqa sample-negatives` writes them",
    )


def _add_schedule_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--batch-size",
        type=int,
        required=True,
        help="examples in a chunk: those of a step on one device, without --accumulate",
    )
    parser.add_argument(
        "--accumulate",
        type=positive,
        default=1,
        metavar="N",
        help="chunks of --batch-size that a device takes one after the other in each step; the "
        "result is that of N times as many devices (default: 1)",
    )
    parser.add_argument(
        "--epochs",
        type=int,
        required=True,
        help="passes over the examples; 0 writes the initial weights as a checkpoint",
    )
    parser.add_argument(
        "--min-steps",
        type=int,
        default=0,
        metavar="N",
        help="where the epochs give fewer than N steps, continue with further epochs until step N "
        "(default: 0)",
    )
    parser.add_argument(
        "--max-steps",
        type=int,
        metavar="N",
        help="stop after N steps; the learning rate follows a schedule of N steps (default: none)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        required=True,
        help="decides the order of the examples, the dropout and the weights that are drawn",
    )


def _add_optimizer_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--learning-rate", type=float, required=True, help="the highest rate of the schedule"
    )
    parser.add_argument(
        "--warmup",
        type=float,
        required=True,
        help="share of the steps, 0 to 1, over which the rate rises from 0",
    )
    parser.add_argument(
        "--decay",
        choices=("linear", "constant"),
        required=True,
        help="how the rate goes on after the warm-up: linearly to 0, or constant",
    )
    parser.add_argument(
        "--weight-decay",
        type=float,
        required=True,
        help="decoupled weight decay; layer norms and biases have none",
    )
    parser.add_argument(
        "--clip-norm",
        type=float,
        default=1.0,
        help="largest global norm of the gradients; longer ones are scaled down (default: 1)",
    )


def _add_device_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--recompute",
        action="store_true",
        help="compute activations again in the backward pass instead of keeping them: less "
        "memory, more time (default: no)",
    )
    parser.add_argument(
        "--precision",
        choices=("float32", "float16", "bfloat16"),
        default="float32",
        help="precision of matrix products on a GPU; float16 uses a dynamic loss scale "
        "(default: float32)",
    )
    parser.add_argument(
        "--loss-scale",
        type=float,
        help="use a dynamic loss scale that starts here (default: 32768 with float16, else none)",
    )


def _add_record_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--save-every",
        type=positive,
        default=500,
        metavar="N",
        help="steps between two states from which a killed training goes on (default: 500)",
    )
    parser.add_argument(
        "--keep",
        type=int,
        default=0,
        metavar="N",
        help="keep the last N states in the finished checkpoint (default: 0)",
    )
    parser.add_argument(
        "--evaluate-every",
        type=int,
        default=0,
        metavar="N",
        help="every N steps measure MRR@10 on --dev-examples, and keep the best model in best/ "
        "(default: 0, never)",
    )
    parser.add_argument(
        "--dev-examples",
        type=Path,
        help="examples to measure on; their queries are among --queries (default: none)",
    )
    parser.add_argument(
        "--visualdl",
        type=Path,
        metavar="DIR",
        help="write the values of train_log.tsv for VisualDL, too (default: no)",
    )
