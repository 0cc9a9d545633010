"""Labelled queries are split by the seed and their texts into train and dev; no text is in both."""

from data_prep_runs import call, read, write

from rocketqa.cli.__main__ import main


def write_labelled(folder, labelled: int = 40, unlabelled: int = 0):
    """Writes queries, of which the first have a label, and returns the flags that name them."""
    queries = [f"q{number}\tword {number}\n" for number in range(labelled + unlabelled)]
    qrels = [f"q{number}\t0\tp{number}\t1\n" for number in range(labelled)]
    write(folder, queries__tsv="".join(queries), qrels__tsv="".join(qrels))
    return ["--queries", folder / "queries.tsv", "--qrels", folder / "qrels.tsv"]


def ids(folder, name: str) -> list[str]:
    return [line.split("\t")[0] for line in read(folder, name).splitlines()]


def test_every_labelled_query_is_in_one_part_with_its_labels_and_the_others_have_none(tmp_path):
    flags = write_labelled(tmp_path, 40, 7)
    assert call("split_labelled.py", *flags, "--dev-queries", 3, "--output", tmp_path / "d")[0] == 0
    train, dev = (ids(tmp_path / "d", f"queries.{name}.tsv") for name in ("train", "dev"))
    assert (len(train), len(dev)) == (37, 3)
    assert sorted([*train, *dev]) == sorted(f"q{number}" for number in range(40))
    assert train == sorted(train, key=lambda query_id: int(query_id[1:]))
    for name, part in (("train", train), ("dev", dev)):
        assert ids(tmp_path / "d", f"qrels.{name}.tsv") == part
    assert ids(tmp_path / "d", "queries.unlabelled.tsv") == [f"q{n}" for n in range(40, 47)]


def test_what_is_made_is_valid_and_is_not_made_again(tmp_path):
    flags = [*write_labelled(tmp_path, 40, 7), "--output", tmp_path / "d"]
    assert call("split_labelled.py", *flags, "--check")[0] == 3
    assert call("split_labelled.py", *flags)[0] == 0
    assert call("split_labelled.py", *flags, "--check")[0] == 0
    write(tmp_path / "d", collection__tsv="".join(f"p{n}\t\ttext {n}\n" for n in range(40)))
    assert main(["validate", str(tmp_path / "d")]) == 0


def test_the_dev_part_has_at_most_a_tenth_of_the_texts_and_at_least_one(tmp_path):
    for count, expected in ((40, 4), (2, 1)):
        folder = tmp_path / str(count)
        flags = write_labelled(folder, count)
        assert call("split_labelled.py", *flags, "--output", folder / "d")[0] == 0
        assert len(ids(folder / "d", "queries.dev.tsv")) == expected
        assert not (folder / "d/queries.unlabelled.tsv").exists()


def test_no_text_is_trained_on_and_measured_on(tmp_path):
    """Of 20 texts each has two labelled queries and one without a label, in other letters."""
    queries, qrels = [], []
    for number in range(20):
        queries += [f"a{number}\tWord {number}\n", f"b{number}\tword  {number}\n"]
        queries.append(f"c{number}\tWORD {number}\n")
        qrels += [f"a{number}\t0\tp\t1\n", f"b{number}\t0\tp\t2\n", f"c{number}\t0\tp\t0\n"]
    write(tmp_path, queries__tsv="".join(queries), qrels__tsv="".join(qrels))
    flags = ["--queries", tmp_path / "queries.tsv", "--qrels", tmp_path / "qrels.tsv"]
    status, said = call("split_labelled.py", *flags, "--output", tmp_path / "d")
    assert status == 0
    dev = ids(tmp_path / "d", "queries.dev.tsv")
    assert len(dev) == 4 and len({query_id[1:] for query_id in dev}) == 2
    trained = ids(tmp_path / "d", "queries.train.tsv")
    trained += ids(tmp_path / "d", "queries.unlabelled.tsv")
    assert not {query_id[1:] for query_id in dev} & {query_id[1:] for query_id in trained}
    assert "18 rows (2 queries left out, because they repeat a dev query)" in said


def test_one_labelled_text_and_a_source_in_the_way_are_one_line_and_nothing_is_made(tmp_path):
    flags = write_labelled(tmp_path, 1)
    status, said = call("split_labelled.py", *flags, "--output", tmp_path / "d")
    assert status == 2 and said.endswith(
        f"{tmp_path}/qrels.tsv: expected relevant passages of 2 queries with different texts or "
        "more, got those of 1\n"
    )
    assert not (tmp_path / "d").exists()
    flags = write_labelled(tmp_path / "d")
    path = (tmp_path / "d/queries.tsv").rename(tmp_path / "d/queries.train.tsv")
    flags[1] = path
    status, said = call("split_labelled.py", *flags, "--output", tmp_path / "d")
    assert status == 2 and f"{path}: expected a file that is read, not written: rename it" in said
    assert sorted(file.name for file in (tmp_path / "d").iterdir()) == [
        "qrels.tsv",
        "queries.train.tsv",
    ]
