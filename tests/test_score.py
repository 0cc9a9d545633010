"""The cross encoder's scores of a run: joined by ids, and the same bytes however the work is shared out or killed."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from types import MethodType, SimpleNamespace

import numpy as np
import paddle
import pytest
from toy_files import ENVIRONMENT, launched, train_cross, verb, write_tiny_flight

from rocketqa.cli import score, tokenize
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.runs import RunFile, ranked, run_lines
from rocketqa.inference.engine import Engine
from rocketqa.weights.checkpoint import load_model


@pytest.fixture(scope="module")
def flight(tmp_path_factory) -> Path:
    """A folder with a trained cross encoder and two runs, one of them with the same lines in another order."""
    folder = tmp_path_factory.mktemp("score")
    write_tiny_flight(folder)
    train_cross(folder, folder / "cross", epochs=20, **{"learning-rate": 0.005})
    lines = [
        f"q{query}\tQ0\tp{passage}\t{rank}\t{-rank}\tx"
        for query in range(40)
        for rank, passage in enumerate(random.Random(query).sample(range(40), 1 + query % 9), 1)
    ]
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
    } | changed
    return [str(word) for name, value in given.items() for word in (f"--{name}", value)]


def one_by_one(folder: Path, run: Path, depth: int | None = None) -> dict[str, dict[str, float]]:
    """Returns query_id -> passage_id -> P(relevant), every pair alone through the model itself."""
    model, text_encoder = load_model(folder / "cross", CrossEncoder)
    model.eval()
    queries, collection, scores = (
        read_queries(folder / "queries.tsv"),
        read_collection(folder / "collection.tsv"),
        {},
    )
    with paddle.no_grad():
        for query_id, ranking in RunFile(run).items():
            for scored in ranking[:depth]:
                row = text_encoder.pairs(
                    [queries[query_id].text], [collection[scored.passage_id]], 160
                )
                scores.setdefault(query_id, {})[scored.passage_id] = model.probability(
                    pack(row)
                ).item()
    return scores


@pytest.mark.parametrize("depth", [None, 3])
def test_every_pair_has_the_score_that_the_model_gives_it_alone(flight, tmp_path, depth):
    output = tmp_path / "scored.run"
    assert (
        score.main(flags(flight, flight / "a.run", output, **({"depth": depth} if depth else {})))
        == 0
    )
    expected, found = one_by_one(flight, flight / "a.run", depth), RunFile(output)
    assert list(found) == list(expected)
    for query_id, ranking in found.items():
        assert {scored.passage_id for scored in ranking} == set(expected[query_id])
        assert [scored[:3] for scored in ranking] == [
            scored[:3] for scored in ranked(query_id, [scored[1::2] for scored in ranking])
        ]
        for scored in ranking:
            assert scored.score == pytest.approx(expected[query_id][scored.passage_id], abs=1e-5)
    assert np.ptp([scored.score for ranking in found.values() for scored in ranking]) > 0.01


def test_tokens_made_before_give_the_same_bytes_as_texts(flight, tmp_path):
    stores = {}
    for kind, source in (("collection", "collection.tsv"), ("queries", "queries.tsv")):
        stores[kind] = tmp_path / kind
        assert (
            tokenize.main(
                [
                    "--checkpoint",
                    str(flight / "cross"),
                    f"--{kind}",
                    str(flight / source),
                    "--output",
                    str(stores[kind]),
                ]
            )
            == 0
        )
    assert score.main(flags(flight, flight / "a.run", tmp_path / "texts.run")) == 0
    assert score.main(flags(flight, flight / "a.run", tmp_path / "tokens.run", **stores)) == 0
    assert (tmp_path / "tokens.run").read_bytes() == (tmp_path / "texts.run").read_bytes()


def test_a_query_s_lines_may_stand_anywhere(flight, tmp_path):
    for name in ("a", "shuffled"):
        assert score.main(flags(flight, flight / f"{name}.run", tmp_path / name)) == 0
    a, shuffled = RunFile(tmp_path / "a"), RunFile(tmp_path / "shuffled")
    assert a.keys() == shuffled.keys()
    for query_id, ranking in a.items():
        assert [scored.passage_id for scored in ranking] == [
            scored.passage_id for scored in shuffled[query_id]
        ]
        np.testing.assert_allclose(
            [scored.score for scored in ranking],
            [scored.score for scored in shuffled[query_id]],
            rtol=0,
            atol=1e-6,
        )


@pytest.mark.parametrize(
    "lines, queries, depth, expected",
    [
        (40_960, 4096, None, 409),
        (40_960, 40, None, 4),
        (40_961, 40, None, 3),
        (40_960, 40, 50, 81),
        (9000, 1, None, 1),
        (9, 9, 100, 4096),
    ],
)
def test_a_chunk_has_whole_queries_of_some_4096_pairs(lines, queries, depth, expected):
    assert score.queries_a_chunk(lines, queries, depth) == expected


def test_the_tokens_of_a_query_with_many_passages_are_never_all_in_memory(monkeypatch):
    """Ten pairs whose text is n tokens long and whose score is n, three in memory at once."""
    monkeypatch.setattr(score, "CHUNK_PAIRS", 3)
    held, batches = [], []

    def encode(pairs):
        held.append(len(pairs))
        return [SimpleNamespace(token_ids=[0] * pair) for pair in pairs]

    def run(given, count):
        for rows in given:
            batches.append([len(row.token_ids) for row in rows])
            yield np.array(batches[-1], np.float32)

    engine = SimpleNamespace(map=run)
    engine.all = MethodType(Engine.all, engine)
    assert score.scores_of([9, 2, 5, 4, 1, 3, 7, 7, 2, 6], engine, encode, 8) == [
        9,
        2,
        5,
        4,
        1,
        3,
        7,
        7,
        2,
        6,
    ]
    assert held == [3, 3, 3, 1] and batches == [[2], [5], [9], [1, 3], [4], [2], [7], [7], [6]]


@pytest.mark.parametrize(
    "line, complaint",
    [
        ("q0\tQ0\tp99\t9\t0\tx", "expected a passage_id of the collection, got 'p99'"),
        ("q99\tQ0\tp1\t1\t0\tx", "expected a query_id of the queries, got 'q99'"),
    ],
)
def test_an_unknown_id_is_refused_before_anything_is_scored(flight, tmp_path, line, complaint):
    run = tmp_path / "bad.run"
    run.write_text((flight / "a.run").read_text() + line + "\n")
    done = subprocess.run(
        verb("score", *flags(flight, run, tmp_path / "out.run")),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    number = len(run.read_text().splitlines())
    assert (
        done.returncode == 2
        and done.stderr.splitlines()[-1] == f"rocketqa score: {run}:{number}: {complaint}"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"bad.run"}


def deep_run(folder: Path, queries: int = 1600) -> Path:
    """Writes queries and a run of forty passages for each: some sixteen chunks."""
    write_lines(folder / "many.tsv", (f"q{i}\tw{i % 40} w{i // 40}" for i in range(queries)))
    write_lines(
        folder / "deep.run",
        (
            line
            for i in range(queries)
            for line in run_lines(
                ranked(
                    f"q{i}", [(f"p{passage}", float((i * passage) % 7)) for passage in range(40)]
                )
            )
        ),
    )
    return folder / "deep.run"


def test_two_processes_and_kills_at_any_instant_give_the_same_bytes(flight, tmp_path):
    run, straight, broken = deep_run(tmp_path), tmp_path / "straight.run", tmp_path / "broken.run"
    many = {"queries": tmp_path / "many.tsv"}
    subprocess.run(
        verb("score", *flags(flight, run, straight, **many)),
        env=ENVIRONMENT,
        check=True,
        timeout=120,
    )
    instants, finished = random.Random(os.environ.get("KILL_SEED", "1")), {}
    for devices in (1, 2):
        kill(
            flags(flight, run, broken, **many),
            tmp_path,
            devices,
            broken,
            instants.uniform(0, 0.7),
            len(finished),
        )
        assert not broken.exists(), "killed too late"
        now = {
            path: path.stat().st_mtime_ns
            for path in broken.with_name("broken.run.part").glob("chunk-?????????")
        }
        assert finished.items() <= now.items(), "scored anew"
        finished = now
    second = launched(tmp_path, 2, "score", flags(flight, run, broken, **many))
    subprocess.run(second, env=ENVIRONMENT, check=True, capture_output=True, timeout=120)
    assert len(finished) > 1 and broken.read_bytes() == straight.read_bytes()


def kill(
    arguments: list[str], folder: Path, devices: int, output: Path, instant: float, finished: int
) -> None:
    """Starts the verb and kills all its processes with SIGKILL, so long after one chunk more is finished."""
    command = (
        verb("score", *arguments) if devices == 1 else launched(folder, devices, "score", arguments)
    )
    process = subprocess.Popen(
        command,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    part, deadline = output.with_name(output.name + ".part"), time.monotonic() + 120
    while len(list(part.glob("chunk-?????????"))) <= finished:
        assert process.poll() is None and time.monotonic() < deadline, (
            "ended before it could be killed"
        )
        time.sleep(0.001)
    time.sleep(instant)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
