"""The scripts of data_prep/ explain themselves, and download and unpack as their modules do."""

import argparse
import tarfile
from argparse import SUPPRESS, Action

import pytest
from data_prep_runs import call, call_alone, data_prep_module, read, write
from misbehaving_server import serving

SCRIPTS = (
    "beir",
    "bm25",
    "demo_weights",
    "documents",
    "download",
    "ernie_weights",
    "marco",
    "nq",
    "pseudo_qrels",
    "released_models",
    "released_tsv",
    "sample_queries",
    "split_labelled",
    "split_queries",
    "squad",
    "toy",
    "unlabelled_queries",
    "unpack",
)


def shown_default(action: Action) -> str | None:
    """Returns how the help must show the default; None for required flags and for switches."""
    is_switch = action.nargs == 0
    if action.required or is_switch or action.default is SUPPRESS:
        return None
    if action.default in (None, []):
        return "(default: "
    values = action.default if isinstance(action.default, tuple) else (action.default,)
    return f"(default: {' '.join(map(str, values))})"


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_flag_has_help_that_shows_its_default(script):
    parser = data_prep_module(script).build_parser()
    formatter = parser._get_formatter()
    for action in parser._actions:
        assert action.help, action.dest
        default = shown_default(action)
        if default:
            assert default in formatter._expand_help(action)


@pytest.mark.parametrize("script", SCRIPTS)
def test_the_help_ends_with_an_example_that_the_script_accepts(script):
    parser = data_prep_module(script).build_parser()
    example = parser.format_help().split("Example:\n")[1].replace("\\\n", " ")
    python, name, *words = example.split()
    assert (python, name) == ("python", f"data_prep/{script}.py")
    assert isinstance(parser.parse_args(words), argparse.Namespace)


def test_download_writes_the_file(tmp_path):
    with serving(b"content", "fine") as server:
        flags = (server.url, "--output", tmp_path / "file.tsv", "--size", 7)
        assert call("download.py", *flags) == (0, "")
    assert read(tmp_path, "file.tsv") == "content"


def test_download_refuses_another_size_and_another_digest(tmp_path):
    with serving(b"content", "fine") as server:
        for flag, value in (("--size", 8), ("--md5", "0" * 32), ("--sha256", "0" * 64)):
            status, stderr = call(
                "download.py", server.url, "--output", tmp_path / "file.tsv", flag, value
            )
            assert status == 2
            assert stderr.count("\n") == 1
            assert f"expected {value} bytes" in stderr or f"expected {flag[2:]} {value}" in stderr
    assert not (tmp_path / "file.tsv").exists()


def test_unpack_makes_the_folder(tmp_path):
    write(tmp_path / "files", a__txt="a\n")
    with tarfile.open(tmp_path / "files.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "files", "inner")
    archive = tmp_path / "files.tar.gz"
    assert call_alone("unpack.py", archive, "--output", tmp_path / "out")[0] == 0
    assert read(tmp_path / "out/inner", "a.txt") == "a\n"
    assert call("unpack.py", archive, "--output", tmp_path / "out")[1].endswith("up to date\n")


def test_unpack_refuses_what_is_not_an_archive(tmp_path):
    write(tmp_path, not_an_archive__txt="a\n")
    archive = tmp_path / "not_an_archive.txt"
    status, stderr = call("unpack.py", archive, "--output", tmp_path / "out")
    assert status == 2
    assert stderr.startswith("data_prep/unpack.py: ")
    assert stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()
