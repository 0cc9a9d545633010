"""Natural Questions' files come from DPR's, read as the CSV and JSON they are, or from the released corpus."""

import gzip
import json

import pytest
from data_prep_runs import call, read, write

from rocketqa.files.formats import read_collection
from rocketqa.files.runs import RunFile

PASSAGES = (
    "id\ttext\ttitle\n"
    '1\t"Aaron Aaron ( or ; """"Ahärôn"""") is a prophet"\tAaron\n'
    '2\t"God at Sinai granted Aaron\tthe ""priesthood"""\t"""Weird"" title"\n'
    "3\tplain words\tPlain\n"
)
QUESTIONS = 'who wrote it\t[\'Anna\', "O\'Neill", \'Anna\']\nwhich "one"\t["2\\u20133"]\n'


def example(question: str, answers: list[str], positives: list[str], negatives: list[str]) -> dict:
    return {
        "dataset": "nq_train_psgs_w100",
        "question": question,
        "answers": answers,
        "positive_ctxs": [
            {"title": "t", "text": "x", "score": 1000, "passage_id": key} for key in positives
        ],
        "negative_ctxs": [],
        "hard_negative_ctxs": [{"text": "x", "passage_id": key} for key in negatives],
    }


TRAIN = [
    example("big little lies how many episodes", ["seven"], ["2", "3"], ["1"]),
    example("who has no negatives", ["nobody"], ["1"], []),
    example("who sings", ["A", " ", "B\tC"], ["3"], ["1", "2"]),
]
DEV = [example("who is a prophet", ["Aaron"], ["1"], [])]


@pytest.fixture
def dpr(tmp_path):
    """DPR's files in a folder, one of them packed."""
    folder = write(
        tmp_path / "from",
        psgs_w100__tsv=PASSAGES,
        **{"nq-test__qa__csv": QUESTIONS},
        **{"biencoder-nq-train__json": json.dumps(TRAIN, indent=4)},
    )
    with gzip.open(folder / "biencoder-nq-dev.json.gz", "wt", encoding="utf-8") as file:
        json.dump(DEV, file)
    return folder


def build(folder, *flags) -> tuple[int, str]:
    return call("nq.py", "--output", folder.parent / "out", "--from", folder, *flags)


def test_passages_are_read_as_a_csv(dpr, tmp_path):
    assert build(dpr)[0] == 0
    assert read(tmp_path / "out", "collection.tsv") == (
        '1\tAaron\tAaron Aaron ( or ; ""Ahärôn"") is a prophet\n'
        '2\t"Weird" title\tGod at Sinai granted Aaron the "priesthood"\n3\tPlain\tplain words\n'
    )
    assert len(read_collection(tmp_path / "out/collection.tsv")) == 3


def test_examples_without_negatives_are_left_out_of_training_alone_and_counted(dpr, tmp_path):
    told = build(dpr)[1]
    out = tmp_path / "out"
    assert (
        read(out, "queries.train.tsv")
        == "train-1\tbig little lies how many episodes\ntrain-3\twho sings\n"
    )
    assert read(out, "queries.dev.tsv") == "dev-1\twho is a prophet\n"
    assert "queries.train.tsv: 2 rows (1 examples without hard negatives left out" in told


def test_the_first_positive_is_the_label_and_the_others_are_kept_from_the_negatives(dpr, tmp_path):
    build(dpr)
    out = tmp_path / "out"
    assert read(out, "qrels.train.tsv") == "train-1\t0\t2\t1\ntrain-3\t0\t3\t1\n"
    assert read(out, "qrels.train.addition.tsv") == "train-1\t0\t3\t1\n"
    assert read(out, "qrels.dev.tsv") == "dev-1\t0\t1\t1\n"


def test_the_hard_negatives_are_a_run_in_their_order_for_stage_1(dpr, tmp_path):
    build(dpr)
    run = dict(RunFile(tmp_path / "out/bm25.train.run"))
    assert {
        query_id: [scored.passage_id for scored in ranking] for query_id, ranking in run.items()
    } == {"train-1": ["1"], "train-3": ["1", "2"]}
    assert all(
        scored.score == pytest.approx(1 / scored.rank)
        for ranking in run.values()
        for scored in ranking
    )


def test_answers_are_one_a_column(dpr, tmp_path):
    build(dpr)
    out = tmp_path / "out"
    assert read(out, "answers.train.tsv") == "train-1\tseven\ntrain-3\tA\tB C\n"
    assert read(out, "answers.test.tsv") == "test-1\tAnna\tO'Neill\ntest-2\t2\u20133\n"
    assert read(out, "queries.test.tsv") == 'test-1\twho wrote it\ntest-2\twhich "one"\n'


def test_answers_that_are_code_are_refused_and_not_run(dpr, tmp_path):
    trap = tmp_path / "trap"
    (dpr / "nq-test.qa.csv").write_text(f"who\t[open({str(trap)!r}, 'w')]\n")
    status, told = build(dpr)
    assert (
        status == 2
        and "nq-test.qa.csv:1: expected a list of answers, got " in told
        and not trap.exists()
    )


def test_examples_longer_than_what_is_read_at_once_come_whole(dpr, tmp_path):
    long = [example("q" * 900_000, ["é" * 700_000], ["1"], ["2"])] * 3
    (dpr / "biencoder-nq-train.json").write_text(
        json.dumps(long, ensure_ascii=False), encoding="utf-8"
    )
    assert build(dpr)[0] == 0
    assert not (
        tmp_path / "out/qrels.train.addition.tsv"
    ).exists()  # nobody has a second positive: no empty file
    assert [len(line) for line in read(tmp_path / "out", "queries.train.tsv").splitlines()] == [
        900_008
    ] * 3


