"""The HTTP service over an encoded collection: JSON for programs, one plain page for people.

    GET  /health                                 {"status": "ok", "passages": 2067, "reranks": false}
    POST /search  {"query": TEXT, "depth": 10}   {"query": TEXT, "answers": [{"rank": 1, "score": 7.5, "passage_id": ID,
                                                 "title": TEXT, "text": TEXT}, ...]}
    GET  /?query=TEXT&depth=10                   the same as HTML, without script or anything from elsewhere

HEAD is answered where GET is. What is refused has a status of 400 and above and {"error": "one line"}; what is no HTTP,
a 400 in plain text.
"""

import asyncio
import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

LONGEST_QUERY = 2000  # characters
LARGEST_DEPTH = 100
LARGEST_BODY = 1 << 16  # bytes
MOST_REQUESTS = 2000  # at a time; one of them is answered, the others wait
HEAD_SECONDS, BODY_SECONDS = 10, 10  # for a request to come
TAKE_SECONDS = 60  # for an answer to be taken
JSON_TYPE = re.compile(r"application/([\w.-]+\+)?json\b")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
}

PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }}
form {{ display: flex; gap: .5rem }} input[name=query] {{ flex: 1 }} input, button {{ font: inherit; padding: .3rem }}
li {{ margin: 1rem 0; overflow-wrap: anywhere }} small {{ color: #666 }} p {{ margin: 0 }}
</style>
<form action="/" method="get" role="search">
<input name="query" value="{query}" aria-label="Query" required autofocus>
<input name="depth" value="{depth}" type="number" min="1" max="{deepest}" aria-label="Number of passages">
<button>Search</button>
</form>
{body}
</html>
"""


def text(value: str) -> str:
    """Returns a query as it is. Raises ValueError where there is nothing to search for."""
    if not value.strip() or "\0" in value:
        raise ValueError("expected text, got none or a NUL")
    return value


class Wanted(BaseModel, extra="forbid", strict=True):
    """What /search takes."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY), AfterValidator(text)]
    depth: Annotated[int, Field(ge=1, le=LARGEST_DEPTH)] = 10


class Answer(Protocol):
    passage_id: str
    title: str
    text: str
    score: float


Ask = Callable[[str, int], Sequence[Answer]]  # (query, depth) -> the best first


class Gate:
    """Lets whole requests of bounded size through, so many at a time, for `hosts` alone (None: for any).

    A page from elsewhere can make a browser ask this machine by a name of its own: that name is in the Host header.
    """

    def __init__(self, app, hosts: frozenset[str] | None = None):
        self.app, self.hosts, self.inside = app, hosts, 0

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        host = dict(scope["headers"]).get(b"host", b"").decode("latin-1").lower()
        if self.hosts is not None and re.sub(r":\d*$", "", host) not in self.hosts:
            named = ", ".join(sorted(self.hosts))
            return await refusal(400, f"expected Host to be one of {named}")(scope, receive, send)
        if self.inside >= MOST_REQUESTS:
            return await refusal(503, f"expected at most {MOST_REQUESTS} requests at a time")(
                scope, receive, send
            )
        self.inside += 1
        try:
            await self._pass_on(scope, receive, send)
        finally:
            self.inside -= 1

    async def _pass_on(self, scope, receive, send) -> None:
        body, more = bytearray(), True
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while more and len(body) <= LARGEST_BODY:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
        except TimeoutError:
            return await refusal(408, f"expected the body within {BODY_SECONDS} seconds")(
                scope, receive, send
            )
        if len(body) > LARGEST_BODY:
            return await refusal(413, f"expected a body of at most {LARGEST_BODY} bytes")(
                scope, receive, send
            )
        messages = iter([{"type": "http.request", "body": bytes(body)}])

        async def replayed():
            return next(messages, None) or await receive()

        await self.app(scope, replayed, send)


class Connection(H11Protocol):
    """A connection that is cut off when its other side keeps it waiting, for a request or to take an answer.

    Without that, as many as this process may have files open would lock all others out; one more is cut off at once.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self.limit_concurrency and len(self.connections) >= self.limit_concurrency:
            transport.abort()
        self._limit = self.loop.call_later(HEAD_SECONDS, self._cut_off)

    def on_response_complete(self) -> None:
        self._limit.cancel()
        untaken = self.transport.get_write_buffer_size()
        self._limit = self.loop.call_later(TAKE_SECONDS if untaken else HEAD_SECONDS, self._cut_off)
        super().on_response_complete()

    def connection_lost(self, error: Exception | None) -> None:
        self._limit.cancel()
        super().connection_lost(error)

    def _cut_off(self) -> None:
        if self.cycle is None or self.cycle.response_complete or self.flow.write_paused:
            self.transport.abort()


def refusal(status: int, error: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Returns the response to what is not answered; a sender of more than it should is cut off."""
    cut_off = {"Connection": "close"} if status in (408, 413, 503) else {}
    return JSONResponse({"error": error}, status, HEADERS | cut_off | (headers or {}))


def first_fault(errors: Sequence[Any]) -> str:
    """Returns one line of pydantic's: place and what was expected there."""
    if errors[0]["type"] == "json_invalid":
        return f"body: expected JSON, got at character {errors[0]['loc'][-1]}: {errors[0]['ctx']['error']}"
    place = ".".join(str(part) for part in errors[0]["loc"] if part not in ("body", "query_string"))
    return f"{place or 'body'}: {errors[0]['msg']}"


def application(
    ask: Ask, passages: int, reranks: bool, hosts: frozenset[str] | None = None
) -> FastAPI:
    """Returns the service that answers by `ask`, a query at a time, to those who still wait; `hosts`: see Gate."""
    app = FastAPI(title="rocketqa serve", openapi_url=None, redirect_slashes=False)
    app.add_middleware(Gate, hosts=hosts)

    @app.exception_handler(RequestValidationError)
    async def unsound(request: Request, error: RequestValidationError) -> JSONResponse:
        if not JSON_TYPE.match(kind := request.headers.get("content-type", "none")):
            return refusal(415, f"expected Content-Type: application/json, got {kind[:100]}")
        return refusal(422, first_fault(error.errors()))

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        told = (
            "body: expected JSON in UTF-8, got none that can be read"
            if error.status_code == 400
            else error.detail
        )
        return refusal(error.status_code, told, error.headers)

    @app.exception_handler(Exception)
    async def broken(request: Request, error: Exception) -> JSONResponse:
        return refusal(500, "the service failed; its own log says why")

    @app.api_route("/health", methods=["GET", "HEAD"])
    async def health() -> JSONResponse:
        return JSONResponse(
            {"status": "ok", "passages": passages, "reranks": reranks}, headers=HEADERS
        )

    turn = asyncio.Lock()

    async def answers_to(wanted: Wanted, request: Request) -> Sequence[Answer]:
        await request.body()  # after it, all that can come is the end
        async with turn:
            gone = await request.is_disconnected()
            return [] if gone else await run_in_threadpool(ask, wanted.query, wanted.depth)

    @app.post("/search")
    async def search(wanted: Wanted, request: Request) -> JSONResponse:
        answers = [
            {
                "rank": rank,
                "score": answer.score,
                "passage_id": answer.passage_id,
                "title": answer.title,
                "text": answer.text,
            }
            for rank, answer in enumerate(await answers_to(wanted, request), 1)
        ]
        return JSONResponse({"query": wanted.query, "answers": answers}, headers=HEADERS)

    @app.api_route("/", methods=["GET", "HEAD"])
    async def page(
        request: Request, query: str = "", depth: Annotated[str, Query()] = "10"
    ) -> HTMLResponse:
        if not query.strip():
            return in_html(query, depth, "", 200)
        try:
            wanted = Wanted(
                query=query, depth=int(depth) if depth.isdecimal() and len(depth) < 9 else depth
            )
        except ValidationError as error:
            return in_html(query, depth, f"<p>{html.escape(first_fault(error.errors()))}</p>", 422)
        return in_html(query, depth, list_of(await answers_to(wanted, request)), 200)

    return app


def list_of(answers: Sequence[Answer]) -> str:
    """Returns answers as an HTML list, best first."""
    items = [
        f"<li><p><strong>{html.escape(answer.title)}</strong> <small>{html.escape(answer.passage_id)}, "
        f"{answer.score:.6g}</small></p><p>{html.escape(answer.text)}</p></li>"
        for answer in answers
    ]
    return "<ol>\n" + "\n".join(items) + "\n</ol>"


def in_html(query: str, depth: str, body: str, status: int) -> HTMLResponse:
    """Returns the page with the form filled in; `body` is HTML, all else is text."""
    query, depth = html.escape(query), html.escape(depth)
    page = PAGE.format(
        title=f"{query} - search" if query else "Search",
        query=query,
        depth=depth,
        body=body,
        deepest=LARGEST_DEPTH,
    )
    return HTMLResponse(page, status, HEADERS)
