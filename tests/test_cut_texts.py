"""Counts of texts that were cut are those of their lengths, and can be joined and kept."""

import numpy as np

from rocketqa.inference.cut_texts import CutTexts

LENGTHS = np.array([5, 12, 10, 30])


def test_longer_texts_are_counted_with_the_tokens_that_were_left_out():
    expected = CutTexts(texts=4, texts_cut=2, tokens=57, tokens_cut=22, longest=30)
    assert CutTexts.of(LENGTHS, 10) == expected
    assert CutTexts.of(np.array([], np.int64), 10) == CutTexts()


def test_parts_have_the_counts_of_all_texts_together(tmp_path):
    parts = [CutTexts.of(LENGTHS[:1], 10), CutTexts.of(LENGTHS[1:], 10)]
    assert CutTexts.joined(parts) == CutTexts.of(LENGTHS, 10)
    assert CutTexts.joined([]) == CutTexts()


def test_counts_are_read_as_they_were_written(tmp_path):
    cut = CutTexts.of(LENGTHS, 10)
    cut.write(tmp_path / "cut.json")
    assert CutTexts.read(tmp_path / "cut.json") == cut
