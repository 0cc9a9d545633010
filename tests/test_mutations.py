"""What is written is read back, and no mutation of a file parts the verbs' readers from `rocketqa validate`."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from broken_files import SOUND
from hypothesis import example, given, settings
from hypothesis import strategies as st
from test_validation import READERS, known_to, written

from rocketqa.files import formats, runs
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Answers, LabelledPair, Passage, Qrel, Query, TrainingExample
from rocketqa.files.validation import Folder

THOROUGH = settings(max_examples=60, deadline=None)
ID = st.text(st.characters(exclude_categories=("Z", "C")), min_size=1).filter(
    lambda text: text.split() == [text]
)
LINE = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\t\n\r"))
# A byte order mark at the start of a title or text is in mid-line, so any is allowed; an id starts the line.
PLAIN_ID = ID.filter(lambda text: not text.startswith("\ufeff"))
TEXT = LINE.filter(str.strip)


def read_back(reader, lines):
    with tempfile.TemporaryDirectory() as folder:
        formats.write_lines(Path(folder) / "file", lines)
        return reader(Path(folder) / "file")


def unique(records):
    return st.lists(records, min_size=1, max_size=8, unique_by=lambda record: record[0])


@THOROUGH
@given(unique(st.builds(Passage, PLAIN_ID, LINE, TEXT)))
def test_passages_are_read_as_written(passages):
    read = read_back(formats.read_collection, map(formats.line_of, passages))
    assert list(read.values()) == passages and list(read) == [
        passage.passage_id for passage in passages
    ]


@THOROUGH
@given(unique(st.builds(Query, PLAIN_ID, TEXT)))
def test_queries_are_read_as_written(queries):
    assert list(read_back(formats.read_queries, map(formats.line_of, queries)).values()) == queries


@THOROUGH
@given(
    st.lists(
        st.builds(Qrel, PLAIN_ID, ID, st.integers(-2, 3)),
        min_size=1,
        unique_by=lambda qrel: qrel[:2],
    )
)
def test_judgements_are_read_as_written(qrels):
    assert read_back(formats.read_qrels, map(formats.line_of, qrels)) == qrels


@THOROUGH
@given(
    unique(
        st.builds(Answers, PLAIN_ID, st.lists(TEXT.filter(formats.tokens), min_size=1).map(tuple))
    )
)
def test_answers_are_read_as_written(answers):
    assert list(read_back(formats.read_answers, map(formats.line_of, answers)).items()) == answers


@THOROUGH
@given(unique(st.tuples(PLAIN_ID, st.lists(ID, min_size=3, max_size=3, unique=True))))
def test_training_examples_are_read_as_written(rows):
    examples = [TrainingExample(query_id, ids[0], tuple(ids[1:])) for query_id, ids in rows]
    pairs = [
        LabelledPair(query_id, passage_id, label)
        for query_id, ids in rows
        for label, passage_id in enumerate(ids[:2])
    ]
    assert read_back(formats.read_examples, map(formats.line_of, examples)) == examples
    assert read_back(formats.read_pairs, map(formats.line_of, pairs)) == pairs


@THOROUGH
@given(
    unique(
        st.tuples(
            PLAIN_ID,
            st.dictionaries(
                ID, st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1
            ),
        )
    ),
    st.sampled_from(list(runs.RUN_FORMATS)),
)
def test_runs_are_read_as_written_in_every_form(rows, form):
    run = {query_id: runs.ranked(query_id, scores.items()) for query_id, scores in rows}
    read = read_back(
        lambda path: dict(runs.RunFile(path)),
        (line for ranking in run.values() for line in runs.run_lines(ranking, form)),
    )
    assert list(read) == list(run)
    for query_id, ranking in run.items():
        assert [scored[:3] for scored in read[query_id]] == [scored[:3] for scored in ranking]
        wanted = [1 / scored.rank if form == "msmarco" else scored.score for scored in ranking]
        assert wanted == [
            scored.score if form == "msmarco" else float(np.float32(scored.score))
            for scored in read[query_id]
        ]


@pytest.mark.parametrize(
    "record",
    [
        Passage("p1", "a\ttitle", "text"),
        Query("q1", "two\nlines"),
        Query("q1", "a\rreturn"),
        Answers("q1", ("a\tb",)),
    ],
)
def test_a_field_that_would_become_other_columns_is_not_written(record):
    with pytest.raises(DataError, match="expected fields without tabs and ends of lines"):
        formats.line_of(record)


def test_a_run_without_scores_is_none_of_the_cross_encoders(tmp_path):
    formats.write_lines(
        tmp_path / "a.run", runs.run_lines([runs.ScoredPassage("q", "p", 1, 0.5)], "msmarco")
    )
    with pytest.raises(
        DataError, match=r"a.run:1: expected 6 or 4 columns, a score among them, got 3"
    ):
        runs.open_scores(tmp_path / "a.run")


@st.composite
def mutated(draw, files: dict[str, bytes]) -> tuple[str, bytes]:
    """One of the files after one to three mutations of bytes or lines."""
    file = draw(st.sampled_from(sorted(files)))
    content = files[file]
    for _ in range(draw(st.integers(1, 3))):
        content = draw(st.sampled_from([flipped, inserted, doubled, dropped, truncated, swapped]))(
            draw, content
        )
    return file, content


def place(draw, content: bytes) -> int:
    return draw(st.integers(0, max(0, len(content) - 1)))


def flipped(draw, content: bytes) -> bytes:
    at = place(draw, content)
    return content[:at] + bytes([draw(st.integers(0, 255))]) + content[at + 1 :]


def inserted(draw, content: bytes) -> bytes:
    at = place(draw, content)
    return (
        content[:at]
        + draw(
            st.sampled_from(
                [
                    b"\t",
                    b"\n",
                    b"\r",
                    b" ",
                    b"\0",
                    b"\xef\xbb\xbf",
                    b"-",
                    b"9" * 400,
                    b"\xc2\x85",
                    b"p1",
                    b"q1",
                    b"nan",
                    b"_",
                ]
            )
        )
        + content[at:]
    )


def doubled(draw, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join(lines[: at + 1] + lines[at:])


def dropped(draw, content: bytes) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = draw(st.integers(0, len(lines) - 1))
    return b"".join(lines[:at] + lines[at + 1 :])


def truncated(draw, content: bytes) -> bytes:
    return content[: place(draw, content)]


def swapped(draw, content: bytes) -> bytes:
    cells = content.split(b"\t")
    one, other = (draw(st.integers(0, len(cells) - 1)) for _ in range(2))
    cells[one], cells[other] = cells[other], cells[one]
    return b"\t".join(cells)


@settings(max_examples=2000, deadline=None)
@given(mutated({file: SOUND[file] for file in READERS}))
@example(("dev.run", b"d1\tQ0\tp3\t" + b"9" * 400 + b"\t1\tx\n"))
@example(("qrels.train.tsv", b"q1\t0\tp1\t" + b"9" * 5000 + b"\n"))
def test_what_a_reader_refuses_validate_names_and_the_other_way_round(sound_folder, case):
    file, content = case
    path, named = sound_folder / file, []
    path.write_bytes(content)
    Folder(sound_folder, lambda fault: named.append(str(fault))).read()
    named = [fault for fault in named if fault.startswith(f"{path}:")]
    try:
        READERS[file](path, known_to(file))
        refused = []
    except DataError as error:
        refused = [str(error)]
    path.write_bytes(SOUND[file])
    assert refused == named[:1]


@pytest.fixture(scope="module")
def sound_folder(tmp_path_factory):
    return written(tmp_path_factory.mktemp("sound"))
