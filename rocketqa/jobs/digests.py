"""Digests: how an input is recognised, and how damaged bytes are noticed before they are used.

A manifest lists under `outputs` the sha256 of every file of its artefact, and has under `digest`
that of its own other entries. Files of other programs have no manifest and are not checked.
"""

import hashlib
import json
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.rows import file_fault
from rocketqa.jobs.atomic_files import read_object, write_atomically

MANIFEST = "meta.json"
SEAL = "digest"  # the entry of a manifest that is the digest of its other entries
MAKE_AGAIN = "it is damaged, make it again"
REMOVE_MANIFEST = "make it again, or remove {} if the change is meant"
BLOCK = 1 << 20  # bytes hashed at a time
MOST_ENTRIES = 10_000  # files and folders in an input that has no manifest


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


def sealed_text(manifest: dict[str, object]) -> str:
    """Returns the text of a manifest with the digest of its entries."""
    entries = json.loads(json.dumps(manifest))
    sealed = entries | {SEAL: _digest_of_entries(entries)}
    return json.dumps(sealed, indent=1, sort_keys=True) + "\n"


def is_sealed(manifest: dict) -> bool:
    """Returns whether the entries of a manifest are those that its digest was made of.

    Manifests of earlier versions have no digest and are taken.
    """
    entries = {name: value for name, value in manifest.items() if name != SEAL}
    return SEAL not in manifest or manifest[SEAL] == _digest_of_entries(entries)


def _digest_of_entries(entries: dict) -> str:
    text = json.dumps(entries, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def seal_folder(folder: Path) -> None:
    """Writes a manifest that lists the digests of all files of a folder and says nothing else."""
    outputs = {str(path.relative_to(folder)): file_digest(path) for path in files_below(folder)}
    write_atomically(folder / MANIFEST, sealed_text({"outputs": outputs}))


def read_manifest(path: Path) -> dict:
    """Returns the manifest of an artefact; empty where there is none or another program's file.

    Raises DataError where the manifest is damaged.
    """
    manifest_file = manifest_of(path)
    if not manifest_file.is_file():
        return {}
    try:
        manifest = json.loads(manifest_file.read_bytes())
    except (ValueError, RecursionError):
        raise DataError(
            f"{manifest_file}: expected a JSON object, got other bytes: {MAKE_AGAIN}"
        ) from None
    if not isinstance(manifest, dict):
        return {}
    refuse_changed_manifest(manifest, manifest_file)
    return manifest


def refuse_changed_manifest(manifest: dict, place: Path) -> None:
    """Raises DataError where a manifest is not what was written; `place` is its file."""
    if not is_sealed(manifest):
        raise DataError(
            f"{place}: expected the entries that its {SEAL} was made of, got others: {MAKE_AGAIN}"
        )


def digest(path: Path) -> str:
    """Returns the sha256 that identifies an input.

    Of a file it is the digest of its bytes, of a directory that of the names and digests of its
    files; where a manifest lists the files of the directory, other files are ignored. Raises
    DataError where the input is missing or half-written, or where its bytes are not those that its
    manifest lists.
    """
    if path.is_dir():
        return _digest_of_entries(_digests_of_the_result(path))
    if fault := file_fault(path):
        raise fault
    listed = _listed_for_file(path)
    found = file_digest(path)
    if listed and found != listed.sha256:
        name = listed.manifest.name
        raise _other_bytes(path, "others", REMOVE_MANIFEST.format(name), name)
    return found


def listed_digest(directory: Path) -> str | None:
    """Returns the digest of a directory as its manifest lists its files, which are not read.

    None where no manifest lists them. Raises DataError where the manifest is damaged.
    """
    listed = _outputs(read_manifest(directory))
    return None if listed is None else _digest_of_entries(listed)


def refuse_damaged(*paths: Path | None) -> None:
    """Raises DataError where the bytes of an artefact are not those that its manifest lists.

    What has no manifest is not read. None is passed over.
    """
    for path in paths:
        if path is not None and _has_digests(path):
            digest(path)


def _has_digests(path: Path) -> bool:
    """Returns whether a manifest lists the bytes of a path."""
    if path.is_dir():
        return _outputs(read_manifest(path)) is not None or bool(_listed_by_parent(path))
    return path.is_file() and _listed_for_file(path) is not None


def _digests_of_the_result(directory: Path) -> dict[str, str]:
    """Returns file name -> sha256 of a directory, restricted to what its manifest lists, where it
    has one.
    """
    listed = _outputs(read_manifest(directory))
    names = listed
    if listed is None:
        listed = _listed_by_parent(directory)
        _refuse_many_entries(directory)
        names = dict.fromkeys(str(path.relative_to(directory)) for path in files_below(directory))
    for name, sha256 in listed.items():
        path = directory / name
        if not path.is_file():
            raise _other_bytes(path, "none", MAKE_AGAIN)
        if file_digest(path) != sha256:
            raise _other_bytes(path, "others", MAKE_AGAIN)
    return {name: listed.get(name) or file_digest(directory / name) for name in names or ()}


def _refuse_many_entries(directory: Path) -> None:
    """Raises DataError where a folder is no model, but one that holds a user's whole work."""
    entries = sum(1 for _ in islice(directory.rglob("*"), MOST_ENTRIES + 1))
    if entries > MOST_ENTRIES:
        raise DataError(
            f"{directory}: expected a model or another result, at most {MOST_ENTRIES} files, got "
            "a folder with more"
        )


def _outputs(manifest: dict) -> dict | None:
    outputs = manifest.get("outputs")
    return outputs if isinstance(outputs, dict) else None


def _listed_by_parent(path: Path) -> dict[str, str]:
    """Returns what the manifest of the folder around a path lists for the path: file name ->
    sha256, where the name of the path itself is empty; nothing where that manifest is damaged.
    """
    manifest = read_object(path.absolute().parent / MANIFEST)
    outputs = _outputs(manifest) or {}
    if not is_sealed(manifest):
        return {}
    listed = {"": outputs[path.name]} if path.name in outputs else {}
    prefix = f"{path.name}/"
    for name in outputs:
        if name.startswith(prefix):
            listed[name.removeprefix(prefix)] = outputs[name]
    return listed


class _Listed(NamedTuple):
    """What a manifest lists for a file."""

    sha256: object
    manifest: Path


def _listed_for_file(path: Path) -> _Listed | None:
    """Returns what the manifest beside a file, or that of the folder around it, lists for it."""
    outputs = _outputs(read_manifest(path))
    if outputs is not None and len(outputs) == 1:
        [sha256] = outputs.values()  # by another name where the file was renamed
        return _Listed(sha256, manifest_of(path))
    by_parent = _listed_by_parent(path)
    if "" in by_parent:
        return _Listed(by_parent[""], path.parent / MANIFEST)
    return None


def _other_bytes(path: Path, got: str, cure: str, manifest: str = MANIFEST) -> DataError:
    return DataError(f"{path}: expected the bytes that {manifest} lists, got {got}: {cure}")
