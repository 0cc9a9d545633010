"""The archives of the released models: names, addresses, and the folder they are unpacked into.

This module needs no Paddle, so `rocketqa.available_models()` answers at once.
"""

import fcntl
import os
from pathlib import Path

from rocketqa.files.errors import DataError
from rocketqa.jobs.download import Source, fetch
from rocketqa.jobs.durable import put_in_place, remove
from rocketqa.jobs.unpack import unpack

HOST = "https://rocketqa.bj.bcebos.com"
CACHE = "~/.rocketqa"  # the released package keeps its models here, too
MODELS = {  # name -> md5 of HOST/RocketQAModels/NAME.tar.gz
    "v1_marco_de": "d8210e4080935bd7fdad7a394cd60b66",
    "v1_marco_ce": "caec5aedc46f22edd7107ecd793fc7fb",
    "v1_nq_de": "cfeb70f82087b8a47bb0d6d6cfcd61c5",
    "v1_nq_ce": "15aac78d70cc25994016b8a30d80f12c",
    "pair_marco_de": "b4080ffa2999525e5ba2aa1f4e03a9e8",
    "pair_nq_de": "d770bc379ec6def7e0588ec02c80ace2",
    "v2_marco_de": "4ce64ff35d1d831f0ca989e49abde227",
    "v2_marco_ce": "915ea7ff214a4a92a3a1e1d56c3fb469",
    "v2_nq_de": "8f177aa75cadaad6656dcd981edc983b",
    "zh_dureader_de": "39811675289311c236c667ad57ebd2d2",
    "zh_dureader_ce": "11caeb179febc5f0a55fa10ae3f2d123",
    "zh_dureader_de_v2": "889e62b0091bc350622549b57a2616ec",
    "zh_dureader_ce_v2": "552675c98c546e798a33cc84325921f6",
}
CHECKPOINTS = (  # HOST/V1/checkpoint/NAME.tar.gz; their md5 is not published
    "marco_dual_encoder_v0",
    "marco_dual_encoder_v2",
    "marco_cross_encoder_large",
    "nq_dual_encoder_v2",
    "nq_cross_encoder_large",
)


def available_models() -> list[str]:
    """Returns the names of the released models that `load_model` fetches."""
    return list(MODELS)


def cache() -> Path:
    """Returns the folder of the released models: ROCKETQA_CACHE, else the released package's.

    Raises DataError where neither is there.
    """
    try:
        return Path(os.environ.get("ROCKETQA_CACHE", CACHE)).expanduser()
    except RuntimeError:
        got = "none, and a user without a home"
        raise DataError(f"ROCKETQA_CACHE: expected a folder for the models, got {got}") from None


def downloaded(name: str) -> Path:
    """Returns the folder of a released model, fetched and unpacked if it is not there yet.

    Raises DataError where the archive cannot be fetched, has another md5, or holds no such folder.
    """
    folder = cache() / name
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{name}.lock").open("w") as lock:
        # All processes of a launch come here at once: the first one fetches, the others wait.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch_into(folder)
    return folder


def _fetch_into(folder: Path) -> None:
    """Fetches the archive of a model and makes its folder, complete or not at all."""
    name = folder.name
    source = Source(f"{HOST}/RocketQAModels/{name}.tar.gz", md5=MODELS[name])
    archive = cache() / source.name
    unpacked = cache() / f"{name}.unpacked"
    unpack(fetch(source, archive), unpacked)
    if not (unpacked / name).is_dir():
        raise DataError(f"{archive}: expected a folder {name} in it, got an archive without it")
    put_in_place(unpacked / name, folder)
    remove(unpacked)
