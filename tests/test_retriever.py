"""A query is answered as `retrieve` and `score` would, with title and text."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from damage import flip, halve
from manifests import set_flags
from ranked_collection import run_verb, write_ranked_collection
from safetensors.numpy import load_file, save_file
from vectors_fixture import write_vectors

from rocketqa.files.errors import DataError
from rocketqa.files.formats import read_collection, read_queries, write_lines
from rocketqa.files.runs import RunFile
from rocketqa.search.retriever import load_retriever


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with both encoders, the encoded collection and the runs of its queries."""
    folder = tmp_path_factory.mktemp("ranked")
    write_ranked_collection(folder)
    return folder


def retriever(folder: Path, cross: str | None = None, rerank_depth: int | None = None):
    cross_encoder = folder / cross if cross else None
    vectors = [folder / "collection.vectors"]
    given = (folder / "dual", folder / "collection.tsv", vectors, 2**30, cross_encoder)
    return load_retriever(*given, rerank_depth=rerank_depth)


@pytest.mark.parametrize("cross, file", [(None, "retrieved.run"), ("cross", "scored.run")])
def test_answers_are_those_of_the_verbs(folder, cross, file):
    loaded = retriever(folder, cross, 5 if cross else None)  # as deep as retrieved.run
    expected = RunFile(folder / file)
    collection = read_collection(folder / "collection.tsv")
    for query in read_queries(folder / "queries.tsv").values():
        answers = loaded.answer(query.text, 5)
        ranking = expected[query.query_id]
        assert [answer[:3] for answer in answers] == [
            tuple(collection[scored.passage_id]) for scored in ranking
        ]
        scores = [scored.score for scored in ranking]
        assert [answer.score for answer in answers] == pytest.approx(scores, abs=1e-5)


def test_the_best_answers_do_not_depend_on_how_many_are_shown(folder):
    loaded = retriever(folder, "cross")
    shallow = retriever(folder, "cross", 3)
    differs = False
    for query in list(read_queries(folder / "queries.tsv").values())[:6]:
        all_answers = loaded.answer(query.text, 40)
        for depth in (1, 10):
            assert loaded.answer(query.text, depth) == all_answers[:depth]
        assert shallow.answer(query.text, 1) == shallow.answer(query.text, 3)[:1]
        differs |= shallow.answer(query.text, 1) != all_answers[:1]
    assert differs
    with pytest.raises(DataError, match="^--rerank-depth: expected at least --depth 4, got 3$"):
        shallow.answer("w1", 4)


def test_queries_are_cut_as_in_the_training_unless_a_length_is_given(folder, tmp_path, capsys):
    checkpoint = tmp_path / "dual"
    shutil.copytree(folder / "dual", checkpoint)
    set_flags(checkpoint, query_length=24)
    given = (checkpoint, folder / "collection.tsv", [folder / "collection.vectors"], 2**30)
    load_retriever(*given)
    assert "was trained with" not in capsys.readouterr().err
    load_retriever(*given, query_length=32)
    assert "--query-length 24 and is used with --query-length 32" in capsys.readouterr().err


@pytest.mark.parametrize(
    "flag, value, checkpoint",
    [("query_length", 41, "dual"), ("pair_length", 300, "cross")],
)
def test_a_length_beyond_the_positions_is_refused_at_the_start(folder, flag, value, checkpoint):
    given = (folder / "dual", folder / "collection.tsv", [folder / "collection.vectors"], 2**30)
    with pytest.raises(DataError) as refused:
        load_retriever(*given, folder / "cross", **{flag: value})
    name = {"query_length": "--query-length", "pair_length": "--max-length"}[flag]
    positions = f"the positions of {folder / checkpoint}"
    assert str(refused.value) == f"{name}: expected at most 40 tokens, {positions}, got {value}"


def spoil(checkpoint: Path, name: str) -> None:
    """Makes a weight so large that outputs are not finite. The manifest would refuse that."""
    (checkpoint / "meta.json").unlink()
    weights = load_file(checkpoint / "model.safetensors")
    weights[name][:] = np.finfo(np.float32).max
    save_file(weights, checkpoint / "model.safetensors")


def test_a_query_without_a_finite_vector_is_one_line(folder, tmp_path):
    checkpoint = tmp_path / "dual"
    vectors = tmp_path / "vectors"
    shutil.copytree(folder / "dual", checkpoint)
    shutil.copytree(folder / "collection.vectors", vectors)
    (vectors / "meta.json").unlink()
    spoil(checkpoint, "query_encoder.embeddings.layer_norm.weight")
    loaded = load_retriever(checkpoint, folder / "collection.tsv", [vectors], 2**30)
    error = "dual: expected finite vectors, got nan or infinity for the query 'w1'"
    with pytest.raises(DataError, match=error):
        loaded.answer("w1", 3)


def test_a_passage_without_a_finite_score_is_one_line(folder, tmp_path):
    checkpoint = tmp_path / "cross"
    shutil.copytree(folder / "cross", checkpoint)
    spoil(checkpoint, "ernie.embeddings.layer_norm.weight")
    given = (folder / "dual", folder / "collection.tsv", [folder / "collection.vectors"], 2**30)
    loaded = load_retriever(*given, checkpoint)
    error = "cross: expected finite scores, got nan or infinity for passage 'p.*' of the query '-'"
    with pytest.raises(DataError, match=error):
        loaded.warm_up(100)


