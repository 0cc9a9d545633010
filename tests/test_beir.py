"""A BEIR folder, archive or download becomes our files, our files become a BEIR folder."""

import gzip
import hashlib
import json
import re
import shutil
import zipfile

import pytest
from data_prep_runs import call, data_prep_module, read, write
from misbehaving_server import serving

from rocketqa.cli.validate import main as validate

CORPUS = (
    '{"_id": "d1", "title": "t", "text": "the dog"}\n'
    '{"_id": "d2", "title": "", "text": "cats sleep\\tall day"}\n'
)
QUERIES = (
    '{"_id": "q1", "text": "where is the dog"}\n'
    '{"_id": "q2", "text": "do cats sleep", "metadata": {}}\n'
)
QRELS = "query-id\tcorpus-id\tscore\r\nq1\td1\t1\r\nq2\td2\t2\r\n"


def beir_folder(folder, corpus: str = CORPUS, queries: str = QUERIES, **qrels: str):
    """Writes a BEIR folder and returns it; the keywords are splits (default: test)."""
    write(folder, corpus__jsonl=corpus, queries__jsonl=queries)
    names = {f"{split}__tsv": content for split, content in (qrels or {"test": QRELS}).items()}
    write(folder / "qrels", **names)
    return folder


def imported(folder, source, *flags) -> str:
    """Imports a source into a folder and returns what was said."""
    status, stderr = call("beir.py", "import", source, "--output", folder, *flags)
    assert status == 0, stderr
    return stderr


def json_lines(**texts: str) -> str:
    """Returns a line with _id and text for each keyword."""
    lines = [json.dumps({"_id": name, "text": text}) + "\n" for name, text in texts.items()]
    return "".join(lines)


def test_a_folder_becomes_our_files_tabs_and_crlf_included(tmp_path, capsys):
    imported(tmp_path / "out", beir_folder(tmp_path / "beir"))
    assert read(tmp_path / "out", "collection.tsv") == "d1\tt\tthe dog\nd2\t\tcats sleep all day\n"
    assert read(tmp_path / "out", "queries.test.tsv") == "q1\twhere is the dog\nq2\tdo cats sleep\n"
    assert read(tmp_path / "out", "qrels.test.tsv") == "q1\t0\td1\t1\nq2\t0\td2\t2\n"
    assert validate([str(tmp_path / "out")]) == 0


def test_gzipped_json_and_an_archive_are_read_as_the_folder_is(tmp_path):
    folder = beir_folder(tmp_path / "tiny")
    imported(tmp_path / "plain", folder)
    shutil.make_archive(str(tmp_path / "tiny"), "zip", tmp_path, "tiny")
    imported(tmp_path / "unpacked", tmp_path / "tiny.zip")
    content = (folder / "corpus.jsonl").read_bytes()
    (folder / "corpus.jsonl.gz").write_bytes(gzip.compress(content))
    (folder / "corpus.jsonl").unlink()
    imported(tmp_path / "gzipped", folder)
    for name in ("collection.tsv", "queries.test.tsv", "qrels.test.tsv"):
        expected = read(tmp_path / "plain", name)
        assert read(tmp_path / "unpacked", name) == read(tmp_path / "gzipped", name) == expected


def test_a_second_call_makes_nothing_and_check_only_asks(tmp_path):
    folder = beir_folder(tmp_path / "beir")
    flags = ("import", folder, "--output", tmp_path / "out")
    assert call("beir.py", *flags, "--check")[0] == 3
    first = imported(tmp_path / "out", folder)
    second = imported(tmp_path / "out", folder)
    assert second.count("up to date") == 3
    assert re.findall("next: .*", second) == re.findall("next: .*", first)
    assert call("beir.py", *flags, "--check")[0] == 0


def test_judgements_of_what_is_not_there_and_repeated_ones_are_counted_by_their_kind(tmp_path):
    rows = "q1\td1\t1\nq1\td1\t1\nq2\td2\t2\nq2\td2\t1\nq1\tgone\t1\ngone\td1\t1\n"
    said = imported(tmp_path / "out", beir_folder(tmp_path / "beir", test=rows))
    line = next(line for line in said.splitlines() if "qrels.test.tsv: 2 rows" in line)
    for note in (
        "1 repeated judgements left out",
        "1 contradicted judgements left out",
        "1 judgements of queries that are not in queries.jsonl left out",
        "1 judgements of passages that are not in corpus.jsonl left out",
    ):
        assert note in line
    assert read(tmp_path / "out", "qrels.test.tsv") == "q1\t0\td1\t1\nq2\t0\td2\t1\n"


