"""Where the published files are, what is known of them, and how a builder gets them.

The sizes and md5 digests of Microsoft's and DPR's files, and the md5 digests of BEIR's archives,
are those that the ir_datasets package checks too; SQuAD's are in torchtext (md5) and in tests of
huggingface_hub (sha256). For the released RocketQA corpus no digests are published: they are
recorded at the first download.
"""

from pathlib import Path

from builds import BuildSettings, NotFinished

from rocketqa.files.errors import DataError
from rocketqa.jobs.digests import MANIFEST
from rocketqa.jobs.download import Source, digests, fetch
from rocketqa.jobs.unpack import unpack

MICROSOFT = "https://msmarco.z22.web.core.windows.net/msmarcoranking"
RELEASED = "https://rocketqa.bj.bcebos.com/corpus"
BEIR_ARCHIVES = "https://public.ukp.informatik.tu-darmstadt.de/thakur/BEIR/datasets"
DPR = "https://dl.fbaipublicfiles.com/dpr"

MARCO = Source(
    f"{MICROSOFT}/collectionandqueries.tar.gz",
    1_057_717_952,
    "31644046b18952c1386cd4564ba2ae69",
    headers=(("X-Ms-Version", "2019-12-12"),),  # without it the server ignores If-Range
)
RELEASED_MARCO = Source(f"{RELEASED}/marco.tar.gz")
RELEASED_NQ = Source(f"{RELEASED}/nq.tar.gz")
RELEASED_AUGMENT = Source(f"{RELEASED}/augment.tar.gz")
DPR_PASSAGES = Source(
    f"{DPR}/wikipedia_split/psgs_w100.tsv.gz",
    4_694_541_059,
    "612fe66e0b6b41ee28f806140226c563",
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
SQUAD = Source(
    "https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v1.1.json",
    4_854_279,
    "3e85deb501d4e538b6bc56f786231552",
    "95aa6a52d5d6a735563366753ca50492a658031da74f301ac5238b03966972c9",
)

BEIR = {  # name -> md5 of its archive, from the table in the README of beir-cellar/beir
    "msmarco": "444067daf65d982533ea17ebd59501e4",
    "trec-covid": "ce62140cb23feb9becf6270d0d1fe6d1",
    "nfcorpus": "a89dba18a62ef92f7d323ec890a0d38d",
    "nq": "d4d3d2e48787a744b6f6e691ff534307",
    "hotpotqa": "f412724f78b0d91183a0e86805e16114",
    "fiqa": "17918ed23cd04fb15047f73e6c3bd9d9",
    "arguana": "8ad3e3c2a5867cdced806d6503f29b99",
    "webis-touche2020": "46f650ba5a527fc69e0a6521c5a23563",  # version 2; ir_datasets has both
    "cqadupstack": "4e41456d7df8ee7760a7f866133bda78",
    "quora": "18fb154900ba42a600f84b839c173167",
    "dbpedia-entity": "c2a39eb420a3164af735795df012ac2c",
    "scidocs": "38121350fc3a4d2f48850f6aff52e4a9",
    "fever": "5a818580227bfb4b35bb6fa46d9b6c03",
    "climate-fever": "8b66f0a9126c521bae2bde127b4dc99d",
    "scifact": "5f7d1de60b170fc8027bb7898e2efca1",
}

NQ_PASSAGES = 21_015_324
NQ_QUERIES = {"train": 58_812, "dev": 6_515, "test": 3_610}  # table 1
NQ_TRAIN_EXAMPLES = 58_880  # in DPR's file; NQ_QUERIES counts those with hard negatives


def file_of(source: Source, settings: BuildSettings) -> Path:
    """Returns the path of a published file: under --from, gzipped or not, else downloaded.

    Raises DataError if it is not under --from, and NotFinished under --check if it would have to
    be downloaded.
    """
    if settings.from_folder:
        for name in (source.name.removesuffix(".gz"), source.name):
            path = settings.from_folder / name
            if path.is_file():
                _refuse_other_md5(source, path, settings)
                return path
        raise DataError(f"{settings.from_folder}: expected {source.name}, got a folder without it")
    path = settings.downloads / source.name
    if settings.check and not path.is_file():
        raise NotFinished
    return fetch(source, path)


def folder_of(source: Source, settings: BuildSettings, wanted: str) -> Path:
    """Returns the folder of a published archive that holds the file `wanted`.

    Under --from the files may lie in the folder itself, in a folder with the archive's name, or in
    the archive. Raises DataError if `wanted` is not found, and NotFinished under --check if the
    archive would have to be unpacked.
    """
    stem = source.name.removesuffix(".tar.gz")
    if settings.from_folder:
        given = settings.from_folder
        for folder in (given / stem, given / "corpus" / stem, given):
            if (folder / wanted).is_file():
                return folder
        unpacked = _unpack_given(source, settings, wanted)
    else:
        unpacked = unpacked_download(source, settings)
    found = sorted(unpacked.rglob(wanted), key=lambda path: len(path.parts))
    if not found:
        raise DataError(f"{source.name}: expected {wanted} in it, got an archive without it")
    return found[0].parent


def _unpacked(source: Source, settings: BuildSettings) -> Path:
    """Returns the folder that an archive is unpacked into; NotFinished if --check misses it."""
    folder = settings.downloads / source.name.removesuffix(".tar.gz").removesuffix(".zip")
    if settings.check and not folder.is_dir():
        raise NotFinished
    return folder


def _unpack_given(source: Source, settings: BuildSettings, wanted: str) -> Path:
    """Unpacks the archive that lies in the folder of --from and returns the unpacked folder."""
    given = settings.from_folder
    assert given is not None
    archive = given / source.name
    if not archive.is_file():
        raise DataError(f"{given}: expected {wanted} or {source.name}, got a folder without them")
    _refuse_other_md5(source, archive, settings)
    return unpack(archive, _unpacked(source, settings))


def unpacked_download(source: Source, settings: BuildSettings) -> Path:
    """Downloads an archive, unpacks it and returns the folder.

    An unpacked folder whose archive was removed is enough: nothing is downloaded again.
    """
    folder = _unpacked(source, settings)
    archive = settings.downloads / source.name
    if archive.is_file() or not (folder / MANIFEST).is_file():
        unpack(fetch(source, archive), folder)
    return folder


def _refuse_other_md5(source: Source, path: Path, settings: BuildSettings) -> None:
    """Raises DataError if a packed file under --from is not the published one.

    With --counts any, or where no md5 is published, every file is accepted.
    """
    is_packed = path.name == source.name
    if settings.counts == "published" and source.md5 and is_packed:
        md5 = digests(path)["md5"]
        if md5 != source.md5:
            raise DataError(f"{path}: expected md5 {source.md5}, got {md5}")
