"""A check that crashes, hangs or raises is a row; the others go on."""

import sys

import pytest

from rocketqa.doctor import collectives, examination, hardware, numerics, rates, searching
from rocketqa.doctor.examination import CHECKS, GROUPS, examine_group, findings_in, unanswered
from rocketqa.doctor.findings import ABSENT, OK, WRONG, Finding, judged
from rocketqa.doctor.worker import findings_of


def test_the_groups_name_the_checks_of_their_modules():
    modules = {"hardware": hardware, "numerics": numerics, "rates": rates}
    modules |= {"collectives": collectives, "searching": searching}
    assert {name: tuple(module.CHECKS) for name, module in modules.items()} == CHECKS
    assert sorted(name for group in GROUPS for name in group) == sorted(CHECKS)


def test_a_row_has_its_columns():
    assert judged(True, "1 GPU", "2 GPUs") == (OK, "1 GPU")
    row = Finding("devices", *judged(False, "1 GPU", "2 GPUs")).row()
    assert row == "devices                 wrong      expected 2 GPUs, got 1 GPU"


def test_a_library_may_print_between_the_findings():
    output = b'WARNING\n["a", "ok", "1"]\n[0] noise\n["b", "wrong", "2"]\n'
    assert list(findings_in(output)) == [Finding("a", OK, "1"), Finding("b", WRONG, "2")]


def test_an_error_of_a_check_is_its_row():
    def broken() -> tuple[str, str]:
        raise RuntimeError("no kernel image\nis available")

    found = list(findings_of({"first": broken, "second": lambda: (OK, "fine")}))
    assert found == [
        Finding(
            "first", WRONG, "expected an answer, got RuntimeError: no kernel image is available"
        ),
        Finding("second", OK, "fine"),
    ]


def test_the_checks_behind_a_crash_are_not_reached():
    assert list(unanswered([], "exit status 0")) == []
    assert [finding.verdict for finding in unanswered(["a", "b", "c"], "x")] == [
        *(WRONG, ABSENT, ABSENT)
    ]


@pytest.mark.parametrize(
    "body, fault",
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "a process ended by SIGSEGV"),
        ("import time; time.sleep(600)", "no end within 1 seconds"),
    ],
)
def test_a_process_that_crashes_or_hangs_is_named_with_the_check(
    tmp_path, monkeypatch, body, fault
):
    python = tmp_path / "python"
    script = f"""print('["devices", "ok", "fine"]', flush=True); {body}"""
    python.write_text(f"#!{sys.executable}\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(examination.sys, "executable", str(python))
    devices, code, *_ = examine_group(("hardware", "numerics"), 1.0)
    assert devices == Finding("devices", OK, "fine")
    assert code == Finding("machine code", WRONG, f"expected an answer, got {fault}")