def test_a_query_whose_judged_passages_are_all_missing_is_left_out_and_told(tmp_path):
    rows = "q1\td1\t1\nq2\tgone\t1\n"
    said = imported(tmp_path / "out", beir_folder(tmp_path / "beir", test=rows))
    assert "1 queries left out because all their judged passages are missing" in said
    assert read(tmp_path / "out", "queries.test.tsv") == "q1\twhere is the dog\n"


def test_repeated_ids_and_empty_texts_are_counted_the_title_stands_in_for_a_text(tmp_path):
    corpus = CORPUS + (
        '{"_id": "d1", "text": "again"}\n'
        '{"_id": "d3", "title": "only a title", "text": " "}\n'
        '{"_id": "d4", "title": null, "text": ""}\n'
    )
    queries = QUERIES + json_lines(q1="again", q3=" ")
    said = imported(tmp_path / "out", beir_folder(tmp_path / "beir", corpus, queries))
    for note in (
        "1 repeated passages left out",
        "1 passages without a text, whose title became the text",
        "1 passages without title and text left out",
        "1 repeated queries left out",
        "1 queries without a text left out",
    ):
        assert note in said
    assert read(tmp_path / "out", "collection.tsv").endswith(
        "d2\t\tcats sleep all day\nd3\t\tonly a title\n"
    )


def test_each_split_has_the_queries_that_it_judges(tmp_path):
    train, test = "q1\td1\t1\n", "query-id\tcorpus-id\tscore\nq2\td2\t1.0\n"
    said = imported(tmp_path / "out", beir_folder(tmp_path / "beir", train=train, test=test))
    assert read(tmp_path / "out", "queries.train.tsv") == "q1\twhere is the dog\n"
    assert read(tmp_path / "out", "queries.test.tsv") == "q2\tdo cats sleep\n"
    assert read(tmp_path / "out", "qrels.test.tsv") == "q2\t0\td2\t1\n"
    assert said.count("1 queries without a judgement in this split left out") == 2


@pytest.mark.parametrize(
    "text, finds_itself",
    [("The  dog", True), ("t", True), ("t the dog", True), ("another text", False)],
)
def test_queries_that_stand_in_the_collection_are_told_and_the_command_leaves_them_out(
    tmp_path, text, finds_itself
):
    queries = json_lines(d1=text, q2="do cats sleep")
    rows = "d1\td2\t1\nq2\td2\t1\n"
    said = imported(tmp_path / "out", beir_folder(tmp_path / "beir", queries=queries, test=rows))
    expected = f"next: rocketqa evaluate --run RUN --qrels {tmp_path / 'out/qrels.test.tsv'}"
    expected += " --ignore-identical-ids" if finds_itself else ""
    assert said.splitlines()[-1] == expected
    same = "1 queries that are passages of the collection, with the same id and text" in said
    other = "1 queries with the id of a passage of another text" in said
    assert (same, other) == (finds_itself, not finds_itself)


def test_a_published_name_is_downloaded_and_its_md5_is_checked(tmp_path, monkeypatch):
    beir_folder(tmp_path / "tiny")
    archive = shutil.make_archive(str(tmp_path / "tiny"), "zip", tmp_path, "tiny")
    with open(archive, "rb") as file:
        content = file.read()
    shutil.rmtree(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path / "..")
    beir = data_prep_module("beir")
    with serving(content, "fine") as server:
        monkeypatch.setattr(beir, "BEIR_ARCHIVES", server.url.rpartition("/")[0])
        monkeypatch.setitem(beir.BEIR, "tiny", "0" * 32)
        flags = ("import", "tiny", "--output", tmp_path / "out")
        assert call("beir.py", *flags, "--check")[0] == 3
        status, stderr = call("beir.py", *flags)
        assert status == 2
        assert f"expected md5 {'0' * 32}, got" in stderr
        monkeypatch.setitem(beir.BEIR, "tiny", hashlib.md5(content).hexdigest())
        assert call("beir.py", *flags)[0] == 0
    assert read(tmp_path / "out", "qrels.test.tsv") == "q1\t0\td1\t1\nq2\t0\td2\t2\n"


def test_the_table_has_the_15_public_data_sets():
    table = data_prep_module("releases").BEIR
    assert len(table) == len(set(table.values())) == 15
    assert all(re.fullmatch("[0-9a-f]{32}", md5) for md5 in table.values())


