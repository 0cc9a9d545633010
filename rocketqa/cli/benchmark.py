"""Measure time and memory here: encoding, scoring and training beside others, search, chunks, building of data."""

import json
import statistics
import subprocess
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rocketqa.benchmark.contenders import (
    PEERS,
    TRAINED,
    Peer,
    installed,
    rows_of_round,
    take_step,
    work_when_told,
)
from rocketqa.benchmark.data_build import cost, write_sources
from rocketqa.cli.flags import positive, text_length
from rocketqa.files.errors import DataError

MIB, GIB = 2**20, 2**30
QUERIES, SEARCH_SIZE = 200, 768
OF_CHUNKS = (
    "batch_size",
    "chunk_size",
    "memory",
    "largest",
    "layers",
    "hidden_size",
    "query_length",
    "passage_length",
)
STEPS = 3  # measured, after one that is not


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa benchmark", description=__doc__)
    parser.add_argument(
        "what",
        nargs="?",
        choices=("chunks", "speed", "search", "data"),
        default="chunks",
        help="chunks: a batch at once and in chunks; speed: encoding, scoring and training beside "
        "sentence-transformers and a padded PaddleNLP loop, in alternating rounds; search: exact "
        "search beside faiss, growing; data: building of made-up collections, growing",
    )
    parser.add_argument("--weights", help="speed: an encoder in BERT's layout")
    parser.add_argument("--collection", type=Path, help="speed: passages to draw from")
    parser.add_argument("--queries", type=Path, help="speed: queries to draw from")
    parser.add_argument(
        "--rows", type=positive, default=256, help="speed: passages, pairs, queries of a round"
    )
    parser.add_argument(
        "--rounds", type=positive, default=5, help="alternating rounds; their medians count"
    )
    parser.add_argument(
        "--works",
        nargs="+",
        choices=("encode", "score", "train"),
        default=["encode", "score", "train"],
        help="speed: which",
    )
    parser.add_argument(
        "--peers-python",
        default=sys.executable,
        metavar="PYTHON",
        help="speed: the interpreter that has sentence-transformers (the extra `bench`)",
    )
    parser.add_argument("--peer", nargs=6, help="speed: be one, in this process")
    parser.add_argument(
        "--sizes",
        nargs="+",
        type=positive,
        default=[10_000, 100_000],
        help="search: vectors; data: passages",
    )
    parser.add_argument("--data-prep", type=Path, help="data: data_prep/marco.py")
    parser.add_argument(
        "--batch-size", type=positive, default=32, help="queries a step, each with two passages"
    )
    parser.add_argument("--chunk-size", type=positive, default=8, help="queries a chunk")
    parser.add_argument(
        "--memory",
        type=float,
        default=2.0,
        metavar="GIB",
        help="find the largest batch that fits in so much memory (peak of the process)",
    )
    parser.add_argument("--largest", type=positive, default=512, help="the largest batch to try")
    parser.add_argument("--layers", type=positive, default=4)
    parser.add_argument(
        "--hidden-size",
        type=positive,
        default=312,
        help="of an ERNIE with random weights, 12 heads",
    )
    parser.add_argument("--query-length", type=text_length, default=32, help="tokens")
    parser.add_argument("--passage-length", type=text_length, default=128, help="tokens")
    parser.add_argument("--recompute", action="store_true", help="with recomputation in every row")
    parser.add_argument(
        "--measure", metavar="QUERIES,CHUNKS", help="measure this one in this process, as JSON"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    if args.peer:
        work_when_told(*args.peer)
        return 0
    if args.what == "speed":
        _speed(args)
        return 0
    if args.what == "search":
        _search(args)
        return 0
    if args.what == "data":
        _data(args)
        return 0
    if args.measure:
        print(json.dumps(_measured_here(args, *map(int, args.measure.split(",")))))
        return 0
    _compare(args)
    _largest_batches(args)
    return 0


def _speed(args: Namespace) -> None:
    """Prints rows a second, peak memory, and ours as a multiple of the others'."""
    if not (args.weights and args.collection and args.queries):
        raise DataError(
            "benchmark speed: expected --weights, --collection and --queries, got not all"
        )
    there = installed(args.peers_python)
    print("work\tby\trows a second\tpeak memory, GiB\tours is")
    for work in args.works:
        names = [
            name
            for name in PEERS
            if (work != "train" or name in TRAINED) and ("sentence" not in name or there)
        ]
        peers = [
            Peer(
                name,
                work,
                args.weights,
                args.collection,
                args.queries,
                args.rows,
                args.peers_python if "sentence" in name else sys.executable,
            )
            for name in names
        ]
        told = [[peer.round() for peer in peers] for _ in range(1 + args.rounds)][
            1:
        ]  # the first one warms up
        for peer in peers:
            peer.end()
        for place, name in enumerate(names):
            seconds = [row[place]["seconds"] for row in told]
            rate = rows_of_round(work, args.rows) / statistics.median(seconds)
            ratio = statistics.median(row[place]["seconds"] / row[0]["seconds"] for row in told)
            print(
                f"{work}\t{name}\t{rate:.1f}\t{max(row[place]['peak'] for row in told) / GIB:.2f}\t"
                f"{ratio:.2f}",
                flush=True,
            )


def _search(args: Namespace) -> None:
    """Prints queries a second of exact search and of plain faiss, on vectors in memory."""
    import time

    import faiss
    import numpy as np

    from rocketqa.search.index import ExactSearch, threads
    from rocketqa.search.vectors import VectorStore, shard_paths

    faiss.omp_set_num_threads(threads())
    print("vectors\tdepth\texact, queries a second\tfaiss IndexFlatIP\tours is")
    drawing = np.random.default_rng(1)
    queries = drawing.standard_normal((QUERIES, SEARCH_SIZE), np.float32)
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            vectors_file, ids_file = shard_paths(Path(folder), 0)
            vectors = drawing.standard_normal((size, SEARCH_SIZE), np.float32)
            np.save(vectors_file, vectors)
            ids_file.write_text("".join(f"p{place}\n" for place in range(size)))
            store = VectorStore([Path(folder)])
            search, index = ExactSearch(store, 4 * GIB), faiss.IndexFlatIP(SEARCH_SIZE)
            index.add(vectors)
            for depth in (100, 1000):
                list(search.search(queries[:2], depth))
                told = []
                for _ in range(args.rounds):
                    begin = time.perf_counter()
                    list(search.search(queries, depth))
                    middle = time.perf_counter()
                    index.search(queries, depth)
                    told.append((middle - begin, time.perf_counter() - middle))
                own, other = (statistics.median(column) for column in zip(*told))
                ratio = statistics.median(theirs / mine for mine, theirs in told)
                print(
                    f"{size}\t{depth}\t{QUERIES / own:.1f}\t{QUERIES / other:.1f}\t{ratio:.2f}",
                    flush=True,
                )


def _data(args: Namespace) -> None:
    """Prints rows a second and the peak memory of building collections from Microsoft's files with titles."""
    if not args.data_prep:
        raise DataError("benchmark data: expected --data-prep data_prep/marco.py, got none")
    print("passages\tseconds\tpassages a second\tprocessor seconds\tpeak memory, MiB")
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            sources = Path(folder) / "sources"
            write_sources(sources, size)
            seconds, processor, peak = cost(args.data_prep, sources, Path(folder) / "built")
        print(
            f"{size}\t{seconds:.1f}\t{size / seconds:.0f}\t{processor:.1f}\t{peak / MIB:.0f}",
            flush=True,
        )


def _compare(args: Namespace) -> None:
    """Prints the direct batch and the same in chunks, as ratios."""
    chunks = -(-args.batch_size // args.chunk_size)
    direct, chunked = _measured(args, args.batch_size, 1), _measured(args, args.batch_size, chunks)
    print("what\tbatch\tchunks\tseconds a step\tpeak memory, GiB")
    for what, result, count in (("direct", direct, 1), ("chunks", chunked, chunks)):
        print(
            f"{what}\t{args.batch_size}\t{count}\t{result['seconds']:.3f}\t{result['peak'] / GIB:.3f}"
        )
    print(
        f"ratio\t\t\t{chunked['seconds'] / direct['seconds']:.3f}\t{chunked['peak'] / direct['peak']:.3f}"
    )
    above = [result["peak"] - result["before"] for result in (direct, chunked)]
    print(
        f"memory above model and optimizer: {above[0] / GIB:.3f} and {above[1] / GIB:.3f} GiB, "
        f"ratio {above[1] / above[0]:.3f}"
    )


def _largest_batches(args: Namespace) -> None:
    """Prints the largest batch, of powers of two chunks, within the memory; the largest tried where all fit."""
    for what in ("direct", "chunks"):
        fits, queries = 0, args.chunk_size
        while queries <= args.largest:
            result = _measured(args, queries, 1 if what == "direct" else queries // args.chunk_size)
            if result["peak"] > args.memory * GIB:
                break
            fits, queries = queries, 2 * queries
        bound = " (the largest tried)" if queries > args.largest else ""
        print(f"largest batch within {args.memory:g} GiB, {what}: {fits}{bound}", flush=True)


def _measured(args: Namespace, queries: int, chunks: int) -> dict[str, float]:
    """Returns the measures of a process of its own: a peak of memory never falls again."""
    flags = [f"--{name.replace('_', '-')}={getattr(args, name)}" for name in OF_CHUNKS]
    command = [
        sys.executable,
        "-m",
        "rocketqa.cli",
        "benchmark",
        *flags,
        f"--measure={queries},{chunks}",
    ]
    answer = subprocess.run(
        command + ["--recompute"] * args.recompute, capture_output=True, text=True
    )
    if answer.returncode:
        raise DataError(
            f"benchmark: expected {queries} queries in {chunks} chunks to be measured, got "
            f"{(answer.stderr.splitlines() or ['a kill: memory?'])[-1]}"
        )
    return json.loads(answer.stdout.splitlines()[-1])


def _measured_here(args: Namespace, queries: int, chunks: int) -> dict[str, float]:
    """Takes steps of one batch; returns seconds a step and peaks of memory, in bytes, before and after."""
    import time

    from rocketqa.training.optimizer import adam

    model, parts = _model(args), _chunks(args, queries // chunks, chunks)
    optimizer, seconds = adam(model, 0.0), []
    optimizer.set_lr(1e-5)
    _take_moments(model, optimizer)
    before = _peak()
    for _ in range(1 + STEPS):
        begin = time.perf_counter()
        take_step(model, optimizer, parts)
        float(model.parameters()[0].sum())  # waits for a GPU
        seconds.append(time.perf_counter() - begin)
    return {"seconds": statistics.median(seconds[1:]), "before": before, "peak": _peak()}


def _model(args: Namespace):
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.encoder.config import ErnieConfig
    from rocketqa.encoder.ernie import initial_weights
    from rocketqa.weights.checkpoint import set_weights

    config = ErnieConfig(
        hidden_size=args.hidden_size,
        num_hidden_layers=args.layers,
        intermediate_size=4 * args.hidden_size,
    )
    model = DualEncoder(config)
    set_weights(
        model, DualEncoder.from_encoder_weights(initial_weights(config, 1)), "random weights"
    )
    model.query_encoder.recompute = model.passage_encoder.recompute = args.recompute
    model.train()
    return model


def _chunks(args: Namespace, queries: int, chunks: int) -> list:
    import numpy as np

    from rocketqa.encoder.packing import pack
    from rocketqa.text.tokenizer import Encoding
    from rocketqa.training.batches import DualRows

    drawing = np.random.default_rng(1)

    def rows(count: int, longest: int):
        return pack(
            [
                Encoding(drawing.integers(1, 30000, length), np.zeros(length, np.int64))
                for length in drawing.integers(longest // 4, longest + 1, count)
            ]
        )

    return [
        DualRows(rows(queries, args.query_length), rows(2 * queries, args.passage_length), None)
        for _ in range(chunks)
    ]


def _take_moments(model, optimizer) -> None:
    """Makes Adam's moments and the gradients, so that they are there before anything is measured."""
    import paddle

    paddle.add_n([parameter.sum() for parameter in model.parameters()]).backward()
    optimizer.step()
    optimizer.clear_grad(set_to_zero=True)


def _peak() -> int:
    """Returns the most memory this process has had so far, in bytes: of the GPU where there is one."""
    import resource

    import paddle

    if paddle.device.get_device().startswith("gpu"):
        return paddle.device.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
