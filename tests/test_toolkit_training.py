"""The toolkit trains on the released training files, and resumes a training that was killed."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from toolkit_fixture import (
    CHINESE_FOUR_COLUMNS,
    FOUR_COLUMNS,
    PARA,
    QUERY,
    SIX_COLUMNS,
    TITLE,
    write_released_models,
)

import rocketqa
from rocketqa.files.errors import DataError

README = Path(__file__).parents[1] / "rocketqa/README.md"


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The cache with small models in the released layout."""
    folder = tmp_path_factory.mktemp("cache")
    write_released_models(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(released, monkeypatch):
    """The cache in which `load_model` finds the small models."""
    monkeypatch.setenv("ROCKETQA_CACHE", str(released))


def weights_of(encoder) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in encoder.layer.state_dict().items()}


def manifest_of(checkpoint: Path) -> dict:
    return json.loads((checkpoint / "meta.json").read_text(encoding="utf-8"))


def test_the_python_code_of_the_readme_runs_as_it_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.tsv").write_text(FOUR_COLUMNS)
    (code,) = re.findall(r"```python\n(import rocketqa\n.*?)```", README.read_text(), re.DOTALL)
    exec(code, {})
    assert (tmp_path / "ce_models" / "model.safetensors").is_file()


@pytest.mark.parametrize(
    "name, rows, texts",
    [
        ("v1_marco_de", SIX_COLUMNS, (QUERY, PARA, TITLE)),
        ("pair_marco_de", SIX_COLUMNS, (QUERY, PARA, TITLE)),
        ("v1_marco_ce", FOUR_COLUMNS, (QUERY, PARA, TITLE)),
        ("zh_dureader_ce_v2", CHINESE_FOUR_COLUMNS, (["猫吗"], ["狗 跑"])),
    ],
)
def test_a_trained_model_is_loaded_again_as_it_was(tmp_path, name, rows, texts):
    train_set = str(tmp_path / "train.tsv")
    models = str(tmp_path / "models")
    Path(train_set).write_text(rows, encoding="utf-8")
    encoder = rocketqa.load_model(model=name, use_cuda=False, device_id=0, batch_size=2)
    before = list(encoder.matching(*texts))
    log_folder = str(tmp_path / "log")
    encoder.train(train_set, 2, models, save_steps=10, learning_rate=1e-2, log_folder=log_folder)
    after = list(encoder.matching(*texts))
    assert np.abs(np.subtract(after, before)).max() > 1e-3
    log = (tmp_path / "log" / "train_log.tsv").read_text().splitlines()
    assert len(log) == 1 + rows.count("\n")

    loaded = rocketqa.load_model(model=f"{models}/config", batch_size=2)
    assert list(loaded.matching(*texts)) == after
    assert loaded.lengths == encoder.lengths

    repeated = rocketqa.load_model(model=name, batch_size=2)
    repeated.train(train_set, 2, models, save_steps=10, learning_rate=1e-2)
    assert list(repeated.matching(*texts)) == after

    encoder.train(train_set, 1, str(tmp_path / "further"))
    manifest = manifest_of(tmp_path / "further")
    assert manifest["steps"] == rows.count("\n") // 2
    assert models in manifest["inputs"]["init"][0]


def test_an_interrupted_training_resumes_to_the_same_bytes(tmp_path):
    (tmp_path / "six.tsv").write_text(SIX_COLUMNS)

    def train(output: str, expected_steps: int, stop_at: int = 0) -> bytes:
        encoder = rocketqa.load_model("v1_marco_de", batch_size=4)
        steps = []

        def interrupt(*_):
            steps.append(1)
            if len(steps) == stop_at:
                raise KeyboardInterrupt

        encoder.layer.query_encoder.register_forward_pre_hook(interrupt)
        encoder.train(tmp_path / "six.tsv", 3, tmp_path / output, save_steps=2, learning_rate=1e-2)
        assert len(steps) == expected_steps
        return (tmp_path / output / "model.safetensors").read_bytes()

    with pytest.raises(KeyboardInterrupt):
        train("stopped", expected_steps=5, stop_at=5)
    assert train("stopped", expected_steps=2) == train("uninterrupted", expected_steps=6)


