"""The encoders that the paper starts from, as folders for INIT: `python data_prep/ernie_weights.py`.

Makes `checkpoints/ernie-2.0-base-en` (stages 1, 3 and 4: both towers start from it, the released "twin" initialisation)
and `checkpoints/ernie-2.0-large-en` (stage 2), from where PaddleNLP has them; `--model` takes any name of its ERNIEs.
`--from DIR` takes DIR/NAME/FILE where that is there, FILE being the last part of the URL.
"""

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sources import run

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath, OutputPath

MODELS = ("ernie-2.0-base-en", "ernie-2.0-large-en")  # section 4.1.3


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = ArgumentParser("data_prep/ernie_weights.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("checkpoints"), help="where a folder a model is made"
    )
    parser.add_argument(
        "--model", nargs="+", default=MODELS, metavar="NAME", help=f"default: {' '.join(MODELS)}"
    )
    parser.add_argument(
        "--from", type=Path, dest="source", metavar="DIR", help="take files that are there already"
    )
    # Official code: ERNIE 2.0 ran with Paddle's default epsilon; PaddleNLP sets 1e-12.
    parser.add_argument(
        "--layer-norm-eps", type=float, default=1e-5, help="epsilon of every norm (default 1e-5)"
    )
    parser.add_argument(
        "--check", action="store_true", help="make nothing: exit 0 where all is up to date, else 3"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the folders and returns the exit status."""
    return run(build_parser(), lambda args: max(make(name, args) for name in args.model), argv)


def make(name: str, args: Namespace) -> int:
    """Makes one folder, where it is not up to date, and returns the exit status."""
    from safetensors.numpy import save_file

    from rocketqa.weights.pretrained import config_of, encoder_weights
    from rocketqa.weights.weight_files import read_file

    settings, urls = published(name)
    files = {kind: there(name, url, args) for kind, url in urls.items()}
    job = Job(
        "ernie_weights",
        Namespace(
            output=OutputPath(args.output / name),
            layer_norm_eps=args.layer_norm_eps,
            model=name,
            **{kind: InputPath(path) for kind, path in files.items()},
        ),
    )
    status = job.status_if_done(args.check)
    if status is not None:
        return status
    config = config_of(settings | {"layer_norm_eps": args.layer_norm_eps}, name)
    weights = encoder_weights(read_file(files.pop("model_state.pdparams")), config, name)
    with job as part:
        save_file(weights, part / "model.safetensors")
        (part / "config.json").write_text(
            json.dumps(config._asdict(), indent=1) + "\n", encoding="utf-8"
        )
        tokenizer = {"tokenizer_class": settings["tokenizer_class"], "do_lower_case": True}
        (part / "tokenizer_config.json").write_text(json.dumps(tokenizer) + "\n", encoding="utf-8")
        for kind, path in files.items():
            (part / kind).write_bytes(path.read_bytes())
    print(
        f"{job.output}: {sum(value.size for value in weights.values()):,} parameters",
        file=sys.stderr,
    )
    return 0


def published(name: str) -> tuple[dict, dict[str, str]]:
    """Returns what PaddleNLP says of a model: its settings, and where each of its files is."""
    from paddlenlp.transformers import ErnieConfig, ErnieModel, ErnieTinyTokenizer, ErnieTokenizer

    weights = ErnieModel.pretrained_resource_files_map["model_state"]
    if name not in weights:
        raise DataError(f"--model {name}: expected a name among {', '.join(weights)}, got another")
    tokenizer = (
        ErnieTinyTokenizer
        if name in ErnieTinyTokenizer.pretrained_init_configuration
        else ErnieTokenizer
    )
    urls = {
        tokenizer.resource_files_names[kind]: by_name[name]
        for kind, by_name in tokenizer.pretrained_resource_files_map.items()
    }
    settings = ErnieConfig(**ErnieConfig.pretrained_init_configuration[name]).to_dict()
    return settings | {"tokenizer_class": tokenizer.__name__}, {
        "model_state.pdparams": weights[name]
    } | urls


def there(name: str, url: str, args: Namespace) -> Path:
    """Returns a published file on this disk."""
    source = Source(url)
    given = args.source and args.source / name / source.name
    return (
        given
        if given and given.is_file()
        else fetch(source, args.output / "downloads" / name / source.name)
    )


if __name__ == "__main__":
    sys.exit(main())
