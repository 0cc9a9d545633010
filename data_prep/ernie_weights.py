"""Downloads the encoders that the paper starts from and makes them folders for INIT.

The folders are `checkpoints/ernie-2.0-base-en` (stages 1, 3 and 4: both encoders of the dual
encoder start from it, as in the released code) and `checkpoints/ernie-2.0-large-en` (stage 2). The
files come from the addresses that PaddleNLP has in its tables; `--model` takes any ERNIE in them.
With `--from DIR` a file is taken from DIR/NAME/FILE if it is there, where FILE is the last part of
its address.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

from builds import add_check_flag, run_script, script_parser

from rocketqa.cli.flags import NumberType, to_path, to_text
from rocketqa.files.errors import DataError
from rocketqa.files.packages import import_package
from rocketqa.files.ranges import EPSILON
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.job import Job

MODELS = ("ernie-2.0-base-en", "ernie-2.0-large-en")  # section 4.1.3
WEIGHTS = "model_state.pdparams"


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "ernie_weights.py",
        "Make folders for INIT from the ERNIE encoders that PaddleNLP knows by name.",
        "python data_prep/ernie_weights.py --model ernie-2.0-base-en",
    )
    parser.add_argument(
        "--output",
        type=to_path,
        default=Path("checkpoints"),
        metavar="DIR",
        help="folder that gets a folder for each model (default: %(default)s)",
    )
    parser.add_argument(
        "--model",
        type=to_text,
        nargs="+",
        default=MODELS,
        metavar="NAME",
        help=f"names of ERNIE encoders (default: {' '.join(MODELS)})",
    )
    parser.add_argument(
        "--from",
        type=to_path,
        dest="source",
        metavar="DIR",
        help="take DIR/NAME/FILE where it exists (default: download every file)",
    )
    # Official code: ERNIE 2.0 ran with Paddle's default epsilon; PaddleNLP sets 1e-12.
    parser.add_argument(
        "--layer-norm-eps",
        type=NumberType(EPSILON),
        default=1e-5,
        help="epsilon of every layer normalisation (default: %(default)s)",
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the folders and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the folder of each model that is not up to date, and returns the exit status."""
    statuses = [make_folder(name, args) for name in args.model]
    return max(statuses)


def make_folder(name: str, args: Namespace) -> int:
    """Makes the folder of one model unless it is up to date, and returns the exit status."""
    settings, urls = published(name)
    files = {kind: local_file(name, url, args) for kind, url in urls.items()}
    job = Job(
        "ernie_weights",
        args.output / name,
        flags={"layer_norm_eps": args.layer_norm_eps, "model": name},
        inputs=files,
    ).of_folder()

    def write(part: Path) -> None:
        settings["layer_norm_eps"] = args.layer_norm_eps
        count = write_encoder(part, name, settings, files)
        print(f"{job.output}: {count:,} parameters", file=sys.stderr)

    return job.run(write, args.check)


def write_encoder(part: Path, name: str, settings: dict[str, Any], files: dict[str, Path]) -> int:
    """Writes weights, architecture and tokenizer, and returns the number of parameters.

    Raises DataError if a parameter is missing, unexpected, of another shape or not finite.
    """
    from safetensors.numpy import save_file

    from rocketqa.files.json_files import JsonObject
    from rocketqa.weights.config_files import config_of_encoder
    from rocketqa.weights.encoder_weights import encoder_weights
    from rocketqa.weights.weight_files import read_file

    config = config_of_encoder(JsonObject(settings, name))
    weights = encoder_weights(read_file(files[WEIGHTS]), config, name)
    save_file(weights, part / "model.safetensors")
    _write_text(part / "config.json", json.dumps(config._asdict(), indent=1))
    tokenizer = {"tokenizer_class": settings["tokenizer_class"], "do_lower_case": True}
    _write_text(part / "tokenizer_config.json", json.dumps(tokenizer))
    for kind, path in files.items():
        if kind != WEIGHTS:
            (part / kind).write_bytes(path.read_bytes())
    return sum(value.size for value in weights.values())


def _write_text(path: Path, text: str) -> None:
    path.write_text(f"{text}\n", encoding="utf-8")


def published(name: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Returns a model's settings and, for each of its files, the address.

    Both come from PaddleNLP's tables. Raises DataError if they do not have the name.
    """
    expected = "the package paddlenlp, which knows the addresses"
    import_package("paddlenlp", f"--model {name}", expected)
    from paddlenlp.transformers import ErnieConfig, ErnieModel, ErnieTinyTokenizer, ErnieTokenizer

    weight_urls = ErnieModel.pretrained_resource_files_map["model_state"]
    if name not in weight_urls:
        known = ", ".join(weight_urls)
        raise DataError(f"--model {name}: expected a name among {known}, got another")
    is_tiny = name in ErnieTinyTokenizer.pretrained_init_configuration
    tokenizer = ErnieTinyTokenizer if is_tiny else ErnieTokenizer
    urls = {WEIGHTS: weight_urls[name]}
    for kind, url_by_name in tokenizer.pretrained_resource_files_map.items():
        file_name = tokenizer.resource_files_names[kind]
        urls[file_name] = url_by_name[name]
    config = ErnieConfig(**ErnieConfig.pretrained_init_configuration[name])
    settings = config.to_dict() | {"tokenizer_class": tokenizer.__name__}
    return settings, urls


def local_file(name: str, url: str, args: Namespace) -> Path:
    """Returns the path of a published file: that under --from, else a download."""
    source = Source(url)
    if args.source:
        given = args.source / name / source.name
        if given.is_file():
            return given
    return fetch(source, args.output / "downloads" / name / source.name)


if __name__ == "__main__":
    sys.exit(main())
