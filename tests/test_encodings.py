"""Vectors that do not belong together are refused by their manifests, in one line."""

import json

import numpy as np
import pytest
from vectors_fixture import write_shards, write_vectors

from rocketqa.files.errors import DataError
from rocketqa.search.encodings import check_directories, check_encodings, encodings_in, read_job


@pytest.mark.parametrize(
    "shards, message",
    [
        (["1/3", "3/3"], "expected shards 1/3 to 3/3 of one encoding, got no 2/3"),
        (["1/1", "1/1"], "expected shards 1/1 to 1/1 once each, got 1/1 again"),
        (["1/2", "2/3"], "expected shards 1/2 to 2/2 once each, got 2/3 too"),
        (["1/2"], "expected shards 1/2 to 2/2 of one encoding, got no 2/2"),
    ],
)
def test_a_missing_or_foreign_shard_is_refused(tmp_path, shards, message):
    with pytest.raises(DataError, match=message):
        check_directories(write_shards(tmp_path, *shards))


@pytest.mark.parametrize(
    "changed, message",
    [
        (
            {"checkpoint": "other"},
            "expected the same checkpoint as in .*0, got another: encode it again",
        ),
        (
            {"collection": "other"},
            "0: expected shards 1/2 to 2/2 of one encoding, got no 2/2",
        ),
        ({"batch_tokens": 9}, "expected the same batch-tokens as in .*0, got another: 9"),
    ],
)
def test_shards_of_another_encoding_are_refused(tmp_path, changed, message):
    folders = write_shards(tmp_path, "1/2", "2/2")
    job = {"shard": "2/2", "checkpoint": "m", "batch_tokens": 8} | changed
    write_vectors(folders[1], ["x"], np.eye(1, 4), **job)
    with pytest.raises(DataError, match=message):
        check_directories(folders)


def later_encoding(folder, **changed):
    """Writes the encoding of another file by the same dual encoder."""
    job = {"checkpoint": "m", "batch_tokens": 8, "collection": "later"} | changed
    return write_vectors(folder, ["x"], np.eye(1, 4), **job)


@pytest.mark.parametrize(
    "changed",
    [{}, {"batch_tokens": 9}, {"num_shards": 3}, {"query_length": 9}],
)
def test_an_encoding_of_more_passages_is_taken_beside_the_first(tmp_path, changed):
    shards = write_shards(tmp_path, "1/2", "2/2")
    later = later_encoding(tmp_path / "later", **changed)
    found = encodings_in([shards[0], later, shards[1]])
    assert [encoding.directories for encoding in found] == [shards, [later]]


@pytest.mark.parametrize(
    "changed, message",
    [
        ({"checkpoint": "other"}, "expected the same checkpoint as in .*0, got another: encode"),
        ({"passage_length": 9}, "expected the same passage-length as in .*0, got another: 9"),
        ({"precision": "reduced"}, "expected the same precision as in .*0, got another: reduced"),
    ],
)
def test_more_passages_are_encoded_as_the_first_ones(tmp_path, changed, message):
    shards = write_shards(tmp_path, "1/2", "2/2")
    later = later_encoding(tmp_path / "later", **changed)
    with pytest.raises(DataError, match=f"later: {message}"):
        encodings_in([*shards, later])


def test_vectors_of_two_similarities_do_not_go_together(tmp_path):
    for similarity, flags in (("dot", {}), ("cosine", {"similarity": "cosine"})):
        made = {"checkpoint": "m", **flags}
        write_vectors(tmp_path / similarity, ["a"], [[1.0]], collection="c", **made)
        write_vectors(tmp_path / f"q.{similarity}", ["a"], [[1.0]], queries="q", **made)
    check_encodings(tmp_path / "q.dot", [tmp_path / "dot"])
    check_encodings(tmp_path / "q.cosine", [tmp_path / "cosine"])
    with pytest.raises(DataError) as error:
        check_encodings(tmp_path / "q.dot", [tmp_path / "cosine"])
    assert str(error.value) == (
        f"{tmp_path}/q.dot: expected vectors for the similarity cosine, as in {tmp_path}/cosine, "
        "got those for dot: encode again"
    )
    with pytest.raises(DataError, match="expected the same similarity as in .*, got another"):
        check_directories([tmp_path / "dot", tmp_path / "cosine"])


@pytest.mark.parametrize("without", [0, 1])
def test_several_folders_need_their_manifests(tmp_path, without):
    folders = write_shards(tmp_path, "1/2", "2/2")
    (folders[without] / "meta.json").unlink()
    with pytest.raises(
        DataError, match=f"{without}: expected the meta.json of an encoding, got none"
    ):
        check_directories(folders)


def test_several_folders_have_to_be_there(tmp_path):
    first, _ = write_shards(tmp_path, "1/2", "2/2")
    with pytest.raises(DataError, match="nowhere: expected a folder of vectors, got nothing there"):
        check_directories([first, tmp_path / "nowhere"])
    with pytest.raises(DataError, match="nowhere: expected a folder of vectors, got nothing there"):
        check_encodings(tmp_path / "nowhere", [first])


def encoded(folder, side=None, checkpoint="m"):
    """Writes a vector of a collection or of queries; without a side, as another program does."""
    job = {side: "digest", "checkpoint": checkpoint} if side else {}
    return write_vectors(folder, ["a"], [[1.0]], **job)


