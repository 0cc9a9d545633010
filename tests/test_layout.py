"""Every module has its test, no file is too long, and the tools for style and types are content."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FILE = 300  # lines
FOLDERS = ("rocketqa", "data_prep", "tests")
# Tested together with the module that they serve, in one file.
TESTED_IN = {
    "bm25_flags": "test_bm25",
    "index_flags": "test_index",
    "benchmark_growth": "test_growth",
    "report_flags": "test_report",
    "run_fusion": "test_fuse",
    "contender_ours": "test_contenders",
    "contender_onnxruntime": "test_contenders",
    "contender_openvino": "test_contenders",
    "contender_products": "test_contenders",
    "peer_graphs": "test_contenders",
    "contender_paddlenlp": "test_contenders",
    "contender_sentence_transformers": "test_contenders",
    "findings": "test_examination",
    "small_model": "test_numerics",
}


def project_files(*patterns: str) -> list[Path]:
    """Returns the files that are under version control, or are about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def modules() -> list[str]:
    files = project_files("rocketqa/*.py", "data_prep/*.py")
    return sorted({path.stem for path in files if not path.stem.startswith("__")})


@pytest.mark.parametrize("module", modules())
def test_every_module_has_its_test(module):
    test = ROOT / "tests" / f"{TESTED_IN.get(module, f'test_{module}')}.py"
    assert test.is_file(), f"{module} has no {test.name}"
    assert re.search(r"^def test_", test.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_file_is_too_long(folder):
    lengths = {}
    for path in project_files(f"{folder}/*.py"):
        lengths[path.name] = len(path.read_text(encoding="utf-8").splitlines())
    assert len(lengths) > 10
    assert not {name: lines for name, lines in lengths.items() if lines > LONGEST_FILE}


def run_tool(*words: str) -> str:
    """Runs a tool on the whole project and returns what it complains about."""
    command = [sys.executable, "-m", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_the_code_is_formatted():
    assert run_tool("ruff", "format", "--check", ".") == ""


def test_the_linter_finds_nothing():
    assert run_tool("ruff", "check", ".") == ""


def test_types_are_sound():
    assert run_tool("mypy") == ""


def test_types_are_shipped():
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    assert (ROOT / "rocketqa/py.typed").is_file() and '"py.typed"' in setup
