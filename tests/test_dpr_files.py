"""DPR's files are read as the CSV and JSON they are, and a fault in them ends in one line."""

import json
from collections import Counter

import pytest
from data_prep_runs import data_prep_module, write
from dpr_fixture import TRAIN, build_nq, example, write_dpr_files

dpr_files = data_prep_module("dpr_files")

TRAIN_FILE = "biencoder-nq-train.json"
HEADER = "id\ttext\ttitle\n"


@pytest.fixture
def dpr(tmp_path):
    """DPR's files in a folder."""
    return write_dpr_files(tmp_path / "from")


def test_an_array_gives_the_used_fields_of_each_object(tmp_path):
    folder = write(tmp_path, examples__json=json.dumps(TRAIN))
    fields = list(dpr_files.read_array(folder / "examples.json"))
    assert fields[2] == {
        "question": "who sings",
        "answers": ["A", " ", "B\tC"],
        "positive_ctxs": ["3"],
        "hard_negative_ctxs": ["1", "2"],
    }
    assert len(fields) == 3


def test_older_files_name_passages_by_psg_id(tmp_path):
    text = json.dumps(TRAIN).replace("passage_id", "psg_id")
    folder = write(tmp_path, examples__json=text)
    fields = list(dpr_files.read_array(folder / "examples.json"))
    assert [example["positive_ctxs"] for example in fields] == [["2", "3"], ["1"], ["3"]]


def test_each_passage_and_each_answer_of_an_example_comes_once(tmp_path):
    fields = {
        "question": "who",
        "answers": ["a", "a ", "\u200b"],
        "positive_ctxs": ["1", "1"],
        "hard_negative_ctxs": ["3", "2", "3"],
    }
    folder = write(tmp_path, train__jsonl=json.dumps(fields) + "\n")
    (used,) = dpr_files.used_examples(folder / "train.jsonl", "train", Counter())
    assert used == dpr_files.Example("train-1", "who", ["a"], ["1"], ["3", "2"])


def test_answers_that_are_code_are_refused_and_not_run(dpr, tmp_path):
    trap = tmp_path / "trap"
    (dpr / "nq-test.qa.csv").write_text(f"who\t[open({str(trap)!r}, 'w')]\n")
    status, stderr = build_nq(dpr)
    assert status == 2
    assert "nq-test.qa.csv:1: expected a list of answers, got " in stderr
    assert not trap.exists()


def refused(dpr, name: str, content: str) -> str:
    """Returns the one line in which a build with this content of a file ends."""
    (dpr / name).write_text(content)
    status, stderr = build_nq(dpr)
    assert status == 2
    assert "Traceback" not in stderr
    return stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "content, line",
    [
        ("1\ta\tb\n", "psgs_w100.tsv:1: expected the header id, text, title, got ['1', 'a', 'b']"),
        ("", "psgs_w100.tsv:1: expected the header id, text, title, got []"),
        (
            "\ufeffid\ttext\ttitle\n1\ta\tA\n",
            "psgs_w100.tsv:1: expected the header id, text, title",
        ),
        (HEADER, "collection.tsv: expected rows, got none"),
        (HEADER + "1\ta\n", "psgs_w100.tsv:2: expected 3 columns, got 2"),
        (HEADER + "1\ta\tA\n1\tb\tB\n", "psgs_w100.tsv:3: expected each id once"),
        (HEADER + '1\t"a\tA\n2\tb\tB\n', "psgs_w100.tsv:3: expected 3 columns, got 2"),
        (
            HEADER + "1 \ta\tA\n",
            "psgs_w100.tsv:2: expected a passage_id without spaces, got '1 '",
        ),
        (
            HEADER + '1\t"' + "a" * 200_000 + "\tA\n",
            "expected a CSV with tabs, got field larger",
        ),
    ],
)
def test_a_fault_in_the_passages_is_named(dpr, content, line):
    assert line in refused(dpr, "psgs_w100.tsv", content)


@pytest.mark.parametrize(
    "content, line",
    [
        ("who\t[]\n", "nq-test.qa.csv:1: expected at least one answer, got none"),
        ("who\t['\\u200b', ' ']\n", "nq-test.qa.csv:1: expected at least one answer, got none"),
        ("who\t[1]\n", "nq-test.qa.csv:1: expected a list of answers, got [1]"),
        ("who\t['a\\ud800']\n", r"answers.test.tsv: expected characters, got '\ud800'"),
    ],
)
def test_a_fault_in_the_test_questions_is_named(dpr, content, line):
    assert line in refused(dpr, "nq-test.qa.csv", content)


@pytest.mark.parametrize(
    "content, line",
    [
        ("{}", "biencoder-nq-train.json: expected a JSON array, got '{}'"),
        (
            json.dumps(TRAIN)[:-30],
            "biencoder-nq-train.json: expected JSON, got ",
        ),
        ("[" * 200_000, "expected an object, got brackets without end in example 1"),
        ("[" + "9" * 5000, "expected an object, got digits without end in example 1"),
    ],
)
def test_what_is_not_an_array_of_examples_is_named(dpr, content, line):
    assert line in refused(dpr, TRAIN_FILE, content)


FIELDS = "example 1: expected question, answers, positive_ctxs and hard_negative_ctxs, "
WITHOUT_PASSAGE_IDS = json.dumps([example("who", ["a"], ["1"], ["2"])]).replace("passage_id", "id")


@pytest.mark.parametrize(
    "content, line",
    [
        ('[{"question": "a"}]', FIELDS + "got an example without 'positive_ctxs'"),
        ("[null]", FIELDS + "got another type: 'NoneType' object is not subscriptable"),
        (WITHOUT_PASSAGE_IDS, FIELDS + "got an example without 'psg_id'"),
        (
            json.dumps([example(None, ["a"], ["1"], ["2"])]),
            "example 1: expected a text as question, got None",
        ),
        (
            json.dumps([example("who", ["a"], ["1 2"], ["2"])]),
            "examples.train.jsonl:1: expected a passage_id without spaces, got '1 2'",
        ),
        (
            json.dumps([example("\ud800", ["a"], ["1"], ["2"])]),
            r"queries.train.tsv: expected characters, got '\ud800'",
        ),
    ],
)
def test_a_fault_in_an_example_is_named(dpr, content, line):
    assert line in refused(dpr, TRAIN_FILE, content)


def test_a_cut_gzip_file_ends_in_one_line(dpr):
    packed = dpr / "biencoder-nq-dev.json.gz"
    packed.write_bytes(packed.read_bytes()[:-12])
    status, stderr = build_nq(dpr)
    assert status == 2
    expected = "biencoder-nq-dev.json.gz: expected a whole gzip file, got "
    assert expected in stderr.splitlines()[-1]
