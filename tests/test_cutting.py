"""Documents are cut into windows of words, on sentence ends where it can; no word is lost."""

import random

import pytest
from data_prep_runs import data_prep_module

cutting = data_prep_module("cutting")
Cutting, Document, Window = cutting.Cutting, cutting.Document, cutting.Window


def parts(text: str, words: int, stride: int, at_sentences: bool = True) -> list[str]:
    """Returns the texts of the windows."""
    windows = cutting.windows_of(text, Cutting(words, stride, at_sentences))
    return [text[window.begin : window.end] for window in windows]


def words_in(text: str) -> list[str]:
    return [text[word.begin : word.end] for word in cutting.words_of(text)]


def sentences(text: str) -> list[str]:
    """Returns the sentences, from one border to the next."""
    words = words_in(text)
    borders = [0, *cutting.sentence_borders(text, cutting.words_of(text)), len(words)]
    return [" ".join(words[begin:end]) for begin, end in zip(borders, borders[1:])]


def test_a_window_has_so_many_words_and_the_next_begins_a_stride_later():
    assert parts("a b c d e f g", 4, 2, False) == ["a b c d", "c d e f", "e f g"]
    assert parts("a b c d e f g", 4, 4, False) == ["a b c d", "e f g"]
    assert parts("a b c", 4, 4, False) == ["a b c"]
    assert parts(" \n", 4, 4, False) == []


def test_windows_end_with_a_sentence_of_their_second_half():
    text = "A b c d. E f g. H i j k l m n o p q. R s."
    assert parts(text, 8, 8) == ["A b c d. E f g.", "H i j k l m n o", "p q. R s."]
    assert parts(text, 8, 8, False) == ["A b c d. E f g. H", "i j k l m n o p", "q. R s."]


def test_the_next_window_begins_with_a_sentence_of_the_second_half_of_the_stride():
    text = "A b c d e. F g h i j k l m n o p."
    assert parts(text, 10, 6) == ["A b c d e. F g h i j", "F g h i j k l m n o", "l m n o p."]


def test_a_character_of_a_script_without_blanks_is_a_word_with_its_punctuation():
    assert words_in("“你好”，Python是2024年的。") == [
        "“你",
        "好”，",
        "Python",
        "是",
        "2024",
        "年",
        "的。",
    ]
    assert words_in("カーは") == ["カ", "ー", "は"]
    assert words_in("สวัส") == ["ส", "วั", "ส"]
    assert words_in("it's so—very 한국어 words") == ["it's", "so—very", "한국어", "words"]
    assert parts("鲁迅是作家。他写了小说！很有名。", 9, 9) == [
        "鲁迅是作家。",
        "他写了小说！很有名。",
    ]


@pytest.mark.parametrize(
    "text, expected",
    [
        ("One. Two? Three! Four", ["One.", "Two?", "Three!", "Four"]),
        ('He said "so." Then (he left.) "Why?"', ['He said "so."', "Then (he left.)", '"Why?"']),
        ("Dr. A. Smith, e.g. of 3.5 m. tall", ["Dr. A. Smith, e.g. of 3.5 m. tall"]),
        ("A heading\n\nIts text\non two lines", ["A heading", "Its text on two lines"]),
        ("A heading\r\n\r\nIts text", ["A heading", "Its text"]),
    ],
)
def test_sentences_end_at_marks_and_blank_lines_but_not_at_abbreviations(text, expected):
    assert sentences(text) == expected


@pytest.mark.parametrize("words, stride", [(1, 1), (5, 1), (7, 3), (20, 20), (20, 13)])
@pytest.mark.parametrize("at_sentences", [True, False])
def test_every_word_is_in_a_window_and_windows_move_on(words, stride, at_sentences):
    draw = random.Random(f"{words} {stride}")
    text = "".join(draw.choices(["word ", "End. ", "Start ", "是", "。", "\n\n"], k=300))
    windows = cutting.windows_of(text, Cutting(words, stride, at_sentences))
    for word in cutting.words_of(text):
        assert cutting.holding(windows, word.begin, word.end)
    for earlier, later in zip(windows, windows[1:]):
        assert earlier.begin < later.begin
        assert earlier.end < later.end
    for window in windows:
        assert 1 <= len(words_in(text[window.begin : window.end])) <= words


def test_a_passage_tells_its_document_and_its_place():
    document = Document("d1", "Title", "one\ntwo\tthree four")
    (first, _) = cutting.windows_of(document.text, Cutting(3, 3, False))
    assert cutting.passage_of(document, first) == ("d1@0-13", "Title", "one two three")


def test_the_windows_that_hold_a_span_hold_the_whole_of_it_and_one_is_drawn_by_the_seed():
    windows = [Window(0, 10), Window(5, 15), Window(10, 20)]
    assert cutting.holding(windows, 6, 10) == windows[:2]
    assert cutting.holding(windows, 0, 15) == []
    drawn = [cutting.labelled(windows, 1, f"q{number}") for number in range(300)]
    assert drawn == [cutting.labelled(windows, 1, f"q{number}") for number in range(300)]
    assert all(80 < drawn.count(window) < 120 for window in windows)
    assert drawn != [cutting.labelled(windows, 2, f"q{number}") for number in range(300)]
