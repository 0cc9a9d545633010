"""Texts to token ids, as the released readers make them (released `reader_de.py`, `reader_ce.py`).

    query      [CLS] query [SEP]                     types 0
    passage    [CLS] title [SEP] text [SEP]          types 0 and 1
    pair       [CLS] query [SEP] title text [SEP]    types 0 and 1

A query is cut at its end to L_q tokens. Title and text of a passage are cut longest first to L_p
tokens, query and passage of a pair to L tokens.

WordPiece is Google BERT's, through the `tokenizers` library. Vocabularies that are not WordPiece
(ernie-tiny) come with a PaddleNLP tokenizer.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query
from rocketqa.files.json_files import JsonObject, parse_json_object
from rocketqa.text.word_list import check_word_list

# Official code: a dual-encoder passage without a title has "-" in its place (a cross-encoder one
# has nothing).
NO_TITLE = "-"
VOCABULARY = "vocab.txt"
SETTINGS = "tokenizer_config.json"
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDPIECE_CLASSES = ("BertTokenizer", "ErnieTokenizer")
LONGEST_WORD = 100  # characters, as in Google BERT: a longer word is [UNK]

Tokenize = Callable[[Sequence[str]], list[list[int]]]  # texts -> ids without special tokens
Ids = TypeVar("Ids", list[int], np.ndarray)


class Tokens(NamedTuple):
    """A tokenised passage or query: ids without special tokens, of the title [l_title] and of the
    text [l_text].

    title: None where there is no title, as in every query. A TextEncoder takes Tokens wherever it
    takes a text.
    """

    title: np.ndarray | None
    text: np.ndarray


class Encoding(NamedTuple):
    """One row of tokens: ids and type ids, both int64 [L]."""

    token_ids: np.ndarray
    type_ids: np.ndarray


def wordpiece(
    vocab_file: Path, lowercase: bool = True, remove_spaces: bool = False
) -> tuple[Tokenize, dict[str, int]]:
    """Returns Google BERT's WordPiece over a `vocab.txt`, and the vocabulary, word -> id.

    remove_spaces: the released code's `for_cn`, for Chinese. Raises DataError where a special token
    is missing or the file is not UTF-8.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = _read_vocabulary(vocab_file)
    word_piece = models.WordPiece(
        vocabulary, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD
    )
    tokenizer = Tokenizer(word_piece)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        if remove_spaces:
            texts = [text.replace(" ", "") for text in texts]
        encodings = tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    return tokenize, vocabulary


def _read_vocabulary(path: Path) -> dict[str, int]:
    """Returns word -> id.

    Lines end with a line feed alone: a word may be another line separator, as U+2028.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: expected UTF-8, got {error.reason}") from None
    words = content.removesuffix("\n").split("\n")
    vocabulary = {word: index for index, word in enumerate(words)}
    for token in SPECIAL_TOKENS:
        if token not in vocabulary:
            raise DataError(f"{path.name}: expected the token {token}, got a vocabulary without it")
    return vocabulary


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

    def tokens(self, texts: Sequence[str | Passage | Tokens]) -> list[Tokens]:
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
        ids_of_titles = iter(self.tokenize([title for title in titles if title]))
        ids_of_bodies = self.tokenize(bodies)
        tokens = []
        for title, body in zip(titles, ids_of_bodies):
            title_ids = np.array(next(ids_of_titles), np.int64) if title else None
            tokens.append(Tokens(title_ids, np.array(body, np.int64)))
        return tokens

    def queries(self, texts: Sequence[str | Tokens], max_length: int) -> list[Encoding]:
        """Returns a row for each query, at most `max_length` tokens with [CLS] and [SEP]."""
        room = max_length - 2
        return [self._row(query.text[:room]) for query in self.tokens(texts)]

    def passages(self, passages: Sequence[Passage | Tokens], max_length: int) -> list[Encoding]:
        """Returns a row for each passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        rows = []
        for title, text in self.tokens(passages):
            if title is None:
                title = self.no_title
            first, second = truncate_longest_first(title, text, max_length - 3)
            rows.append(self._row(first, second))
        return rows

    def pairs(
        self, queries: Sequence[str | Tokens], passages: Sequence[Passage | Tokens], max_length: int
    ) -> list[Encoding]:
        """Returns a row for each query with its passage, at most `max_length` tokens with [CLS] and
        two [SEP].
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

    It is WordPiece over the folder's `vocab.txt`, unless `tokenizer_config.json` names another
    class of PaddleNLP. Raises DataError where a file is missing or damaged, or where loading one
    could run code.
    """
    return _text_encoder(folder, place=folder / SETTINGS)


def text_encoder_of(tokenizer_files: dict[str, bytes]) -> TextEncoder:
    """Returns the tokenizer whose files these are, name -> content.

    Raises as `load_text_encoder`.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file_name, content in tokenizer_files.items():
            (folder / file_name).write_bytes(content)
        return _text_encoder(folder, place=SETTINGS)


def _text_encoder(folder: Path, place: object) -> TextEncoder:
    """Returns the tokenizer of a folder; `place` is what error messages call its
    `tokenizer_config.json`.
    """
    settings = JsonObject({}, place)
    if (folder / SETTINGS).is_file():
        settings = parse_json_object((folder / SETTINGS).read_bytes(), place)
    tokenizer_class = settings.get("tokenizer_class", str, "BertTokenizer").removesuffix("Fast")
    if tokenizer_class not in WORDPIECE_CLASSES:
        return _paddlenlp_text_encoder(folder)
    return _wordpiece_text_encoder(folder, settings)


def _wordpiece_text_encoder(folder: Path, settings: JsonObject) -> TextEncoder:
    vocab_file = folder / VOCABULARY
    if not vocab_file.is_file():
        raise DataError(f"{VOCABULARY}: expected one beside the weights, got none")
    lowercase = settings.get("do_lower_case", bool, True)
    remove_spaces = settings.get("remove_spaces", bool, False)
    tokenize, vocabulary = wordpiece(vocab_file, lowercase, remove_spaces)
    rules = f"WordPiece {(lowercase, remove_spaces)} {LONGEST_WORD}\n"
    digest = hashlib.sha256(rules.encode() + vocab_file.read_bytes()).hexdigest()
    return TextEncoder(tokenize, vocabulary["[CLS]"], vocabulary["[SEP]"], digest)


def _paddlenlp_text_encoder(folder: Path) -> TextEncoder:
    from paddlenlp.transformers import AutoTokenizer

    for word_list in sorted(folder.glob("*.pickle")):  # PaddleNLP loads them
        check_word_list(word_list)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) for text in texts]

    words = sorted(tokenizer.get_vocab().items())
    identity = json.dumps([type(tokenizer).__name__, words])
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return TextEncoder(tokenize, tokenizer.cls_token_id, tokenizer.sep_token_id, digest)


def text_or_tokens(query: Query | Tokens) -> str | Tokens:
    """Returns a query in the form that the TextEncoder takes: its text, or its tokens where it is
    tokenised.
    """
    return query if isinstance(query, Tokens) else query.text
