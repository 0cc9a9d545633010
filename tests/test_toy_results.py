"""The toy numbers of the pages and of the scripts' heads are the medians of toy_results.tsv."""

import re
import statistics

import pytest
from page_tables import tables
from script_runs import ROOT

LABELS, TRUTH = "MRR@10", "MRR@10-truth"
# What the first cell of a table begins with, and the row of toy_results.tsv.
ROWS = {
    "in-batch negatives": "in_batch",
    "stage 1: cross-batch negatives": "cross_batch",
    "cross-batch negatives (stage 1)": "cross_batch",
    "hard negatives without denoising": "hard_without_denoising",
    "stage 3: denoised hard negatives": "denoised",
    "denoised hard negatives (stage 3)": "denoised",
    "stage 4: data augmentation": "augmented",
    "data augmentation (stage 4)": "augmented",
}
HEADS = {
    "stage1_dual.sh": "cross_batch",
    "stage2_cross.sh": "cross_encoder",
    "stage3_dual_denoised.sh": "denoised",
    "stage4_dual_augmented.sh": "augmented",
    "stage5_distilled.sh": "distilled",
}


def measured() -> dict[tuple[str, str], list[float]]:
    """Returns (row, measure) -> its values in percent, one a seed."""
    lines = (ROOT / "run_scripts/toy_results.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "row\tseed\tmeasure\tvalue"
    values: dict[tuple[str, str], list[float]] = {}
    for line in lines[1:]:
        row, _, measure, value = line.split("\t")
        values.setdefault((row, measure), []).append(100 * float(value))
    return values


def median(row: str, measure: str) -> str:
    return f"{statistics.median(measured()[row, measure]):.2f}"


def row_of(cell: str) -> str | None:
    return next((row for begin, row in ROWS.items() if cell.startswith(begin)), None)


@pytest.mark.parametrize("page", ["README.md", "run_scripts/README.md"])
def test_the_table_of_a_page_has_the_medians_of_three_seeds(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    compared = set()
    for table in tables(text):
        for cell, *values in table.rows:
            row = row_of(cell)
            if row and "paper" in table.headings[-1]:
                assert values[:2] == [median(row, LABELS), median(row, TRUTH)], cell
                assert len(measured()[row, LABELS]) == 3
                compared.add(row)
    assert len(compared) == 5


@pytest.mark.parametrize("script, row", HEADS.items())
def test_the_head_of_a_stage_says_what_came_out(script, row):
    head = (ROOT / "run_scripts" / script).read_text(encoding="utf-8").split("set -eu")[0]
    words = re.sub(r"\n# ", " ", head)
    assert f"{median(row, LABELS)} / {median(row, TRUTH)}" in words


def test_the_order_of_the_paper_holds_with_every_seed_by_the_labels():
    """In-batch, cross-batch, denoised and augmented rise; without denoising is the lowest."""
    values = measured()
    for seed in range(3):
        by_row = {row: values[row, LABELS][seed] for row in set(ROWS.values())}
        ordered = sorted(by_row, key=by_row.__getitem__)
        expected = ["hard_without_denoising", "in_batch", "cross_batch", "denoised", "augmented"]
        assert ordered == expected, seed
