"""Articles become a collection of passages, with the labels that they came with."""

import pytest
from data_prep_runs import call, read, write

from rocketqa.cli.validate import main as validate

ARTICLE = "A dog ran home. It was late. The cat slept all day. Nobody woke it."


def articles(folder):
    """Writes two articles and returns their folder."""
    return write(folder / "articles", dogs__txt=ARTICLE, zh__txt="鲁迅是作家。他写了小说！")


def cut(tmp_path, *flags) -> tuple[int, str]:
    """Cuts the articles and returns the exit status and what was said."""
    source = articles(tmp_path)
    return call("documents.py", source, "--output", tmp_path / "out", *flags)


def test_articles_become_passages_that_end_with_sentences(tmp_path):
    status, said = cut(tmp_path, "--words", 8, "--stride", 8)
    assert status == 0
    assert "collection.tsv: 4 rows (2 documents)" in said
    assert read(tmp_path / "out", "collection.tsv") == (
        "dogs.txt@0-28\tdogs\tA dog ran home. It was late.\n"
        "dogs.txt@29-67\tdogs\tThe cat slept all day. Nobody woke it.\n"
        "zh.txt@0-6\tzh\t鲁迅是作家。\n"
        "zh.txt@6-12\tzh\t他写了小说！\n"
    )


def test_labels_are_carried_along_and_the_folder_is_valid(tmp_path, capsys):
    begin = ARTICLE.index("late")
    spans = f"q1\tdogs.txt\t{begin}\t{begin + 4}\nq2\tzh.txt\t3\t5\n"
    labels = write(tmp_path, spans__dev__tsv=spans, judged__train__tsv="q3\tzh.txt\n")
    flags = ("--words", 8, "--stride", 4, "--spans", labels / "spans.dev.tsv")
    flags += ("--qrels", labels / "judged.train.tsv", "--seed", 3)
    status, said = cut(tmp_path, *flags)
    assert status == 0
    out = tmp_path / "out"
    truth = read(out, "truth.dev.tsv").splitlines()
    qrels = read(out, "qrels.dev.tsv").splitlines()
    assert [line[:2] for line in qrels] == ["q1", "q2"]
    assert len(truth) > len(qrels)
    assert set(qrels) < set(truth)
    assert read(out, "qrels.train.tsv").startswith("q3\t0\tzh.txt@0-6\t1\nq3\t0\tzh.txt@")
    write(out, queries__dev__tsv="q1\twhen\nq2\twho\n", queries__train__tsv="q3\twhat\n")
    assert validate([str(out)]) == 0
    assert f"next: put queries.SPLIT.tsv into {out}, and rocketqa validate {out}" in said


def test_a_second_call_makes_nothing_another_seed_only_the_labels(tmp_path):
    labels = write(tmp_path, spans__dev__tsv="q1\tdogs.txt\t0\t5\n")
    flags = ("--words", 8, "--spans", labels / "spans.dev.tsv")
    assert cut(tmp_path, *flags, "--check")[0] == 3
    assert cut(tmp_path, *flags)[0] == 0
    assert cut(tmp_path, *flags)[1].count("up to date") == 3
    assert cut(tmp_path, *flags, "--check")[0] == 0
    assert cut(tmp_path, *flags, "--seed", 2)[1].count("up to date") == 1
    assert cut(tmp_path, *flags, "--sentences", "no")[1].count("up to date") == 0


@pytest.mark.parametrize(
    "flags, message",
    [
        (("--words", 8, "--stride", 9), "--stride: expected at most the 8 of --words, got 9"),
        (("--spans", "a.dev.tsv", "b.dev.tsv"), "expected one file of labels for 'dev', got"),
        (("--spans", "spans.tsv"), "spans.tsv: expected a name such as spans.dev.tsv, got"),
        (("--spans", "gone.dev.tsv"), "gone.dev.tsv: expected a file, got nothing there"),
    ],
)
def test_flags_that_do_not_fit_are_refused_in_one_line(tmp_path, flags, message):
    status, said = cut(tmp_path, *flags)
    assert status == 2
    assert any(message in line for line in said.splitlines())
    assert not (tmp_path / "out/qrels.dev.tsv").exists()


def test_an_output_among_the_documents_is_refused(tmp_path):
    source = articles(tmp_path)
    status, said = call("documents.py", source, "--output", source / "out")
    assert (status, said.count("\n")) == (2, 1)
    assert "--output: expected a folder outside of " in said
