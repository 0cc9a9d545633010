"""The cross encoder's sure passages become labels: the best one over all runs."""

from data_prep_runs import call, read, write

ONE = "q1\tQ0\ta\t1\t0.95\tx\nq1\tQ0\tb\t2\t0.2\tx\nq2\tQ0\ta\t1\t0.9\tx\n"
OTHER = "q1\tQ0\tc\t1\t0.97\tx\nq3\tQ0\td\t1\t0.91\tx\n"


def label(folder, *flags: object) -> tuple[int, str]:
    runs = [folder / name for name in ("one.run", "other.run")]
    return call("pseudo_qrels.py", "--scored", *runs, "--output", folder / "qrels.tsv", *flags)


def test_the_best_passage_of_all_runs_is_relevant_where_it_is_above_the_threshold(tmp_path):
    write(tmp_path, one__run=ONE, other__run=OTHER)
    assert label(tmp_path)[0] == 0
    assert read(tmp_path, "qrels.tsv") == "q1\t0\tc\t1\nq3\t0\td\t1\n"
    label(tmp_path, "--min-positive", "0.96")
    assert read(tmp_path, "qrels.tsv") == "q1\t0\tc\t1\n"


def test_scores_that_are_sure_of_nothing_make_an_empty_file(tmp_path):
    write(tmp_path, one__run=ONE, other__run=OTHER)
    assert label(tmp_path, "--min-positive", "1")[0] == 0
    assert read(tmp_path, "qrels.tsv") == ""


def test_the_run_of_a_retriever_is_refused(tmp_path):
    write(tmp_path, one__run=ONE, other__run="q1\tQ0\tc\t1\t31.5\tx\n")
    status, stderr = label(tmp_path)
    assert status == 2
    assert "other.run: expected P(relevant), 0 to 1, of query q1 and passage c, got 31.5" in stderr
    assert not (tmp_path / "qrels.tsv").exists()
