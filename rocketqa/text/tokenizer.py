"""Texts to token ids, as the released readers make them (released `reader_de.py`, `reader_ce.py`).

    query      [CLS] query [SEP]                     types 0, cut to L_q tokens
    passage    [CLS] title [SEP] text [SEP]          types 0 and 1, title and text cut longest first to L_p
    pair       [CLS] query [SEP] title text [SEP]    types 0 and 1, query and passage cut longest first to L

WordPiece is Google BERT's, through the `tokenizers` library; vocabularies that are not WordPiece (ernie-tiny) come
with a PaddleNLP tokenizer.
"""

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage, Query
from rocketqa.text.word_list import refuse_calls

# Official code: a dual-encoder passage without a title has "-" in its place (a cross-encoder one has nothing).
NO_TITLE = "-"
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDPIECE_CLASSES = ("BertTokenizer", "ErnieTokenizer")
LONGEST_WORD = 100  # characters, as in Google BERT: a longer word is [UNK]

Tokenize = Callable[[Sequence[str]], list[list[int]]]  # texts -> ids without special tokens


class Tokens(NamedTuple):
    """What a passage or a query was tokenised to: ids without special tokens, [l_title] (None: no title) and [l_text].

    The TextEncoder takes it wherever it takes the text.
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
    """Returns Google BERT's WordPiece over a `vocab.txt`, and the vocabulary.

    `remove_spaces` is the released code's `for_cn`, for Chinese. Raises DataError where a special token is lacking.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = (
        Path(vocab_file).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    )  # a word may be U+2028
    vocabulary = {word: index for index, word in enumerate(words)}
    for token in SPECIAL_TOKENS:
        if token not in vocabulary:
            raise DataError(
                f"{Path(vocab_file).name}: expected the token {token}, got a vocabulary without it"
            )
    model = Tokenizer(
        models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD)
    )
    model.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        if remove_spaces:
            texts = [text.replace(" ", "") for text in texts]
        return [
            encoding.ids for encoding in model.encode_batch(list(texts), add_special_tokens=False)
        ]

    return tokenize, vocabulary


class TextEncoder:
    """Makes the rows of tokens that the encoders read.

    digest: what its ids depend on, in hexadecimal. no_title: the ids that stand for a missing title.
    """

    def __init__(self, tokenize: Tokenize, cls_id: int, sep_id: int, digest: str = ""):
        self.tokenize, self.cls_id, self.sep_id, self.digest = tokenize, cls_id, sep_id, digest
        self.no_title = np.array(tokenize([NO_TITLE])[0], np.int64)

    def tokens(self, texts: Sequence[str | Passage | Tokens]) -> list[Tokens]:
        """Returns the ids of queries (plain texts) or passages; what is tokenised already stays as it is."""
        if not texts or isinstance(texts[0], Tokens):
            return list(texts)
        titles = [text.title if isinstance(text, Passage) else "" for text in texts]
        bodies = [text.text if isinstance(text, Passage) else text for text in texts]
        of_titles = iter(self.tokenize([title for title in titles if title]))
        return [
            Tokens(np.array(next(of_titles), np.int64) if title else None, np.array(body, np.int64))
            for title, body in zip(titles, self.tokenize(bodies))
        ]

    def queries(self, texts: Sequence[str | Tokens], max_length: int) -> list[Encoding]:
        """Returns a row for each query, at most `max_length` tokens with [CLS] and [SEP]."""
        return [self._row(query.text[: max_length - 2]) for query in self.tokens(texts)]

    def passages(self, passages: Sequence[Passage | Tokens], max_length: int) -> list[Encoding]:
        """Returns a row for each passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        return [
            self._row(
                *truncate_longest_first(
                    self.no_title if title is None else title, text, max_length - 3
                )
            )
            for title, text in self.tokens(passages)
        ]

    def pairs(
        self, queries: Sequence[str | Tokens], passages: Sequence[Passage | Tokens], max_length: int
    ) -> list[Encoding]:
        """Returns a row for each query with its passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        whole = (
            text if title is None else np.concatenate([title, text])
            for title, text in self.tokens(passages)
        )
        return [
            self._row(*truncate_longest_first(query.text, passage, max_length - 3))
            for query, passage in zip(self.tokens(queries), whole)
        ]

    def _row(self, first: np.ndarray, second: np.ndarray | None = None) -> Encoding:
        row = np.empty(len(first) + 2 + (0 if second is None else len(second) + 1), np.int64)
        types = np.zeros_like(row)
        row[0], row[1 : len(first) + 1], row[len(first) + 1], row[-1] = (
            self.cls_id,
            first,
            self.sep_id,
            self.sep_id,
        )
        if second is not None:
            row[len(first) + 2 : -1], types[len(first) + 2 :] = second, 1
        return Encoding(row, types)


