"""Checkpoints as model folders that transformers, sentence-transformers and PaddleNLP load.

    query_encoder/, passage_encoder/    of a dual encoder: a BertModel each
    the folder itself                   of a cross encoder: a BertForSequenceClassification

Each tower has its own weights, and a BertModel holds one encoder: a dual encoder becomes two
folders. A folder has `config.json`, `model.safetensors`, `vocab.txt` and `tokenizer_config.json`; a
tower has the files of sentence-transformers, too: pooling, length and similarity, with
`2_Normalize` where it is the cosine.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from paddle import nn
from safetensors.numpy import save_file

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import TOWERS, DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.files.errors import DataError
from rocketqa.files.json_files import JsonObject, read_json_object
from rocketqa.text.tokenizer import SETTINGS, VOCABULARY, WORDPIECE_CLASSES
from rocketqa.text.wordpiece import SPECIAL_TOKENS
from rocketqa.weights.bert_layout import Weights, bert_settings, bert_weights
from rocketqa.weights.checkpoint import WEIGHTS, load_model
from rocketqa.weights.config_files import CONFIG, class_of_checkpoint, config_of_checkpoint
from rocketqa.weights.model_kinds import checkpoint_settings

# transformers refuses a file that does not say whose tensors it holds.
METADATA = {"format": "pt"}
LENGTH_OF = dict(zip(TOWERS, ("query_length", "passage_length")))
LABELS = ("not relevant", "relevant")
# Options of BERT's tokenizer that decide its tokens, with transformers' defaults.
TOKENIZER_OPTIONS = {"do_lower_case": True, "strip_accents": None, "tokenize_chinese_chars": True}
POOLING_FOLDER = "1_Pooling"
MODULES = (
    ("", "sentence_transformers.models.Transformer"),
    (POOLING_FOLDER, "sentence_transformers.models.Pooling"),
)
NORMALIZE = ("2_Normalize", "sentence_transformers.models.Normalize")


class VocabularyFiles(NamedTuple):
    """What a folder says about texts: the bytes of `vocab.txt`, and options of the tokenizer."""

    vocabulary: bytes
    options: dict[str, object]

    @property
    def pad_id(self) -> int:
        """The id of [PAD], which fills up rows."""
        return self.vocabulary.split(b"\n").index(SPECIAL_TOKENS[0].encode())


def export_huggingface(checkpoint: Path, folder: Path, lengths: Mapping[str, int]) -> None:
    """Writes the folders of a dual encoder, or the folder of a cross encoder.

    lengths: by the flags of the training, such as "query_length". Raises DataError, before anything
    is written, where BERT's layout cannot hold the model.
    """
    settings = checkpoint_settings(checkpoint, DualEncoder.__name__, CrossEncoder.__name__)
    config = config_of_checkpoint(settings)
    is_cross_encoder = class_of_checkpoint(settings) == CrossEncoder.__name__
    if is_cross_encoder and config.representation != "first":
        raise DataError(
            f"{checkpoint}: expected a cross encoder that reads the first token, as BERT's does, "
            f"got representation {config.representation}"
        )
    files = vocabulary_files(checkpoint)
    if is_cross_encoder:
        cross_encoder, _ = load_model(checkpoint, CrossEncoder)
        write_cross_encoder(cross_encoder, files, folder, lengths["max_length"])
        return
    model, _ = load_model(checkpoint, DualEncoder)
    for tower in TOWERS:
        length = lengths[LENGTH_OF[tower]]
        write_tower(getattr(model, tower), files, folder / tower, length)


def write_tower(tower: nn.Layer, files: VocabularyFiles, folder: Path, length: int) -> None:
    """Writes one encoder of a dual encoder as a BertModel, with sentence-transformers' files."""
    config = tower.config
    folder.mkdir(exist_ok=True)
    save_file(bert_weights(weights_of(tower)), folder / WEIGHTS, METADATA)
    write_json(folder / CONFIG, bert_settings(config, "BertModel", files.pad_id))
    write_tokenizer(folder, files, length)
    write_sentence_transformer(folder, config, length)


