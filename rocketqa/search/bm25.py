"""BM25: the terms of texts, and their index. The library is bm25s, with Lucene's formula.

A passage's title and text are indexed together. A stemmer of PyStemmer (Snowball) takes the endings
off the words of its language, whose stop words are left out, too; without one, English stop words
are left out and nothing else.

Text that is written without blanks, as Chinese, has bigrams in place of words, as in Lucene's
CJKAnalyzer (`rocketqa/files/unspaced_text.py`).
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.files.packages import import_package
from rocketqa.files.unspaced_text import terms

K1, B = 0.9, 0.4  # of Anserini and Pyserini, unless told otherwise
STOP_WORDS = (  # the languages of which bm25s has them, by the names of their stemmers
    *("danish", "dutch", "english", "french", "german", "italian", "norwegian"),
    *("portuguese", "russian", "spanish", "swedish", "turkish"),
)
OF_ENGLISH = ("", "porter", "lancaster")  # further stemmers of English, and none

Tokens = tuple[list[list[int]], dict[str, int]]  # the ids of each text; word -> id


class Bm25Settings(NamedTuple):
    """The parameters of BM25. stemmer: a name of PyStemmer; empty: words stay as they are."""

    k1: float = K1
    b: float = B
    stemmer: str = ""


class Terms:
    """Makes terms of texts. with_bigrams: whether text without blanks has bigrams.

    Raises DataError where there is no such stemmer, and MissingPackage without PyStemmer.
    """

    def __init__(self, stemmer: str = "", with_bigrams: bool = False):
        self.with_bigrams = with_bigrams
        self._stemmer: Any = stemmer_of(stemmer) if stemmer else None
        self._stop_words: str | list[str] = []
        if stemmer in OF_ENGLISH:
            self._stop_words = "english"
        elif stemmer in STOP_WORDS:
            self._stop_words = stemmer

    def __call__(self, texts: Sequence[str]) -> Tokens:
        """Returns the terms of texts."""
        import bm25s

        options: dict[str, Any] = {"stopwords": self._stop_words, "show_progress": False}
        if self.with_bigrams:
            texts = [" ".join(terms(text)) for text in texts]
            options["token_pattern"] = r"\S+"
        tokens = bm25s.tokenize(texts, **options)
        return tokens if self._stemmer is None else self._stemmed(*tokens)

    def _stemmed(self, texts: list[list[int]], vocabulary: dict[str, int]) -> Tokens:
        """Returns the stems in place of the words; their ids are in order of appearance."""
        stems: dict[str, int] = {}
        words = sorted(vocabulary, key=vocabulary.__getitem__)
        stem_of_word = [
            stems.setdefault(stem, len(stems)) for stem in self._stemmer.stemWords(words)
        ]
        return [[stem_of_word[word] for word in text] for text in texts], stems


def stemmer_of(name: str) -> Any:
    """Returns a stemmer of PyStemmer."""
    package = import_package("Stemmer", f"stemmer {name}", "PyStemmer")
    known = package.algorithms()
    if name not in known:
        raise DataError(f"stemmer: expected one of {', '.join(known)}, got {name}")
    return package.Stemmer(name)


def indexed_text(passage: Passage) -> str:
    """Returns the text of a passage that is indexed."""
    return f"{passage.title} {passage.text}"


def index_of(passages: Iterable[Passage], terms_of: Terms, settings: Bm25Settings) -> Any:
    """Returns the index of passages, a bm25s.BM25; None where no text has a term."""
    bm25s = import_package("bm25s", "BM25", "bm25s")
    texts = [indexed_text(passage) for passage in passages]
    tokens = terms_of(texts)
    _, vocabulary = tokens
    if not vocabulary:
        return None
    index = bm25s.BM25(method="lucene", k1=settings.k1, b=settings.b)
    index.index(tokens, show_progress=False)
    return index
