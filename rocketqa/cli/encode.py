"""Encode a collection or queries into vectors with a dual encoder, shard by shard.

All rows are tokenised first (or come tokenised: `rocketqa tokenize`) and put into batches by length; shards are runs of
whole batches. So a row's vector has the same bytes whatever the number of shards, processes and machines.
"""

import os
from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path

from rocketqa.cli.flags import add_inference_flags, add_job_flags, add_text_flags, positive
from rocketqa.jobs.atomic_files import write_array
from rocketqa.jobs.job import Job
from rocketqa.jobs.paths import InputPath

SHARD_ROWS = 25_000
FEWEST_SHARDS = 8
TOKENS = ".tokens"  # in the part directory; no part of the result


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa encode", description=__doc__.split("\n\n")[0])
    add_job_flags(parser)
    add_text_flags(parser)
    parser.add_argument("--checkpoint", type=InputPath, required=True, help="a dual encoder")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--collection", type=InputPath, help="collection.tsv, or a folder of its tokens"
    )
    source.add_argument(
        "--queries", type=InputPath, help="queries.SPLIT.tsv, or a folder of their tokens"
    )
    parser.add_argument(
        "--num-shards",
        type=positive,
        help=f"files of vectors (default: of some {SHARD_ROWS:,} rows; "
        f"of a collection at least {FEWEST_SHARDS}); devices share "
        f"them out",
    )
    parser.add_argument(
        "--shard",
        type=part_of_many,
        metavar="I/N",
        help="make part I of N (1 to N) of the shards: other machines make the others; `retrieve` "
        "takes all N folders",
    )
    parser.add_argument(
        "--dtype", choices=("float32", "float16"), default="float32", help="of the vectors on disk"
    )
    add_inference_flags(parser)
    return parser


def part_of_many(value: str) -> str:
    """Returns I/N, checked."""
    part, _, parts = value.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ArgumentTypeError(f"expected I/N with 1 <= I <= N, got {value}")
    return f"{int(part)}/{int(parts)}"


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("encode", args)
    status = job.status_if_done(args.check)
    return _encode(job, args) if status is None else status


def _encode(job: Job, args) -> int:
    from rocketqa.distributed import devices
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.inference.engine import Engine
    from rocketqa.jobs.progress import bar
    from rocketqa.search.vectors import shard_paths
    from rocketqa.weights.checkpoint import load_model

    devices.join()
    model, text_encoder = load_model(Path(args.checkpoint), DualEncoder)
    engine = Engine(
        model.passage_encoder if args.collection else model.query_encoder, args.precision
    )
    with devices.working_on(job) as (part, watchdog):
        store = _tokens(args, part, text_encoder, watchdog)
        plan = Plan(
            store.lengths(args.passage_length if args.collection else args.query_length),
            args.batch_tokens,
        )
        fewest = (
            FEWEST_SHARDS if args.collection else 1
        )  # one keeps the file's order, which a run then has, too
        shards = min(args.num_shards or max(fewest, -(-len(store) // SHARD_ROWS)), plan.batches)
        which, parts = map(int, (args.shard or "1/1").split("/"))
        own = range(shards * (which - 1) // parts, shards * which // parts)
        mine = own[devices.rank() :: devices.count()]
        with bar(
            main=devices.rank() == 0,
            total=sum(plan.rows_of(shard, shards) for shard in mine),
            unit="text",
            desc=f"encode {job.output.name}",
        ) as progress:
            for shard in mine:
                vectors_file, ids_file = shard_paths(part, shard)
                if vectors_file.is_file():
                    progress.update(plan.rows_of(shard, shards))
                else:
                    _encode_shard(
                        engine,
                        text_encoder,
                        store,
                        plan.batches_of(shard, shards),
                        args,
                        vectors_file,
                        ids_file,
                        progress,
                    )
        watchdog.barrier()
        if devices.rank() == 0:
            _tidy(part)
        job.facts = {"rows": sum(plan.rows_of(shard, shards) for shard in own), "shards": len(own)}
    return 0


def _tokens(args, part: Path, text_encoder, watchdog):
    """Returns the store of the rows: the one that was given, or one made here by all devices, once."""
    from rocketqa.distributed import devices
    from rocketqa.jobs.progress import bar
    from rocketqa.text.token_store import (
        COLLECTION,
        QUERIES,
        SUMMARY,
        TokenStore,
        finish_store,
        write_store,
    )

    kind, source = (
        (COLLECTION, Path(args.collection)) if args.collection else (QUERIES, Path(args.queries))
    )
    if source.is_dir():
        return TokenStore(source, kind, text_encoder)
    folder = part / TOKENS
    if not (folder / SUMMARY).is_file():
        folder.mkdir(exist_ok=True)
        with bar(main=devices.rank() == 0, unit="text", desc=f"tokenize {source.name}") as progress:
            rows = write_store(
                folder, kind, source, text_encoder, devices.rank(), devices.count(), progress.update
            )
        watchdog.barrier()
        if devices.rank() == 0:
            finish_store(folder, kind, rows, text_encoder)
    watchdog.barrier()
    return TokenStore(folder, kind, text_encoder)


class Plan:
    """The batches of all rows: by length, each of at most so many tokens, the same for everybody."""

    def __init__(self, lengths, batch_tokens: int):
        from rocketqa.encoder.packing import plan_batches

        self.order, self.begins = plan_batches(lengths, batch_tokens)

    @property
    def batches(self) -> int:
        """How many there are."""
        return len(self.begins) - 1

    def _bounds(self, shard: int, shards: int) -> tuple[int, int]:
        return self.batches * shard // shards, self.batches * (shard + 1) // shards

    def rows_of(self, shard: int, shards: int) -> int:
        """Returns how many rows a shard has."""
        first, last = self._bounds(shard, shards)
        return self.begins[last] - self.begins[first]

    def batches_of(self, shard: int, shards: int) -> list[list[int]]:
        """Returns the places in the store of each batch of a shard."""
        first, last = self._bounds(shard, shards)
        return [
            self.order[begin:end].tolist()
            for begin, end in zip(self.begins[first:last], self.begins[first + 1 :])
        ]


def _encode_shard(
    engine, text_encoder, store, batches, args, vectors_file: Path, ids_file: Path, progress
) -> None:
    """Writes a shard, its rows in the order of the file. The vectors come last: where they are, it is finished."""
    import numpy as np

    def rows(batch):
        tokens = [store.at(place) for place in batch]
        return (
            text_encoder.passages(tokens, args.passage_length)
            if args.collection
            else text_encoder.queries(tokens, args.query_length)
        )

    vectors = []
    for found in engine.map(map(rows, batches), len(batches)):
        vectors.append(found.astype(args.dtype))
        progress.update(len(found))
    places = np.concatenate(batches)
    order = np.argsort(places)
    ids_file.write_text(
        "".join(f"{store.id_at(place)}\n" for place in places[order].tolist()),
        encoding="utf-8",
        newline="\n",
    )
    write_array(vectors_file, np.concatenate(vectors)[order])


def _tidy(part: Path) -> None:
    """Removes the tokens: first from their place, so that a kill leaves no half of them there."""
    import shutil

    stale = part / f"{TOKENS}.stale"
    shutil.rmtree(stale, ignore_errors=True)
    if (part / TOKENS).is_dir():
        os.rename(part / TOKENS, stale)
        shutil.rmtree(stale)
