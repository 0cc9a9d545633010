"""Manifests and digests: what an artefact was made of, and how an input is recognised.

The manifest of a directory is its `meta.json`, that of a file is `NAME.meta.json` beside it. It
names the job (verb, flags, digests of the inputs), the version and commit that made it, and the
digest of every file of the result.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.files.rows import file_fault
from rocketqa.jobs.atomic_files import read_object

MANIFEST = "meta.json"
JOB = "job.json"  # in a part directory: which job its unfinished work belongs to
REMOVE = "; to begin anew, remove the folder"
BEGIN = b'{\n "'  # of the manifests that we write
BLOCK = 1 << 20  # bytes hashed at a time
TITLES = {"yes", "no", "mixed"}
VERB = re.compile(r"[a-z0-9_-]+(?: [a-z]+)?")  # such as `train-dual-encoder`, `released_tsv import`


def manifest_of(path: Path) -> Path:
    """Returns where the manifest of an artefact is.

    That of a linked file is beside the file itself, or else beside the link.
    """
    if path.is_dir():
        return path / MANIFEST
    if path.is_symlink() and path.exists():
        beside_target = manifest_beside(path.resolve())
        if beside_target.is_file():
            return beside_target
    return manifest_beside(path)


def manifest_beside(path: Path) -> Path:
    """Returns where the manifest of a file is."""
    return path.with_name(f"{path.name}.{MANIFEST}")


def recorded(path: Path) -> dict:
    """Returns the manifest of a job in a file; empty where there is none, or something else."""
    manifest = read_object(path)
    is_manifest = "job" in manifest and isinstance(manifest.get("outputs"), dict)
    return manifest if is_manifest else {}


def is_cut_off(path: Path) -> bool:
    """Returns whether a file is what a power cut or a fault of the disk leaves of a manifest.

    That is an empty file, zeros, or what begins as our manifests and is no JSON.
    """
    if not path.is_file():
        return False
    content = path.read_bytes()
    try:
        json.loads(content)
        return False
    except (ValueError, RecursionError):
        begin = content.rstrip(b"\0")[: len(BEGIN)]
        return BEGIN.startswith(begin)


def file_digest(path: Path) -> str:
    """Returns the sha256 of a file, in hexadecimal."""
    sha256 = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sha256.update(block)
    return sha256.hexdigest()


def files_below(directory: Path) -> list[Path]:
    """Returns every file of a directory and its subdirectories, sorted."""
    return [path for path in sorted(directory.rglob("*")) if path.is_file()]


def digest(path: Path) -> str:
    """Returns the sha256 that identifies an input.

    Of a file it is the digest of its bytes, of a directory that of the names and digests of its
    files; where a manifest lists the files of the directory, other files are ignored. Raises
    DataError where the input is missing or half-written, or where its bytes are not those that its
    manifest lists.
    """
    if path.is_dir():
        digests = _digests_of_the_result(path)
        return hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    if fault := file_fault(path):
        raise fault
    return file_digest(path)


def _digests_of_the_result(directory: Path) -> dict[str, str]:
    """Returns file name -> sha256 of a directory, restricted to what its manifest lists, where it
    has one.
    """
    present = {
        str(file.relative_to(directory)): file_digest(file) for file in files_below(directory)
    }
    listed = read_object(directory / MANIFEST).get("outputs")
    if not isinstance(listed, dict):
        return present
    for name in listed:
        if present.get(name) != listed[name]:
            raise DataError(
                f"{directory / name}: expected the bytes that {MANIFEST} lists, got others"
            )
    return {name: present[name] for name in listed}


def titles_of(inputs: Iterable[Path]) -> str | None:
    """Returns whether the inputs come of passages with titles: yes, no or mixed; None where no
    manifest says so.
    """
    recorded = {str(read_object(manifest_of(path)).get("titles")) for path in inputs} & TITLES
    if len(recorded) > 1:
        return "mixed"
    return recorded.pop() if recorded else None


def made_by(path: Path) -> str:
    """Returns what an artefact is by its manifest, such as "the output of `encode`", for an error
    message; empty where no manifest says so.
    """
    verb = verb_of(path)
    return f"the output of `{verb}`" if verb else ""


def verb_of(path: Path) -> str:
    """Returns the verb that made an artefact; empty where no manifest says so."""
    verb = _recorded_job(path).get("verb")
    return verb if isinstance(verb, str) and VERB.fullmatch(verb) else ""


def flag_of(path: Path, name: str) -> object:
    """Returns the value of a flag of the job that made an artefact; None where no manifest says
    so.
    """
    flags = _recorded_job(path).get("flags")
    return flags.get(name) if isinstance(flags, dict) else None


def _recorded_job(path: Path) -> dict:
    job = read_object(manifest_of(path)).get("job")
    return job if isinstance(job, dict) else {}


def current_commit() -> str:
    """Returns the git commit of this source tree; empty where it is not in a git repository, or git
    cannot be run.
    """
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return answer.stdout.strip()


def paths_in(value: object) -> Sequence[Path]:
    """Returns the paths of an input, a path or a list of them; none where it is something else."""
    values = value if isinstance(value, list | tuple) else [value]
    return [item for item in values if isinstance(item, Path)]


def is_identity(value: dict) -> bool:
    """Returns whether an object is the identity of a job."""
    flags, inputs = value.get("flags"), value.get("inputs")
    return "verb" in value and isinstance(flags, dict) and isinstance(inputs, dict)


def difference(part: Path, unfinished: dict, wanted: dict) -> str:
    """Returns the line that says in what the job of an unfinished part directory differs.

    unfinished, wanted: the identities of both jobs (verb, flags, digests of the inputs).
    """
    for name, value in wanted["flags"].items():
        before = unfinished["flags"].get(name)
        if before != value:
            flag = name.replace("_", "-")
            return (
                f"{part}: expected {flag} {before}, as its unfinished work has, got {value}{REMOVE}"
            )
    inputs = wanted["inputs"]
    changed = [name for name in inputs if unfinished["inputs"].get(name) != inputs[name]]
    return (
        f"{part}: expected the {', '.join(changed)} of its unfinished work, got other bytes{REMOVE}"
    )
