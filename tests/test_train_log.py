"""Rates count steps alone and leave out the warm-up; a resumed log keeps the lines before."""

import pytest
from power_cuts import recorded

from rocketqa.training.train_log import COLUMNS, Log, Meter

ROW = {
    "loss": 0.5,
    "accuracy": 0.25,
    "learning_rate": 1e-5,
    "gradient_norm": 2.0,
    "queries_per_second": 100.0,
    "tokens_per_second": 3000.0,
    "padding_left_out": 0.4,
    "loss_scale": 1.0,
}


def test_what_is_paused_does_not_count():
    times = iter(
        [0.0, 2.0, 2.0, 12.0, 15.0]
    )  # built; first lap; a pause of ten seconds; second lap
    meter = Meter(lambda: next(times))
    assert meter.lap() == 2.0
    with meter.paused():
        pass
    assert meter.lap() == 3.0


def test_rates_are_empty_while_the_process_warms_up(tmp_path):
    log = Log(tmp_path / "log", 0)
    for step in range(1, 6):
        log.write({"step": step} | ROW)
    rows = [line.split("\t") for line in (tmp_path / "log").read_text().splitlines()]
    assert tuple(rows[0]) == COLUMNS
    place = COLUMNS.index("queries_per_second")
    assert [row[place] for row in rows[1:]] == ["", "", "", "100", "100"]
    assert rows[1][:5] == ["1", "0.5", "0.25", "1e-05", "2"]


def test_going_on_drops_the_lines_of_steps_to_be_taken_again(tmp_path):
    log = Log(tmp_path / "log", 0)
    for step in range(1, 6):
        log.write({"step": step} | ROW)
    Log(tmp_path / "log", 2).write({"step": 3} | ROW | {"dev_MRR@10": 0.5})
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["step", "1", "2", "3"]
    assert lines[-1].endswith("\t0.5")


def test_a_log_that_a_power_cut_has_taken_is_begun_anew(tmp_path):
    Log(tmp_path / "log", 2).write({"step": 3} | ROW)
    assert [line[:4] for line in (tmp_path / "log").read_text().splitlines()] == ["step", "3\t0."]
    (tmp_path / "log").write_bytes(b"step\n1\n2\n\0\xff\0")
    Log(tmp_path / "log", 2).write({"step": 3} | ROW)
    lines = (tmp_path / "log").read_text().splitlines()
    assert [line.split("\t")[0] for line in lines] == ["step", "1", "2", "3"]


def test_the_lines_before_a_state_are_on_disk(tmp_path):
    with recorded(tmp_path) as recording:
        log = Log(tmp_path / "log", 0)
        log.write({"step": 1} | ROW)
        log.sync()
    assert list(recording.instants[-1].synced.values()) == [(tmp_path / "log").read_bytes()]


def test_visualdl_gets_the_same_values(tmp_path):
    pytest.importorskip("visualdl", reason="VisualDL is not installed (the extra `visualdl`)")
    from visualdl import LogReader

    log = Log(tmp_path / "log", 0, tmp_path / "visualdl")
    for step in (1, 2):
        log.write({"step": step} | ROW | {"loss": step / 4})
    log.close()
    (file,) = (tmp_path / "visualdl").iterdir()
    reader = LogReader(file_path=str(file))
    assert [(record.id, record.value) for record in reader.get_data("scalar", "loss")] == [
        (1, 0.25),
        (2, 0.5),
    ]
