"""Limits of the HTTP service on requests and connections, and how it refuses a request."""

import asyncio
import re
from collections.abc import Callable, Mapping
from typing import cast

from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

LARGEST_BODY = 1 << 16  # bytes
MOST_REQUESTS = 2000  # at the same time: one of them is answered, the others wait
REQUEST_SECONDS = 10  # for a connection to send the head of a request, from its beginning
BODY_SECONDS = 10  # for a request to send its body
RESPONSE_SECONDS = 60  # for a client to receive a response
CLOSING_STATUSES = (408, 413, 503)  # after these the connection is closed: the client sent too much
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # The page's own script may run, which its digest names, and ask this service; no other may.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'sha256-c92MbVMQ6iaQCYylyI+pxggeRaFWCmyU2oBvF9kSMzg='; "
        "connect-src 'self'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
}


# (scope of the request, status, error in one line) -> the response that refuses the request
Refuse = Callable[[Scope, int, str], Response]


def refusal_headers(status: int, headers: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the headers of a refusal: those of every response, and `headers`."""
    all_headers = dict(HEADERS)
    if status in CLOSING_STATUSES:
        all_headers["Connection"] = "close"
    if headers is not None:
        all_headers.update(headers)
    return all_headers


def refusal(status: int, error: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns the response to a request that the service refuses: {"error": "one line"}."""
    return JSONResponse({"error": error}, status, refusal_headers(status, headers))


def refuse_in_json(scope: Scope, status: int, error: str) -> Response:
    """Returns the refusal of a request, whoever asks, as JSON."""
    return refusal(status, error)


class Gate:
    """Middleware that passes on complete requests of limited size, a limited number at a time.

    hosts: the names in the Host header that are accepted; None accepts every name. It is a guard
    against DNS rebinding: a hostile web page can make a browser send requests to this machine, but
    the Host header then holds the name of that page.

    refuse: makes the response to a request that is refused.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: frozenset[str] | None = None,
        refuse: Refuse = refuse_in_json,
    ):
        self.app = app
        self.hosts = hosts
        self.refuse = refuse
        self.requests_inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers a request as ASGI requires: with a refusal, or by the application inside."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.hosts is not None and _host_name(scope) not in self.hosts:
            accepted = ", ".join(sorted(self.hosts))
            error = f"expected Host to be one of {accepted}"
            await self.refuse(scope, 400, error)(scope, receive, send)
            return
        if self.requests_inside >= MOST_REQUESTS:
            error = f"expected at most {MOST_REQUESTS} requests at a time"
            await self.refuse(scope, 503, error)(scope, receive, send)
            return
        self.requests_inside += 1
        try:
            await self._pass_on(scope, receive, send)
        finally:
            self.requests_inside -= 1

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on when its body is complete. A client that is gone gets no response."""
        try:
            body = await asyncio.wait_for(self._read_body(receive), BODY_SECONDS)
        except asyncio.TimeoutError:  # another class than the built-in one before Python 3.11
            error = f"expected the body within {BODY_SECONDS} seconds"
            await self.refuse(scope, 408, error)(scope, receive, send)
            return
        if body is None:
            return
        if len(body) > LARGEST_BODY:
            error = f"expected a body of at most {LARGEST_BODY} bytes"
            await self.refuse(scope, 413, error)(scope, receive, send)
            return
        unread: list[Message] = [{"type": "http.request", "body": body}]

        async def receive_again() -> Message:
            if unread:
                return unread.pop()
            return await receive()

        await self.app(scope, receive_again, send)

    async def _read_body(self, receive: Receive) -> bytes | None:
        """Returns a body, or its beginning beyond LARGEST_BODY; None if the client has gone."""
        body = bytearray()
        is_complete = False
        while not is_complete and len(body) <= LARGEST_BODY:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            is_complete = not message.get("more_body", False)
        return bytes(body)


def _host_name(scope: Scope) -> str:
    """Returns the name in the Host header, in lower case and without the port."""
    host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
    return re.sub(r":\d*$", "", host)


class Connection(H11Protocol):
    """A connection that is closed when the client is too slow in sending or in receiving.

    Otherwise slow clients could use up all files that this process may have open and lock all
    others out. A connection beyond that number is closed at once.
    """

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins a connection and the time limit of its first request."""
        super().connection_made(cast(asyncio.Transport, transport))
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            self.transport.abort()
        self._start_timer(REQUEST_SECONDS)

    def on_response_complete(self) -> None:
        """Begins the time limit of the next request, or of receiving the rest of this response."""
        self._timer.cancel()
        has_unsent_bytes = self.transport.get_write_buffer_size() > 0
        self._start_timer(RESPONSE_SECONDS if has_unsent_bytes else REQUEST_SECONDS)
        super().on_response_complete()

    def connection_lost(self, error: Exception | None) -> None:
        """Ends the time limit with the connection."""
        self._timer.cancel()
        super().connection_lost(error)

    def _start_timer(self, seconds: float) -> None:
        self._timer = self.loop.call_later(seconds, self._close_if_waiting)

    def _close_if_waiting(self) -> None:
        """Closes the connection unless a response to it is being computed."""
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle or self.flow.write_paused:
            self.transport.abort()
