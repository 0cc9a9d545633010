"""The search page of the HTTP service as HTML: page.html with a query and its answers filled in."""

import html
from collections.abc import Sequence
from pathlib import Path
from string import Template

from rocketqa.search.answer import Answer

TEMPLATE = Path(__file__).with_name("page.html")


def load_template() -> Template:
    """Returns the template of the page."""
    return Template(TEMPLATE.read_text(encoding="utf-8"))


def fill_page(template: Template, query: str, depth: str, content: str, largest_depth: int) -> str:
    """Returns the page as HTML, with query and depth in its form.

    query, depth: plain text, which is escaped here. content: HTML below the form.
    """
    escaped_query = html.escape(query)
    title = f"{escaped_query} - search" if query else "Search"
    return template.substitute(
        title=title,
        query=escaped_query,
        depth=html.escape(depth),
        largest_depth=largest_depth,
        content=content,
    )


def answer_list(answers: Sequence[Answer]) -> str:
    """Returns answers as an HTML list, the best first."""
    items = [_answer_item(answer) for answer in answers]
    return "<ol>\n" + "\n".join(items) + "\n</ol>"


def error_paragraph(message: str) -> str:
    """Returns a message as an HTML paragraph."""
    return f"<p>{html.escape(message)}</p>"


def _answer_item(answer: Answer) -> str:
    title = html.escape(answer.title)
    passage_id = html.escape(answer.passage_id)
    text = html.escape(answer.text)
    return (
        f"<li><p><strong>{title}</strong> <small>{passage_id}, {answer.score:.6g}</small></p>"
        f"<p>{text}</p></li>"
    )
