"""Growth is measured with the real verbs, for each size and number of processes."""

import pytest

from rocketqa.benchmark.child_cost import Cost
from rocketqa.benchmark.growth import EncoderUse, Growth, _rows, _slope, _words_of, measure_growth
from rocketqa.cli.__main__ import main
from rocketqa.files.errors import DataError


def test_the_slope_is_the_power_by_which_time_grows():
    before = Growth("encode", 100, 1, Cost(2.0, 0, 0), 50.0, None)
    assert _slope(before, 1000, 20.0) == pytest.approx(1)
    assert _slope(before, 1000, 200.0) == pytest.approx(2)
    assert _slope(None, 1000, 20.0) is None


def test_a_step_that_fails_is_named(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\nword\n")
    with pytest.raises(DataError, match="^rocketqa encode: expected it to end, got .*dual enc"):
        list(measure_growth(EncoderUse(str(tmp_path), 40), [10], [1]))


def test_texts_are_made_of_the_words_of_the_encoder_and_differ(tmp_path):
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n##s\n7\ncat\ndog\nbird\n")
    words = _words_of(tmp_path)
    assert words == ["cat", "dog", "bird"]
    rows = list(_rows(words, 20, 8, "q{}\t{}"))
    assert rows[19].startswith("q19\t") and len(rows[19].split()) == 9
    assert len({row.split("\t")[1] for row in rows}) == 20
    with pytest.raises(DataError, match="vocab.txt: expected the words of an encoder, got none"):
        _words_of(tmp_path / "nothing")


def test_every_step_is_measured_and_drawn(encoded, tmp_path, capsys):
    flags = [
        "--sizes",
        "30",
        "--passage-length",
        "40",
        "--processes",
        "1",
        "--figure",
        str(tmp_path / "growth.png"),
    ]
    checkpoint = str(encoded / "dual")
    assert main(["benchmark", "growth", "--checkpoint", checkpoint, *flags]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:3] for row in rows[1:]] == [["encode", "30", "1"], ["retrieve", "30", "1"]]
    assert all(float(row[3]) > 0 and float(row[5]) > 10 for row in rows[1:])
    assert (tmp_path / "growth.svg").is_file() and (tmp_path / "growth.png").is_file()
