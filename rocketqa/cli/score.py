"""Score the passages of a run with a cross encoder and rank them anew."""
import os
from argparse import ArgumentParser
from pathlib import Path

from rocketqa.artefacts import Job
from rocketqa.flags import InputPath, add_format_flag, add_job_flags, text_length

CHUNK_QUERIES = 100


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa score", description=__doc__)
    add_job_flags(parser)
    parser.add_argument("--checkpoint", type=InputPath, required=True, help="a cross encoder")
    parser.add_argument("--collection", type=InputPath, required=True)
    parser.add_argument("--queries", type=InputPath, required=True)
    parser.add_argument("--run", type=InputPath, required=True)
    parser.add_argument("--depth", type=int, help="only the first so many passages of each query (default: all)")
    parser.add_argument("--max-length", type=text_length, default=160, help="tokens of a pair, special ones included")
    parser.add_argument("--batch-tokens", type=int, default=8192, help="tokens a batch")
    add_format_flag(parser)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    job = Job("score", args)
    status = job.settle(args.check)
    return _score(job, args) if status is None else status


def _score(job: Job, args) -> int:
    from rocketqa import devices
    from rocketqa.checkpoint import load_model
    from rocketqa.cross_encoder import CrossEncoder
    from rocketqa.formats import read_collection, read_queries, write_lines
    from rocketqa.progress import bar
    from rocketqa.rows import Check
    from rocketqa.runs import RunFile, run_lines

    devices.join()
    model, text_encoder = load_model(Path(args.checkpoint), CrossEncoder)
    collection, queries = read_collection(args.collection), read_queries(args.queries)
    run = RunFile(args.run, Check(query_ids=queries, passage_ids=collection))
    rankings = [ranking[:args.depth] for ranking in run.values()]
    chunks = [rankings[begin:begin + CHUNK_QUERIES] for begin in range(0, len(rankings), CHUNK_QUERIES)]
    own = range(devices.rank(), len(chunks), devices.count())
    with devices.working_on(job) as (part, watchdog), bar(
            main=devices.rank() == 0, total=sum(len(ranking) for number in own for ranking in chunks[number]),
            unit="pair", desc=f"score {job.output.name}") as progress:
        files = [part / f"chunk-{number:06}" for number in range(len(chunks))]
        for number in own:
            if not files[number].is_file():
                scored = _score_chunk(model, text_encoder, chunks[number], queries, collection, args)
                unfinished = files[number].with_suffix(".tmp")
                write_lines(unfinished, (line for ranking in scored for line in run_lines(ranking, args.format)))
                os.replace(unfinished, files[number])
            progress.update(sum(map(len, chunks[number])))
        watchdog.meet()
        if devices.rank() == 0:
            _join_chunks(files, part / args.output.name)
    return 0


def _score_chunk(model, text_encoder, rankings, queries, collection, args):
    """Returns each query's passages by P(relevant)."""
    import paddle

    from rocketqa.batches import by_token_budget, known
    from rocketqa.ernie import pack
    from rocketqa.runs import ranked

    pairs = [scored for ranking in rankings for scored in ranking]
    rows = text_encoder.pairs([known(queries, pair.query_id, "queries").text for pair in pairs],
                              [known(collection, pair.passage_id, "passages") for pair in pairs], args.max_length)
    scores: dict[tuple[str, str], float] = {}
    with paddle.no_grad():
        for batch in by_token_budget([len(row.token_ids) for row in rows], args.batch_tokens):
            probabilities = model.probability(pack([rows[i] for i in batch])).tolist()
            for i, probability in zip(batch, probabilities):
                scores[pairs[i].query_id, pairs[i].passage_id] = probability
    return [ranked(ranking[0].query_id, ((pair.passage_id, scores[pair.query_id, pair.passage_id])
                                         for pair in ranking)) for ranking in rankings]


def _join_chunks(files: list[Path], output: Path) -> None:
    with output.open("wb") as joined:
        for file in files:
            joined.write(file.read_bytes())
