"""The whole procedure on tiny Chinese data: text without blanks is ranked, learned and judged."""

import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from chinese_flight import GOODS, PLACES, SHRUNK, adapt, fly, variables_of_adaptation
from planned_flights import planned_commands
from script_runs import folders_below, run_script

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.files.runs import RunFile
from rocketqa.jobs.manifest import read_manifest

MODELS = ("start", *(f"dual_encoder_{number}" for number in range(4)), "cross_encoder")
FUSED = ("fused", "fused_reranked")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished Chinese flight, and its commands."""
    folder = tmp_path_factory.mktemp("chinese")
    return folder, fly(folder)


def test_a_chinese_flight_ends_in_a_report_with_every_model(finished):
    folder, _ = finished
    report = (folder / "o/report.md").read_text(encoding="utf-8")
    assert "| bm25 | BM25, which is not trained | 100.00 |" in report
    for model in (*MODELS, *FUSED):
        assert f"\n| {model} | " in report


def test_a_flight_chooses_how_the_start_is_used(finished):
    folder, _ = finished
    head, *rows = (folder / "o/start_choice/choice.tsv").read_text().splitlines()
    assert head.split("\t")[2] == "MRR@10" and len(rows) == 4
    assert [row.split("\t")[4] for row in rows].count("yes") == 1


def test_the_search_that_a_report_recommends_ranks_as_its_fused_run(finished, capsys):
    folder, _ = finished
    report = (folder / "o/report.md").read_text(encoding="utf-8")
    command = report.split("\nrocketqa ")[1].split("\n```")[0].replace("\\\n", "")
    queries = (folder / "data/queries.dev.tsv").read_text(encoding="utf-8").splitlines()
    query_id, query = queries[0].split("\t")
    words = shlex.split(command.replace("your query", query))
    assert "--bm25-index" in words
    assert main([*words, "--depth", str(len(PLACES))]) == 0
    ranks = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    found = [columns[2] for columns in ranks if len(columns) > 2]
    expected = [scored.passage_id for scored in RunFile(folder / "o/fused.dev.run")[query_id]]
    assert found == expected and len(expected) == len(PLACES)


def test_without_unlabelled_queries_the_last_stage_learns_from_the_labelled_ones(tmp_path):
    fly(tmp_path, unlabelled=False)
    report = (tmp_path / "o/report.md").read_text(encoding="utf-8")
    for model in MODELS:
        assert (f"\n| {model} | " in report) == (model != "dual_encoder_2")
    assert not (tmp_path / "c/dual_encoder_2").exists()
    inputs = read_manifest(tmp_path / "c/dual_encoder_3")["inputs"]
    assert inputs["init"] == [str(tmp_path / "c/dual_encoder_1")]
    assert inputs["queries"] == [str(tmp_path / "data/queries.train.tsv")]
    assert inputs["examples"] == [str(tmp_path / "o/examples.dual.2.tsv")]


def test_stages_without_a_batch_are_left_out_with_their_reason(finished, tmp_path):
    folder, _ = finished
    variables = {name: str(folder / "data/init") for name in ("INIT", "INIT_CROSS")}
    variables |= SHRUNK | {"DATA_DIR": str(folder / "data"), "MAX_NEGATIVE": "0.0001"}
    shutil.copytree(folder / "o", tmp_path / "o")
    variables |= {"OUTPUT_DIR": f"{tmp_path}/o", "CHECKPOINT_DIR": str(folder / "c")}
    said = []
    for stage in ("stage3_dual_denoised.sh", "stage4_dual_augmented.sh"):
        done = run_script(stage, "run_scripts/own.env", **variables)
        said.append(done.stderr.splitlines()[-1])
    assert said[0].startswith(
        "dual_encoder_1 is not trained: stage 3 found 0 examples, fewer than a batch of 4, because "
    )
    assert said[1] == (
        "dual_encoder_2 is not trained: stage 4 needs the model and the examples of stage 3, which "
        "was left out."
    )
    for model, line in zip(("dual_encoder_1", "dual_encoder_2"), said):
        assert (tmp_path / f"o/{model}.left_out.txt").read_text() == f"{line}\n"


def test_stages_that_held_out_labels_refuse_are_left_out_with_the_evidence(finished, tmp_path):
    folder, _ = finished
    for name in ("o", "c"):
        shutil.copytree(folder / name, tmp_path / name)
    variables = {name: str(folder / "data/init") for name in ("INIT", "INIT_CROSS")}
    variables |= SHRUNK | {"DATA_DIR": str(folder / "data")} | folders_below(tmp_path)
    pairs = tmp_path / "c/cross_encoder/held_out.tsv"
    alike = (0.1, *[0.9] * 19)
    # MAX_NEGATIVE is 0.7, MIN_POSITIVE 0.01: all others are negatives, but they are positives too.
    unsure = (
        (0.8, 0.9),
        (0.02, 0.03),
        "the cross encoder does not agree with the held-out labels: 100.0 % of 2 labelled ones and "
        "100.0 % of 2 others are above 0.01 and could be positives: 1 times ",
    )
    for stage, model, labelled, others, evidence in (
        ("stage5_distilled.sh", "dual_encoder_3", *unsure),
        ("stage4_dual_augmented.sh", "dual_encoder_2", *unsure),
        (
            *("stage3_dual_denoised.sh", "dual_encoder_1", alike, alike),
            "the cross encoder does not agree with the held-out labels: 5.0 % of 20 others and "
            "5.0 % of 20 labelled ones are below 0.7 and would be negatives: 1 times as often; ",
        ),
    ):
        rows = [f"q\tp\t1\t{value}\n" for value in labelled]
        rows += [f"q\tp\t0\t{value}\n" for value in others]
        pairs.write_text("query_id\tpassage_id\tlabel\tprobability\n" + "".join(rows))
        line = run_script(stage, "run_scripts/own.env", **variables).stderr.splitlines()[-1]
        assert line.startswith(f"{model} is not trained: {evidence}")
        assert (tmp_path / f"o/{model}.left_out.txt").read_text() == f"{line}\n"


def test_the_depth_that_was_chosen_is_that_of_every_command_that_follows(finished, tmp_path):
    folder, _ = finished
    (tmp_path / "o").mkdir()
    rows = "depth\tqueries_with_enough\tshare_of_drawn\tchosen\n1\t9\t0.1\tno\n"
    depth_of = {"dual_encoder_0.train": "7", "dual_encoder_1.unlabelled": "3"}
    for run, depth in depth_of.items():
        (tmp_path / f"o/{run}.depth.tsv").write_text(f"{rows}{depth}\t90\t0.9\tyes\n")
    variables = {name: str(folder / "data/init") for name in ("INIT", "INIT_CROSS")}
    variables |= SHRUNK | {"DATA_DIR": str(folder / "data")} | folders_below(tmp_path)
    variables |= {"DISTIL": "no"}
    for changed, depths in (({}, depth_of), ({"THRESHOLDS": "paper"}, {})):
        commands = planned_commands("own", **variables, **changed)
        for run, most in zip(depth_of, ("10", "20")):
            readers = [
                command for command in commands if f"{tmp_path}/o/{run}.scored.run" in command
            ]
            assert len(readers) == 3  # score, report-denoising, and what makes the rows
            for command in readers:
                assert command[command.index("--depth") + 1] == depths.get(run, most)
        drawn = [
            command[command.index("--depth") + 1] for command in commands if "--sample" in command
        ]
        assert drawn == (["10", "20"] if depths else [])


def test_every_chinese_passage_has_a_vector_of_its_own(finished):
    folder, _ = finished
    [path] = (folder / "o/dual_encoder_2.vectors/collection").glob("vectors.*.npy")
    assert len(np.unique(np.load(path), axis=0)) == len(PLACES)


def test_a_chinese_query_is_answered_in_chinese(finished, capsys):
    folder, _ = finished
    command = [
        *("search", f"哪里的{GOODS[0]}有名", "--depth", str(len(PLACES))),
        *("--checkpoint", str(folder / "c/dual_encoder_2")),
        *("--collection", str(folder / "data/collection.tsv")),
        *("--passage-vectors", str(folder / "o/dual_encoder_2.vectors/collection")),
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"\t{PLACES[0]}\n\t{PLACES[0]}位于山的另一边，那里的{GOODS[0]}十分有名。\n" in printed


@pytest.fixture(scope="module")
def adapted(finished):
    """The folder of the flight, whose models were adapted without labels."""
    folder, _ = finished
    pairs = [f"q{n}\tp{n + m}\t{int(not m)}\t{0.9 - m / 5}" for n in range(9) for m in range(3)]
    head = "query_id\tpassage_id\tlabel\tprobability"
    write_lines(folder / "c/cross_encoder/held_out.tsv", [head, *pairs])  # as of a longer training
    adapt(folder)
    return folder


def test_an_adaptation_without_labels_reports_every_row_and_who_has_judged(adapted, capsys):
    report = (adapted / "o/adapted/report.md").read_text(encoding="utf-8")
    assert "- Measured by the cross encoder, " in report
    rows = ("bm25", "start", "adapted", "cross_encoder", "fused", "fused_reranked")
    for row in rows:
        assert f"\n| {row} | " in report
    assert "| start | the model as it came | " in report
    weights = [adapted / "c" / name for name in ("dual_encoder_0", "adapted/start")]
    before, after = ((folder / "model.safetensors").read_bytes() for folder in weights)
    assert before == after != (adapted / "c/adapted/adapted/model.safetensors").read_bytes()
    assert "\tpositive\t" in (adapted / "o/adapted/denoising.log/pseudo_labels.tsv").read_text()
    command = report.split("\nrocketqa ")[1].split("\n```")[0].replace("\\\n", "")
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out.startswith("1\t")


def test_an_adaptation_follows_the_given_model_and_the_held_out_pairs_of_the_cross_encoder(adapted):
    inputs = read_manifest(adapted / "c/adapted/adapted")["inputs"]
    assert inputs["teacher_retriever"] == [str(adapted / "o/adapted/start.log_train.run")]
    decisions = (adapted / "o/adapted/calibration/decision.tsv").read_text(encoding="utf-8")
    assert "\naugment\t" in decisions
    for run in ("fused", "fused_reranked"):
        assert read_manifest(adapted / f"o/adapted/{run}.log_judged.run")["weights"] == [0.5, 0.5]


def test_a_log_that_the_collection_does_not_answer_leaves_the_model_as_it_came(adapted):
    asked = {"ROCKETQA_ASKED": "yes"}  # that the flight can be flown has been seen above
    variables = (
        variables_of_adaptation(adapted)
        | {"MIN_POSITIVE": "1", "FUSE": "no", "HELD_OUT": "0"}
        | asked
    )
    trained = (adapted / "c/adapted/adapted/model.safetensors").stat().st_mtime_ns
    done = run_script("adapt.sh", "run_scripts/own.env", **variables)
    lines = done.stderr.splitlines()
    assert lines[-1] == (
        "INIT_CROSS is sure of no passage for a held-out query, so nothing is measured; the model "
        f"to use is {adapted}/c/adapted/start"
    )
    assert "there are no labels of dev: INIT_CROSS measures the models" in lines
    [left_out] = [line for line in lines if line.startswith("adapted is not trained: ")]
    assert "0 of 15 queries have a passage above MIN_POSITIVE=1 among the first 20" in left_out
    assert (adapted / "o/adapted/adapted.left_out.txt").read_text() == f"{left_out}\n"
    assert (adapted / "c/adapted/adapted/model.safetensors").stat().st_mtime_ns == trained


def test_bm25_alone_may_find_nothing(finished):
    _, commands = finished
    evaluated = [command for command in commands if command[1] == "evaluate"]
    of_models = [command for command in evaluated if "--match" in command]
    assert len(of_models) == 1 + len(MODELS) + len(FUSED)
    for command in of_models:
        run = Path(command[command.index("--run") + 1])
        assert ("--allow-empty" in command) == (run.name == "bm25.dev.run")
        assert command[command.index("--match") + 1] == "characters"
