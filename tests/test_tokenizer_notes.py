"""A cased vocabulary that is lower-cased and added tokens that nobody knows are said in a line."""

import json

from published_models import WORDS, tokenizer_json
from vocabulary_fixture import write_tokenizer

from rocketqa.text.tokenizer_files import read_tokenizer_files
from rocketqa.text.tokenizer_notes import notes_on_tokenizer


def notes(folder) -> list[str]:
    return list(notes_on_tokenizer(folder, read_tokenizer_files(folder)))


def test_a_cased_vocabulary_that_would_be_lower_cased_is_said(tmp_path):
    cased = [*WORDS, "Paris", "The"]
    assert notes(write_tokenizer(tmp_path, cased)) == [
        f'{tmp_path}: 2 of the 62 words in vocab.txt have capitals, such as "Paris", but all '
        'texts are lower-cased: for a cased model, write "do_lower_case": false into '
        "tokenizer_config.json"
    ]
    assert notes(write_tokenizer(tmp_path, cased, do_lower_case=False)) == []


def test_a_lower_cased_vocabulary_with_a_stray_capital_is_not(tmp_path):
    assert notes(write_tokenizer(tmp_path, [*WORDS, *map(str, range(40)), "A"])) == []


def test_added_tokens_are_said_wherever_they_stand(tmp_path):
    line = f"{tmp_path}: the added tokens [DOC] are not in vocab.txt: the tokenizer here does not "
    folder = write_tokenizer(tmp_path, WORDS)
    (folder / "added_tokens.json").write_text('{"[DOC]": 60, "[CLS]": 2}')
    assert [note[: len(line)] for note in notes(folder)] == [line]
    (folder / "added_tokens.json").unlink()
    decoder = {"0": {"content": "[PAD]"}, "60": {"content": "[DOC]"}}
    write_tokenizer(tmp_path, WORDS, added_tokens_decoder=decoder)
    assert [note[: len(line)] for note in notes(folder)] == [line]
    (folder / "tokenizer_config.json").unlink()
    content = tokenizer_json(WORDS) | {"added_tokens": [{"id": 60, "content": "[DOC]"}]}
    (folder / "tokenizer.json").write_text(json.dumps(content))
    assert [note[: len(line)] for note in notes(folder)] == [line]
