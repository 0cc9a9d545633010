"""Manifests: what an artefact was made of.

The manifest of a directory is its `meta.json`, that of a file is `NAME.meta.json` beside it. It
names the job (verb, flags, digests of the inputs), the version and commit that made it, and the
digest of every file of the result (`digests.py`).
"""

import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from rocketqa.jobs.atomic_files import read_object
from rocketqa.jobs.digests import SEAL, is_sealed, manifest_of, read_manifest

JOB = "job.json"  # in a part directory: which job its unfinished work belongs to
REMOVE = "; to begin anew, remove the folder"
BEGIN = b'{\n "'  # of the manifests that we write
TITLES = {"yes", "no", "mixed"}
VERB = re.compile(r"[a-z0-9_-]+(?: [a-z]+)?")  # such as `train-dual-encoder`, `released_tsv import`


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
    verb = _job_in(read_object(manifest_of(path))).get("verb")
    return verb if isinstance(verb, str) and VERB.fullmatch(verb) else ""


def flag_of(path: Path, name: str) -> object:
    """Returns the value of a flag of the job that made an artefact; None where no manifest says
    so. Raises DataError where the manifest is damaged.
    """
    return _of_job(path, "flags", name)


def input_of(path: Path, name: str) -> object:
    """Returns the digests of an input of that job, as `flag_of` does of its flags."""
    return _of_job(path, "inputs", name)


def _of_job(path: Path, part: str, name: str) -> object:
    values = _job_in(read_manifest(path)).get(part)
    return values.get(name) if isinstance(values, dict) else None


def _job_in(manifest: dict) -> dict:
    job = manifest.get("job")
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


def unfinished_identity(part: Path) -> dict:
    """Returns the identity of the job that a part directory belongs to.

    Empty where nothing says so, or the file that says so is damaged.
    """
    sealed = read_object(part / JOB)
    identity = {name: value for name, value in sealed.items() if name != SEAL}
    are_objects = all(isinstance(identity.get(name), dict) for name in ("flags", "inputs"))
    is_identity = "verb" in identity and are_objects
    return identity if is_identity and is_sealed(sealed) else {}


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
