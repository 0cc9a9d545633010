"""Serve an encoded collection over HTTP: JSON and a plain search page."""

import ipaddress
import resource
import signal
import socket
import sys
from argparse import ArgumentParser, ArgumentTypeError

from rocketqa.cli.flags import add_search_flags
from rocketqa.files.errors import DataError

BACKLOG = 2048  # connections that wait to be taken, all at once
TURNS = 4  # of the event loop between taking a connection and having closed one too many
FILES, SPARE_FILES = 2 * TURNS * BACKLOG, 64  # open at a time; what is not for connections
GRACE = 10  # seconds for what is being answered when the service is told to end


def port(value: str) -> int:
    """Returns a TCP port."""
    if not value.isdecimal() or int(value) > 65535:
        raise ArgumentTypeError(f"expected 0 to 65535, got {value}")
    return int(value)


def build_parser() -> ArgumentParser:
    """Returns the verb's flags."""
    parser = ArgumentParser("rocketqa serve", description=__doc__)
    add_search_flags(parser)
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1, this machine alone; there is no password)",
    )
    parser.add_argument(
        "--port", type=port, default=8000, help="default: 8000; 0: any that is free"
    )
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs the verb and returns its exit status."""
    args = build_parser().parse_args(argv)
    try:
        import uvicorn

        from rocketqa.search.service import Connection, application
    except ImportError as error:
        raise DataError(
            f"expected {error.name}, got none: pip install 'rocketqa[serve]'"
        ) from error
    from rocketqa.search.retriever import load_retriever

    bound = bind(args.host, args.port)
    retriever = load_retriever(
        args.checkpoint,
        args.collection,
        args.passage_vectors,
        args.max_memory,
        args.cross_encoder,
        args.query_length,
        args.max_length,
    )
    hosts = None
    if ipaddress.ip_address(bound.getsockname()[0]).is_loopback:
        hosts = frozenset({"localhost", "127.0.0.1", "[::1]", args.host.lower()})
    app = application(retriever.answer, len(retriever.collection), bool(args.cross_encoder), hosts)
    files = open_files() - SPARE_FILES
    backlog = min(BACKLOG, files // (2 * TURNS))
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            log_level="warning",
            access_log=False,
            server_header=False,
            backlog=backlog,
            limit_concurrency=files - TURNS * backlog,
            timeout_graceful_shutdown=GRACE,
        )
    )

    def end(*_) -> None:  # uvicorn raises a signal again when all is answered: that is no failure
        server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    bound.listen(backlog)
    host = f"[{args.host}]" if ":" in args.host else args.host
    print(f"http://{host}:{bound.getsockname()[1]}/", file=sys.stderr, flush=True)
    server.run([bound])
    return 0


def open_files() -> int:
    """Lets this process have FILES open, or as many as it may, and returns how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    return number


def bind(host: str, number: int) -> socket.socket:
    """Returns a socket with an address, not yet listening. Raises OSError where the address is not to be had."""
    family, kind, _, _, address = socket.getaddrinfo(host, number, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    return bound
