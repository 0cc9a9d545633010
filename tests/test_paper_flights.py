"""marco.env and nq.env, the paper's own settings, work on tiny files in the real formats."""

import re
from pathlib import Path

import pytest
from nq_like_data import make_nq_like_data
from planned_flights import fly_here
from released_fixture import ReleasedFixture
from script_runs import folders_below, run_script

SHRUNK = {
    "MAX_STEPS": "4",
    "SAVE_EVERY": "100",
    "DEVICES": "1",
    "DEVICES_CROSS": "1",
    "DEVICES_INFERENCE": "1",
    "BATCH_SIZE": "8",
    "BATCH_SIZE_CROSS": "8",
    "PRECISION": "float32",
    "LAYER_NORM_EPS": "",
    "DATA_PREP": "",
    "RETRIEVE_DEPTH": "30",
    "RERANK_DEPTH": "10",
    "MAX_NEGATIVE": "0.6",
    "MIN_POSITIVE": "0.01",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_nq_like_data(tmp_path_factory.mktemp("world") / "data")


def shrunk_variables(world: Path, folder: Path) -> dict[str, str]:
    inputs = {
        "DATA_DIR": str(world),
        "INIT": f"{world}/init_dual",
        "INIT_CROSS": f"{world}/init_cross",
    }
    return SHRUNK | inputs | folders_below(folder)


def read_columns(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def nq_output(world, tmp_path_factory):
    """The output folder of nq.env, and what evaluate.sh prints of dual_encoder_1."""
    folder = tmp_path_factory.mktemp("nq")
    variables = shrunk_variables(world, folder)
    depths = {"CROSS_DEPTH": "20", "DENOISE_DEPTH": "20", "AUGMENT_DEPTH": "10"}
    fly_here("nq", **variables, **depths)
    done = run_script("evaluate.sh", "dual_encoder_1", "run_scripts/nq.env", **variables)
    return folder / "o", done.stdout


def test_natural_questions_are_evaluated_by_answers_into_the_papers_tables(nq_output):
    output, printed = nq_output
    report = (output / "report.md").read_text()
    assert (output / "dual_encoder_1.measures.tsv").read_text() in printed
    assert "| RocketQA, ERNIE-base | " in report.split("## Table 2")[1]
    assert "R@5" in report
    assert "## Table 7" in report


def test_natural_questions_have_positives_with_an_answer_and_negatives_without(nq_output, world):
    output, _ = nq_output
    answers = {columns[0]: columns[1] for columns in read_columns(world / "answers.train.tsv")}
    passages = {}
    for line in (world / "collection.tsv").read_text().splitlines():
        passages[line.split("\t")[0]] = line.lower()
    for query_id, positive, negative in read_columns(output / "examples.dual.1.tsv"):
        assert answers[query_id] in passages[positive]
        assert answers[query_id] not in passages[negative]


def test_stage_1_of_natural_questions_has_the_negatives_of_its_bm25_run(nq_output, world):
    output, _ = nq_output
    bm25 = {columns[0]: columns[2] for columns in read_columns(world / "bm25.train.run")}
    for query_id, _, negative in read_columns(output / "examples.dual.0.tsv"):
        assert bm25[query_id] == negative


@pytest.fixture(scope="module")
def marco_output(world, tmp_path_factory):
    """The output folder of marco.env, first rocket.sh, then figures.sh; and the report between."""
    folder = tmp_path_factory.mktemp("marco")
    output = folder / "o"
    variables = shrunk_variables(world, folder)
    depths = {
        "CROSS_DEPTH": "30",
        "DENOISE_DEPTH": "12",
        "FILL_DEPTH": "30",
        "AUGMENT_DEPTH": "6",
    }
    fly_here("marco", **variables, **depths)
    report = (output / "report.md").read_text()
    # This point is of an earlier call with other data.
    (output / "figure6.augmented.7000.measures.tsv").write_text("MRR@10\t0.9\n")
    points = {"FIGURE_BATCHES": "4 8", "FIGURE_PARTS": "50"}
    run_script("figures.sh", "run_scripts/marco.env", **variables, **points)
    return output, report


def test_ms_marco_has_the_papers_tables_and_denoising_reports(marco_output):
    output, report = marco_output
    assert "| queries, training | 40 (502,939) other |" in report
    assert "(STEP 3) | (36.38) not run |" in report
    assert (output / "figures/figure5.png").is_file()
    assert (output / "denoising.unlabelled/report.md").is_file()


def test_one_to_four_is_four_rows_with_one_negative_each(marco_output):
    output, _ = marco_output
    rows = read_columns(output / "examples.dual.1.tsv")
    query_ids = {columns[0] for columns in rows}
    assert max(map(len, rows)) == 3
    assert len(rows) > 3 * len(query_ids)


def test_the_points_of_figure_4_are_trained_and_its_own_batch_is_the_stage_itself(marco_output):
    output, _ = marco_output
    assert (output / "figures/figure4.png").is_file()
    curves = {
        "random_negatives": "dual_encoder_0",
        "with_denoised_hard_negatives": "dual_encoder_1",
    }
    for curve, model in curves.items():
        stage = (output / f"{model}.measures.tsv").read_text()
        assert (output / f"figure4.{curve}.7.measures.tsv").read_text() == stage
        smaller = (output / f"figure4.{curve}.3.measures.tsv").read_text()
        assert smaller.startswith("MRR@10\t")


def test_the_points_of_figure_6_are_even_parts_and_those_of_an_earlier_call_go(marco_output):
    output, _ = marco_output
    assert (output / "figures/figure6.png").is_file()
    assert not (output / "figure6.augmented.7000.measures.tsv").is_file()
    assert (output / "figure6.augmented.0.measures.tsv").is_file()
    augmented = (output / "examples.augmented.tsv").read_text().splitlines()
    half = (output / "figure6.50.examples.tsv").read_text().splitlines()
    assert half == augmented[1::2]
    assert (output / f"figure6.augmented.{len(half)}.measures.tsv").is_file()


def test_released_models_are_evaluated_into_the_papers_tables_and_a_missing_one_is_named(
    world, tmp_path
):
    # The models lie in the cache, as if they had been fetched before.
    ReleasedFixture(tmp_path / "v1_marco_de", "separate")
    ReleasedFixture(tmp_path / "v1_marco_ce", "cross")
    lengths = {"QUERY_LENGTH": "12", "PASSAGE_LENGTH": "16", "PAIR_LENGTH": "20"}
    done = run_script(
        "reproduce_tables.sh",
        "run_scripts/marco.env",
        "--released",
        **shrunk_variables(world, tmp_path),
        **lengths,
        ROCKETQA_CACHE=str(tmp_path),
        RELEASED="dual_encoder_2=v1_marco_de cross_encoder=v1_marco_ce dual_encoder_0=nowhere",
    )
    assert "nowhere: not to be had, so dual_encoder_0 is left out" in done.stderr
    table = (tmp_path / "o/released/report.md").read_text().split("## Released README")[1]
    rows = {}
    for name in ("M_D^(0)", "M_D^(2)", "M_C"):
        (rows[name],) = [line for line in table.splitlines() if line.startswith(f"| {name}")]
    assert rows["M_D^(0)"].startswith("| M_D^(0) | (33.32) not run |")
    assert re.match(r"\| M_D\^\(2\) \| \d+\.\d\d \(37\.02\) ", rows["M_D^(2)"])
    assert re.match(r"\| M_C over the top 50 \| \d+\.\d\d \(40\.9\) ", rows["M_C"])
    # Runs of 30 passages have no R@50.
    assert "| (85.46) not run |" in rows["M_D^(2)"]
    made = {path.name for path in (tmp_path / "c/released").iterdir()}
    assert made == {"dual_encoder_2", "cross_encoder"}
