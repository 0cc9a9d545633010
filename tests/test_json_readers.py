"""Every reader of a JSON file refuses a damaged one in one line that names file and field."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from bert_fixture import SETTINGS, VOCABULARY, bert_weights, write_folder
from released_fixture import ReleasedFixture
from safetensors.numpy import save_file

from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.text.token_store import COLLECTION, TokenStore, finish_store, write_store
from rocketqa.text.tokenizer import load_text_encoder
from rocketqa.training.optimizer import adam
from rocketqa.weights.checkpoint import load_model, save_model
from rocketqa.weights.pretrained import load_pretrained
from rocketqa.weights.released_models import read_model_of, read_released
from rocketqa.weights.training_states import best_value, load_state, save_best, save_state
from rocketqa.weights.weight_files import read_weights

CONFIG = ErnieConfig(
    vocab_size=60,
    hidden_size=16,
    num_hidden_layers=1,
    num_attention_heads=4,
    intermediate_size=40,
    max_position_embeddings=32,
)
FILES = {"vocab.txt": VOCABULARY, "tokenizer_config.json": b'{"do_lower_case": true}'}


class Reading(NamedTuple):
    """A JSON file, sound so far, and the call that reads it."""

    file: Path
    read: Callable[[], object]


def checkpoint(folder: Path) -> Path:
    save_model(folder, DualEncoder(CONFIG), FILES)
    return folder


def config_of_checkpoint(folder: Path) -> Reading:
    checkpoint(folder)
    return Reading(folder / "config.json", lambda: load_model(folder, DualEncoder))


def config_of_trained_model(folder: Path) -> Reading:
    checkpoint(folder)
    return Reading(folder / "config.json", lambda: load_pretrained(folder, "DualEncoder"))


def config_of_encoder(folder: Path) -> Reading:
    write_folder(folder, bert_weights())
    return Reading(folder / "config.json", lambda: load_pretrained(folder))


def tokenizer_config(folder: Path) -> Reading:
    checkpoint(folder)
    return Reading(folder / "tokenizer_config.json", lambda: load_text_encoder(folder))


def manifest_of_checkpoint(folder: Path) -> Reading:
    config = checkpoint(folder) / "config.json"
    (folder / "meta.json").write_text('{"job": {"flags": {"query_length": 16}}}')
    return Reading(folder / "meta.json", lambda: read_model_of(config))


def state(folder: Path) -> Reading:
    model = DualEncoder(CONFIG)
    optimizer = adam(model, weight_decay=0.0)
    save_state(folder, 5, model, FILES, optimizer, {"scale": 2.0}, keep=1)
    file = folder / "state-5/state.json"
    return Reading(file, lambda: load_state(folder, model, optimizer, expected=["scale"]))


def best(folder: Path) -> Reading:
    save_best(folder, 5, 0.5, DualEncoder(CONFIG), FILES)
    return Reading(folder / "best-5/best.json", lambda: best_value(folder))


def token_store(folder: Path) -> Reading:
    (folder / "vocab.txt").write_bytes(VOCABULARY)
    (folder / "collection.tsv").write_text("p1\t\tone\n")
    encoder = load_text_encoder(folder)
    rows = write_store(folder, COLLECTION, folder / "collection.tsv", encoder)
    finish_store(folder, COLLECTION, rows, encoder)
    return Reading(folder / "store.json", lambda: TokenStore(folder, COLLECTION, encoder))


def index_of_weights(folder: Path) -> Reading:
    save_file({"a": np.ones(2, np.float32)}, folder / "part.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text('{"metadata": {}, "weight_map": {"a": "part.safetensors"}}')
    return Reading(index, lambda: read_weights(folder))


def released_config(folder: Path) -> Reading:
    config = ReleasedFixture(folder / "model", "cross").folder / "config.json"
    return Reading(config, lambda: read_released(config))


def released_architecture(folder: Path) -> Reading:
    model = ReleasedFixture(folder / "model", "cross").folder
    architecture = model / "config.ernie.json"
    return Reading(architecture, lambda: read_released(model / "config.json"))


READERS = [
    config_of_checkpoint,
    config_of_trained_model,
    config_of_encoder,
    tokenizer_config,
    manifest_of_checkpoint,
    state,
    best,
    token_store,
    index_of_weights,
    released_config,
    released_architecture,
]
NO_OBJECTS = [b"", b"{", b"[1]", b"null", b'"x"', b'{"a": "\xff"}', b"[" * 100_000, b"1" * 5000]


def refusal(reading: Reading) -> str:
    """Returns the message of the DataError that a reading ends with."""
    with pytest.raises(DataError) as error:
        reading.read()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("reader", READERS)
def test_a_sound_file_is_read(tmp_path, reader):
    reader(tmp_path).read()


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_object_is_refused_with_its_file(tmp_path, reader):
    reading = reader(tmp_path)
    for content in NO_OBJECTS:
        reading.file.write_bytes(content)
        assert refusal(reading).startswith(f"{reading.file}: expected a JSON object"), content


@pytest.mark.parametrize("reader", READERS)
def test_an_empty_object_is_refused_or_has_defaults(tmp_path, reader):
    reading = reader(tmp_path)
    reading.file.write_text("{}")
    if reader is tokenizer_config:
        reading.read()
    else:
        assert refusal(reading).startswith(str(tmp_path))


MODEL = {"model": "DualEncoder", "encoder": CONFIG._asdict()}


@pytest.mark.parametrize(
    "reader, content, expected",
    [
        (config_of_checkpoint, {"model": 5}, "a text for model, got 5"),
        (config_of_checkpoint, {"model": "DualEncoder"}, "an object for encoder, got nothing"),
        (
            config_of_checkpoint,
            MODEL | {"more": 1},
            'only fields that this version knows, got "more',
        ),
        (config_of_trained_model, {"model": "DualEncoder", "encoder": []}, "an object for encoder"),
        (
            config_of_encoder,
            SETTINGS | {"hidden_size": "16"},
            "a whole number for hidden_size, got ",
        ),
        (config_of_encoder, SETTINGS | {"model": ["x"]}, "a text for model, got a list"),
        (tokenizer_config, {"tokenizer_class": 1}, "a text for tokenizer_class, got 1"),
        (tokenizer_config, {"do_lower_case": "yes"}, 'true or false for do_lower_case, got "yes"'),
        (tokenizer_config, {"remove_spaces": 1}, "true or false for remove_spaces, got 1"),
        (manifest_of_checkpoint, {"job": 1}, "an object for job, got 1"),
        (manifest_of_checkpoint, {"job": {"flags": []}}, "an object for job.flags, got a list"),
        (
            manifest_of_checkpoint,
            {"job": {"flags": {"query_length": "16"}}},
            'a whole number for job.flags.query_length, got "16"',
        ),
        (state, {"good": 2}, "a number for scale, got nothing"),
        (state, {"scale": "2"}, 'a number for scale, got "2"'),
        (state, {"scale": [2]}, "a number for scale, got a list"),
        (best, {"step": 5}, "a number for MRR@10, got nothing"),
        (best, {"step": 5, "MRR@10": "high"}, 'a number for MRR@10, got "high"'),
        (
            best,
            {"step": 5, "MRR@10": 1, "MAP": 1},
            'only fields that this version knows, got "MAP"',
        ),
        (token_store, {"kind": "collection"}, "a text for tokenizer, got nothing"),
        (token_store, {"kind": "texts"}, 'collection or queries for kind, got "texts"'),
        (token_store, {"kind": 1}, "a text for kind, got 1"),
        (token_store, {"colour": 1}, 'only fields that this version knows, got "colour"'),
        (index_of_weights, {"weight_map": 1}, "an object for weight_map, got 1"),
        (index_of_weights, {"weight_map": {"a": 1}}, "a text for weight_map.a, got 1"),
        (
            index_of_weights,
            {"weight_map": {"a": "../x"}},
            'the name of a file beside it for "a", got',
        ),
        (
            released_config,
            {"q_max_seq_len": 8, "share_parameter": 2},
            "true or false for share_para",
        ),
        (released_config, {"model_type": 1}, "a text for model_type, got 1"),
        (released_architecture, {"hidden_size": 8.0}, "a whole number for hidden_size, got 8.0"),
    ],
)
def test_a_wrong_field_is_refused_with_its_name(tmp_path, reader, content, expected):
    reading = reader(tmp_path)
    reading.file.write_text(json.dumps(content))
    assert refusal(reading).startswith(f"{reading.file}: expected {expected}")


@pytest.mark.parametrize("rows", [0, -1, "1", None, True, 1.5])
def test_a_store_of_a_wrong_number_of_rows_is_refused(tmp_path, rows):
    reading = token_store(tmp_path)
    summary = json.loads(reading.file.read_text())
    reading.file.write_text(json.dumps(summary | {"rows": rows}))
    assert " for rows, got " in refusal(reading)


@pytest.mark.parametrize("reader", [config_of_encoder, tokenizer_config, index_of_weights])
def test_further_fields_of_others_are_left_alone(tmp_path, reader):
    reading = reader(tmp_path)
    fields = json.loads(reading.file.read_text())
    reading.file.write_text(json.dumps(fields | {"further": [1], "transformers_version": "4"}))
    reading.read()
