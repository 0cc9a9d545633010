"""A package that is missing where it is needed is one line with the command that installs it."""

import subprocess
import sys

import pytest
from data_prep_runs import call
from flight_fixture import write_flight
from script_runs import ROOT, sh, variable_values
from toy_files import ENVIRONMENT, dual_flags, verb, write_tiny_flight
from vocabulary_fixture import WORDS, write_tokenizer

from rocketqa.files.errors import DataError
from rocketqa.files.packages import INSTALL, MissingPackage, import_package
from rocketqa.text.tokenizer import load_text_encoder
from rocketqa.training.preflight import Flight, refusals
from rocketqa.weights.pretrained import load_pretrained

GONE = "ModuleNotFoundError: import of {} halted; None in sys.modules"


@pytest.fixture
def without(tmp_path, monkeypatch):
    """Returns what hides a package here, and the variables that hide it in child processes."""

    def hide(package: str) -> dict[str, str]:
        monkeypatch.setitem(sys.modules, package, None)
        folder = tmp_path / "hidden"
        folder.mkdir()
        (folder / f"{package}.py").write_text("raise ImportError('not there')\n")
        return {"PYTHONPATH": f"{folder}:{ROOT}"}

    return hide


def test_a_package_that_is_there_is_returned():
    assert import_package("faiss", "here", "it") is sys.modules["faiss"]


def test_a_package_that_is_missing_or_broken_is_one_line_with_its_command(without):
    without("bm25s")
    with pytest.raises(MissingPackage) as error:
        import_package("bm25s", "here", "a package")
    assert (
        str(error.value)
        == f"here: expected a package ({INSTALL['bm25s']}), got {GONE.format('bm25s')}"
    )


def test_a_name_without_paddlenlp_is_refused_with_the_command_that_installs_it(without):
    without("paddlenlp")
    with pytest.raises(DataError) as error:
        load_pretrained("ernie-2.0-base-en")
    assert str(error.value) == (
        "ernie-2.0-base-en: expected a folder, or the package paddlenlp, which knows models by "
        f"name (Python 3.10 to 3.12: pip install -e '.[paddlenlp]'), got {GONE.format('paddlenlp')}"
    )


def test_a_tokenizer_without_paddlenlp_is_refused(tmp_path, without):
    without("paddlenlp")
    folder = write_tokenizer(tmp_path, WORDS, tokenizer_class="ErnieTinyTokenizer")
    with pytest.raises(DataError) as error:
        load_text_encoder(folder)
    assert str(error.value).startswith(
        f"{folder}/tokenizer_config.json: expected a WordPiece tokenizer, or the package paddlenlp "
        f"for another one ({INSTALL['paddlenlp']}), got {GONE.format('paddlenlp')}"
    )


def test_the_script_of_published_weights_says_what_it_needs(tmp_path, without):
    without("paddlenlp")
    status, stderr = call("ernie_weights.py", "--output", tmp_path, "--model", "ernie-tiny")
    assert status == 2
    assert "--model ernie-tiny: expected the package paddlenlp, which knows the addr" in stderr


@pytest.mark.parametrize("planned", [False, True])
def test_preflight_refuses_names_without_paddlenlp_and_a_plan_only_says_so(
    tmp_path, without, planned
):
    env = write_flight(tmp_path)
    without("paddlenlp")
    variables = variable_values(env) | {"INIT": "ernie-2.0-base-en", "INIT_CROSS": "ernie-tiny"}
    found = list(refusals(Flight("rocket.sh", str(env), variables, planned=planned)))
    assert len(found) == 2
    for refusal, name in zip(found, ("INIT: ernie-2.0-base-en", "INIT_CROSS: ernie-tiny")):
        assert refusal.line.startswith(f"{name}: expected a folder, or the package paddlenlp")
        assert refusal.of_machine == planned


def test_a_training_that_would_write_for_visualdl_stops_before_it_reads(tmp_path, without):
    write_tiny_flight(tmp_path)
    hidden = without("visualdl")
    flags = [*dual_flags(tmp_path, tmp_path / "x", 4), "--visualdl", str(tmp_path / "log")]
    done = subprocess.run(
        verb("train-dual-encoder", *flags),
        env=ENVIRONMENT | hidden,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr == (
        "rocketqa train-dual-encoder: --visualdl: expected the package visualdl "
        f"({INSTALL['visualdl']}), got ImportError: not there\n"
    )
    assert not (tmp_path / "x").exists()


def test_a_whole_flight_needs_no_paddlenlp(tmp_path, without):
    env = write_flight(tmp_path)
    hidden = without("paddlenlp")
    done = sh("run_scripts/rocket.sh", str(env), "--plan", **hidden)
    assert (done.returncode, done.stderr) == (0, "")
