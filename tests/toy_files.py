"""A flight of a few lines, for tests that run verbs as a user does."""

import json
import os
import subprocess
import sys
from pathlib import Path

from rocketqa.encoder.config import ErnieConfig
from rocketqa.encoder.ernie import initial_weights
from rocketqa.files.formats import write_lines

WORDS = [f"w{i}" for i in range(40)]
ENVIRONMENT = os.environ | {"OMP_NUM_THREADS": "1"}


def write_tiny_flight(folder: Path, dropout: float = 0.0) -> None:
    """Writes collection, queries, labels, examples and an initial encoder into a folder."""
    from safetensors.numpy import save_file

    write_lines(
        folder / "collection.tsv",
        (
            f"p{i}\t{'t' if i % 2 else ''}\t{' '.join(WORDS[(i * 7 + j * j) % 40] for j in range(3 + i % 6))}"
            for i in range(40)
        ),
    )
    write_lines(
        folder / "queries.tsv", (f"q{i}\t{WORDS[i * 3 % 40]} {WORDS[i]}" for i in range(40))
    )
    write_lines(folder / "qrels.tsv", (f"q{i}\t0\tp{i}\t1" for i in range(40)))
    write_lines(folder / "examples.dual.tsv", (f"q{i}\tp{i}\tp{(i + 11) % 40}" for i in range(40)))
    write_lines(
        folder / "examples.cross.tsv",
        (f"q{i}\tp{(i * 5) % 40}\t{int(i % 8 == 0)}" for i in range(40)),
    )
    init = folder / "init"
    init.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-", "t", *WORDS]
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
    write_lines(init / "vocab.txt", vocabulary)
    (init / "config.json").write_text(json.dumps(config._asdict()))
    save_file(initial_weights(config, seed=1), init / "model.safetensors")


def verb(*arguments: object) -> list[str]:
    """Returns the command line of a verb."""
    return [sys.executable, "-m", "rocketqa.cli", *map(str, arguments)]


def dual_flags(folder: Path, output: Path, batch_size: int, **changed: object) -> list[str]:
    """Returns the flags of a short dual-encoder training on the tiny flight; "" is that of a switch."""
    return _flags(folder, output, "examples.dual.tsv", {"batch-size": batch_size} | changed)


def cross_flags(folder: Path, output: Path, **changed: object) -> list[str]:
    """Returns the flags of a short cross-encoder training on the tiny flight."""
    return _flags(folder, output, "examples.cross.tsv", {"batch-size": 4} | changed)


def _flags(folder: Path, output: Path, examples: str, changed: dict[str, object]) -> list[str]:
    flags = {
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
    return [
        str(word)
        for name, value in (flags | changed).items()
        for word in (f"--{name}", value)
        if word != ""
    ]


def train_dual(
    folder: Path, output: Path, devices: int, batch_size: int, **changed: object
) -> None:
    """Trains as a user does: one process, or several under Paddle's launcher."""
    run_training(
        folder, devices, "train-dual-encoder", dual_flags(folder, output, batch_size, **changed)
    )


def train_cross(folder: Path, output: Path, devices: int = 1, **changed: object) -> None:
    """Trains a cross encoder as a user does."""
    run_training(folder, devices, "train-cross-encoder", cross_flags(folder, output, **changed))


def run_training(folder: Path, devices: int, name: str, flags: list[str]) -> None:
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
