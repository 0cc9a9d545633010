"""The released text TSVs become our files, and an export gives the same bytes again."""

import json

import pytest
from data_prep_runs import call, read, write

from rocketqa.cli.validate import main as validate
from rocketqa.files.errors import DataError
from rocketqa.files.examples import read_examples, read_pairs
from rocketqa.files.formats import read_collection, read_queries
from rocketqa.files.released_rows import read_dual_training_set

SIX = (
    'who is he\tAaron\tAaron is a prophet\t-\tGod at Sinai "granted\t0\n'
    "who is he\tAaron\tAaron is a prophet\tSinai\t caf\u00e9 \u0085 x\t0\n"
    'where\t-\tGod at Sinai "granted\tAaron\tAaron is a prophet\t0\n'
)
FOUR = 'who is he\tAaron\tAaron is a prophet\t1\nwho is he\t\tGod at Sinai "granted\t0\n'
DATA = {
    "collection__tsv": '7\tAaron\tAaron is a prophet\n8\t\tGod at Sinai "granted\n'
    "9\tSinai\t caf\u00e9 \u0085 x\n10\tAaron\tAaron is a prophet\n",
    "queries__train__tsv": "t1\twho is he\n",
    "queries__unlabelled__tsv": "u1\twhere\n",
}


def imported(tmp_path, content: str, *flags, name: str = "out"):
    """Imports a TSV with this content and returns the folder."""
    source = write(tmp_path, source__tsv=content) / "source.tsv"
    assert call("released_tsv.py", "import", source, "--output", tmp_path / name, *flags)[0] == 0
    return tmp_path / name


def export(folder, *flags) -> tuple[int, str]:
    """Exports a folder; returns the exit status and stderr."""
    return call("released_tsv.py", "export", folder, *flags)


@pytest.mark.parametrize(
    "content",
    [SIX, FOUR, FOUR.replace("\t\t", "\t-\t"), SIX.replace("\t-\t", "\t\t")],
    ids=["six", "four", "four with -", "six without"],
)
def test_there_and_back_are_the_same_bytes(tmp_path, content):
    folder = imported(tmp_path, content)
    assert export(folder, "--output", tmp_path / "back.tsv")[0] == 0
    assert read(tmp_path, "back.tsv") == content


@pytest.mark.parametrize("content", [SIX, FOUR], ids=["six", "four"])
def test_there_and_back_are_the_same_bytes_with_the_ids_of_a_corpus(tmp_path, content):
    data = write(tmp_path / "data", **DATA)
    folder = imported(tmp_path, content, "--data", data)
    assert not (folder / "collection.tsv").exists()
    status, _ = export(folder, "--output", tmp_path / "back.tsv", "--data", data)
    assert status == 0
    assert read(tmp_path, "back.tsv") == content


def test_ids_of_a_corpus_are_kept_the_first_of_two_equal_texts(tmp_path):
    data = write(tmp_path / "data", **DATA)
    dual = imported(tmp_path, SIX, "--data", data)
    assert read(dual, "examples.dual.tsv") == "t1\t7\t8\nt1\t7\t9\nu1\t8\t7\n"
    cross = imported(tmp_path, FOUR, "--data", data)
    assert read(cross, "examples.cross.tsv") == "t1\t7\t1\nt1\t8\t0\n"


def test_made_ids_are_those_of_the_texts_each_text_once(tmp_path):
    dual = imported(tmp_path, SIX)
    cross = imported(tmp_path, FOUR, name="cross")
    assert len(read_collection(dual / "collection.tsv")) == 3
    assert len(read_queries(dual / "queries.tsv")) == 2
    passages = read(dual, "collection.tsv").splitlines(keepends=True)
    assert read(cross, "collection.tsv") == "".join(passages[:2])
    examples = read_examples(dual / "examples.dual.tsv")
    pairs = read_pairs(cross / "examples.cross.tsv")
    assert [example.positive_id for example in examples[:2]] == [pairs[0].passage_id] * 2
    again = imported(tmp_path, SIX, name="again")
    assert read(again, "examples.dual.tsv") == read(dual, "examples.dual.tsv")


def test_examples_of_ours_with_several_negatives_become_a_row_each(tmp_path):
    data = write(tmp_path / "data", **DATA)
    examples = write(tmp_path / "examples", **{"examples__dual__tsv": "t1\t7\t8\t9\nt1\t7\n"})
    status, stderr = export(examples, "--output", tmp_path / "back.tsv", "--data", data)
    assert status == 0
    assert read(tmp_path, "back.tsv") == SIX[: SIX.index("where")]
    assert "examples.dual.tsv: 1 rows left out that have no negative" in stderr


def test_rows_whose_negative_is_the_positive_are_left_out_and_reported(tmp_path):
    source = write(tmp_path, source__tsv=SIX + "where\tAaron\ta\tAaron\ta\t0\n") / "source.tsv"
    _, stderr = call("released_tsv.py", "import", source, "--output", tmp_path / "out")
    assert "source.tsv:4: first of 1 rows left out whose negative is the positive" in stderr
    assert "out: 3 rows" in stderr


@pytest.mark.parametrize(
    "content, line",
    [
        ("", "source.tsv: expected rows of 6 or 4 columns, got an empty file"),
        ("a\tb\tc\n", "source.tsv:1: expected 4 or 6 columns, got 3"),
        (SIX + FOUR, "source.tsv:4: expected 6 columns, got 4"),
        (FOUR + "a\tb\tc\t2\n", "source.tsv:3: expected label 0 or 1, got '2'"),
        ("a\tb\tc\td\te\t1\n", "source.tsv:1: expected label 0, got '1'"),
        ("a\tb\t \t0\n", "source.tsv:1: expected a text, got an empty one"),
    ],
)
def test_a_fault_ends_in_one_line(tmp_path, content, line):
    source = write(tmp_path, source__tsv=content) / "source.tsv"
    status, stderr = call("released_tsv.py", "import", source, "--output", tmp_path / "out")
    assert status == 2
    assert line in stderr
    assert stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


