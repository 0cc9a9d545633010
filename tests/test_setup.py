"""The installation finds a Python, says which it takes, and makes sure that this clone runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from false_commands import write_command
from script_runs import ROOT, sh

import rocketqa
from rocketqa.cli.__main__ import version_line

RELEASED = (1, 1, 0)  # the version of the released package of the same name


def python_of(folder: Path, version: str, name: str = "python3") -> Path:
    """Writes a Python that only tells its version, and fails to make an environment."""
    folder.mkdir(parents=True, exist_ok=True)
    python = folder / name
    python.write_text(
        "#!/bin/sh\n"
        f'case $*: in *version_info*) echo {version} ;; *executable*) echo "$0" ;;\n'
        f"    --version*) echo Python {version}.9 ;; *) exit 9 ;; esac\n"
    )
    python.chmod(0o755)
    return python


def setup(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs setup.sh of a copy of the scripts in a folder, with the Pythons of its folder bin."""
    for name in ("run_scripts", "rocketqa"):
        (folder / "clone" / name).mkdir(parents=True, exist_ok=True)
    for name in ("setup.sh", "lib.sh"):
        shutil.copy(ROOT / "run_scripts" / name, folder / "clone/run_scripts")
    shutil.copy(ROOT / "setup.py", folder / "clone")
    (folder / "bin").mkdir(exist_ok=True)
    environment = {"ROCKETQA_READY": "", "PYTHONPATH": "", "HOME": str(folder), "GPU": "no"}
    environment["PATH"] = f"{folder / 'bin'}:/usr/bin:/bin"
    return sh("clone/run_scripts/setup.sh", cwd=folder, **environment | variables)


def test_the_version_is_above_that_of_the_released_package():
    found = re.search(r'version="(\d+)\.(\d+)\.(\d+)"', (ROOT / "setup.py").read_text())
    assert found
    numbers = tuple(map(int, found.groups()))
    assert numbers > RELEASED
    assert rocketqa.__version__ == ".".join(found.groups())


def test_the_command_says_which_code_runs_on_which_python():
    version = ".".join(map(str, sys.version_info[:3]))
    assert version_line() == (
        f"rocketqa {rocketqa.__version__} from {ROOT / 'rocketqa'} (Python {version})"
    )


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_setup_says_which_python_it_takes_and_whether_paddlenlp_comes(tmp_path, version):
    python = python_of(tmp_path / "bin", version)
    done = setup(tmp_path)
    assert done.returncode == 9  # the Python of this test makes no environment
    paddlenlp = "PaddleNLP" if version != "3.13" else "no PaddleNLP, which has none for Python 3.13"
    assert done.stderr == (
        f"setup: making {tmp_path}/clone/.venv with Python {version}.9 ({python}), Paddle 3.3.1 "
        f"and {paddlenlp} (1 to 3 minutes)\n"
    )


def test_uv_takes_the_place_of_pip_where_it_is_installed(tmp_path):
    makes = 'case $2 in venv) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; exit ;; esac'
    python = python_of(tmp_path / "bin", "3.11")
    python.write_text(python.read_text().replace("#!/bin/sh\n", f"#!/bin/sh\n{makes}\n"))
    write_command(tmp_path / "bin/uv", f'echo "$@" >{tmp_path}/asked; exit 7')
    assert setup(tmp_path).returncode == 7
    assert (tmp_path / "asked").read_text() == (
        f"pip install --compile-bytecode --python {tmp_path}/clone/.venv/bin/python --quiet "
        f"paddlepaddle==3.3.1 --editable {tmp_path}/clone[cpu,test,bm25,demo,milvus,paddlenlp]\n"
    )


def test_a_python_that_is_asked_for_gets_an_environment_of_its_own(tmp_path):
    python_of(tmp_path / "bin", "3.11")
    python = python_of(tmp_path / "elsewhere", "3.12")
    done = setup(tmp_path, PYTHON=str(python), PADDLE="2.6.2")
    assert f"making {tmp_path}/clone/.venv-2.6.2-python3.12 with Python 3.12.9" in done.stderr
    assert "Paddle 2.6.2" in done.stderr


