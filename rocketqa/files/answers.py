"""Whether a text holds an answer, as DPR's `qa_validation.py` and the released code decide it.

DPR's match compares tokens: a text holds an answer if the tokens of the answer follow one another
in it. Texts are normalized to NFD. A token is a run of letters, digits and marks, or one other
visible character; upper and lower case are equal. An answer without tokens matches every text:
`official` mode counts it, `strict` mode refuses it.

So DPR's match takes Chinese text, which has no blanks, for one token between two signs, and finds
almost no answer in it. The match by characters is DPR's, but each character of such a script
(`unspaced_text.py`) is a token of its own.
"""

import unicodedata
from collections.abc import Callable, Iterable

import regex

from rocketqa.files.unspaced_text import UNSPACED

TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
CHARACTER_TOKEN = regex.compile(
    rf"(?={UNSPACED})\X|[[\p{{L}}\p{{N}}\p{{M}}]--{UNSPACED}]+|[^\p{{Z}}\p{{C}}]", regex.VERSION1
)
PATTERN_FLAGS = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
SEPARATOR = "\n"  # no token holds it


def tokens(text: str) -> list[str]:
    """Returns the tokens of a text in lower case, with accents as characters of their own (NFD)."""
    return _tokens_of(TOKEN, text)


def character_tokens(text: str) -> list[str]:
    """Returns the tokens of a text, with each character of a script without blanks as a token."""
    return _tokens_of(CHARACTER_TOKEN, text)


def _tokens_of(pattern: regex.Pattern[str], text: str) -> list[str]:
    found = pattern.findall(_normalized(text))
    return [token.lower() for token in found]


def _normalized(text: str) -> str:
    """Returns a text in NFD: an accented letter becomes the letter and the accent."""
    return unicodedata.normalize("NFD", text)


def has_answer(text: str, answers: Iterable[str]) -> bool:
    """Returns whether the text holds the tokens of any answer in a row (DPR's string match)."""
    return _has_tokens(text, answers, tokens)


def has_answer_characters(text: str, answers: Iterable[str]) -> bool:
    """Returns whether the text holds any answer, by characters where it has no blanks.

    # Deviation: DPR compares the words between blanks.
    """
    return _has_tokens(text, answers, character_tokens)


def _has_tokens(text: str, answers: Iterable[str], tokens_of: Callable[[str], list[str]]) -> bool:
    """Returns whether the text holds the tokens of any answer in a row."""
    text_tokens = _joined(tokens_of(text))
    for answer in answers:
        answer_tokens = tokens_of(answer)
        if not answer_tokens or _joined(answer_tokens) in text_tokens:
            return True
    return False


def _joined(words: list[str]) -> str:
    """Returns the tokens with a separator around each, so that a sub-list becomes a sub-string."""
    return SEPARATOR + SEPARATOR.join(words) + SEPARATOR


def has_pattern(text: str, patterns: Iterable[str]) -> bool:
    """Returns whether the text matches any regular expression (DPR's match for TREC, CuratedTREC).

    Upper and lower case are equal. An invalid regular expression matches no text.
    """
    normalized = _normalized(text)
    return any(_matches(pattern, normalized) for pattern in patterns)


def _matches(pattern: str, text: str) -> bool:
    """Returns whether a regular expression, which may be invalid, is found in a normalized text."""
    try:
        found = regex.search(_normalized(pattern), text, PATTERN_FLAGS)
    except regex.error:
        return False
    return found is not None


def has_answer_string(text: str, answers: Iterable[str]) -> bool:
    """Returns whether the text holds any answer as a string, both in lower case and without spaces.

    # Official code: `data_process/utils.py`; so "party" holds "art". Dots at the ends of an answer
    are removed, and an answer of dots alone is in no text.
    """
    text_letters = _without_spaces(text)
    for answer in answers:
        answer_letters = _without_spaces(answer.strip("."))
        if answer_letters and answer_letters in text_letters:
            return True
    return False


def _without_spaces(text: str) -> str:
    """Returns a text in lower case without spaces."""
    return text.strip().lower().replace(" ", "")
