"""Released models answer as they did, to 1e-5, and are written back in their layout to the byte."""

import numpy as np
import paddle
import pytest
from paddle import nn
from released_fixture import PACKAGE, TEXTS, ReleasedFixture, contents

from rocketqa.dual_encoder import DualEncoder
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.files.formats import Passage
from rocketqa.text.tokenizer import TextEncoder, text_encoder_of
from rocketqa.weights.checkpoint import save_model, set_weights
from rocketqa.weights.released_models import (
    Released,
    read_checkpoint,
    read_model_of,
    read_released,
    read_variables_alone,
    write_released,
)


def model_of(released: Released) -> tuple[nn.Layer, TextEncoder]:
    """Returns the network with its weights, ready for inference, and its tokenizer."""
    layer = released.kind.layer(released.config)
    set_weights(layer, released.weights, "test")
    layer.eval()
    return layer, text_encoder_of(released.tokenizer_files)


def bytes_of(weights: dict[str, np.ndarray]) -> dict[str, bytes]:
    return {name: value.tobytes() for name, value in weights.items()}


@pytest.mark.parametrize("kind", [kind for kind in PACKAGE if PACKAGE[kind].get("q_max_seq_len")])
def test_a_released_dual_encoder_answers_as_a_slow_twin_in_float64(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    released = read_released(fixture.folder / "config.json")
    model, encoder = model_of(released)
    assert isinstance(model, DualEncoder)
    query, text, title = TEXTS[fixture.chinese]
    queries = encoder.queries([query], released.lengths["query_length"])
    passages = encoder.passages([Passage("1", title, text)], released.lengths["passage_length"])
    with paddle.no_grad():
        q_reps, p_reps = model(pack(queries), pack(passages))
    np.testing.assert_allclose(q_reps.numpy()[0], fixture.query(query), atol=1e-5, rtol=0)
    np.testing.assert_allclose(p_reps.numpy()[0], fixture.passage(text, title), atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [kind for kind in PACKAGE if PACKAGE[kind].get("max_seq_len")])
def test_a_released_cross_encoder_answers_as_a_slow_twin_in_float64(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    released = read_released(fixture.folder / "config.json")
    model, encoder = model_of(released)
    query, text, title = TEXTS[fixture.chinese]
    passage = Passage("1", title, text)
    pairs = pack(encoder.pairs([query], [passage], released.lengths["max_length"]))
    with paddle.no_grad():
        score = model(pairs) if fixture.kind == "joint" else model.probability(pairs)
    assert score.item() == pytest.approx(fixture.score(query, text, title), abs=1e-5)


@pytest.mark.parametrize("kind", PACKAGE)
def test_a_checkpoint_is_written_in_the_released_layout_to_the_byte(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "released", kind)
    released = read_released(fixture.folder / "config.json")
    (tmp_path / "ours").mkdir()
    (tmp_path / "written").mkdir()
    model, _ = model_of(released)
    save_model(tmp_path / "ours", model, released.tokenizer_files)
    ours = read_checkpoint(tmp_path / "ours")
    write_released(tmp_path / "written", ours._replace(lengths=released.lengths))
    expected = contents(fixture.folder / "step_10")
    expected = {name: value for name, value in expected.items() if "_moment1_0" not in name}
    assert contents(tmp_path / "written" / "params") == expected


@pytest.mark.parametrize("kind", PACKAGE)
def test_what_was_written_is_read_back(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "released", kind)
    released = read_released(fixture.folder / "config.json")
    (tmp_path / "written").mkdir()
    (tmp_path / "again").mkdir()
    write_released(tmp_path / "written", released)
    found = read_released(tmp_path / "written" / "config.json")
    assert found.kind == released.kind
    assert found.config == released.config
    assert found.lengths == released.lengths
    assert found.tokenizer_files == released.tokenizer_files
    assert bytes_of(found.weights) == bytes_of(released.weights)
    write_released(tmp_path / "again", found)
    assert contents(tmp_path / "again") == contents(tmp_path / "written")


@pytest.mark.parametrize("kind", ["separate", "shared", "cross", "joint"])
def test_variables_alone_tell_their_architecture(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "released", kind)
    expected = read_released(fixture.folder / "config.json")
    found = read_variables_alone(fixture.folder / "step_10", fixture.folder / "vocab.txt")
    assert found.kind == expected.kind
    # A head of ERNIE 2.0 has 64 numbers, one of the small fixture 4.
    assert found.config._replace(num_attention_heads=2) == expected.config
    assert bytes_of(found.weights) == bytes_of(expected.weights)


def test_a_folder_without_variables_is_refused(tmp_path):
    with pytest.raises(DataError, match="expected one of the variables query_word_.*, got none"):
        read_variables_alone(tmp_path, tmp_path / "vocab.txt")
    (tmp_path / "_cls_out_w").write_bytes(b"")
    with pytest.raises(DataError, match="word_embedding: expected a variable, got nothing there"):
        read_variables_alone(tmp_path, tmp_path / "vocab.txt")


def test_what_the_released_package_cannot_read_is_not_written(tmp_path):
    released = read_released(ReleasedFixture(tmp_path / "model", "cross").folder / "config.json")
    config = released.config
    other_epsilon = released._replace(config=config._replace(layer_norm_eps=1e-12))
    other_size = released._replace(config=config._replace(intermediate_size=9))
    other_vector = released._replace(config=config._replace(representation="mean"))
    cosine = released._replace(config=config.with_similarity("cosine", None))
    other_vocabulary = released._replace(tokenizer_files={"spm.model": b""})
    cased = released._replace(
        tokenizer_files=released.tokenizer_files
        | {"tokenizer_config.json": b'{"do_lower_case": false}'}
    )
    for changed, expected in (
        (other_epsilon, "layer_norm_eps 1e-05, which all released models have, got 1e-12"),
        (other_size, "intermediate_size 32, .* got 9"),
        (other_vector, "representation first, .* got mean"),
        (cosine, "similarity dot, .* got cosine"),
        (other_vocabulary, "a vocabulary vocab.txt, .* got None"),
        (cased, "do_lower_case True, .* got False"),
    ):
        with pytest.raises(DataError, match=expected):
            write_released(tmp_path / "out", changed)
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_has_the_lengths_of_its_training_else_the_papers(tmp_path):
    released = read_released(ReleasedFixture(tmp_path / "model", "cross").folder / "config.json")
    model, _ = model_of(released)
    save_model(tmp_path, model, released.tokenizer_files)
    assert read_model_of(tmp_path / "config.json").lengths == {"max_length": 160}
    (tmp_path / "meta.json").write_text('{"job": {"flags": {"max_length": 99, "seed": 1}}}')
    assert read_model_of(tmp_path / "config.json").lengths == {"max_length": 99}
    assert "meta.json" not in read_checkpoint(tmp_path).tokenizer_files
