"""OpenVINO as a contender: float32, its default precision on this processor, or int8 (static).

The hint THROUGHPUT lets it compute a batch on each core at a time. Scoring, too, ends at the first
token: a classifier behind it would take no time.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import openvino
from tokenizers import Tokenizer

from rocketqa.benchmark.batch_size import fastest
from rocketqa.benchmark.padded_rows import (
    Batch,
    RunBatches,
    batches_of,
    round_in_batches,
    rows_of,
)
from rocketqa.benchmark.peer_graphs import GRAPH, TOKENIZER, in_own_process, write_graph
from rocketqa.benchmark.workload import Round, Texts, thread_count
from rocketqa.jobs.temporary_folders import temporary_folder

INT8_GRAPH = "int8.xml"
CALIBRATION_ROWS = 300  # as many as NNCF takes by default


def prepare(work: str, weights: str, texts: Texts, precision: str) -> Round:
    """Returns a round of the work. precision: float32, int8, or `default`, OpenVINO's choice."""
    with temporary_folder() as name:
        folder = Path(name)
        in_own_process(write_graph, weights, folder)
        graph = folder / GRAPH
        if precision == "int8":
            in_own_process(write_int8_graph, folder, work, texts)
            graph = folder / INT8_GRAPH
        run = _loaded(graph, precision)
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    return fastest(lambda size: round_in_batches(run, tokenizer, work, texts, size))


def write_int8_graph(folder: Path, work: str, texts: Texts) -> None:
    """Writes the INT8_GRAPH beside the GRAPH, calibrated on the first of the texts."""
    import nncf

    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER))
    rows = rows_of(tokenizer, work, texts)[:CALIBRATION_ROWS]
    quantised = nncf.quantize(
        openvino.Core().read_model(folder / GRAPH),
        nncf.Dataset(list(batches_of(rows, 1))),
        model_type=nncf.ModelType.TRANSFORMER,
        subset_size=len(rows),
    )
    openvino.save_model(quantised, folder / INT8_GRAPH)


def _loaded(graph: Path, precision: str) -> RunBatches:
    settings: dict[str, object] = {"PERFORMANCE_HINT": "THROUGHPUT"}
    settings["INFERENCE_NUM_THREADS"] = thread_count()
    if precision == "float32":
        settings["INFERENCE_PRECISION_HINT"] = "f32"
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(graph), "CPU", settings)
    requests = openvino.AsyncInferQueue(compiled)

    def run(batches: Iterable[Batch]) -> list[np.ndarray]:
        outputs: dict[int, np.ndarray] = {}

        def keep(request: openvino.InferRequest, place: int) -> None:
            outputs[place] = request.get_output_tensor().data.copy()

        requests.set_callback(keep)
        for place, batch in enumerate(batches):
            requests.start_async(batch, place)
        requests.wait_all()
        return [outputs[place] for place in range(len(outputs))]

    return run
