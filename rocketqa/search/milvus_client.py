"""The way to Milvus: a file of milvus-lite, or a server. No password is printed or stored.

pymilvus is imported here alone, and only when a collection is opened.
"""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rocketqa.files.errors import DataError
from rocketqa.files.packages import import_package

LOCAL = ".db"  # the end of a name that milvus-lite opens
TOKEN = "MILVUS_TOKEN"  # the variable with user:password or an API key
PATIENCE = 10.0  # seconds for the answer of a server that is asked for the first time
LONGEST_CALL = 600.0  # seconds for any other answer, such as that an index is made
FORMS = "a name that ends in .db, or http://HOST:PORT or https://HOST:PORT"


def checked_uri(uri: str) -> str:
    """Returns the address of a Milvus. Raises ValueError, without the value, where it is none."""
    if "://" not in uri:
        if not uri.endswith(LOCAL) or Path(uri).name == LOCAL:
            raise ValueError(f"expected {FORMS}, got another text")
        return uri
    parts = urlsplit(uri)
    if "@" in uri or parts.query or parts.fragment:
        raise ValueError(
            f"expected no password, which belongs into the variable {TOKEN} (user:password or a "
            "key), got one"
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"expected {FORMS}, got another address")
    return uri


def connect(uri: str, must_exist: bool = False) -> Any:
    """Returns a client of pymilvus.

    must_exist: a file that is not there is refused instead of made. Raises DataError where a
    package is missing, where nobody answers, and where another process has the file.
    """
    is_local = "://" not in uri
    needs = [("pymilvus", "pymilvus"), ("milvus_lite", "milvus-lite")]
    for package, name in needs if is_local else needs[:1]:
        import_package(package, "--uri", f"the package {name}")
        logging.getLogger(package).setLevel(logging.CRITICAL + 1)  # errors are lines of ours
    if is_local:
        _refuse_no_place(Path(uri), must_exist)
    from pymilvus import MilvusClient  # type: ignore

    token = os.environ.get(TOKEN, "")
    with milvus_errors_as_one_line(uri):
        return MilvusClient(uri, token=token, timeout=PATIENCE)


def _refuse_no_place(path: Path, must_exist: bool) -> None:
    if must_exist and not path.exists():
        raise DataError(
            f"{path}: expected a file of milvus-lite, got nothing there: make it with "
            "`rocketqa load`"
        )
    if path.is_file():
        raise DataError(
            f"{path}: expected a folder of milvus-lite 3, got a file (those of milvus-lite 2 have "
            "another format: take another name)"
        )
    path.absolute().parent.mkdir(parents=True, exist_ok=True)


@contextmanager
def milvus_errors_as_one_line(place: str) -> Iterator[None]:
    """Turns an exception of pymilvus, or of its connection, into a DataError at a place."""
    from grpc import RpcError  # type: ignore[import-untyped,unused-ignore]
    from pymilvus.exceptions import MilvusException  # type: ignore

    try:
        yield
    except (MilvusException, RpcError) as error:
        raise DataError(f"{place}: {_expected(place)}, got {_reason(error)}") from error


def _expected(place: str) -> str:
    if "://" in place:
        return "expected a Milvus that answers (its address, its state, the variable MILVUS_TOKEN)"
    return "expected a file of milvus-lite that no other process has open"


def _reason(error: Exception) -> str:
    """Returns what an error says, in one line without the token."""
    message = str(getattr(error, "message", None) or error)
    token = os.environ.get(TOKEN)
    if token:
        for secret in (token, token.partition(":")[2]):
            message = message.replace(secret, "***") if secret else message
    words = " ".join(message.split())
    return words[:300]
