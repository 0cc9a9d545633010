"""Score the passages of a run with a cross encoder and rank them anew.

Whole queries make a chunk of some CHUNK_PAIRS pairs, in the order of the run; batches are by length within at most so
many pairs. Chunks depend on the run and the flags alone, so the scores have the same bytes whatever the number of
processes and kills, and memory does not grow with the lines of the run.
"""

from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path

from rocketqa.cli.flags import (
    add_format_flag,
    add_inference_flags,
    add_job_flags,
    positive,
    text_length,
)
from rocketqa.jobs.atomic_files import join_pieces, write_piece
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

CHUNK_PAIRS = 4096


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa score", description=__doc__.split("\n\n")[0])
    add_job_flags(parser)
    parser.add_argument("--checkpoint", type=InputPath, required=True, help="a cross encoder")
    parser.add_argument(
        "--collection",
        type=InputPath,
        required=True,
        help="collection.tsv, or a folder of its tokens",
    )
    parser.add_argument(
        "--queries",
        type=InputPath,
        required=True,
        help="queries.SPLIT.tsv, or a folder of their tokens",
    )
    parser.add_argument("--run", type=InputPath, required=True)
    parser.add_argument(
        "--depth",
        type=positive,
        help="only the first so many passages of each query (default: all)",
    )
    parser.add_argument(
        "--max-length",
        type=text_length,
        default=160,
        help="tokens of a pair, special ones included",
    )
    add_inference_flags(parser)
    add_format_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("score", args)
    status = job.status_if_done(args.check)
    return _score(job, args) if status is None else status


def _score(job: Job, args) -> int:
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.distributed import devices
    from rocketqa.inference.engine import Engine
    from rocketqa.jobs.progress import bar
    from rocketqa.weights.checkpoint import load_model

    devices.join()
    model, text_encoder = load_model(Path(args.checkpoint), CrossEncoder)
    engine = Engine(model, args.precision)
    run, encode = _inputs(args, text_encoder)
    query_ids = list(run)
    size = queries_a_chunk(run.lines, len(run), args.depth)
    own = range(devices.rank() * size, len(run), devices.count() * size)
    with (
        devices.working_on(job) as (part, watchdog),
        bar(
            main=devices.rank() == 0,
            total=sum(min(size, len(run) - begin) for begin in own),
            unit="query",
            desc=f"score {job.output.name}",
        ) as progress,
    ):
        for begin in own:
            chunk = query_ids[begin : begin + size]
            if not _chunk_file(part, begin).is_file():
                rankings = [run[query_id][: args.depth] for query_id in chunk]
                pairs = [pair for ranking in rankings for pair in ranking]
                scores = scores_of(pairs, engine, encode, args.batch_tokens)
                _write_chunk(_chunk_file(part, begin), rankings, scores, args.format)
            progress.update(len(chunk))
        watchdog.barrier()
        if devices.rank() == 0:
            join_pieces(
                [_chunk_file(part, begin) for begin in range(0, len(run), size)],
                part / args.output.name,
            )
    return 0


def _inputs(args, text_encoder):
    """Returns the run, checked, and what makes rows of tokens of its pairs. Collection and run stay on disk."""
    from rocketqa.files.rows import Check
    from rocketqa.files.runs import RunFile
    from rocketqa.text.token_store import open_collection, open_queries
    from rocketqa.text.tokenizer import text_of

    queries = open_queries([Path(args.queries)], text_encoder)
    collection = open_collection(Path(args.collection), text_encoder)

    def encode(pairs):
        return text_encoder.pairs(
            [text_of(queries[pair.query_id]) for pair in pairs],
            [collection[pair.passage_id] for pair in pairs],
            args.max_length,
        )

    return RunFile(args.run, Check(query_ids=queries, passage_ids=collection)), encode


def queries_a_chunk(lines: int, queries: int, depth: int | None) -> int:
    """Returns how many queries have some CHUNK_PAIRS pairs, at least one."""
    return max(1, CHUNK_PAIRS // min(-(-lines // queries), depth or lines))


def scores_of(pairs: list, engine, encode: Callable, batch_tokens: int) -> list[float]:
    """Returns P(relevant) of each pair, in their order. At most CHUNK_PAIRS have their tokens in memory."""
    return [
        score
        for begin in range(0, len(pairs), CHUNK_PAIRS)
        for score in engine.all(encode(pairs[begin : begin + CHUNK_PAIRS]), batch_tokens).tolist()
    ]


def _chunk_file(part: Path, begin: int) -> Path:
    return part / f"chunk-{begin:09}"


def _write_chunk(file: Path, rankings: list, scores: list[float], form: str) -> None:
    """Writes the rankings by their new scores, whole or not at all: where the file is, the chunk is finished."""
    from rocketqa.files.runs import ranked, run_lines

    score = iter(scores)
    anew = (
        ranked(ranking[0].query_id, [(pair.passage_id, next(score)) for pair in ranking])
        for ranking in rankings
    )
    write_piece(file, (line for ranking in anew for line in run_lines(ranking, form)))
