"""The verb measures BM25 with each stemmer as its run is measured, and chooses what gains."""

import pytest
from data_prep_runs import call, write

from rocketqa.cli.__main__ import main

# Queries, each with the word of its passage that only the stemmer of the language finds.
ENGLISH = ("flies fly", "ponies pony", "running run", "agreed agree", "happily happy")
GERMAN = ("Häuser Haus", "Katzen Katze", "Blumen Blume", "schönen schöne", "Frauen Frau")
NUMBERS = ("11 11", "12 12", "13 13")


def write_sample(folder, pairs):
    """Writes queries, passages and labels of pairs of words."""
    queries, passages, qrels = "", "", ""
    for number, pair in enumerate(pairs):
        word, other_word = pair.split()
        queries += f"q{number}\t{word}\n"
        passages += f"p{number}\t\t{other_word} x{number}\n"
        qrels += f"q{number}\t0\tp{number}\t1\n"
    return write(folder, queries__tsv=queries, collection__tsv=passages, qrels__tsv=qrels)


def choose(folder) -> dict[str, tuple[str, str]]:
    """Runs the verb; returns the measure of each stemmer, and whether it was chosen."""
    words = [*("choose-stemmer", "--output", str(folder / "choice"))]
    for name in ("collection", "queries", "qrels"):
        words += [f"--{name}", str(folder / f"{name}.tsv")]
    assert main(words) == 0
    head, *lines = (folder / "choice/choice.tsv").read_text().splitlines()
    assert head == "stemmer\tMRR@10\tchosen"
    rows = [line.split("\t") for line in lines]
    assert rows == sorted(rows, key=lambda row: -float(row[1]))
    return {row[0]: (row[1], row[2]) for row in rows}


def chosen(measured: dict[str, tuple[str, str]]) -> list[str]:
    return [stemmer for stemmer, (_, is_chosen) in measured.items() if is_chosen == "yes"]


@pytest.mark.parametrize(
    "pairs, stemmer", [(ENGLISH, "english"), (GERMAN, "german"), (NUMBERS, "none")]
)
def test_the_stemmer_of_the_language_is_chosen_and_none_where_it_gains_nothing(
    pairs, stemmer, tmp_path, capsys
):
    measured = choose(write_sample(tmp_path, pairs))
    assert chosen(measured) == [stemmer]
    line = capsys.readouterr().out
    assert f"stemmer chosen: {stemmer}, MRR@10 {measured[stemmer][0]}" in line
    assert f"{len(pairs)} labelled queries over {len(pairs)} passages" in line


@pytest.mark.parametrize("stemmer", ["none", "english", "porter", "danish"])
def test_the_measures_are_those_of_the_run_with_that_stemmer(stemmer, tmp_path):
    folder = write_sample(tmp_path, (*ENGLISH, "x1 fly", "house house"))
    measure, _ = choose(folder)[stemmer]
    flags = [] if stemmer == "none" else ["--stemmer", stemmer]
    files = ("--collection", folder / "collection.tsv", "--queries", folder / "queries.tsv")
    assert call("bm25.py", *files, "--depth", 10, "--output", folder / "run", *flags)[0] == 0
    words = ("--run", folder / "run", "--qrels", folder / "qrels.tsv")
    output = ("--output", folder / "measures.tsv", "--allow-empty")
    assert main(["evaluate", *map(str, (*words, *output))]) == 0
    lines = (folder / "measures.tsv").read_text().splitlines()
    mrr = dict(line.split("\t") for line in lines)["MRR@10"]
    assert measure == f"{float(mrr):.4f}"


def test_a_label_of_no_passage_is_one_line_and_nothing_is_made(tmp_path, capsys):
    folder = write_sample(tmp_path, ENGLISH)
    (folder / "qrels.tsv").write_text("q1\t0\tnowhere\t1\n")
    words = ["choose-stemmer", "--output", str(folder / "choice")]
    for name in ("collection", "queries", "qrels"):
        words += [f"--{name}", str(folder / f"{name}.tsv")]
    assert main(words) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"rocketqa choose-stemmer: {folder}/qrels.tsv:1: expected ")
    assert not list(tmp_path.glob("choice*"))
