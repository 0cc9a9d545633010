"""The benchmark's made-up sources build all files of a collection; a failing script is named."""

import pytest
from data_prep_runs import ROOT

from rocketqa.benchmark.data_build import measure_build, measure_builds, write_sources
from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_collection, read_positives

SCRIPT = ROOT / "data_prep/marco.py"


def test_made_up_sources_build_all_files_of_a_collection(tmp_path):
    output = tmp_path / "out"
    write_sources(tmp_path / "sources", 60)
    assert measure_build(SCRIPT, tmp_path / "sources", output).peak_memory > 2**20
    passages = read_collection(output / "collection.tsv")
    assert len(passages) == 60
    assert passages["7"].title == "Title 7"
    assert len(passages["7"].text.split()) == 56
    assert len({passage.text for passage in passages.values()}) == 60
    assert read_positives(output / "qrels.train.tsv") == {"0": ["0"], "1": ["1"], "2": ["2"]}
    assert main(["validate", str(output)]) == 0


def test_a_script_that_fails_is_reported_with_its_last_line(tmp_path):
    write_sources(tmp_path / "sources", 60)
    (tmp_path / "sources/marco/para.title.txt").unlink()
    message = "marco.py: expected it to build .*, got data_prep/marco.py: .*para.title.txt"
    with pytest.raises(DataError, match=message):
        measure_build(SCRIPT, tmp_path / "sources", tmp_path / "out")


def test_each_size_has_its_own_sources():
    sizes = [size for size, _ in measure_builds(SCRIPT, [20, 40])]
    assert sizes == [20, 40]
