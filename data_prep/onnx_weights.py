"""The weights of a PyTorch encoder from the ONNX graph that PyTorch has exported.

Embeddings, biases and norms keep their names in such a graph. The weight of a linear layer, [out,
in], becomes a constant without a name, [in, out], but the product that reads it is named after the
layer, such as `/model/MODULE/encoder/layer.0/output/dense/MatMul`.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from rocketqa.files.errors import DataError
from rocketqa.files.packages import import_package

PRODUCT = "/MatMul"
Arrays = dict[str, np.ndarray]


def weights_of_graph(content: bytes, place: str, module: str) -> Arrays:
    """Returns parameter -> value for a module of the graph; names are those within the module.

    Raises DataError where the package onnx is missing, or the content is no ONNX file with such a
    module.
    """
    onnx = import_package("onnx", place, "the package onnx, which reads this file")
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model_from_string(content).graph
    except DecodeError:
        raise DataError(f"{place}: expected an ONNX file, got another or a part of one") from None
    constants = {value.name: onnx.numpy_helper.to_array(value) for value in graph.initializer}
    weights = _named(constants, module) | _of_products(graph, constants, module)
    if not weights:
        raise DataError(f"{place}: expected parameters of {module}, got none")
    return weights


def _named(constants: Mapping[str, np.ndarray], module: str) -> Arrays:
    """Returns the parameters that have kept their names."""
    weights = {}
    for name, value in constants.items():
        parameter = name.partition(f"{module}.")[2]
        if parameter:
            weights[parameter] = value
    return weights


def _of_products(graph: Any, constants: Mapping[str, np.ndarray], module: str) -> Arrays:
    """Returns the weights of linear layers, by the names of the products that read them."""
    weights = {}
    for node in graph.node:
        layer = node.name.removesuffix(PRODUCT).partition(f"{module}/")[2]
        if node.op_type == "MatMul" and layer and node.input[1] in constants:
            weight = constants[node.input[1]].T  # [out, in]
            weights[f"{layer.replace('/', '.')}.weight"] = np.ascontiguousarray(weight)
    return weights
