"""Every env file sets the same variables, explains each, and has the paper's values where due."""

import re

import pytest
from script_runs import ENVS, ROOT, variable_comments, variable_names, variable_values

PAPER = {
    "BATCH_SIZE": "512",
    "LEARNING_RATE": "3e-5",
    "WARMUP": "0.1",
    "QUERY_LENGTH": "32",
    "PASSAGE_LENGTH": "128",
    "BATCH_SIZE_CROSS": "64",
    "EPOCHS_CROSS": "2",
    "LEARNING_RATE_CROSS": "1e-5",
    "MAX_NEGATIVE": "0.1",
    "MIN_POSITIVE": "0.9",
    "NEGATIVES": "cross-batch",
    "INIT": "ernie-2.0-base-en",
    "PRECISION": "float16",
    "RECOMPUTE": "yes",
    "INIT_CROSS": "ernie-2.0-large-en",
}
RELEASED = {
    "WEIGHT_DECAY": "0.0",
    "WEIGHT_DECAY_CROSS": "0.01",
    "WARMUP_CROSS": "0.0",
    "DECAY_CROSS": "constant",
    "PAIR_LENGTH": "160",
    "FGM": "0.01",
    "PRECISION_CROSS": "float32",
    "LAYER_NORM_EPS": "1e-5",
    "SEED": "1",
    "AUGMENT_DEPTH": "50",
    "ACCUMULATE": "1",
    "ACCUMULATE_CROSS": "1",
    "MASK_POSITIVES": "no",
    "DISTIL": "no",
    "FUSE": "no",
}
NOTHING_CHOSEN = {  # off: as in the paper
    "CHOOSE": "no",
    "PASSAGE_LENGTHS": "",
    "HELD_OUT": "0",
    "THRESHOLDS": "paper",
    "EASY_STEPS_CROSS": "0",
}
OF_A_DATA_SET = {
    "marco": {
        "DEVICES": "8",
        "EPOCHS_1": "40",
        "EPOCHS_3": "10",
        "EPOCHS_4": "10",
        "DUAL_NEGATIVES": "4",
        "DEVICES_CROSS": "4",
        "CROSS_NEGATIVES": "4",
        "CROSS_DEPTH": "1000",
        "DENOISE_DEPTH": "50",
        "FILL_DEPTH": "1000",
        "POSITIVES": "labels",
    },
    "nq": {
        "DEVICES": "2",
        "EPOCHS_1": "30",
        "EPOCHS_3": "30",
        "EPOCHS_4": "30",
        "DUAL_NEGATIVES": "1",
        "DEVICES_CROSS": "1",
        "CROSS_NEGATIVES": "1",
        "CROSS_DEPTH": "100",
        "DENOISE_DEPTH": "100",
        "FILL_DEPTH": "0",
        "POSITIVES": "answers",
        "STAGE_1_RUN": "bm25.train.run",
    },
}
SOURCE = (
    r"the paper, (section|table|figure|footnote) \d.*|the released code( of RocketQAv2)?|"
    r"RocketQAv2, table 3|"
    r"this project|chosen for the toy data|chosen on real text \(README\.md\)"
)


def test_all_env_files_set_the_same_variables_in_the_same_order():
    assert [env.name for env in ENVS] == [
        *("marco.env", "nq.env", "own.env", "toy.env", "windows.env")
    ]
    names = variable_names(ENVS[0])
    assert len(set(names)) == len(names)
    for env in ENVS:
        assert variable_names(env) == names, env.name


@pytest.mark.parametrize("env", ENVS, ids=lambda path: path.name)
def test_every_variable_is_explained_with_its_unit_and_its_source(env):
    comments = variable_comments(env)
    assert list(comments) == variable_names(env)
    for name, comment in comments.items():
        parts = re.fullmatch(r"(.+\.) Unit: (.+)\. Source: (.+)\.", comment)
        assert parts, (name, comment)
        meaning, unit, source = parts.groups()
        assert len(meaning.split()) >= 5, (name, meaning)
        assert re.fullmatch(SOURCE, source), (name, source)


def test_a_variable_has_the_same_meaning_and_unit_in_every_env_file():
    comments = [variable_comments(env) for env in ENVS]
    for name in comments[0]:
        of_each_file = [comment[name] for comment in comments]
        first_sentences = {text.split(". ")[0] for text in of_each_file}
        units = {text.split("Unit: ")[1].split(". Source: ")[0] for text in of_each_file}
        assert len(first_sentences) == 1, name
        assert len(units) == 1, name


@pytest.mark.parametrize("data_set", OF_A_DATA_SET)
def test_the_values_of_the_papers_data_sets_are_the_papers_and_the_released_codes(data_set):
    values = variable_values(ROOT / f"run_scripts/{data_set}.env")
    expected = PAPER | RELEASED | OF_A_DATA_SET[data_set] | NOTHING_CHOSEN
    assert {name: values[name] for name in expected} == expected


def test_the_windows_of_squad_are_flown_like_data_of_ones_own():
    own, windows = (
        variable_values(ROOT / f"run_scripts/{name}.env") for name in ("own", "windows")
    )
    changed = {name for name in own if own[name] != windows[name]}
    folders = {"DATA_DIR", "OUTPUT_DIR", "CHECKPOINT_DIR"}
    of_the_data = {"DATA_PREP", "INIT", "INIT_CROSS", "ROWS", "BM25_STEMMER", "PASSAGE_LENGTHS"}
    of_a_short_flight = {
        *("MIN_STEPS", "MIN_STEPS_CROSS", "EASY_STEPS_CROSS", "EPOCHS_4", "EPOCHS_CROSS"),
        *("RERANK_DEPTH", "DISTIL"),
    }
    assert changed == folders | of_the_data | of_a_short_flight
    for name in ("INIT", "INIT_CROSS"):  # made by DATA_PREP
        assert windows[name].startswith(f"{windows['DATA_DIR']}/")


def test_the_first_page_has_the_values_of_own_env():
    values = variable_values(ROOT / "run_scripts/own.env")
    page = (ROOT / "README.md").read_text()
    rows = re.findall(r"^\| (`[A-Z_0-9` ]+`) \| .+ \| (.+) \|$", page, re.M)
    assert len(rows) > 5
    for names, told in rows:
        expected = [values[name] or "empty" for name in re.findall(r"\w+", names)]
        assert told.split(", ") == expected, names
