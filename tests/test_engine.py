"""The engine gives the model's own numbers, whatever the batch and the number of processes."""

import numpy as np
import paddle
import pytest
from gpu_operators import layer_norm_of_mixed_types
from pretended_gpus import A100, pretend_gpus
from tiny_encoders import TINY_CONFIG, rows_of_lengths, tiny_cross_encoder, tiny_ernie

from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import products_by_dtype
from rocketqa.files.errors import DataError
from rocketqa.inference import engine as engine_module
from rocketqa.inference.engine import FEWEST_BATCHES, Engine
from rocketqa.jobs import processor


@pytest.mark.parametrize(
    "config",
    [
        TINY_CONFIG,
        TINY_CONFIG._replace(use_task_id=True, hidden_act="relu"),
        TINY_CONFIG._replace(num_hidden_layers=1),
        TINY_CONFIG._replace(representation="mean"),
    ],
)
def test_vectors_are_those_of_the_model(config):
    model = tiny_ernie(config)
    engine = Engine(model)
    for lengths in ((7,), (2, 40, 3, 3, 17), tuple(range(2, 30))):
        rows = rows_of_lengths(*lengths)
        with paddle.no_grad():
            expected = model(pack(rows)).numpy()
        vectors = engine(rows)
        assert vectors.shape == (len(lengths), 24) and vectors.dtype == np.float32
        np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_probabilities_are_those_of_the_cross_encoder():
    model = tiny_cross_encoder()
    rows = rows_of_lengths(5, 30, 12, 12)
    with paddle.no_grad():
        expected = model.probability(pack(rows)).numpy()
    assert len(set(expected.round(4))) == 4
    np.testing.assert_allclose(Engine(model)(rows), expected, rtol=0, atol=1e-5)


def test_the_same_batch_gives_the_same_bytes():
    engine = Engine(tiny_ernie())
    rows = rows_of_lengths(9, 20, 31)
    first = engine(rows).tobytes()
    engine(rows_of_lengths(4, 4))
    assert engine(rows).tobytes() == first == Engine(tiny_ernie())(rows).tobytes()


@pytest.mark.parametrize("threads", ["1", "2"])
def test_many_batches_give_the_same_bytes_in_one_process_and_in_two(monkeypatch, threads):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    engine = Engine(tiny_ernie())
    numbers = range(2 * FEWEST_BATCHES)
    batches = [rows_of_lengths(*range(3, 5 + number % 20)) for number in numbers]
    expected = [engine(rows).tobytes() for rows in batches]
    engine.start(len(batches) - 1)
    # Threads of the kernels cost nothing, processes of the graph need enough batches.
    assert (engine._workers is not None) == (threads == "2" and engine._by_kernels)
    engine.start(len(batches))
    assert (engine._workers is not None) == (threads == "2")
    for count in (len(batches), 2):
        outputs = engine.run_batches(iter(batches[:count]), count)
        assert [output.tobytes() for output in outputs] == expected[:count]


def test_all_rows_are_run_in_batches_and_keep_their_order():
    engine = Engine(tiny_ernie())
    rows = rows_of_lengths(9, 3, 40, 3, 20, 9)
    vectors = engine.run_all(rows, batch_tokens=40)
    expected = np.concatenate([engine([row]) for row in rows])
    np.testing.assert_allclose(vectors, expected, rtol=0, atol=1e-5)


def test_a_trained_model_is_used_as_it_is_and_left_without_dropout():
    model = tiny_ernie()
    model.train()
    rows = rows_of_lengths(6)
    assert Engine(model)(rows).tobytes() == Engine(model)(rows).tobytes()
    assert not model.training


