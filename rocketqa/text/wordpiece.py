"""Google BERT's WordPiece, through the `tokenizers` library: texts to ids of a `vocab.txt`."""

from collections.abc import Callable, Sequence
from pathlib import Path

from rocketqa.files.errors import DataError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LONGEST_WORD = 100  # characters, as in Google BERT: a longer word is [UNK]

Tokenize = Callable[[Sequence[str]], list[list[int]]]  # texts -> ids without special tokens


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
