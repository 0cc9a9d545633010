"""What tests share: tiny encoders, literal files, a service."""

from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from rocketqa.cli.__main__ import use_the_processor

use_the_processor()  # before Paddle is imported

# The files that take longest come first, so that no process of CI works alone at the end.
LONGEST = (
    "test_flight",
    "test_signals",
    "test_paper_flights",
    "test_devices",
    "test_resume",
    "test_nodes",
    "test_benchmark",
    "test_preflight",
    "test_run_scripts",
    "test_watchdog",
    "test_chinese_flight",
    "test_score",
)

TINY = {
    "vocab_size": 60,
    "hidden_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 32,
    "type_vocab_size": 4,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}


def pytest_collection_modifyitems(items):
    """Sorts the tests by file as LONGEST says; all others stay in their order behind them."""
    items.sort(key=lambda item: (*LONGEST, item.path.stem).index(item.path.stem))


@pytest.fixture
def tiny_config():
    """A complete ERNIE of three layers, without dropout."""
    from rocketqa.encoder.config import ErnieConfig

    return ErnieConfig(**TINY)


@pytest.fixture
def random_rows():
    """Returns a maker of rows of tokens of random lengths, two types each."""
    from rocketqa.text.tokenizer import Encoding

    def make(count: int, seed: int = 0, longest: int = 12, vocabulary: int = 60) -> list[Encoding]:
        drawing = np.random.default_rng(seed)
        rows = []
        for length in drawing.integers(2, longest + 1, count):
            second = int(drawing.integers(0, length))
            types = np.array([0] * (length - second) + [1] * second, np.int64)
            rows.append(Encoding(drawing.integers(1, vocabulary, length), types))
        return rows

    return make


@pytest.fixture(scope="session")
def paddlenlp():
    """PaddleNLP, which some tests compare with; where it is missing, they are skipped aloud."""
    if find_spec("paddlenlp") is None:
        pytest.skip("PaddleNLP is not installed (Python 3.10 to 3.12: the extra `paddlenlp`)")
    return import_module("paddlenlp")  # a broken one fails the test


@pytest.fixture(scope="module")
def encoded(tmp_path_factory):
    """A folder with an encoded collection and both encoders."""
    from tiny_service import write_encoded_collection

    folder = tmp_path_factory.mktemp("flight")
    write_encoded_collection(folder)
    return folder


@pytest.fixture(scope="module")
def port(encoded):
    """Where `rocketqa serve` answers from it."""
    from tiny_service import serving

    with serving(encoded) as (_, number):
        yield number


@pytest.fixture
def job(tmp_path):
    """Returns a maker of jobs that read one file (copy_job.py)."""
    from functools import partial

    from copy_job import INPUT, copy_job

    (tmp_path / "in.tsv").write_bytes(INPUT)
    return partial(copy_job, tmp_path)
