"""The HTTP service over an encoded collection: JSON for programs and one plain page for people.

    GET /health
        {"status": "ok", "passages": 2067, "reranks": false}
        status 503 and "checking" while the vectors are compared with their digests, or
        status 503 and {"error": REASON} while queries are not answered
    POST /search {"query": TEXT, "depth": 10}
        {"query": TEXT, "answers": [{"rank": 1, "score": 7.5, "passage_id": ID,
         "title": TEXT, "text": TEXT}, ...]}
    GET /?query=TEXT&depth=10
        the same as an HTML page, with nothing from other servers

HEAD is answered where GET is. A refused request gets a status of 400 or above and {"error": "one
line"}, or the page with that line where a browser asks (a GET that accepts text/html) and where the
page's own form is refused. Bytes that are not HTTP get status 400 and plain text.
"""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from json import JSONDecodeError
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.types import Scope

from rocketqa.files.errors import DataError
from rocketqa.search.answer import FIRST_QUERY, Answer, AnswerQuery
from rocketqa.search.page import Form, SearchPage
from rocketqa.search.request_limits import HEADERS, Gate, refusal, refusal_headers

LONGEST_QUERY = 2000  # characters
LARGEST_DEPTH = 100
MOST_DEPTH_DIGITS = 8  # in the form of the page; a longer number is far beyond LARGEST_DEPTH
SLOW_SECONDS = 60  # after which a search that has not ended makes the service unhealthy
FAILED = "the service failed; its own log says why"
SHOWN_CHARACTERS = 20  # of a wrong depth in a message
CHECKING = "the vectors are still compared with their digests: call again soon"
OUTER_PLACES = ("body", "query_string")  # pydantic names them before the field
JSON_TYPE = re.compile(r"application/([\w.-]+\+)?json\b")


def searchable(query: str) -> str:
    """Returns a query unchanged. Raises ValueError where it has no text to search for, or a NUL."""
    if not query.strip() or "\0" in query:
        raise ValueError("expected text, got none or a NUL")
    return query


class SearchRequest(BaseModel, extra="forbid", strict=True):
    """The body of a request to /search."""

    query: Annotated[str, Field(max_length=LONGEST_QUERY), AfterValidator(searchable)]
    depth: Annotated[int, Field(ge=1, le=LARGEST_DEPTH)] = 10


