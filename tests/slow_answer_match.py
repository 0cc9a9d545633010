"""DPR's answer match, written plainly from its description, and random texts to compare it on."""

import random
import unicodedata

import regex

WORDS = (
    *("U.S.", "u", "s", ".", "Caf\u00e9", "cafe\u0301", "New-York", "new", "york", "1,000"),
    *("moon", "the", "A."),
)
DPR_TOKEN = regex.compile(
    r"([\p{L}\p{N}\p{M}]+)|([^\p{Z}\p{C}])", regex.IGNORECASE | regex.UNICODE | regex.MULTILINE
)


def random_sentence(drawing: random.Random, most_words: int) -> str:
    """Returns 1 to `most_words` of WORDS."""
    count = drawing.randint(1, most_words)
    return " ".join(drawing.choices(WORDS, k=count))


def dpr_tokens(text: str) -> list[str]:
    """Returns the tokens of a text as DPR's tokenizer is described."""
    normalized = unicodedata.normalize("NFD", text)
    return [token.group().lower() for token in DPR_TOKEN.finditer(normalized)]


def slow_has_answer(text: str, answer: str) -> bool:
    """DPR's string match from its description, token by token."""
    text_tokens = dpr_tokens(text)
    answer_tokens = dpr_tokens(answer)
    count = len(answer_tokens)
    starts = range(len(text_tokens) - count + 1)
    return any(text_tokens[start : start + count] == answer_tokens for start in starts)