BOTH_SIDES = (
    "where is the dog\t-\tthe dog is at home\t-\tcats sleep\t0\n"
    "where is the dog\t-\tthe dog ran far\t\tthe dog is at home\t0\n"
    "what do birds do\t-\tbirds fly\t-\tfish swim\t0\n"
)
BOTH_SIDES_LINE = (
    "source.tsv:2: expected a passage positive or negative for query 'where is the dog', "
    "got 'the dog is at home' as both"
)


def test_a_passage_that_is_positive_and_negative_is_refused_or_left_out_and_then_all_agree(
    tmp_path, capsys
):
    source = write(tmp_path, source__tsv=BOTH_SIDES) / "source.tsv"
    with pytest.raises(DataError) as error:
        read_dual_training_set([source])
    assert BOTH_SIDES_LINE in str(error.value)
    flags = ("import", source, "--output", tmp_path / "out")
    status, stderr = call("released_tsv.py", *flags)
    assert status == 2 and not (tmp_path / "out").exists()
    assert f"{BOTH_SIDES_LINE} (--drop-bad leaves such rows out)" in stderr

    status, stderr = call("released_tsv.py", *flags, "--drop-bad")
    assert status == 0
    lines = stderr.splitlines()
    assert lines[0].startswith("left out: ") and lines[0].endswith(BOTH_SIDES_LINE)
    assert "positive and negative\t1" in lines
    assert len(read_examples(tmp_path / "out" / "examples.dual.tsv")) == 2
    assert "the dog ran far" not in read(tmp_path / "out", "collection.tsv")
    assert json.loads(read(tmp_path / "out", "meta.json"))["dropped_lines"] == {
        "positive and negative": [2]
    }
    assert validate([str(tmp_path / "out")]) == 0
    capsys.readouterr()
    export(tmp_path / "out", "--output", tmp_path / "sound.tsv")
    assert len(read_dual_training_set([tmp_path / "sound.tsv"]).examples) == 2


def test_rows_of_every_class_of_faults_are_left_out_and_counted(tmp_path):
    data = write(tmp_path / "data", **DATA)
    bad = [
        "a\tb\tc",
        "who is he\tSinai\tunknown\t1",
        "who is he\tAaron\t \t1",
        "who is he\tAaron\tAaron is a prophet\t2",
        "who is he\tAaron\tAaron is a prophet\t0",
    ]
    source = tmp_path / "source.tsv"
    source.write_bytes(b"\xff\n" + (FOUR + "\n".join(bad) + "\n").encode())
    flags = ("import", source, "--output", tmp_path / "out", "--data", data, "--drop-bad")
    status, stderr = call("released_tsv.py", *flags)
    assert status == 0
    classes = ["UTF-8", "columns", "empty text", "labels", "positive and negative", "unknown texts"]
    lines = stderr.splitlines()
    assert [f"{name}\t1" for name in classes] == [line for line in lines if "\t" in line]
    assert sum(line.startswith(f"left out: {source}:") for line in lines) == 6
    assert read(tmp_path / "out", "examples.cross.tsv") == "t1\t7\t1\nt1\t8\t0\n"


def test_a_source_without_a_sound_row_is_refused(tmp_path):
    source = write(tmp_path, source__tsv="q\t-\t \t1\n") / "source.tsv"
    flags = ("import", source, "--output", tmp_path / "out", "--drop-bad")
    status, stderr = call("released_tsv.py", *flags)
    assert status == 2 and "source.tsv: expected a row to keep, got none" in stderr
    source.write_text("a\tb\n")
    status, stderr = call("released_tsv.py", *flags)
    assert status == 2 and "expected rows of 6 or 4 columns, got no such row" in stderr


@pytest.mark.parametrize(
    "content, name",
    [
        ("q1\td1\twhat is a dog\tthe dog is an animal\n", "MS MARCO's top1000"),
        ("q1\td1\td2\nq2\td2\td1\n", "MS MARCO's qidpidtriples"),
    ],
)
def test_files_of_ms_marco_are_refused_by_their_name(tmp_path, content, name):
    source = write(tmp_path, source__tsv=content) / "source.tsv"
    status, stderr = call("released_tsv.py", "import", source, "--output", tmp_path / "out")
    assert status == 2 and name in stderr


def test_a_text_without_an_id_is_named(tmp_path):
    data = write(tmp_path / "data", **DATA | {"collection__tsv": "7\tAaron\tAaron is a prophet\n"})
    source = write(tmp_path, source__tsv=SIX) / "source.tsv"
    flags = ("--output", tmp_path / "out", "--data", data)
    _, stderr = call("released_tsv.py", "import", source, *flags)
    assert "source.tsv:1: expected a text of --data, got 'God at Sinai" in stderr


def test_an_id_without_a_text_is_named(tmp_path):
    data = write(tmp_path / "data", **DATA | {"collection__tsv": "7\tAaron\tAaron is a prophet\n"})
    examples = write(tmp_path / "examples", **{"examples__dual__tsv": "t1\t7\t99\n"})
    flags = ("--output", tmp_path / "back.tsv", "--data", data)
    _, stderr = export(examples, *flags)
    assert "examples.dual.tsv:1: expected an id with a text, got '99'" in stderr
    (data / "collection.tsv").write_bytes(b"7\tAaron\n")
    _, stderr = export(examples, *flags)
    assert "collection.tsv:1: expected 3 columns, got 2" in stderr
