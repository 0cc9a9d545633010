"""DPR's answer match: a passage holds an answer where the answer's tokens stand in it in a row (`qa_validation.py`).

Texts are NFD-normalised; a token is a run of letters, digits and marks, or one other visible character; tokens are
compared in lower case. An answer without tokens is in every passage: `official` mode counts it, `strict` refuses it.
"""

import unicodedata
from collections.abc import Iterable

import regex

TOKEN = regex.compile(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]")
BETWEEN = "\n"  # in no token


def tokens(text: str) -> list[str]:
    """Returns the tokens of a text in lower case, accents decomposed."""
    return [token.lower() for token in TOKEN.findall(unicodedata.normalize("NFD", text))]


def has_answer(text: str, answers: Iterable[str]) -> bool:
    """Returns whether any of the answers stands in the text."""
    within = _fenced(tokens(text))
    return any(not own or _fenced(own) in within for own in map(tokens, answers))


def has_pattern(text: str, patterns: Iterable[str]) -> bool:
    """Returns whether any of the regular expressions is found in the text: DPR's match for TREC and CuratedTREC.

    Upper and lower case are one; a pattern that is none is in no text.
    """
    return any(_finds(pattern, unicodedata.normalize("NFD", text)) for pattern in patterns)


def _finds(pattern: str, text: str) -> bool:
    try:
        flags = regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
        return regex.search(unicodedata.normalize("NFD", pattern), text, flags) is not None
    except regex.error:
        return False


def has_answer_string(text: str, answers: Iterable[str]) -> bool:
    """Returns whether any of the answers, in lower case and without blanks, is a part of the text's letters.

    # Official code: `data_process/utils.py`; so "art" is in "party". An answer of dots alone is in no text.
    """
    within = _closed(text)
    return any(own in within for own in (_closed(answer.strip(".")) for answer in answers) if own)


def _closed(text: str) -> str:
    return text.strip().lower().replace(" ", "")


def _fenced(words: list[str]) -> str:
    return BETWEEN + BETWEEN.join(words) + BETWEEN
