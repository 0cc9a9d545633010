"""The command that searches with a model of a flight, from literal paths."""

import shlex
from pathlib import Path

from rocketqa.cli import serve
from rocketqa.cli.search import build_parser, folders_and_query
from rocketqa.evaluation.search_command import (
    Answering,
    Flight,
    entering_commands,
    search_command,
    serve_command,
)

FLIGHT = Flight(Path("c/own"), Path("o/own"), Path("my data/collection.tsv"), 32, 160, 20)


def test_the_command_searches_the_vectors_of_the_model_and_re_ranks_as_deep_as_was_measured():
    assert search_command(FLIGHT, Answering("dual_encoder_1", True)) == (
        "rocketqa search 'your query' \\\n"
        "    --checkpoint c/own/dual_encoder_1 \\\n"
        "    --collection 'my data/collection.tsv' \\\n"
        "    --passage-vectors o/own/dual_encoder_1.vectors/collection \\\n"
        "    --query-length 32 \\\n"
        "    --cross-encoder c/own/cross_encoder \\\n"
        "    --max-length 160 \\\n"
        "    --depth 20 \\\n"
        "    --rerank-depth 20"
    )


def test_the_command_without_a_cross_encoder_says_nothing_of_pairs_and_depths():
    flight = FLIGHT._replace(query_length=None)
    words = shlex.split(search_command(flight, Answering("start", False)).replace("\\\n", ""))
    assert words[2:] == [
        "your query",
        *("--checkpoint", "c/own/start"),
        *("--collection", "my data/collection.tsv"),
        *("--passage-vectors", "o/own/start.vectors/collection"),
    ]


def test_with_bm25_the_command_has_its_index_and_its_weight():
    flight = FLIGHT._replace(bm25_index=Path("o/own/bm25.index"))
    words = search_command(flight, Answering("dual_encoder_1", False, 0.3))
    assert words.endswith(
        "    --query-length 32 \\\n    --bm25-index o/own/bm25.index \\\n    --bm25-weight 0.3"
    )
    args = build_parser().parse_args(shlex.split(words.replace("\\\n", ""))[2:])
    assert (args.bm25_index, args.bm25_weight) == (Path("o/own/bm25.index"), 0.3)


def test_the_verb_understands_the_command():
    command = search_command(FLIGHT, Answering("dual_encoder_1", True))
    words = shlex.split(command.replace("\\\n", ""))
    args = build_parser().parse_args(words[2:])
    folders, query = folders_and_query(args.passage_vectors, args.query)
    assert query == "your query"
    assert folders == [Path("o/own/dual_encoder_1.vectors/collection")]
    assert args.cross_encoder == Path("c/own/cross_encoder")
    assert (args.query_length, args.max_length) == (32, 160)
    assert (args.depth, args.rerank_depth) == (20, 20)


def test_the_search_page_is_served_with_the_models_of_the_search_and_its_verb_understands_it():
    flight = FLIGHT._replace(bm25_index=Path("o/own/bm25.index"))
    answering = Answering("dual_encoder_1", True, 0.3, 0.6)
    command = serve_command(flight, answering)
    asked = search_command(flight, answering)
    shown = asked.replace("search 'your query'", "serve").replace("    --depth 20 \\\n", "")
    assert command == shown
    words = shlex.split(command.replace("\\\n", ""))
    assert words[:2] == ["rocketqa", "serve"]
    args = serve.build_parser().parse_args(words[2:])
    assert args.rerank_depth == 20
    assert (args.bm25_weight, args.cross_encoder_weight) == (0.3, 0.6)


def test_the_commands_before_it_enter_the_folder(tmp_path, monkeypatch):
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert entering_commands()[0] == f"cd '{folder}'"


def test_a_virtual_environment_within_the_folder_is_entered_by_its_short_name(
    tmp_path, monkeypatch
):
    activate = tmp_path / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.prefix", str(tmp_path / ".venv"))
    assert entering_commands() == [f"cd {tmp_path}", ". .venv/bin/activate"]
    monkeypatch.setattr("sys.prefix", "/nowhere")
    assert entering_commands() == [f"cd {tmp_path}"]
