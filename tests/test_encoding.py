"""Shards are written once, ids beside vectors; tokens that were made on the way are not left
behind.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from damage import DAMAGES, flip
from toy_files import write_tiny_flight

from rocketqa.distributed.watchdog import Workspace
from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.inference.encoding import TOKENS, encode
from rocketqa.inference.encoding_plan import EncodingSettings, Part
from rocketqa.jobs.pieces import NOTES
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
def test_all_rows_are_encoded_and_their_tokens_stay_until_the_job_is_done(folder, tmp_path, kind):
    counts = encode(settings(folder, kind), Workspace(tmp_path, ALONE), "out")
    shards = sorted(tmp_path.glob("vectors.*.npy"))
    counts.pop("cut")
    assert counts == {"rows": 40, "shards": len(shards)}
    assert len(shards) == (8 if kind == COLLECTION else 1)
    assert sum(len(np.load(shard)) for shard in shards) == 40
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith("vectors.")}
    assert left == {NOTES, TOKENS}


def test_texts_that_were_cut_are_counted_in_each_part(folder, tmp_path):
    # Passage i has 3 + i % 6 words, a title of one token and 3 special tokens: 7 to 12 tokens.
    lengths = [7 + i % 6 for i in range(40)]
    parts = []
    for number in (1, 2):
        part = tmp_path / str(number)
        part.mkdir()
        changed = {"max_length": 10, "part": Part(number, 2)}
        parts.append(encode(settings(folder, **changed), Workspace(part, ALONE), "out"))
    assert sum(counts["cut"]["texts"] for counts in parts) == 40
    cut = [length - 10 for length in lengths if length > 10]
    assert sum(counts["cut"]["texts_cut"] for counts in parts) == len(cut)
    assert sum(counts["cut"]["tokens_cut"] for counts in parts) == sum(cut)
    assert sum(counts["cut"]["tokens"] for counts in parts) == sum(lengths)
    assert max(counts["cut"]["longest"] for counts in parts) == 12


def test_a_finished_shard_is_not_encoded_again(folder, tmp_path):
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    finished = tmp_path / "vectors.00003.npy"
    missing = tmp_path / "vectors.00004.npy"
    content = missing.read_bytes()
    written = finished.stat().st_mtime_ns
    missing.unlink()
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    assert finished.stat().st_mtime_ns == written
    assert missing.read_bytes() == content


@pytest.mark.parametrize("file", ["vectors.00003.npy", "vectors.00003.ids"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_shard_is_encoded_again(folder, tmp_path, file, damage):
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    content = (tmp_path / file).read_bytes()
    damage(tmp_path / file)
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    assert (tmp_path / file).read_bytes() == content


def test_damaged_tokens_are_made_again(folder, tmp_path):
    encode(settings(folder), Workspace(tmp_path, ALONE), "out")
    for name in ("texts.00000.npy", "store.json", ".digests/ids.00000.ends.npy"):
        files = {path: path.read_bytes() for path in (tmp_path / ".tokens").glob("*.npy")}
        flip(tmp_path / ".tokens" / name)
        encode(settings(folder), Workspace(tmp_path, ALONE), "out")
        assert {path: path.read_bytes() for path in files} == files
