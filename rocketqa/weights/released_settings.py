"""The text files of a released model: its `config.json`, its architecture and its vocabulary.

    config.json     model_type, lengths, and the paths of the other files: model_conf_path,
                    model_vocab_path, model_checkpoint_path (a folder of variables)
    a JSON file     the architecture, as ERNIE's `ernie_config.json`
    a vocabulary    a word a line; in ERNIE 1.0's also its index after a tab

Switches in config.json: `for_cn` removes the spaces from texts, `share_parameter` means one encoder
for queries and passages, `joint_training` means a re-ranker of RocketQAv2. All released networks
have epsilon 1e-5 and an inner size of 4 H.
"""

import json
from pathlib import Path

from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object
from rocketqa.weights.released_layout import KINDS, Kind

VOCABULARY = "vocab.txt"
TOKENIZER = "tokenizer_config.json"
EPSILON = 1e-5
INNER_SIZES = 4  # intermediate size in hidden sizes
TASK_TYPES = 16  # where the architecture names no number
ACTIVATIONS = ("gelu", "relu")
SHORTEST_LENGTH = 8  # tokens


def kind_of(settings: JsonObject) -> Kind:
    """Returns the kind of network that a released `config.json` describes: its lengths tell."""
    is_dual = "q_max_seq_len" in settings
    expected_type = "dual_encoder" if is_dual else "cross_encoder"
    model_type = settings.get("model_type", str, expected_type)
    if model_type != expected_type:
        raise settings.wrong_value("model_type", f"{expected_type} (it has its lengths)")
    if is_dual:
        return KINDS["shared"] if settings.switch("share_parameter") else KINDS["dual_encoder"]
    return KINDS["joint"] if settings.switch("joint_training") else KINDS["cross_encoder"]


def path_in(settings: JsonObject, name: str) -> str:
    """Returns a path in a released `config.json`, relative to its folder."""
    path = settings.require(name, str)
    if not path:
        raise settings.wrong_value(name, "a path")
    return path


def lengths_of(settings: JsonObject, kind: Kind, config: ErnieConfig) -> dict[str, int]:
    """Returns the lengths in a released `config.json` by our names, in tokens."""
    lengths = {ours: settings.positive(released) for released, ours in kind.length_fields.items()}
    longest = config.max_position_embeddings
    if not all(SHORTEST_LENGTH <= length <= longest for length in lengths.values()):
        raise settings.fault(f"lengths of {SHORTEST_LENGTH} to {longest}", str(lengths))
    return lengths


def read_architecture(path: Path) -> ErnieConfig:
    """Returns the architecture that a released `ernie_config.json` describes.

    Raises DataError where a field is missing, wrong, or of a network that the released package does
    not have.
    """
    settings = read_json_object(path)
    hidden_size = settings.positive("hidden_size")
    heads = settings.positive("num_attention_heads")
    activation = settings.require("hidden_act", str)
    if activation not in ACTIVATIONS:
        raise settings.wrong_value("hidden_act", " or ".join(ACTIVATIONS))
    if hidden_size % heads:
        raise settings.fault(f"a hidden_size for {heads} heads", str(hidden_size))
    task_types = TASK_TYPES
    if "task_type_vocab_size" in settings:
        task_types = settings.positive("task_type_vocab_size")
    return ErnieConfig(
        vocab_size=settings.positive("vocab_size"),
        hidden_size=hidden_size,
        num_hidden_layers=settings.positive("num_hidden_layers"),
        num_attention_heads=heads,
        intermediate_size=INNER_SIZES * hidden_size,
        hidden_act=activation,
        hidden_dropout_prob=_probability(settings, "hidden_dropout_prob"),
        attention_probs_dropout_prob=_probability(settings, "attention_probs_dropout_prob"),
        max_position_embeddings=settings.positive("max_position_embeddings"),
        type_vocab_size=_type_vocab_size(settings),
        use_task_id=settings.switch("use_task_id"),
        task_type_vocab_size=task_types,
        layer_norm_eps=EPSILON,
    )


def _probability(settings: JsonObject, name: str) -> float:
    value = settings.number(name)
    if not 0 <= value < 1:
        raise settings.wrong_value(name, "a number from 0 to below 1")
    return value


def _type_vocab_size(settings: JsonObject) -> int:
    """Returns the number of token types, which ERNIE 2.0 and ERNIE 1.0 name differently."""
    if settings.fields.get("sent_type_vocab_size"):
        return settings.positive("sent_type_vocab_size")
    return settings.positive("type_vocab_size")


def tokenizer_files(vocabulary: Path, config: ErnieConfig, remove_spaces: bool) -> dict[str, bytes]:
    """Returns our tokenizer's files, name -> content, for a released vocabulary.

    remove_spaces: as the released code does for Chinese. Raises DataError where the vocabulary is
    missing, damaged, or larger than the encoder's.
    """
    words = _words_of(vocabulary)
    if len(words) > config.vocab_size:
        raise DataError(
            f"{vocabulary}: expected at most vocab_size {config.vocab_size} words, got {len(words)}"
        )
    files = {VOCABULARY: "".join(f"{word}\n" for word in words).encode()}
    if remove_spaces:
        settings = json.dumps({"do_lower_case": True, "remove_spaces": True})
        files[TOKENIZER] = f"{settings}\n".encode()
    return files


def _words_of(vocabulary: Path) -> list[str]:
    """Returns the words of a vocabulary in the order of their indices."""
    if not vocabulary.is_file():
        raise DataError(f"{vocabulary}: expected a vocabulary, got nothing there")
    try:
        content = vocabulary.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{vocabulary}: expected UTF-8, got {error.reason}") from None
    lines = [line.split("\t") for line in content.removesuffix("\n").split("\n")]
    if all(len(columns) == 2 and columns[1].strip().isdecimal() for columns in lines):
        lines.sort(key=lambda columns: int(columns[1]))
        indices = [int(columns[1]) for columns in lines]
        if indices != list(range(len(lines))):
            raise DataError(
                f"{vocabulary}: expected each index from 0 to {len(lines) - 1} once, got others"
            )
    return [columns[0] for columns in lines]
