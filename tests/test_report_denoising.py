"""`rocketqa report-denoising` makes a folder of tables, by hand on literal files."""

import json

import pytest

from rocketqa.cli.__main__ import main
from rocketqa.files.runs import ranked, run_lines

RUN = [ranked("q1", [("a", 3.0), ("b", 2.0), ("c", 1.0)]), ranked("q2", [("c", 3.0)])]
SCORES = [ranked("q1", [("a", 0.95), ("b", 0.5), ("c", 0.01)]), ranked("q2", [("c", 0.3)])]
TABLES = ("by_rank", "by_score", "max_negative", "min_positive", "removals")


def write(folder, name: str, lines) -> str:
    """Writes a file, in which bars become tabs, and returns its path."""
    (folder / name).write_text("".join(line.replace("|", "\t") + "\n" for line in lines))
    return str(folder / name)


@pytest.fixture
def command(tmp_path):
    """The command line of the verb on files in the test's folder, without its output."""
    collection = ["a|A|text a", "b||text b", "c|C|text c"]
    run = [line for ranking in RUN for line in run_lines(ranking)]
    scores = [line for ranking in SCORES for line in run_lines(ranking)]
    flags = {
        "--run": write(tmp_path, "a.run", run),
        "--scores": write(tmp_path, "b.run", scores),
        "--queries": write(tmp_path, "queries.tsv", ["q1|who", "q2|what"]),
        "--collection": write(tmp_path, "collection.tsv", collection),
        "--qrels": write(tmp_path, "qrels.tsv", ["q1|0|a|1"]),
        "--truth": write(tmp_path, "truth.tsv", ["q1|0|a|1"]),
        "--depth": "2",
    }
    words = [word for flag in flags.items() for word in flag]
    return ["report-denoising", *words]


def test_the_verb_makes_a_folder_with_the_tables_and_the_texts_of_the_removals(
    command, tmp_path, capsys
):
    output = tmp_path / "out"
    assert main([*command, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: 2 of 2 unlabelled passages removed\n"
    assert sorted((output / "removals.tsv").read_text().splitlines()[1:]) == [
        "q1\twho\t2\t0.5\tb\t\ttext b\tno",
        "q2\twhat\t1\t0.3\tc\tC\ttext c\t",
    ]
    tables = {f"{name}.tsv" for name in TABLES}
    assert {path.name for path in output.iterdir()} == {"meta.json", "report.md"} | tables
    manifest = json.loads((output / "meta.json").read_text())
    assert manifest["job"]["flags"]["max_negative"] == 0.1
    report = (output / "report.md").read_text()
    assert "| q1 | who | 2 | 0.5 | b |  | text b | no |" in report


def test_queries_without_labels_show_their_pseudo_labels_beside_the_report(command, tmp_path):
    assert main([*command, "--output", str(tmp_path / "labelled")]) == 0
    place = command.index("--qrels")
    unlabelled = command[:place] + command[place + 2 :]
    output = tmp_path / "out"
    assert main([*unlabelled, "--depth", "3", "--output", str(output)]) == 0
    added = {path.name for path in output.iterdir()}
    added -= {path.name for path in (tmp_path / "labelled").iterdir()}
    assert added == {"pseudo_labels.md", "pseudo_labels.tsv"}
    _, positive, negative = (output / "pseudo_labels.tsv").read_text().splitlines()
    assert positive == "q1\twho\tpositive\t1\t0.95\ta\tA\ttext a\tyes"
    assert negative == "q1\twho\tnegative\t3\t0.01\tc\tC\ttext c\tno"
    shown = (output / "pseudo_labels.md").read_text()
    assert "| q1 | who | negative | 3 | 0.01 | c | C | text c | no |" in shown
    assert "seudo" not in (output / "report.md").read_text()


def test_a_passage_that_the_collection_lacks_is_refused(command, tmp_path, capsys):
    write(tmp_path, "collection.tsv", ["a|A|text a", "c|C|text c"])
    assert main([*command, "--output", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err.endswith("a.run: expected passages of the collection, got 'b'\n")


@pytest.mark.parametrize("flag", ["--qrels", "--truth"])
def test_labels_of_other_queries_are_refused(command, tmp_path, capsys, flag):
    labels = write(tmp_path, "other.tsv", ["x1|0|a|1"])
    assert main([*command, flag, labels, "--output", str(tmp_path / "out")]) == 2
    assert f"a.run: expected queries of {labels}, such as 'x1', got none" in capsys.readouterr().err
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize("flags", [["--depth", "-1"], ["--max-negative", "inf"]])
def test_a_number_that_means_nothing_is_refused(capsys, flags):
    with pytest.raises(SystemExit, match="2"):
        main(["report-denoising", *flags])
    line = capsys.readouterr().err
    assert line.startswith(f"rocketqa report-denoising: {flags[0]}: expected a ")
    assert line.count("\n") == 1


def test_held_out_pairs_add_what_thresholds_take_wrongly_and_nothing_changes_without_them(
    command, tmp_path
):
    assert main([*command, "--output", str(tmp_path / "plain")]) == 0
    plain = json.loads((tmp_path / "plain/meta.json").read_text())["job"]
    assert "held_out_pairs" not in plain["flags"] | plain["inputs"]
    rows = ["q1|a|1|0.95", "q1|b|0|0.05", "q2|a|1|0.04", "q2|c|0|0.25"]
    pairs = write(tmp_path, "held_out.tsv", ["query_id|passage_id|label|probability", *rows])
    assert main([*command, "--held-out-pairs", pairs, "--output", str(tmp_path / "out")]) == 0
    for table, column in (
        ("max_negative.tsv", "held_out_labelled_taken_for_negatives"),
        ("min_positive.tsv", "held_out_others_taken_for_positives"),
    ):
        without, held_out = (
            (tmp_path / name / table).read_text().splitlines()[0] for name in ("plain", "out")
        )
        assert held_out == f"{without}\t{column}"
