"""The HTTP service over an encoded collection: JSON for programs and one plain page for people.

    GET /health
        {"status": "ok", "passages": 2067, "reranks": false}
        with a cross encoder, "rerank_depth" says how many passages it reads
        status 503 and "checking" while the vectors are compared with their digests, or
        status 503 and {"error": REASON} while queries are not answered
    POST /search {"query": TEXT, "depth": 10}
        {"query": TEXT, "answers": [{"rank": 1, "score": 7.5, "passage_id": ID,
         "title": TEXT, "text": TEXT}, ...]}
        with BM25, "vector_score" and "bm25_score" follow; null: it did not find the passage.
        where the cross encoder has a weight, "vector_score" and "relevance" follow
    GET /?query=TEXT&depth=10
        the same as an HTML page, with nothing from other servers

A depth is at most 100, and at most the number of passages that `--rerank-depth` has re-ranked.
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
from typing import Annotated

from fastapi import FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, Response
from pydantic import ValidationError
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.types import Scope

from rocketqa.files.errors import DataError
from rocketqa.search.answer import FIRST_QUERY, Answer, AnswerQuery, ScoreKind
from rocketqa.search.page import Form, SearchPage
from rocketqa.search.request_limits import HEADERS, Gate, refusal, refusal_headers
from rocketqa.search.search_request import (
    DEFAULT_DEPTH,
    LARGEST_DEPTH,
    SearchRequest,
    first_error,
    request_of_form,
    wrong_field,
)

SLOW_SECONDS = 60  # after which a search that has not ended makes the service unhealthy
FAILED = "the service failed; its own log says why"
CHECKING = "the vectors are still compared with their digests: call again soon"
JSON_TYPE = re.compile(r"application/([\w.-]+\+)?json\b")


class Service:
    """Answers requests by `answer_query`, one query at a time.

    rerank_depth: passages that a cross encoder re-ranks; None: there is none. largest_depth: of a
    request. No answers are computed for a client that has gone.
    """

    def __init__(
        self,
        answer_query: AnswerQuery,
        passage_count: int,
        rerank_depth: int | None,
        is_checking: Callable[[], bool] = lambda: False,
        largest_depth: int = LARGEST_DEPTH,
        fuses: bool = False,
        weighs: bool = False,
    ):
        self.answer_query = answer_query
        self.is_checking = is_checking
        self.passage_count = passage_count
        self.rerank_depth = rerank_depth
        self.largest_depth = largest_depth
        self.kind = ScoreKind(rerank_depth is not None, fuses, weighs)
        self.default_depth = min(DEFAULT_DEPTH, largest_depth)
        self._page = SearchPage(passage_count, self.kind, largest_depth)
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
        content: dict[str, object] = {
            "status": "checking" if is_checking else "ok",
            "passages": self.passage_count,
            "reranks": self.kind.reranks,
        }
        for name in ("fuses", "weighs"):
            if getattr(self.kind, name):
                content[name] = True
        if self.rerank_depth is not None:
            content["rerank_depth"] = self.rerank_depth
        return JSONResponse(content, 503 if is_checking else 200, HEADERS)

    async def search(self, wanted: SearchRequest, request: Request) -> JSONResponse:
        """Returns the answers to a query as JSON."""
        depth = self._depth_of(wanted)
        answers = await self._answers(wanted.query, depth, request)
        objects = []
        for rank, answer in enumerate(answers, 1):
            objects.append(_answer_object(rank, answer, self.kind))
        content = {"query": wanted.query, "answers": objects}
        return JSONResponse(content, headers=HEADERS)

    async def page(
        self,
        request: Request,
        query: str = "",
        depth: Annotated[str | None, Query()] = None,
    ) -> HTMLResponse:
        """Returns the search page: empty, with answers, or with an error about the form."""
        form = self._form(query, depth)
        if not query:
            return HTMLResponse(self._page.empty(form), headers=HEADERS)
        try:
            wanted = request_of_form(form, self.largest_depth)
        except ValidationError as error:
            field, message = wrong_field(form, error, self.largest_depth)
            page = self._page.refused(form, message, field)
            return HTMLResponse(page, 422, HEADERS)
        answers = await self._answers(wanted.query, wanted.depth, request)
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
        form = self._form(fields.get("query", ""), fields.get("depth"))
        page = self._page.refused(form, message)
        return HTMLResponse(page, status, refusal_headers(status, headers))

    def _form(self, query: str, depth: str | None) -> Form:
        """Returns the form of the page as it was filled in; an absent depth is the default."""
        return Form(query, str(self.default_depth) if depth is None else depth)

    def _depth_of(self, wanted: SearchRequest) -> int:
        """Returns the depth of a request, or the default where it names none.

        Raises HTTPException where it is larger than what is re-ranked.
        """
        if "depth" not in wanted.model_fields_set:
            return self.default_depth
        if wanted.depth > self.largest_depth:
            limit = self.largest_depth
            raise HTTPException(422, f"depth: Input should be less than or equal to {limit}")
        return wanted.depth

    async def _answers(self, query: str, depth: int, request: Request) -> Sequence[Answer]:
        """Returns the answers when it is the query's turn; none if the client has gone by then."""
        if self.is_checking():
            raise HTTPException(503, CHECKING, {"Retry-After": "5"})
        # After the body, the only message that can arrive is that the client has gone.
        await request.body()
        async with self._one_at_a_time:
            if await request.is_disconnected():
                return []
            return await self._search(query, depth)

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
    rerank_depth: int | None = None,
    hosts: frozenset[str] | None = None,
    is_checking: Callable[[], bool] = lambda: False,
    largest_depth: int = LARGEST_DEPTH,
    fuses: bool = False,
    weighs: bool = False,
) -> FastAPI:
    """Returns the HTTP service as an ASGI application.

    rerank_depth, largest_depth: see Service. hosts: see Gate. is_checking: whether the vectors may
    not be used yet. fuses, weighs: see ScoreKind.
    """
    service = Service(
        answer_query, passage_count, rerank_depth, is_checking, largest_depth, fuses, weighs
    )
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


def _asks_for_page(scope: Scope) -> bool:
    """Returns whether a request comes from a browser that shows its response to a person."""
    accepted = dict(scope["headers"]).get(b"accept", b"")
    return scope["method"] in ("GET", "HEAD") and b"text/html" in accepted.lower()


def _answer_object(rank: int, answer: Answer, kind: ScoreKind) -> dict[str, object]:
    """Returns an answer as the object that JSON holds."""
    content: dict[str, object] = {
        "rank": rank,
        "score": answer.score,
        "passage_id": answer.passage_id,
        "title": answer.title,
        "text": answer.text,
    }
    return content | {field: getattr(answer, field) for field in kind.parts}
