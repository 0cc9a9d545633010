"""The whole procedure on tiny data: its report is true, nothing is repeated, kills do no harm."""

import ast
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from launching import kill_at
from planned_flights import fly_here
from script_runs import ROOT, folders_below, make_toy_data, run_script, script_environment

# A handful of steps teaches nothing, so the thresholds are wide open: the procedure is tested.
SHRUNK = {
    "MAX_STEPS": "6",
    "SAVE_EVERY": "2",
    "DEVICES": "1",
    "DEVICES_CROSS": "1",
    "RETRIEVE_DEPTH": "30",
    "CROSS_DEPTH": "30",
    "DENOISE_DEPTH": "12",
    "AUGMENT_DEPTH": "6",
    "RERANK_DEPTH": "10",
    "MAX_NEGATIVE": "0.6",
    "MIN_POSITIVE": "0.01",
    "BATCH_SIZE": "16",
    "BATCH_SIZE_CROSS": "16",
    "DATA_PREP": "",
}
RUNS = {
    "dual_encoder_0": "dual_encoder_0.dev.run",
    "cross_encoder": "dual_encoder_2.dev.scored.run",
    "dual_encoder_1": "dual_encoder_1.dev.run",
    "dual_encoder_2": "dual_encoder_2.dev.run",
}
PAPER_VALUES = {
    "dual_encoder_0": "0.3332",
    "cross_encoder": "0.409",
    "dual_encoder_1": "0.3638",
    "dual_encoder_2": "0.3702",
}
JUDGEMENTS = {"MRR@10": "qrels.dev.tsv", "MRR@10-truth": "truth.dev.tsv"}


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world") / "data"
    sizes = {"train_queries": 60, "dev_queries": 20, "unlabelled_queries": 60}
    return make_toy_data(folder, entities=12, **sizes)


def shrunk_variables(folder: Path, world: Path) -> dict[str, str]:
    """Returns the variables of a procedure on the small world that stays below a folder."""
    inputs = {
        "DATA_DIR": str(world),
        "INIT": f"{world}/init_dual",
        "INIT_CROSS": f"{world}/init_cross",
    }
    return SHRUNK | inputs | folders_below(folder)


@pytest.fixture(scope="module")
def finished(small_world, tmp_path_factory):
    """The folder of a procedure, and what rocket.sh printed in the call that finished it.

    The calls before were killed. The folder's name has a blank.
    """
    folder = tmp_path_factory.mktemp("finished") / "my flight"
    folder.mkdir()
    variables = shrunk_variables(folder, small_world)
    command = ["sh", str(ROOT / "run_scripts/rocket.sh")]
    environment = script_environment(**variables)
    instants = random.Random(os.environ.get("KILL_SEED", "1"))
    for _ in range(int(os.environ.get("KILLS", "1"))):
        kill_at(command, lambda: True, instants.uniform(1, 12), environment)
    return folder, run_script("rocket.sh", **variables).stdout


def artefacts(folder: Path) -> dict[str, bytes]:
    """Returns path -> bytes, without logs (they hold rates) and manifests (they hold paths).

    The name of the folder, which the command of report.md holds, is left out.
    """
    left_out = ("train_log.tsv", ".meta.json", "meta.json")
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.name.endswith(left_out):
            content = path.read_bytes().replace(str(folder).encode(), b"")
            found[str(path.relative_to(folder))] = content
    return found


def slow_mrr(run: Path, qrels: Path) -> float:
    """Returns MRR@10, computed from the files without any code of the package."""
    relevant: dict[str, set[str]] = {}
    best: dict[str, float] = {}
    for line in qrels.read_text().splitlines():
        query_id, _, passage_id, _ = line.split("\t")
        relevant.setdefault(query_id, set()).add(passage_id)
    for line in run.read_text().splitlines():
        query_id, _, passage_id, rank, _, _ = line.split("\t")
        if passage_id in relevant[query_id] and int(rank) <= 10:
            best[query_id] = max(best.get(query_id, 0.0), 1 / int(rank))
    return sum(best.values()) / len(relevant)


def read_report(report: Path) -> Mapping[tuple[str, str], tuple[float, str]]:
    """Returns (model, measure) -> (value, the paper's value)."""
    header, *lines = report.read_text().splitlines()
    assert header.split("\t") == ["model", "measure", "value", "paper"]
    rows = {}
    for line in lines:
        model, measure, value, paper = line.split("\t")
        rows[model, measure] = (float(value), paper)
    return rows


