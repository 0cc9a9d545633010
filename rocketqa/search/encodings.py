"""Which vectors belong together, by the manifests that `rocketqa encode` puts beside them.

An encoding is of queries or of a collection, by one checkpoint, whole or in shards on several
machines. Passages that come later are an encoding of their own, which is searched together with the
earlier ones; lists of removed passages stand among the folders (`removals.py`). Vectors that
another program made have no manifest and are not checked.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.json_files import read_json_object
from rocketqa.jobs.digests import MANIFEST, digest, refuse_changed_manifest
from rocketqa.jobs.manifest import made_by, verb_of

SHARD = re.compile(r"[1-9][0-9]*/[1-9][0-9]*")
ALL_SHARDS = "1/1"

# What the vectors of a folder are of. An encoding names it as its input, and a flag takes it.
QUERIES = "queries"
COLLECTION = "collection"
NAMES = {QUERIES: "queries", COLLECTION: "a collection"}
FLAGS = {QUERIES: "--query-vectors", COLLECTION: "--passage-vectors"}
ENCODE = "encode"  # the verb that makes vectors
REMOVE = "remove-passages"  # the verb that makes a list of removed passages

# What may differ between encodings that are searched together: it does not decide what a vector of
# a passage means.
FREE = {"shard", COLLECTION, "num_shards", "batch_tokens", "query_length"}

# The flags of an encoding and the digests of its inputs, by name.
EncodingJob = dict[str, object]


class Encoding(NamedTuple):
    """The folders of one encoding: a single one, or those of all its shards.

    job: None for a folder that another program made.
    """

    directories: list[Path]
    job: EncodingJob | None


def read_job(directory: Path) -> EncodingJob | None:
    """Returns the job that encoded the vectors in a directory, or None without a manifest.

    Its "shard" is None or I/N, its "checkpoint" a list, and so is its "queries" or "collection".
    Raises DataError where the manifest is not that of an encoding.
    """
    path = directory / MANIFEST
    if not path.is_file():
        return None
    manifest = read_json_object(path)
    refuse_changed_manifest(manifest.fields, path)
    job = manifest.nested("job")
    flags = job.nested("flags")
    inputs = job.nested("inputs")
    verb = job.require("verb", str)
    if verb != ENCODE:
        got = made_by(directory) or "something else"
        raise DataError(f"{directory}: expected the output of `{ENCODE}`, got {got}")
    inputs.require("checkpoint", list)
    inputs.require(QUERIES if QUERIES in inputs else COLLECTION, list)
    if flags.fields.get("shard") is not None:
        shard = flags.require("shard", str)
        if not SHARD.fullmatch(shard):
            raise flags.wrong_value("shard", "I/N")
    return {"shard": None} | flags.fields | inputs.fields


def check_encodings(queries: Path, passages: Sequence[Path]) -> None:
    """Raises DataError where vectors of queries and of passages do not belong together.

    Only the manifests are read. Vectors of another program have none and are not checked.
    """
    refuse_missing([queries, *passages])
    _check_sides(queries, passages)
    job_of_queries = check_directories([queries])
    encoding = encodings_in(passages)[0]
    if job_of_queries is None or encoding.job is None:
        return
    folder = encoding.directories[0]
    if job_of_queries["checkpoint"] != encoding.job["checkpoint"]:
        raise DataError(
            f"{queries}: expected vectors of the dual encoder that encoded {folder}, "
            "got those of another: encode again"
        )
    similarity = similarity_in(encoding.job)
    if similarity_in(job_of_queries) != similarity:
        raise DataError(
            f"{queries}: expected vectors for the similarity {similarity}, as in {folder}, "
            f"got those for {similarity_in(job_of_queries)}: encode again"
        )


def refuse_missing(directories: Sequence[Path]) -> None:
    """Raises DataError where a folder of vectors is not there."""
    for directory in directories:
        if not directory.exists():
            raise DataError(f"{directory}: expected a folder of vectors, got nothing there")


def similarity_in(job: EncodingJob) -> object:
    """Returns the similarity that vectors were made for; a job without one had the dot product."""
    return job.get("similarity", "dot")


def _check_sides(queries: Path, passages: Sequence[Path]) -> None:
    """Raises DataError where the queries are vectors of a collection, or passages of queries."""
    sides_of_passages = {side_of(directory) for directory in passages}
    if side_of(queries) == COLLECTION and sides_of_passages == {QUERIES}:
        raise DataError(
            f"{queries}: {_expected(QUERIES)}, got vectors of {NAMES[COLLECTION]}: "
            f"exchange {FLAGS[QUERIES]} and {FLAGS[COLLECTION]}"
        )
    refuse_other_side([queries], QUERIES)
    refuse_other_side(passages, COLLECTION)


def refuse_other_side(directories: Sequence[Path], side: str) -> None:
    """Raises DataError where vectors are not of `side`, which is QUERIES or COLLECTION."""
    for directory in directories:
        found = side_of(directory)
        if found is not None and found != side:
            raise DataError(
                f"{directory}: {_expected(side)}, got vectors of {NAMES[found]}: "
                f"give a folder that `rocketqa {ENCODE} --{side}` made"
            )


def _expected(side: str) -> str:
    return f"expected vectors of {NAMES[side]} for {FLAGS[side]}"


def side_of(directory: Path) -> str | None:
    """Returns what the vectors in a directory are of: QUERIES or COLLECTION; None where no manifest
    says so. A list of removed passages belongs to those of a collection.
    """
    if is_removal(directory):
        return COLLECTION
    job = read_job(directory)
    if job is None:
        return None
    return QUERIES if isinstance(job.get(QUERIES), list) else COLLECTION


def digests_before_tokenizing(directory: Path) -> object:
    """Returns the digests of the file whose tokens were encoded, for a comparison with others.

    They are in the manifest of the tokens. None where the collection was encoded without
    `rocketqa tokenize`, and where its tokens are not there any more.
    """
    encoding = read_json_object(directory / MANIFEST)
    paths = encoding.nested("inputs").require(COLLECTION, list)
    tokens = Path(str(paths[0]))
    digests = encoding.nested("job").nested("inputs").require(COLLECTION, list)
    if not (tokens / MANIFEST).is_file() or digests != [digest(tokens)]:
        return None
    inputs = read_json_object(tokens / MANIFEST).nested("job").nested("inputs")
    return inputs.fields.get(COLLECTION)


def is_removal(directory: Path) -> bool:
    """Returns whether a directory is a list of removed passages, by its manifest."""
    return verb_of(directory) == REMOVE


def check_directories(directories: Sequence[Path]) -> EncodingJob | None:
    """Returns the job of the first encoding in the directories, and raises as `encodings_in`."""
    return encodings_in(directories)[0].job


def encodings_in(directories: Sequence[Path]) -> list[Encoding]:
    """Returns the encodings whose folders are given; lists of removed passages are passed over.

    Raises DataError where folders are not all the shards of their encoding, and where encodings
    differ in what decides the vector of a passage.
    """
    folders = [directory for directory in directories if not is_removal(directory)]
    if not folders:
        raise DataError(f"{directories[0]}: expected vectors, got {made_by(directories[0])}")
    first_job = read_job(folders[0])
    if first_job is None and len(folders) == 1:
        return [Encoding(folders, None)]
    groups: dict[str, list[Path]] = {}  # digests of a collection -> the folders that encode it
    for directory in folders:
        job = read_job(directory)
        if job is None or first_job is None:
            raise _no_manifest(directory)
        _refuse_other_job(directory, job, folders[0], first_job, FREE)
        groups.setdefault(str(job.get(COLLECTION)), []).append(directory)
    return [_whole_encoding(group) for group in groups.values()]


def _whole_encoding(directories: list[Path]) -> Encoding:
    """Returns the encoding of folders that encode the same file.

    Raises DataError where they are not shards 1 to N of the same encoding.
    """
    first_job = read_job(directories[0])
    shards = []
    for directory in directories:
        job = read_job(directory)
        if job is None or first_job is None:
            raise _no_manifest(directory)
        _refuse_other_job(directory, job, directories[0], first_job, {"shard"})
        shards.append(str(job["shard"] or ALL_SHARDS))
    _check_shards(directories, shards)
    return Encoding(directories, first_job)


def _no_manifest(directory: Path) -> DataError:
    if not directory.exists():
        return DataError(f"{directory}: expected a folder of vectors, got nothing there")
    return DataError(f"{directory}: expected the {MANIFEST} of an encoding, got none")


def _refuse_other_job(
    directory: Path,
    job: EncodingJob,
    first_directory: Path,
    first_job: EncodingJob,
    free: set[str],
) -> None:
    """Raises DataError where two encodings differ in more than the flags and inputs in `free`."""
    for name in sorted(job.keys() | first_job.keys()):
        value = job.get(name)
        if name in free or value == first_job.get(name):
            continue
        is_input = isinstance(value, list)  # digests, which tell a reader nothing
        flag = name.replace("_", "-")
        raise DataError(
            f"{directory}: expected the same {flag} as in {first_directory}, got another: "
            f"{'encode it again' if is_input else value}"
        )


def _check_shards(directories: Sequence[Path], shards: list[str]) -> None:
    """Raises DataError where the shards, each I/N, are not 1/N to N/N."""
    count = int(shards[0].partition("/")[2])
    expected = [f"{number}/{count}" for number in range(1, count + 1)]
    for directory, shard in zip(directories, shards):
        is_repeated = shards.count(shard) > 1
        if shard not in expected or is_repeated:
            raise DataError(
                f"{directory}: expected shards 1/{count} to {count}/{count} once each, got {shard} "
                f"{'again' if is_repeated else 'too'}"
            )
    missing = [shard for shard in expected if shard not in shards]
    if missing:
        raise DataError(
            f"{directories[0]}: expected shards 1/{count} to {count}/{count} of one encoding, "
            f"got no {missing[0]}"
        )
