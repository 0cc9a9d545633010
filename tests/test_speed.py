"""The speed of a contender is measured in its own process, beside ours in the same rounds."""

import sys

import numpy as np
import pytest
from toy_files import write_tiny_flight

from rocketqa.benchmark.speed import (
    Result,
    RoundCost,
    Sources,
    Worker,
    _judged,
    _speed,
    has_package,
    measure_speed,
)
from rocketqa.benchmark.workload import ENCODE
from rocketqa.files.errors import DataError
from rocketqa.files.formats import write_lines


def test_the_speed_up_is_the_median_over_the_rounds_and_the_peak_the_largest():
    ours = [RoundCost(1.0, 5), RoundCost(2.0, 6), RoundCost(4.0, 7)]
    other = [RoundCost(2.0, 9), RoundCost(2.0, 30), RoundCost(16.0, 8)]
    products = [RoundCost(1.0, 1), RoundCost(0.5, 1), RoundCost(1.0, 1)]
    speed = _speed(ENCODE, "other", other, ours, products, rows=10)
    assert speed == (ENCODE, "other", 5.0, 0.625, 5.0, 30, 2.0, 0.25, None, None)


def test_a_worker_does_a_round_for_each_request(tmp_path):
    write_tiny_flight(tmp_path)
    files = (str(tmp_path / "collection.tsv"), str(tmp_path / "queries.tsv"))
    worker = Worker("ours", ENCODE, Sources(str(tmp_path / "init"), *files, 8), sys.executable)
    costs = [worker.do_round(), worker.do_round()]
    vectors = worker.vectors()
    worker.close()
    assert vectors.shape == (8, 16)
    assert all(cost.seconds > 0 and cost.peak_memory > 2**20 for cost in costs)


def test_a_worker_that_fails_is_reported_by_its_name_and_its_last_line(tmp_path):
    missing = str(tmp_path / "missing.tsv")
    worker = Worker("ours", ENCODE, Sources("", missing, missing, 8), sys.executable)
    message = "^benchmark: expected ours to work, got [^ ]*missing.tsv: expected a file"
    with pytest.raises(DataError, match=message):
        worker.do_round()
    worker.close()


def test_wrong_labels_are_refused_before_anything_is_measured(tmp_path):
    write_tiny_flight(tmp_path)
    write_lines(tmp_path / "none.tsv", ["q1\t0\tp1\t0"])
    files = [str(tmp_path / name) for name in ("collection.tsv", "queries.tsv")]
    for qrels, got in (
        ("none.tsv", "expected labelled queries, got none"),
        ("no.tsv", "expected a file"),
    ):
        sources = Sources(str(tmp_path / "init"), *files, 8, str(tmp_path / qrels))
        with pytest.raises(DataError, match=f"{qrels}: {got}"):
            next(measure_speed(sources, [ENCODE], 1, "false"))


def test_vectors_that_are_ours_are_not_judged_again():
    class Judge:
        def __init__(self, vectors):
            self.given = vectors

        def vectors(self, what):
            assert what == "judged"
            return self.given

    eye = np.eye(3, dtype=np.float32)
    exact, other, nothing = eye, eye + 1e-3, np.empty(0)
    results = [Result([], vectors) for vectors in (exact, nothing, exact + 1e-6, other)]
    workers = [Judge(np.stack([eye, eye])), None, None, Judge(np.stack([eye, eye[::-1]]))]
    sources = Sources("", "", "", 3, "qrels.tsv")
    judged = _judged(results, workers, sources)
    assert [result.mrr for result in judged] == [1, None, 1, pytest.approx((1 + 2 / 3) / 3)]
    assert judged[1].closeness is None and judged[3].closeness.largest_difference > 9e-4
    assert {result.mrr for result in _judged(results, workers, sources._replace(qrels=None))} == {
        None
    }


@pytest.mark.parametrize("package", ["sentence_transformers", "openvino", "paddlenlp"])
def test_an_interpreter_without_a_package_is_named(capsys, package):
    assert not has_package("false", package)
    shown = capsys.readouterr().err
    assert shown.startswith(f"false: no {package} there, so it is left out (")
    assert has_package("true", package)
    assert capsys.readouterr().err == ""