def test_a_python_of_another_version_is_passed_over(tmp_path):
    python_of(tmp_path / "bin", "3.9")
    python = python_of(tmp_path / "bin", "3.12", "python3.12")
    assert f"with Python 3.12.9 ({python})" in setup(tmp_path).stderr


def test_a_python_that_pyenv_has_is_found_by_its_name(tmp_path):
    python_of(tmp_path / "bin", "3.11")
    shim = tmp_path / "bin/python3.13"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.13: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    python = python_of(tmp_path / ".pyenv/versions/3.13.0/bin", "3.13", "python3.13")
    done = setup(tmp_path, PYTHON="python3.13")
    assert f"with Python 3.13.9 ({python})" in done.stderr


@pytest.mark.parametrize("name", ["python3.9", "nothing-of-the-kind"])
def test_a_python_that_cannot_be_taken_is_refused(tmp_path, name):
    python_of(tmp_path / "bin", "3.9", "python3.9")
    done = setup(tmp_path, PYTHON=name)
    assert done.returncode == 2
    assert done.stderr == f"PYTHON: expected a Python 3.10 to 3.13, got {name}\n"
    assert not list((tmp_path / "clone").glob(".venv*"))


def rocketqa_of(folder: Path, code: Path) -> None:
    """Writes the commands of an environment that runs the code of a clone, with Paddle."""
    folder.mkdir(exist_ok=True)
    line = f"rocketqa 2.0.0 from {code} (Python 3.11.7)"
    for name in ("rocketqa", "python"):
        (folder / name).write_text(f'#!/bin/sh\ncase $* in *version*) echo "{line}" ;; esac\n')
        (folder / name).chmod(0o755)


def test_an_active_environment_is_taken_only_if_it_runs_this_clone(tmp_path):
    rocketqa_of(tmp_path / "bin", tmp_path / "clone/rocketqa")
    assert setup(tmp_path).stderr == ""
    rocketqa_of(tmp_path / "bin", tmp_path / "another/rocketqa")
    python_of(tmp_path / "bin", "3.12")
    assert "setup: making " in setup(tmp_path).stderr


def test_an_active_environment_of_another_python_is_not_taken(tmp_path):
    rocketqa_of(tmp_path / "bin", tmp_path / "clone/rocketqa")
    assert setup(tmp_path, PYTHON=str(python_of(tmp_path / "a", "3.11"))).stderr == ""
    done = setup(tmp_path, PYTHON=str(python_of(tmp_path / "b", "3.12")))
    assert "setup: making " in done.stderr


def test_an_environment_that_runs_another_clone_is_an_error_and_not_used(tmp_path):
    python_of(tmp_path / "bin", "3.11")
    setup(tmp_path)
    rocketqa_of(tmp_path / "venv", tmp_path / "another/rocketqa")
    environment = tmp_path / "clone/.venv"
    (environment / "bin").mkdir(parents=True)
    for path in (tmp_path / "venv").iterdir():
        path.rename(environment / "bin" / path.name)
    command = ["sh", "-c", 'cksum <"$1" | tr " " -', "sh", tmp_path / "clone/setup.py"]
    checksum = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    (environment / f"installed-{checksum}").touch()
    done = setup(tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        f"setup: expected {environment} to run {tmp_path}/clone/rocketqa, got rocketqa 2.0.0 from "
        f"{tmp_path}/another/rocketqa (Python 3.11.7): unset PYTHONPATH, or remove the folder, and "
        "call again\n"
    )


