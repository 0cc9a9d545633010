"""Natural Questions' files have the queries, labels, answers and negatives that DPR publishes."""

import json
from pathlib import Path

import pytest
from data_prep_runs import read
from dpr_fixture import build_nq, example, write_dpr_files

from rocketqa.files.formats import read_collection
from rocketqa.files.runs import RunFile


@pytest.fixture
def dpr(tmp_path):
    """DPR's files in a folder."""
    return write_dpr_files(tmp_path / "from")


def test_passages_are_read_as_a_csv(dpr, tmp_path):
    assert build_nq(dpr)[0] == 0
    assert read(tmp_path / "out", "collection.tsv") == (
        '1\tAaron\tAaron Aaron ( or ; ""Ahärôn"") is a prophet\n'
        '2\t"Weird" title\tGod at Sinai granted Aaron the "priesthood"\n3\tPlain\tplain words\n'
    )
    assert len(read_collection(tmp_path / "out/collection.tsv")) == 3


def test_only_training_leaves_out_examples_without_negatives_and_counts_them(dpr, tmp_path):
    stderr = build_nq(dpr)[1]
    out = tmp_path / "out"
    assert read(out, "queries.train.tsv") == (
        "train-1\tbig little lies how many episodes\ntrain-3\twho sings\n"
    )
    assert read(out, "queries.dev.tsv") == "dev-1\twho is a prophet\n"
    assert "queries.train.tsv: 2 rows (1 examples without hard negatives left out" in stderr


def test_the_first_positive_is_the_label_and_the_others_are_kept_from_the_negatives(dpr, tmp_path):
    build_nq(dpr)
    out = tmp_path / "out"
    assert read(out, "qrels.train.tsv") == "train-1\t0\t2\t1\ntrain-3\t0\t3\t1\n"
    assert read(out, "qrels.train.addition.tsv") == "train-1\t0\t3\t1\n"
    assert read(out, "qrels.dev.tsv") == "dev-1\t0\t1\t1\n"


def test_the_hard_negatives_are_a_run_in_their_order_for_stage_1(dpr, tmp_path):
    build_nq(dpr)
    run = dict(RunFile(tmp_path / "out/bm25.train.run"))
    passage_ids = {}
    for query_id, ranking in run.items():
        passage_ids[query_id] = [scored.passage_id for scored in ranking]
        for scored in ranking:
            assert scored.score == pytest.approx(1 / scored.rank)
    assert passage_ids == {"train-1": ["1"], "train-3": ["1", "2"]}


def test_answers_are_one_a_column(dpr, tmp_path):
    build_nq(dpr)
    out = tmp_path / "out"
    assert read(out, "answers.train.tsv") == "train-1\tseven\ntrain-3\tA\tB C\n"
    assert read(out, "answers.test.tsv") == "test-1\tAnna\tO'Neill\ntest-2\t2\u20133\n"
    assert read(out, "queries.test.tsv") == 'test-1\twho wrote it\ntest-2\twhich "one"\n'


def test_examples_longer_than_what_is_read_at_once_are_complete(dpr, tmp_path):
    long_examples = [example("q" * 900_000, ["é" * 700_000], ["1"], ["2"])] * 3
    text = json.dumps(long_examples, ensure_ascii=False)
    (dpr / "biencoder-nq-train.json").write_text(text, encoding="utf-8")
    assert build_nq(dpr)[0] == 0
    lines = read(tmp_path / "out", "queries.train.tsv").splitlines()
    assert [len(line) for line in lines] == [900_008] * 3


def test_without_further_positives_there_is_no_file_for_them(dpr, tmp_path):
    examples = [example("who", ["a"], ["1"], ["2"])]
    (dpr / "biencoder-nq-train.json").write_text(json.dumps(examples))
    assert build_nq(dpr)[0] == 0
    assert not (tmp_path / "out/qrels.train.addition.tsv").exists()


def times_of_last_change(folder: Path) -> dict[Path, int]:
    """Returns when each file in a folder was last changed."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: path.stat().st_mtime_ns for path in files}


def test_what_is_finished_is_not_made_again(dpr, tmp_path):
    assert build_nq(dpr, "--check")[0] == 3
    build_nq(dpr)
    before = times_of_last_change(tmp_path / "out")
    assert build_nq(dpr)[0] == 0
    assert build_nq(dpr, "--check")[0] == 0
    assert times_of_last_change(tmp_path / "out") == before


def test_other_counts_than_the_published_are_refused(dpr):
    status, stderr = build_nq(dpr, "--counts", "published")
    assert status == 2
    assert "examples.train.jsonl: expected 58,880 rows as published, got 3" in stderr
