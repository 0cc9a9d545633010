"""Imports go to a lower row only, the verbs know nothing of each other, and the method's data work loads no Paddle."""
import ast
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parents[1]
ROWS = (
    ("answers", "chance", "flags", "progress", "rows", "train_log", "watchdog"),
    ("fluid_variables", "formats", "runs"),
    ("artefacts", "build_costs", "denoised_hard_negatives", "lookup", "measures", "paper_tables", "validation",
     "weight_files"),
    ("tokenizer",),
    ("cpu_kernels",),
    ("cross_batch_negatives", "data_augmentation", "denoising_report", "devices", "download", "ernie", "figures",
     "optimizer", "token_store", "unpack", "vectors"),
    ("batches", "checkpoint", "cross_encoder", "dual_encoder", "index", "pretrained"),
    ("dev_measure", "inference", "released_models", "training"),
    ("export", "peers", "retriever", "service", "toolkit"),
)
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
WITHOUT_PADDLE = (*ROWS[0], *ROWS[1], *ROWS[2], *ROWS[3], "data_augmentation", "denoising_report", "download",
                  "token_store", "unpack", "vectors")
HEAVY = ("paddle", "paddlenlp", "faiss")

MODULES = sorted(path for path in (HERE / "rocketqa").glob("*.py") if path.name != "__init__.py")
VERBS = sorted((HERE / "rocketqa" / "cli").glob("*.py"))


def imported(source: str, package: str) -> set[str]:
    """Returns what of rocketqa a source imports, wherever in it: `formats`, `cli.encode`; '' is the package itself."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[:package.count(".") + 2 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            names = [f"{module}.{name.name}" for name in node.names]
            found |= {name if is_module(name) else module for name in names}
    return {name.removeprefix("rocketqa").removeprefix(".") for name in found if name.split(".")[0] == "rocketqa"}


def is_module(name: str) -> bool:
    path = HERE.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def test_imports_are_found_in_every_form():
    source = ("import rocketqa.formats\nfrom rocketqa import __version__, devices\nimport numpy\n"
              "def late():\n    from rocketqa.ernie import pack\n    from .chance import number\n"
              "    from . import index\n")
    assert imported(source, "rocketqa") == {"formats", "", "devices", "ernie", "chance", "index"}
    assert imported("from . import encode\nfrom ..formats import Query\n", "rocketqa.cli") == {"cli.encode", "formats"}


def test_every_module_has_a_row_and_every_row_its_modules():
    assert {path.stem for path in MODULES} == ROW_OF.keys()
    assert {path.parent.name for path in (HERE / "rocketqa").glob("*/*.py")} == {"cli"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_lower_rows_only(path):
    higher = {name for name in imported(path.read_text(encoding="utf-8"), "rocketqa") - {""}
              if ROW_OF.get(name, len(ROWS)) >= ROW_OF[path.stem]}
    assert not higher


@pytest.mark.parametrize("path", VERBS, ids=lambda path: path.stem)
def test_a_verb_imports_no_other_verb(path):
    names = imported(path.read_text(encoding="utf-8"), "rocketqa.cli")
    assert names - {""} <= ROW_OF.keys() | ({"cli"} if path.stem == "__main__" else set())  # __main__ lists the verbs


def test_the_package_itself_imports_nothing_of_its_own():
    assert not imported((HERE / "rocketqa" / "__init__.py").read_text(encoding="utf-8"), "rocketqa")


def loaded_by(*modules: str) -> set[str]:
    """Returns which heavy packages are loaded in a fresh process after importing the modules."""
    script = f"import sys, {', '.join(modules)}\nprint(*sorted(set({HEAVY}) & sys.modules.keys()))"
    answer = subprocess.run([sys.executable, "-c", script], cwd=HERE, capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


def test_the_package_and_its_data_modules_load_neither_paddle_nor_faiss():
    assert loaded_by("rocketqa", *(f"rocketqa.{name}" for name in WITHOUT_PADDLE)) == set()


def test_verbs_load_paddle_only_when_they_work():
    assert loaded_by("rocketqa.cli.__main__", *(f"rocketqa.cli.{path.stem}" for path in VERBS
                                                if not path.stem.startswith("__"))) == set()


def test_a_heavy_package_is_noticed():
    assert loaded_by("rocketqa.index") == {"faiss"}