def test_reduced_precision_is_float32_where_the_processor_has_no_instructions(monkeypatch, capsys):
    monkeypatch.setattr(engine_module, "multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(engine_module.kernel_encoder, "is_supported", lambda: False)
    engine = Engine(tiny_ernie(), "reduced")
    rows = rows_of_lengths(5, 6)
    assert engine.precision == "float32"
    assert capsys.readouterr().err.startswith("reduced precision: expected AVX2 and a C compiler")
    assert engine(rows).tobytes() == Engine(tiny_ernie())(rows).tobytes()


@pytest.mark.parametrize("by_kernels", [False, True])
def test_reduced_precision_stays_close_to_float32(monkeypatch, capsys, by_kernels):
    """It is 8 bits in the kernels, and without them bfloat16 where the processor has it."""
    if by_kernels and not engine_module.kernel_encoder.is_supported():
        pytest.skip("needs a C compiler and AVX2")
    monkeypatch.setattr(engine_module, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(engine_module.kernel_encoder, "is_supported", lambda: by_kernels)
    engine = Engine(tiny_ernie(), "reduced")
    assert engine._by_kernels == by_kernels
    rows = rows_of_lengths(5, 6, 30)
    assert engine.precision == "reduced" and not capsys.readouterr().err
    vectors = engine(rows)
    expected = Engine(tiny_ernie())(rows)
    lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(expected, axis=1)
    cosines = (vectors * expected).sum(1) / lengths
    assert cosines.min() > 0.999


@pytest.mark.parametrize(
    "flags, supported", [("avx2 amx_bf16", True), ("avx512_bf16", True), ("avx512f", False)]
)
def test_instructions_for_bfloat16_are_found_among_the_flags(
    tmp_path, monkeypatch, flags, supported
):
    (tmp_path / "cpuinfo").write_text(f"flags\t: fpu sse {flags}\n")
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "cpuinfo")
    assert engine_module.multiplies_bfloat16() == supported
    monkeypatch.setattr(processor, "PROCESSOR", tmp_path / "absent")
    assert not engine_module.multiplies_bfloat16()


def test_on_a_gpu_the_model_itself_runs_on_packed_rows_exactly(monkeypatch):
    switched = pretend_gpus(monkeypatch, A100)
    rows = rows_of_lengths(5, 9, 9, 30)
    for model in (tiny_ernie(), tiny_cross_encoder()):
        with paddle.no_grad():
            expected = (model.probability if hasattr(model, "probability") else model)(pack(rows))
        engine = Engine(model)
        assert engine(rows).tobytes() == expected.numpy().tobytes()
    assert switched == [False, False]


@pytest.mark.parametrize("build", [tiny_ernie, tiny_cross_encoder])
def test_reduced_precision_on_a_gpu_casts_the_weights_once(monkeypatch, build):
    """float64 stands for float16, in which a CPU has few operators."""
    pretend_gpus(monkeypatch, A100)
    layer_norm_of_mixed_types(monkeypatch)
    monkeypatch.setattr(engine_module, "REDUCED_ON_GPU", "float64")
    rows = rows_of_lengths(5, 9, 9, 30)
    exact = Engine(build())
    model = build()
    engine = Engine(model, "reduced")
    assert engine.precision == "reduced"
    outputs = engine(rows)
    assert outputs.dtype == np.float32
    np.testing.assert_allclose(outputs, exact(rows), rtol=0, atol=1e-5)
    assert list(products_by_dtype(lambda: engine(rows))) == ["other"]
    cast_tensors = []
    cast = paddle.Tensor.astype
    monkeypatch.setattr(
        paddle.Tensor, "astype", lambda self, dtype: cast_tensors.append(self) or cast(self, dtype)
    )
    engine(rows)
    parameters = set(map(id, model.parameters()))
    assert cast_tensors and parameters.isdisjoint(map(id, cast_tensors))


def run_as_model(rows):
    return tiny_ernie()(pack(rows))


def run_in_one_batch(rows):
    return Engine(tiny_ernie())(rows)


def run_in_many_batches(rows):
    return list(Engine(tiny_ernie()).run_batches([rows] * 9, 9))


@pytest.mark.parametrize("run", [run_as_model, run_in_one_batch, run_in_many_batches])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_a_row_with_more_tokens_than_the_encoder_has_positions_is_refused(
    monkeypatch, run, threads
):
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    with pytest.raises(
        DataError, match="^encoder: expected rows of at most 40 tokens, .* got a row of 41 tokens"
    ):
        run(rows_of_lengths(3, 41))
