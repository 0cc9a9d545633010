"""The flags that both trainings take. Their meaning is that of the fields of `TrainingSettings`."""

from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import NumberType, add_job_flags, to_file, to_path, to_text
from rocketqa.training.settings import CHOICES, RANGES


def init_source(value: str) -> str | Path:
    """Returns the initial encoder as a path where there is such a folder, else as a name that
    PaddleNLP may know.
    """
    return Path(to_text(value)) if Path(value).is_dir() else to_text(value)


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
        help="the initial encoder or model of this kind: a folder, or a name that PaddleNLP knows",
    )
    parser.add_argument(
        "--layer-norm-eps",
        type=NumberType(RANGES["layer_norm_eps"]),
        help="epsilon of every layer norm (default: that of the initial encoder)",
    )
    parser.add_argument(
        "--representation",
        choices=CHOICES["representation"],
        help="the vector of a text: that of its first token, or the mean over its tokens "
        "(default: as the initial encoder says, a folder of sentence-transformers by its pooling; "
        "else first)",
    )


def _add_data_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--collection",
        type=to_path,
        required=True,
        help="collection.tsv, or the folder that `rocketqa tokenize` has made of it",
    )
    parser.add_argument(
        "--queries",
        type=to_path,
        required=True,
        nargs="+",
        help="files queries.SPLIT.tsv, or their tokenised folders",
    )
    parser.add_argument(
        "--examples",
        type=to_file,
        required=True,
        nargs="+",
        help="files of training examples, as `rocketqa sample-negatives` writes them",
    )


def _add_schedule_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--batch-size",
        type=NumberType(RANGES["batch_size"]),
        required=True,
        help="examples in a chunk: those of a step on one device, without --accumulate",
    )
    parser.add_argument(
        "--accumulate",
        type=NumberType(RANGES["accumulate"]),
        default=1,
        metavar="N",
        help="chunks of --batch-size that a device takes one after the other in each step; the "
        "result is that of N times as many devices (default: 1)",
    )
    parser.add_argument(
        "--epochs",
        type=NumberType(RANGES["epochs"]),
        required=True,
        help="passes over the examples; 0 writes the initial weights as a checkpoint",
    )
    parser.add_argument(
        "--min-steps",
        type=NumberType(RANGES["min_steps"]),
        default=0,
        metavar="N",
        help="where the epochs give fewer than N steps, continue with further epochs until step N "
        "(default: 0)",
    )
    parser.add_argument(
        "--max-steps",
        type=NumberType(RANGES["max_steps"]),
        metavar="N",
        help="stop after N steps; the learning rate follows a schedule of N steps (default: none)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(RANGES["seed"]),
        required=True,
        help="decides the order of the examples, the dropout and the weights that are drawn",
    )


def _add_optimizer_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--learning-rate",
        type=NumberType(RANGES["learning_rate"]),
        required=True,
        help="the highest rate of the schedule",
    )
    parser.add_argument(
        "--warmup",
        type=NumberType(RANGES["warmup"]),
        required=True,
        help="share of the steps, 0 to 1, over which the rate rises from 0",
    )
    parser.add_argument(
        "--decay",
        choices=CHOICES["decay"],
        required=True,
        help="how the rate goes on after the warm-up: linearly to 0, or constant",
    )
    parser.add_argument(
        "--weight-decay",
        type=NumberType(RANGES["weight_decay"]),
        required=True,
        help="decoupled weight decay; layer norms and biases have none",
    )
    parser.add_argument(
        "--clip-norm",
        type=NumberType(RANGES["clip_norm"]),
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
        choices=CHOICES["precision"],
        default="float32",
        help="precision of matrix products; all but float32 need a GPU. float32 is exact, and tf32 "
        "rounds the inputs of products to 10 bits; float16 uses a dynamic loss scale "
        "(default: float32)",
    )
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="let a GPU make sums in a fixed order, so that two trainings can end in the same "
        "bytes; a CPU always does (default: no)",
    )
    parser.add_argument(
        "--loss-scale",
        type=NumberType(RANGES["loss_scale"]),
        help="use a dynamic loss scale that starts here (default: 32768 with float16, else none)",
    )


def _add_record_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--save-every",
        type=NumberType(RANGES["save_every"]),
        default=500,
        metavar="N",
        help="steps between two states from which a killed training goes on (default: 500)",
    )
    parser.add_argument(
        "--keep",
        type=NumberType(RANGES["keep"]),
        default=0,
        metavar="N",
        help="keep the last N states in the finished checkpoint (default: 0)",
    )
    parser.add_argument(
        "--evaluate-every",
        type=NumberType(RANGES["evaluate_every"]),
        default=0,
        metavar="N",
        help="every N steps measure MRR@10 on --dev-examples, and keep the best model in best/ "
        "(default: 0, never)",
    )
    parser.add_argument(
        "--dev-examples",
        type=to_path,
        help="examples to measure on; their queries are among --queries (default: none)",
    )
    parser.add_argument(
        "--visualdl",
        type=to_path,
        metavar="DIR",
        help="write the values of train_log.tsv for VisualDL, too (default: no)",
    )
