"""`rocketqa calibrate` makes a folder of what held-out pairs say, by hand on literal pairs."""

from rocketqa.cli.__main__ import main


def test_the_thresholds_fall_and_the_decisions_follow_with_their_evidence(tmp_path, capsys):
    pairs = tmp_path / "held_out.tsv"
    rows = ["q1|a|1|0.85", "q1|b|0|0.04", "q2|a|1|0.05", "q2|c|0|0.25"]
    lines = ["query_id|passage_id|label|probability", *rows, ""]
    pairs.write_text("\n".join(lines).replace("|", "\t"))
    output = tmp_path / "out"
    assert main(["calibrate", "--held-out-pairs", str(pairs), "--output", str(output)]) == 0
    denoise = (
        "50.0 % of 2 others and 0.0 % of 2 labelled ones are below 0.05 and would be negatives: "
        "none is taken wrongly; from 2 times on the answer is yes"
    )
    augment = (
        "50.0 % of 2 labelled ones and 0.0 % of 2 others are above 0.8 and could be positives: "
        "none is taken wrongly; from 2 times on the answer is yes"
    )
    assert capsys.readouterr().out.splitlines() == [
        f"{output}: held-out pairs: expected calibration error 0.3275; the threshold 0.1 keeps "
        "50.0 % of 2 labelled passages and 50.0 % of 2 others from being negatives",
        f"{output}: --max-negative is lowered to 0.05, below which are at most 5 % of the held-out "
        "labelled passages",
        f"{output}: --min-positive is lowered to 0.8, above which are at least 10 % of the "
        "held-out labelled passages, and at most 5 % of the others",
        f"{output}: denoise: yes: of the held-out pairs, {denoise}",
        f"{output}: augment: yes: of the held-out pairs, {augment}",
    ]
    assert (output / "decision.tsv").read_text().splitlines()[1:] == [
        f"denoise\tyes\t{denoise}\t0.05",
        f"augment\tyes\t{augment}\t0.8",
    ]
    lines = (output / "reliability.tsv").read_text().splitlines()
    assert lines[1:] == [
        "0.0\t0.1\t2\t0.045\t0.5",
        "0.2\t0.3\t1\t0.25\t0.0",
        "0.8\t0.9\t1\t0.85\t1.0",
    ]
    report = (output / "report.md").read_text()
    assert report.endswith(
        "| 0.8 | 0.9 | 1 | 0.85 | 1.0 |\n\n"
        "![Reliability of the cross encoder on held-out pairs](figures/reliability.png)\n"
    )
    assert f"| denoise | yes | {denoise} | 0.05 |" in report
    assert (output / "figures/reliability.png").read_bytes().startswith(b"\x89PNG")
    assert (output / "figures/reliability.svg").is_file()
