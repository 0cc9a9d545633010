"""What the verbs share: types of values, flags, and the job or the settings that a command line
describes.
"""

import re
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import NoReturn, TypeVar

from rocketqa.distributed.watchdog import Workspace
from rocketqa.evaluation.small_search import DRAWN_PASSAGES
from rocketqa.files.examples import TrainingRows
from rocketqa.files.formats import write_lines
from rocketqa.files.ranges import ANY_WHOLE, TOKENS, WHOLE_FROM_0, WHOLE_FROM_1, Range, shown
from rocketqa.files.runs import RUN_FORMATS
from rocketqa.jobs.job import NOT_FINISHED, Job
from rocketqa.training.settings import TrainingSettings
from rocketqa.weights.model_kinds import trained_length

Settings = TypeVar("Settings", bound=TrainingSettings)
# What argparse says about a word that is no choice, and about a flag at the end of a line.
INVALID_CHOICE = r"invalid choice: (.*) \(choose from (.*)\)$"
NO_VALUE = r"(expected (at least )?one argument)$"
AS_TRAINED = "as the checkpoint was trained; without a manifest "  # of a length
SMALLEST_WITHOUT_UNIT = 1_000_000  # bytes: a smaller number is one of another unit


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


class VerbParser(ArgumentParser):
    """A parser that refuses in one line: `rocketqa VERB: --FLAG: expected ..., got ...`."""

    def error(self, message: str) -> NoReturn:
        """Prints the line and exits with status 2."""
        about_a_flag = message.startswith("argument ")
        line = message.removeprefix("argument ")
        line = re.sub(INVALID_CHOICE, r"expected one of \2, got \1", line)
        line = re.sub(NO_VALUE, r"\1, got none", line)
        hint = "" if about_a_flag else f" ({self.prog} --help shows the flags)"
        self.exit(2, f"{self.prog}: {line}{hint}\n")


@dataclass(frozen=True)
class NumberType:
    """The type of a flag whose values are the numbers of a range."""

    range: Range

    def __call__(self, value: str) -> float:
        """Returns the number. Raises ArgumentTypeError where it is not in the range."""
        try:
            return self.range.read(value)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None


def to_path(value: str) -> Path:
    """Returns a path.

    Refused are an empty text, as an unset variable of a shell gives it, and a home folder that the
    shell has left as it is, as in --output=~/x.
    """
    if value == "~" or value.startswith("~/"):
        raise ArgumentTypeError(f"expected a path, got {shown(value)}, whose ~ only a shell knows")
    return Path(to_text(value))


def to_file(value: str) -> Path:
    """Returns the path of a file. A folder is refused at once: its digest may take long."""
    path = to_path(value)
    if path.is_dir():
        raise ArgumentTypeError(f"expected a file, got the folder {shown(value)}")
    return path


def to_text(value: str) -> str:
    """Returns a text that is not blank."""
    if not value.strip():
        raise ArgumentTypeError("expected a text, got an empty one")
    return value


def assignment(value: str) -> str:
    """Returns words NAME=VALUE; the value may be empty."""
    name, equals, _ = value.partition("=")
    if not name.isidentifier() or not equals:
        raise ArgumentTypeError(f"expected NAME=VALUE, got {shown(value)}")
    return value


def memory(value: str) -> int:
    """Returns bytes of a number with a unit: 500MB has units of 1,000, 4GiB of 1,024.

    A small number without a unit is refused, because its unit has been forgotten.
    """
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?)(?:([KMGT])(i?))?(B?)", value)
    size = 0
    has_unit = False
    if match:
        number, unit, binary, byte = match.groups()
        base = 1024 if binary else 1000
        size = int(float(number) * base ** " KMGT".index(unit or " "))
        has_unit = bool(unit or byte)
    if not size or (size < SMALLEST_WITHOUT_UNIT and not has_unit):
        raise ArgumentTypeError(
            f"expected bytes above 0 with their unit, such as 500MB or 4GiB, got {shown(value)}"
        )
    return size


def add_job_flags(parser: ArgumentParser, output_required: bool = True) -> None:
    """Adds the flags of every verb that makes an artefact."""
    parser.add_argument(
        "--output",
        type=to_path,
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
        help="reduced is float16 on a GPU, and on a CPU matrix products of 8 bits (default: "
        "float32)",
    )
    parser.add_argument(
        "--batch-tokens",
        type=NumberType(WHOLE_FROM_1),
        help="tokens in a batch (default: 2048 on a CPU; on GPUs by the memory of the smallest, "
        "65536 with 16 GB, 131072 with 24 GB or more)",
    )


def add_passage_vectors(parser: ArgumentParser) -> None:
    """Adds the vectors of passages, in one folder or several."""
    parser.add_argument(
        "--passage-vectors",
        type=to_path,
        required=True,
        nargs="+",
        metavar="DIR",
        help="folder of an encoded collection, or the folders of all its shards; folders of "
        "passages that were added, and of lists of removed ones (`rocketqa remove-passages`)",
    )


def add_query_length(parser: ArgumentParser, as_trained: str = "") -> None:
    """Adds --query-length; as_trained: see `add_text_flags`."""
    parser.add_argument(
        "--query-length",
        type=NumberType(TOKENS),
        default=None if as_trained else 32,
        help=f"tokens of a query, [CLS] and [SEP] included (default: {as_trained}32)",
    )


def add_text_flags(parser: ArgumentParser, as_trained: str = "") -> None:
    """Adds the lengths of the two inputs of the dual encoder.

    as_trained: AS_TRAINED where the checkpoint of the verb decides the defaults (`take_lengths`).
    """
    add_query_length(parser, as_trained)
    parser.add_argument(
        "--passage-length",
        type=NumberType(TOKENS),
        default=None if as_trained else 128,
        help=f"tokens of a passage, [CLS] and both [SEP] included (default: {as_trained}128)",
    )


def add_small_search_flags(parser: ArgumentParser) -> None:
    """Adds the queries and passages that a choice is measured by."""
    parser.add_argument("--collection", type=to_file, required=True, help="collection.tsv")
    parser.add_argument(
        "--queries",
        type=to_file,
        required=True,
        help="labelled training queries, such as those that data_prep/sample_queries.py draws",
    )
    parser.add_argument("--qrels", type=to_file, required=True, help="their labels")
    parser.add_argument(
        "--passages",
        type=NumberType(WHOLE_FROM_0),
        default=DRAWN_PASSAGES,
        metavar="N",
        help="passages to draw, beside the labelled ones (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=NumberType(ANY_WHOLE),
        default=1,
        help="seed of that draw (default: %(default)s)",
    )


def take_batch_tokens(args: Namespace) -> None:
    """Gives --batch-tokens, where it was not given, the number that suits this machine."""
    if args.batch_tokens is None:
        from rocketqa.inference.batch_tokens import default_batch_tokens

        args.batch_tokens = default_batch_tokens()


def take_lengths(args: Namespace, *names: str) -> None:
    """Gives the lengths that were not given the values that the checkpoint was trained with."""
    for name in names:
        if getattr(args, name) is None:
            setattr(args, name, trained_length(args.checkpoint, name))
