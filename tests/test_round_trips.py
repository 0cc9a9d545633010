"""Every record and every run is read as it was written, whatever its ids and texts are."""

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rocketqa.files.answers import tokens
from rocketqa.files.examples import LabelledPair, TrainingExample, read_examples, read_pairs
from rocketqa.files.formats import (
    Answers,
    Passage,
    Qrel,
    Query,
    line_of,
    read_answers,
    read_collection,
    read_qrels,
    read_queries,
    write_lines,
)
from rocketqa.files.rows import is_valid_id
from rocketqa.files.runs import RUN_FORMATS, RunFile, ranked, run_lines

THOROUGH = settings(max_examples=60, deadline=None)
ID = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1).filter(is_valid_id)
# A byte order mark counts as one only at the start of a line, which is always an id.
FIRST_ID = ID.filter(lambda text: not text.startswith("\ufeff"))
LINE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\t\n\r"))
TEXT = LINE.filter(str.strip)
ANSWERS = st.lists(TEXT.filter(tokens), min_size=1).map(tuple)
THREE_IDS = st.lists(ID, min_size=3, max_size=3, unique=True)
FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def read_back(reader: Callable, lines: Iterable[str]):
    """Writes the lines to a file and returns what the reader makes of it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        write_lines(path, lines)
        return reader(path)


def lists_with_unique_ids(records: st.SearchStrategy) -> st.SearchStrategy:
    """Returns lists of records whose first fields differ."""
    return st.lists(records, min_size=1, max_size=8, unique_by=lambda record: record[0])


@THOROUGH
@given(lists_with_unique_ids(st.builds(Passage, FIRST_ID, LINE, TEXT)))
def test_passages_are_read_as_written(passages):
    read = read_back(read_collection, map(line_of, passages))
    assert list(read.values()) == passages
    assert list(read) == [passage.passage_id for passage in passages]


@THOROUGH
@given(lists_with_unique_ids(st.builds(Query, FIRST_ID, TEXT)))
def test_queries_are_read_as_written(queries):
    read = read_back(read_queries, map(line_of, queries))
    assert list(read.values()) == queries


QRELS = st.lists(
    st.builds(Qrel, FIRST_ID, ID, st.integers(-2, 3)),
    min_size=1,
    unique_by=lambda qrel: qrel[:2],
)


@THOROUGH
@given(QRELS)
def test_judgements_are_read_as_written(qrels):
    assert read_back(read_qrels, map(line_of, qrels)) == qrels


@THOROUGH
@given(lists_with_unique_ids(st.builds(Answers, FIRST_ID, ANSWERS)))
def test_answers_are_read_as_written(answers):
    read = read_back(read_answers, map(line_of, answers))
    assert list(read.items()) == answers


@THOROUGH
@given(lists_with_unique_ids(st.tuples(FIRST_ID, THREE_IDS)))
def test_training_examples_are_read_as_written(rows):
    examples = []
    for query_id, (positive_id, *negative_ids) in rows:
        examples.append(TrainingExample(query_id, positive_id, tuple(negative_ids)))
    assert read_back(read_examples, map(line_of, examples)) == examples


@THOROUGH
@given(lists_with_unique_ids(st.tuples(FIRST_ID, THREE_IDS)))
def test_labelled_pairs_are_read_as_written(rows):
    pairs = []
    for query_id, (negative_id, positive_id, _) in rows:
        pairs.append(LabelledPair(query_id, negative_id, 0))
        pairs.append(LabelledPair(query_id, positive_id, 1))
    assert read_back(read_pairs, map(line_of, pairs)) == pairs


SCORES = st.dictionaries(ID, FLOAT32, min_size=1)  # passage_id -> score


@THOROUGH
@given(lists_with_unique_ids(st.tuples(FIRST_ID, SCORES)), st.sampled_from(list(RUN_FORMATS)))
def test_runs_are_read_as_written_in_every_form(rows, form):
    run = {query_id: ranked(query_id, scores.items()) for query_id, scores in rows}
    lines: list[str] = []
    for ranking in run.values():
        lines.extend(run_lines(ranking, form))
    read = read_back(lambda path: dict(RunFile(path)), lines)
    assert list(read) == list(run)
    for query_id, ranking in run.items():
        assert [scored[:3] for scored in read[query_id]] == [scored[:3] for scored in ranking]
        scores = [scored.score for scored in read[query_id]]
        if form == "msmarco":
            assert scores == [1 / scored.rank for scored in ranking]
        else:
            assert np.array(scores, np.float32).tolist() == [scored.score for scored in ranking]
