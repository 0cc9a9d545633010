"""Imports point to a lower row only, verbs know nothing of each other, and data work loads no
Paddle.
"""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from rocketqa.cli.__main__ import VERBS

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "rocketqa"

# From the lowest row to the highest. An entry is a room (a folder), or one module where a room
# would be too coarse.
ROWS = (
    ("files",),
    ("jobs",),
    (
        "denoised_hard_negatives",
        "training.schedule",
        "search.encodings",
        "search.ids",
        "search.exact_sums",
        "search.kernels",
    ),
    (
        "data_augmentation",
        "evaluation",
        "text",
        "distributed",
        "search.removals",
        "search.exact_scores",
        "training.sampling",
        "training.settings",
    ),
    (
        "encoder",
        "training.objective",
        "training.known_positives",
        "search.vectors",
        "search.near_equal_passages",
        "search.block_index",
    ),
    ("cross_batch_negatives",),
    ("dual_encoder", "cross_encoder", "distillation", "search.exact_search"),
    ("weights",),
    ("inference",),
    ("training", "search"),
    ("toolkit", "benchmark", "doctor"),
    ("cli",),
)
ROW_OF = {entry: row for row, entries in enumerate(ROWS) for entry in entries}
WITHOUT_PADDLE = (
    *("files", "jobs", "evaluation", "text", "distributed.watchdog", "training.schedule"),
    *("training.settings", "weights.released_archives", "weights.model_kinds"),
    *("training.flight_variables", "training.preflight", "distributed.launch_variables"),
    *("training.plan", "training.step_memory", "weights.architectures"),
    *("denoised_hard_negatives", "data_augmentation", "training.sampling"),
    *("search.encodings", "search.removals", "search.vectors"),
    *("search.answer", "search.index_record"),
    *("encoder.config", "encoder.batch_plan", "inference.encoding_plan"),
    *("doctor.findings", "doctor.machine", "doctor.examination", "doctor.worker"),
)
SHARED_BY_VERBS = {
    *("cli.flags", "cli.training_flags", "cli.search_flags", "cli.bm25_flags", "cli.index_flags"),
    *("cli.report_flags", "cli.benchmark_growth"),
}
HEAVY = ("paddle", "paddlenlp", "faiss")


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
OF_THE_METHOD = [name for name in MODULES if not name.startswith(("cli.", "__init__"))]
OF_VERBS = [name for name in MODULES if name.startswith("cli.") and "__" not in name]


def entry_of(name: str) -> str | None:
    """Returns the entry of ROWS that a module belongs to: its own, else that of its room."""
    return name if name in ROW_OF else next((e for e in ROW_OF if name.split(".")[0] == e), None)


def imported(source: str, package: str) -> set[str]:
    """Returns what of rocketqa a source imports, wherever in it: `files.formats`; '' is the package
    itself.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = []
            if node.level:
                base = package.split(".")[: package.count(".") + 2 - node.level]
            module = ".".join([*base, *filter(None, [node.module])])
            names = [f"{module}.{name.name}" for name in node.names]
            found |= {name if is_module(name) else module for name in names}
    own = {name for name in found if name.split(".")[0] == "rocketqa"}
    return {name.removeprefix("rocketqa").removeprefix(".") for name in own}


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def imports_of(name: str) -> set[str]:
    package = ".".join(["rocketqa", *name.split(".")[:-1]])
    return imported(MODULES[name].read_text(encoding="utf-8"), package) - {""}


def test_imports_are_found_in_every_form():
    source = (
        "import rocketqa.files.formats\nfrom rocketqa import __version__, toolkit\nimport numpy\n"
        "def late():\n    from rocketqa.encoder.ernie import Ernie\n"
        "    from .jobs.seeds import number\n"
        "    from . import dual_encoder\n"
    )
    assert imported(source, "rocketqa") == {
        *("files.formats", "", "toolkit", "encoder.ernie", "jobs.seeds", "dual_encoder")
    }
    source = "from . import encode\nfrom ..files.formats import Query\n"
    assert imported(source, "rocketqa.cli") == {"cli.encode", "files.formats"}


def test_every_module_has_a_row_and_every_row_its_modules():
    entries = {name: entry_of(name) for name in OF_THE_METHOD}
    assert not [name for name, entry in entries.items() if entry is None]
    assert {*entries.values(), "cli"} == ROW_OF.keys()


@pytest.mark.parametrize("name", OF_THE_METHOD)
def test_a_module_imports_its_own_room_or_a_lower_row(name):
    own = entry_of(name)
    for other in map(entry_of, imports_of(name)):
        assert other == own or ROW_OF[other] < ROW_OF[own], f"{name} imports {other}"


def test_no_module_of_a_room_imports_itself_in_a_circle():
    graph = {name: imports_of(name) & MODULES.keys() for name in MODULES}
    finished: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"circle: {' -> '.join((*path, name))}"
        if name not in finished:
            for other in graph[name]:
                visit(other, (*path, name))
            finished.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize("name", OF_VERBS)
def test_a_verb_imports_no_other_verb(name):
    assert {other for other in imports_of(name) if other.startswith("cli")} <= SHARED_BY_VERBS


def test_every_verb_has_a_file_and_a_place_in_the_order_of_work():
    files = {name.removeprefix("cli.").replace("_", "-") for name in OF_VERBS}
    shared = {name.removeprefix("cli.").replace("_", "-") for name in SHARED_BY_VERBS}
    assert files - shared == set(VERBS)
    assert len(set(VERBS)) == len(VERBS)


def test_the_package_itself_imports_nothing_of_its_own():
    assert not imports_of("__init__")


def test_the_init_of_a_room_says_what_it_holds_and_does_nothing():
    for path in PACKAGE.glob("*/__init__.py"):
        [line] = ast.parse(path.read_text(encoding="utf-8")).body
        assert isinstance(line, ast.Expr) and len(line.value.value) > 20, path


def loaded_by(*modules: str) -> set[str]:
    """Returns which heavy packages are loaded in a fresh process after importing the modules."""
    script = f"import sys, {', '.join(modules)}\nprint(*sorted(set({HEAVY}) & sys.modules.keys()))"
    answer = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(answer.stdout.split())


def test_the_package_and_its_data_modules_load_neither_paddle_nor_faiss():
    light = [name for name in OF_THE_METHOD if name.startswith(WITHOUT_PADDLE)]
    assert len(light) > 25
    assert loaded_by("rocketqa", *(f"rocketqa.{name}" for name in light)) == set()


def test_verbs_load_paddle_only_when_they_work():
    assert loaded_by(*(f"rocketqa.{name}" for name in ("cli.__main__", *OF_VERBS))) == set()


def test_a_heavy_package_is_noticed():
    assert loaded_by("rocketqa.search.exact_search") == {"faiss"}
