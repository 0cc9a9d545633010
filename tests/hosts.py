"""Two hosts on this machine: network namespaces with a cable, a veth pair, between them."""

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CLONE_NEWNET = 0x40000000
ADDRESSES = ("10.77.0.1", "10.77.0.2")


def ip(*words: str) -> None:
    """Runs the command `ip`; skips the test, aloud, where the machine does not allow it."""
    if not shutil.which("ip"):
        pytest.skip("network namespaces need the command ip (iproute2)")
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"this machine allows no network namespaces: {done.stderr.strip()}")


class Hosts:
    """Host 0 and host 1."""

    def __init__(self) -> None:
        self._names = [f"rocketqa-{os.getpid()}-{host}" for host in (0, 1)]
        self._cables = [f"rq{os.getpid()}x{host}" for host in (0, 1)]

    def make(self) -> None:
        """Makes both, and the cable."""
        for name in self._names:
            ip("netns", "add", name)
        peer = ["peer", "name", self._cables[1], "netns", self._names[1]]
        ip("link", "add", self._cables[0], "netns", self._names[0], "type", "veth", *peer)
        for name, cable, address in zip(self._names, self._cables, ADDRESSES):
            ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            ip("-n", name, "link", "set", cable, "up")
            ip("-n", name, "link", "set", "lo", "up")

    def remove(self) -> None:
        """Removes both."""
        for name in self._names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)

    def cut(self, host: int) -> None:
        """Cuts a host off."""
        ip("-n", self._names[host], "link", "set", self._cables[host], "down")

    def on(self, host: int, *command: object) -> list[str]:
        """Returns the command line that runs a command on a host."""
        return ["ip", "netns", "exec", self._names[host], *map(str, command)]

    def enter(self, host: int) -> None:
        """Moves this process to a host."""
        with Path("/run/netns", self._names[host]).open() as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Gives two hosts, and removes them at the end."""
    hosts = Hosts()
    try:
        hosts.make()
        yield hosts
    finally:
        hosts.remove()