def test_threads_share_a_retriever(folder):
    loaded = retriever(folder, "cross")
    queries = [query.text for query in read_queries(folder / "queries.tsv").values()]
    alone = [loaded.answer(query, 3) for query in queries]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda query: loaded.answer(query, 3), queries)) == alone


def test_an_empty_query_has_no_answers(folder):
    assert retriever(folder).answer("  ", 5) == []


def test_vectors_of_another_program_are_not_compared_with_the_models(folder, tmp_path):
    vectors = tmp_path / "vectors"
    vectors.mkdir()
    for path in (folder / "collection.vectors").glob("vectors.*"):
        (vectors / path.name).write_bytes(path.read_bytes())
    loaded = load_retriever(folder / "dual", folder / "collection.tsv", [vectors], 2**30)
    assert loaded.answer("w1 w2", 3) == retriever(folder).answer("w1 w2", 3)


def test_vectors_of_tokens_are_searched_with_the_collection_that_was_tokenized(folder, tmp_path):
    tokens = tmp_path / "tokens"
    vectors = tmp_path / "vectors"
    collection = folder / "collection.tsv"
    common = ["--checkpoint", folder / "dual", "--collection"]
    run_verb("tokenize", "--output", tokens, *common, collection)
    run_verb("encode", "--output", vectors, *common, tokens)
    loaded = load_retriever(folder / "dual", collection, [vectors], 2**30)
    assert loaded.answer("w1 w2", 3) == retriever(folder).answer("w1 w2", 3)
    other = tmp_path / "collection.tsv"
    write_lines(other, ["p0\t\tw1 w2"])
    refused = "expected the collection that .*vectors was encoded with, got another: encode again"
    with pytest.raises(DataError, match=refused):
        load_retriever(folder / "dual", other, [vectors], 2**30)
    run_verb("tokenize", "--output", tokens, *common, other)
    for path in (collection, other):  # the tokens that were encoded are not there any more
        with pytest.raises(DataError, match=refused):
            load_retriever(folder / "dual", path, [vectors], 2**30)


@pytest.mark.parametrize("checkpoint, cross", [("cross", None), ("dual", "dual")])
def test_a_checkpoint_of_the_other_kind_is_refused_before_its_digest_is_compared(
    folder, checkpoint, cross
):
    vectors = [folder / "collection.vectors"]
    cross_encoder = folder / cross if cross else None
    collection = folder / "collection.tsv"
    with pytest.raises(DataError, match=r"expected a .* encoder, got a .* encoder: give a check"):
        load_retriever(folder / checkpoint, collection, vectors, 2**30, cross_encoder)


def test_vectors_of_queries_are_refused(folder):
    vectors = [folder / "queries.vectors"]
    with pytest.raises(DataError) as error:
        load_retriever(folder / "dual", folder / "collection.tsv", vectors, 2**30)
    assert str(error.value) == (
        f"{folder}/queries.vectors: expected vectors of a collection for --passage-vectors, "
        "got vectors of queries: give a folder that `rocketqa encode --collection` made"
    )


def test_vectors_of_another_size_are_refused_when_the_models_are_loaded(folder, tmp_path):
    vectors = write_vectors(tmp_path, ["p0"], [[1.0, 2.0]])
    with pytest.raises(DataError, match="dual: expected vectors of size 2, as in .*, got 16"):
        load_retriever(folder / "dual", folder / "collection.tsv", [vectors], 2**30)


def test_vectors_of_another_collection_are_refused(folder, tmp_path):
    collection = tmp_path / "collection.tsv"
    write_lines(collection, ["p0\t\tw1 w2"])
    with pytest.raises(DataError, match="expected the collection that .* was encoded with"):
        load_retriever(folder / "dual", collection, [folder / "collection.vectors"], 2**30)


def exchange(one: Path, other: Path) -> None:
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


@pytest.mark.parametrize(
    "file, change",
    [
        ("collection.vectors/vectors.00000.npy", Path.unlink),
        ("collection.vectors/vectors.00000.npy", flip),
        (
            "collection.vectors/vectors.00000.ids",
            lambda path: exchange(path, path.with_suffix(".npy")),
        ),
        ("cross/model.safetensors", flip),
        ("cross/meta.json", halve),
        ("dual/vocab.txt", flip),
    ],
)
def test_damage_is_named_before_anything_is_answered(folder, tmp_path, file, change):
    for name in ("dual", "cross", "collection.vectors"):
        shutil.copytree(folder / name, tmp_path / name)
    shutil.copy(folder / "collection.tsv", tmp_path)
    change(tmp_path / file)
    with pytest.raises(DataError, match=f"^{tmp_path / file}: expected "):
        retriever(tmp_path, "cross")


def test_a_shard_that_the_manifest_does_not_list_is_refused(folder, tmp_path):
    vectors = tmp_path / "vectors"
    shutil.copytree(folder / "collection.vectors", vectors)
    for ending in ("npy", "ids"):
        shutil.copy(vectors / f"vectors.00000.{ending}", vectors / f"vectors.00099.{ending}")
    with pytest.raises(DataError, match="vectors.00099.npy: expected only files that meta.json li"):
        load_retriever(folder / "dual", folder / "collection.tsv", [vectors], 2**30)
