"""The kernels give vectors and probabilities close to the model's, whatever the batch."""

import numpy as np
import paddle
import pytest
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_cross_encoder, tiny_ernie

from rocketqa.encoder.packing import pack
from rocketqa.files.errors import DataError
from rocketqa.inference.engine import FEWEST_BATCHES, Engine
from rocketqa.inference.kernel_encoder import (
    is_supported,
    kernel_twin,
    packed,
    rounded_columns,
)
from rocketqa.inference.threads import Threads
from rocketqa.text.tokenizer import Encoding
from rocketqa.weights.stored_model import StoredModel

pytestmark = pytest.mark.skipif(not is_supported(), reason="needs a C compiler and AVX2")
PRECISIONS = pytest.mark.parametrize("reduced", [False, True], ids=["float32", "reduced"])
LARGER = TINY_CONFIG._replace(hidden_size=96, intermediate_size=200, initializer_range=0.1)


def twin_of(model, reduced):
    return kernel_twin(StoredModel.of(model), reduced)


def cosines(left, right):
    lengths = np.linalg.norm(left, axis=1) * np.linalg.norm(right, axis=1)
    return (left * right).sum(axis=1) / lengths


@PRECISIONS
@pytest.mark.parametrize(
    "config",
    [
        TINY_CONFIG._replace(initializer_range=0.1),
        LARGER,
        LARGER._replace(use_task_id=True, hidden_act="relu"),
        LARGER._replace(num_hidden_layers=1),
        LARGER._replace(intermediate_size=197, representation="mean"),
        LARGER._replace(representation="mean", similarity="cosine"),
        *(LARGER._replace(hidden_size=192, num_attention_heads=heads) for heads in (2, 3, 6)),
        LARGER._replace(hidden_size=48, num_attention_heads=1),  # a head that fills no registers
        LARGER._replace(num_attention_heads=3, max_position_embeddings=150),
    ],
)
def test_vectors_are_close_to_those_of_the_model(config, reduced):
    model = tiny_ernie(config)
    encoder = twin_of(model, reduced)
    least_cosine, most_apart = (0.999, 0.05) if reduced else (0.999999, 1e-5)
    longest = config.max_position_embeddings
    for lengths in ((7,), (2, longest, 3, 3, 17), tuple(range(2, 40))):
        rows = rows_of_lengths(*lengths)
        with paddle.no_grad():
            expected = model(pack(rows)).numpy()
        vectors = encoder(rows)
        assert vectors.shape == expected.shape and vectors.dtype == np.float32
        assert cosines(vectors, expected).min() > least_cosine
        apart = np.abs(vectors - expected).max() / np.abs(expected).max()
        assert apart < most_apart
        if config.similarity == "cosine":
            np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("heads", [1, 3, 12])
def test_the_largest_sums_of_attention_have_room(heads):
    """All numbers of q are the largest one, those of k are it or its opposite, by the token."""
    config = LARGER._replace(num_attention_heads=heads, max_position_embeddings=150)
    model = tiny_ernie(config)
    size = config.hidden_size
    signs = np.resize([1.0, -1.0], size).astype(np.float32)
    embeddings = model.embeddings
    for table in (embeddings.position_embeddings, embeddings.token_type_embeddings):
        table.weight.set_value(paddle.zeros_like(table.weight))
    of_words = np.resize([1.0, -1.0], (config.vocab_size, 1)).astype(np.float32) * signs
    embeddings.word_embeddings.weight.set_value(of_words)
    attention = model.encoder.layers[0].self_attn
    attention.q_proj.weight.set_value(paddle.zeros([size, size]))
    attention.q_proj.bias.set_value(paddle.full([size], 1.0))
    attention.k_proj.weight.set_value(np.outer(signs, np.ones(size, np.float32)) / size)
    attention.v_proj.bias.set_value(paddle.full([size], 2.0))
    rows = rows_of_lengths(150, 64, 65, 2)
    with paddle.no_grad():
        expected = model(pack(rows)).numpy()
    assert cosines(twin_of(model, True)(rows), expected).min() > 0.999


@PRECISIONS
def test_probabilities_are_close_to_those_of_the_cross_encoder(reduced):
    model = tiny_cross_encoder()
    rows = rows_of_lengths(5, 30, 12, 12)
    with paddle.no_grad():
        expected = model.probability(pack(rows)).numpy()
    probabilities = twin_of(model, reduced)(rows)
    np.testing.assert_allclose(probabilities, expected, rtol=0, atol=0.03 if reduced else 1e-5)


