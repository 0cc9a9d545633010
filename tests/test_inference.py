"""The inference path gives the model's own numbers, whatever the batch."""

import numpy as np
import paddle
import pytest

from rocketqa.cross_encoder import CrossEncoder
from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import Ernie, initial_weights
from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.inference import engine as inference
from rocketqa.inference.engine import FEWEST_BATCHES, Engine
from rocketqa.text.tokenizer import Encoding

CONFIG = ErnieConfig(
    vocab_size=50,
    hidden_size=24,
    num_hidden_layers=3,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=40,
    initializer_range=0.3,
)


def rows_of(*lengths: int) -> list[Encoding]:
    drawing = np.random.default_rng(len(lengths))
    return [
        Encoding(
            drawing.integers(0, 50, length), (np.arange(length) > length // 2).astype(np.int64)
        )
        for length in lengths
    ]


def tower(config: ErnieConfig = CONFIG) -> Ernie:
    model = Ernie(config, with_pooler=False)
    model.set_state_dict(
        {name: paddle.to_tensor(value) for name, value in initial_weights(config, 1).items()}
    )
    model.eval()
    return model


def cross_encoder() -> CrossEncoder:
    model, drawing = CrossEncoder(CONFIG), np.random.default_rng(2)
    for parameter in model.parameters():
        parameter.set_value(drawing.normal(0, 0.3, parameter.shape).astype(np.float32))
    model.eval()
    return model


@pytest.mark.parametrize(
    "config",
    [
        CONFIG,
        CONFIG._replace(use_task_id=True, hidden_act="relu"),
        CONFIG._replace(num_hidden_layers=1),
        CONFIG._replace(representation="mean"),
    ],
)
def test_vectors_are_those_of_the_model(config):
    model = tower(config)
    engine = Engine(model)
    for lengths in ((7,), (2, 40, 3, 3, 17), tuple(range(2, 30))):
        rows = rows_of(*lengths)
        with paddle.no_grad():
            expected = model(pack(rows)).numpy()
        found = engine(rows)
        assert found.shape == (len(lengths), 24) and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def test_probabilities_are_those_of_the_cross_encoder():
    model, rows = cross_encoder(), rows_of(5, 30, 12, 12)
    with paddle.no_grad():
        expected = model.probability(pack(rows)).numpy()
    assert len(set(expected.round(4))) == 4
    np.testing.assert_allclose(Engine(model)(rows), expected, rtol=0, atol=1e-5)


def test_the_same_batch_gives_the_same_bytes():
    engine, rows = Engine(tower()), rows_of(9, 20, 31)
    first = engine(rows).tobytes()
    engine(rows_of(4, 4))
    assert engine(rows).tobytes() == first == Engine(tower())(rows).tobytes()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_many_batches_give_the_same_bytes_one_after_the_other_and_side_by_side(
    monkeypatch, threads
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    engine, batches = (
        Engine(tower()),
        [rows_of(*range(3, 5 + number % 20)) for number in range(2 * FEWEST_BATCHES)],
    )
    found = list(engine.map(iter(batches), len(batches)))
    assert (engine._pool is not None) == (threads == "2")
    assert [vectors.tobytes() for vectors in found] == [engine(rows).tobytes() for rows in batches]


def test_a_trained_model_is_read_as_it_is_and_left_without_dropout():
    model = tower()
    model.train()
    assert (
        Engine(model)(rows_of(6)).tobytes() == Engine(model)(rows_of(6)).tobytes()
        and not model.training
    )


def test_reduced_precision_is_bfloat16_only_where_the_processor_multiplies_it(monkeypatch, capsys):
    monkeypatch.setattr(inference, "multiplies_bfloat16", lambda: False)
    engine, rows = Engine(tower(), "reduced"), rows_of(5, 6)
    assert engine.precision == "float32" and "multiplies no bfloat16" in capsys.readouterr().err
    assert engine(rows).tobytes() == Engine(tower())(rows).tobytes()


def test_bfloat16_stays_close_to_float32(monkeypatch, capsys):
    monkeypatch.setattr(inference, "multiplies_bfloat16", lambda: True)
    engine, rows = Engine(tower(), "reduced"), rows_of(5, 6, 30)
    assert engine.precision == "reduced" and not capsys.readouterr().err
    found, expected = engine(rows), Engine(tower())(rows)
    cosine = (
        (found * expected).sum(1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    )
    assert cosine.min() > 0.999


def test_a_row_with_more_tokens_than_the_encoder_has_positions_is_refused_in_a_line():
    model = tower()
    for run in (
        Engine(model),
        lambda rows: model(pack(rows)),
        lambda rows: list(Engine(model).map([rows] * 9, 9)),
    ):
        with pytest.raises(
            DataError, match="^encoder: expected rows of at most 40 tokens, .* got one of 41"
        ):
            run(rows_of(3, 41))
