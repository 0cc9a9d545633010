"""Texts to token ids, as the released readers make them (released `reader_de.py`, `reader_ce.py`).

    query      [CLS] query [SEP]                     types 0
    passage    [CLS] title [SEP] text [SEP]          types 0 and 1
    pair       [CLS] query [SEP] title text [SEP]    types 0 and 1

A query is cut at its end to L_q tokens. Title and text of a passage are cut longest first to L_p
tokens, query and passage of a pair to L tokens.

Words are split by WordPiece. Vocabularies that are not WordPiece (ernie-tiny) come with a PaddleNLP
tokenizer.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from rocketqa.files.errors import DataError, one_line
from rocketqa.files.formats import Passage, Query
from rocketqa.files.packages import import_package
from rocketqa.jobs.temporary_folders import temporary_folder
from rocketqa.text.tokenizer_files import (
    SETTINGS,
    TOKENIZER_JSON,
    VOCABULARY,
    WORDPIECE_CLASSES,
    class_of_tokenizer,
    options_of,
    read_tokenizer_files,
    settings_of,
)
from rocketqa.text.word_list import check_word_list
from rocketqa.text.wordpiece import Tokenize, wordpiece

# Official code: a dual-encoder passage without a title has "-" in its place (a cross-encoder one
# has nothing).
NO_TITLE = "-"

Ids = TypeVar("Ids", list[int], np.ndarray)


class Tokens(NamedTuple):
    """A tokenised passage or query: ids without special tokens, not cut to a length.

    title: [l_title], None where there is no title, as in every query. text: [l_text]. A TextEncoder
    takes Tokens wherever it takes a text.
    """

    title: np.ndarray | None
    text: np.ndarray


QueryText = str | Tokens
PassageText = Passage | Tokens


class Encoding(NamedTuple):
    """One row of tokens: ids and type ids, both int64 [L]."""

    token_ids: np.ndarray
    type_ids: np.ndarray


class TextEncoder:
    """Makes the rows of tokens that the encoders read.

    digest: identifies everything that its ids depend on, in hexadecimal. no_title: the ids that
    stand for a missing title.
    """

    def __init__(self, tokenize: Tokenize, cls_id: int, sep_id: int, digest: str = ""):
        self.tokenize = tokenize
        self.cls_id = cls_id
        self.sep_id = sep_id
        self.digest = digest
        [no_title] = tokenize([NO_TITLE])
        self.no_title = np.array(no_title, np.int64)

    def tokens(self, texts: Sequence[QueryText | Passage]) -> list[Tokens]:
        """Returns the ids of queries (plain texts) or of passages; Tokens are returned as they are.

        Texts and Tokens cannot be mixed.
        """
        tokenised = [text for text in texts if isinstance(text, Tokens)]
        if len(tokenised) == len(texts):
            return tokenised
        titles, bodies = [], []
        for text in texts:
            if isinstance(text, Passage):
                titles.append(text.title)
                bodies.append(text.text)
            else:
                assert isinstance(text, str), "texts and tokens cannot be mixed"
                titles.append("")
                bodies.append(text)
        given_titles = [title for title in titles if title]
        ids_of_titles = iter(self.tokenize(given_titles))
        tokens = []
        for title, body_ids in zip(titles, self.tokenize(bodies)):
            title_array = None
            if title:
                title_array = np.array(next(ids_of_titles), np.int64)
            body_array = np.array(body_ids, np.int64)
            tokens.append(Tokens(title_array, body_array))
        return tokens

    def queries(self, texts: Sequence[QueryText], max_length: int) -> list[Encoding]:
        """Returns a row for each query, at most `max_length` tokens with [CLS] and [SEP]."""
        room = max_length - 2
        return [self._row(query.text[:room]) for query in self.tokens(texts)]

    def passages(self, passages: Sequence[PassageText], max_length: int) -> list[Encoding]:
        """Returns a row for each passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        rows = []
        for title, text in self.tokens(passages):
            if title is None:
                title = self.no_title
            first, second = truncate_longest_first(title, text, max_length - 3)
            rows.append(self._row(first, second))
        return rows

    def pairs(
        self,
        queries: Sequence[QueryText],
        passages: Sequence[PassageText],
        max_length: int,
    ) -> list[Encoding]:
        """Returns a row for each query with its passage.

        A row has at most `max_length` tokens with [CLS] and two [SEP].
        """
        rows = []
        for query, (title, text) in zip(self.tokens(queries), self.tokens(passages)):
            passage = text if title is None else np.concatenate([title, text])
            first, second = truncate_longest_first(query.text, passage, max_length - 3)
            rows.append(self._row(first, second))
        return rows

    def _row(self, first: np.ndarray, second: np.ndarray | None = None) -> Encoding:
        """Returns [CLS] first [SEP], or [CLS] first [SEP] second [SEP]."""
        end_of_first = len(first) + 1
        length = end_of_first + 1
        if second is not None:
            length += len(second) + 1
        row = np.empty(length, np.int64)
        types = np.zeros(length, np.int64)
        row[0] = self.cls_id
        row[1:end_of_first] = first
        row[end_of_first] = self.sep_id
        if second is not None:
            row[end_of_first + 1 : -1] = second
            row[-1] = self.sep_id
            types[end_of_first + 1 :] = 1
        return Encoding(row, types)


