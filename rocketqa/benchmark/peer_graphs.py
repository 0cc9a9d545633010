"""The ONNX files that ONNX Runtime and OpenVINO run: transformers' encoder, to its first token.

They are made in a process of their own, so that PyTorch takes no memory of the contender.

Letters: N rows, L tokens of the longest, H hidden size.
"""

import json
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from rocketqa.benchmark.padded_rows import INPUTS
from rocketqa.jobs.processor import instruction_sets

GRAPH = "encoder.onnx"  # input_ids, attention_mask, token_type_ids: int64 [N, L] -> float32 [N, H]
FUSED_GRAPH = "fused.onnx"
INT8_GRAPH = "int8.onnx"
TOKENIZER = "tokenizer.json"
VNNI = {"avx512_vnni", "avx_vnni"}  # they add products of 8 bits without saturating at 16


def in_own_process(make: Callable[..., None], *arguments: Any) -> None:
    """Calls a function of a module in a process that ends with it."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, context) as pool:
        pool.submit(make, *arguments).result()


def write_graph(weights: str, folder: Path) -> None:
    """Writes the GRAPH and the TOKENIZER of an encoder in the layout of transformers.

    Attention is written as its plain operators, which both runtimes recognise.
    """
    import torch
    from transformers import AutoModel, AutoTokenizer

    encoder = AutoModel.from_pretrained(weights, attn_implementation="eager").eval()

    class FirstToken(torch.nn.Module):
        def forward(
            self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
        ) -> torch.Tensor:
            hidden = encoder(input_ids=ids, attention_mask=mask, token_type_ids=types)  # [N, L, H]
            return hidden.last_hidden_state[:, 0]  # [N, H]

    model = FirstToken()
    model.encoder = encoder
    example = torch.ones(2, 8, dtype=torch.long)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (example, example, example),
            str(folder / GRAPH),
            input_names=list(INPUTS),
            output_names=["vectors"],
            dynamic_axes={name: {0: "rows", 1: "tokens"} for name in INPUTS},
            dynamo=False,  # the fusions of onnxruntime.transformers know this exporter's graphs
        )
    tokenizer = AutoTokenizer.from_pretrained(weights)
    tokenizer.backend_tokenizer.save(str(folder / TOKENIZER))


def write_fused_graph(weights: str, folder: Path) -> None:
    """Writes the FUSED_GRAPH beside the GRAPH: BERT's operators of ONNX Runtime."""
    from onnxruntime.transformers.optimizer import optimize_model

    write_graph(weights, folder)
    config = json.loads(Path(weights, "config.json").read_text(encoding="utf-8"))
    fused = optimize_model(
        str(folder / GRAPH),
        model_type="bert",
        num_heads=config["num_attention_heads"],
        hidden_size=config["hidden_size"],
        opt_level=0,  # the other optimisations follow when the graph is loaded
    )
    fused.save_model_to_file(str(folder / FUSED_GRAPH))


def write_int8_graph(weights: str, folder: Path) -> None:
    """Writes the INT8_GRAPH: the fused one, quantised dynamically, one range for each channel.

    Without VNNI the weights have 7 bits, as ONNX Runtime's documentation advises.
    """
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    write_fused_graph(weights, folder)
    quantize_dynamic(
        folder / FUSED_GRAPH,
        folder / INT8_GRAPH,
        per_channel=True,
        reduce_range=not VNNI & set(instruction_sets()),
        weight_type=QuantType.QInt8,
        extra_options={"DefaultTensorType": TensorProto.FLOAT},  # of the fused operators' outputs
    )
