"""Whatever a disk does to a file: the same result, or one line that names the damage."""

import io
import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple

import pytest
from damage import flip
from ranked_collection import run_verb, write_ranked_collection
from toy_files import dual_flags

from rocketqa.cli.__main__ import main
from rocketqa.files.formats import write_lines
from rocketqa.jobs import finishing, job
from rocketqa.training import run

COUNT = int(os.environ.get("DAMAGES", "24"))
SEED = os.environ.get("KILL_SEED", "1")


class Ended(NamedTuple):
    """How a verb ended: its status, what it made or printed, and its lines about faults."""

    status: int
    result: object
    stderr: str


class Use(NamedTuple):
    """A command without its output, and the artefacts that it opens."""

    words: list[object]
    opened: list[str]
    makes: bool = True


class Unfinished(NamedTuple):
    """A command whose part folder has all pieces, and its result."""

    words: list[object]
    part: Path
    result: object


class Interrupted(Exception):
    """Stands for a kill at the end of a verb."""


def read(path: Path) -> object:
    """Returns the bytes of a file, or of the files of a folder; manifests and logs are left out."""
    if path.is_file():
        return path.read_bytes()
    files = [file for file in sorted(path.rglob("*")) if file.is_file()]
    left_out = ("meta.json", "train_log.tsv")
    kept = [file for file in files if file.name not in left_out and ".digests" not in file.parts]
    return {str(file.relative_to(path)): file.read_bytes() for file in kept}


def run_words(folder: Path, words: list[object], makes: bool = True) -> Ended:
    """Runs a command in this process; its output, where it makes one, is `folder / "out"`."""
    output = folder / "out"
    given = [str(word) for word in words]
    if makes:
        given += ["--output", str(output)]
    printed, stderr = io.StringIO(), io.StringIO()
    with redirect_stdout(printed), redirect_stderr(stderr):
        status = main(given)
    result: object = printed.getvalue()
    if makes:
        result = read(output) if output.exists() else None
        remove_output(output)
    return Ended(status, result, stderr.getvalue())


