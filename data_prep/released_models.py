"""Turns released models into checkpoints, and checkpoints into the released layout.

`import` takes a name of the released package (`v1_marco_de` ...) or of the NAACL release
(`marco_dual_encoder_v2` ...), the URL of an archive, an unpacked folder, or the config.json in it.
The output is a checkpoint like any other. A source without a config.json, such as the NAACL
release, needs `--vocab`, the vocab.txt of ERNIE 2.0.

`export` writes a checkpoint in the layout that the released package reads.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from builds import add_check_flag, run_script, script_parser

from rocketqa.cli.flags import to_path, to_text
from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.job import Job
from rocketqa.jobs.unpack import unpack
from rocketqa.toolkit import read_model
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.released_archives import CHECKPOINTS, HOST, MODELS, cache
from rocketqa.weights.released_models import (
    Released,
    read_checkpoint,
    read_variables_alone,
    write_released,
)

CONFIG = "config.json"


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "released_models.py",
        "Turn released models into checkpoints (import) and checkpoints into the released layout "
        "(export).",
        "python data_prep/released_models.py import v1_marco_de --output checkpoints/v1_marco_de",
    )
    parser.add_argument("direction", choices=("import", "export"), help="what to do")
    parser.add_argument(
        "source",
        type=to_text,
        help="import: a model's name, a URL, a folder or a config.json; export: a checkpoint",
    )
    parser.add_argument(
        "--output", type=to_path, required=True, metavar="DIR", help="folder to make"
    )
    parser.add_argument(
        "--vocab",
        type=to_path,
        metavar="FILE",
        help="vocab.txt for a source without a config.json (default: the source's own)",
    )
    parser.add_argument(
        "--md5", type=to_text, help="md5 of the archive behind a URL (default: not checked)"
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the output and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the checkpoint, or the released layout, unless it is up to date."""
    is_import = args.direction == "import"
    model = read_source(args) if is_import else read_checkpoint(Path(args.source))
    job = Job(
        f"released_models {args.direction}",
        args.output,
        flags=model.lengths,
        inputs={"source": model.files},
    ).of_folder()

    def write(part: Path) -> None:
        if is_import:
            layer = model.kind.layer(model.config)
            set_weights(layer, model.weights, args.source)
            save_model(part, layer, model.tokenizer_files)
        else:
            write_released(part, model)
        print(f"{args.output}: {description_of(model)}", file=sys.stderr)

    return job.run(write, args.check)


def description_of(model: Released) -> str:
    """Returns the class of a model, and the flags that give its lengths to the verbs."""
    flags = [f"--{name.replace('_', '-')} {length}" for name, length in model.lengths.items()]
    return f"{model.kind.layer.__name__}, for {', '.join(flags)}"


def read_source(args: Namespace) -> Released:
    """Returns the released model that the flags name. Raises DataError if there is none."""
    source = args.source
    if source in MODELS:
        return read_model(source)
    if source in CHECKPOINTS:
        source = f"{HOST}/V1/checkpoint/{source}.tar.gz"
    path = download_archive(source, args.md5) if "://" in source else Path(source)
    config_file = path if path.is_file() else highest_file(path, CONFIG)
    if config_file:
        return read_model(str(config_file))
    variable = highest_file(path, "*word_embedding")
    if not variable:
        raise DataError(
            f"{source}: expected a released model, got neither {CONFIG} nor variables there"
        )
    if not args.vocab:
        raise DataError(
            f"{source}: expected --vocab with variables that have no {CONFIG} beside them, got none"
        )
    return read_variables_alone(variable.parent, args.vocab)


def download_archive(url: str, md5: str | None) -> Path:
    """Returns the folder that the archive behind a URL is unpacked into."""
    archive = Source(url, md5=md5)
    packed = fetch(archive, cache() / archive.name)
    return unpack(packed, cache() / archive.name.removesuffix(".tar.gz"))


def highest_file(folder: Path, pattern: str) -> Path | None:
    """Returns the file in a folder that fits the pattern and lies highest; None without any."""

    def depth_then_name(path: Path) -> tuple[int, Path]:
        return len(path.parts), path

    return min(folder.rglob(pattern), key=depth_then_name, default=None)


if __name__ == "__main__":
    sys.exit(main())