def write_cross_encoder(
    model: CrossEncoder, files: VocabularyFiles, folder: Path, length: int
) -> None:
    """Writes a cross encoder as a BertForSequenceClassification of two labels.

    Both networks are the same, the pooler included: tanh of a dense layer on the first token.
    """
    weights = {}
    for name, value in bert_weights(weights_of(model.ernie)).items():
        weights[f"bert.{name}"] = value
    head = weights_of(model.classifier)  # [H, 2], [2]
    weights |= bert_weights({f"classifier.{name}": value for name, value in head.items()})
    save_file(weights, folder / WEIGHTS, METADATA)
    settings = bert_settings(model.config, "BertForSequenceClassification", files.pad_id)
    settings["id2label"] = {str(number): label for number, label in enumerate(LABELS)}
    settings["label2id"] = {label: number for number, label in enumerate(LABELS)}
    write_json(folder / CONFIG, settings)
    write_tokenizer(folder, files, length)


def write_sentence_transformer(folder: Path, config: ErnieConfig, length: int) -> None:
    """Writes what sentence-transformers reads beside a BertModel."""
    modules = []
    is_cosine = config.similarity == "cosine"
    for number, (path, kind) in enumerate((*MODULES, NORMALIZE) if is_cosine else MODULES):
        modules.append({"idx": number, "name": str(number), "path": path, "type": kind})
    write_json(folder / "modules.json", modules)
    transformer = {
        "max_seq_length": length,
        "do_lower_case": False,  # the tokenizer lower-cases where the vocabulary is of such words
        # The vector is not pooled by a dense layer. Without this line an untrained one is drawn.
        "model_args": {"add_pooling_layer": False},
    }
    write_json(folder / "sentence_bert_config.json", transformer)
    pooling = {
        "word_embedding_dimension": config.hidden_size,
        "pooling_mode_cls_token": config.representation == "first",
        "pooling_mode_mean_tokens": config.representation == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (folder / POOLING_FOLDER).mkdir(exist_ok=True)
    write_json(folder / POOLING_FOLDER / CONFIG, pooling)
    write_json(
        folder / "config_sentence_transformers.json", {"similarity_fn_name": config.similarity}
    )


def write_tokenizer(folder: Path, files: VocabularyFiles, length: int) -> None:
    """Writes the vocabulary, and the tokenizer's options with the length that it cuts texts to."""
    (folder / VOCABULARY).write_bytes(files.vocabulary)
    options = {"tokenizer_class": "BertTokenizer", "model_max_length": length} | files.options
    write_json(folder / SETTINGS, options)


def vocabulary_files(checkpoint: Path) -> VocabularyFiles:
    """Returns what a checkpoint's tokenizer is made of.

    Prints a line where texts have to be changed before other libraries read them. Raises DataError
    where the tokenizer is not WordPiece.
    """
    settings = JsonObject({}, checkpoint / SETTINGS)
    if (checkpoint / SETTINGS).is_file():
        settings = read_json_object(checkpoint / SETTINGS)
    class_name = settings.fields.get("tokenizer_class") or WORDPIECE_CLASSES[0]
    is_wordpiece = str(class_name).removesuffix("Fast") in WORDPIECE_CLASSES
    if not is_wordpiece or not (checkpoint / VOCABULARY).is_file():
        got = class_name if not is_wordpiece else f"none ({VOCABULARY} is missing)"
        raise DataError(f"{checkpoint}: expected a WordPiece tokenizer, as BERT's is, got {got}")
    options = {}
    for name, default in TOKENIZER_OPTIONS.items():
        value = settings.fields.get(name)
        options[name] = default if value is None else value
    if settings.get("remove_spaces", bool, False):
        options["remove_spaces"] = True  # for our own reader: other libraries ignore it
        print(
            f"{checkpoint}: its tokenizer removes all blanks from a text. Other libraries do not: "
            "remove them before you pass a text",
            file=sys.stderr,
        )
    return VocabularyFiles((checkpoint / VOCABULARY).read_bytes(), options)


def weights_of(layer: nn.Layer) -> Weights:
    """Returns the weights of a layer as arrays, by their names in it."""
    return {name: value.numpy() for name, value in layer.state_dict().items()}


def write_json(path: Path, content: object) -> None:
    """Writes a small JSON file."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
