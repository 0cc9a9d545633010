"""What a user should know about the tokenizer of a model folder, in a line each.

Such a folder is no fault, but it often has other tokens than its makers meant.
"""

from collections.abc import Iterator
from pathlib import Path

from rocketqa.files.json_files import JsonObject, read_json_object, shown
from rocketqa.text.tokenizer_files import (
    SETTINGS,
    TOKENIZER_JSON,
    VOCABULARY,
    WORDPIECE_CLASSES,
    class_of_tokenizer,
    options_of,
    settings_of,
)
from rocketqa.text.wordpiece import words_of

ADDED_TOKENS = "added_tokens.json"
# A vocabulary is cased where more than one word in so many has a capital; others have a few.
CASED_SHARE = 100
EXAMPLES = 5


def notes_on_tokenizer(folder: Path, files: dict[str, bytes]) -> Iterator[str]:
    """Yields the lines about a WordPiece tokenizer: its files are those that
    `read_tokenizer_files` returns for the folder.
    """
    settings = settings_of(files, folder)
    if VOCABULARY not in files or class_of_tokenizer(settings) not in WORDPIECE_CLASSES:
        return
    words = words_of(files[VOCABULARY], folder / VOCABULARY)
    cased = [word for word in words if word != word.lower() and not _is_in_brackets(word)]
    if options_of(settings).lowercase and len(cased) * CASED_SHARE > len(words):
        yield (
            f"{folder}: {len(cased)} of the {len(words)} words in {VOCABULARY} have capitals, such "
            f"as {shown(cased[0])}, but all texts are lower-cased: for a cased model, write "
            f'"do_lower_case": false into {SETTINGS}'
        )
    known = set(words)
    unknown = [token for token in added_tokens(folder, settings) if token not in known]
    if unknown:
        yield (
            f"{folder}: the added tokens {', '.join(unknown[:EXAMPLES])} are not in {VOCABULARY}: "
            "the tokenizer here does not know them and splits them like any other text"
        )


def _is_in_brackets(word: str) -> bool:
    """Returns whether a word is written as special tokens are, such as [CLS]."""
    return word.startswith("[") and word.endswith("]")


def added_tokens(folder: Path, settings: JsonObject) -> list[str]:
    """Returns the tokens that a folder adds to its vocabulary, in all three places for them."""
    tokens: list[object] = []
    if (folder / ADDED_TOKENS).is_file():
        tokens += read_json_object(folder / ADDED_TOKENS).fields
    entries: list[object] = []
    decoder = settings.fields.get("added_tokens_decoder")
    if isinstance(decoder, dict):
        entries += decoder.values()
    if (folder / TOKENIZER_JSON).is_file():
        listed = read_json_object(folder / TOKENIZER_JSON).fields.get("added_tokens")
        entries += listed if isinstance(listed, list) else []
    tokens += [entry.get("content") for entry in entries if isinstance(entry, dict)]
    texts = [token for token in tokens if isinstance(token, str)]
    return list(dict.fromkeys(texts))
