"""The whole procedure on tiny Chinese data: text without blanks is ranked, learned and judged."""

from pathlib import Path

import numpy as np
import pytest
from chinese_flight import GOODS, PLACES, fly

from rocketqa.cli.__main__ import main

MODELS = ("start", *(f"dual_encoder_{number}" for number in range(4)), "cross_encoder")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """The folder of a finished Chinese flight, and its commands."""
    folder = tmp_path_factory.mktemp("chinese")
    return folder, fly(folder)


def test_a_chinese_flight_ends_in_a_report_with_every_model(finished):
    folder, _ = finished
    report = (folder / "o/report.md").read_text(encoding="utf-8")
    assert "| bm25 | BM25, which is not trained | 100.00 |" in report
    for model in MODELS:
        assert f"\n| {model} | " in report


def test_every_chinese_passage_has_a_vector_of_its_own(finished):
    folder, _ = finished
    [path] = (folder / "o/dual_encoder_2.vectors/collection").glob("vectors.*.npy")
    assert len(np.unique(np.load(path), axis=0)) == len(PLACES)


def test_a_chinese_query_is_answered_in_chinese(finished, capsys):
    folder, _ = finished
    command = [
        *("search", f"哪里的{GOODS[0]}有名", "--depth", str(len(PLACES))),
        *("--checkpoint", str(folder / "c/dual_encoder_2")),
        *("--collection", str(folder / "data/collection.tsv")),
        *("--passage-vectors", str(folder / "o/dual_encoder_2.vectors/collection")),
    ]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"\t{PLACES[0]}\n\t{PLACES[0]}位于山的另一边，那里的{GOODS[0]}十分有名。\n" in printed


def test_bm25_alone_may_find_nothing(finished):
    _, commands = finished
    evaluated = [command for command in commands if command[1] == "evaluate"]
    assert len(evaluated) == 1 + len(MODELS)
    for command in evaluated:
        run = Path(command[command.index("--run") + 1])
        assert ("--allow-empty" in command) == (run.name == "bm25.dev.run")
        assert command[command.index("--match") + 1] == "characters"
