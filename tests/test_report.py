"""`rocketqa report` writes tables and figures beside the paper's numbers."""

from pathlib import Path

import pytest

from rocketqa.cli.__main__ import main

EXPECTED = (
    "flight\ttable\trow\tmodel\tmeasure\tvalue\ttolerance\tsource\n"
    "mine\t2\tRocketQA\tdual_encoder_2\tMRR@10\t37.0\t0.5\ttable 2\n"
    "mine\t3\tin-batch\tin_batch\tMRR@10\t32.0\t0.5\ttable 3\n"
)
BY_RANK = (
    "first_rank\tlast_rank\tunlabelled\tremoved\tshare_removed\ta\tb\tc\td\n"
    "1\t1\t4\t3\t0.75\t\t\t\t\n2\t10\t9\t6\t0.5\t\t\t\t\n101\tmore\t4\t1\t0.25\t\t\t\t\n"
)
FIGURES = ["stages", "figure4", "figure5", "figure6", "training"]


def written(path: Path, text: str) -> str:
    """Writes a file and returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def measures_file(folder: Path, name: str, value: float) -> str:
    """Writes a measures file and returns its path."""
    return written(folder / f"{name}.measures.tsv", f"MRR@10\t{value}\n")


@pytest.fixture
def command(tmp_path):
    """The command line of the verb on two models, with the paper's tables."""
    paper = ["--expected", written(tmp_path / "expected.tsv", EXPECTED), "--paper-flight", "mine"]
    measures = [
        measures_file(tmp_path, "dual_encoder_0", 0.3),
        measures_file(tmp_path, "dual_encoder_2", 0.368),
    ]
    output = str(tmp_path / "out/report.tsv")
    return ["report", "--measures", *measures, *paper, "--output", output, "--tables"]


def point(folder: Path, figure: str, curve: str, x: int, value: float) -> list[str]:
    """Returns the flags of a point of a curve, the file of which is written."""
    name = f"figure{figure}.{curve}.{x}"
    return ["--curve", figure, curve, str(x), measures_file(folder, name, value)]


def test_a_report_has_every_model_and_the_papers_tables(command, tmp_path, capsys):
    assert main(command) == 0
    assert (tmp_path / "out/report.tsv").read_text().splitlines() == [
        "model\tmeasure\tvalue\tpaper",
        "dual_encoder_0\tMRR@10\t0.3\t",
        "dual_encoder_2\tMRR@10\t0.368\t0.37",
    ]
    report = (tmp_path / "out/report.md").read_text()
    assert report == capsys.readouterr().out
    assert report.startswith("# Which checkpoint to use\n\n- Dual encoder: `dual_encoder_2` (")
    assert "| dual_encoder_2 | stage 4: data augmentation | 36.80 (37.00) |" in report
    assert "| RocketQA | 36.80 (37) within tolerance |" in report
    assert "| in-batch | (32) not run |" in report


def test_a_report_of_the_same_measures_is_made_once_but_always_shown(command, tmp_path, capsys):
    assert main([*command, "--check"]) == 3
    assert not (tmp_path / "out").exists()
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert main([*command, "--check"]) == 0
    (tmp_path / "out/report.md").unlink()
    assert main(command) == 0
    assert capsys.readouterr().out == shown == (tmp_path / "out/report.md").read_text()


def test_measures_by_the_truth_make_the_report_stale(command, tmp_path):
    assert main(command) == 0
    written(tmp_path / "dual_encoder_2.measures-truth.tsv", "MRR@10\t0.5\n")
    assert main([*command, "--check"]) == 3
    assert main(command) == 0
    assert "dual_encoder_2\tMRR@10-truth\t0.5\t" in (tmp_path / "out/report.tsv").read_text()


def test_an_ablation_has_a_line_for_each_row_and_seed_and_joins_the_papers_tables(
    command, tmp_path, capsys
):
    triples: list[str] = []
    for seed, value in (("1", 0.1), ("2", 0.3), ("3", 0.31)):
        triples += ["in_batch", seed, measures_file(tmp_path, f"in_batch.{seed}", value)]
    paper = ["--expected", str(tmp_path / "expected.tsv"), "--paper-flight", "mine"]
    output = tmp_path / "ablation.tsv"
    assert main(["report", "--ablation", *triples, *paper, "--output", str(output)]) == 0
    assert output.read_text().splitlines() == [
        "row\tseed\tmeasure\tvalue",
        "in_batch\t1\tMRR@10\t0.1",
        "in_batch\t2\tMRR@10\t0.3",
        "in_batch\t3\tMRR@10\t0.31",
    ]
    shown = capsys.readouterr().out
    assert shown.startswith("Percent, medians of 3 seeds; in brackets the paper's on mine.\n")
    assert "| in_batch | 30.00 (32.00) |" in shown
    assert main([*command, "--ablated", str(output)]) == 0
    assert "| in-batch | 30.00 (32) below |" in capsys.readouterr().out


