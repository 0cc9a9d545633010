"""Paddle's store is found, answers at once, and hears only the address that it was opened at."""

import socket
import time

import pytest
from forked import free_port

from rocketqa.distributed import store
from rocketqa.files.errors import DataError

HOST = "127.0.0.1"


@pytest.fixture(scope="module")
def address():
    port = free_port()
    opened = store.serve(HOST, port)
    yield HOST, port
    assert opened


def test_two_connections_share_numbers_and_values(address):
    one, other = store.connect(*address), store.connect(*address)
    assert [one.add("n", 2), other.add("n", 1), one.add("n", 0)] == [2, 3, 3]
    one.set("text", "é")
    assert other.get("text").decode() == "é"


def test_an_answer_takes_no_40_ms(address):
    connection = store.connect(*address)
    began = time.monotonic()
    for _ in range(50):
        connection.add("n", 1)
    assert time.monotonic() - began < 1


def test_only_the_address_that_was_asked_for_is_heard(address):
    socket.create_connection(address, timeout=5).close()
    with pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.2", address[1]), timeout=0.3)


def test_a_taken_port_is_one_line(address):
    line = f"{HOST}:{address[1]}: expected a free port, got one in use"
    with pytest.raises(DataError, match=line):
        store.serve(*address)


@pytest.mark.parametrize(
    "variables",
    [
        {"PADDLE_MASTER": "10.0.0.1:5", "PADDLE_TRAINER_ENDPOINTS": "10.0.0.1:6,10.0.0.2:6"},
        {"PADDLE_TRAINER_ENDPOINTS": "10.0.0.1:5,10.0.0.2:6"},
    ],
)
def test_the_store_of_a_launch_is_where_paddle_opens_it(monkeypatch, variables):
    for name in ("PADDLE_MASTER", "PADDLE_TRAINER_ENDPOINTS"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert store.address_of_launch() == ("10.0.0.1", 5)


def test_an_address_of_no_interface_is_not_of_this_machine():
    assert store.is_of_this_machine(HOST)
    assert not store.is_of_this_machine("192.0.2.1")  # kept free for documentation
