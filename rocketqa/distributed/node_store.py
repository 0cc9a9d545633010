"""What the nodes of a flight say to each other, in a store (`store.py`) that node 0 keeps open for
as long as its script runs.

Node 0 alone runs the script. It publishes each of its launches; the other nodes run their share of
it and say how it ended.
"""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from rocketqa.distributed import store
from rocketqa.distributed.addresses import Endpoint, free_port
from rocketqa.files.errors import DataError

VARIABLE = "ROCKETQA_NODES"  # for the commands of node 0's script: how many nodes, and the store
PAUSE = 0.1  # seconds between two looks at the store
LAUNCHED = ("train-dual-encoder", "train-cross-encoder", "encode", "score")  # verbs
OTHER_END = "expected node 0 to go on, got its end without a word: call again on all nodes"


class Share(NamedTuple):
    """A launch, as a node takes part in it.

    addresses: of all nodes, by their numbers. port: of Paddle's store on node 0. processes: on each
    node. words: the verb and its flags.
    """

    number: int
    addresses: Sequence[str]
    port: int
    processes: int
    words: Sequence[str]


class End(NamedTuple):
    """How a launch has ended on a node.

    status: the exit status, None where the processes are to be started again. said: the lines for
    the user.
    """

    status: int | None
    said: Sequence[str]


class NodeStore:
    """The store of the nodes, as the node with this number uses it. Raises DataError where node 0
    has gone.
    """

    def __init__(self, connection: store.Store, node: int, nodes: int):
        self.node = node
        self.nodes = nodes
        self._connection = connection

    def _count(self, key: str, number: int = 0) -> int:
        with self._of_node_0():
            return self._connection.add(key, number)

    def _say(self, key: str, value: object) -> None:
        """Says something that `_heard` can then ask for."""
        with self._of_node_0():
            self._connection.set(f"{key}/value", json.dumps(value))
        self._count(key, 1)

    def _heard(self, key: str) -> Any:
        """Returns what was said last; None where nothing was."""
        if self._count(key) == 0:
            return None
        with self._of_node_0():
            return json.loads(self._connection.get(f"{key}/value"))

    @contextmanager
    def _of_node_0(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  Paddle's C++ code has any kind for a lost store.
            raise DataError(f"node {self.node}: {OTHER_END}") from error

    def _wait_for(self, key: str) -> Any:
        while (value := self._heard(key)) is None:
            time.sleep(PAUSE)
        return value

    def open(self, marks: Mapping[str, str]) -> None:
        """Lets the other nodes come; marks: see `shared_folders.py`."""
        self._say("marks", marks)

    def marks(self) -> Mapping[str, str]:
        """Waits until node 0 has written its marks, and returns them."""
        marks: Mapping[str, str] = self._wait_for("marks")
        return marks

    def arrive(self, address: str, missing: Sequence[str]) -> None:
        """Says where this node is, and which folders it does not share with node 0."""
        arrival = {"address": address, "missing": missing, "machine": os.uname().nodename}
        self._say(f"arrived/{self.node}", arrival)

    def arrivals(self) -> list[Mapping[str, Any] | None]:
        """Returns what each node has said at its arrival, None where it has not come yet."""
        return [self._heard(f"arrived/{node}") for node in range(self.nodes)]

    def begin(self) -> None:
        """Says that all nodes have come."""
        self._say("begun", True)

    def has_begun(self) -> bool:
        """Returns whether node 0 has seen all nodes."""
        return self._heard("begun") is not None

    def publish(self, processes: int, words: Sequence[str]) -> Share:
        """Says what all nodes are to launch next, and returns this node's share of it.

        Raises DataError where so many processes cannot be shared out evenly.
        """
        if processes % self.nodes:
            raise DataError(
                f"NODES={self.nodes}: expected a number of devices that {self.nodes} nodes share "
                f"evenly, got {processes}"
            )
        addresses = [arrival["address"] for arrival in self.arrivals() if arrival]
        number = self._count("launches") + 1
        port = free_port(addresses[0])
        share = Share(number, addresses, port, processes // self.nodes, words)
        self._say(f"launch/{number}", share)
        self._count("launches", 1)
        return share

    def next_launch(self, after: int) -> Share | None:
        """Returns the launch that follows one, None where there is none yet."""
        if self._count("launches") <= after:
            return None
        share = Share(*self._heard(f"launch/{after + 1}"))
        if share.words[0] not in LAUNCHED:
            raise DataError(
                f"node {self.node}: expected a verb of {', '.join(LAUNCHED)} from node 0, "
                f"got {share.words[0]!r}"
            )
        return share

    def say_end(self, share: Share, end: End) -> None:
        """Says how a launch has ended on this node."""
        self._say(f"ended/{share.number}/{self.node}", end)

    def ends_elsewhere(self, share: Share) -> list[End]:
        """Waits until a launch has ended on the other nodes, and returns how."""
        keys = [f"ended/{share.number}/{node}" for node in range(1, self.nodes)]
        return [End(*self._wait_for(key)) for key in keys]

    def leave(self, why: str) -> None:
        """Says that this node ends while others may work."""
        self._say("left", f"node {self.node} ({os.uname().nodename}) {why}")

    def left(self) -> str | None:
        """Returns which node has ended, and why; None where none has."""
        said: str | None = self._heard("left")
        return said

    def finish(self, status: int) -> None:
        """Says with which exit status the script of node 0 has ended."""
        self._say("finished", status)

    def finished(self) -> int | None:
        """Returns the exit status of node 0's script; None while it runs."""
        status: int | None = self._heard("finished")
        return status


def of_script() -> NodeStore | None:
    """Returns the store of the nodes in a command of node 0's script; None where there is one
    node.
    """
    if VARIABLE not in os.environ:
        return None
    nodes, address, port = os.environ[VARIABLE].split()
    return NodeStore(store.connect(address, int(port)), 0, int(nodes))


def variable(nodes: int, master: Endpoint) -> Mapping[str, str]:
    """Returns the variable that `of_script` reads."""
    return {VARIABLE: f"{nodes} {master.address} {master.port}"}


def connector(master: Endpoint) -> Callable[[], store.Store]:
    """Returns what opens connections to the store of the nodes."""
    return lambda: store.connect(master.address, master.port)
