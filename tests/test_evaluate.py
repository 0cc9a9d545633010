"""`rocketqa evaluate` prints measures, and makes a file of them only if it is asked to."""

import json

import pytest

from rocketqa.cli.__main__ import main


@pytest.fixture
def command(tmp_path):
    """The command line of the verb on files in the test's folder."""
    run = tmp_path / "a.run"
    run.write_text("q1\tQ0\tb\t1\t2.0\tx\nq1\tQ0\ta\t2\t1.5\tx\nq1\tQ0\tc\t3\t1.0\tx\n")
    qrels = tmp_path / "qrels.tsv"
    qrels.write_text("q1\t0\tc\t1\nq2\t0\tz\t1\n")
    return ["evaluate", "--run", str(run), "--qrels", str(qrels)]


def test_evaluate_prints_measures_first_at_full_precision_and_counts_queries(command, capsys):
    assert main([*command, "--measures", "MRR@10", "Success@3"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"MRR@10\t{1 / 6!r}",
        "Success@3\t0.5",
        "queries_judged\t2",
        "queries_retrieved\t1",
        "queries_evaluated\t1",
    ]
    assert "queries_judged 2, queries_retrieved 1, queries_evaluated 1" in printed.err


def test_the_default_measures_are_those_of_the_paper(command, tmp_path, capsys):
    lines = (f"q1\tp{rank}\t{rank}\n" for rank in range(1, 1001))
    (tmp_path / "a.run").write_text("".join(lines))
    assert main(command) == 0
    names = [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:4] == ["MRR@10", "Success@1", "Success@50", "Success@1000"]
    assert names[4:6] == ["Recall@50", "Recall@1000"]


def test_the_output_holds_what_is_printed_and_is_made_once(command, tmp_path, capsys):
    output = tmp_path / "measures.tsv"
    assert main([*command, "--output", str(output), "--check"]) == 3
    assert main([*command, "--output", str(output)]) == 0
    assert capsys.readouterr().out == output.read_text()
    assert main([*command, "--output", str(output), "--check"]) == 0
    assert main([*command, "--output", str(output)]) == 0
    assert capsys.readouterr().out == ""
    assert main([*command, "--output", str(output), "--mode", "official", "--check"]) == 3


@pytest.mark.parametrize(
    "flags, message",
    [
        (
            ["--collection", "collection.tsv"],
            "--collection: expected it together with --answers, got one alone",
        ),
        (
            ["--mode", "released"],
            "--mode released, --match, --with-titles: expected them with --answers, got --qrels",
        ),
        (
            ["--mode", "official", "--order", "score"],
            "--order: expected it with --mode strict, got official",
        ),
        (
            ["--mode", "official", "--relevance-level", "2"],
            "--relevance-level: expected it with --mode strict, got official",
        ),
        (
            ["--mode", "official", "--ignore-identical-ids"],
            "--ignore-identical-ids: expected it with --mode strict, got official",
        ),
        (
            ["--measures", "accuracy@5"],
            "--measures: expected accuracy@k with --answers and no other, got accuracy@5",
        ),
    ],
)
def test_flags_that_do_not_fit_are_refused(command, capsys, flags, message):
    assert main([*command, *flags]) == 2
    assert capsys.readouterr().err == f"rocketqa evaluate: {message}\n"


@pytest.mark.parametrize("run", ["", "q7\tQ0\tb\t1\t2.0\tx\n"])
def test_a_run_without_a_judged_query_counts_0_only_if_that_is_asked_for(
    command, tmp_path, capsys, run
):
    (tmp_path / "a.run").write_text(run)
    assert main([*command, "--mode", "official"]) == 2
    assert main(command) == 2
    assert capsys.readouterr().out == ""
    assert main([*command, "--measures", "MRR@10", "Recall@50", "--allow-empty"]) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "MRR@10\t0.0",
        "Recall@50\t0.0",
        "queries_judged\t2",
        f"queries_retrieved\t{len(run.splitlines())}",
        "queries_evaluated\t0",
    ]
    assert "2 judged queries are not in the run and count 0: q1, q2" in printed.err


def test_allowing_an_empty_run_makes_no_other_job(command, tmp_path, capsys):
    output = ["--output", str(tmp_path / "measures.tsv")]
    assert main([*command, *output]) == 0
    assert main([*command, *output, "--allow-empty", "--check"]) == 0


def test_flags_about_labels_are_refused_with_answers(tmp_path, capsys):
    files = ("--run", "a.run", "--answers", "answers.tsv", "--collection", "collection.tsv")
    for flags in (("--relevance-level", "2"), ("--ignore-identical-ids",)):
        assert main(["evaluate", *files, *flags]) == 2
        expected = f"rocketqa evaluate: {flags[0]}: expected it with --qrels, got --answers\n"
        assert capsys.readouterr().err == expected


def test_a_flag_at_its_default_leaves_the_job_as_it_was(command, tmp_path):
    output = tmp_path / "measures.tsv"
    assert main([*command, "--output", str(output)]) == 0
    job = json.loads((tmp_path / "measures.tsv.meta.json").read_text())["job"]
    assert set(job["flags"]) == {
        *("answers", "collection", "match", "measures", "mode", "with_titles"),
    }
    defaults = ("--order", "rank", "--relevance-level", "1")
    assert main([*command, *defaults, "--output", str(output), "--check"]) == 0
    for flags in (("--order", "score"), ("--relevance-level", "2"), ("--ignore-identical-ids",)):
        assert main([*command, *flags, "--output", str(output), "--check"]) == 3


def test_a_query_that_stands_in_the_collection_does_not_find_itself(tmp_path, capsys):
    run, qrels = tmp_path / "a.run", tmp_path / "qrels.tsv"
    run.write_text("q1 Q0 q1 1 9 x\nq1 Q0 d1 2 8 x\nq2 Q0 q1 1 9 x\nq2 Q0 d2 2 8 x\n")
    qrels.write_bytes(b"query-id\tcorpus-id\tscore\r\nq1\td1\t1\r\nq2\td2\t1\r\n")
    command = ["evaluate", "--run", str(run), "--qrels", str(qrels)]
    measures = ("--measures", "MRR@2", "Success@2")
    assert main([*command, *measures]) == 0
    assert capsys.readouterr().out.startswith("MRR@2\t0.5\nSuccess@2\t1.0\n")
    assert main([*command, *measures, "--ignore-identical-ids"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("MRR@2\t0.75\nSuccess@2\t1.0\n")
    assert printed.err == f"{run}: 1 queries find the passage of their own id, which is left out\n"
