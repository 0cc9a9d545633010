"""Runs the HTTP service on a socket, within this process's limit of open files, until a signal."""

import ipaddress
import resource
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import NamedTuple

import uvicorn
from starlette.types import ASGIApp

from rocketqa.files.errors import DataError
from rocketqa.jobs.stopping import SIGNALS
from rocketqa.search.request_limits import Connection

LARGEST_BACKLOG = 2048  # connections that may wait at the socket
CLOSING_ROUNDS = 4  # of the event loop, from accepting a connection too many to closing it
WANTED_FILES = 2 * CLOSING_ROUNDS * LARGEST_BACKLOG  # open files: one for each connection
SPARE_FILES = 64  # open files that are not connections
GRACE_SECONDS = 10  # for unfinished responses after a signal to end
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")


class Capacity(NamedTuple):
    """How many connections the service takes."""

    backlog: int  # may wait at the socket
    connections: int  # may be open; the next one is closed at once


def bind(host: str, port: int) -> socket.socket:
    """Returns a socket with an address, which does not listen yet.

    port: 0 takes any free port. Raises DataError where the address is not free, or not one of this
    machine.

    asyncio sends without delay (TCP_NODELAY) only through a socket that names its protocol. Without
    that, a second response on a connection waits 40 ms for the client's acknowledgement.
    """
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, address = addresses[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that no machine can have
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(
            f"--host {host} --port {port}: expected a free address of this machine, got: {reason}"
        ) from error
    return bound


def accepted_hosts(bound: socket.socket, host: str) -> frozenset[str] | None:
    """Returns the names that the Host header may hold: those of this machine, or None for any.

    host: the name that the socket was bound to. Any name is accepted where other machines can reach
    the socket.
    """
    address = ipaddress.ip_address(bound.getsockname()[0])
    if not address.is_loopback:
        return None
    return frozenset({*LOOPBACK_NAMES, host.lower()})


def url_of(bound: socket.socket, host: str) -> str:
    """Returns the address of the search page."""
    port = bound.getsockname()[1]
    is_ipv6 = ":" in host
    name = f"[{host}]" if is_ipv6 else host
    return f"http://{name}:{port}/"


def raise_file_limit() -> int:
    """Raises this process's limit of open files to WANTED_FILES or the hard limit; returns it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = WANTED_FILES
    if hard != resource.RLIM_INFINITY:
        files = min(WANTED_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < files:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    return files


def capacity_of(open_files: int) -> Capacity:
    """Returns the capacity of a process that may open so many files.

    Files are kept free for connections that are accepted but not yet closed as too many.
    """
    files = open_files - SPARE_FILES
    backlog = min(LARGEST_BACKLOG, files // (2 * CLOSING_ROUNDS))
    return Capacity(backlog, files - CLOSING_ROUNDS * backlog)


def serve(app: ASGIApp, bound: socket.socket, when_listening: Callable[[], None]) -> None:
    """Serves an application on a socket until SIGTERM, SIGINT or SIGHUP, unless that is ignored.

    Open requests are still answered. when_listening: called once when clients can connect.
    """
    capacity = capacity_of(raise_file_limit())
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=capacity.backlog,
            limit_concurrency=capacity.connections,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
    )

    def end(signal_number: int, frame: FrameType | None) -> None:
        # uvicorn raises the signal again at the end; thanks to this handler that is no failure.
        server.should_exit = True

    for signal_number in SIGNALS:
        if signal.getsignal(signal_number) != signal.SIG_IGN:  # `nohup` has SIGHUP ignored
            signal.signal(signal_number, end)
    bound.listen(capacity.backlog)
    when_listening()
    server.run([bound])
