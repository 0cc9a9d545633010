"""The options of a published tokenizer are obeyed, wherever they stand, and kept in checkpoints."""

import json

import pytest
from published_models import WORDS, tokenizer_json, write_model
from vocabulary_fixture import write_tokenizer

from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import load_text_encoder, text_encoder_of
from rocketqa.text.tokenizer_files import read_tokenizer_files

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-"]
KOREAN = [*SPECIAL, "안녕", "##하", "##세", "##요", "schön", "schon", "caf", "##é", "cafe"]
CHINESE = [*SPECIAL, "中", "国", "中国", "##国"]


def spelled(folder, words: list[str], text: str) -> list[str]:
    [ids] = load_text_encoder(folder).tokenize([text])
    return [words[i] for i in ids]


@pytest.mark.parametrize(
    "options, expected",
    [
        ({"strip_accents": False}, "안녕 ##하 ##세 ##요 schön caf ##é"),
        ({"strip_accents": True}, "[UNK] schon cafe"),
        ({"strip_accents": None}, "[UNK] schon cafe"),
        ({"do_lower_case": None}, "[UNK] schon cafe"),
        ({"do_lower_case": False}, "안녕 ##하 ##세 ##요 [UNK] [UNK]"),
        ({"do_lower_case": False, "strip_accents": True}, "[UNK] [UNK] [UNK]"),
    ],
)
def test_accents_and_korean_syllables_are_kept_as_the_options_say(tmp_path, options, expected):
    folder = write_tokenizer(tmp_path, KOREAN, **options)
    assert spelled(folder, KOREAN, "안녕하세요 Schön Café") == expected.split()


def test_chinese_characters_stay_together_where_the_options_say_so(tmp_path):
    folder = write_tokenizer(tmp_path, CHINESE, tokenize_chinese_chars=False)
    assert spelled(folder, CHINESE, "中国") == ["中国"]
    folder = write_tokenizer(tmp_path, CHINESE, tokenize_chinese_chars=None)
    assert spelled(folder, CHINESE, "中国") == ["中", "国"]


@pytest.mark.parametrize(
    "name", ["BertTokenizerFast", "TokenizersBackend", "PreTrainedTokenizerFast", None]
)
def test_the_classes_of_transformers_4_and_5_read_a_sound_vocabulary(tmp_path, name):
    folder = write_tokenizer(tmp_path, WORDS, tokenizer_class=name)
    assert spelled(folder, WORDS, "a dog") == ["a", "dog"]


def test_settings_that_are_not_json_are_one_line(tmp_path):
    folder = write_tokenizer(tmp_path, WORDS)
    (folder / "tokenizer_config.json").write_text("{'do_lower_case': true}")
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value).startswith(f"{folder}/tokenizer_config.json: expected a JSON object")
    assert "\n" not in str(error.value)


def test_the_digest_is_as_before_without_new_options_and_differs_with_each(tmp_path):
    def digest(**options) -> str:
        (tmp_path / "tokenizer_config.json").unlink(missing_ok=True)
        return load_text_encoder(write_tokenizer(tmp_path, KOREAN, **options)).digest

    usual = digest()
    assert usual == "95c02fdb108f7b0876ea64383abec6b007d918c1d5c317429489f16227d55b1e"
    for same in ({"strip_accents": True}, {"do_lower_case": None}, {"tokenizer_class": None}):
        assert digest(**same) == usual
    others = [
        digest(do_lower_case=False),
        digest(strip_accents=False),
        digest(tokenize_chinese_chars=False),
        digest(do_lower_case=False, strip_accents=True),
    ]
    assert len({usual, *others}) == 5


def write_json(folder, content: dict):
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def test_a_tokenizer_json_alone_is_read_and_kept_as_a_vocabulary_with_its_options(tmp_path):
    content = tokenizer_json(KOREAN, strip_accents=False)
    folder = write_json(tmp_path / "json", content)
    text = "안녕하세요 Schön Café"
    expected = "안녕 ##하 ##세 ##요 schön caf ##é".split()
    assert spelled(folder, KOREAN, text) == expected
    files = read_tokenizer_files(folder)
    assert files["vocab.txt"].decode() == "".join(f"{word}\n" for word in KOREAN)
    kept = text_encoder_of(files)
    twin = load_text_encoder(write_tokenizer(tmp_path, KOREAN, strip_accents=False))
    assert kept.digest == load_text_encoder(folder).digest == twin.digest


def test_an_option_of_the_settings_wins_over_tokenizer_json(tmp_path):
    folder = write_tokenizer(tmp_path, KOREAN, strip_accents=True, do_lower_case=None)
    write_json(folder, tokenizer_json(KOREAN, strip_accents=False, lowercase=False))
    assert spelled(folder, KOREAN, "schön Cafe cafe") == ["schon", "[UNK]", "cafe"]


def test_files_that_say_the_same_twice_are_kept_byte_by_byte(tmp_path):
    folder = write_model(tmp_path / "model", tokenizer={"do_lower_case": True})
    write_json(folder, tokenizer_json(WORDS))
    assert read_tokenizer_files(folder) == {
        name: (folder / name).read_bytes() for name in ("vocab.txt", "tokenizer_config.json")
    }


@pytest.mark.parametrize(
    "part, change, expected",
    [
        ("model", {"type": "BPE"}, '"WordPiece" for model.type, got "BPE"'),
        ("model", {"unk_token": "<unk>"}, '"[UNK]" for model.unk_token, got "<unk>"'),
        ("model", {"vocab": {"a": 1}}, "words of one line with the ids 0 to 0 in model.vocab"),
        ("normalizer", {"clean_text": False}, "true for normalizer.clean_text, got false"),
        ("pre_tokenizer", {"type": "Metaspace"}, '"BertPreTokenizer" for pre_tokenizer.type, got'),
    ],
)
def test_another_tokenizer_json_is_refused_with_the_wrong_value(tmp_path, part, change, expected):
    content = tokenizer_json(WORDS)
    content[part] |= change
    folder = write_json(tmp_path / "json", content)
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value).startswith(f"{folder}/tokenizer.json: expected {expected}")
