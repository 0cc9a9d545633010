"""Requests to the service's application without a socket, message by message as ASGI defines."""

import asyncio
from collections.abc import Awaitable, Callable

HEADERS = [(b"content-type", b"application/json")]
SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/search",
    "headers": HEADERS,
    "query_string": b"",
}


# What turns SCOPE into the request of a browser for the answers to a query.
BROWSER = {
    "method": "GET",
    "path": "/",
    "headers": [(b"accept", b"text/html,*/*;q=0.8")],
    "query_string": b"query=w1",
}


def call_search(
    app, receive: Callable[[], Awaitable[dict]], sent: list[dict], **changed: object
) -> Awaitable[int]:
    """Awaits to the status of a POST to /search; `sent` gets the messages of the response.

    changed: of the request.
    """

    async def send(message: dict) -> None:
        sent.append(message)

    async def call() -> int:
        await app(SCOPE | changed, receive, send)
        return sent[0]["status"]

    return call()


def post_search(app, body: bytes, sent: list[dict] | None = None) -> tuple[int, bytes]:
    """Returns status and body of the response to a POST to /search."""
    messages: list[dict] = [] if sent is None else sent

    async def receive() -> dict:
        return {"type": "http.request", "body": body}

    status = asyncio.run(call_search(app, receive, messages))
    return status, messages[1]["body"]
