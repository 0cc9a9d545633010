"""Tiny data files and initial weights, and the commands that train on them as a user does."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.initial_weights import initial_weights
from rocketqa.files.formats import write_lines

WORDS = [f"w{i}" for i in range(40)]
SPECIAL_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-", "t"]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def write_tiny_flight(folder: Path, dropout: float = 0.0) -> None:
    """Writes collection, queries, labels, examples and initial weights into a folder."""
    queries = []
    labels = []
    dual_examples = []
    cross_examples = []
    for i in range(40):
        queries.append(f"q{i}\t{WORDS[i * 3 % 40]} {WORDS[i]}")
        labels.append(f"q{i}\t0\tp{i}\t1")
        negative = (i + 11) % 40
        dual_examples.append(f"q{i}\tp{i}\tp{negative}")
        candidate = (i * 5) % 40
        cross_examples.append(f"q{i}\tp{candidate}\t{int(i % 8 == 0)}")
    write_lines(folder / "collection.tsv", _passages())
    write_lines(folder / "queries.tsv", queries)
    write_lines(folder / "qrels.tsv", labels)
    write_lines(folder / "examples.dual.tsv", dual_examples)
    write_lines(folder / "examples.cross.tsv", cross_examples)
    _write_initial_weights(folder / "init", dropout)


def write_teacher(folder: Path) -> Path:
    """Writes the scores of a cross encoder for the pairs of the examples, and returns the run."""
    lines = []
    for number, row in enumerate((folder / "examples.dual.tsv").read_text().splitlines()):
        query_id, *passage_ids = row.split("\t")
        for place, passage_id in enumerate(passage_ids):
            score = (1 + (number + 3 * place) % 7) / 8
            lines.append(f"{query_id}\tQ0\t{passage_id}\t{place + 1}\t{score}\trocketqa")
    write_lines(folder / "teacher.run", lines)
    return folder / "teacher.run"


def _passages() -> Iterator[str]:
    """Yields 40 passages of 3 to 8 words, every second one with a title."""
    for i in range(40):
        title = "t" if i % 2 else ""
        words = [WORDS[(i * 7 + j * j) % 40] for j in range(3 + i % 6)]
        yield f"p{i}\t{title}\t{' '.join(words)}"


def _write_initial_weights(folder: Path, dropout: float) -> None:
    """Writes an ERNIE of two layers of size 16, with its vocabulary."""
    from safetensors.numpy import save_file

    folder.mkdir()
    vocabulary = [*SPECIAL_WORDS, *WORDS]
    config = ErnieConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=40,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    write_lines(folder / "vocab.txt", vocabulary)
    (folder / "config.json").write_text(json.dumps(config._asdict()))
    save_file(initial_weights(config, seed=1), folder / "model.safetensors")


def verb(*arguments: object) -> list[str]:
    """Returns the command line of a verb."""
    return [sys.executable, "-m", "rocketqa.cli", *map(str, arguments)]


def dual_flags(folder: Path, output: Path, batch_size: int, **changed: object) -> list[str]:
    """Returns the flags of a short dual-encoder training; the value "" stands for a switch."""
    return _flags(folder, output, "examples.dual.tsv", {"batch-size": batch_size} | changed)


def cross_flags(folder: Path, output: Path, **changed: object) -> list[str]:
    """Returns the flags of a short cross-encoder training."""
    return _flags(folder, output, "examples.cross.tsv", {"batch-size": 4} | changed)


def _flags(folder: Path, output: Path, examples: str, changed: dict[str, object]) -> list[str]:
    flags: dict[str, object] = {
        "output": output,
        "init": folder / "init",
        "collection": folder / "collection.tsv",
        "queries": folder / "queries.tsv",
        "examples": folder / examples,
        "epochs": 2,
        "learning-rate": 1e-3,
        "warmup": 0.1,
        "decay": "linear",
        "weight-decay": 0.0,
        "seed": 1,
    }
    words = []
    for name, value in (flags | changed).items():
        words.append(f"--{name}")
        if value != "":
            words.append(str(value))
    return words


def train_dual(
    folder: Path, output: Path, devices: int, batch_size: int, **changed: object
) -> None:
    """Trains as a user does: one process, or several under Paddle's launcher."""
    flags = dual_flags(folder, output, batch_size, **changed)
    run_training(folder, devices, "train-dual-encoder", flags)


def train_cross(folder: Path, output: Path, devices: int = 1, **changed: object) -> None:
    """Trains a cross encoder as a user does."""
    flags = cross_flags(folder, output, **changed)
    run_training(folder, devices, "train-cross-encoder", flags)


def run_training(folder: Path, devices: int, name: str, flags: list[str]) -> None:
    """Runs a training verb and fails with its output and logs if it fails."""
    command = verb(name, *flags) if devices == 1 else launched(folder, devices, name, flags)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    logs = "".join(path.read_text() for path in (folder / "log").glob("workerlog.*"))
    assert done.returncode == 0, done.stdout + done.stderr + logs


def launched(folder: Path, devices: int, name: str, flags: list[str]) -> list[str]:
    """Returns the command line of a verb as several processes."""
    return [
        sys.executable,
        "-m",
        "paddle.distributed.launch",
        "--nproc_per_node",
        str(devices),
        "--log_dir",
        str(folder / "log"),
        console_script(folder),
        name,
        *flags,
    ]


def console_script(folder: Path) -> str:
    """Returns a script that does what the installed `rocketqa` does."""
    script = folder / "rocketqa_command.py"
    script.write_text("import sys\nfrom rocketqa.cli.__main__ import main\nsys.exit(main())\n")
    return str(script)
