"""ONNX Runtime as a contender: BERT's operators fused, float32 or dynamically quantised to int8.

Scoring, too, ends at the first token: a classifier behind it would take no time.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from rocketqa.benchmark.batch_size import fastest
from rocketqa.benchmark.padded_rows import Batch, RunBatches, round_in_batches
from rocketqa.benchmark.peer_graphs import (
    FUSED_GRAPH,
    INT8_GRAPH,
    TOKENIZER,
    in_own_process,
    write_fused_graph,
    write_int8_graph,
)
from rocketqa.benchmark.workload import Round, Texts, thread_count
from rocketqa.jobs.temporary_folders import temporary_folder


def prepare(work: str, weights: str, texts: Texts, precision: str) -> Round:
    """Returns a round of the work. precision: float32 or int8."""
    with temporary_folder() as name:
        folder = Path(name)
        if precision == "int8":
            in_own_process(write_int8_graph, weights, folder)
            run = _loaded(folder / INT8_GRAPH)
        else:
            in_own_process(write_fused_graph, weights, folder)
            run = _loaded(folder / FUSED_GRAPH)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    return fastest(lambda size: round_in_batches(run, tokenizer, work, texts, size))


def _loaded(graph: Path) -> RunBatches:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count()
    session = onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])

    def run(batches: Iterable[Batch]) -> list[np.ndarray]:
        return [session.run(None, batch)[0] for batch in batches]

    return run
