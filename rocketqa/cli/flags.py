"""What the verbs share: types of values, flags, and the job or the settings that a command line
describes.
"""

import math
import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import fields
from pathlib import Path
from typing import TypeVar

from rocketqa.distributed.watchdog import Workspace
from rocketqa.files.examples import TrainingRows
from rocketqa.files.formats import write_lines
from rocketqa.files.runs import RUN_FORMATS
from rocketqa.jobs.job import NOT_FINISHED, Job
from rocketqa.training.settings import TrainingSettings

Settings = TypeVar("Settings", bound=TrainingSettings)


def job_of(
    verb: str,
    args: Namespace,
    inputs: Sequence[str],
    not_identity: Sequence[str] = (),
    **more_flags: object,
) -> Job:
    """Returns the job that a command line describes.

    inputs: names of the flags that hold what is read. not_identity: names of flags that do not
    change the bytes of the output. Every other flag, and `more_flags`, belong to the identity of
    the job, so that a flag that is added to a verb belongs to it, too.
    """
    given = vars(args) | more_flags
    left_out = {"output", "check", *inputs, *not_identity}
    flags = {name: value for name, value in given.items() if name not in left_out}
    return Job(verb, args.output, flags=flags, inputs={name: given[name] for name in inputs})


def run_for_rows(job: Job, rows_of_job: Callable[[], TrainingRows], check: bool) -> int:
    """Runs a job that makes a file of training rows, and returns the exit status of its verb.

    The counts of the rows and of their queries are printed, and recorded in the manifest.
    """

    def make(part: Path) -> None:
        rows = rows_of_job()
        counts = {
            "rows": len(rows.lines),
            "queries": rows.queries,
            "queries left out": rows.queries_left_out,
        }
        job.facts.update(counts)
        write_lines(part / job.output.name, rows.lines)
        print(f"{job.output}: " + ", ".join(f"{count} {name}" for name, count in counts.items()))

    return job.run(make, check)


def settings_of(kind: type[Settings], args: Namespace) -> Settings:
    """Returns the settings of a training that a command line describes."""
    return kind(**{field.name: getattr(args, field.name) for field in fields(kind)})


def on_all_devices(job: Job) -> AbstractContextManager[Workspace]:
    """Opens a job for all processes of a launch (`Job.run_in`); Paddle is loaded only here."""
    from rocketqa.distributed.devices import working_on

    return working_on(job)


def text_length(value: str) -> int:
    """Returns a number of tokens with room for the special tokens and some text: 8 to 512."""
    if not value.isdecimal() or not 8 <= int(value) <= 512:
        raise ArgumentTypeError(f"expected 8 to 512 tokens, got {value}")
    return int(value)


def positive(value: str) -> int:
    """Returns a whole number above 0."""
    if not value.isdecimal() or int(value) < 1:
        raise ArgumentTypeError(f"expected a whole number from 1, got {value}")
    return int(value)


def finite(value: str) -> float:
    """Returns a number that a score can be compared with: neither nan nor infinite."""
    if not math.isfinite(float(value)):
        raise ArgumentTypeError(f"expected a finite number, got {value}")
    return float(value)


def memory(value: str) -> int:
    """Returns bytes of a number with a unit: 500MB has units of 1,000, 4GiB of 1,024."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(?:([KMGT])(i?))?B?", value)
    if not match or float(match[1]) == 0:
        raise ArgumentTypeError(f"expected bytes above 0, such as 500MB or 4GiB, got {value}")
    number, unit, binary = match.groups()
    base = 1024 if binary else 1000
    exponent = " KMGT".index(unit or " ")
    return int(float(number) * base**exponent)


def add_job_flags(parser: ArgumentParser, output_required: bool = True) -> None:
    """Adds the flags of every verb that makes an artefact."""
    parser.add_argument(
        "--output",
        type=Path,
        required=output_required,
        help="the file or folder to make; it is kept where it is finished and nothing has changed",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="make nothing, but tell by the exit status whether the output is finished and up to "
        f"date: 0 if it is, {NOT_FINISHED} if it is not",
    )


def add_format_flag(parser: ArgumentParser) -> None:
    """Adds the format of the run that a verb writes."""
    parser.add_argument(
        "--format",
        choices=tuple(RUN_FORMATS),
        default="trec",
        help="format of the run: the six columns of TREC, the three of MS MARCO (query_id, "
        "passage_id, rank), or those and a score as in the released code; equal scores are ranked "
        "by passage_id, ascending (default: trec)",
    )


def add_inference_flags(parser: ArgumentParser) -> None:
    """Adds the flags of the verbs that use an encoder without training it."""
    parser.add_argument(
        "--precision",
        choices=("float32", "reduced"),
        default="float32",
        help="reduced is bfloat16 on a CPU that computes in it, and float16 on a GPU "
        "(default: float32)",
    )
    parser.add_argument(
        "--batch-tokens",
        type=positive,
        default=2048,
        help="tokens in a batch; a GPU has room for more (default: 2048)",
    )


def add_search_flags(parser: ArgumentParser) -> None:
    """Adds an encoded collection and the models that answer from it."""
    parser.add_argument(
        "--checkpoint",
        type=Path,
        required=True,
        help="the dual encoder that has encoded the collection",
    )
    parser.add_argument(
        "--collection", type=Path, required=True, help="the collection.tsv that was encoded"
    )
    parser.add_argument(
        "--passage-vectors",
        type=Path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="the vectors of the collection: one folder, or the folders of all parts",
    )
    parser.add_argument(
        "--cross-encoder",
        type=Path,
        metavar="DIR",
        help="a cross encoder that re-ranks the retrieved passages (default: none)",
    )
    _add_query_length(parser)
    parser.add_argument(
        "--max-length",
        type=text_length,
        default=160,
        help="tokens of a query and its passage together, for the cross encoder, special tokens "
        "included (default: 160)",
    )
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="bytes of passage vectors in memory at a time, such as 500MB or 4GiB; more than that "
        "is read from disk for every query (default: 4GiB)",
    )


def _add_query_length(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--query-length",
        type=text_length,
        default=32,
        help="tokens of a query, [CLS] and [SEP] included (default: 32)",
    )


def add_text_flags(parser: ArgumentParser) -> None:
    """Adds the lengths of the two inputs of the dual encoder."""
    _add_query_length(parser)
    parser.add_argument(
        "--passage-length",
        type=text_length,
        default=128,
        help="tokens of a passage, [CLS] and both [SEP] included (default: 128)",
    )
