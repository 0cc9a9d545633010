"""The service listens at its address, within its limit of open files, and answers before ending."""

import http.client
import json
import resource
import signal
import socket
import time

import pytest
from tiny_service import VALID_BODY, send_request, serving

from rocketqa.files.errors import DataError
from rocketqa.search import server


def test_a_bound_socket_does_not_listen_yet():
    with server.bind("127.0.0.1", 0) as bound:
        address = bound.getsockname()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)
        bound.listen(1)
        socket.create_connection(address, timeout=5).close()


def test_its_connections_send_without_delay():
    """asyncio asks for it on sockets that name their protocol; without it, responses wait 40 ms."""
    with server.bind("127.0.0.1", 0) as bound:
        assert bound.proto == socket.IPPROTO_TCP


def test_a_port_in_use_is_an_error():
    with server.bind("127.0.0.1", 0) as bound:
        bound.listen(1)
        port = bound.getsockname()[1]
        with pytest.raises(DataError) as refused:
            server.bind("127.0.0.1", port)
    assert str(refused.value) == (
        f"--host 127.0.0.1 --port {port}: expected a free address of this machine, got: "
        "Address already in use"
    )


@pytest.mark.parametrize("host", ["192.0.2.1", "x" * 70, "a..b"])
def test_a_host_that_is_not_this_machine_is_one_line(host):
    with pytest.raises(DataError, match=f"--host {host} --port 0: expected a free address"):
        server.bind(host, 0)


def test_the_accepted_hosts_are_the_names_of_this_machine_where_only_it_can_connect():
    with server.bind("127.0.0.1", 0) as bound:
        names = {"localhost", "127.0.0.1", "[::1]", "myself"}
        assert server.accepted_hosts(bound, "MySelf") == names
    with server.bind("0.0.0.0", 0) as bound:
        assert server.accepted_hosts(bound, "0.0.0.0") is None


def test_the_address_of_the_page_names_host_and_port():
    with server.bind("127.0.0.1", 0) as bound:
        port = bound.getsockname()[1]
        assert server.url_of(bound, "localhost") == f"http://localhost:{port}/"
        assert server.url_of(bound, "::1") == f"http://[::1]:{port}/"


@pytest.mark.parametrize(
    "open_files, capacity", [(16384, (2040, 8160)), (10**6, (2048, 991_744)), (256, (24, 96))]
)
def test_the_capacity_leaves_files_for_connections_too_many(open_files, capacity):
    assert server.capacity_of(open_files) == capacity


@pytest.mark.parametrize(
    "soft, hard, raised_to",
    [
        (1024, 4096, 4096),
        (1024, 10**6, server.WANTED_FILES),
        (1024, resource.RLIM_INFINITY, server.WANTED_FILES),
        (10**5, 10**6, None),
        (resource.RLIM_INFINITY, resource.RLIM_INFINITY, None),
    ],
)
def test_the_limit_of_open_files_is_raised_but_never_lowered(monkeypatch, soft, hard, raised_to):
    limits = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limit: limits.append(limit))
    assert server.raise_file_limit() == (raised_to or server.WANTED_FILES)
    assert limits == ([] if raised_to is None else [(raised_to, hard)])


@pytest.mark.parametrize(
    "host, status",
    [
        ("evil.example", 400),
        ("127.0.0.1.evil.example:80", 400),
        ("LOCALHOST:80", 200),
        ("127.0.0.1", 200),
    ],
)
def test_a_name_that_is_not_of_this_machine_is_no_host(port, host, status):
    response_status, _, body = send_request(port, "GET", "/health", Host=host)
    assert response_status == status
    assert ("error" in json.loads(body)) == (status == 400)


def test_it_listens_at_this_machine_alone(port):
    address = socket.gethostbyname(socket.gethostname())
    if not address.startswith("127."):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address, port), timeout=5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_it_ends_when_it_is_told_to_after_it_has_answered(encoded, number):
    with serving(encoded) as (service, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.putrequest("POST", "/search")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(len(VALID_BODY)))
        connection.endheaders(VALID_BODY[:5])
        time.sleep(0.2)
        service.send_signal(number)
        time.sleep(0.2)
        connection.send(VALID_BODY[5:])
        assert connection.getresponse().status == 200
        connection.close()
        assert service.wait(20) == 0 and "Traceback" not in service.stderr.read()
