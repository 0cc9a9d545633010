"""`data_prep/released_models.py` turns released models into checkpoints, and checkpoints back."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from data_prep_runs import call
from misbehaving_server import serving
from released_fixture import PACKAGE, TEXTS, ReleasedFixture, contents

import rocketqa
from rocketqa.weights.released_models import read_checkpoint, read_released

SCRIPT = "released_models.py"


def answers_of(model: Path, texts: tuple[str, str, str]) -> list[float]:
    query, text, _ = texts
    return list(rocketqa.load_model(str(model)).matching([query], [text]))


@pytest.mark.parametrize("kind", PACKAGE)
def test_a_released_model_becomes_a_checkpoint_that_answers_the_same_and_goes_back(tmp_path, kind):
    fixture = ReleasedFixture(tmp_path / "model", kind)
    ours, back = tmp_path / "ours", tmp_path / "back"
    status, output = call(SCRIPT, "import", fixture.folder, "--output", ours)
    assert status == 0
    is_dual = "q_max_seq_len" in fixture.config
    lengths = "--query-length 8, --passage-length 12" if is_dual else "--max-length 14"
    assert output.endswith(f", for {lengths}\n")
    assert call(SCRIPT, "export", ours, "--output", back)[0] == 0
    texts = TEXTS[fixture.chinese]
    expected = answers_of(fixture.folder, texts)
    assert answers_of(ours, texts) == expected
    assert answers_of(back, texts) == expected
    assert contents(back / "params").items() <= contents(fixture.folder / "step_10").items()


def test_a_checkpoint_is_up_to_date_until_its_source_changes(tmp_path):
    fixture = ReleasedFixture(tmp_path / "model", "cross")
    arguments = ("import", fixture.folder, "--output", tmp_path / "ours")
    assert call(SCRIPT, *arguments)[0] == 0
    assert call(SCRIPT, *arguments, "--check")[0] == 0
    config = fixture.folder / "config.json"
    config.write_text(config.read_text() + " ")
    assert call(SCRIPT, *arguments, "--check")[0] == 3


def test_the_variables_behind_a_url_become_a_checkpoint(tmp_path, monkeypatch):
    monkeypatch.setenv("ROCKETQA_CACHE", str(tmp_path / "cache"))
    fixture = ReleasedFixture(tmp_path / "model", "separate")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        tar.add(fixture.folder / "step_10", "marco_dual_encoder_v9")
    body = archive.getvalue()
    md5 = hashlib.md5(body).hexdigest()
    with serving(body, "fine") as server:
        url = server.url.replace("file.tsv", "marco_dual_encoder_v9.tar.gz")
        arguments = ("import", url, "--output", tmp_path / "ours", "--md5", md5)
        _, output = call(SCRIPT, *arguments)
        assert output.endswith(
            "expected --vocab with variables that have no config.json beside them, got none\n"
        )
        assert call(SCRIPT, *arguments, "--vocab", fixture.folder / "vocab.txt")[0] == 0
    expected = read_released(fixture.folder / "config.json")
    assert read_checkpoint(tmp_path / "ours").weights.keys() == expected.weights.keys()


def test_what_is_no_model_is_not_imported(tmp_path):
    gone = tmp_path / "gone"
    status, output = call(SCRIPT, "import", gone, "--output", tmp_path / "ours")
    assert status == 2
    assert output == (
        f"data_prep/released_models.py: {gone}: expected a released model, "
        "got neither config.json nor variables there\n"
    )
    assert list(tmp_path.iterdir()) == []
