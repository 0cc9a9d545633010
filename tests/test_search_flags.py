"""`search` and `serve` take the same collection, models and index."""

from pathlib import Path

import pytest

from rocketqa.cli.flags import VerbParser
from rocketqa.cli.search_flags import add_search_flags, refuse_odd_uri
from rocketqa.files.errors import DataError

NEEDED = ["--checkpoint", "m", "--collection", "a.tsv", "--passage-vectors", "v", "w"]


def parsed(*words: str):
    parser = VerbParser("rocketqa a-verb")
    add_search_flags(parser)
    return parser.parse_args([*NEEDED, *words])


def test_collections_and_folders_of_vectors_may_be_repeated():
    args = parsed("--collection", "b.tsv", "--passage-vectors", "x")
    assert args.collection == [Path("a.tsv"), Path("b.tsv")]
    assert args.passage_vectors == [[Path("v"), Path("w")], [Path("x")]]


def test_by_default_the_search_is_exact_and_lengths_are_those_of_the_training():
    args = parsed()
    assert args.index is args.cross_encoder is args.rerank_depth is None
    assert args.query_length is args.max_length is None
    assert args.max_memory == 4 * 2**30


def test_a_depth_of_re_ranking_is_a_whole_number_from_1(capsys):
    with pytest.raises(SystemExit):
        parsed("--rerank-depth", "0")
    assert "expected a whole number from 1, got 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words, refusal",
    [
        (["--milvus-collection", "a"], "--milvus-collection a: expected --uri with it, got none"),
        (["--uri", "a.db", "--index", "i"], "--uri: expected no --index beside it, got both"),
    ],
)
def test_milvus_is_asked_for_as_a_whole_and_alone(words, refusal):
    with pytest.raises(DataError, match=refusal):
        refuse_odd_uri(parsed(*words))
    refuse_odd_uri(parsed("--uri", "a.db", "--milvus-collection", "a"))
