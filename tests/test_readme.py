"""What the README says is there: paths, commands, verbs, marks, the tree."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", README, flags=re.DOTALL))
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
GENERATED = ("data/", "output/", ".venv")


def project_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    return listed.splitlines()


def test_every_path_is_there():
    words = [
        word
        for code in CODE + BLOCKS
        for word in re.findall(r"[\w./-]+/[\w./-]+|\b\w+\.sh\b|\b\w+\.env\b", code)
    ]
    paths = [word for word in words if "/" in word and not word.startswith(GENERATED)]
    assert len(paths) > 15
    for path in paths:
        assert (ROOT / path).exists(), path


def test_every_command_is_a_script_with_an_env_file_that_exists():
    commands = [
        line.split("#")[0].split()
        for block in BLOCKS
        for line in block.splitlines()
        if " sh " in f" {line}"
    ]
    commands += [code.split() for code in CODE if re.search(r"(^|\s)sh run_scripts/", code)]
    assert len(commands) >= 8
    for words in commands:
        script, *arguments = words[words.index("sh") + 1 :]
        assert (ROOT / script).is_file(), script
        assert all(
            argument in (ROOT / script).read_text()
            if argument.startswith("--")
            else (ROOT / argument).is_file()
            for argument in arguments
        ), words
        known = set(
            re.findall(
                r"^([A-Z][A-Z0-9_]*)=", (ROOT / "run_scripts/toy.env").read_text(), re.MULTILINE
            )
        )
        assert {word.split("=")[0] for word in words[: words.index("sh")]} <= known | {"PADDLE"}, (
            words
        )


def test_the_verbs_are_those_of_the_command_and_each_has_help():
    usage = subprocess.run([sys.executable, "-m", "rocketqa.cli"], capture_output=True, text=True)
    verbs = re.findall(r"^  (\S+)  *\S", usage.stdout, re.MULTILINE)
    assert usage.returncode == 2 and len(verbs) >= 9
    named = README.split("## The verbs")[1].split("##")[0]
    assert sorted(verbs) == sorted(
        word for word in re.findall(r"`([a-z-]+)`", named) if word != "rocketqa"
    )
    for verb in verbs:
        shown = subprocess.run(
            [sys.executable, "-m", "rocketqa.cli", verb, "--help"], capture_output=True, text=True
        )
        assert shown.returncode == 0 and f"usage: rocketqa {verb}" in shown.stdout


def test_the_flags_that_the_scripts_pass_are_known_to_the_verbs():
    for script in (ROOT / "run_scripts").glob("*.sh"):
        text = re.sub(r"\\\n", " ", script.read_text())
        for line in text.splitlines():
            found = re.match(
                r"^[^#]*?(?:rocketqa|launch \"\$DEVICES\w*\") ([a-z]+-?[a-z-]*) (--.*)", line
            )
            if not found:
                continue
            shown = subprocess.run(
                [sys.executable, "-m", "rocketqa.cli", found[1], "--help"],
                capture_output=True,
                text=True,
            ).stdout
            for flag in re.findall(r"(?<!\S)(--[a-z-]+)|[+](--[a-z-]+)", found[2]):
                assert "".join(flag) in shown, (script.name, found[1], flag)


def test_the_tree_names_every_file_and_no_other():
    tree = README.split("## The tree")[1].split("```")[1]
    told = set(re.findall(r"[\w.-]+\.(?:py|sh|env|tsv)\b", tree)) - {"setup.py"}
    there = {
        Path(path).name
        for path in project_files()
        if re.match(r"(rocketqa|run_scripts|data_prep)/[^/]+\.(py|sh|env|tsv)$", path)
    } - {"__init__.py"}
    assert told == there


def test_every_mark_of_a_deviation_has_a_row():
    rows = README.split("## Deviations")[1].split("##")[0]
    for path in project_files():
        if path.startswith(("rocketqa/", "run_scripts/")) and path.endswith((".py", ".sh")):
            for mark in ("# Deviation:", "# Official code:"):
                if mark in (ROOT / path).read_text():
                    assert re.search(rf"`{mark}`.*`{path}`", rows), (mark, path)


def test_the_top_level_holds_the_seven_names():
    visible = {path.split("/")[0] for path in project_files() if not path.startswith(".")}
    assert visible == {
        "setup.py",
        "README.md",
        "rocketqa",
        "run_scripts",
        "data_prep",
        "checkpoints",
        "tests",
    }
