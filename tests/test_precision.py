"""What a device computes in is read off its products, and is what was asked for."""

import inspect

import numpy as np
import paddle
import paddle.nn.functional as F
import pytest
from gpu_operators import dense_layer_in_tf32, layer_norm_of_mixed_types, product_in_tf32
from paddle import nn
from paddle.base import core
from pretended_gpus import A100, pretend_gpus
from tiny_encoders import rows_of_lengths, tiny_cross_encoder, tiny_ernie

from rocketqa.encoder import precision
from rocketqa.encoder.packing import pack
from rocketqa.encoder.precision import (
    autocast,
    cast_weights,
    on_gpu,
    precision_of_products,
    products_by_dtype,
    use_deterministic_kernels,
    use_precision,
)

PADDLE_3 = paddle.__version__.startswith("3.")


def test_the_calls_of_the_device_are_those_of_the_installed_paddle():
    inspect.signature(paddle.get_device).bind()
    assert list(inspect.signature(paddle.set_flags).parameters) == ["flags"]
    assert list(inspect.signature(F.linear).parameters)[:3] == ["x", "weight", "bias"]
    names = ["enable", "custom_white_list", "custom_black_list", "level", "dtype", "use_promote"]
    assert list(inspect.signature(paddle.amp.auto_cast).parameters) == names
    if hasattr(core, "set_cublas_switch"):  # Paddle 2.6.2 has it in its builds for GPUs alone
        assert core.set_cublas_switch.__doc__.startswith("set_cublas_switch(arg0: bool) -> None")


def test_a_cpu_computes_exactly_in_float32():
    assert not on_gpu()
    assert precision_of_products() == "float32"


def test_a_product_in_tf32_is_known_by_its_missing_bits(monkeypatch):
    monkeypatch.setattr(paddle, "matmul", product_in_tf32)
    assert precision_of_products() == "float32 and tf32"
    monkeypatch.setattr(F, "linear", dense_layer_in_tf32)
    assert precision_of_products() == "tf32"


def test_a_product_in_half_precision_is_known_by_its_type(monkeypatch):
    def product(x, y, bias=None):
        return paddle.mm(x, y).astype("bfloat16")

    monkeypatch.setattr(paddle, "matmul", product)
    monkeypatch.setattr(F, "linear", product)
    assert precision_of_products() == "bfloat16"


@pytest.mark.parametrize("asked_for", ["float32", "tf32", "float16", "bfloat16"])
def test_only_tf32_lets_products_of_float32_lose_bits(monkeypatch, asked_for):
    switched = pretend_gpus(monkeypatch, A100)
    flags: dict[str, object] = {}
    monkeypatch.setattr(paddle, "set_flags", flags.update)
    assert use_precision(asked_for) == "float32", "this processor knows no other precision"
    is_tf32 = asked_for == "tf32"
    assert switched == [is_tf32]
    assert flags.pop("FLAGS_cublas_allow_tf32") == is_tf32
    assert flags == ({"FLAGS_use_legacy_linear": True} if is_tf32 else {})


def test_deterministic_kernels_are_two_flags_of_paddle(monkeypatch):
    use_deterministic_kernels()  # a build for CPUs has none of them, and is not disturbed
    flags: dict[str, object] = {}
    monkeypatch.setattr(paddle, "set_flags", flags.update)
    use_deterministic_kernels()
    assert flags == {"FLAGS_cudnn_deterministic": True, "FLAGS_embedding_deterministic": 1}


@pytest.mark.skipif(not PADDLE_3, reason="Paddle 2 has no such graphs")
def test_training_in_half_precision_has_products_in_it_and_weights_and_norms_in_float32():
    """As the types of a static graph, whose lists of operators are those of a GPU."""
    paddle.enable_static()
    program = paddle.static.Program()
    try:
        with paddle.static.program_guard(program, paddle.static.Program()):
            rows = paddle.static.data("rows", [4, 8])
            dense, norm = nn.Linear(8, 8), nn.LayerNorm(8)
            with autocast("bfloat16"):
                product = paddle.matmul(rows, dense.weight)
                outputs = norm(rows + product)
                weights = F.softmax(product)
            types = [str(value.dtype) for value in (dense.weight, product, outputs, weights)]
    finally:
        paddle.disable_static()
    expected = ["float32", "bfloat16", "float32", "float32"]
    assert [name.rsplit(".", 1)[-1].lower() for name in types] == expected


def test_products_are_counted_by_the_type_that_they_were_computed_in():
    double = paddle.ones([2, 2], "float64")
    single = paddle.ones([2, 2])

    def run():
        paddle.matmul(double, double)
        for _ in range(3):
            paddle.matmul(single, single)
        single + single

    assert products_by_dtype(run) == {"other": 1, "float32": 3}
    assert products_by_dtype(lambda: None) == {}
    with pytest.raises(ZeroDivisionError):
        products_by_dtype(lambda: 1 / 0)
    assert paddle.get_flags("FLAGS_low_precision_op_list")["FLAGS_low_precision_op_list"] == 0


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_all_weights_but_those_of_norms_are_cast(dtype):
    model = tiny_cross_encoder()
    before = {name: value.numpy() for name, value in model.state_dict().items()}
    cast_weights(model, dtype)
    for name, parameter in model.named_parameters():
        is_of_norm = "norm" in name
        assert str(parameter.dtype) == ("paddle.float32" if is_of_norm else f"paddle.{dtype}")
        np.testing.assert_allclose(
            parameter.astype("float32").numpy(), before[name], rtol=0 if is_of_norm else 2**-7
        )


@pytest.mark.parametrize("build", [tiny_ernie, tiny_cross_encoder])
def test_after_cast_weights_everything_is_in_their_type(monkeypatch, build):
    """float64 stands for half precision, in which a CPU has few operators."""
    layer_norm_of_mixed_types(monkeypatch)
    model = build()
    rows = pack(rows_of_lengths(5, 9, 9, 30))
    with paddle.no_grad():
        expected = model(rows).numpy()
        cast_weights(model, "float64")
        counts = products_by_dtype(lambda: model(rows))
        outputs = model(rows)
    assert list(counts) == ["other"] and counts["other"] > 20
    assert outputs.dtype == paddle.float64
    np.testing.assert_allclose(outputs.numpy(), expected, rtol=0, atol=1e-5)


def test_the_flag_that_tf32_needs_is_known_to_paddle_3_3():
    if paddle.__version__.startswith("3.3"):
        assert paddle.get_flags("FLAGS_use_legacy_linear")
        assert core.get_cublas_switch() is False, "by itself, Paddle 3.3.1 does not round to TF32"
    with pytest.raises(ValueError):
        paddle.set_flags({"FLAGS_of_no_version": 1})
    precision._set_flags({"FLAGS_of_no_version": 1})