def setup_with_gpu(folder: Path, body: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Runs setup.sh where nvidia-smi does this."""
    python_of(folder / "bin", "3.11")
    write_command(folder / "bin/nvidia-smi", body)
    return setup(folder, **{"GPU": ""} | variables)


@pytest.mark.parametrize(
    "name, driver, capability, cuda",
    [
        ("Tesla V100-SXM2-32GB", "535.54.03", "7.0", "cu126"),
        ("NVIDIA H100 80GB HBM3", "580.65.06", "9.0", "cu129"),
        ("NVIDIA B200", "570.86.10", "10.0", "cu129"),
    ],
)
def test_on_a_gpu_setup_says_what_to_install_and_makes_nothing(
    tmp_path, name, driver, capability, cuda
):
    done = setup_with_gpu(tmp_path, f"echo '{name}, {driver}, {capability}'")
    assert done.returncode == 2
    assert done.stderr == (
        f"setup: this machine has a GPU ({name}, driver {driver}). Install for it, in this order:\n"
        f"    cd {tmp_path}/clone\n"
        f"    {tmp_path}/bin/python3 -m venv .venv-gpu && . .venv-gpu/bin/activate\n"
        "    pip install paddlepaddle-gpu==3.3.1 --index-url "
        f"https://www.paddlepaddle.org.cn/packages/stable/{cuda}/\n"
        "    pip install -e '.[gpu,test,paddlenlp]'\n"
        "    rocketqa doctor\n"
        "setup: then call again in this environment; GPU=no before the command makes an "
        "environment for the CPU\n"
    )
    assert not list((tmp_path / "clone").glob(".venv*"))


@pytest.mark.parametrize(
    "gpu, words",
    [
        ("Tesla P100, 550.54.14, 6.0", "expected a GPU of compute capability 7.0 or above, got"),
        ("NVIDIA B200, 550.54.14, 10.0", "expected a driver from 570 on for NVIDIA B200, got 550"),
        ("Tesla V100, 470.57.02, 7.0", "expected a driver from 525 on for Tesla V100, got 470"),
    ],
)
def test_a_gpu_or_driver_that_is_too_old_is_one_line(tmp_path, gpu, words):
    done = setup_with_gpu(tmp_path, f"echo '{gpu}'")
    assert done.returncode == 2
    [line] = done.stderr.splitlines()
    assert line.startswith(f"setup: {words}")
    assert line.endswith("; GPU=no before the command makes an environment for the CPU")


@pytest.mark.parametrize(
    "body, got",
    [
        ("echo '<html>'", "status 0 and '<html>'"),
        ("echo 'no driver' >&2; exit 9", "status 9 and 'no driver'"),
        ("sleep 600", "no answer within 10 seconds"),
    ],
)
def test_a_broken_nvidia_smi_is_said_and_the_cpu_is_taken(tmp_path, body, got):
    # Waits for a tenth of the time.
    write_command(tmp_path / "bin/timeout", 'shift 3; exec /usr/bin/timeout -k 1 1 "$@"')
    done = setup_with_gpu(tmp_path, body)
    told, making = done.stderr.splitlines()
    assert told == (
        f"setup: expected nvidia-smi to name the GPUs, got {got}: "
        "the environment is made for the CPU"
    )
    assert making.startswith("setup: making ")


def test_the_cpu_is_taken_on_a_gpu_where_it_is_asked_for(tmp_path):
    done = setup_with_gpu(tmp_path, "echo 'A100, 550.54.14, 8.0'", GPU="no")
    assert done.stderr.startswith("setup: making ")


def test_the_extra_for_gpus_is_the_supported_paddle_with_what_flights_need(tmp_path):
    command = [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [file] = tmp_path.glob("*/requires.txt")
    extra = file.read_text().split("[gpu]\n")[1].split("\n\n")[0].split()
    packages = {re.split("[<>=]", requirement)[0]: requirement for requirement in extra}
    assert packages.keys() == {"paddlepaddle-gpu", "faiss-gpu", "bm25s", "PyStemmer"}
    assert packages["paddlepaddle-gpu"] == "paddlepaddle-gpu<3.4,>=3.3"
