"""Text of scripts that are written without blanks between words: Chinese, Japanese, Thai, ...

The terms of such text are its pairs of neighbouring characters (bigrams), as Lucene's CJKAnalyzer
makes them, which Anserini uses for Chinese. Korean belongs to these scripts there and here: it has
blanks, but a word and its endings stand together.

A character is what a reader sees as one: a letter with its marks, or a whole Korean syllable.
"""

import unicodedata

import regex

# The last two are signs of Japanese that lengthen a vowel; Unicode counts them to no script.
UNSPACED = (
    r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc\uff70]"
)
UNSPACED_RUN = regex.compile(rf"{UNSPACED}[{UNSPACED}\p{{M}}]*", regex.VERSION1)
CHARACTER = regex.compile(r"\X")
RUN_OR_WORD = regex.compile(rf"{UNSPACED_RUN.pattern}|[\w--{UNSPACED}]+", regex.VERSION1)


def is_unspaced(text: str) -> bool:
    """Returns whether a text has a character of a script without blanks between words."""
    return not text.isascii() and UNSPACED_RUN.search(text) is not None


def count_words(text: str) -> int:
    """Returns the number of words; each character of a script without blanks is a word."""
    count = 0
    for piece in RUN_OR_WORD.findall(text):
        count += len(CHARACTER.findall(piece)) if is_unspaced(piece) else 1
    return count


def terms(text: str) -> list[str]:
    """Returns the bigrams of the scripts without blanks, and the words of the others.

    A character without a neighbour is a term of its own; a word has two letters or more, as bm25s
    takes words. Wide and narrow forms of a character, and a letter with its marks in one or more
    code points, are equal (NFKC).
    """
    found: list[str] = []
    for piece in RUN_OR_WORD.findall(unicodedata.normalize("NFKC", text)):
        if is_unspaced(piece):
            found += _bigrams(piece)
        elif len(piece) > 1:
            found.append(piece)
    return found


def _bigrams(run: str) -> list[str]:
    """Returns each two neighbouring characters of a run, or its only character."""
    characters = CHARACTER.findall(run)
    if len(characters) == 1:
        return characters
    return [first + second for first, second in zip(characters, characters[1:])]
