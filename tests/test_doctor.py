"""`rocketqa doctor` looks at everything in one call, and its last line is the first wrong row."""

import os
import subprocess
from pathlib import Path

import pytest
from false_commands import write_command
from toy_files import ENVIRONMENT, verb

from rocketqa.cli.doctor import main
from rocketqa.doctor import examination
from rocketqa.doctor.findings import ABSENT, OK, WRONG
from rocketqa.files.errors import DataError

CHECKS = ["versions", "driver"]
CHECKS += [
    name for modules in examination.GROUPS for m in modules for name in examination.CHECKS[m]
]


@pytest.fixture(scope="module")
def with_a_broken_driver(tmp_path_factory) -> subprocess.CompletedProcess[str]:
    """The doctor on this machine, with an nvidia-smi that fails; without a GPU two processes."""
    folder = tmp_path_factory.mktemp("bin")
    write_command(folder / "nvidia-smi", "echo 'no communication with the driver'; exit 9")
    environment = ENVIRONMENT | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        verb("doctor"), env=environment, capture_output=True, text=True, timeout=150
    )


def rows(done: subprocess.CompletedProcess[str]) -> dict[str, tuple[str, str]]:
    """Returns check -> verdict and text."""
    table = {}
    for line in done.stdout.splitlines():
        table[line[:24].strip()] = line[24:35].strip(), line[35:]
    return table


def test_a_broken_driver_is_the_last_line_and_everything_else_is_looked_at(with_a_broken_driver):
    done = with_a_broken_driver
    table = rows(done)
    assert list(table) == CHECKS
    assert done.stderr == (
        "rocketqa doctor: driver: expected nvidia-smi to name the GPUs, got exit status 9 and "
        "'no communication with the driver': mend the driver\n"
    )
    assert done.returncode == 2
    verdicts = {verdict for name, (verdict, _) in table.items() if name != "driver"}
    assert verdicts == {OK, ABSENT}


def test_two_processes_gather_what_one_process_has(with_a_broken_driver):
    _, text = rows(with_a_broken_driver)["gather of all devices"]
    assert text.startswith("2 processes, gloo: ")
    assert text.endswith("an overflow on one is noticed by 2")


def test_rates_have_their_share_of_the_matrix_products(with_a_broken_driver):
    table = rows(with_a_broken_driver)
    assert "float32 " in table["matrix products"][1]
    for name in ("encoding rate", "training rate"):
        assert (
            " tokens a second, " in table[name][1] and "% of the products' rate" in table[name][1]
        )


def test_without_a_wrong_row_the_status_is_0(monkeypatch, capsys):
    monkeypatch.setattr(examination, "GROUPS", ())
    monkeypatch.setenv("PATH", str(Path(__file__).parent))
    assert main([]) == 0
    versions, driver = capsys.readouterr().out.splitlines()
    assert "paddlepaddle" in versions and driver.split(maxsplit=1)[1] == "not there  no nvidia-smi"


def test_the_first_wrong_row_is_the_error(monkeypatch, capsys):
    monkeypatch.setattr(examination, "GROUPS", (("no_such_module",),))
    monkeypatch.setitem(examination.CHECKS, "no_such_module", ("first", "second"))
    with pytest.raises(DataError, match="^first: expected an answer, got exit status 1: ModuleNot"):
        main([])
    first, second = capsys.readouterr().out.splitlines()[2:]
    assert first.split()[:2] == ["first", WRONG]
    assert second.endswith("not reached, because of first")
