"""Ways to break the flight of `flight_fixture`, each with the line that refuses it."""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

from script_runs import ROOT

Break = Callable[[Path], dict[str, str]]


def without(name: str) -> Break:
    """Returns what deletes a file of the data."""

    def change(folder: Path) -> dict[str, str]:
        (folder / "data" / name).unlink()
        return {}

    return change


def emptied(name: str) -> Break:
    """Returns what empties a file of the data."""

    def change(folder: Path) -> dict[str, str]:
        (folder / "data" / name).write_text("")
        return {}

    return change


def appended(name: str, line: str) -> Break:
    """Returns what adds a line to a file of the data."""

    def change(folder: Path) -> dict[str, str]:
        with (folder / "data" / name).open("a") as file:
            file.write(f"{line}\n")
        return {}

    return change


def exported(**variables: str) -> Break:
    """Returns what exports variables; FOLDER in a value stands for the folder of the flight."""

    def change(folder: Path) -> dict[str, str]:
        return {name: value.replace("FOLDER", str(folder)) for name, value in variables.items()}

    return change


def edited(pattern: str, replacement: str) -> Break:
    """Returns what replaces a pattern in the env file."""

    def change(folder: Path) -> dict[str, str]:
        env = folder / "my.env"
        env.write_text(re.sub(pattern, replacement, env.read_text(), flags=re.MULTILINE))
        return {}

    return change


def broken_copy(damage: Callable[[Path], object], variable: str = "INIT_CROSS") -> Break:
    """Returns what makes a damaged copy of the initial weights, and names it."""

    def change(folder: Path) -> dict[str, str]:
        copy = folder / "broken"
        copy.mkdir()
        for path in (folder / "data/init").iterdir():
            (copy / path.name).write_bytes(path.read_bytes())
        damage(copy)
        return {variable: str(copy)}

    return change


def cut_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def other_layers(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))


def a_dual_encoder(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({"model": "DualEncoder", "encoder": config}))


def without_package(name: str, **variables: str) -> Break:
    """Returns what puts a package that cannot be imported before the installed one."""

    def change(folder: Path) -> dict[str, str]:
        (folder / "packages").mkdir()
        (folder / "packages" / f"{name}.py").write_text("raise ImportError('not installed')\n")
        python_path = f"{folder / 'packages'}{os.pathsep}{ROOT}"
        return variables | {"PYTHONPATH": python_path}

    return change


