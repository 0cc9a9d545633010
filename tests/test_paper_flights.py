"""The paper's own flights, marco.env and nq.env, fly on tiny files in the real formats: only sizes are shrunk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from released_fixture import ReleasedFixture

ROOT = Path(__file__).parents[1]
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
    "RERANK_DEPTH": "5",
    "MAX_NEGATIVE": "0.6",
    "MIN_POSITIVE": "0.01",
    "OMP_NUM_THREADS": "1",
    "ROCKETQA_READY": "yes",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """The toy world with what Natural Questions has besides: answers, a test split, BM25's negatives."""
    folder = tmp_path_factory.mktemp("world") / "data"
    subprocess.run(
        [
            sys.executable,
            "data_prep/toy.py",
            "--output",
            folder,
            "--entities",
            "12",
            "--train-queries",
            "40",
            "--dev-queries",
            "15",
            "--unlabelled-queries",
            "30",
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    texts = {
        line.split("\t")[0]: line.rstrip("\n").split("\t")[2]
        for line in (folder / "collection.tsv").open()
    }
    for split, name in (("train", "train"), ("dev", "test")):
        gold = [line.split("\t") for line in (folder / f"truth.{split}.tsv").open()]
        answers = {query_id: texts[passage_id].split()[0] for query_id, _, passage_id, _ in gold}
        (folder / f"answers.{name}.tsv").write_text(
            "".join(f"{key}\t{word}\n" for key, word in answers.items())
        )
    (folder / "queries.test.tsv").write_bytes((folder / "queries.dev.tsv").read_bytes())
    labelled = dict(line.split("\t")[::2] for line in (folder / "qrels.train.tsv").open())
    (folder / "bm25.train.run").write_text(
        "".join(
            f"{query_id}\tQ0\t{other}\t1\t1.0\tbm25\n"
            for query_id, positive in labelled.items()
            for other in [next(key for key in texts if key != positive)]
        )
    )
    return folder


def flown(world: Path, folder: Path, env: str, **variables: str) -> Path:
    run_script("rocket.sh", f"run_scripts/{env}.env", world=world, folder=folder, **variables)
    return folder / "o"


def run_script(script: str, *arguments: str, world: Path, folder: Path, **variables: str) -> str:
    environment = (
        os.environ
        | SHRUNK
        | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DATA_DIR": str(world),
            "OUTPUT_DIR": str(folder / "o"),
            "CHECKPOINT_DIR": str(folder / "c"),
            "INIT": f"{world}/init_dual",
            "INIT_CROSS": f"{world}/init_cross",
            **variables,
        }
    )
    done = subprocess.run(
        ["sh", f"run_scripts/{script}", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_natural_questions_fly_by_answers_with_the_papers_tables(world, tmp_path):
    output = flown(world, tmp_path, "nq", CROSS_DEPTH="20", DENOISE_DEPTH="20", AUGMENT_DEPTH="10")
    report = (output / "report.md").read_text()
    assert (output / "dual_encoder_1.measures.tsv").read_text() in run_script(
        "evaluate.sh", "dual_encoder_1", "run_scripts/nq.env", world=world, folder=tmp_path
    )
    assert (
        "| RocketQA, ERNIE-base | " in report.split("## Table 2")[1]
        and "R@5" in report
        and "## Table 7" in report
    )
    answers = dict(
        line.rstrip("\n").split("\t")[:2] for line in (world / "answers.train.tsv").open()
    )
    passages = {line.split("\t")[0]: line.lower() for line in (world / "collection.tsv").open()}
    for line in (output / "examples.dual.1.tsv").open():
        query_id, positive, negative = line.rstrip("\n").split("\t")
        assert (
            answers[query_id] in passages[positive] and answers[query_id] not in passages[negative]
        )
    bm25 = dict(line.split("\t")[::2][:2] for line in (world / "bm25.train.run").open())
    assert all(
        bm25[query_id] == negative
        for query_id, _, negative in map(str.split, (output / "examples.dual.0.tsv").open())
    )


def test_ms_marco_flies_with_the_papers_tables_and_figures(world, tmp_path):
    output = flown(
        world,
        tmp_path,
        "marco",
        CROSS_DEPTH="30",
        DENOISE_DEPTH="12",
        FILL_DEPTH="30",
        AUGMENT_DEPTH="6",
    )
    report = (output / "report.md").read_text()
    assert (
        "| queries, training | 40 (502,939) other |" in report
        and "(STEP 3) | (36.38) not run |" in report
    )
    assert (output / "figures/figure5.png").is_file() and (
        output / "denoising.unlabelled/report.md"
    ).is_file()
    rows = [line.split("\t") for line in (output / "examples.dual.1.tsv").read_text().splitlines()]
    assert max(map(len, rows)) == 3 and len(rows) > 3 * len(
        {row[0] for row in rows}
    )  # 1 : 4 is four rows
    written = [output / f"figure6.augmented.{name}.measures.tsv" for name in ("7000", "0")]
    written[0].write_text("MRR@10\t0.9\n")  # of an earlier flight
    run_script(
        "figures.sh",
        "run_scripts/marco.env",
        world=world,
        folder=tmp_path,
        FIGURE_BATCHES="4 8",
        FIGURE_PARTS="50",
    )
    assert (output / "figures/figure4.png").is_file() and (output / "figures/figure6.png").is_file()
    assert [path.is_file() for path in written] == [False, True]
    augmented, half = (
        (output / name).read_text().splitlines()
        for name in ("examples.augmented.tsv", "figure6.50.examples.tsv")
    )
    assert (
        half == augmented[1::2]
        and (output / f"figure6.augmented.{len(half)}.measures.tsv").is_file()
    )
    for curve, model in (
        ("random_negatives", "dual_encoder_0"),
        ("with_denoised_hard_negatives", "dual_encoder_1"),
    ):
        ours, half = (
            (output / f"figure4.{curve}.{negatives}.measures.tsv").read_text()
            for negatives in (7, 3)
        )
        assert ours == (output / f"{model}.measures.tsv").read_text() and half.startswith(
            "MRR@10\t"
        )


def test_released_models_are_evaluated_into_the_papers_tables_and_a_missing_one_is_named(
    world, tmp_path
):
    for name, kind in (("v1_marco_de", "separate"), ("v1_marco_ce", "cross")):
        ReleasedFixture(tmp_path / name, kind)  # as if fetched before
    said = run_script(
        "reproduce_tables.sh",
        "run_scripts/marco.env",
        "--released",
        world=world,
        folder=tmp_path,
        ROCKETQA_CACHE=str(tmp_path),
        QUERY_LENGTH="12",
        PASSAGE_LENGTH="16",
        PAIR_LENGTH="20",
        RELEASED="dual_encoder_2=v1_marco_de cross_encoder=v1_marco_ce dual_encoder_0=nowhere",
    )
    assert "nowhere: not to be had, so dual_encoder_0 is left out" in said
    table = (tmp_path / "o/released/report.md").read_text().split("## Released README")[1]
    (stage_1,), (last,), (reranked,) = (
        [line for line in table.splitlines() if line.startswith(f"| {name}")]
        for name in ("M_D^(0)", "M_D^(2)", "M_C")
    )
    assert "not run" in stage_1 and "not run" not in last and "not run" not in reranked
    assert {path.name for path in (tmp_path / "c/released").iterdir()} == {
        "dual_encoder_2",
        "cross_encoder",
    }