def test_the_report_holds_the_measures_of_every_model_beside_the_papers(finished, small_world):
    folder, printed = finished
    rows = read_report(folder / "o/report.tsv")
    for model, run in RUNS.items():
        for measure, qrels in JUDGEMENTS.items():
            expected = slow_mrr(folder / "o" / run, small_world / qrels)
            assert rows[model, measure][0] == pytest.approx(expected)
        assert rows[model, "MRR@10"][1] == PAPER_VALUES[model]
    assert (folder / "o/report.md").read_text().strip() in printed
    assert not list(folder.rglob("*.part")), "unfinished artefacts are left behind"


def test_the_report_begins_with_a_command_that_searches_and_the_flight_ends_with_the_page(finished):
    folder, printed = finished
    report = (folder / "o/report.md").read_text()
    assert report.startswith("# Which checkpoint to use\n\n- Dual encoder: `")
    command = report.split("```sh\n")[1].split("```")[0].replace("your query", "dimosahis vumi")
    environment = script_environment()
    done = subprocess.run(
        ["sh", "-euc", command], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert re.match(r"1\t\S+\t\S+\t", done.stdout)
    page = report.split("```sh\n")[2].split("```")[0]
    assert "rocketqa serve \\\n    --checkpoint " in page
    assert printed.endswith(f"\nThe search page, from {folder}/o/report.md:\n{page}")
    assert "\n- Judged queries: 20.\n- Depth: 30 passages were retrieved" in report


def test_the_ablation_measures_its_rows_in_a_folder_with_a_blank(finished, small_world, tmp_path):
    folder, _ = finished
    copy = tmp_path / "my copy"
    shutil.copytree(folder, copy)
    run_script("ablation.sh", ABLATION_SEEDS="1", **shrunk_variables(copy, small_world))
    _, *lines = (copy / "o/ablation.tsv").read_text().splitlines()
    rows = {line.split("\t")[0] for line in lines}
    assert rows == {
        *("in_batch", "cross_batch", "hard_without_denoising", "denoised", "augmented"),
    }
    unchanged = artefacts(folder).keys() & artefacts(copy).keys()
    assert "c/dual_encoder_2/model.safetensors" in unchanged


def times_below(folder: Path) -> dict[str, int]:
    """Returns path -> time of the last change, without report.md, which each call writes."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "report.md"]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def test_a_second_call_repeats_what_comes_from_changed_inputs_and_nothing_else(
    finished, small_world, tmp_path
):
    folder, _ = finished
    copy, world = tmp_path / "copy", tmp_path / "data"
    shutil.copytree(folder, copy)
    shutil.copytree(small_world, world)
    with (world / "queries.unlabelled.tsv").open("a") as lines:
        lines.write("one-more\tzore benave\n")
    (world / "meta.json").unlink()  # the change is meant
    before, times = artefacts(folder), times_below(copy)
    fly_here("toy", **shrunk_variables(copy, world))
    after, times_after = artefacts(copy), times_below(copy)
    changed = {name for name in before if before[name] != after[name]}
    assert "o/dual_encoder_1.unlabelled.run" in changed
    assert "c/dual_encoder_2/model.safetensors" in changed
    written = {name for name in times if times[name] != times_after[name]}
    of_stage_4 = ("unlabelled", "augmented", "dual_encoder_2", "report", "figures/")
    by_its_run = "o/cross_encoder.measures"
    others = {name for name in written if not any(word in name for word in of_stage_4)}
    assert {name for name in others if not name.startswith(by_its_run)} == set()


def test_a_procedure_killed_again_and_again_ends_in_the_same_bytes(finished, small_world, tmp_path):
    folder, _ = finished
    flying = "from planned_flights import fly_here; fly_here('toy')"
    straight = tmp_path / "my straight flight"  # a name that commands must quote, too
    variables = shrunk_variables(straight, small_world) | {"PYTHONPATH": str(ROOT / "tests")}
    # In a process of its own, because other numbers of threads train other bytes.
    environment = script_environment(**variables)
    subprocess.run([sys.executable, "-c", flying], cwd=ROOT, env=environment, check=True)
    assert artefacts(straight) == artefacts(folder)


def test_the_python_of_the_readme_runs_on_the_models_of_a_procedure(finished, small_world):
    """The same calls, on the small world's passages instead of the toy data's."""
    folder, _ = finished
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    block = block.replace("checkpoints/toy", f"{folder}/c").replace("data/toy", str(small_world))
    block = re.sub(r"rows\[\d+\]", "rows[3]", block)
    done = subprocess.run(
        [sys.executable, "-c", block], capture_output=True, text=True, check=True, timeout=120
    )
    expected = [ast.literal_eval(shown) for shown in re.findall(r"# (\[.*\])", block)]
    printed = [ast.literal_eval(line) for line in done.stdout.splitlines()]
    assert len(printed) == len(expected) == 2
    for values, shown in zip(printed, expected):
        assert len(values) == len(shown)
        assert len(set(values)) == 1  # three times the same passage
