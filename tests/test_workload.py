"""All contenders of the benchmark get the same texts in the same batches."""

import pytest
from toy_files import write_tiny_flight

from rocketqa.benchmark import workload
from rocketqa.benchmark.workload import (
    ENCODE,
    SCORE,
    TRAIN,
    draw_labelled_texts,
    draw_texts,
    rows_of_round,
    training_batches,
)
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_queries, write_lines


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny")
    write_tiny_flight(folder)
    return folder


def test_the_same_texts_are_drawn_each_time_and_none_twice(tiny):
    texts = draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)
    again = draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)
    assert texts == again
    assert len(texts.queries) == 32
    assert len({passage.passage_id for passage in texts.passages}) == 32


def test_too_few_texts_are_an_error(tiny):
    message = "collection.tsv: expected 41 passages and queries to draw from, got 40 and 40"
    with pytest.raises(DataError, match=message):
        draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 41)


def test_a_training_batch_has_a_positive_and_another_passage_for_each_query(tiny, monkeypatch):
    monkeypatch.setattr(workload, "TRAINING_QUERIES", 8)
    texts = draw_texts(tiny / "collection.tsv", tiny / "queries.tsv", 32)
    first, second = training_batches(texts)
    assert [len(part) for part in (*first, *second)] == [8] * 6
    passages = first.positives + first.negatives + second.positives + second.negatives
    assert passages == texts.passages
    assert rows_of_round(TRAIN, 32) == 16


def test_a_round_takes_all_rows_but_those_that_are_negatives_in_training():
    assert rows_of_round(ENCODE, 256) == rows_of_round(SCORE, 256) == 256
    assert rows_of_round(TRAIN, 256) == 128


def test_a_labelled_passage_stands_at_the_place_of_its_query_and_none_twice(tmp_path, monkeypatch):
    write_tiny_flight(tmp_path)
    labels = [f"q{i}\t0\tp{39 - i}\t1" for i in range(9)]
    write_lines(tmp_path / "qrels.tsv", [*labels, "q20\t0\tp39\t1"])
    paths = [tmp_path / name for name in ("collection.tsv", "queries.tsv", "qrels.tsv")]
    all_queries = [query.text for query in read_queries(paths[1]).values()]
    for most, expected in ((8, 8), (100, 9)):
        monkeypatch.setattr(workload, "JUDGED", most)
        texts = draw_labelled_texts(*paths)
        numbers = [int(passage.passage_id[1:]) for passage in texts.passages]
        assert len(set(numbers)) == len(numbers) == expected
        for query, number in zip(texts.queries, numbers):
            assert query in (all_queries[39 - number], all_queries[20] if number == 39 else "")
        assert [passage.text for passage in texts.queries_alone().passages] == texts.queries
