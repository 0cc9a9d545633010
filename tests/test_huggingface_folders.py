"""Exported model folders answer as their checkpoint: by a slow BERT, PaddleNLP, transformers and
sentence-transformers.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from bert_fixture import SlowBert
from exported_graphs import write_checkpoint
from paddlenlp_ernie import padded_batch
from safetensors import safe_open
from safetensors.numpy import load_file

from rocketqa.cli.__main__ import main as rocketqa
from rocketqa.cross_encoder import CrossEncoder
from rocketqa.dual_encoder import TOWERS, DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import load_text_encoder
from rocketqa.weights.pretrained import load_pretrained

LETTERS = "abcdefghijklmnopqrstuvwxyz"
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-", *LETTERS, *(f"##{each}" for each in LETTERS)]
QUERIES = ["what is it", "Who", "a very long query, longer than it may be"]
PASSAGES = [
    Passage("p1", "Title", "text of it, which is cut because it is too long"),
    Passage("p2", "", "a text without a title"),
    Passage("p3", "Two words", "short"),
]
LENGTHS = {"query_length": 12, "passage_length": 28, "max_length": 30}
TOLERANCE = {"rtol": 0, "atol": 1e-5}
NO_POOLER = {"pooler.dense.weight": np.zeros((16, 16)), "pooler.dense.bias": np.zeros(16)}
# The Python that has sentence-transformers: the extra `bench`, best in its own environment.
PEERS_PYTHON = os.environ.get("PEERS_PYTHON", sys.executable)


def write_model(folder: Path, model_class, config):
    """Writes and returns a checkpoint that tells the lengths of its training."""
    model = write_checkpoint(folder, model_class, config)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    manifest = {"job": {"verb": "train", "flags": LENGTHS, "inputs": {}}}
    (folder / "meta.json").write_text(json.dumps(manifest))
    return model


def export(checkpoint: Path, output: Path, *flags: str) -> int:
    words = ["export", "--format", "huggingface", "--checkpoint", checkpoint, "--output", output]
    return rocketqa([str(word) for word in (*words, *flags)])


@pytest.fixture
def bert_like(tiny_config):
    """The architecture that the slow BERT has."""
    return tiny_config._replace(num_hidden_layers=2, layer_norm_eps=1e-6)


@pytest.mark.parametrize("use_task_id", [False, True])
def test_both_towers_give_the_vectors_of_a_slow_bert(tmp_path, bert_like, random_rows, use_task_id):
    config = bert_like._replace(use_task_id=use_task_id)
    model = write_model(tmp_path / "model", DualEncoder, config)
    assert export(tmp_path / "model", tmp_path / "out") == 0
    rows = random_rows(6, longest=32)
    for tower in TOWERS:
        weights = load_file(tmp_path / "out" / tower / "model.safetensors")
        assert not any(name.startswith("pooler.") for name in weights)
        with safe_open(tmp_path / "out" / tower / "model.safetensors", "np") as file:
            assert file.metadata() == {"format": "pt"}  # without it transformers refuses the file
        slow = SlowBert(weights | NO_POOLER)
        found = [slow.answer(*row)[0] for row in rows]
        expected = getattr(model, tower)(pack(rows)).numpy()
        np.testing.assert_allclose(found, expected, **TOLERANCE)


def test_a_cross_encoder_gives_the_probabilities_of_a_slow_bert(tmp_path, bert_like, random_rows):
    model = write_model(tmp_path / "model", CrossEncoder, bert_like)
    assert export(tmp_path / "model", tmp_path / "out") == 0
    weights = load_file(tmp_path / "out" / "model.safetensors")
    slow = SlowBert({name.removeprefix("bert."): value for name, value in weights.items()})
    rows = random_rows(6, longest=32)
    expected = model.probability(pack(rows)).numpy()
    assert expected.std() > 1e-3
    for row, probability in zip(rows, expected):
        _, pooled = slow.answer(*row)
        logits = slow.dense(pooled, "classifier")
        assert 1 / (1 + np.exp(logits[0] - logits[1])) == pytest.approx(probability, abs=1e-5)


def test_init_takes_the_folders_back_with_every_bit(tmp_path, tiny_config):
    dual = write_model(tmp_path / "dual", DualEncoder, tiny_config)
    cross = write_model(tmp_path / "cross", CrossEncoder, tiny_config)
    assert export(tmp_path / "dual", tmp_path / "towers") == 0
    assert export(tmp_path / "cross", tmp_path / "pairs") == 0
    encoders = {tmp_path / "towers" / tower: getattr(dual, tower) for tower in TOWERS}
    encoders[tmp_path / "pairs"] = cross.ernie
    for folder, encoder in encoders.items():
        found = load_pretrained(folder)
        assert found.config == tiny_config
        weights = {name: value.numpy() for name, value in encoder.state_dict().items()}
        assert found.weights.keys() == weights.keys()
        for name, value in weights.items():
            assert found.weights[name].tobytes() == value.tobytes(), name
        assert load_text_encoder(folder).digest == load_text_encoder(tmp_path / "dual").digest
    head = load_file(tmp_path / "pairs" / "model.safetensors")
    assert (head["classifier.weight"].T == cross.classifier.weight.numpy()).all()
    assert (head["classifier.bias"] == cross.classifier.bias.numpy()).all()


@pytest.mark.parametrize(
    ("representation", "mode"),
    [("first", "pooling_mode_cls_token"), ("mean", "pooling_mode_mean_tokens")],
)
def test_a_tower_tells_sentence_transformers_its_pooling_and_length(
    tmp_path, tiny_config, representation, mode
):
    config = tiny_config._replace(representation=representation)
    write_model(tmp_path / "model", DualEncoder, config)
    assert export(tmp_path / "model", tmp_path / "out") == 0
    for tower, length in zip(TOWERS, (12, 28)):
        folder = tmp_path / "out" / tower
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text())
        assert [name for name, value in pooling.items() if value is True] == [mode]
        assert pooling["word_embedding_dimension"] == 16
        transformer = json.loads((folder / "sentence_bert_config.json").read_text())
        assert transformer["max_seq_length"] == length
        assert transformer["model_args"] == {"add_pooling_layer": False}
        modules = json.loads((folder / "modules.json").read_text())
        assert [module["path"] for module in modules] == ["", "1_Pooling"]
        general = json.loads((folder / "config_sentence_transformers.json").read_text())
        assert general["similarity_fn_name"] == "dot"
        tokenizer = json.loads((folder / "tokenizer_config.json").read_text())
        assert tokenizer["model_max_length"] == length


def test_a_cosine_encoder_tells_sentence_transformers_to_normalise(tmp_path, tiny_config):
    config = tiny_config.with_similarity("cosine", None)
    write_model(tmp_path / "model", DualEncoder, config)
    assert export(tmp_path / "model", tmp_path / "out") == 0
    for tower in TOWERS:
        folder = tmp_path / "out" / tower
        modules = json.loads((folder / "modules.json").read_text())
        assert modules[2]["type"] == "sentence_transformers.models.Normalize"
        general = json.loads((folder / "config_sentence_transformers.json").read_text())
        assert general["similarity_fn_name"] == "cosine"
        assert load_pretrained(folder, "DualEncoder").config.similarity == "cosine"


def test_the_best_model_has_the_lengths_of_its_training(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", CrossEncoder, tiny_config)
    shutil.copytree(tmp_path / "model", tmp_path / "model" / "best")
    (tmp_path / "model" / "best" / "meta.json").unlink()
    assert export(tmp_path / "model" / "best", tmp_path / "out") == 0
    assert capsys.readouterr().err == ""
    flags = json.loads((tmp_path / "out" / "meta.json").read_text())["job"]["flags"]
    assert flags == {"format": "huggingface", "max_length": 30}


def test_a_length_that_no_manifest_tells_is_said(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", CrossEncoder, tiny_config)
    (tmp_path / "model" / "meta.json").unlink()
    assert export(tmp_path / "model", tmp_path / "out") == 0
    assert capsys.readouterr().err == (
        f"{tmp_path}/model: no manifest tells its --max-length: the folder says 160, the default\n"
    )
    read = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert read["model_max_length"] == 160


def test_a_finished_export_is_not_made_again_unless_a_length_changes(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", DualEncoder, tiny_config)
    assert export(tmp_path / "model", tmp_path / "out", "--check") == 3
    assert export(tmp_path / "model", tmp_path / "out") == 0
    capsys.readouterr()
    assert export(tmp_path / "model", tmp_path / "out") == 0
    assert capsys.readouterr().err == f"{tmp_path}/out: up to date\n"
    (tmp_path / "model" / "meta.json").unlink()
    assert export(tmp_path / "model", tmp_path / "out", "--check") == 3


def test_a_tokenizer_that_bert_does_not_have_is_refused(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", DualEncoder, tiny_config)
    settings = {"tokenizer_class": "ErnieTinyTokenizer"}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    assert export(tmp_path / "model", tmp_path / "out") == 2
    assert capsys.readouterr().err == (
        f"rocketqa export: {tmp_path}/model: expected a WordPiece tokenizer, as BERT's is, "
        "got ErnieTinyTokenizer\n"
    )
    assert not list(tmp_path.glob("out*"))


def test_a_cross_encoder_of_the_mean_is_refused(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", CrossEncoder, tiny_config._replace(representation="mean"))
    assert export(tmp_path / "model", tmp_path / "out") == 2
    assert "that reads the first token, as BERT's does, got representation mean" in (
        capsys.readouterr().err
    )
    assert not list(tmp_path.glob("out*"))


def test_blanks_that_other_libraries_keep_are_said(tmp_path, tiny_config, capsys):
    write_model(tmp_path / "model", CrossEncoder, tiny_config)
    settings = {"remove_spaces": True, "do_lower_case": False}
    (tmp_path / "model" / "tokenizer_config.json").write_text(json.dumps(settings))
    assert export(tmp_path / "model", tmp_path / "out") == 0
    assert "its tokenizer removes all blanks from a text" in capsys.readouterr().err
    found = load_text_encoder(tmp_path / "out")
    assert found.digest == load_text_encoder(tmp_path / "model").digest


def test_paddlenlp_gives_the_vectors_of_the_checkpoint(tmp_path, tiny_config, random_rows):
    transformers = pytest.importorskip("paddlenlp.transformers", reason="PaddleNLP is missing")
    model = write_model(tmp_path / "model", DualEncoder, tiny_config._replace(layer_norm_eps=1e-3))
    assert export(tmp_path / "model", tmp_path / "out") == 0
    rows = random_rows(6, longest=32)
    for tower in TOWERS:
        folder = str(tmp_path / "out" / tower)
        peer = transformers.AutoModel.from_pretrained(folder, convert_from_torch=True)
        peer.eval()
        hidden, _ = peer(*padded_batch(rows))  # [N, L, H]
        expected = getattr(model, tower)(pack(rows)).numpy()
        np.testing.assert_allclose(hidden[:, 0].numpy(), expected, **TOLERANCE)


def test_transformers_and_sentence_transformers_answer_as_the_checkpoints(tmp_path, tiny_config):
    asked = [PEERS_PYTHON, "-c", "import sentence_transformers"]
    if subprocess.run(asked, capture_output=True).returncode:
        pytest.skip(f"{PEERS_PYTHON} has no sentence-transformers: name one in PEERS_PYTHON")
    expected = {}
    for representation, similarity in (("first", "dot"), ("mean", "cosine")):
        config = tiny_config._replace(representation=representation)
        config = config.with_similarity(similarity, None)
        model = write_model(tmp_path / f"model.{representation}", DualEncoder, config)
        assert export(tmp_path / f"model.{representation}", tmp_path / representation) == 0
        encoder = load_text_encoder(tmp_path / f"model.{representation}")
        rows = encoder.queries(QUERIES, 12), encoder.passages(PASSAGES, 28)
        for tower, tower_rows in zip(TOWERS, rows):
            vectors = getattr(model, tower)(pack(tower_rows))
            expected[f"{representation}/{tower}"] = vectors.numpy()
    cross_encoder = write_model(tmp_path / "model", CrossEncoder, tiny_config)
    assert export(tmp_path / "model", tmp_path / "cross") == 0
    pairs = load_text_encoder(tmp_path / "model").pairs(QUERIES, PASSAGES, 30)
    expected["cross"] = cross_encoder.probability(pack(pairs)).numpy()
    answers = answers_of_peers(tmp_path)
    assert len(answers) == 2 * len(expected)
    for name, answer in answers.items():
        _, model_name = name.split()
        np.testing.assert_allclose(answer, expected[model_name], **TOLERANCE)


def answers_of_peers(folder: Path) -> dict[str, np.ndarray]:
    """Returns what the other libraries answer with the exports in a folder."""
    passages = [[passage.title, passage.text] for passage in PASSAGES]
    texts = {"queries": QUERIES, "passages": passages}
    (folder / "texts.json").write_text(json.dumps(texts))
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    script = str(Path(__file__).with_name("peers_of_exports.py"))
    words = [PEERS_PYTHON, script, str(folder)]
    subprocess.run(words, check=True, env=environment | {"HF_HUB_OFFLINE": "1"})
    return dict(np.load(folder / "answers.npz"))
