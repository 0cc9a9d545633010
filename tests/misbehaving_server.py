"""An HTTP server in a thread that behaves as a test tells it to, and remembers the requests."""

import gzip
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager

ETAG = '"version-1"'
OTHER_ETAG = '"version-2"'
LONGEST_STALL = 20  # seconds


class MisbehavingServer(http.server.ThreadingHTTPServer):
    """Serves `body` by the first of its `behaviours`, which is then removed; the last one stays.

    asked: (Range, If-Range) of each request. end_of_stalls: set when stalled answers shall end.
    elsewhere: the address that `sends_elsewhere` gives, None for its own.
    """

    daemon_threads = True

    def __init__(self, body: bytes, behaviours: list[str]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.body = body
        self.behaviours = behaviours
        self.asked: list[tuple[str | None, str | None]] = []
        self.end_of_stalls = threading.Event()
        self.elsewhere: str | None = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}/file.tsv"

    def next_behaviour(self) -> str:
        """Returns the name of the method that answers the next request."""
        return self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]


class Handler(http.server.BaseHTTPRequestHandler):
    """The behaviours: each method with a parameter `body` answers a request in its own way."""

    server: MisbehavingServer

    def log_message(self, *args: object) -> None:
        """Stays silent."""

    def do_GET(self) -> None:
        """Answers by the next behaviour."""
        self.server.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        behaviour = getattr(self, self.server.next_behaviour())
        behaviour(self.server.body)

    def answer(self, status: int, body: bytes, **headers: str | None) -> None:
        """Sends an answer with the headers that are not None; `_` in a name stands for `-`."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def rest(self, body: bytes, start: int, sent: int | None = None, etag: str = ETAG) -> None:
        """Sends the bytes from `start` on, or only the first `sent` of them."""
        self.answer(
            206,
            body[start:][:sent],
            ETag=etag,
            Content_Length=str(len(body) - start),
            Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}",
        )

    def stall(self) -> None:
        """Sends nothing more until the test ends."""
        self.wfile.flush()
        self.server.end_of_stalls.wait(LONGEST_STALL)

    def fine(self, body: bytes, sent: int | None = None) -> None:
        """Serves the range that is asked for."""
        asked = self.headers.get("Range")
        if not asked or self.headers.get("If-Range") != ETAG:
            self.whole(body, sent=sent)
            return
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            self.send_error(416)
            return
        self.rest(body, start, sent)

    def whole(
        self, body: bytes, sent: int | None = None, etag: str | None = ETAG, **headers: str | None
    ) -> None:
        """Sends all bytes, whatever range was asked for."""
        length: dict[str, str | None] = {"Content_Length": str(len(body))}
        self.answer(200, body[:sent], ETag=etag, **length | headers)

    def drops(self, body: bytes) -> None:
        """Closes the connection after 100 bytes."""
        self.fine(body, sent=100)

    def stalls(self, body: bytes) -> None:
        """Sends nothing more after 100 bytes."""
        self.fine(body, sent=100)
        self.stall()

    def trickles(self, body: bytes) -> None:
        """Sends nothing more after half of the file: time to be killed in."""
        self.fine(body, sent=len(body) // 2)
        self.stall()

    def promises_too_much(self, body: bytes) -> None:
        """Announces 50 bytes more than it sends."""
        self.whole(body, Content_Length=str(len(body) + 50))

    def promises_too_little(self, body: bytes) -> None:
        """Announces 50 bytes less than it has."""
        self.whole(body, Content_Length=str(len(body) - 50))

    def promises_nothing(self, body: bytes) -> None:
        """Closes the connection after 100 bytes of an answer without a length."""
        self.whole(body, sent=100, Content_Length=None)

    def promises_a_number_without_end(self, body: bytes) -> None:
        """Announces a length of 5,000 digits."""
        self.whole(body, Content_Length="9" * 5000)

    def is_empty(self, body: bytes) -> None:
        """Sends a file of 0 bytes."""
        self.whole(b"")

    def chunks(self, body: bytes) -> None:
        """Sends all bytes in the transfer coding `chunked`, which marks its end."""
        coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        self.whole(coded, Content_Length=None, Transfer_Encoding="chunked")

    def packs(self, body: bytes) -> None:
        """Sends all bytes gzipped, as a content coding."""
        self.whole(gzip.compress(body), Content_Length=None, Content_Encoding="gzip")

    def hangs_in_its_headers(self, body: bytes) -> None:
        """Sends nothing more after half of a header."""
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Len")
        self.stall()

    def sends_on_and_on(self, body: bytes) -> None:
        """Sends more bytes than the file has."""
        self.rest(body + b"more", 100)

    def goes_on_with_another_version(self, body: bytes) -> None:
        """Sends the rest of another version, whatever version was asked for."""
        if self.headers.get("Range"):
            self.rest(body[::-1], 100, etag=OTHER_ETAG)
        else:
            self.another_version(body[::-1])

    def has_no_such_range(self, body: bytes) -> None:
        """Answers 416."""
        self.send_error(416)

    def sends_elsewhere(self, body: bytes) -> None:
        """Redirects to `elsewhere`."""
        self.answer(302, b"", Location=self.server.elsewhere or self.server.url)

    def has_no_version(self, body: bytes) -> None:
        """Closes the connection after 100 bytes of an answer without an ETag."""
        self.whole(body, sent=100, etag=None)

    def another_version(self, body: bytes) -> None:
        """Sends all bytes as those of another version."""
        self.whole(body, etag=OTHER_ETAG)

    def answers_another_range(self, body: bytes) -> None:
        """Sends the range from 0 on, whatever range was asked for."""
        self.rest(body, 0)

    def has_nothing_to_say(self, body: bytes) -> None:
        """Answers 204."""
        self.send_response(204)
        self.end_headers()

    def speaks_no_http(self, body: bytes) -> None:
        """Answers something else than HTTP."""
        self.wfile.write(b"lalala\r\n")

    def missing(self, body: bytes) -> None:
        """Answers 404."""
        self.send_error(404)

    def unavailable(self, body: bytes) -> None:
        """Answers 503."""
        self.send_error(503)


@contextmanager
def serving(body: bytes, *behaviours: str) -> Iterator[MisbehavingServer]:
    """Gives a running server: its `url`, and `asked`, a (Range, If-Range) for each request."""
    server = MisbehavingServer(body, list(behaviours))
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.end_of_stalls.set()
        server.shutdown()
        server.server_close()