def search_flags(folder: Path) -> list[str]:
    """Returns the flags that only report.md needs."""
    places = ["--checkpoints", "c", "--vectors", "o", "--collection", f"{folder}/collection.tsv"]
    lengths = ["--query-length", "24", "--max-length", "64"]
    return [*places, *lengths, "--retrieve-depth", "100", "--rerank-depth", "20"]


def test_flags_for_the_markdown_alone_change_it_and_not_the_job_of_the_table(command, tmp_path):
    output = tmp_path / "out"
    assert main(command) == 0
    before = (output / "report.tsv.meta.json").read_bytes()
    assert "rocketqa search" not in (output / "report.md").read_text()
    assert main([*command, *search_flags(tmp_path), "--check"]) == 0
    assert main([*command, *search_flags(tmp_path)]) == 0
    assert (output / "report.tsv.meta.json").read_bytes() == before
    report = (output / "report.md").read_text()
    assert "    --checkpoint c/dual_encoder_2 \\\n" in report
    assert "    --passage-vectors o/dual_encoder_2.vectors/collection \\\n" in report
    assert "    --query-length 24\n" in report
    assert "- Depth: 100 passages were retrieved for each query.\n" in report


def test_the_weight_of_a_fused_run_and_the_notes_of_a_flight_change_the_markdown_alone(
    command, tmp_path, capsys
):
    for name in ("a.run", "b.run"):
        written(tmp_path / name, "q1\tQ0\ta\t1\t2.0\tx\nq1\tQ0\tb\t2\t1.0\tx\n")
    runs = ["--runs", str(tmp_path / "a.run"), str(tmp_path / "b.run"), "--weights", "3", "7"]
    assert main(["fuse", *runs, "--output", str(tmp_path / "fused.run")]) == 0
    measures = [measures_file(tmp_path, "dual_encoder_0", 0.3)]
    measures.append(measures_file(tmp_path, "fused", 0.4))
    command = [*command[:2], *measures, *command[4:]]
    assert main(command) == 0
    reason = written(tmp_path / "dual_encoder_2.left_out.txt", "stage 4 found nothing.\n")
    fused = ["--fused-run", str(tmp_path / "fused.run"), "--bm25-index", "o/bm25.index"]
    flags = [*fused, "--last-model", "dual_encoder_0", "--notes", reason]
    assert main([*command, *search_flags(tmp_path), *flags, "--check"]) == 0
    assert main([*command, *search_flags(tmp_path), *flags]) == 0
    report = (tmp_path / "out/report.md").read_text()
    assert "| fused | BM25 + last model: 0.3 x BM25 + 0.7 x dual_encoder_0 | 40.00 |" in report
    assert "    --bm25-index o/bm25.index \\\n    --bm25-weight 0.3\n" in report
    assert "**Warning:** stage 4 found nothing.\n" in report


def test_the_weight_of_the_cross_encoder_is_told_unless_it_ranks_alone(command, tmp_path):
    for name in ("a.run", "b.run"):
        written(tmp_path / name, "q1\tQ0\ta\t1\t2.0\tx\nq1\tQ0\tb\t2\t1.0\tx\n")
    measures = [measures_file(tmp_path, "dual_encoder_0", 0.3)]
    measures += [measures_file(tmp_path, name, 0.4) for name in ("fused", "fused_reranked")]
    command = [*command[:2], *measures, *command[4:], *search_flags(tmp_path)]
    for weights, is_told in (("2 3", True), ("0 1", False)):
        reranked = str(tmp_path / f"{is_told}.run")
        runs = ["--runs", str(tmp_path / "a.run"), str(tmp_path / "b.run")]
        assert main(["fuse", *runs, "--weights", *weights.split(), "--output", reranked]) == 0
        assert main([*command, "--reranked-run", reranked]) == 0
        report = (tmp_path / "out/report.md").read_text()
        assert ("fused ranking: 0.6 x P(relevant) + 0.4 x fused |" in report) == is_told
        assert ("x P(relevant)" in report) == is_told


def test_a_run_that_was_not_fused_is_refused(command, tmp_path, capsys):
    run = written(tmp_path / "a.run", "q1\tQ0\ta\t1\t2.0\tx\n")
    assert main([*command, "--fused-run", run]) == 2
    assert capsys.readouterr().err == (
        f"rocketqa report: {run}: expected a run that `rocketqa fuse` made of two, got another "
        "file\n"
    )


def test_a_measure_of_too_shallow_a_run_is_in_the_table_and_in_no_line_of_the_markdown(
    command, tmp_path
):
    deep = "MRR@10\t0.368\nSuccess@1000\t0.9\nqueries_judged\t300\n"
    written(tmp_path / "dual_encoder_2.measures.tsv", deep)
    with (tmp_path / "expected.tsv").open("a") as lines:
        lines.write("mine\t2\tRocketQA\tdual_encoder_2\tSuccess@1000\t97.9\t0.5\ttable 2\n")
    assert main([*command, *search_flags(tmp_path)]) == 0
    assert "dual_encoder_2\tSuccess@1000\t0.9\t0.979" in (tmp_path / "out/report.tsv").read_text()
    report = (tmp_path / "out/report.md").read_text()
    assert "90.00" not in report
    assert "R@1000 is left out where a run has fewer passages." in report
    assert "| RocketQA | 36.80 (37) within tolerance | (97.9) not run |" in report
    assert "- Judged queries: 300." in report


