"""Paddle's store: the keys and values that the processes of a launch share over the network.

Paddle opens one store for each launch, a `TCPStore` in the process of device 0, at the address in
`PADDLE_MASTER`; the launcher has agreed on it with all nodes. Connections of our own lead to the
same store, so no other port is needed. Paddle lets its store listen on all interfaces, and leaves
small messages waiting for each other for 40 ms; both are mended here, on the sockets.
"""

import ctypes
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from rocketqa.distributed.launch_variables import ENDPOINTS
from rocketqa.distributed.paddle_import import expect_import
from rocketqa.files.errors import DataError

MASTER = "PADDLE_MASTER"
NO_COUNT = 0  # of processes: a connection that waits for no other
SO_ATTACH_FILTER = 26  # of Linux; the module socket does not have it
NETWORK_HEADER = 0xFFF00000  # in a filter of packets: where the header of IP begins
DESTINATION = 16  # place of the address in it
LOAD, IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # instructions of a filter
ALL_OF_IT = 0xFFFFFFFF  # bytes of a packet that are let in


class Store(Protocol):
    """What is used of Paddle's `TCPStore`."""

    def add(self, key: str, number: int) -> int:
        """Adds to a number, 0 at first, and returns the sum."""

    def set(self, key: str, value: str) -> None:
        """Sets the value of a key."""

    def get(self, key: str) -> bytes:
        """Returns the value of a key; waits for ever where it has none."""


def address_of_launch() -> tuple[str, int]:
    """Returns where the store of this launch is: host and port."""
    first = os.environ.get(ENDPOINTS, "").partition(",")[0]
    host, _, port = os.environ.get(MASTER, first).rpartition(":")
    return host, int(port)


def serve(host: str, port: int) -> Store:
    """Opens a store in this process and returns a connection to it.

    Raises DataError where the port is taken.
    """
    refuse_taken_port(port, f"{host}:{port}")
    store = _open(host, port, True)
    listen_to(host, port)
    send_at_once(port)
    return store


def connect(host: str, port: int) -> Store:
    """Returns a connection to a store."""
    store = _open(host, port, False)
    send_at_once(port)
    return store


def _open(host: str, port: int, is_here: bool) -> Store:
    """Returns a connection to a store, and makes it where it is to be in this process."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    expect_import()
    from paddle.base.core import TCPStore

    store: Store = TCPStore(host, port, is_here, NO_COUNT)
    return store


def refuse_taken_port(port: int, place: str) -> None:
    """Raises DataError where another program listens at a port; Paddle would abort there."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("", port))
        except OSError:
            raise DataError(f"{place}: expected a free port, got one in use") from None


def send_at_once(port: int) -> None:
    """Lets the connections of this process to a port send small messages at once."""
    for found in _sockets():
        if not _listens(found) and _is_connected_to(found, port):
            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def listen_to(host: str, port: int) -> None:
    """Lets the store of this process hear only what is sent to the address of a host.

    An address that no interface of this machine has is one that a router translates: then all is
    heard.
    """
    address = socket.gethostbyname(host)
    if not is_of_this_machine(address):
        return
    for found in _sockets():
        if _listens(found) and found.getsockname()[1] == port:
            _let_in(found, address)


def is_of_this_machine(address: str) -> bool:
    """Returns whether an interface of this machine has an address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((address, 0))
        except OSError:
            return False
    return True


def _let_in(listener: socket.socket, address: str) -> None:
    """Lets in the packets to one address: a filter in the language of the Linux kernel."""
    (number,) = struct.unpack("!I", socket.inet_aton(address))
    program = b"".join(
        struct.pack("HBBI", *instruction)
        for instruction in (
            (LOAD, 0, 0, NETWORK_HEADER + DESTINATION),
            (IF_EQUAL, 0, 1, number),  # else one instruction further
            (RETURN, 0, 0, ALL_OF_IT),
            (RETURN, 0, 0, 0),
        )
    )
    buffer = ctypes.create_string_buffer(program)
    description = struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))
    listener.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, description)


def _sockets() -> Iterator[socket.socket]:
    """Yields the TCP sockets of this process, those that Paddle has made among them."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if not os.readlink(Path("/proc/self/fd", name)).startswith("socket:"):
                continue
            found = socket.socket(fileno=os.dup(int(name)))
        except OSError:  # closed meanwhile
            continue
        with found:
            if (found.family, found.type) == (socket.AF_INET, socket.SOCK_STREAM):
                yield found


def _listens(found: socket.socket) -> bool:
    return found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 1


def _is_connected_to(found: socket.socket, port: int) -> bool:
    try:
        return found.getpeername()[1] == port
    except OSError:
        return False
