"""Google BERT's WordPiece, through the `tokenizers` library: texts to ids of a `vocab.txt`."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rocketqa.files.errors import DataError

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LONGEST_WORD = 100  # characters, as in Google BERT: a longer word is [UNK]

Tokenize = Callable[[Sequence[str]], list[list[int]]]  # texts -> ids without special tokens


class WordPieceOptions(NamedTuple):
    """What is done to a text before its words are split.

    remove_spaces: the released code's `for_cn`, for Chinese. strip_accents: None does as
    `lowercase` does. chinese_characters: each of them is a word.
    """

    lowercase: bool = True
    remove_spaces: bool = False
    strip_accents: bool | None = None
    chinese_characters: bool = True

    @property
    def strips_accents(self) -> bool:
        """Whether accents are removed, which also takes Korean syllables apart."""
        return self.lowercase if self.strip_accents is None else self.strip_accents

    def identity(self) -> str:
        """Returns a text that is the same for options that give the same tokens."""
        identity = f"WordPiece {(self.lowercase, self.remove_spaces)} {LONGEST_WORD}\n"
        if self.strips_accents != self.lowercase:
            identity += f"strip_accents {self.strips_accents}\n"
        if not self.chinese_characters:
            identity += "no chinese_characters\n"
        return identity


GOOGLE_BERT = WordPieceOptions()


def wordpiece(
    content: bytes, options: WordPieceOptions = GOOGLE_BERT, place: object = "vocab.txt"
) -> tuple[Tokenize, dict[str, int]]:
    """Returns Google BERT's WordPiece over the content of a `vocab.txt`, and word -> id.

    place: the file in error messages. Raises DataError where a special token is missing or the
    content is not UTF-8.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = _vocabulary_of(content, place)
    word_piece = models.WordPiece(
        vocabulary, unk_token="[UNK]", max_input_chars_per_word=LONGEST_WORD
    )
    tokenizer = Tokenizer(word_piece)
    tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=options.lowercase,
        strip_accents=options.strips_accents,
        handle_chinese_chars=options.chinese_characters,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()

    def tokenize(texts: Sequence[str]) -> list[list[int]]:
        if options.remove_spaces:
            texts = [text.replace(" ", "") for text in texts]
        encodings = tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in encodings]

    return tokenize, vocabulary


def words_of(content: bytes, place: object) -> list[str]:
    """Returns the words in the content of a `vocab.txt`; the last line may lack its end.

    Lines end as in files of Unix, Windows or old Macs: a word may be another line separator, as
    U+2028. Raises DataError where the content is not UTF-8.
    """
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: expected UTF-8, got {error.reason}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def _vocabulary_of(content: bytes, place: object) -> dict[str, int]:
    """Returns word -> id."""
    vocabulary = {word: index for index, word in enumerate(words_of(content, place))}
    for token in SPECIAL_TOKENS:
        if token not in vocabulary:
            raise DataError(f"{place}: expected the token {token}, got a vocabulary without it")
    return vocabulary
