"""Whether a text holds an answer, as DPR's `qa_validation.py` and the released code decide it.

DPR's match compares tokens: a text holds an answer if the tokens of the answer follow one another
in it. Texts are normalized to NFD. A token is a run of letters, digits and marks, or one other
visible character; upper and lower case are equal. An answer without tokens matches every text:
`official` mode counts it, `strict` mode refuses it.
"""

import unicodedata
from collections.abc import Iterable

import regex

TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
PATTERN_FLAGS = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
SEPARATOR = "\n"  # no token holds it


def tokens(text: str) -> list[str]:
    """Returns the tokens of a text in lower case, with accents as characters of their own (NFD)."""
    found = TOKEN.findall(_normalized(text))
    return [token.lower() for token in found]


def _normalized(text: str) -> str:
    """Returns a text in NFD: an accented letter becomes the letter and the accent."""
    return unicodedata.normalize("NFD", text)


def has_answer(text: str, answers: Iterable[str]) -> bool:
    """Returns whether the text holds the tokens of any answer in a row (DPR's string match)."""
    text_tokens = _joined(tokens(text))
    for answer in answers:
        answer_tokens = tokens(answer)
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
