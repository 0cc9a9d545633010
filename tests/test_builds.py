"""A builder's file is complete or absent, its rows are counted, and its errors are one line."""

import json
from argparse import ArgumentParser
from collections import Counter

import pytest
from data_prep_runs import data_prep_module, read, write

from rocketqa.files.errors import DataError

builds = data_prep_module("builds")


@pytest.fixture
def settings(tmp_path):
    """Settings that build from the folder `from` into `out`."""
    write(tmp_path / "from", source__txt="a\n")
    return builds.BuildSettings(
        output=tmp_path / "out",
        from_folder=tmp_path / "from",
        downloads=tmp_path / "downloads",
        counts="any",
        check=False,
    )


def make(settings, lines, **more) -> int:
    """Makes rows.tsv of these lines."""
    settings.output.mkdir(exist_ok=True)
    inputs = {"source": settings.from_folder / "source.txt"}
    return builds.make_file(settings, "test rows", "rows.tsv", lines, inputs=inputs, **more)


def test_the_manifest_has_the_job_the_rows_and_the_notes(settings):
    notes = Counter({"empty rows left out": 2})
    assert make(settings, ["a", "b"], notes=notes, flags={"titles": "no"}) == 0
    assert read(settings.output, "rows.tsv") == "a\nb\n"
    manifest = json.loads(read(settings.output, "rows.tsv.meta.json"))
    assert manifest["job"]["verb"] == "test rows"
    assert manifest["job"]["flags"] == {"titles": "no"}
    assert manifest["job"]["inputs"].keys() == {"source"}
    assert manifest["rows"] == 2
    assert manifest["notes"] == {"empty rows left out": 2}
    assert manifest["titles"] == "no"


def test_rows_and_notes_are_reported(settings, capsys):
    make(settings, ["a", "b"], notes=Counter({"odd": 1_000, "never": 0}), published_rows=3)
    notes = "1,000 odd; 1 rows fewer or more than the 3 published"
    assert capsys.readouterr().err == f"{settings.output}/rows.tsv: 2 rows ({notes})\n"


def test_the_lines_of_a_finished_file_are_not_read(settings):
    assert make(settings, ["a"]) == 0

    def lines():
        raise AssertionError("read")
        yield

    assert make(settings, lines()) == 0
    assert make(settings._replace(check=True), lines()) == 0


def test_check_makes_nothing(settings):
    assert make(settings._replace(check=True), ["a"]) == 3
    assert not (settings.output / "rows.tsv").exists()


@pytest.mark.parametrize(
    "lines, fault",
    [
        ([], "rows.tsv: expected rows, got none"),
        (["a", "b"], "rows.tsv: expected 3 rows as published, got 2"),
        (["\ud800"], r"rows.tsv: expected characters, got '\\ud800'"),
    ],
)
def test_what_is_not_the_published_file_is_refused_and_not_kept(settings, lines, fault):
    with pytest.raises(DataError, match=fault):
        make(settings._replace(counts="published"), lines, published_rows=3)
    assert not (settings.output / "rows.tsv").exists()


def test_repeated_rows_belong_to_the_published_count(settings):
    notes = Counter({builds.REPEATED: 1})
    published = settings._replace(counts="published")
    assert make(published, ["a", "b"], notes=notes, published_rows=3) == 0


def test_defaults_follow_from_the_other_flags(tmp_path):
    parser = ArgumentParser()
    builds.add_build_flags(parser, "folder")

    def settings_of(*flags: str):
        return builds.settings_of(parser.parse_args(["--output", str(tmp_path), *flags]))

    assert settings_of().downloads == tmp_path / "downloads"
    assert settings_of().counts == "published"
    assert settings_of("--from", "here").counts == "any"
    assert settings_of("--from", "here", "--counts", "published").counts == "published"


@pytest.mark.parametrize(
    "error, status, stderr",
    [
        (DataError("a: expected b, got c"), 2, "data_prep/x.py: a: expected b, got c\n"),
        (OSError(28, "No space left on device"), 2, "data_prep/x.py: expected room on the disk, "),
        (builds.NotFinished(), 3, ""),
    ],
)
def test_an_error_becomes_an_exit_status(error, status, stderr, capsys):
    def build(args):
        raise error

    parser = builds.script_parser("x.py", "Test.", "python data_prep/x.py")
    assert builds.run_script(parser, build, []) == status
    assert capsys.readouterr().err.startswith(stderr)


def test_a_build_without_a_status_has_succeeded():
    parser = builds.script_parser("x.py", "Test.", "python data_prep/x.py")
    assert builds.run_script(parser, lambda args: None, []) == 0
