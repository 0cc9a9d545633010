"""Each node has the address by which it reaches node 0, and collectives listen on its interface."""

import pytest

from rocketqa.distributed.addresses import (
    INTERFACES,
    Endpoint,
    endpoint,
    free_port,
    own_address,
    with_interface,
)
from rocketqa.files.errors import DataError


def test_a_name_and_a_port_become_an_endpoint():
    assert endpoint("127.0.0.1:80") == Endpoint("127.0.0.1", 80, "127.0.0.1:80")
    assert endpoint("localhost:80").address == "127.0.0.1"


@pytest.mark.parametrize("name", ["", "host", ":80", "host:", "host:0", "host:65536", "host:port"])
def test_anything_but_a_host_and_a_port_is_one_line(name):
    line = f"^MASTER: expected HOST:PORT of node 0, got {name or 'none'}$"
    with pytest.raises(DataError, match=line):
        endpoint(name)


def test_a_host_that_nobody_knows_is_one_line():
    with pytest.raises(DataError, match="^MASTER=a.invalid:80: expected the name or address of"):
        endpoint("a.invalid:80")


def test_nodes_on_one_machine_have_addresses_of_their_own():
    master = endpoint("127.0.0.1:80")
    assert [own_address(master, node) for node in range(3)] == [
        "127.0.0.2",
        "127.0.0.3",
        "127.0.0.4",
    ]


def test_the_interface_of_an_address_is_listened_on_unless_the_user_chose_one(monkeypatch):
    for name in INTERFACES:
        monkeypatch.delenv(name, raising=False)
    assert with_interface("127.0.0.3") == dict.fromkeys(INTERFACES, "lo")
    assert with_interface("192.0.2.1") == {}  # of no interface
    monkeypatch.setenv(INTERFACES[0], "eth7")
    assert with_interface("127.0.0.3") == {INTERFACES[1]: "lo"}


def test_a_free_port_can_be_taken():
    assert 0 < free_port("127.0.0.1") < 65536
