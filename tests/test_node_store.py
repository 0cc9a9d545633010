"""Node 0 publishes its launches, and the other nodes say how they ended."""

import pytest
from forked import free_port

from rocketqa.distributed import store
from rocketqa.distributed.addresses import Endpoint
from rocketqa.distributed.node_store import VARIABLE, End, NodeStore, of_script, variable
from rocketqa.files.errors import DataError

HOST = "127.0.0.1"


@pytest.fixture
def nodes():
    port = free_port()
    first = NodeStore(store.serve(HOST, port), 0, 2)
    return first, NodeStore(store.connect(HOST, port), 1, 2), port


def test_a_launch_is_shared_out_and_its_ends_come_back(nodes):
    first, second, _ = nodes
    first.arrive("127.0.0.2", [])
    assert first.arrivals()[1] is None and second.next_launch(0) is None
    second.arrive("127.0.0.3", [])
    share = first.publish(4, ["encode", "--output", "x"])
    heard = second.next_launch(0)
    assert heard == share and second.next_launch(share.number) is None
    assert (heard.processes, heard.addresses) == (2, ["127.0.0.2", "127.0.0.3"])
    second.say_end(heard, End(2, ["a line"]))
    assert first.ends_elsewhere(share) == [End(2, ["a line"])]


def test_devices_that_nodes_cannot_share_evenly_are_refused(nodes):
    with pytest.raises(DataError, match="^NODES=2: expected a number of devices that 2 nodes"):
        nodes[0].publish(3, ["encode"])


def test_nothing_but_a_verb_that_is_launched_is_run_for_another_node(nodes):
    first, second, _ = nodes
    first.arrive("127.0.0.2", [])
    first.publish(2, ["serve"])
    with pytest.raises(
        DataError, match="^node 1: expected a verb of train-dual-encoder, .*'serve'$"
    ):
        second.next_launch(0)


def test_the_end_of_a_script_and_of_a_node_are_heard(nodes):
    first, second, _ = nodes
    assert second.finished() is None and first.left() is None
    second.leave("was stopped")
    first.finish(7)
    assert second.finished() == 7
    assert first.left().startswith("node 1 (") and first.left().endswith(") was stopped")


def test_the_commands_of_node_0_find_the_store(nodes, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert of_script() is None
    for name, value in variable(2, Endpoint(HOST, nodes[2], "a name")).items():
        monkeypatch.setenv(name, value)
    found = of_script()
    found.finish(0)
    assert (found.node, found.nodes, nodes[1].finished()) == (0, 2, 0)
