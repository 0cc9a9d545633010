"""A worker of the benchmark answers in lines of JSON, one for each thing that it measured."""

import json

import numpy as np
import pytest
from toy_files import write_tiny_flight

from rocketqa.benchmark import worker
from rocketqa.benchmark.accumulation import StepSettings


def test_a_round_is_answered_for_each_line_that_is_read(tmp_path, capsys):
    write_tiny_flight(tmp_path)
    worker.answer_rounds(
        ["round\n", "round\n"],
        contender="ours",
        work="encode",
        weights=str(tmp_path / "init"),
        collection=str(tmp_path / "collection.tsv"),
        queries=str(tmp_path / "queries.tsv"),
        rows=8,
    )
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [sorted(answer) for answer in answers] == [["peak_memory", "seconds"]] * 2


def test_labelled_passages_and_their_queries_are_encoded_to_be_judged(tmp_path, capsys):
    write_tiny_flight(tmp_path)
    files = {"collection": "collection.tsv", "queries": "queries.tsv", "qrels": "qrels.tsv"}
    paths = {name: str(tmp_path / file) for name, file in files.items()}
    requests = ["round", f"vectors {tmp_path}/round.npy", f"judged {tmp_path}/judged.npy"]
    worker.answer_rounds(
        requests, contender="ours", work="encode", weights=str(tmp_path / "init"), rows=8, **paths
    )
    capsys.readouterr()
    p_reps, q_reps = np.load(tmp_path / "judged.npy")
    assert p_reps.shape == q_reps.shape == (40, 16) and not np.allclose(p_reps, q_reps)
    assert np.load(tmp_path / "round.npy").shape == (8, 16)


def test_the_cost_of_a_step_is_answered_in_one_line(capsys):
    settings = StepSettings(2, 1, layers=1, hidden_size=24, query_length=8, passage_length=8)
    worker.main(["accumulation", json.dumps(settings._asdict())])
    (line,) = capsys.readouterr().out.splitlines()
    answer = json.loads(line)
    assert answer["seconds"] > 0
    assert answer["peak_memory"] >= answer["memory_before"] > 2**20


def test_an_unknown_task_is_our_own_mistake():
    with pytest.raises(ValueError, match="unknown task search"):
        worker.main(["search", "{}"])


def test_the_peak_memory_of_a_process_is_at_least_what_it_holds():
    held = bytearray(64 * 2**20)
    assert worker.peak_memory() > len(held)
