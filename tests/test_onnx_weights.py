"""The graph that PyTorch exports gives back the weights that it was made of."""

import numpy as np
import pytest
from data_prep_runs import data_prep_module
from demo_wheels import encoder_weights, graph_of

from rocketqa.files.errors import DataError

onnx = pytest.importorskip("onnx", reason="the extra `demo` is missing")
weights_of_graph = data_prep_module("onnx_weights").weights_of_graph


def test_the_weights_of_a_graph_are_those_it_was_made_of_by_name_and_value():
    weights = encoder_weights()
    read = weights_of_graph(graph_of(weights), "m.onnx", "auto_model")
    assert read.keys() == weights.keys()
    for name, value in weights.items():
        assert (read[name] == value).all(), name


def test_a_linear_layer_gives_what_the_graph_computes():
    from onnx.reference import ReferenceEvaluator

    name = "encoder.layer.1.intermediate.dense"
    graph = graph_of({f"{name}.weight": encoder_weights()[f"{name}.weight"]})
    rows = np.arange(32, dtype=np.float32).reshape(2, 16)
    model = onnx.load_model_from_string(graph)
    model.graph.node.pop()  # x times x
    model.graph.output[0].name = "y0"
    (expected,) = ReferenceEvaluator(model).run(None, {"x": rows})
    weight = weights_of_graph(graph, "m.onnx", "auto_model")[f"{name}.weight"]  # [out, in]
    assert np.abs(rows @ weight.T - expected).max() < 1e-5


@pytest.mark.parametrize(
    "content, fault",
    [
        (b"no graph", "m.onnx: expected an ONNX file, got another or a part of one"),
        (b"", "m.onnx: expected parameters of auto_model, got none"),
    ],
)
def test_another_file_is_refused_in_one_line(content, fault):
    with pytest.raises(DataError) as error:
        weights_of_graph(content, "m.onnx", "auto_model")
    assert str(error.value) == fault
