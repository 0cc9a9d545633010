"""The search page of the HTTP service as HTML: page.html with a query and its answers filled in.

Its one script asks whether the service is there before a search, and says so where it has ended;
without scripts the footer says what to do then.
"""

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import NamedTuple

from rocketqa.search.answer import Answer, ScoreKind, shown_parts

TEMPLATE = Path(__file__).with_name("page.html")
INTRODUCTION = (
    '<p class="note">Write what you want to know, in the language of the passages. '
    "The passages that answer best come first.</p>"
)
INVALID = ' aria-invalid="true" aria-describedby="refusal"'
FOCUSED = " autofocus"


class Form(NamedTuple):
    """What stands in the form of the page, as plain text."""

    query: str = ""
    depth: str = "10"


class SearchPage:
    """The pages over one collection.

    kind: of the scores. largest_depth: of the form.
    """

    def __init__(self, passage_count: int, kind: ScoreKind, largest_depth: int):
        self.passage_count = passage_count
        self.kind = kind
        self.largest_depth = largest_depth
        self._template = Template(TEMPLATE.read_text(encoding="utf-8"))

    def empty(self, form: Form) -> str:
        """Returns the page before a search, with the cursor in the field of the query."""
        return self._fill(form, "Search", INTRODUCTION, query_state=FOCUSED)

    def found(self, form: Form, answers: Sequence[Answer]) -> str:
        """Returns the page with the answers to a query, the best first.

        No field has the cursor, so that the keys scroll the answers.
        """
        content = answer_list(answers, self.kind)
        return self._fill(form, f"{form.query} - search", content)

    def refused(self, form: Form, message: str, wrong_field: str = "") -> str:
        """Returns the page with a message. wrong_field: query or depth, if one is to be mended."""
        title = f"Error: {form.query} - search" if form.query else "Error - search"
        content = (
            f'<p id="refusal" role="alert"><strong>No answer:</strong> {html.escape(message)}</p>'
        )
        states = {}
        if wrong_field:
            states[f"{wrong_field}_state"] = INVALID + FOCUSED
        return self._fill(form, title, content, **states)

    def _fill(
        self,
        form: Form,
        title: str,
        content: str,
        query_state: str = "",
        depth_state: str = "",
    ) -> str:
        """Returns the page. content: HTML below the form. The states: attributes of the fields."""
        return self._template.substitute(
            title=html.escape(title),
            heading=f"Search {counted_passages(self.passage_count)}",
            query=html.escape(form.query),
            query_state=query_state,
            depth=html.escape(form.depth),
            depth_state=depth_state,
            largest_depth=self.largest_depth,
            content=content,
        )


def answer_list(answers: Sequence[Answer], kind: ScoreKind) -> str:
    """Returns answers as a heading, the meaning of their scores, and an HTML list, best first."""
    items = [_answer_item(answer, kind) for answer in answers]
    lines = [
        f"<h2>{counted_passages(len(answers))}</h2>",
        f'<p class="note">Best first. {kind.meaning}</p>',
        '<ol lang="">',
        *items,
        "</ol>",
    ]
    return "\n".join(lines)


def counted_passages(count: int) -> str:
    """Returns a number of passages in words: 1 passage, 1,000 passages."""
    return f"{count:,} passage" if count == 1 else f"{count:,} passages"


def _answer_item(answer: Answer, kind: ScoreKind) -> str:
    """Returns an answer as an item of the list, whose number is the rank."""
    passage_id = html.escape(answer.passage_id)
    text = html.escape(answer.text)
    parts = f"{shown_parts(answer, kind)}, " if kind.parts else ""
    title = ""
    if answer.title:
        title = f'<h3 dir="auto">{html.escape(answer.title)}</h3>'
    return (
        f'<li>{title}<p class="score" lang="en">{kind.unit} {answer.score:.6g}, '
        f'{parts}passage <bdi>{passage_id}</bdi></p><p dir="auto">{text}</p></li>'
    )
