"""Texts to token ids, as the released readers make them (released `reader_de.py`, `reader_ce.py`).

    query      [CLS] query [SEP]                     types 0, cut to L_q tokens
    passage    [CLS] title [SEP] text [SEP]          types 0 and 1, title and text cut longest first to L_p
    pair       [CLS] query [SEP] title text [SEP]    types 0 and 1, query and passage cut longest first to L

WordPiece is Google BERT's, through the `tokenizers` library; vocabularies that are not WordPiece (ernie-tiny) come
with a PaddleNLP tokenizer.
"""
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rocketqa.formats import DataError, Passage

# Official code: a dual-encoder passage without a title has "-" in its place (a cross-encoder one has nothing).
NO_TITLE = "-"
SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDPIECE_CLASSES = ("BertTokenizer", "ErnieTokenizer")
LONGEST_WORD = 100  # characters, as in Google BERT: a longer word is [UNK]

Tokenize = Callable[[Sequence[str]], list[list[int]]]  # texts -> ids without special tokens


class Encoding(NamedTuple):
    """One row of tokens: ids and type ids, both int64 [L]."""

    token_ids: np.ndarray
    type_ids: np.ndarray


def wordpiece(vocab_file: Path, lowercase: bool = True, remove_spaces: bool = False) -> tuple[Tokenize, dict[str, int]]:
    """Returns Google BERT's WordPiece over a `vocab.txt`, and the vocabulary.

    `remove_spaces` is the released code's `for_cn`, for Chinese. Raises DataError where a special token is lacking.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = Path(vocab_file).read_text(encoding="utf-8").removesuffix("\n").split("\n")  # a word may be U+2028
    vocabulary = {word: index for index, word in enumerate(words)}
    for token in SPECIAL_TOKENS:
        if token not in vocabulary:
            raise DataError(f"{Path(vocab_file).name}: expected the token {token}, got a vocabulary without it")
    model = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD))
    model.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    model.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        if remove_spaces:
            texts = [text.replace(" ", "") for text in texts]
        return [encoding.ids for encoding in model.encode_batch(list(texts), add_special_tokens=False)]

    return tokenize, vocabulary


class TextEncoder:
    """Makes the rows of tokens that the encoders read."""

    def __init__(self, tokenize: Tokenize, cls_id: int, sep_id: int):
        self.tokenize, self.cls_id, self.sep_id = tokenize, cls_id, sep_id

    def queries(self, texts: Sequence[str], max_length: int) -> list[Encoding]:
        """Returns a row for each query, at most `max_length` tokens with [CLS] and [SEP]."""
        return [self._row(ids[:max_length - 2]) for ids in self.tokenize(texts)]

    def passages(self, passages: Sequence[Passage], max_length: int) -> list[Encoding]:
        """Returns a row for each passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        titles = self.tokenize([passage.title or NO_TITLE for passage in passages])
        texts = self.tokenize([passage.text for passage in passages])
        return [self._row(*truncate_longest_first(title, text, max_length - 3)) for title, text in zip(titles, texts)]

    def pairs(self, queries: Sequence[str], passages: Sequence[Passage], max_length: int) -> list[Encoding]:
        """Returns a row for each query with its passage, at most `max_length` tokens with [CLS] and two [SEP]."""
        titles = self.tokenize([passage.title for passage in passages])
        texts = self.tokenize([passage.text for passage in passages])
        return [self._row(*truncate_longest_first(query, title + text, max_length - 3))
                for query, title, text in zip(self.tokenize(queries), titles, texts)]

    def _row(self, first: list[int], second: list[int] | None = None) -> Encoding:
        first = [self.cls_id, *first, self.sep_id]
        second = [] if second is None else [*second, self.sep_id]
        return Encoding(np.array(first + second, np.int64), np.array([0] * len(first) + [1] * len(second), np.int64))


def truncate_longest_first(first: list[int], second: list[int], room: int) -> tuple[list[int], list[int]]:
    """Returns both cut from their ends, always the longer one (the second when equal), until they fit in `room`."""
    surplus = len(first) + len(second) - room
    if surplus <= 0:
        return first, second
    shorter = min(len(first), len(second))
    if max(len(first), len(second)) - surplus >= shorter:
        kept = (len(first) - surplus, len(second)) if len(first) > len(second) else (len(first), len(second) - surplus)
    else:
        kept = (room - room // 2, room // 2)
    return first[:kept[0]], second[:kept[1]]


def load_text_encoder(folder: Path) -> TextEncoder:
    """Returns the tokenizer of a checkpoint or model folder: WordPiece over its `vocab.txt`, unless its
    `tokenizer_config.json` names a class of PaddleNLP that is none.
    """
    settings_file = Path(folder) / "tokenizer_config.json"
    settings = json.loads(settings_file.read_text(encoding="utf-8")) if settings_file.is_file() else {}
    if settings.get("tokenizer_class", "BertTokenizer").removesuffix("Fast") not in WORDPIECE_CLASSES:
        return _paddlenlp_text_encoder(folder)
    if not (Path(folder) / "vocab.txt").is_file():
        raise DataError("vocab.txt: expected one beside the weights, got none")
    tokenize, vocabulary = wordpiece(Path(folder) / "vocab.txt", settings.get("do_lower_case", True),
                                     settings.get("remove_spaces", False))
    return TextEncoder(tokenize, vocabulary["[CLS]"], vocabulary["[SEP]"])


def _paddlenlp_text_encoder(folder: Path) -> TextEncoder:
    from paddlenlp.transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        return [tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text)) for text in texts]

    return TextEncoder(tokenize, tokenizer.cls_token_id, tokenizer.sep_token_id)


def text_encoder_of(tokenizer_files: dict[str, bytes]) -> TextEncoder:
    """Returns the tokenizer whose files these are (name -> content)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in tokenizer_files.items():
            (Path(folder) / name).write_bytes(content)
        return load_text_encoder(Path(folder))
