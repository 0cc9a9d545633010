"""A file of 1,024 bytes to download from a misbehaving server, and what tests ask about it."""

import hashlib
from pathlib import Path

from misbehaving_server import MisbehavingServer

from rocketqa.jobs.download import Patience, Source, fetch

BODY = bytes(range(256)) * 4
MD5 = hashlib.md5(BODY).hexdigest()
SHA256 = hashlib.sha256(BODY).hexdigest()
IMPATIENT = Patience(timeout=0.3, tries=3, pause=0.01)


def fetched(server: MisbehavingServer, folder: Path, **known) -> bytes:
    """Returns the content of the server's file after a download; `known`: its size or digests."""
    return fetch(Source(server.url, **known), folder / "file.tsv", IMPATIENT).read_bytes()


def names(folder: Path) -> set[str]:
    """Returns the names in a folder."""
    return {path.name for path in folder.iterdir()}
