"""An HTTP server in a thread that does what a test tells it to, and remembers what it was asked for."""
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

    def whole(self, body: bytes, announced: int | None = None, sent: int | None = None, etag: str | None = ETAG):
        """Ignores Range."""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        if etag:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(body[:sent])

    def fine(self, body: bytes, sent: int | None = None):
        """Serves the range that is asked for."""
        asked = self.headers.get("Range")
        if not asked or self.headers.get("If-Range") != ETAG:
            return self.whole(body, sent=sent)
        start = int(asked.removeprefix("bytes=").removesuffix("-"))
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:][:sent])

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
        self.whole(body, announced=len(body) + 50)

    def has_no_version(self, body: bytes):
        self.whole(body, sent=100, etag=None)

    def another_version(self, body: bytes):
        self.whole(body, etag='"version-2"')

    def answers_another_range(self, body: bytes):
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 0-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

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
    server.released = threading.Event()
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