def test_vectors_of_two_dual_encoders_do_not_go_together(tmp_path):
    queries = encoded(tmp_path / "q", "queries", "old")
    check_encodings(queries, [encoded(tmp_path / "p", "collection", "old")])
    passages = encoded(tmp_path / "p", "collection", "new")
    with pytest.raises(DataError) as error:
        check_encodings(queries, [passages])
    assert str(error.value) == (
        f"{queries}: expected vectors of the dual encoder that encoded {passages}, "
        "got those of another: encode again"
    )
    (passages / "meta.json").unlink()
    check_encodings(queries, [passages])


GOT_PASSAGES = "q: expected vectors of queries for --query-vectors, got vectors of a collection: "
GOT_QUERIES = "p: expected vectors of a collection for --passage-vectors, got vectors of queries: "
ENCODE_QUERIES = "give a folder that `rocketqa encode --queries` made"
ENCODE_COLLECTION = "give a folder that `rocketqa encode --collection` made"
EXCHANGE = "exchange --query-vectors and --passage-vectors"


@pytest.mark.parametrize(
    "queries, passages, refusal",
    [
        ("queries", "collection", None),
        ("queries", None, None),
        (None, "collection", None),
        (None, None, None),
        ("collection", "queries", GOT_PASSAGES + EXCHANGE),
        ("collection", "collection", GOT_PASSAGES + ENCODE_QUERIES),
        ("collection", None, GOT_PASSAGES + ENCODE_QUERIES),
        ("queries", "queries", GOT_QUERIES + ENCODE_COLLECTION),
        (None, "queries", GOT_QUERIES + ENCODE_COLLECTION),
    ],
)
def test_vectors_of_the_other_side_are_refused_with_what_to_give(
    tmp_path, queries, passages, refusal
):
    query_vectors = encoded(tmp_path / "q", queries)
    passage_vectors = encoded(tmp_path / "p", passages)
    if refusal is None:
        check_encodings(query_vectors, [passage_vectors])
        return
    with pytest.raises(DataError) as error:
        check_encodings(query_vectors, [passage_vectors])
    assert str(error.value) == f"{tmp_path}/{refusal}"


def test_one_folder_of_queries_among_those_of_passages_is_named(tmp_path):
    shards = write_shards(tmp_path / "passages", "1/2", "2/2")
    query_vectors = encoded(tmp_path / "q", "queries")
    with pytest.raises(DataError, match="q: expected vectors of a collection for --passage"):
        check_encodings(query_vectors, [*shards, query_vectors])


def test_a_folder_that_another_verb_made_is_refused(tmp_path):
    (tmp_path / "meta.json").write_text(manifest(verb="tokenize"))
    with pytest.raises(DataError) as error:
        read_job(tmp_path)
    assert (
        str(error.value)
        == f"{tmp_path}: expected the output of `encode`, got the output of `tokenize`"
    )
    (tmp_path / "meta.json").write_text(manifest(verb="two\nlines"))
    with pytest.raises(DataError, match="expected the output of `encode`, got something else$"):
        read_job(tmp_path)


def test_the_job_of_an_encoding_is_read_from_its_manifest(tmp_path):
    assert read_job(tmp_path) is None
    write_vectors(tmp_path, ["a"], [[1.0]], checkpoint="m", batch_tokens=8)
    assert read_job(tmp_path) == {
        "shard": None,
        "batch_tokens": 8,
        "checkpoint": ["m"],
        "collection": ["c"],
    }


def manifest(
    shard: object = None,
    checkpoint: object = ("m",),
    verb: object = "encode",
    **further_inputs: object,
) -> str:
    inputs = {"checkpoint": checkpoint, **(further_inputs or {"collection": ["c"]})}
    job = {"verb": verb, "flags": {"shard": shard}, "inputs": inputs}
    return json.dumps({"job": job})


@pytest.mark.parametrize(
    "content, message",
    [
        ("{", "expected a JSON object, got other text: .*"),
        ("[]", "expected a JSON object, got a list"),
        ("[1]", "expected a JSON object, got a list"),
        ("{}", "expected an object for job, got nothing"),
        ('{"job": 1}', "expected an object for job, got 1"),
        ('{"job": {"flags": {}}}', "expected an object for job.inputs, got nothing"),
        ('{"job": {"flags": [], "inputs": {}}}', "expected an object for job.flags, got a list"),
        ('{"job": {"flags": {}, "inputs": {}}}', "expected a text for job.verb, got nothing"),
        (manifest(verb=3), "expected a text for job.verb, got 3"),
        (manifest(queries="q"), 'expected a list for job.inputs.queries, got "q"'),
        (manifest(other=["o"]), "expected a list for job.inputs.collection, got nothing"),
        (manifest(checkpoint="m"), 'expected a list for job.inputs.checkpoint, got "m"'),
        (manifest(shard=3), "expected a text for job.flags.shard, got 3"),
        (manifest(shard="1/x"), 'expected I/N for job.flags.shard, got "1/x"'),
        ("\xff", "expected a JSON object in UTF-8, got byte 0xff at 0"),
    ],
)
def test_a_broken_manifest_is_refused_in_a_line(tmp_path, content, message):
    write_vectors(tmp_path, ["a"], [[1.0]])
    (tmp_path / "meta.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=f"meta.json: {message}$"):
        check_directories([tmp_path])
