"""A report draws what there is, the same bytes each time, and shows it in report.md."""

from rocketqa.cli.__main__ import main
from rocketqa.evaluation.figure_values import removed_by_rank, smoothed
from rocketqa.evaluation.figures import lines, save

BY_RANK = (
    "first_rank\tlast_rank\tunlabelled\tremoved\tshare_removed\ta\tb\tc\td\n"
    "1\t1\t4\t3\t0.75\t\t\t\t\n2\t10\t9\t6\t0.5\t\t\t\t\n101\tmore\t4\t1\t0.25\t\t\t\t\n"
)


def written(path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def reported(folder, *flags: str) -> str:
    expected = written(
        folder / "expected.tsv",
        "flight\ttable\trow\tmodel\tmeasure\tvalue\ttolerance\tsource\n"
        "mine\t2\tRocketQA\tdual_encoder_2\tMRR@10\t37.0\t0.5\ttable 2\n",
    )
    measures = [
        written(folder / f"{model}.measures.tsv", f"MRR@10\t{value}\n")
        for model, value in (("dual_encoder_0", 0.3), ("dual_encoder_2", 0.368))
    ]
    assert (
        main(
            [
                "report",
                "--measures",
                *measures,
                "--expected",
                expected,
                "--paper-flight",
                "mine",
                "--output",
                str(folder / "out/report.tsv"),
                "--figures",
                "--tables",
                *flags,
            ]
        )
        == 0
    )
    return (folder / "out/report.md").read_text()


def test_figures_4_5_6_stages_and_training_curves_are_drawn_and_shown(tmp_path):
    by_rank = written(tmp_path / "by_rank.tsv", BY_RANK)
    log = written(tmp_path / "dual_encoder_0/train_log.tsv", "step\tloss\n1\t3.0\n2\t2.5\n")
    points = [
        ("4", "random", 15, 0.2),
        ("4", "random", 31, 0.25),
        ("6", "augmented", 0, 0.3),
        ("6", "augmented", 9, 0.4),
    ]
    curves = [
        word
        for number, (figure, curve, x, value) in enumerate(points)
        for word in (
            "--curve",
            figure,
            curve,
            str(x),
            written(tmp_path / f"{number}.measures.tsv", f"MRR@10\t{value}\n"),
        )
    ]
    report = reported(tmp_path, "--by-rank", by_rank, *curves, "--logs", log)
    names = ["stages", "figure4", "figure5", "figure6", "training"]
    assert [line.split("(")[1] for line in report.splitlines() if line.startswith("![")] == [
        f"figures/{name}.png)" for name in names
    ]
    drawn = {path.name: path.read_bytes() for path in (tmp_path / "out/figures").iterdir()}
    assert drawn.keys() == {f"{name}.{kind}" for name in names for kind in ("png", "svg")}
    assert all(
        content.startswith(b"\x89PNG" if name.endswith("png") else b"<?xml")
        for name, content in drawn.items()
    )
    assert "| RocketQA | 36.80 (37) within tolerance |" in report


def test_what_is_not_there_is_not_drawn(tmp_path):
    report = reported(tmp_path)
    assert report.count("![") == 1 and {
        path.name for path in (tmp_path / "out/figures").iterdir()
    } == {"stages.png", "stages.svg"}


def test_ranges_of_ranks_and_smoothed_curves_are_those_of_their_numbers(tmp_path):
    path = tmp_path / "by_rank.tsv"
    written(path, BY_RANK)
    assert removed_by_rank(path) == {"1": 75.0, "2-10": 50.0, "101-": 25.0}
    assert smoothed([(1.0, 4.0), (2.0, 2.0)]) == [(1.0, 4.0), (2.0, 2.0)]
    assert smoothed([(float(x), float(x)) for x in range(100)])[:2] == [(0.5, 0.5), (2.5, 2.5)]


def test_the_same_figure_has_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        save(
            lines({"one": [(1, 2), (0, 1)], "two": [(0, 3)]}, "x", "y"), tmp_path / folder, "figure"
        )
    for name in ("figure.png", "figure.svg"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
