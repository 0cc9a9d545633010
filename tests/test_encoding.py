"""Shards are written once, ids beside vectors; tokens that were made on the way are not left
behind.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from toy_files import write_tiny_flight

from rocketqa.distributed.watchdog import Workspace
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.inference.encoding import encode
from rocketqa.inference.encoding_plan import EncodingSettings
from rocketqa.text.token_store import COLLECTION, QUERIES
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.pretrained import load_pretrained

ALONE = SimpleNamespace(barrier=lambda: None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with an untrained dual encoder, a collection and queries of 40 each."""
    folder = tmp_path_factory.mktemp("encoding")
    write_tiny_flight(folder)
    start = load_pretrained(folder / "init")
    assert isinstance(start.config, ErnieConfig)
    model = DualEncoder(start.config)
    set_weights(model, DualEncoder.from_encoder_weights(start.weights), "init")
    (folder / "dual").mkdir()
    save_model(folder / "dual", model, start.tokenizer_files)
    return folder


def settings(folder, kind=COLLECTION, **changed) -> EncodingSettings:
    source = folder / ("collection.tsv" if kind == COLLECTION else "queries.tsv")
    given = {"max_length": 20, "batch_tokens": 40, "checkpoint": folder / "dual"}
    return EncodingSettings(kind=kind, source=source, **(given | changed))


@pytest.mark.parametrize("kind", [COLLECTION, QUERIES])
def test_all_rows_are_encoded_and_nothing_else_is_left(folder, tmp_path, kind):
    counts = encode(settings(folder, kind), Workspace(tmp_path, ALONE), "out")
    shards = sorted(tmp_path.glob("vectors.*.npy"))
    assert counts == {"rows": 40, "shards": len(shards)}
    assert len(shards) == (8 if kind == COLLECTION else 1)
    assert sum(len(np.load(shard)) for shard in shards) == 40
    assert {path.name.split(".")[0] for path in tmp_path.iterdir()} == {"vectors"}


def test_a_finished_shard_is_not_encoded_again(folder, tmp_path):
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    marked = tmp_path / "vectors.00003.npy"
    missing = tmp_path / "vectors.00004.npy"
    content = missing.read_bytes()
    marked.write_bytes(b"finished before")
    missing.unlink()
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    assert marked.read_bytes() == b"finished before"
    assert missing.read_bytes() == content
