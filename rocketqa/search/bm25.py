"""BM25: the terms of texts, and their index. The library is bm25s, with Lucene's formula.

A passage's title and text are indexed together. A stemmer of PyStemmer (Snowball) takes the endings
off the words of its language, whose stop words are left out, too; without one, English stop words
are left out and nothing else.

Text that is written without blanks, as Chinese, has bigrams in place of words, as in Lucene's
CJKAnalyzer (`rocketqa/files/unspaced_text.py`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query
from rocketqa.files.packages import import_package
from rocketqa.files.unspaced_text import is_unspaced, terms

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
    package = import_stemmers(f"stemmer {name}")
    known = package.algorithms()
    if name not in known:
        raise DataError(f"stemmer: expected one of {', '.join(known)}, got {name}")
    return package.Stemmer(name)


def import_stemmers(place: str) -> Any:
    """Returns the package PyStemmer; `place` asks for it."""
    return import_package("Stemmer", place, "PyStemmer")


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


def needs_bigrams(queries: Mapping[str, Query]) -> bool:
    """Returns whether a query holds text without blanks."""
    return any(is_unspaced(query.text) for query in queries.values())


def retrieved(
    queries: Mapping[str, Query],
    passages: Mapping[str, Passage],
    depth: int,
    settings: Bm25Settings,
) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    """Yields each query_id with (passage_id, score) of at most `depth` passages that share a term
    with the query; nothing where no text has a term.
    """
    terms_of = Terms(settings.stemmer, needs_bigrams(queries))
    index = index_of(passages.values(), terms_of, settings)
    if index is None:
        return
    found = index.retrieve(
        terms_of([query.text for query in queries.values()]),
        corpus=list(passages),
        k=min(depth, len(passages)),
        show_progress=False,
    )
    for query_id, ids, scores in zip(queries, found.documents.tolist(), found.scores.tolist()):
        yield query_id, [pair for pair in zip(ids, scores) if pair[1] > 0]
