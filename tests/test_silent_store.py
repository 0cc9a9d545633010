"""Where Paddle's store answers no more, the device is named that has the store, and no other."""

import time
from pathlib import Path

import paddle  # noqa: F401  The processes below are forked with it.
import pytest
from forked import Forked, free_port
from waiting import wait_until

from rocketqa.distributed import store
from rocketqa.distributed.watchdog import Watchdog

HOST = "127.0.0.1"
SILENCE = 1.0  # seconds
LIMITS = {"beat": 0.05, "silence": SILENCE, "patience": 0.5}  # seconds


class ConnectionThatFreezes:
    """A connection that answers no more for one device, when the file `freeze` is there."""

    def __init__(self, connection: store.Store, freeze: Path, rank: int):
        self.connection = connection
        self.freeze = freeze
        self.key = f"job/sent/{rank}"

    def __getattr__(self, name: str):
        return getattr(self.connection, name)

    def add(self, key: str, number: int) -> int:
        while key == self.key and number == 0 and self.freeze.exists():
            time.sleep(1)
        return self.connection.add(key, number)


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_where_the_store_is_silent_device_0_is_named_whoever_was_heard_last(tmp_path, rank):
    freeze = tmp_path / "freeze"
    port = free_port()

    def connect() -> store.Store:
        return store.connect(HOST, port)

    def serve_and_beat() -> None:
        opened = store.serve(HOST, port)
        for beating in (0, 1):
            Watchdog(connect, "job", "a training", beating, 3, **LIMITS).start()
        time.sleep(10 * SILENCE)
        assert opened

    def watch() -> None:
        freezing = Watchdog(
            lambda: ConnectionThatFreezes(connect(), freeze, rank),
            "job",
            "a training",
            2,
            3,
            **LIMITS,
        )
        freezing.start()
        wait_until(lambda: all(freezing._exchange.heard))
        freeze.touch()
        time.sleep(3 * SILENCE)

    others = Forked(tmp_path, "others.log", serve_and_beat)
    status, complaint = Forked(tmp_path, "2.log", watch).ending()
    others.kill()
    assert (
        status == 2
        and "a training: expected every device to answer, got nothing from device 0 for 1 s"
        in complaint
    )
