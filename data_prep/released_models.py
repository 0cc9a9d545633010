"""Turn released models into checkpoints and back: `python data_prep/released_models.py import SOURCE --output FOLDER`.

`import` takes a name of the released package (`v1_marco_de` ...) or of the NAACL release (`marco_dual_encoder_v2` ...),
the URL of an archive, an unpacked folder or its config.json. What comes out is a checkpoint as any other. Variables
without a config.json, as the NAACL release has them, need `--vocab`, the vocab.txt of ERNIE 2.0.

`export` writes a checkpoint as the released package reads it:
`python data_prep/released_models.py export CHECKPOINT --output FOLDER`.
"""

import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sources import run

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath, OutputPath
from rocketqa.jobs.unpack import unpack

CONFIG = "config.json"


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/released_models.py", description=__doc__.splitlines()[0])
    parser.add_argument("way", choices=("import", "export"))
    parser.add_argument(
        "source", help="a name, URL, folder or config.json to import; a checkpoint to export"
    )
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--vocab", type=Path, help="vocab.txt, where the source has none")
    parser.add_argument("--md5", help="of the archive behind a URL, where known")
    parser.add_argument(
        "--check", action="store_true", help="make nothing: exit 0 where all is up to date, else 3"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Builds the output and returns the exit status."""
    return run(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the checkpoint, or the folder in the released layout, where it is not up to date."""
    from rocketqa.weights.checkpoint import save_model, set_weights
    from rocketqa.weights.released_models import read_checkpoint, write_released

    model = read_source(args) if args.way == "import" else read_checkpoint(Path(args.source))
    job = Job(
        f"released_models {args.way}",
        Namespace(
            output=OutputPath(args.output),
            source=[InputPath(path) for path in model.files],
            **model.lengths,
        ),
    )
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    with job as part:
        if args.way == "export":
            write_released(part, model)
        else:
            layer = model.kind.layer(model.config)
            set_weights(layer, model.weights, args.source)
            save_model(part, layer, model.tokenizer_files)
    told = ", ".join(
        f"--{name.replace('_', '-')} {length}" for name, length in model.lengths.items()
    )
    print(f"{args.output}: {model.kind.layer.__name__}, for {told}", file=sys.stderr)
    return 0


def read_source(args: Namespace):
    """Returns the released model. Raises DataError where there is none."""
    from rocketqa.toolkit import cache, read_model
    from rocketqa.weights.released_models import CHECKPOINTS, HOST, MODELS, read_variables_alone

    source = (
        f"{HOST}/V1/checkpoint/{args.source}.tar.gz" if args.source in CHECKPOINTS else args.source
    )
    if source in MODELS:
        return read_model(source)
    path = Path(source)
    if "://" in source:
        archive = Source(source, md5=args.md5)
        path = unpack(
            fetch(archive, cache() / archive.name), cache() / archive.name.removesuffix(".tar.gz")
        )
    if path.is_file() or (config_file := first(path, CONFIG)):
        return read_model(str(path if path.is_file() else config_file))
    variable = first(path, "*word_embedding")
    if not variable:
        raise DataError(
            f"{source}: expected a released model, got neither {CONFIG} nor variables there"
        )
    if not args.vocab:
        raise DataError(
            f"{source}: expected --vocab with variables that have no {CONFIG} beside them, got none"
        )
    return read_variables_alone(variable.parent, args.vocab)


def first(folder: Path, name: str) -> Path | None:
    """Returns the file of that name (or pattern) that lies highest in a folder."""
    return min(folder.rglob(name), key=lambda path: (len(path.parts), path), default=None)


if __name__ == "__main__":
    sys.exit(main())