class Service:
    """Answers requests by `answer_query`, one query at a time.

    No answers are computed for a client that has gone.
    """

    def __init__(
        self,
        answer_query: AnswerQuery,
        passage_count: int,
        reranks: bool,
        is_checking: Callable[[], bool] = lambda: False,
    ):
        self.answer_query = answer_query
        self.is_checking = is_checking
        self.passage_count = passage_count
        self.reranks = reranks
        self._page = SearchPage(passage_count, reranks, LARGEST_DEPTH)
        self._one_at_a_time = asyncio.Lock()
        # One thread for all queries: processes that it starts live as long as it does, and Paddle
        # Inference fails in a thread that begins after others have ended.
        self._thread = ThreadPoolExecutor(1, "search")
        self._search_began: float | None = None  # seconds of time.monotonic; None: no search runs
        self._failed_depth = 0  # of the deepest query that failed; 0: none, or mended since

    async def health(self) -> JSONResponse:
        """Returns that the service works, and over which collection, or why it does not.

        After a query has failed, another of its depth is tried (_is_mended).
        """
        is_checking = self.is_checking()
        began = self._search_began
        seconds = 0.0 if began is None else time.monotonic() - began
        if seconds > SLOW_SECONDS:
            return refusal(503, f"a search has not ended for {seconds:.0f} seconds")
        if not is_checking and not await self._is_mended():
            return refusal(503, FAILED)
        content = {
            "status": "checking" if is_checking else "ok",
            "passages": self.passage_count,
            "reranks": self.reranks,
        }
        return JSONResponse(content, 503 if is_checking else 200, HEADERS)

    async def search(self, wanted: SearchRequest, request: Request) -> JSONResponse:
        """Returns the answers to a query as JSON."""
        answers = await self._answers(wanted, request)
        objects = []
        for rank, answer in enumerate(answers, 1):
            objects.append(_answer_object(rank, answer))
        content = {"query": wanted.query, "answers": objects}
        return JSONResponse(content, headers=HEADERS)

    async def page(
        self,
        request: Request,
        query: str = "",
        depth: Annotated[str, Query()] = "10",
    ) -> HTMLResponse:
        """Returns the search page: empty, with answers, or with an error about the form."""
        form = Form(query, depth)
        if not query:
            return HTMLResponse(self._page.empty(form), headers=HEADERS)
        try:
            wanted = _request_of_form(form)
        except ValidationError as error:
            field, message = _wrong_field(form, error)
            page = self._page.refused(form, message, field)
            return HTMLResponse(page, 422, HEADERS)
        answers = await self._answers(wanted, request)
        return HTMLResponse(self._page.found(form, answers), headers=HEADERS)

    async def refuse_invalid(self, request: Request, error: Exception) -> JSONResponse:
        """Returns the refusal of a request whose body is not a SearchRequest."""
        content_type = request.headers.get("content-type", "none")
        if not JSON_TYPE.match(content_type):
            error_line = f"expected Content-Type: application/json, got {content_type[:100]}"
            return refusal(415, error_line)
        assert isinstance(error, RequestValidationError)
        message = first_error(error.errors())
        if isinstance(error.__cause__, JSONDecodeError):
            cause = error.__cause__
            message = f"body: expected JSON, got at character {cause.pos}: {cause.msg}"
        return refusal(422, message)

    async def refuse_http_error(self, request: Request, error: Exception) -> Response:
        """Returns the refusal of an unknown path, a wrong method, or a body that cannot be read."""
        assert isinstance(error, HTTPException)
        message = error.detail
        if error.status_code == 400:
            message = "body: expected JSON in UTF-8, got none that can be read"
        return self.refuse(request.scope, error.status_code, message, error.headers)

    async def refuse_failure(self, request: Request, error: Exception) -> Response:
        """Returns the response to a request on which the service itself failed."""
        return self.refuse(request.scope, 500, FAILED)

    async def refuse_data_error(self, request: Request, error: Exception) -> Response:
        """Returns the response to a request that fails by an error that has words for the log."""
        print(f"rocketqa serve: {error}", file=sys.stderr, flush=True)
        return self.refuse(request.scope, 500, FAILED)

    def refuse(
        self,
        scope: Scope,
        status: int,
        message: str,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Returns a refusal: the page with the message for a browser, JSON for a program."""
        if not _asks_for_page(scope):
            return refusal(status, message, headers)
        fields = QueryParams(scope["query_string"])
        form = Form(fields.get("query", ""), fields.get("depth", "10"))
        page = self._page.refused(form, message)
        return HTMLResponse(page, status, refusal_headers(status, headers))

    async def _answers(self, wanted: SearchRequest, request: Request) -> Sequence[Answer]:
        """Returns the answers when it is the query's turn; none if the client has gone by then."""
        if self.is_checking():
            raise HTTPException(503, CHECKING, {"Retry-After": "5"})
        # After the body, the only message that can arrive is that the client has gone.
        await request.body()
        async with self._one_at_a_time:
            if await request.is_disconnected():
                return []
            return await self._search(wanted.query, wanted.depth)

    async def _is_mended(self) -> bool:
        """Returns whether no query has failed, or whether one as deep is answered now."""
        if not self._failed_depth:
            return True
        async with self._one_at_a_time:
            if self._failed_depth:  # no other query has been answered in the meantime
                try:
                    await self._search(FIRST_QUERY, self._failed_depth)
                except Exception:
                    return False
        return True

    async def _search(self, query: str, depth: int) -> Sequence[Answer]:
        """Returns the answers to a query, and notes how it went for `health`."""
        self._search_began = time.monotonic()
        running = asyncio.get_running_loop()
        try:
            answers = await running.run_in_executor(self._thread, self.answer_query, query, depth)
        except Exception:
            self._failed_depth = max(depth, self._failed_depth)
            raise
        finally:
            self._search_began = None
        if depth >= self._failed_depth:
            self._failed_depth = 0
        return answers


def application(
    answer_query: AnswerQuery,
    passage_count: int,
    reranks: bool,
    hosts: frozenset[str] | None = None,
    is_checking: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """Returns the HTTP service as an ASGI application.

    hosts: see Gate. is_checking: whether the vectors may not be used yet.
    """
    service = Service(answer_query, passage_count, reranks, is_checking)
    app = FastAPI(title="rocketqa serve", openapi_url=None, redirect_slashes=False)
    app.add_middleware(Gate, hosts=hosts, refuse=service.refuse)
    app.add_exception_handler(RequestValidationError, service.refuse_invalid)
    app.add_exception_handler(HTTPException, service.refuse_http_error)
    app.add_exception_handler(DataError, service.refuse_data_error)
    app.add_exception_handler(Exception, service.refuse_failure)
    app.add_api_route("/health", service.health, methods=["GET", "HEAD"])
    app.add_api_route("/search", service.search, methods=["POST"])
    app.add_api_route("/", service.page, methods=["GET", "HEAD"])
    return app


def first_error(errors: Sequence[Any]) -> str:
    """Returns the first of pydantic's errors as one line: the place and what is expected there."""
    error = errors[0]
    inner = [str(place) for place in error["loc"] if place not in OUTER_PLACES]
    place = ".".join(inner) or "body"
    return f"{place}: {error['msg']}"


def _asks_for_page(scope: Scope) -> bool:
    """Returns whether a request comes from a browser that shows its response to a person."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] in ("GET", "HEAD") and b"text/html" in accepted.lower()


def _request_of_form(form: Form) -> SearchRequest:
    """Returns the request of the page's form. Raises ValidationError on a wrong query or depth."""
    depth = form.depth
    is_number = depth.isdecimal() and len(depth) <= MOST_DEPTH_DIGITS
    wanted_depth = int(depth) if is_number else depth
    fields = {"query": form.query, "depth": wanted_depth}
    return SearchRequest.model_validate(fields)


def _wrong_field(form: Form, error: ValidationError) -> tuple[str, str]:
    """Returns the first wrong field of the page's form, and what is wrong in the page's words."""
    field = str(error.errors()[0]["loc"][0])
    if field == "depth":
        got = form.depth[:SHOWN_CHARACTERS] or "nothing"
        expected = f"a whole number from 1 to {LARGEST_DEPTH}"
        return field, f"Passages to show: expected {expected}, got {got}"
    if len(form.query) > LONGEST_QUERY:
        got = f"{len(form.query)} characters"
        return field, f"Query: expected at most {LONGEST_QUERY} characters, got {got}"
    return field, "Query: expected text, got only blanks or a NUL"


def _answer_object(rank: int, answer: Answer) -> dict[str, object]:
    """Returns an answer as the object that JSON holds."""
    return {
        "rank": rank,
        "score": answer.score,
        "passage_id": answer.passage_id,
        "title": answer.title,
        "text": answer.text,
    }