NOTHING = "expected a file, got nothing there"
FAULTS: dict[str, tuple[Break, str]] = {  # what is broken -> how, and the line
    "no collection": (
        without("collection.tsv"),
        f"FOLDER/data/collection.tsv: {NOTHING}; its columns are passage_id, title, text",
    ),
    "no labels to evaluate by": (
        without("qrels.dev.tsv"),
        f"FOLDER/data/qrels.dev.tsv: {NOTHING}; its columns are query_id, 0, passage_id, relevance",
    ),
    "unlabelled queries without a row": (
        emptied("queries.unlabelled.tsv"),
        "FOLDER/data/queries.unlabelled.tsv: expected rows, got an empty file",
    ),
    "a label without its passage": (
        appended("qrels.dev.tsv", "q1\t0\t1"),
        "FOLDER/data/qrels.dev.tsv:41: expected ",
    ),
    "a label of a query that is not there": (
        appended("qrels.train.tsv", "nobody\t0\tp1\t1"),
        "FOLDER/data/qrels.train.tsv:41: expected a query_id of the queries, got 'nobody'",
    ),
    "an unlabelled query with the id of a training query": (
        appended("queries.unlabelled.tsv", "q7\tw7"),
        "FOLDER/data/queries.unlabelled.tsv:41: expected each id once, got 'q7' again",
    ),
    "no answers to train by": (
        exported(POSITIVES="answers"),
        f"FOLDER/data/answers.train.tsv: {NOTHING}; its columns are query_id, answer, answer ...",
    ),
    "no answers to evaluate by": (
        exported(EVALUATE_BY="answers"),
        f"FOLDER/data/answers.dev.tsv: {NOTHING}",
    ),
    "no queries to evaluate": (
        without("queries.dev.tsv"),
        f"FOLDER/data/queries.dev.tsv: {NOTHING}; its columns are query_id, text",
    ),
    "no run for stage 1": (
        exported(STAGE_1_RUN="bm25.run"),
        f"FOLDER/data/bm25.run: {NOTHING}; it is a run of the training queries",
    ),
    "no initial weights": (
        exported(INIT="FOLDER/nowhere"),
        "INIT: FOLDER/nowhere: expected a folder with config.json, vocab.txt and weights, got",
    ),
    "no configuration": (
        broken_copy(lambda folder: (folder / "config.json").unlink()),
        "INIT_CROSS: FOLDER/broken: expected a config.json beside the weights, got none",
    ),
    "no vocabulary": (
        broken_copy(lambda folder: (folder / "vocab.txt").unlink(), "INIT"),
        "INIT: FOLDER/broken: vocab.txt: expected one or a tokenizer.json beside the weights, got",
    ),
    "no weights": (
        broken_copy(lambda folder: (folder / "model.safetensors").unlink()),
        "INIT_CROSS: FOLDER/broken: expected weights (model.safetensors, ",
    ),
    "cut weights": (
        broken_copy(cut_weights),
        "INIT_CROSS: FOLDER/broken/model.safetensors: expected complete weights, got ",
    ),
    "weights of another size": (
        broken_copy(other_layers),
        "INIT_CROSS: FOLDER/broken: expected the parameters of the encoder in config.json, got ",
    ),
    "a dual encoder for the cross encoder": (
        broken_copy(a_dual_encoder),
        "INIT_CROSS: FOLDER/broken: expected an encoder or a cross encoder to start from, got ",
    ),
    "a variable missing": (
        edited("^LEARNING_RATE=.*\n", ""),
        "FOLDER/my.env: LEARNING_RATE: expected a value, got none",
    ),
    "a variable unknown": (
        edited("^LEARNING_RATE=", "LERNING_RATE=1\nLEARNING_RATE="),
        "FOLDER/my.env: LERNING_RATE: expected a known variable, got this name "
        "(did you mean LEARNING_RATE?)",
    ),
    "no folder named": (
        edited("^OUTPUT_DIR=.*", "OUTPUT_DIR="),
        "FOLDER/my.env: OUTPUT_DIR: expected a path, got an empty text",
    ),
    "a rate that is no number": (
        exported(LEARNING_RATE_CROSS="nan"),
        "exported variable LEARNING_RATE_CROSS: expected a rate above 0 and up to 1, such as 3e-5, "
        "got nan",
    ),
    "steps for a share": (
        edited("^WARMUP=.*", "WARMUP=100"),
        "FOLDER/my.env: WARMUP: expected a share of the steps, 0 to 1, got 100",
    ),
    "a batch of words": (
        exported(BATCH_SIZE="two"),
        "exported variable BATCH_SIZE: expected a whole number from 1, got two",
    ),
    "no device": (
        exported(DEVICES_CROSS="0"),
        "exported variable DEVICES_CROSS: expected a whole number from 1, got 0",
    ),
    "a length without room": (
        exported(PAIR_LENGTH="600"),
        "exported variable PAIR_LENGTH: expected 8 to 512 tokens, got 600",
    ),
    "neither yes nor no": (
        exported(MASK_POSITIVES="true"),
        "exported variable MASK_POSITIVES: expected yes or no, got true",
    ),
    "a probability in percent": (
        exported(MIN_POSITIVE="90"),
        "exported variable MIN_POSITIVE: expected a probability, 0 to 1, got 90",
    ),
    "a home that only a shell knows": (
        exported(DATA_DIR="~/data"),
        "exported variable DATA_DIR: expected a path, got ~/data, whose ~ only a shell understands",
    ),
    "a file where a folder goes": (
        exported(OUTPUT_DIR="FOLDER/my.env/o"),
        "OUTPUT_DIR: expected a folder, got FOLDER/my.env, which is none",
    ),
    "a folder that cannot be written": (
        exported(CHECKPOINT_DIR="/proc/c"),
        "CHECKPOINT_DIR: expected a folder that can be written, got /proc: ",
    ),
    "no BM25": (
        without_package("bm25s", BASELINES="yes"),
        "package bm25s: expected it to be installed (pip install -e '.[bm25]', or set "
        "BASELINES=no FUSE=no), got ImportError: not installed",
    ),
    "no stemmers to choose from": (
        without_package("Stemmer", BASELINES="yes", CHOOSE="yes", BM25_STEMMER=""),
        "package Stemmer: expected it to be installed (pip install -e '.[bm25]', or use BM25 "
        "without a stemmer (BM25_STEMMER=none)), got ImportError: not installed",
    ),
    "no figures": (
        without_package("matplotlib"),
        "package matplotlib: expected it to be installed (pip install matplotlib), got ",
    ),
    "two machines": (
        exported(PADDLE_NNODES="2"),
        "PADDLE_NNODES: expected 1 or no value: NODES starts a flight on several machines, DEVICES "
        "on several devices, got 2",
    ),
    "a disk that is too small": (
        exported(AUGMENT_DEPTH="2000000000"),  # x 40 queries x 45 bytes
        "FOLDER/o: expected 3352.8 GiB of free disk, as the plan foretells, got ",
    ),
    "half precision on a CPU": (
        exported(PRECISION_CROSS="float16"),
        "PRECISION_CROSS=float16: expected a GPU, got a CPU, which trains in float32 alone",
    ),
}
OF_MACHINE = ("a disk that is too small", "half precision on a CPU")
