"""A released model's text files are read, and whatever is not as released is named in one line."""

import json
from pathlib import Path

import pytest
from released_fixture import ReleasedFixture

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.text.tokenizer import text_encoder_of
from rocketqa.weights.released_models import read_released
from rocketqa.weights.released_settings import read_architecture, tokenizer_files


def change_fields(path: Path, changes: dict) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    "file, changes, expected",
    [
        (
            "config.json",
            {"model_checkpoint_path": "step_20"},
            "step_20: expected the variables of 2 layers, got 0",
        ),
        (
            "config.json",
            {"model_vocab_path": None},
            "config.json: expected a text for model_vocab_path, got null",
        ),
        (
            "config.json",
            {"model_conf_path": "gone.json"},
            "gone.json: expected a file, got nothing there",
        ),
        (
            "config.json",
            {"max_seq_len": 512},
            "expected lengths of 8 to 20, got {'max_length': 512}",
        ),
        (
            "config.json",
            {"max_seq_len": "384"},
            'expected a whole number for max_seq_len, got "384"',
        ),
        (
            "config.json",
            {"model_type": "dual"},
            r'expected cross_encoder \(it has its lengths\) for model_type, got "dual"',
        ),
        (
            "config.json",
            {"joint_training": "yes"},
            'expected true or false for joint_training, got "yes"',
        ),
        (
            "config.json",
            {"joint_training": 1},
            r"missing \['qtp__cls_out_b', 'qtp__cls_out_w', 'qtp_encoder_layer_0",
        ),
        (
            "config.ernie.json",
            {"num_hidden_layers": 1},
            "expected the variables of 1 layers, got 2 layers",
        ),
        (
            "config.ernie.json",
            {"hidden_act": "load"},
            'expected gelu or relu for hidden_act, got "load"',
        ),
        (
            "config.ernie.json",
            {"num_attention_heads": 3},
            "expected a hidden_size for 3 heads, got 8",
        ),
        (
            "config.ernie.json",
            {"num_hidden_layers": -1},
            "expected a whole number from 1 to .* for num_hidden_layers, got -1",
        ),
        ("config.ernie.json", {"vocab_size": 10}, "expected at most vocab_size 10 words, got 17"),
    ],
)
def test_what_is_not_as_released_is_named(tmp_path, file, changes, expected):
    fixture = ReleasedFixture(tmp_path / "model", "cross")
    change_fields(fixture.folder / file, changes)
    with pytest.raises(DataError, match=expected):
        read_released(fixture.folder / "config.json")


@pytest.mark.parametrize(
    "kind, tokens",
    [("cross", ["[CLS]", "[UNK]", "cat", "[SEP]"]), ("zh cross", ["[CLS]", "[UNK]", "[SEP]"])],
)
def test_only_a_chinese_model_removes_spaces(tmp_path, kind, tokens):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    encoder = text_encoder_of(read_released(fixture.folder / "config.json").tokenizer_files)
    assert encoder.queries(["xy cat"], 8)[0].token_ids.tolist() == [
        fixture.words[token] for token in tokens
    ]


@pytest.mark.parametrize("zeros", ["absent", None, 0])
def test_token_types_have_one_of_two_names(tmp_path, zeros):
    fixture = ReleasedFixture(tmp_path / "model", "cross")
    path = fixture.folder / "config.ernie.json"
    assert read_architecture(path).type_vocab_size == 4
    fields = json.loads(path.read_text())
    del fields["sent_type_vocab_size"]
    if zeros != "absent":
        fields["sent_type_vocab_size"] = zeros
    path.write_text(json.dumps(fields | {"type_vocab_size": 3}))
    assert read_architecture(path).type_vocab_size == 3


@pytest.mark.parametrize("content", ["a\nb\nc\n", "a\nb\nc", "b\t1\na\t0\nc\t2\n"])
def test_a_vocabulary_is_a_word_a_line_with_or_without_its_index(tmp_path, content):
    (tmp_path / "vocab.txt").write_text(content)
    files = tokenizer_files(tmp_path / "vocab.txt", ErnieConfig(), remove_spaces=False)
    assert files == {"vocab.txt": b"a\nb\nc\n"}


@pytest.mark.parametrize(
    "content, expected",
    [
        (b"a\t0\nb\t2\n", "expected each index from 0 to 1 once, got others"),
        (b"a\t0\nb\t0\n", "expected each index from 0 to 1 once, got others"),
        (b"a\n\xff\n", "expected UTF-8, got invalid start byte"),
        (b"a\nb\nc\n", "expected at most vocab_size 2 words, got 3"),
    ],
)
def test_a_damaged_vocabulary_is_refused(tmp_path, content, expected):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        tokenizer_files(path, ErnieConfig(vocab_size=2), remove_spaces=False)
    assert str(error.value) == f"{path}: {expected}"