def remove_output(output: Path) -> None:
    """Removes an output, its manifest and its unfinished work."""
    for path in output.parent.glob(f"{output.name}*"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.fixture(autouse=True, scope="module")
def without_git() -> Iterator[None]:
    """Manifests name no commit: a git process for each would take most of the time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(finishing, "current_commit", str)
        yield


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Path:
    """A folder with an artefact of every kind."""
    folder = tmp_path_factory.mktemp("world")
    write_ranked_collection(folder)
    dual = ["--checkpoint", folder / "dual"]
    queries = ["--queries", folder / "queries.tsv"]
    run_verb("tokenize", "--output", folder / "tokens", *dual, *queries)
    write_lines(folder / "gone.txt", ["p3"])
    write_lines(folder / "added.tsv", ["new\t\tw1 w2 w3"])
    added = ["--collection", folder / "added.tsv"]
    run_verb("encode", "--output", folder / "added", *dual, *added)
    first = ["--passage-vectors", folder / "collection.vectors"]
    ids = ["--ids", folder / "gone.txt"]
    run_verb("remove-passages", "--output", folder / "removed", *first, *ids)
    grown = [*first, folder / "added", folder / "removed"]
    run_verb("index", "--output", folder / "index", *grown, "--factory", "Flat")
    return folder


def uses(folder: Path) -> list[Use]:
    """Returns a use of every artefact."""
    vectors = ["--passage-vectors", folder / "collection.vectors"]
    collection = ["--collection", folder / "collection.tsv"]
    dual = ["--checkpoint", folder / "dual"]
    cross = ["--checkpoint", folder / "cross"]
    grown = [*vectors, folder / "added", folder / "removed"]
    files = [*collection, "--collection", folder / "added.tsv"]
    with_index = ["--index", folder / "index"]
    queries = ["--query-vectors", folder / "queries.vectors"]
    scored = ["--run", folder / "scored.run", "--qrels", folder / "qrels.tsv"]
    retrieved = ["--run", folder / "retrieved.run", "--queries", folder / "queries.tsv"]
    return [
        Use(
            ["retrieve", *queries, *vectors, "--depth", 5],
            ["queries.vectors", "collection.vectors"],
        ),
        Use(["evaluate", *scored], ["scored.run"], makes=False),
        Use(["score", *cross, *retrieved, *collection], ["cross", "retrieved.run"]),
        Use(["encode", *dual, "--queries", folder / "tokens"], ["dual", "tokens"]),
        Use(
            ["search", "w1 w2", *dual, *collection, *vectors, "--cross-encoder", folder / "cross"],
            ["dual", "cross", "collection.vectors"],
            makes=False,
        ),
        Use(
            ["retrieve", *queries, *grown, *with_index, "--depth", 5],
            ["collection.vectors", "added", "removed", "index"],
        ),
        Use(
            ["search", "w1 w2", *dual, *files, *grown, *with_index],
            ["added", "removed", "index"],
            makes=False,
        ),
        Use(["index", *grown, "--factory", "Flat"], ["added", "removed"]),
    ]


def files_of(folder: Path, artefacts: list[str]) -> list[Path]:
    """Returns the files of artefacts, their manifests included."""
    files = []
    for name in artefacts:
        path = folder / name
        if path.is_dir():
            files += [file for file in sorted(path.rglob("*")) if file.is_file()]
        else:
            files += [path, folder / f"{name}.meta.json"]
    return files


def damage(files: list[Path], chance: random.Random) -> Callable[[], None]:
    """Damages one of the files at random, or exchanges two; returns what restores them."""
    file = chance.choice(files)
    other = chance.choice(files)
    content = file.read_bytes()
    content_of_other = other.read_bytes()
    kind = chance.choice(["flip", "cut", "exchange"])
    if kind == "exchange" or not content:
        file.write_bytes(content_of_other)
        other.write_bytes(content)
    elif kind == "flip":
        flip(file, chance.randrange(8 * len(content)))
    else:
        file.write_bytes(content[: chance.randrange(len(content))])

    def restore() -> None:
        file.write_bytes(content)
        other.write_bytes(content_of_other)

    return restore


def check(ended: Ended, sound: object, folder: Path) -> None:
    """Asserts that a command came to its result or was refused in one line with a path."""
    if ended.status == 0:
        assert ended.result == sound
        return
    assert ended.status == 2 and ended.result in (None, "")
    assert str(folder) in ended.stderr.splitlines()[-1]


def test_no_damage_to_an_artefact_gives_another_result(world, tmp_path):
    chance = random.Random(SEED)
    every_use = uses(world)
    sound = [run_words(tmp_path, use.words, use.makes) for use in every_use]
    assert [ended.status for ended in sound] == [0] * len(every_use)
    refused = 0
    for _ in range(COUNT):
        number = chance.randrange(len(every_use))
        use = every_use[number]
        restore = damage(files_of(world, use.opened), chance)
        ended = run_words(tmp_path, use.words, use.makes)
        restore()
        check(ended, sound[number].result, world)
        refused += ended.status == 2
    assert refused > COUNT // 2


@pytest.fixture(scope="module")
def unfinished(world, tmp_path_factory) -> list[Unfinished]:
    """Part folders of every kind, each as a kill at the end of its verb leaves it."""
    retrieve, _, score, encode, _, retrieve_grown, _, index = [use.words for use in uses(world)]
    dual = ["--checkpoint", world / "dual"]
    tokenize = ["tokenize", *dual, "--collection", world / "collection.tsv"]
    flags = dual_flags(world, world / "unused", 8, epochs=1, **{"save-every": 2})
    train = ["train-dual-encoder", *flags[2:]]  # without --output
    found = []
    for words in (retrieve, score, encode, tokenize, train, retrieve_grown, index):
        folder = tmp_path_factory.mktemp("unfinished")
        result = run_words(folder, words).result
        with pytest.MonkeyPatch.context() as patched, pytest.raises(Interrupted):
            patched.setattr(job.Job, "_finish", interrupt)
            patched.setattr(run, "choose_results", interrupt)
            run_words(folder, words)
        found.append(Unfinished(words, folder / "out.part", result))
    return found


def interrupt(*_: object) -> None:
    raise Interrupted


def test_no_damage_to_unfinished_work_gives_another_result(unfinished, tmp_path):
    chance = random.Random(SEED)
    for number in range(COUNT):
        work = unfinished[number % len(unfinished)]
        part = tmp_path / "out.part"
        shutil.copytree(work.part, part)
        damage([path for path in sorted(part.rglob("*")) if path.is_file()], chance)
        check(run_words(tmp_path, work.words), work.result, tmp_path)
        remove_output(tmp_path / "out")
