"""The cross encoder's scores of a run: joined by ids, the same bytes however they are made."""

import json
import os
import random
import shutil
import subprocess
from pathlib import Path

import numpy as np
import paddle
import pytest
from launching import kill_at
from manifests import set_flags
from safetensors.numpy import load_file, save_file
from toy_files import ENVIRONMENT, launched, train_cross, verb, write_tiny_flight

from rocketqa.cli import score, tokenize
from rocketqa.cli.__main__ import main
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.runs import RunFile, ranked, run_lines
from rocketqa.weights.checkpoint import load_model


def lines_of_a_run():
    """Yields the lines of forty queries with one to nine passages each."""
    for query in range(40):
        passages = random.Random(query).sample(range(40), 1 + query % 9)
        for rank, passage in enumerate(passages, 1):
            yield f"q{query}\tQ0\tp{passage}\t{rank}\t{-rank}\tx"


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a trained cross encoder, and one run with its lines in two orders."""
    folder = tmp_path_factory.mktemp("score")
    write_tiny_flight(folder)
    train_cross(folder, folder / "cross", epochs=20, **{"learning-rate": 0.005})
    lines = list(lines_of_a_run())
    write_lines(folder / "a.run", lines)
    write_lines(folder / "shuffled.run", random.Random(1).sample(lines, len(lines)))
    return folder


def flags(folder: Path, run: Path, output: Path, **changed: object) -> list[str]:
    given = {
        "checkpoint": folder / "cross",
        "collection": folder / "collection.tsv",
        "queries": folder / "queries.tsv",
        "run": run,
        "output": output,
    }
    words = []
    for name, value in (given | changed).items():
        words += [f"--{name}", str(value)]
    return words


def one_by_one(folder: Path, run: Path, depth: int | None) -> dict[str, dict[str, float]]:
    """Returns query_id -> passage_id -> P(relevant), every pair alone through the model itself."""
    model, text_encoder = load_model(folder / "cross", CrossEncoder)
    queries = read_queries(folder / "queries.tsv")
    collection = read_collection(folder / "collection.tsv")
    scores: dict[str, dict[str, float]] = {}
    for query_id, ranking in RunFile(run).items():
        for scored in ranking[:depth]:
            passage = collection[scored.passage_id]
            row = text_encoder.pairs([queries[query_id].text], [passage], 160)
            with paddle.no_grad():
                probability = model.probability(pack(row)).item()
            scores.setdefault(query_id, {})[scored.passage_id] = probability
    return scores


@pytest.mark.parametrize("depth", [None, 3])
def test_every_pair_has_the_score_that_the_model_gives_it_alone(flight, tmp_path, depth):
    output = tmp_path / "scored.run"
    changed = {"depth": depth} if depth else {}
    assert score.main(flags(flight, flight / "a.run", output, **changed)) == 0
    expected = one_by_one(flight, flight / "a.run", depth)
    found = RunFile(output)
    assert list(found) == list(expected)
    for query_id, ranking in found.items():
        assert {scored.passage_id for scored in ranking} == set(expected[query_id])
        for scored in ranking:
            assert scored.score == pytest.approx(expected[query_id][scored.passage_id], abs=1e-5)
        again = ranked(query_id, [(scored.passage_id, scored.score) for scored in ranking])
        assert [scored[:3] for scored in ranking] == [scored[:3] for scored in again]
    all_scores = [scored.score for ranking in found.values() for scored in ranking]
    assert np.ptp(all_scores) > 0.01


def test_a_sample_has_the_lines_of_the_whole_run(flight, tmp_path):
    whole, drawn = tmp_path / "whole.run", tmp_path / "drawn.run"
    assert score.main(flags(flight, flight / "a.run", whole)) == 0
    manifest = json.loads((tmp_path / "whole.run.meta.json").read_text())
    assert "sample" not in manifest["job"]["flags"]
    assert score.main(flags(flight, flight / "a.run", drawn, sample=7)) == 0
    of_drawn = set(RunFile(drawn))
    lines = whole.read_text().splitlines()
    expected = [line for line in lines if line.split("\t")[0] in of_drawn]
    assert len(of_drawn) == 7 and drawn.read_text().splitlines() == expected


def test_pairs_that_were_cut_are_counted_and_the_length_is_that_of_the_training(flight, tmp_path):
    checkpoint = tmp_path / "cross"
    shutil.copytree(flight / "cross", checkpoint)
    set_flags(checkpoint, max_length=11)
    output = tmp_path / "scored.run"
    assert score.main(flags(flight, flight / "a.run", output, checkpoint=checkpoint)) == 0
    lengths = []
    for ranking in RunFile(flight / "a.run").values():
        for scored in ranking:
            number = int(scored.passage_id[1:])
            lengths.append(2 + number % 2 + 3 + number % 6 + 3)  # query, title, text, special
    cut = [length - 11 for length in lengths if length > 11]
    found = json.loads((tmp_path / "scored.run.meta.json").read_text())
    assert found["job"]["flags"]["max_length"] == 11
    assert found["cut"] == {
        "texts": len(lengths),
        "texts_cut": len(cut),
        "tokens": sum(lengths),
        "tokens_cut": sum(cut),
        "longest": max(lengths),
    }


def write_examples(folder: Path) -> Path:
    """Writes examples in which pairs come again, and returns their file."""
    rows = ["q1\tp1\tp2\tp3", "q2\tp9", "q1\tp1\tp4\tp2"]
    write_lines(folder / "examples.tsv", rows)
    return folder / "examples.tsv"


def flags_of_examples(folder: Path, examples: Path, output: Path) -> list[str]:
    words = flags(folder, examples, output)
    words[words.index("--run")] = "--examples"
    return words


def test_each_pair_of_examples_is_scored_once_as_in_a_run(flight, tmp_path):
    passages = {"q1": ["p1", "p2", "p3", "p4"], "q2": ["p9"]}
    lines: list[str] = []
    for query_id, passage_ids in passages.items():
        lines += run_lines(ranked(query_id, [(key, 1 / int(key[1:])) for key in passage_ids]))
    write_lines(tmp_path / "same.run", lines)
    assert score.main(flags(flight, tmp_path / "same.run", tmp_path / "of_run")) == 0
    words = flags_of_examples(flight, write_examples(tmp_path), tmp_path / "of_examples")
    assert score.main(words) == 0
    assert (tmp_path / "of_examples").read_bytes() == (tmp_path / "of_run").read_bytes()
    of_run, of_examples = (
        json.loads((tmp_path / f"{name}.meta.json").read_text())["job"]
        for name in ("of_run", "of_examples")
    )
    assert of_run["flags"] == of_examples["flags"]
    assert "examples" not in of_run["flags"] and "run" not in of_examples["inputs"]


@pytest.mark.parametrize(
    "rows, more, message",
    [
        ([], ["--depth", "5"], "--depth: expected it together with --run, got --examples"),
        ([], ["--sample", "5"], "--sample: expected it together with --run, got --examples"),
        (["q1\tp1\tp99"], [], "expected a passage_id of the collection, got 'p99': give the "),
    ],
)
def test_examples_that_cannot_be_scored_are_one_line(flight, tmp_path, capsys, rows, more, message):
    examples = write_examples(tmp_path)
    with examples.open("a") as file:
        file.write("".join(f"{row}\n" for row in rows))
    words = flags_of_examples(flight, examples, tmp_path / "out.run")
    assert main(["score", *words, *more]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert message in line and line.startswith("rocketqa score: ")
    assert not rows or line.endswith("the --collection that the examples were made of")


def test_candidates_of_ms_marco_are_refused_by_their_name(flight, tmp_path, capsys):
    run = tmp_path / "top1000.dev.tsv"
    run.write_text("q1\tp1\twhat is a dog\tthe dog is an animal\n")
    assert main(["score", *flags(flight, run, tmp_path / "out.run")]) == 2
    line = f"{run}:1: expected a run, got MS MARCO's top1000 (query_id, passage_id, query, passage)"
    assert line in capsys.readouterr().err


def test_tokens_made_before_give_the_same_bytes_as_texts(flight, tmp_path):
    stores = {}
    for kind in ("collection", "queries"):
        stores[kind] = tmp_path / kind
        words = ["--checkpoint", flight / "cross", f"--{kind}", flight / f"{kind}.tsv"]
        assert tokenize.main([*map(str, words), "--output", str(stores[kind])]) == 0
    assert score.main(flags(flight, flight / "a.run", tmp_path / "texts.run")) == 0
    assert score.main(flags(flight, flight / "a.run", tmp_path / "tokens.run", **stores)) == 0
    assert (tmp_path / "tokens.run").read_bytes() == (tmp_path / "texts.run").read_bytes()


def test_a_query_s_lines_may_stand_anywhere(flight, tmp_path):
    for name in ("a", "shuffled"):
        assert score.main(flags(flight, flight / f"{name}.run", tmp_path / name)) == 0
    in_order = RunFile(tmp_path / "a")
    shuffled = RunFile(tmp_path / "shuffled")
    assert in_order.keys() == shuffled.keys()
    for query_id, ranking in in_order.items():
        other = shuffled[query_id]
        assert [scored.passage_id for scored in ranking] == [scored.passage_id for scored in other]
        scores, others = ([scored.score for scored in lines] for lines in (ranking, other))
        np.testing.assert_allclose(scores, others, rtol=0, atol=1e-6)


def test_a_dual_encoder_is_refused_before_anything_is_read(flight, tmp_path, capsys):
    checkpoint = tmp_path / "dual"
    checkpoint.mkdir()
    (checkpoint / "config.json").write_text('{"model": "DualEncoder"}')
    words = flags(flight, tmp_path / "no.run", tmp_path / "out.run")
    assert main(["score", *map(str, words), "--checkpoint", str(checkpoint)]) == 2
    assert capsys.readouterr().err.endswith(
        f"rocketqa score: {checkpoint}: expected a cross encoder, got a dual encoder: "
        "give a checkpoint that `train-cross-encoder` made\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["dual"]


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("q0\tQ0\tp99\t9\t0\tx", "expected a passage_id of the collection, got 'p99'"),
        ("q99\tQ0\tp1\t1\t0\tx", "expected a query_id of the queries, got 'q99'"),
    ],
)
def test_an_unknown_id_is_refused_before_anything_is_scored(flight, tmp_path, line, complaint):
    run = tmp_path / "bad.run"
    run.write_text(f"{(flight / 'a.run').read_text()}{line}\n")
    command = verb("score", *flags(flight, run, tmp_path / "out.run"))
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    number = len(run.read_text().splitlines())
    assert done.returncode == 2
    cure = "give the --queries and the --collection that the run was retrieved from"
    assert done.stderr.splitlines()[-1] == f"rocketqa score: {run}:{number}: {complaint}: {cure}"
    assert {path.name for path in tmp_path.iterdir()} == {"bad.run"}


def write_deep_run(folder: Path, queries: int = 800) -> Path:
    """Writes queries and a run of forty passages for each: some eight blocks."""
    write_lines(folder / "many.tsv", (f"q{i}\tw{i % 40} w{i // 40}" for i in range(queries)))
    lines: list[str] = []
    for i in range(queries):
        scores = [(f"p{passage}", float((i * passage) % 7)) for passage in range(40)]
        lines += run_lines(ranked(f"q{i}", scores))
    write_lines(folder / "deep.run", lines)
    return folder / "deep.run"


def test_two_processes_and_kills_at_any_instant_give_the_same_bytes(flight, tmp_path):
    run = write_deep_run(tmp_path)
    straight = tmp_path / "straight.run"
    broken = tmp_path / "broken.run"
    many = {"queries": tmp_path / "many.tsv"}
    command = verb("score", *flags(flight, run, straight, **many))
    subprocess.run(command, env=ENVIRONMENT, check=True, timeout=120)
    instants = random.Random(os.environ.get("KILL_SEED", "1"))
    arguments = flags(flight, run, broken, **many)
    finished: dict[Path, int] = {}

    def blocks() -> list[Path]:
        return list((tmp_path / "broken.run.part").glob("block-?????????"))

    for devices in (1, 2):
        command = verb("score", *arguments)
        if devices > 1:
            command = launched(tmp_path, devices, "score", arguments)
        before = len(finished)
        kill_at(command, lambda: len(blocks()) > before, instants.uniform(0, 0.7))  # noqa: B023
        assert not broken.exists(), "killed too late"
        now = {path: path.stat().st_mtime_ns for path in blocks()}
        assert finished.items() <= now.items(), "scored anew"
        finished = now
    last = verb("score", *arguments)
    subprocess.run(last, env=ENVIRONMENT, check=True, capture_output=True, timeout=120)
    assert len(finished) > 1
    assert broken.read_bytes() == straight.read_bytes()


def test_a_score_that_is_not_finite_is_refused_with_its_pair(flight, tmp_path, capsys):
    checkpoint = tmp_path / "cross"
    shutil.copytree(flight / "cross", checkpoint)
    weights = load_file(checkpoint / "model.safetensors")
    name = "ernie.embeddings.layer_norm.weight"
    weights[name][:] = np.finfo(np.float32).max  # finite, but its products are not
    save_file(weights, checkpoint / "model.safetensors")
    (checkpoint / "meta.json").unlink()  # its digests refuse these weights, too
    output = tmp_path / "scored.run"
    given = flags(flight, flight / "a.run", output, checkpoint=checkpoint)
    assert main(["score", *given]) == 2
    line = f"{checkpoint}: expected finite scores, got nan or infinity for query 'q0' with passage"
    assert line in capsys.readouterr().err
    assert not output.exists()