def test_a_flight_without_numbers_of_the_paper_has_no_brackets(command, tmp_path):
    written(tmp_path / "expected.tsv", EXPECTED.replace("mine", "other"))
    assert main(command) == 0
    table = (tmp_path / "out/report.md").read_text().split("# Measures")[1]
    assert table.startswith("\n\nPercent.\n") and "(" not in table


def test_a_model_below_bm25_is_warned_of(command, tmp_path, capsys):
    measures = measures_file(tmp_path, "bm25", 0.35)
    assert main([*command[:2], measures, *command[2:]]) == 0
    warning = "**Warning:** dual_encoder_0 has MRR@10 30.00, below BM25 with 35.00.\n"
    assert warning in capsys.readouterr().out


def test_a_baseline_that_found_nothing_is_a_row_that_says_so(command, tmp_path, capsys):
    counts = "queries_judged\t4\nqueries_retrieved\t0\nqueries_evaluated\t0\n"
    measures = written(tmp_path / "bm25.measures.tsv", "MRR@10\t0.0\n" + counts)
    assert main([*command[:2], measures, *command[2:]]) == 0
    assert (
        "| bm25 | BM25, which is not trained; it retrieved no passage for any judged query | 0.00 |"
    ) in capsys.readouterr().out


def test_a_part_of_the_paths_of_a_search_is_refused(command, tmp_path, capsys):
    assert main([*command, "--checkpoints", "c", "--vectors", "o"]) == 2
    assert capsys.readouterr().err == (
        "rocketqa report: --checkpoints, --vectors, --collection: expected all or none of them, "
        "got --checkpoints and --vectors\n"
    )
    assert not (tmp_path / "out").exists()


def test_stages_over_too_few_passages_are_in_no_figure(command, tmp_path):
    assert main([*command, "--figures", "--retrieve-depth", "5"]) == 0
    assert "![" not in (tmp_path / "out/report.md").read_text()


def test_words_that_are_no_triples_are_refused(tmp_path, capsys):
    expected = written(tmp_path / "expected.tsv", EXPECTED)
    flags = ["--expected", expected, "--paper-flight", "mine", "--output", str(tmp_path / "x.tsv")]
    assert main(["report", "--ablation", "in_batch", "1", *flags]) == 2
    assert capsys.readouterr().err == (
        "rocketqa report: --ablation: expected triples of ROW SEED FILE, got 2 words\n"
    )


def test_figures_4_5_6_stages_and_training_curves_are_drawn_and_shown(command, tmp_path):
    flags = ["--figures", "--by-rank", written(tmp_path / "by_rank.tsv", BY_RANK)]
    log = tmp_path / "dual_encoder_0/train_log.tsv"
    flags += ["--logs", written(log, "step\tloss\n1\t3.0\n2\t2.5\n")]
    flags += point(tmp_path, "4", "random", 15, 0.2)
    flags += point(tmp_path, "4", "random", 31, 0.25)
    flags += point(tmp_path, "6", "augmented", 0, 0.3)
    flags += point(tmp_path, "6", "augmented", 9, 0.4)
    assert main([*command, *flags]) == 0
    report = (tmp_path / "out/report.md").read_text()
    shown = [line.split("](")[1] for line in report.splitlines() if line.startswith("![")]
    assert shown == [f"figures/{name}.png)" for name in FIGURES]
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "out/figures").iterdir()}
    assert drawn.keys() == {f"{name}.{ending}" for name in FIGURES for ending in ("png", "svg")}
    for name, content in drawn.items():
        assert content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml"), name
    assert "| RocketQA | 36.80 (37) within tolerance |" in report


def test_what_is_not_there_is_not_drawn(command, tmp_path):
    assert main([*command, "--figures"]) == 0
    report = (tmp_path / "out/report.md").read_text()
    assert report.count("![") == 1
    names = {path.name for path in (tmp_path / "out/figures").iterdir()}
    assert names == {"stages.png", "stages.svg"}


def test_a_figure_that_was_removed_is_drawn_again(command, tmp_path):
    assert main([*command, "--figures"]) == 0
    (tmp_path / "out/figures/stages.svg").unlink()
    assert main([*command, "--figures"]) == 0
    assert (tmp_path / "out/figures/stages.svg").is_file()


def test_a_point_of_no_figure_is_refused(command, tmp_path, capsys):
    assert main([*command, *point(tmp_path, "5", "random", 15, 0.2)]) == 2
    assert capsys.readouterr().err == ("rocketqa report: --curve: expected figure 4 or 6, got 5\n")
