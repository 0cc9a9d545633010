"""Addresses of the nodes of a flight: which one is this node's own, and its interface."""

import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from typing import NamedTuple

from rocketqa.files.errors import DataError
from rocketqa.files.ranges import WHOLE_FROM_1

SIOCGIFADDR = 0x8915  # of Linux: asks for the address of an interface
LOOPBACK = "127."
# Variables that name the interface which gloo and NCCL listen on.
INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


class Endpoint(NamedTuple):
    """Where a program listens. name: as the user wrote it."""

    address: str
    port: int
    name: str


def endpoint(name: str) -> Endpoint:
    """Returns the endpoint of a text HOST:PORT. Raises DataError where it is none."""
    host, colon, port = name.rpartition(":")
    try:
        number = int(WHOLE_FROM_1.read(port))
        if not colon or not host or number > 65535:
            raise ValueError
        return Endpoint(socket.gethostbyname(host), number, name)
    except ValueError:
        raise DataError(f"MASTER: expected HOST:PORT of node 0, got {name or 'none'}") from None
    except OSError as error:
        raise DataError(
            f"MASTER={name}: expected the name or address of node 0, got: {error.strerror}"
        ) from None


def own_address(master: Endpoint, node: int) -> str:
    """Returns the address from which this node reaches node 0.

    Nodes on one machine get one each: Paddle's launcher tells nodes apart by their addresses.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as trial:
        try:
            trial.connect((master.address, master.port))  # sends nothing, but chooses the route
        except OSError as error:
            raise DataError(
                f"MASTER={master.name}: expected a way to node 0, got: {error.strerror}"
            ) from None
        address = str(trial.getsockname()[0])
    return f"{LOOPBACK}0.0.{node + 2}" if address.startswith(LOOPBACK) else address


def free_port(address: str) -> int:
    """Returns a port that nobody listens at."""
    with socket.socket() as trial:
        trial.bind((address, 0))
        return int(trial.getsockname()[1])


def with_interface(address: str) -> Mapping[str, str]:
    """Returns the variables that let collective operations listen on the interface of an address.

    What the user has set stays.
    """
    interface = _interface_of(address)
    if interface is None:
        return {}
    return {name: interface for name in INTERFACES if name not in os.environ}


def _interface_of(address: str) -> str | None:
    """Returns the interface that has an address; None where it is a second address of one."""
    wanted = socket.inet_aton("127.0.0.1" if address.startswith(LOOPBACK) else address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        for _, name in socket.if_nameindex():
            request = struct.pack("256s", name.encode())
            try:
                answer = fcntl.ioctl(asking, SIOCGIFADDR, request)
            except OSError:  # it has no address
                continue
            if answer[20:24] == wanted:
                return name
    return None
