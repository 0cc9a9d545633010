"""Carries a run script out on several nodes: node 0 runs it, and the others share its launches.

    python -m rocketqa.distributed.nodes NODES NODE MASTER SCRIPT PLACE FOLDER ...

`run_scripts/lib.sh` calls it on every node. SCRIPT is the process of the script that calls, whose
words node 0 runs again in the folder PLACE; the FOLDERs must be the same on all nodes. A node that
dies, freezes or is cut off ends all others.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rocketqa.distributed import store
from rocketqa.distributed.addresses import Endpoint, endpoint, own_address
from rocketqa.distributed.launch import launch_share
from rocketqa.distributed.node_store import PAUSE, NodeStore, connector, variable
from rocketqa.distributed.shared_folders import line_for, marked, not_shared
from rocketqa.distributed.watchdog import SILENCE, Watchdog
from rocketqa.files.errors import DataError
from rocketqa.files.machine_errors import tell_user
from rocketqa.files.ranges import WHOLE_FROM_0, WHOLE_FROM_1
from rocketqa.jobs.parents import SCRIPTS, end_with_those_above
from rocketqa.jobs.stopping import (
    Stopped,
    handle_signals,
    only_note_signals,
    run_until_stopped,
)

NODE = "node"
STOPPED = 143  # the exit status of a script that SIGTERM has ended
PATIENCE = 5.0  # seconds of waiting for nodes after which a line says so
BEATS = 10  # heartbeats in the time after which a silent node counts as dead
TRIAL = 2.0  # seconds for a connection to node 0


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status of node 0's script."""
    nodes_text, node_text, master_name, script, place, *folders = argv or sys.argv[1:]
    words = Path(f"/proc/{script}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]
    name = next(filter(None, (Path(word).name for word in words[1:])), "nodes")
    try:
        nodes, node = numbers(nodes_text, node_text)
        master = endpoint(master_name)
        if node == 0:
            return lead(nodes, master, name, words, place, folders)
        return run_until_stopped(f"{name}: node {node}", lambda: follow(nodes, node, master, name))
    except Exception as error:  # noqa: BLE001  All that a user can mend is told in one line.
        return tell_user(name, error)


def numbers(nodes: str, node: str) -> tuple[int, int]:
    """Returns NODES and NODE as numbers. Raises DataError where they are not."""
    try:
        count = int(WHOLE_FROM_1.read(nodes))
    except ValueError as error:
        raise DataError(f"NODES: {error}") from None
    try:
        number = int(WHOLE_FROM_0.read(node))
    except ValueError:
        number = count
    if number >= count:
        raise DataError(
            f"NODE: expected the number of this node, 0 to {count - 1}, got {node or 'none'}"
        )
    return count, number


def lead(
    nodes: int,
    master: Endpoint,
    name: str,
    words: Sequence[str],
    place: str,
    folders: Sequence[str],
    silence: float = SILENCE,
) -> int:
    """Waits for the other nodes, runs the script, and returns its exit status.

    words, place: the script's, and the folder that it runs in. silence: see `watchdog.py`.
    """
    handle_signals()
    end_with_those_above()
    if not store.is_of_this_machine(master.address):
        raise DataError(
            f"MASTER={master.name}: expected an address of this machine, which is node 0, got one "
            "of another"
        )
    said = NodeStore(store.serve(master.address, master.port), 0, nodes)
    watchdog = watchdog_of(said, master, name, silence)
    process = None
    status = 2
    try:
        gather(said, master, name, folders)
        watchdog.start()
        said.begin()
        scripts = {SCRIPTS: str(os.getpid())}
        environment = os.environ | variable(nodes, master) | scripts
        process = subprocess.Popen(words, cwd=place, env=environment)
        status = wait(process, said)
        said.finish(status)
        watchdog.stop()
    except Stopped:
        only_note_signals()
        status = end(process) if process else STOPPED
        said.finish(status)
        watchdog.stop()
    except Exception:
        said.finish(2)
        watchdog.leave()
        if process:
            end(process)
        time.sleep(5 * PAUSE)  # for the others to hear it
        raise
    return status


def watchdog_of(said: NodeStore, master: Endpoint, name: str, silence: float) -> Watchdog:
    """Returns what watches the other nodes."""
    beat = silence / BEATS
    return Watchdog(connector(master), NODE, name, said.node, said.nodes, beat, silence, kind=NODE)


def gather(said: NodeStore, master: Endpoint, name: str, folders: Sequence[str]) -> None:
    """Waits until all nodes have come. Raises DataError where they share too few folders."""
    with marked(folders) as marks:
        said.arrive(own_address(master, 0), [])
        said.open(marks)
        began = time.monotonic()
        is_told = False
        while None in (arrivals := said.arrivals()):
            time.sleep(PAUSE)
            if not is_told and time.monotonic() - began > PATIENCE:
                is_told = True
                missing = [str(node) for node, came in enumerate(arrivals) if came is None]
                print(f"{name}: waiting for node {', '.join(missing)}", file=sys.stderr)
    for node, arrival in enumerate(arrivals):
        if arrival and arrival["missing"]:
            raise DataError(line_for(node, arrival["machine"], arrival["missing"]))


def wait(process: "subprocess.Popen[bytes]", said: NodeStore) -> int:
    """Waits for the script and returns its exit status. Raises DataError where a node leaves."""
    while process.poll() is None:
        time.sleep(PAUSE)
        left = said.left()
        if left and process.poll() is None:
            raise DataError(f"expected every node to go on, got the end of one: {left}")
    return process.returncode


def end(process: "subprocess.Popen[bytes]") -> int:
    """Stops the script, waits until it has ended, and returns its exit status."""
    process.terminate()
    return process.wait()


def follow(nodes: int, node: int, master: Endpoint, name: str, silence: float = SILENCE) -> int:
    """Takes part in the launches of node 0 until its script ends; returns the exit status."""
    wait_for_node_0(master, name)
    said = NodeStore(store.connect(master.address, master.port), node, nodes)
    missing = not_shared(said.marks())
    said.arrive(own_address(master, node), missing)
    if missing:
        raise DataError(line_for(node, os.uname().nodename, missing))
    watchdog = watchdog_of(said, master, name, silence)
    try:
        wait_for_begin(said)
        watchdog.start()
        status = take_part(said, name)
    except BaseException as error:
        why = "was stopped" if isinstance(error, Stopped) else f"failed: {error}"
        said.leave(why)
        watchdog.leave()
        raise
    watchdog.stop()
    if status:
        print(f"{name}: node 0 ended with exit status {status}", file=sys.stderr)
    return status


def take_part(said: NodeStore, name: str) -> int:
    """Runs this node's share of each launch; returns the exit status of node 0's script."""
    program = shutil.which("rocketqa", path=str(Path(sys.executable).parent)) or "rocketqa"
    number = 0
    while (status := said.finished()) is None:
        share = said.next_launch(number)
        if share is None:
            time.sleep(PAUSE)
            continue
        number = share.number
        command = [program, *share.words]
        ended = launch_share(share, said.node, command, name, lambda: said.finished() is not None)
        said.say_end(share, ended)
    return status


def wait_for_begin(said: NodeStore) -> None:
    """Waits until node 0 has seen all nodes. Raises DataError where it ends before."""
    while not said.has_begun():
        if said.finished() is not None:
            raise DataError(
                f"node {said.node}: expected node 0 to begin, got its end: its own lines say why"
            )
        time.sleep(PAUSE)


def wait_for_node_0(master: Endpoint, name: str) -> None:
    """Waits until node 0 listens; Paddle's own waiting cannot be interrupted."""
    began = time.monotonic()
    is_told = False
    while True:
        try:
            socket.create_connection((master.address, master.port), timeout=TRIAL).close()
            return
        except OSError:
            time.sleep(PAUSE)
        if not is_told and time.monotonic() - began > PATIENCE:
            is_told = True
            print(f"{name}: waiting for node 0 at {master.name}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
