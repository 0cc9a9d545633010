"""Files are read as documented, and a bad line is named with its place."""

import pytest

from rocketqa.files import formats, runs
from rocketqa.files.errors import DataError


def read_run(path):
    return dict(runs.RunFile(path))


def written(tmp_path, content: str | bytes, name: str = "file.tsv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize(
    "reader, content, message",
    [
        (formats.read_collection, "p1\tt\ttext\np2\ttext\n", ":2: expected 3 columns, got 2"),
        (
            formats.read_collection,
            "p1\tt\ttext\np1\tt\ttext\n",
            ":2: expected each id once, got 'p1' again",
        ),
        (formats.read_collection, "p1\tt\t \n", ":1: expected a text, got an empty one"),
        (
            formats.read_collection,
            "p 1\tt\ttext\n",
            ":1: expected a passage_id without spaces, got 'p 1'",
        ),
        (
            formats.read_collection,
            "p1\tt\ttext\r\n",
            ":1: expected lines that end in LF, got a carriage return",
        ),
        (formats.read_collection, b"p1\tt\t\xff\n", ":1: expected UTF-8, got byte 0xff at 5"),
        (
            formats.read_collection,
            b"\xef\xbb\xbfp1\tt\ttext\n",
            ":1: expected text, got a byte order mark",
        ),
        (formats.read_queries, "q1\ta\tb\n", ":1: expected 2 columns, got 3"),
        (
            formats.read_answers,
            "q1\tx\t \u200b\n",
            ":1: expected an answer with a visible character, got ' \\u200b'",
        ),
        (formats.read_positives, "q1\t0\tp1\t1\nq1\tp2\n", ":2: expected 4 columns, got 2"),
        (formats.read_positives, "q1\t0\tp1\tyes\n", ":1: expected relevance as int, got 'yes'"),
        (read_run, "q1\tQ0\tp1\t1\tnan\ttag\n", ":1: expected a finite score, got 'nan'"),
        (read_run, "q1\tQ0\tp1\t0\t1.5\ttag\n", ":1: expected ranks 1, 2, ... for query q1, got 0"),
        (
            read_run,
            "q1\tQ0\tp1\t1\t2\tt\nq1\tQ0\tp2\t3\t1\tt\n",
            ":2: expected rank 2 of query q1 next, got 3",
        ),
        (
            read_run,
            "q1\tQ0\tp1\t1\t2\tt\nq1\tQ0\tp1\t2\t1\tt\n",
            ":2: expected each id once, got ('q1', 'p1') again",
        ),
        (
            formats.read_examples,
            "q1\tp1\tp1\n",
            ":1: expected a passage positive or negative for query q1, got 'p1' as both",
        ),
        (
            formats.read_examples,
            "q1\tp1\tp2\nq1\tp1\n",
            ":2: expected 1 negatives as in the first row, got 0",
        ),
        (formats.read_pairs, "q1\tp1\t2\n", ":1: expected label 0 or 1, got '2'"),
    ],
)
def test_a_bad_line_is_refused_with_its_place(tmp_path, reader, content, message):
    path = written(tmp_path, content)
    with pytest.raises(DataError) as error:
        reader(path)
    assert str(error.value) == f"{path}{message}"


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected a file, got nothing there"):
        formats.read_collection(tmp_path / "none.tsv")


def test_both_forms_of_qrels_give_the_relevant_passages(tmp_path):
    four = written(tmp_path, "q1\t0\tp1\t1\nq1\t0\tp2\t0\nq2\t0\tp3\t2\n", "four.tsv")
    two = written(tmp_path, "q1\tp1\nq2\tp3\n", "two.tsv")
    assert (
        formats.read_positives(four) == formats.read_positives(two) == {"q1": ["p1"], "q2": ["p3"]}
    )


def test_runs_of_three_four_and_six_columns_are_one(tmp_path):
    trec = written(tmp_path, "q1\tQ0\tp2\t2\t0.5\tx\nq1\tQ0\tp1\t1\t1.0\tx\n", "trec.run")
    released = written(tmp_path, "q1\tp1\t1\t1.0\nq1\tp2\t2\t0.5\n", "released.run")
    marco = written(tmp_path, "q1\tp1\t1\nq1\tp2\t2\n", "marco.run")
    expected = {"q1": [("q1", "p1", 1, 1.0), ("q1", "p2", 2, 0.5)]}
    assert read_run(trec) == read_run(released) == read_run(marco) == expected


def test_a_written_run_is_read_back_with_float32_scores_exact(tmp_path):
    import numpy as np

    scores = np.random.default_rng(0).normal(size=200).astype(np.float32).tolist()
    ranking = runs.ranked("q1", ((f"p{i}", score) for i, score in enumerate(scores)))
    path = tmp_path / "a.run"
    formats.write_lines(path, runs.run_lines(ranking))
    assert [np.float32(scored.score) for scored in read_run(path)["q1"]] == sorted(
        scores, reverse=True
    )


def test_equal_scores_are_ordered_by_passage_id():
    ranking = runs.ranked("q", [("b", 1.0), ("a", 1.0), ("c", 2.0)])
    assert [(scored.passage_id, scored.rank) for scored in ranking] == [
        ("c", 1),
        ("a", 2),
        ("b", 3),
    ]