@PRECISIONS
@pytest.mark.parametrize("heads", [3, 12])
@pytest.mark.parametrize("representation", ["first", "mean"])
def test_a_text_has_the_same_vector_in_every_batch(representation, heads, reduced):
    config = LARGER._replace(representation=representation, num_attention_heads=heads)
    encoder = twin_of(tiny_ernie(config), reduced)
    rows = rows_of_lengths(9, 31, 2, 40, 16, 33)
    together = encoder(rows)
    for row, vector in zip(rows, together):
        assert encoder([row]).tobytes() == vector.tobytes()


@pytest.mark.parametrize("precision", ["float32", "reduced"])
def test_threads_give_the_same_bytes_as_one(monkeypatch, precision):
    batches = [rows_of_lengths(*range(3, 5 + number)) for number in range(3 * FEWEST_BATCHES)]
    outputs = []
    for threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", threads)
        engine = Engine(tiny_ernie(), precision)
        outputs.append([vectors.tobytes() for vectors in engine.run_batches(batches, 12)])
    assert outputs[0] == outputs[1] and len(outputs[0]) == 12


def test_the_rows_of_one_query_are_shared_by_the_threads(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    run = Threads.run
    shared = []

    def noting(threads: Threads, batches):
        shared.extend(batches)
        return run(threads, shared)

    monkeypatch.setattr(Threads, "run", noting)
    rows = rows_of_lengths(*[35] * 30)
    vectors = Engine(tiny_ernie()).run_all(rows, batch_tokens=2048)
    assert len(shared) > 2 and sum(len(batch) for batch in shared) == 30
    np.testing.assert_array_equal(vectors, twin_of(tiny_ernie(), False)(rows))


@PRECISIONS
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("place", [3, 150, 199], ids=["first half", "second half", "last"])
def test_a_number_that_is_not_finite_is_not_hidden(place, wrong, reduced):
    model = tiny_ernie(LARGER)
    bias = model.encoder.layers[0].linear1.bias
    values = bias.numpy()
    values[place] = wrong
    bias.set_value(values)
    assert not np.isfinite(twin_of(model, reduced)(rows_of_lengths(5, 9))).any()


@PRECISIONS
@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("of", ["q", "k", "v"])
def test_a_number_of_attention_that_is_not_finite_is_not_hidden(of, wrong, reduced):
    model = tiny_ernie(LARGER._replace(num_attention_heads=3))
    attention = model.encoder.layers[-1].self_attn
    bias = getattr(attention, f"{of}_proj").bias
    values = bias.numpy()
    values[:] = wrong
    bias.set_value(values)
    assert not np.isfinite(twin_of(model, reduced)(rows_of_lengths(5, 9))).any()


@pytest.mark.parametrize("token, kind", [(50, 0), (-1, 0), (0, 4)])
def test_an_id_that_is_not_in_its_table_is_refused(token, kind):
    row = Encoding(np.array([1, token]), np.array([0, kind]))
    with pytest.raises(DataError, match="^encoder: expected token and type ids from 0 to"):
        twin_of(tiny_ernie(), reduced=False)([row])


def test_weights_are_rounded_by_column_and_zeros_stay():
    weight = np.array([[0.5, 0.0, -3.0], [-1.0, 0.0, 1.5]], np.float32)
    rounded, scales = rounded_columns(weight, largest=64)
    assert rounded.tolist() == [[32, 0, -64], [-64, 0, 32]]
    np.testing.assert_array_equal(rounded * scales, weight)


def test_packed_weights_keep_four_inputs_of_a_column_together():
    rounded = np.arange(9 * 17, dtype=np.int16).reshape(9, 17).astype(np.int8)
    blocks = packed(rounded, 4)
    assert blocks.shape == (2, 4, 16, 4)
    assert blocks[0, 1, 2].tolist() == rounded[4:8, 2].tolist()
    assert blocks[1, 2, 0].tolist() == [rounded[8, 16], 0, 0, 0]


def test_packed_weights_of_float32_keep_sixteen_columns_together():
    weight = np.arange(9 * 17, dtype=np.float32).reshape(9, 17)
    blocks = packed(weight, 1)
    assert blocks.shape == (2, 9, 16, 1)
    assert blocks[0, 4, :, 0].tolist() == weight[4, :16].tolist()
    assert blocks[1, 4, :, 0].tolist() == [weight[4, 16]] + 15 * [0]
