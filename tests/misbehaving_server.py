"""An HTTP server in a thread that does what a test tells it to, and remembers what it was asked for."""

import gzip
import http.server
import threading
import time
from contextlib import contextmanager

ETAG = '"version-1"'


class Handler(http.server.BaseHTTPRequestHandler):
    """Takes the next behaviour of the server's list (the last one stays) and serves its `body` by it."""

    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.asked.append((self.headers.get("Range"), self.headers.get("If-Range")))
        behaviour = server.behaviours.pop(0) if len(server.behaviours) > 1 else server.behaviours[0]
        getattr(self, behaviour)(server.body)

    def whole(
        self, body: bytes, sent: int | None = None, etag: str | None = ETAG, **headers: str | None
    ):
        """Ignores Range."""
        self.answer(200, body[:sent], ETag=etag, **{"Content_Length": str(len(body))} | headers)

    def answer(self, status: int, body: bytes, **headers: str | None):
        """Sends an answer with the headers that are not None."""
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def fine(self, body: bytes, sent: int | None = None):
        """Serves the range that is asked for."""
        asked = self.headers.get("Range")
        if not asked or self.headers.get("If-Range") != ETAG:
            return self.whole(body, sent=sent)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return self.send_error(416)
        self.rest(body, start, sent)

    def rest(self, body: bytes, start: int, sent: int | None = None, etag: str = ETAG):
        """Sends the bytes from `start` on."""
        self.answer(
            206,
            body[start:][:sent],
            ETag=etag,
            Content_Length=str(len(body) - start),
            Content_Range=f"bytes {start}-{len(body) - 1}/{len(body)}",
        )

    def drops(self, body: bytes):
        self.fine(body, sent=100)

    def stalls(self, body: bytes):
        self.fine(body, sent=100)
        self.wfile.flush()
        self.server.released.wait(20)

    def trickles(self, body: bytes):
        """Sends half, then next to nothing: time to be killed in."""
        self.fine(body, sent=len(body) // 2)
        self.wfile.flush()
        self.server.released.wait(20)

    def promises_too_much(self, body: bytes):
        self.whole(body, Content_Length=str(len(body) + 50))

    def promises_too_little(self, body: bytes):
        self.whole(body, Content_Length=str(len(body) - 50))

    def promises_nothing(self, body: bytes):
        """Drops, and nobody can tell."""
        self.whole(body, sent=100, Content_Length=None)

    def promises_a_number_without_end(self, body: bytes):
        self.whole(body, Content_Length="9" * 5000)

    def is_empty(self, body: bytes):
        self.whole(b"")

    def chunks(self, body: bytes):
        self.whole(
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body),
            Content_Length=None,
            Transfer_Encoding="chunked",
        )

    def packs(self, body: bytes):
        self.whole(gzip.compress(body), Content_Length=None, Content_Encoding="gzip")

    def hangs_in_its_headers(self, body: bytes):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Len")
        self.wfile.flush()
        self.server.released.wait(20)

    def sends_on_and_on(self, body: bytes):
        self.rest(body + b"more", 100)

    def goes_on_with_another_version(self, body: bytes):
        """Ignores If-Range."""
        if self.headers.get("Range"):
            self.rest(body[::-1], 100, etag='"version-2"')
        else:
            self.another_version(body[::-1])

    def has_no_such_range(self, body: bytes):
        self.send_error(416)

    def sends_elsewhere(self, body: bytes):
        self.answer(302, b"", Location=self.server.elsewhere or self.server.url)

    def has_no_version(self, body: bytes):
        self.whole(body, sent=100, etag=None)

    def another_version(self, body: bytes):
        self.whole(body, etag='"version-2"')

    def answers_another_range(self, body: bytes):
        self.rest(body, 0)

    def has_nothing_to_say(self, body: bytes):
        self.send_response(204)
        self.end_headers()

    def speaks_no_http(self, body: bytes):
        self.wfile.write(b"lalala\r\n")

    def missing(self, body: bytes):
        self.send_error(404)

    def unavailable(self, body: bytes):
        self.send_error(503)


@contextmanager
def serving(body: bytes, *behaviours: str):
    """Gives a running server: its `url`, and `asked`, a (Range, If-Range) for each request."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.body, server.behaviours, server.asked = body, list(behaviours), []
    server.released, server.elsewhere = threading.Event(), None
    server.url = f"http://127.0.0.1:{server.server_address[1]}/file.tsv"
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def wait_until(happened, seconds: float = 20) -> None:
    """Returns when `happened()` is true; fails when it does not become so."""
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
