"""A tiny flight that nothing stops: data, weights and an env file, to be broken by the tests."""

import shutil
from pathlib import Path

from script_runs import ROOT, variable_values
from toy_files import write_tiny_flight

OWN = ROOT / "run_scripts/own.env"


def write_flight(folder: Path) -> Path:
    """Writes DATA_DIR, INIT and an env file into a folder, and returns the env file.

    The flight would make `o` and `c` in the same folder.
    """
    data = folder / "data"
    data.mkdir()
    write_tiny_flight(data)
    queries = (data / "queries.tsv").read_text()
    for split, letter in (("train", "q"), ("dev", "q"), ("unlabelled", "u")):
        (data / f"queries.{split}.tsv").write_text(queries.replace("q", letter))
    for split in ("train", "dev"):
        shutil.copy(data / "qrels.tsv", data / f"qrels.{split}.tsv")
    places = {
        "DATA_DIR": data,
        "INIT": data / "init",
        "INIT_CROSS": data / "init",
        "OUTPUT_DIR": folder / "o",
        "CHECKPOINT_DIR": folder / "c",
        "BASELINES": "no",
        "FUSE": "no",
    }
    env = folder / "my.env"
    values = variable_values(OWN) | {name: str(value) for name, value in places.items()}
    env.write_text("".join(f"{name}='{value}'\n" for name, value in values.items()))
    return env


def files_below(folder: Path) -> set[str]:
    """Returns everything below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
