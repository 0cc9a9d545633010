"""Cuts documents into passages: windows of so many words, on sentence ends where it can.

A word is a run of characters without blanks. In scripts that write no blanks (Chinese, Japanese,
Thai, Lao, Khmer, Burmese) each character is a word; punctuation belongs to the character before it.

A window has at most `words` words. The next one begins `stride` words later, so windows overlap by
`words - stride` words. With `at_sentences` a window ends at the last sentence end in the second
half of its words, and the next one begins at the last sentence end in the second half of its
stride; where there is none, the cut is after the last word that fits. A window that would end no
later than the one before it is left out. So each word is in a window, and the same text always
gives the same windows.

A sentence ends at . ! ? and their like, with the quotes and brackets that close behind them, and at
a blank line. A full stop ends no sentence before a small letter, after a single capital letter, or
after one of a few abbreviations.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

import regex

from rocketqa.files.formats import Passage
from rocketqa.jobs.seeds import generator

WITHOUT_BLANKS = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
BLANK = r"\s\x1c-\x1f"  # what str.split() splits at
WORD = regex.compile(
    rf"[\p{{Ps}}\p{{Pi}}]*[{WITHOUT_BLANKS}]\p{{M}}*[\p{{Pe}}\p{{Pf}}\p{{Po}}]*"
    rf"|[^{BLANK}{WITHOUT_BLANKS}]+"
)
CLOSING = "\"'”’»›)]}」』）】》〉"  # may stand behind the end of a sentence
OPENING = "\"'“‘«‹([{「『（【《〈"  # may stand before the first letter of one
ENDS = ".!?…؟।"
ENDS_WITHOUT_BLANK = "。！？｡．"  # the next sentence follows at once
ABBREVIATIONS = frozenset(
    "Mr. Mrs. Ms. Dr. Prof. St. Jr. Sr. No. Nos. Fig. Figs. vs. cf. e.g. i.e. approx.".split()
)


class Cutting(NamedTuple):
    """How documents are cut: 1 <= stride <= words."""

    words: int
    stride: int
    at_sentences: bool = True


class Window(NamedTuple):
    """A part of a text, text[begin:end], in characters from 0."""

    begin: int
    end: int


class Document(NamedTuple):
    """A text that is cut; its title becomes the title of each passage."""

    document_id: str
    title: str
    text: str


def windows_of(text: str, cutting: Cutting) -> list[Window]:
    """Returns the windows in the order of the text; none if it has no words."""
    words = words_of(text)
    borders = sentence_borders(text, words) if cutting.at_sentences else []
    windows = []
    first = last_end = 0
    while last_end < len(words):
        end = len(words)
        if end > first + cutting.words:
            end = _last_border(borders, first, first + cutting.words)
        if end > last_end:
            windows.append(Window(words[first].begin, words[end - 1].end))
            last_end = end
        first = _last_border(borders, first, first + cutting.stride)  # at most `end`
    return windows


def words_of(text: str) -> list[Window]:
    """Returns where each word is."""
    return [Window(*match.span()) for match in WORD.finditer(text)]


def sentence_borders(text: str, words: Sequence[Window]) -> list[int]:
    """Returns the numbers, from 0 and ascending, of the words that begin a further sentence."""
    borders = []
    for number in range(1, len(words)):
        if _ends_sentence(text, words[number - 1], words[number]):
            borders.append(number)
    return borders


def _ends_sentence(text: str, word: Window, next_word: Window) -> bool:
    """Returns whether a sentence ends between two words."""
    gap = text[word.end : next_word.begin]
    if gap.count("\n") > 1:
        return True
    last_word = text[word.begin : word.end].rstrip(CLOSING)
    mark = last_word[-1:]
    if mark and mark in ENDS_WITHOUT_BLANK:
        return True
    if not gap or not mark or mark not in ENDS:
        return False
    next_text = text[next_word.begin : next_word.end].lstrip(OPENING)
    if next_text[:1].islower():
        return False
    return mark != "." or not _is_abbreviation(last_word)


def _is_abbreviation(word: str) -> bool:
    word = word.lstrip(OPENING)
    is_initial = len(word) == 2 and word[0].isupper()
    return is_initial or word in ABBREVIATIONS


def _last_border(borders: Sequence[int], first: int, latest: int) -> int:
    """Returns the last border in the second half of first..latest; `latest` if there is none."""
    at = bisect_right(borders, latest)
    middle = (first + latest) // 2
    if at and borders[at - 1] > middle:
        return borders[at - 1]
    return latest


def passage_of(document: Document, window: Window) -> Passage:
    """Returns the passage of a window, its blanks single, `DOCUMENT@BEGIN-END` its id."""
    words = document.text[window.begin : window.end].split()
    return Passage(passage_id_of(document.document_id, window), document.title, " ".join(words))


def passage_id_of(document_id: str, window: Window) -> str:
    """Returns an id that tells the document and the characters of it."""
    return f"{document_id}@{window.begin}-{window.end}"


def holding(windows: Sequence[Window], begin: int, end: int) -> list[Window]:
    """Returns the windows that hold the whole of the characters begin..end."""
    return [window for window in windows if window.begin <= begin and end <= window.end]


def labelled(windows: Sequence[Window], seed: int, *identity: object) -> Window:
    """Returns one of the windows, drawn by the seed and the identity of what is labelled."""
    draw = generator(seed, "labelled window", *identity)
    return windows[int(draw.integers(len(windows)))]