def test_what_is_finished_is_not_made_again(dpr, tmp_path):
    assert build(dpr, "--check")[0] == 3
    build(dpr)
    made = {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    assert build(dpr)[0] == 0 and build(dpr, "--check")[0] == 0
    assert made == {
        path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file()
    }


def test_published_counts_are_held_to(dpr):
    status, told = build(dpr, "--counts", "published")
    assert status == 2 and "examples.train.jsonl: expected 58,880 rows as published, got 3" in told


@pytest.mark.parametrize(
    "name, content, line",
    [
        (
            "psgs_w100.tsv",
            "1\ta\tb\n",
            "psgs_w100.tsv:1: expected the header id, text, title, got ['1', 'a', 'b']",
        ),
        ("psgs_w100.tsv", "id\ttext\ttitle\n1\ta\n", "psgs_w100.tsv:2: expected 3 columns, got 2"),
        (
            "psgs_w100.tsv",
            "id\ttext\ttitle\n1\ta\tA\n1\tb\tB\n",
            "psgs_w100.tsv:3: expected each id once",
        ),
        (
            "psgs_w100.tsv",
            'id\ttext\ttitle\n1\t"' + "a" * 200_000 + "\tA\n",
            "expected a CSV with tabs, got field larger",
        ),
        ("nq-test.qa.csv", "who\t[]\n", "nq-test.qa.csv:1: expected at least one answer, got none"),
        ("nq-test.qa.csv", "who\t[1]\n", "nq-test.qa.csv:1: expected a list of answers, got [1]"),
        (
            "biencoder-nq-train.json",
            "{}",
            "biencoder-nq-train.json: expected a JSON array, got '{}'",
        ),
        (
            "biencoder-nq-train.json",
            '[{"question": "a"}]',
            "example 1: expected question, answers, positive_ctxs and ",
        ),
        ("psgs_w100.tsv", "id\ttext\ttitle\n", "collection.tsv: expected rows, got none"),
        (
            "psgs_w100.tsv",
            'id\ttext\ttitle\n1\t"a\tA\n2\tb\tB\n',
            "psgs_w100.tsv:3: expected 3 columns, got 2",
        ),
        (
            "psgs_w100.tsv",
            "\ufeffid\ttext\ttitle\n1\ta\tA\n",
            "psgs_w100.tsv:1: expected the header id, text, title",
        ),
        (
            "psgs_w100.tsv",
            "id\ttext\ttitle\n1 \ta\tA\n",
            "psgs_w100.tsv:2: expected a passage_id without spaces, got '1 '",
        ),
        (
            "nq-test.qa.csv",
            "who\t['a\\ud800']\n",
            r"answers.test.tsv: expected characters, got '\ud800'",
        ),
        (
            "biencoder-nq-train.json",
            json.dumps([example("\ud800", ["a"], ["1"], ["2"])]),
            r"queries.train.tsv: expected characters, got '\ud800'",
        ),
        (
            "biencoder-nq-train.json",
            json.dumps([example(None, ["a"], ["1"], ["2"])]),
            "example 1: expected a text as question, got None",
        ),
        (
            "biencoder-nq-train.json",
            json.dumps([example("who", ["a"], ["1 2"], ["2"])]),
            "examples.train.jsonl:1: expected a passage_id without spaces, got '1 2'",
        ),
        (
            "biencoder-nq-train.json",
            json.dumps([example("who", ["a"], ["1"], ["2"])]).replace("passage_id", "id"),
            "example 1: expected question, answers, positive_ctxs and hard_negative_ctxs, got none of 'psg_id'",
        ),
        (
            "biencoder-nq-train.json",
            "[" * 200_000,
            "expected an object, got brackets without end in example 1",
        ),
        (
            "biencoder-nq-train.json",
            "[" + "9" * 5000,
            "expected an object, got digits without end in example 1",
        ),
        (
            "nq-test.qa.csv",
            "who\t['\\u200b', ' ']\n",
            "nq-test.qa.csv:1: expected at least one answer, got none",
        ),
        (
            "biencoder-nq-train.json",
            json.dumps(TRAIN)[:-30],
            "biencoder-nq-train.json: expected JSON, got ",
        ),
    ],
)
def test_a_fault_of_a_source_ends_in_one_line(dpr, name, content, line):
    (dpr / name).write_text(content)
    status, told = build(dpr)
    assert status == 2 and line in told.splitlines()[-1] and "Traceback" not in told


def test_a_cut_gzip_file_ends_in_one_line(dpr):
    packed = dpr / "biencoder-nq-dev.json.gz"
    packed.write_bytes(packed.read_bytes()[:-12])
    status, told = build(dpr)
    assert (
        status == 2
        and "biencoder-nq-dev.json.gz: expected a whole gzip file, got " in told.splitlines()[-1]
    )


def test_the_released_corpus_has_its_own_ids_and_answers(tmp_path):
    folder = write(
        tmp_path / "from",
        para__txt="0\tAaron is a prophet\n1\tGod at Sinai\n",
        para__title__txt="0\tAaron\n1\tSinai\n",
        train__query__txt="0\twho is he\n",
        test__query__txt="0\twhere\n",
        test__answers__txt="0\tSinai\tat Sinai\n",
        train__answers__txt="0\tAaron\n",
    )
    assert build(folder, "--source", "released")[0] == 0
    out = tmp_path / "out"
    assert read(out, "collection.tsv") == "0\tAaron\tAaron is a prophet\n1\tSinai\tGod at Sinai\n"
    assert read(out, "answers.test.tsv") == "0\tSinai\tat Sinai\n"
    assert read(out, "queries.train.tsv") == "0\twho is he\n"
    assert not (out / "queries.dev.tsv").exists()