def truncate_longest_first(
    first: Sequence[int], second: Sequence[int], room: int
) -> tuple[Sequence[int], Sequence[int]]:
    """Returns both cut from their ends, always the longer one (the second when equal), until they fit in `room`."""
    surplus = len(first) + len(second) - room
    if surplus <= 0:
        return first, second
    shorter = min(len(first), len(second))
    if max(len(first), len(second)) - surplus >= shorter:
        kept = (
            (len(first) - surplus, len(second))
            if len(first) > len(second)
            else (len(first), len(second) - surplus)
        )
    else:
        kept = (room - room // 2, room // 2)
    return first[: kept[0]], second[: kept[1]]


def load_text_encoder(folder: Path) -> TextEncoder:
    """Returns the tokenizer of a checkpoint or model folder: WordPiece over its `vocab.txt`, unless its
    `tokenizer_config.json` names a class of PaddleNLP that is none.
    """
    settings_file = Path(folder) / "tokenizer_config.json"
    settings = (
        json.loads(settings_file.read_text(encoding="utf-8")) if settings_file.is_file() else {}
    )
    if (
        settings.get("tokenizer_class", "BertTokenizer").removesuffix("Fast")
        not in WORDPIECE_CLASSES
    ):
        return _paddlenlp_text_encoder(folder)
    if not (Path(folder) / "vocab.txt").is_file():
        raise DataError("vocab.txt: expected one beside the weights, got none")
    rules = settings.get("do_lower_case", True), settings.get("remove_spaces", False)
    tokenize, vocabulary = wordpiece(Path(folder) / "vocab.txt", *rules)
    bytes_of_all = (
        f"WordPiece {rules} {LONGEST_WORD}\n".encode() + (Path(folder) / "vocab.txt").read_bytes()
    )
    return TextEncoder(
        tokenize, vocabulary["[CLS]"], vocabulary["[SEP]"], hashlib.sha256(bytes_of_all).hexdigest()
    )


def _paddlenlp_text_encoder(folder: Path) -> TextEncoder:
    from paddlenlp.transformers import AutoTokenizer

    for pickled in sorted(
        Path(folder).glob("*.pickle")
    ):  # PaddleNLP loads them: a stranger's could run anything
        refuse_calls(pickled)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) for text in texts]

    vocabulary = json.dumps([type(tokenizer).__name__, sorted(tokenizer.get_vocab().items())])
    return TextEncoder(
        tokenize,
        tokenizer.cls_token_id,
        tokenizer.sep_token_id,
        hashlib.sha256(vocabulary.encode()).hexdigest(),
    )


def text_encoder_of(tokenizer_files: dict[str, bytes]) -> TextEncoder:
    """Returns the tokenizer whose files these are (name -> content)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in tokenizer_files.items():
            (Path(folder) / name).write_bytes(content)
        return load_text_encoder(Path(folder))


def text_of(query: Query | Tokens) -> str | Tokens:
    """Returns what the TextEncoder takes of a query."""
    return query if isinstance(query, Tokens) else query.text