def truncate_longest_first(first: Ids, second: Ids, room: int) -> tuple[Ids, Ids]:
    """Returns both lists of ids, cut at their ends until they fit in `room` together.

    The longer one is cut first, the second where both are equally long: Google BERT's rule, without
    its loop.
    """
    surplus = len(first) + len(second) - room
    if surplus <= 0:
        return first, second
    shorter = min(len(first), len(second))
    longer = max(len(first), len(second))
    if longer - surplus < shorter:  # cutting the longer one alone is not enough
        return first[: room - room // 2], second[: room // 2]
    if len(first) > len(second):
        return first[: len(first) - surplus], second
    return first, second[: len(second) - surplus]


def load_text_encoder(folder: Path) -> TextEncoder:
    """Returns the tokenizer of a checkpoint or model folder.

    It is WordPiece over the words of `vocab.txt` or `tokenizer.json`, unless
    `tokenizer_config.json` names another class of PaddleNLP. Raises DataError where a file is
    missing or damaged, or where loading one could run code.
    """
    return _text_encoder(folder, place=folder)


def text_encoder_of(tokenizer_files: dict[str, bytes]) -> TextEncoder:
    """Returns the tokenizer whose files these are, name -> content.

    Raises as `load_text_encoder`.
    """
    with temporary_folder() as name:
        folder = Path(name)
        for file_name, content in tokenizer_files.items():
            (folder / file_name).write_bytes(content)
        return _text_encoder(folder, place=Path())


def _text_encoder(folder: Path, place: Path) -> TextEncoder:
    """Returns the tokenizer of a folder, which error messages call `place`."""
    files = read_tokenizer_files(folder, place)
    settings = settings_of(files, place)
    if class_of_tokenizer(settings) not in WORDPIECE_CLASSES:
        return _paddlenlp_text_encoder(folder, place / SETTINGS)
    if VOCABULARY not in files:
        expected = f"one or a {TOKENIZER_JSON} beside the weights"
        raise DataError(f"{place / VOCABULARY}: expected {expected}, got none")
    options = options_of(settings)
    tokenize, vocabulary = wordpiece(files[VOCABULARY], options, place / VOCABULARY)
    identity = options.identity().encode() + files[VOCABULARY]
    digest = hashlib.sha256(identity).hexdigest()
    return TextEncoder(tokenize, vocabulary["[CLS]"], vocabulary["[SEP]"], digest)


def _paddlenlp_text_encoder(folder: Path, place: object) -> TextEncoder:
    expected = "a WordPiece tokenizer, or the package paddlenlp for another one"
    import_package("paddlenlp", str(place), expected)
    from paddlenlp.transformers import AutoTokenizer

    for word_list in sorted(folder.glob("*.pickle")):  # PaddleNLP loads them
        check_word_list(word_list)
    try:
        tokenizer = AutoTokenizer.from_pretrained(str(folder))
    except Exception as error:  # noqa: BLE001  PaddleNLP raises of every kind.
        raise DataError(
            f"{place}: expected a tokenizer that PaddleNLP can load, got {one_line(error)}"
        ) from error

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) for text in texts]

    words = sorted(tokenizer.get_vocab().items())
    identity = json.dumps([type(tokenizer).__name__, words])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return TextEncoder(tokenize, tokenizer.cls_token_id, tokenizer.sep_token_id, digest)


def text_or_tokens(query: Query | Tokens) -> QueryText:
    """Returns a query as the TextEncoder takes it: its text, or its tokens where it has some."""
    return query if isinstance(query, Tokens) else query.text
