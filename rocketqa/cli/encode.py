"""Encode a collection or queries into vectors with a dual encoder, shard by shard."""
import os
from argparse import ArgumentParser
from pathlib import Path

from rocketqa.artefacts import Job
from rocketqa.flags import InputPath, add_job_flags, add_text_flags

SHARD_ROWS = 100_000
FEWEST_SHARDS = 8


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa encode", description=__doc__)
    add_job_flags(parser)
    add_text_flags(parser)
    parser.add_argument("--checkpoint", type=InputPath, required=True, help="a dual encoder")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--collection", type=InputPath)
    source.add_argument("--queries", type=InputPath)
    parser.add_argument("--num-shards", type=int, help=f"files of vectors (default: of at most {SHARD_ROWS:,} rows "
                                                       f"each, at least {FEWEST_SHARDS}); devices share them out")
    parser.add_argument("--batch-tokens", type=int, default=8192, help="tokens a batch")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("encode", args)
    status = job.settle(args.check)
    return _encode(job, args) if status is None else status


def _encode(job: Job, args) -> int:
    from rocketqa import devices
    from rocketqa.checkpoint import load_model
    from rocketqa.dual_encoder import DualEncoder
    from rocketqa.formats import read_collection, read_queries
    from rocketqa.index import shard_paths
    from rocketqa.progress import bar

    devices.join()
    model, text_encoder = load_model(Path(args.checkpoint), DualEncoder)
    if args.collection:
        ids, texts = zip(*read_collection(args.collection).items())
        tower, tokenize, length = model.passage_encoder, text_encoder.passages, args.passage_length
    else:
        ids, queries = zip(*read_queries(args.queries).items())
        texts = [query.text for query in queries]
        tower, tokenize, length = model.query_encoder, text_encoder.queries, args.query_length
    shards = args.num_shards or max(FEWEST_SHARDS, -(-len(ids) // SHARD_ROWS))
    bounds = [len(ids) * shard // shards for shard in range(shards + 1)]
    own = range(devices.rank(), shards, devices.count())
    with devices.working_on(job) as (part, _), bar(
            main=devices.rank() == 0, total=sum(bounds[shard + 1] - bounds[shard] for shard in own), unit="text",
            desc=f"encode {job.output.name}") as progress:
        for shard in own:
            vectors_file, ids_file = shard_paths(part, shard)
            begin, end = bounds[shard], bounds[shard + 1]
            if begin < end and not vectors_file.is_file():
                vectors = encode_rows(tower, tokenize(texts[begin:end], length), args.batch_tokens)
                _write_shard(vectors_file, ids_file, vectors, ids[begin:end])
            progress.update(end - begin)
        job.facts = {"rows": len(ids), "shards": shards}
    return 0


def encode_rows(tower, rows, batch_tokens: int):
    """Returns the vectors of rows of tokens, float32 [n, H], in their order."""
    import numpy as np
    import paddle

    from rocketqa.batches import by_token_budget
    from rocketqa.ernie import pack

    vectors = np.empty((len(rows), tower.config.hidden_size), np.float32)
    with paddle.no_grad():
        for batch in by_token_budget([len(row.token_ids) for row in rows], batch_tokens):
            vectors[batch] = tower(pack([rows[i] for i in batch])).numpy()
    return vectors


def _write_shard(vectors_file: Path, ids_file: Path, vectors, ids) -> None:
    """The vectors come last, whole: where they are, the shard is finished."""
    import numpy as np

    ids_file.write_text("".join(f"{passage_id}\n" for passage_id in ids), encoding="utf-8")
    unfinished = vectors_file.with_suffix(".tmp")
    with unfinished.open("wb") as file:
        np.save(file, vectors)
    os.replace(unfinished, vectors_file)
