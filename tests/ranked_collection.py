"""A tiny encoded collection with both encoders trained, and the runs that the verbs make of it."""

from pathlib import Path

from toy_files import cross_flags, dual_flags, write_tiny_flight

from rocketqa.cli.__main__ import main


def run_verb(*words: object) -> None:
    """Runs a verb, which must succeed."""
    assert main([str(word) for word in words]) == 0


def write_ranked_collection(folder: Path) -> None:
    """Writes dual/, cross/, the vectors, retrieved.run (depth 5) and scored.run into a folder."""
    queries = folder / "queries.tsv"
    collection = folder / "collection.tsv"
    write_tiny_flight(folder)
    run_verb("train-dual-encoder", *dual_flags(folder, folder / "dual", 8, epochs=0))
    run_verb("train-cross-encoder", *cross_flags(folder, folder / "cross", epochs=1))
    for flag, texts in (("--queries", queries), ("--collection", collection)):
        output = folder / f"{texts.stem}.vectors"
        run_verb("encode", "--output", output, "--checkpoint", folder / "dual", flag, texts)
    vectors = ["--query-vectors", folder / "queries.vectors"]
    vectors += ["--passage-vectors", folder / "collection.vectors"]
    run_verb("retrieve", "--output", folder / "retrieved.run", *vectors, "--depth", 5)
    inputs = ["--run", folder / "retrieved.run", "--checkpoint", folder / "cross"]
    inputs += ["--queries", queries, "--collection", collection]
    run_verb("score", "--output", folder / "scored.run", *inputs)
