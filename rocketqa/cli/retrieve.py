"""Retrieve the best passages of each query by inner product and write them as a run."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from rocketqa.cli.flags import (
    NumberType,
    VerbParser,
    add_format_flag,
    add_job_flags,
    add_passage_vectors,
    job_of,
    memory,
    to_path,
    to_text,
)
from rocketqa.cli.search_flags import add_uri_flags, refuse_odd_uri
from rocketqa.files.errors import DataError
from rocketqa.files.ranges import WHOLE_FROM_1
from rocketqa.jobs.digests import MANIFEST
from rocketqa.search.encodings import check_encodings
from rocketqa.search.index_record import read_record
from rocketqa.search.milvus_record import Parameters, read_parameters

EXAMPLE = (
    "rocketqa retrieve --query-vectors vectors/queries.dev --passage-vectors vectors/collection "
    "--depth 100 --output dev.run"
)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = VerbParser("rocketqa retrieve", description=__doc__, epilog=f"example: {EXAMPLE}")
    add_job_flags(parser)
    parser.add_argument(
        "--query-vectors",
        type=to_path,
        required=True,
        metavar="DIR",
        help="folder of encoded queries, as `rocketqa encode --queries` makes it",
    )
    add_passage_vectors(parser)
    parser.add_argument(
        "--depth",
        type=NumberType(WHOLE_FROM_1),
        required=True,
        help="largest number of passages for each query",
    )
    parser.add_argument(
        "--max-memory",
        type=memory,
        default="4GiB",
        metavar="BYTES",
        help="passage vectors in memory at a time, such as 500MB or 4GiB; the run does not "
        "depend on it. With GPUs, it is for each GPU, and the vectors of all of them are in "
        "memory, too (default: %(default)s)",
    )
    parser.add_argument(
        "--index",
        type=folder_or_factory,
        metavar="DIR",
        help="search approximately, with an index that `rocketqa index` made of the vectors; or "
        "with one that is made for this call, from a factory string of faiss such as HNSW32 or "
        "IVF4096,PQ64. The overlap with exact search is printed (default: exact search)",
    )
    parser.add_argument(
        "--index-parameters",
        type=str,
        default="",
        metavar="NAME=VALUE,...",
        help="settings of the index for searching, such as nprobe=32 or efSearch=128 (default: "
        "those that the index was made with, or those of faiss or Milvus)",
    )
    add_uri_flags(parser)
    add_format_flag(parser)
    return parser


def folder_or_factory(value: str) -> Path | str:
    """Returns the folder of an index, or else the factory string of one."""
    text = to_text(value)
    is_folder = "/" in text or (Path(text) / MANIFEST).is_file()
    return Path(text) if is_folder else text


def _milvus_parameters(text: str) -> Parameters:
    """Returns the value of --index-parameters for Milvus."""
    try:
        return read_parameters(text)
    except DataError as error:
        raise DataError(f"--index-parameters: {error}") from None


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    check_encodings(args.query_vectors, args.passage_vectors)
    refuse_odd_uri(args)
    record = None
    opened = None
    more_flags: dict[str, object] = {}
    if args.uri is not None:
        from rocketqa.search.milvus_search import open_collection

        parameters = _milvus_parameters(args.index_parameters)
        opened = open_collection(args.uri, args.milvus_collection, args.passage_vectors)
        more_flags["milvus"] = opened.record.made_with._asdict()
    if isinstance(args.index, Path):
        record = read_record(args.index, args.passage_vectors)
    job = job_of(
        "retrieve",
        args,
        inputs=("query_vectors", "passage_vectors", "index"),
        not_identity=("max_memory", "uri", "milvus_collection"),
        **more_flags,
    )

    def make(part: Path) -> None:
        from rocketqa.search.batch_retrieval import retrieve_run
        from rocketqa.search.collapse import warn_of_collapse
        from rocketqa.search.run_search import RunSettings, search_in_milvus, search_of_run
        from rocketqa.search.vectors import VectorStore, check_same_size

        queries = VectorStore([args.query_vectors])
        passages = VectorStore(args.passage_vectors)
        check_same_size(queries, passages)
        warn_of_collapse(queries, "queries")
        warn_of_collapse(passages, "passages")
        settings = RunSettings(args.index, args.index_parameters, args.max_memory, args.depth)
        if opened is None:
            search, found = search_of_run(settings, record, queries, passages)
        else:
            search, found = search_in_milvus(opened, parameters, settings, queries, passages)
        if found is not None:
            place = args.index if opened is None else opened.collection
            print(
                f"{place}: finds {found.overlap:.4f} of the exact best {found.depth}",
                file=sys.stderr,
            )
            job.facts["overlap"] = found.overlap
        job.facts["rows"] = retrieve_run(
            queries, search, args.depth, args.format, part, args.output.name
        )

    return job.run(make, args.check)
