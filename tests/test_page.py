"""The search page, as bytes and in a real browser."""

import urllib.parse

import browser
import pytest
from tiny_service import HOSTILE_TEXT, search_answers, send_request

from rocketqa.search.answer import Answer
from rocketqa.search.page import answer_list, error_paragraph, fill_page, load_template

EMPTY_PAGE = """<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Search</title>
<style>
body { font: 1rem/1.5 sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
form { display: flex; gap: .5rem } input[name=query] { flex: 1 } \
input, button { font: inherit; padding: .3rem }
li { margin: 1rem 0; overflow-wrap: anywhere } small { color: #666 } p { margin: 0 }
</style>
<form action="/" method="get" role="search">
<input name="query" value="" aria-label="Query" required autofocus>
<input name="depth" value="10" type="number" min="1" max="100" aria-label="Number of passages">
<button>Search</button>
</form>

</html>
"""


def get_page(port: int, **form: str):
    return send_request(port, "GET", "/?" + urllib.parse.urlencode(form))


def test_the_bytes_of_the_empty_page_are_fixed(port):
    assert fill_page(load_template(), "", "10", "", 100) == EMPTY_PAGE
    assert get_page(port)[2] == EMPTY_PAGE


def test_the_form_and_the_title_hold_the_query_as_text():
    filled = fill_page(load_template(), '<b> "$depth" & {x}', "<7>", "<ol>$title</ol>", 100)
    assert "<title>&lt;b&gt; &quot;$depth&quot; &amp; {x} - search</title>" in filled
    assert 'value="&lt;b&gt; &quot;$depth&quot; &amp; {x}"' in filled
    assert 'value="&lt;7&gt;"' in filled
    assert "\n<ol>$title</ol>\n</html>\n" in filled


def test_answers_are_a_list_with_escaped_texts():
    answers = [Answer("p&1", "<b>", "x < y", 7.512345678), Answer("p2", "", "z", -1e-9)]
    assert answer_list(answers) == (
        "<ol>\n"
        "<li><p><strong>&lt;b&gt;</strong> <small>p&amp;1, 7.51235</small></p>"
        "<p>x &lt; y</p></li>\n"
        "<li><p><strong></strong> <small>p2, -1e-09</small></p><p>z</p></li>\n"
        "</ol>"
    )
    assert error_paragraph("a < b") == "<p>a &lt; b</p>"


def test_the_page_shows_the_answers_and_escapes_what_it_shows(port):
    status, headers, empty = get_page(port)
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "<ol>" not in empty
    assert empty.count("<form") == 1 and "<script" not in empty and "http" not in empty
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, _, shown = get_page(port, query='w1 "><script>alert(2)</script>', depth="41")
    assert status == 200 and shown.count("<li>") == 41
    assert "<script" not in shown and "<b>" not in shown
    assert 'value="w1 &quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;"' in shown
    assert "&lt;b&gt;title&lt;/b&gt;" in shown and "p&lt;i&gt;&amp;," in shown
    assert "&#x27;w7&#x27; {query} $query" in shown


@pytest.mark.parametrize(
    "form",
    [
        {"query": "w" * 2001},
        {"query": "w1\0"},
        *({"query": "w1", "depth": depth} for depth in ("0", "<b>", "", "9" * 5000)),
    ],
)
def test_the_page_says_what_it_does_not_take(port, form):
    status, _, shown = get_page(port, **form)
    assert status == 422 and "<p>" in shown and "<b>" not in shown and "<form" in shown


@pytest.fixture(scope="module")
def window(tmp_path_factory, port):
    """A browser that shows the page."""
    if not browser.INSTALLED:
        pytest.skip("chromium and chromedriver are not installed")
    with browser.chromium(tmp_path_factory.mktemp("profile")) as opened:
        opened.visit(f"http://localhost:{port}/")
        yield opened


def submit(window, query: str, depth: str) -> None:
    window.type("[name=query]", query)
    window.type("[name=depth]", depth)
    window.follow("button")


def test_a_person_finds_passages_in_a_browser(port, window):
    submit(window, "w1 w2", "3")
    expected = search_answers(port, "w1 w2", 3)
    assert window.texts("li strong") == [answer["title"] for answer in expected]
    ids_and_scores = [f"{answer['passage_id']}, {answer['score']:.6g}" for answer in expected]
    assert window.texts("li small") == ids_and_scores
    assert window.texts("li p:last-child") == [answer["text"] for answer in expected]
    values = window.run("return [...document.forms[0].elements].map(each => each.value)")
    assert values == ["w1 w2", "3", ""]
    submit(window, "w4", "1")
    assert window.texts("li p:last-child") == [search_answers(port, "w4", 1)[0]["text"]]


def test_hostile_texts_are_shown_and_do_not_run(window):
    submit(window, HOSTILE_TEXT, "41")
    assert HOSTILE_TEXT in window.texts("li p:last-child")
    assert "<b>title</b>" in window.texts("li strong")
    assert window.run("return document.forms[0].query.value") == HOSTILE_TEXT
    assert window.texts("title") == [f"{HOSTILE_TEXT} - search"]
    assert window.run("return document.querySelectorAll('script, b, i').length") == 0
    assert window.run("return window.ran || null") is None
    script = "document.body.appendChild(document.createElement('script')).text = 'window.ran = 1'"
    window.run(script)
    assert window.run("return window.ran || null") is None  # a script that got in would not run


def test_a_browser_shows_what_is_not_taken(window):
    submit(window, "w" * 2001, "3")
    assert window.texts("p") == ["query: String should have at most 2000 characters"]
    assert not window.texts("li")
    window.visit(window.run("return location.origin") + "/?query=w1&depth=0")
    assert window.texts("p") == ["depth: Input should be greater than or equal to 1"]
