"""Where the published files are, what is known of them, and how a builder comes by them.

Sizes and md5s of Microsoft's and DPR's files are those that the ir_datasets package checks too; of the released
RocketQA corpus none are published: theirs are recorded at the first download.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from sources import NotFinished

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, digests, fetch
from rocketqa.jobs.job import MANIFEST
from rocketqa.jobs.unpack import unpack

MICROSOFT = "https://msmarco.z22.web.core.windows.net/msmarcoranking"
RELEASED = "https://rocketqa.bj.bcebos.com/corpus"
DPR = "https://dl.fbaipublicfiles.com/dpr"

MARCO = Source(
    f"{MICROSOFT}/collectionandqueries.tar.gz",
    1_057_717_952,
    "31644046b18952c1386cd4564ba2ae69",
    headers=(("X-Ms-Version", "2019-12-12"),),
)  # without it that server knows no If-Range
RELEASED_MARCO = Source(f"{RELEASED}/marco.tar.gz")
RELEASED_NQ = Source(f"{RELEASED}/nq.tar.gz")
RELEASED_AUGMENT = Source(f"{RELEASED}/augment.tar.gz")
DPR_PASSAGES = Source(
    f"{DPR}/wikipedia_split/psgs_w100.tsv.gz", 4_694_541_059, "612fe66e0b6b41ee28f806140226c563"
)
DPR_TRAIN = Source(
    f"{DPR}/data/retriever/biencoder-nq-train.json.gz",
    2_314_892_908,
    "a1c927b5adae71388eb064329387709f",
)
DPR_DEV = Source(
    f"{DPR}/data/retriever/biencoder-nq-dev.json.gz",
    256_239_282,
    "2640483dbe0df7ae29c6da419c551a80",
)
DPR_TEST = Source(f"{DPR}/data/retriever/nq-test.qa.csv")


def add_source_flags(parser: ArgumentParser, output: str) -> None:
    """Adds what every builder takes."""
    parser.add_argument("--output", type=Path, required=True, help=output)
    parser.add_argument(
        "--from",
        dest="from_folder",
        type=Path,
        metavar="DIR",
        help="take the sources from this folder, as files or archives; nothing is downloaded",
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        metavar="DIR",
        help="keep downloads here (default: OUTPUT/downloads)",
    )
    parser.add_argument(
        "--counts",
        choices=("published", "any"),
        help="refuse or only tell other row counts than the published (default: published for "
        "downloads, any with --from, so that a sample can be built)",
    )
    parser.add_argument(
        "--check", action="store_true", help="make nothing: exit 0 where all is up to date, else 3"
    )


def settle_source_flags(args: Namespace) -> Namespace:
    """Returns the flags with the defaults that depend on others."""
    args.downloads = args.downloads or args.output / "downloads"
    args.counts = args.counts or ("any" if args.from_folder else "published")
    return args


def file_of(source: Source, args: Namespace) -> Path:
    """Returns the path of a published file: under --from, packed or not, or downloaded."""
    if args.from_folder:
        for name in (source.name.removesuffix(".gz"), source.name):
            if (args.from_folder / name).is_file():
                return _as_published(source, args.from_folder / name, args)
        raise DataError(f"{args.from_folder}: expected {source.name}, got a folder without it")
    path = args.downloads / source.name
    if args.check and not path.is_file():
        raise NotFinished
    return fetch(source, path)


def folder_of(source: Source, args: Namespace, wanted: str) -> Path:
    """Returns the folder of a published archive that has the file `wanted` in it.

    Under --from the files may lie as they are, in the archive's own folder, or in the archive.
    """
    stem = source.name.removesuffix(".tar.gz")
    if args.from_folder:
        for folder in (
            args.from_folder / stem,
            args.from_folder / "corpus" / stem,
            args.from_folder,
        ):
            if (folder / wanted).is_file():
                return folder
        archive = args.from_folder / source.name
        if not archive.is_file():
            raise DataError(
                f"{args.from_folder}: expected {wanted} or {source.name}, got a folder without them"
            )
        _as_published(source, archive, args)
    unpacked = args.downloads / stem
    if args.check and not unpacked.is_dir():
        raise NotFinished
    if args.from_folder:
        unpack(archive, unpacked)
    elif (args.downloads / source.name).is_file() or not (
        unpacked / MANIFEST
    ).is_file():  # else unpacked is enough
        unpack(fetch(source, args.downloads / source.name), unpacked)
    found = sorted(unpacked.rglob(wanted), key=lambda path: len(path.parts))
    if not found:
        raise DataError(f"{source.name}: expected {wanted} in it, got an archive without it")
    return found[0].parent


def _as_published(source: Source, path: Path, args: Namespace) -> Path:
    """Returns the path of a packed file that the user has brought, refused where it is not what is published."""
    if args.counts == "published" and source.md5 and path.name == source.name:
        found = digests(path)["md5"]
        if found != source.md5:
            raise DataError(f"{path}: expected md5 {source.md5}, got {found}")
    return path
