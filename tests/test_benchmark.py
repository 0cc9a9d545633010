"""`rocketqa benchmark` has a sub-command for each thing it measures, and each prints its table."""

import re
import subprocess

import pytest
from data_prep_runs import ROOT
from toy_files import ENVIRONMENT, verb, write_tiny_flight

from rocketqa.benchmark.contenders import OF_PEERS
from rocketqa.benchmark.speed_table import COLUMNS
from rocketqa.cli.benchmark import COMMANDS, build_parser


def benchmark(*arguments: object) -> subprocess.CompletedProcess:
    """Runs `rocketqa benchmark` as a user does."""
    return subprocess.run(
        verb("benchmark", *arguments),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def table(done: subprocess.CompletedProcess) -> list[list[str]]:
    """Returns the columns of each printed line."""
    assert done.returncode == 0, done.stderr
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_chunks_need_less_memory_than_the_batch_at_once():
    batch = ("--batch-size", 64, "--chunk-size", 4, "--largest", 4, "--memory", 8)
    model = ("--layers", 2, "--hidden-size", 96, "--passage-length", 96)
    header, direct, chunks, ratio, above, *largest = table(benchmark("chunks", *batch, *model))
    assert header[:5] == ["step", "batch", "chunks", "seconds a step", "peak memory, GiB"]
    assert header[5:7] == ["of tensors, GiB", "of tensors as foretold, GiB"]
    assert header[7:] == ["operator calls a step"]
    assert direct[:3] == ["direct", "64", "1"]
    assert chunks[:3] == ["chunks", "64", "16"]
    assert float(ratio[4]) == pytest.approx(float(chunks[4]) / float(direct[4]), abs=0.01)
    assert int(chunks[7]) > 16 * 100 and int(direct[7]) > 100
    assert float(re.search(r"ratio ([\d.]+)", above[0])[1]) < 0.6
    assert largest == [
        ["largest batch within 8 GiB, direct: 4 (the largest tried)"],
        ["largest batch within 8 GiB, chunks: 4 (the largest tried)"],
    ]


def test_ours_and_the_plain_loop_are_measured_side_by_side(tmp_path):
    write_tiny_flight(tmp_path)
    done = benchmark(
        *("speed", "--weights", tmp_path / "init", "--rows", 36, "--rounds", 1),
        *("--collection", tmp_path / "collection.tsv", "--queries", tmp_path / "queries.tsv"),
        *("--works", "encode", "--peers-python", "false", "--qrels", tmp_path / "qrels.tsv"),
    )
    [processor], header, *rows = table(done)
    assert re.match(r"processor: .+; cores of this process: \d+; instruction sets: ", processor)
    assert header == list(COLUMNS)
    assert [row[:2] for row in rows] == [
        ["encode", "ours"],
        ["encode", "ours, reduced"],
        ["encode", "ours, one thread"],
        ["encode", "matrix products alone"],
        ["encode", "padded PaddleNLP"],
    ]
    ours, reduced, one_thread, products, padded = rows
    assert all(float(value) > 0 for row in rows for value in row[2:8])
    assert (ours[6], products[7]) == ("1.00", "1.00")
    assert ours[8:] == one_thread[8:] == ["0.0e+00", "1.000000", "1.000000", padded[11]]
    assert products[8:] == ["-", "-", "-", "-"]
    assert 0 < float(ours[11]) < 1 and float(reduced[11]) == pytest.approx(float(ours[11]), abs=0.1)
    assert float(padded[8]) < 1e-4 and float(reduced[10]) > 0.9
    for package in OF_PEERS:
        assert f"false: no {package} there, so it is left out" in done.stderr


def test_search_is_measured_beside_faiss():
    _, *rows = table(benchmark("search", "--sizes", 2000, "--rounds", 1))
    assert [row[:2] for row in rows] == [["2000", "100"], ["2000", "1000"]]
    for _, _, exact, faiss, speed_up in rows:
        assert float(speed_up) == pytest.approx(float(exact) / float(faiss), abs=0.1)


def test_building_a_collection_is_measured_in_a_process_of_its_own():
    script = ROOT / "data_prep/marco.py"
    header, *rows = table(benchmark("data", "--sizes", 100, 20_000, "--data-prep", script))
    assert header == [
        "passages",
        "seconds",
        "passages a second",
        "processor seconds",
        "peak memory, MiB",
    ]
    assert [row[0] for row in rows] == ["100", "20000"]
    assert all(20 < float(row[4]) < 1024 for row in rows)
    assert float(rows[1][2]) == pytest.approx(20_000 / float(rows[1][1]), rel=0.5)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_example_of_each_sub_command_can_be_parsed(name):
    rocketqa, benchmark, *words = COMMANDS[name].example.split()
    assert (rocketqa, benchmark, words[0]) == ("rocketqa", "benchmark", name)
    assert build_parser().parse_args(words).command == name


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_sub_command_tells_every_flag_and_no_worker_protocol(name, capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args([name, "--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert f"usage: rocketqa benchmark {name}" in shown
    assert f"example: {COMMANDS[name].example[:40]}" in shown
    assert "--measure" not in shown
    assert not re.search(r"--peer\b(?!s)", shown)


def test_a_flag_of_one_sub_command_is_refused_by_another(capsys):
    with pytest.raises(SystemExit) as ended:
        build_parser().parse_args(["search", "--batch-size", "8"])
    assert ended.value.code == 2
    assert "unrecognized arguments: --batch-size 8" in capsys.readouterr().err
