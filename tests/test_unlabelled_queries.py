"""The unlabelled queries are those that the paper combines, without labelled and repeated ones."""

import tarfile

import pytest
from data_prep_runs import call, read, write

from rocketqa.files.formats import read_queries


@pytest.fixture
def folders(tmp_path):
    """The released augment folder, and a data folder with labelled queries."""
    write(
        tmp_path / "out",
        queries__train__tsv="1\tWhat is a rocket?\n",
        queries__dev__tsv="2\twho flew first\n",
    )
    write(
        tmp_path / "from",
        orcas_yahoo_nq__query__txt=(
            "1\thow far is  the moon\n2\twhat is a rocket\n3\tHow far is the Moon ?\n"
            "4\twho flew FIRST\n5\t \n6\twhy\n"
        ),
        mrqa__query__txt="7\twhich city\n",
    )
    return tmp_path


def build(folders, *flags) -> tuple[int, str]:
    """Builds the queries of a folder `from` into `out`; returns the exit status and stderr."""
    paths = ("--output", folders / "out", "--from", folders / "from")
    return call("unlabelled_queries.py", *paths, *flags)


def test_labelled_repeated_and_empty_queries_are_left_out_and_counted(folders):
    status, stderr = build(folders, "--dataset", "marco")
    assert status == 0
    assert read(folders / "out", "queries.unlabelled.tsv") == (
        "unlabelled-1\thow far is the moon\nunlabelled-2\twhy\n"
    )
    notes = "2 labelled queries left out; 1 repeated queries left out; 1 empty queries left out"
    assert f"2 rows ({notes})" in stderr


def test_queries_that_differ_in_a_word_boundary_are_two(folders):
    write(folders / "from", mrqa__query__txt="1\twho is nowhere\n2\twho is now here\n")
    build(folders, "--dataset", "nq")
    assert read(folders / "out", "queries.unlabelled.tsv").count("\n") == 2


def test_each_dataset_has_the_queries_that_the_paper_gives_it(folders):
    assert build(folders, "--dataset", "nq")[0] == 0
    assert read(folders / "out", "queries.unlabelled.tsv") == "unlabelled-1\twhich city\n"


def test_their_ids_differ_from_those_of_training_queries(folders):
    build(folders, "--dataset", "marco")
    both = read_queries(folders / "out/queries.train.tsv", folders / "out/queries.unlabelled.tsv")
    assert list(both) == ["1", "unlabelled-1", "unlabelled-2"]


def test_files_of_ones_own_follow_in_either_form(folders):
    own = write(folders / "own", a__txt="why?\nwhere to\n", b__tsv="x9\twhen\n")
    build(folders, "--dataset", "marco", "--queries", own / "a.txt", own / "b.tsv")
    texts = [query.text for query in read_queries(folders / "out/queries.unlabelled.tsv").values()]
    assert texts == ["how far is the moon", "why", "where to", "when"]


def test_without_queries_to_leave_out_nothing_is_built(folders):
    flags = ("--output", folders / "empty", "--from", folders / "from", "--dataset", "nq")
    status, stderr = call("unlabelled_queries.py", *flags)
    assert status == 2
    assert "expected queries.train.tsv or --exclude FILES" in stderr


def test_where_all_queries_are_left_out_nothing_is_built(folders):
    excluded = folders / "from/mrqa.query.txt"
    status, stderr = build(folders, "--dataset", "nq", "--exclude", excluded)
    assert status == 2
    assert stderr.endswith("queries.unlabelled.tsv: expected rows, got none\n")
    assert not (folders / "out/queries.unlabelled.tsv").exists()


def test_the_archive_is_read_as_it_was_published(folders):
    with tarfile.open(folders / "augment.tar.gz", "w:gz") as tar:
        tar.add(folders / "from", "augment")
    for path in (folders / "from").iterdir():
        path.unlink()
    (folders / "augment.tar.gz").rename(folders / "from/augment.tar.gz")
    assert build(folders, "--dataset", "nq")[0] == 0
    assert read(folders / "out", "queries.unlabelled.tsv") == "unlabelled-1\twhich city\n"
    assert build(folders, "--dataset", "nq", "--check")[0] == 0
