"""The files of a tokenizer in a model folder, in the one form that checkpoints keep.

    vocab.txt                WordPiece's words, one a line
    tokenizer_config.json    the tokenizer's class and its options: do_lower_case, strip_accents,
                             tokenize_chinese_chars, remove_spaces
    tokenizer.json           words and options in the form of the `tokenizers` library; it may be
                             the only file, and checkpoints keep what it says in the two others

An option in tokenizer_config.json wins over tokenizer.json. An option that is null or missing in
both is that of Google BERT's tokenizer.
"""

import json
from pathlib import Path

from rocketqa.files.git_lfs import refuse_git_lfs_pointer
from rocketqa.files.json_files import JsonObject, parse_json_object, shown
from rocketqa.text.word_list import check_word_list
from rocketqa.text.wordpiece import LONGEST_WORD, WordPieceOptions, words_of

VOCABULARY = "vocab.txt"
SETTINGS = "tokenizer_config.json"
TOKENIZER_JSON = "tokenizer.json"
WORD_LIST = "dict.wordseg.pickle"  # ernie-tiny's, which PaddleNLP loads with `pickle`
TOKENIZER_FILES = (VOCABULARY, SETTINGS, "spm_cased_simp_sampled.model", WORD_LIST)
# Without the ending "Fast". The last two are what transformers writes where no class of a model
# is known: tokenizer.json or the vocabulary says what they are.
WORDPIECE_CLASSES = (
    "BertTokenizer",
    "ErnieTokenizer",
    "DPRQuestionEncoderTokenizer",
    "DPRContextEncoderTokenizer",
    "PreTrainedTokenizer",
    "TokenizersBackend",
)
# Options: our names, those in tokenizer_config.json, those in the normalizer of tokenizer.json.
OPTIONS = (
    ("lowercase", "do_lower_case", "lowercase"),
    ("strip_accents", "strip_accents", "strip_accents"),
    ("chinese_characters", "tokenize_chinese_chars", "handle_chinese_chars"),
)
# What a tokenizer.json must say beside its options: with these values our tokens are its tokens.
GOOGLE_BERT = {
    "model.type": "WordPiece",
    "model.unk_token": "[UNK]",
    "model.continuing_subword_prefix": "##",
    "model.max_input_chars_per_word": LONGEST_WORD,
    "normalizer.type": "BertNormalizer",
    "normalizer.clean_text": True,
    "pre_tokenizer.type": "BertPreTokenizer",
}


def read_tokenizer_files(folder: Path, place: Path | None = None) -> dict[str, bytes]:
    """Returns name -> content of the tokenizer's files in a folder, those of TOKENIZER_FILES.

    What only a tokenizer.json says is in a vocab.txt and a tokenizer_config.json. place: the folder
    in error messages. Raises DataError where a file is damaged, of a kind that we do not read, or
    an unsafe word list.
    """
    place = folder if place is None else place
    if (folder / WORD_LIST).is_file():
        check_word_list(folder / WORD_LIST)
    files = {}
    for name in TOKENIZER_FILES:
        if (folder / name).is_file():
            refuse_git_lfs_pointer(folder / name, "a file of the tokenizer")
            files[name] = (folder / name).read_bytes()
    settings = settings_of(files, place)
    tokenizer_json = folder / TOKENIZER_JSON
    if tokenizer_json.is_file() and class_of_tokenizer(settings) in WORDPIECE_CLASSES:
        refuse_git_lfs_pointer(tokenizer_json, "a file of the tokenizer")
        content = tokenizer_json.read_bytes()
        files |= _files_of(parse_json_object(content, place / TOKENIZER_JSON), files, settings)
    return files


def _files_of(
    tokenizer: JsonObject, files: dict[str, bytes], settings: JsonObject
) -> dict[str, bytes]:
    """Returns the files that say what a tokenizer.json adds to the other files."""
    added = {}
    if VOCABULARY not in files:
        _refuse_other_tokenizers(tokenizer)
        added[VOCABULARY] = _vocabulary_in(tokenizer)
    all_fields = options_in(tokenizer) | {
        name: value for name, value in settings.fields.items() if value is not None
    }
    merged = JsonObject(all_fields, settings.place)
    if options_of(merged).identity() != options_of(settings).identity():
        added[SETTINGS] = f"{json.dumps(all_fields)}\n".encode()
    return added


def settings_of(files: dict[str, bytes], place: Path = Path()) -> JsonObject:
    """Returns the fields of the tokenizer_config.json among the files; none where it is not there.

    place: the folder in error messages. Raises DataError where it is no JSON object.
    """
    return parse_json_object(files.get(SETTINGS, b"{}"), place / SETTINGS)


def class_of_tokenizer(settings: JsonObject) -> str:
    """Returns the class in a tokenizer_config.json without the ending "Fast"; Google BERT's where
    none is named.
    """
    if settings.fields.get("tokenizer_class") is None:
        return WORDPIECE_CLASSES[0]
    return settings.require("tokenizer_class", str).removesuffix("Fast")


def options_of(settings: JsonObject) -> WordPieceOptions:
    """Returns the options in a tokenizer_config.json.

    Raises DataError where one is neither true nor false nor null.
    """
    values = {}
    for ours, name, _ in OPTIONS:
        if settings.fields.get(name) is not None:
            values[ours] = settings.require(name, bool)
    return WordPieceOptions(remove_spaces=settings.get("remove_spaces", bool, False), **values)


def options_in(tokenizer: JsonObject) -> dict[str, object]:
    """Returns the options in a tokenizer.json by their names in tokenizer_config.json; none where
    its normalizer is not Google BERT's.
    """
    normalizer = tokenizer.fields.get("normalizer")
    if not isinstance(normalizer, dict) or normalizer.get("type") != "BertNormalizer":
        return {}
    options: dict[str, object] = {}
    for _, name, in_normalizer in OPTIONS:
        if normalizer.get(in_normalizer) is not None:
            options[name] = tokenizer.nested("normalizer").require(in_normalizer, bool)
    return options


def _refuse_other_tokenizers(tokenizer: JsonObject) -> None:
    """Raises DataError, with the wrong value, where a tokenizer.json is not Google BERT's."""
    for name, expected in GOOGLE_BERT.items():
        part_name, _, field = name.partition(".")
        part = tokenizer.nested(part_name)
        if part.fields.get(field) != expected:
            raise part.wrong_value(field, shown(expected))


def _vocabulary_in(tokenizer: JsonObject) -> bytes:
    """Returns the content of the vocab.txt that has the words of a tokenizer.json at their ids."""
    vocabulary = tokenizer.nested("model").nested("vocab")
    id_of = {word: vocabulary.require(word, int) for word in vocabulary.fields}
    words = sorted(id_of, key=id_of.__getitem__)
    content = "".join(f"{word}\n" for word in words).encode()
    ids = sorted(id_of.values())
    if ids != list(range(len(ids))) or words_of(content, vocabulary.place) != words:
        expected = f"words of one line with the ids 0 to {len(ids) - 1} in model.vocab"
        raise vocabulary.fault(expected, "others")
    return content