@pytest.mark.parametrize(
    "name, rows, message",
    [
        ("v1_marco_de", FOUR_COLUMNS, "train.tsv:1: expected 6 columns, got 4"),
        ("v1_marco_ce", SIX_COLUMNS, "train.tsv:1: expected 4 columns, got 6"),
        (
            "v1_marco_de",
            SIX_COLUMNS + "q\tt\t\t-\tp\t0\n",
            "train.tsv:9: expected a text, got an empty one",
        ),
        ("v1_marco_ce", "q\tt\tp\tyes\n", "train.tsv:1: expected label 0 or 1, got 'yes'"),
        ("v1_marco_ce", "q\tt\tp\t1\n", "examples: expected at least one batch of 4"),
        (
            "v2_marco_ce",
            FOUR_COLUMNS,
            "expected a cross encoder of two classes, got RocketQAv2's re-ranker",
        ),
    ],
)
def test_a_bad_training_set_is_refused_and_leaves_the_weights_as_they_were(
    tmp_path, name, rows, message
):
    (tmp_path / "train.tsv").write_text(rows)
    encoder = rocketqa.load_model(name, batch_size=4)
    before = weights_of(encoder)
    with pytest.raises(DataError, match=message):
        encoder.train(str(tmp_path / "train.tsv"), 1, str(tmp_path / "models"))
    assert not (tmp_path / "models").exists()
    after = weights_of(encoder)
    assert all((after[parameter] == value).all() for parameter, value in before.items())


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"learning_rate": float("nan")}, "learning_rate: expected a number above 0, got nan"),
        ({"learning_rate": "fast"}, "learning_rate: expected a number above 0, got 'fast'"),
        ({"epoch": 1.5}, "epoch: expected a whole number from 1, got 1.5"),
        ({"batch_size": 9}, "examples: expected at least one batch of 9"),
    ],
)
def test_a_bad_setting_is_refused_and_leaves_the_encoder_as_it_was(tmp_path, changed, message):
    (tmp_path / "train.tsv").write_text(SIX_COLUMNS)
    encoder = rocketqa.load_model("v1_marco_de", batch_size=np.int64(2))
    before = list(encoder.matching(QUERY, PARA))
    arguments = {
        "train_set": tmp_path / "train.tsv",
        "epoch": 1,
        "save_model_path": tmp_path / "out",
    }
    with pytest.raises(DataError, match=message):
        encoder.train(**arguments | changed)
    assert encoder.batch_size == 2
    assert list(encoder.matching(QUERY, PARA)) == before


TRAINING_PROGRAM = """
import os
import sys
import time
import rocketqa
if __name__ == "__main__":
    device = int(os.environ.get("PADDLE_TRAINER_ID", "0"))
    for name, rows in (("v1_marco_de", "six.tsv"), ("v1_marco_ce", "four.tsv")):
        encoder = rocketqa.load_model(model=name, use_cuda=False, batch_size=int(sys.argv[2]))
        time.sleep(device)  # so the devices reach the training at different times
        encoder.train(rows, 2, f"{sys.argv[1]}/{name}", learning_rate=1e-3)
        assert len(list(encoder.matching(["a cat"], ["the mat"]))) == 1
"""
LAUNCHER = "-m paddle.distributed.launch --nproc_per_node 2 --backend gloo --log_dir log".split()


def test_all_devices_of_a_launch_train_one_model_on_the_passages_of_all(tmp_path, monkeypatch):
    """Two devices of 2 queries have the losses of one of 4. One program trains both encoders."""
    write_released_models(tmp_path / "cache", dropout=0.0)  # each device would draw its own dropout
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path / "cache"))
    (tmp_path / "six.tsv").write_text(SIX_COLUMNS)
    (tmp_path / "four.tsv").write_text(FOUR_COLUMNS)
    (tmp_path / "program.py").write_text(TRAINING_PROGRAM)
    for command in (
        [sys.executable, "program.py", "one", "4"],
        [sys.executable, *LAUNCHER, "program.py", "two", "2"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    logs = [tmp_path / name / "v1_marco_de" / "train_log.tsv" for name in ("one", "two")]
    one_device, two_devices = (np.loadtxt(log, skiprows=1, usecols=1) for log in logs)
    assert len(one_device) == 4
    np.testing.assert_allclose(two_devices, one_device, rtol=1e-4)
    manifest = manifest_of(tmp_path / "two" / "v1_marco_ce")
    assert manifest["job"]["flags"]["devices"] == 2
