"""A tiny Chinese flight: its data and weights, and its planned commands in this process."""

import shutil
from pathlib import Path

from data_prep_runs import data_prep_module
from planned_flights import fly_here
from script_runs import folders_below

from rocketqa.files.formats import write_lines

PLACES = "甲城 乙城 丙城 丁城 戊城 己城 庚城 辛城 东镇 西镇 南镇 北镇 上村 下村 前村 后村".split()
GOODS = "苹果 桥梁 瓷器 茶叶 丝绸 煤炭 钢铁 渔业 竹林 温泉 古塔 花灯 药材 木雕 石雕 年画".split()
PASSAGE = "{place}位于山的另一边，那里的{goods}十分有名。"
QUERY = "什么地方的{goods}最有名"
UNLABELLED = "{place}的人们为了什么来"
TRAINED = 12  # the queries of the places behind these are the dev queries
SPECIAL_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "-"]
# A handful of steps teaches little, so the thresholds are wide open: the procedure is tested.
SHRUNK = {
    "DISTIL": "yes",
    "DEVICES": "1",
    "DEVICES_CROSS": "1",
    "DEVICES_INFERENCE": "1",
    "BATCH_SIZE_5": "8",
    "BATCH_SIZE": "4",
    "BATCH_SIZE_CROSS": "8",
    "MIN_STEPS": "4",
    "MAX_STEPS": "4",
    "DENOISE_DEPTH": "10",
    "MAX_NEGATIVE": "0.7",
    "MIN_POSITIVE": "0.01",
    "PRECISION_INFERENCE": "float32",
    "EVALUATE_BY": "answers-by-characters",
}


def write_chinese_data(folder: Path) -> dict[str, str]:
    """Writes the data and the initial weights of a flight, and returns the variables for them."""
    collection, queries, labels, answers, unlabelled = [], [], [], [], []
    for number, (place, goods) in enumerate(zip(PLACES, GOODS)):
        collection.append(f"p{number}\t{place}\t" + PASSAGE.format(place=place, goods=goods))
        queries.append(f"q{number}\t" + QUERY.format(goods=goods))
        labels.append(f"q{number}\t0\tp{number}\t1")
        answers.append(f"q{number}\t{place}")
        unlabelled.append(f"u{number}\t" + UNLABELLED.format(place=place))
    folder.mkdir()
    write_lines(folder / "collection.tsv", collection)
    write_lines(folder / "queries.train.tsv", queries[:TRAINED])
    write_lines(folder / "qrels.train.tsv", labels[:TRAINED])
    write_lines(folder / "queries.dev.tsv", queries[TRAINED:])
    write_lines(folder / "qrels.dev.tsv", labels[TRAINED:])
    write_lines(folder / "answers.dev.tsv", answers[TRAINED:])
    write_lines(folder / "queries.unlabelled.tsv", unlabelled)
    _write_weights(folder / "init", [*collection, *queries, *unlabelled])
    return {
        "DATA_DIR": str(folder),
        "INIT": str(folder / "init"),
        "INIT_CROSS": str(folder / "init"),
    }


def _write_weights(folder: Path, lines: list[str]) -> None:
    """Writes an encoder whose vocabulary is the Chinese characters of the lines."""
    characters = sorted({letter for line in lines for letter in line if not letter.isascii()})
    write = data_prep_module("toy_encoder").write_initial_encoder
    write(folder, [*SPECIAL_WORDS, *characters], [], hidden_size=32, dropout=0.0, seed=1)


def fly(folder: Path, unlabelled: bool = True) -> list[list[str]]:
    """Makes data, with or without unlabelled queries, flies on it, and returns the commands of the
    flight.
    """
    variables = write_chinese_data(folder / "data") | folders_below(folder)
    if not unlabelled:
        (folder / "data/queries.unlabelled.tsv").unlink()
    return fly_here("own", **SHRUNK, **variables)


def variables_of_adaptation(flown: Path) -> dict[str, str]:
    """Returns the variables for an adaptation of the models of a finished flight, in its folder, to
    the same documents, with a log and without labels.
    """
    data = flown / "without_labels"
    if not data.exists():
        data.mkdir()
        for name in ("collection.tsv", "queries.unlabelled.tsv"):
            shutil.copy(flown / "data" / name, data)
    return SHRUNK | {
        **folders_below(flown),
        "DATA_DIR": str(data),
        "INIT": str(flown / "c/dual_encoder_0"),
        "INIT_CROSS": str(flown / "c/cross_encoder"),
        "BATCH_SIZE_5": "4",
        "LEARNING_RATE_5": "1e-3",
    }


def adapt(flown: Path) -> list[list[str]]:
    """Adapts the models of a finished flight without labels, and returns the commands."""
    (flown / "c/adapted").mkdir()
    return fly_here("own", "adapt.sh", **variables_of_adaptation(flown))