def test_a_source_that_is_not_there_and_one_of_several_folders_are_named(tmp_path):
    status, stderr = call("beir.py", "import", "scifakt", "--output", tmp_path / "out")
    assert (status, stderr.count("\n")) == (2, 1)
    assert "scifakt: expected a BEIR folder, its archive, or one of the names msmarco, " in stderr
    for name in ("android", "english"):
        beir_folder(tmp_path / "cqadupstack" / name)
    flags = ("import", tmp_path / "cqadupstack", "--output", tmp_path / "out")
    status, stderr = call("beir.py", *flags)
    assert (status, stderr.count("\n")) == (2, 1)
    assert "cqadupstack: expected one folder with corpus.jsonl, got " in stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name, content, line",
    [
        ("corpus.jsonl", "d1\tthe dog\n", "corpus.jsonl:1: expected a JSON object, got other text"),
        ("corpus.jsonl", '{"text": "a"}\n', "corpus.jsonl:1: expected a text for _id, got nothing"),
        ("corpus.jsonl", '{"_id": "d 1", "text": "a"}\n', "expected a _id without spaces, got"),
        (
            "queries.jsonl",
            '{"_id": "q1", "text": 7}\n',
            "queries.jsonl:1: expected a text for text",
        ),
        ("qrels/test.tsv", "q1\t0\td1\t1\n", "test.tsv:1: expected 3 columns, got 4"),
        ("qrels/test.tsv", "q1\td1\t1.5\n", "test.tsv:1: expected score as int, got '1.5'"),
        ("qrels/test.tsv", QRELS + "q1\td2\tx\n", "test.tsv:4: expected score as int, got 'x'"),
    ],
)
def test_a_fault_ends_in_one_line(tmp_path, name, content, line):
    folder = beir_folder(tmp_path / "beir")
    (folder / name).write_text(content)
    status, stderr = call("beir.py", "import", folder, "--output", tmp_path / "out")
    assert status == 2
    assert any(line in said for said in stderr.splitlines())
    assert not (tmp_path / "out/qrels.test.tsv").exists()


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as archive:
        archive.writestr("../corpus.jsonl", CORPUS)
    flags = ("import", tmp_path / "bad.zip", "--output", tmp_path / "out")
    status, stderr = call("beir.py", *flags)
    assert status == 2
    assert "expected names inside the folder, got '../corpus.jsonl'" in stderr


OURS = {
    "collection__tsv": 'd1\tt\tthe "dog"\nd2\t\tschläft 很久\n',
    "queries__train__tsv": "q1\twhere is the dog\n",
    "queries__dev__tsv": "q2\tdo cats sleep\nq1\twhere is the dog\n",
    "qrels__train__tsv": "q1\td1\n",
    "qrels__dev__tsv": "q2\t0\td2\t2\nq1\t0\td1\t0\n",
    "qrels__train__addition__tsv": "q1\td2\n",
}


def test_our_files_become_a_beir_folder_and_come_back_the_same(tmp_path):
    ours = write(tmp_path / "ours", **OURS)
    flags = ("export", ours, "--output", tmp_path / "beir")
    assert call("beir.py", *flags, "--check")[0] == 3
    assert call("beir.py", *flags) == (
        0,
        f"{tmp_path}/beir: 2 passages, 2 queries, qrels of dev, train\n",
    )
    corpus = read(tmp_path / "beir", "corpus.jsonl").splitlines()
    assert json.loads(corpus[0]) == {"_id": "d1", "title": "t", "text": 'the "dog"', "metadata": {}}
    assert "schläft 很久" in corpus[1]
    assert (
        read(tmp_path / "beir/qrels", "dev.tsv")
        == "query-id\tcorpus-id\tscore\nq2\td2\t2\nq1\td1\t0\n"
    )
    assert len(read(tmp_path / "beir", "queries.jsonl").splitlines()) == 2
    imported(tmp_path / "back", tmp_path / "beir")
    for name in ("collection.tsv", "queries.dev.tsv", "queries.train.tsv", "qrels.dev.tsv"):
        assert read(tmp_path / "back", name) == read(ours, name)
    assert read(tmp_path / "back", "qrels.train.tsv") == "q1\t0\td1\t1\n"


def test_an_export_without_qrels_or_with_two_texts_of_an_id_is_refused(tmp_path):
    ours = write(tmp_path / "ours", collection__tsv="d1\t\ta\n")
    flags = ("export", ours, "--output", tmp_path / "beir")
    assert "ours: expected qrels.SPLIT.tsv, got a folder without it" in call("beir.py", *flags)[1]
    write(ours, **OURS | {"queries__dev__tsv": "q1\tanother\nq2\tb\n"})
    status, stderr = call("beir.py", *flags)
    assert status == 2
    assert "queries.train.tsv: expected one text for an id in all splits, got another" in stderr
    assert not (tmp_path / "beir").exists()
