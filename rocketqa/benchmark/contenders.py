"""The contenders of `rocketqa benchmark speed`, by the names that its table shows.

A contender prepares its model and returns a function that does one round of the work. Its libraries
are loaded by then at the earliest, because no environment needs to have all of them.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

from rocketqa.benchmark.workload import ENCODE, SCORE, WORKS, Round, Texts

PADDLENLP = "paddlenlp"
SENTENCE_TRANSFORMERS = "sentence_transformers"
ONNXRUNTIME = "onnxruntime"
ONNX = "onnx"  # with which graphs of ONNX Runtime are fused and quantised
OPENVINO = "openvino"
NNCF = "nncf"
OF_PEERS = (SENTENCE_TRANSFORMERS, ONNXRUNTIME, ONNX, OPENVINO, NNCF)
# Their graphs are written by PyTorch from the model of transformers.
OF_ONNXRUNTIME = (SENTENCE_TRANSFORMERS, ONNXRUNTIME, ONNX)
OF_OPENVINO = (SENTENCE_TRANSFORMERS, OPENVINO)
BFLOAT16 = "instructions for bfloat16"  # of the processor; PyTorch takes minutes without them
INFERENCE = (ENCODE, SCORE)
Prepare = Callable[[str, str, Texts], Round]  # work, weights (a folder), texts


class Contender(NamedTuple):
    """One way to do the work.

    prepare: returns a round. works: those that it can do.
    needs: packages besides ours: PADDLENLP, or some OF_PEERS, whose interpreter is another; and
    BFLOAT16.
    threads: None for one on each core.
    """

    prepare: Prepare
    works: tuple[str, ...] = WORKS
    needs: tuple[str, ...] = ()
    threads: int | None = None


def _ours(precision: str) -> Prepare:
    def prepare(work: str, weights: str, texts: Texts) -> Round:
        from rocketqa.benchmark.contender_ours import prepare

        return prepare(work, weights, texts, precision)

    return prepare


def _matrix_products(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_products import prepare

    return prepare(work, weights, texts)


def _padded_paddlenlp(work: str, weights: str, texts: Texts) -> Round:
    from rocketqa.benchmark.contender_paddlenlp import prepare

    return prepare(work, weights, texts)


def _sentence_transformers(dtype: str) -> Prepare:
    def prepare(work: str, weights: str, texts: Texts) -> Round:
        from rocketqa.benchmark.contender_sentence_transformers import prepare

        return prepare(work, weights, texts, dtype)

    return prepare


def _onnxruntime(precision: str) -> Prepare:
    def prepare(work: str, weights: str, texts: Texts) -> Round:
        from rocketqa.benchmark.contender_onnxruntime import prepare

        return prepare(work, weights, texts, precision)

    return prepare


def _openvino(precision: str) -> Prepare:
    def prepare(work: str, weights: str, texts: Texts) -> Round:
        from rocketqa.benchmark.contender_openvino import prepare

        return prepare(work, weights, texts, precision)

    return prepare


OURS = "ours"  # all others are compared with it
PRODUCTS = "matrix products alone"  # the ceiling of float32
CONTENDERS = {
    OURS: Contender(_ours("float32")),
    "ours, reduced": Contender(_ours("reduced"), INFERENCE),
    "ours, one thread": Contender(_ours("float32"), threads=1),
    PRODUCTS: Contender(_matrix_products),
    "padded PaddleNLP": Contender(_padded_paddlenlp, needs=(PADDLENLP,)),
    "sentence-transformers float32": Contender(
        _sentence_transformers("float32"), needs=(SENTENCE_TRANSFORMERS,)
    ),
    "sentence-transformers bfloat16": Contender(
        _sentence_transformers("bfloat16"), INFERENCE, (SENTENCE_TRANSFORMERS, BFLOAT16)
    ),
    "ONNX Runtime float32": Contender(_onnxruntime("float32"), INFERENCE, OF_ONNXRUNTIME),
    "ONNX Runtime int8": Contender(_onnxruntime("int8"), INFERENCE, OF_ONNXRUNTIME),
    "OpenVINO float32": Contender(_openvino("float32"), INFERENCE, OF_OPENVINO),
    "OpenVINO default": Contender(_openvino("default"), INFERENCE, OF_OPENVINO),
    "OpenVINO int8": Contender(_openvino("int8"), INFERENCE, (*OF_OPENVINO, NNCF)),
}


def contenders_of(work: str, missing: Collection[str] = ()) -> list[str]:
    """Returns the names of the contenders that do a work, `OURS` first.

    missing: what is not there of the needs of contenders.
    """
    names = []
    for name, contender in CONTENDERS.items():
        if work in contender.works and not set(missing) & set(contender.needs):
            names.append(name)
    return names
