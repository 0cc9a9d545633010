"""The search page, as bytes and in a real browser."""

import urllib.parse

import browser
import pytest
from tiny_service import HARM, asked, searched


def page(port: int, **form: str):
    return asked(port, "GET", "/?" + urllib.parse.urlencode(form))


def test_the_page_shows_the_answers_and_escapes_what_it_shows(port):
    status, headers, empty = page(port)
    assert status == 200 and headers["Content-Type"].startswith("text/html") and "<ol>" not in empty
    assert empty.count("<form") == 1 and "<script" not in empty and "http" not in empty
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    status, _, shown = page(port, query='w1 "><script>alert(2)</script>', depth="41")
    assert (
        status == 200
        and shown.count("<li>") == 41
        and "<script" not in shown
        and "<b>" not in shown
    )
    assert 'value="w1 &quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;"' in shown
    assert (
        "&lt;b&gt;title&lt;/b&gt;" in shown
        and "p&lt;i&gt;&amp;," in shown
        and "&#x27;w7&#x27; {query}" in shown
    )


@pytest.mark.parametrize(
    "form",
    [
        {"query": "w" * 2001},
        {"query": "w1\0"},
        *({"query": "w1", "depth": depth} for depth in ("0", "<b>", "", "9" * 5000)),
    ],
)
def test_the_page_says_what_it_does_not_take(port, form):
    status, _, shown = page(port, **form)
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
    expected = searched(port, "w1 w2", 3)
    assert window.texts("li strong") == [answer["title"] for answer in expected]
    assert window.texts("li small") == [
        f"{answer['passage_id']}, {answer['score']:.6g}" for answer in expected
    ]
    assert window.texts("li p:last-child") == [answer["text"] for answer in expected]
    assert window.run("return [...document.forms[0].elements].map(each => each.value)") == [
        "w1 w2",
        "3",
        "",
    ]
    submit(window, "w4", "1")
    assert window.texts("li p:last-child") == [searched(port, "w4", 1)[0]["text"]]


def test_hostile_texts_are_shown_and_do_not_run(window):
    submit(window, HARM, "41")
    assert HARM in window.texts("li p:last-child") and "<b>title</b>" in window.texts("li strong")
    assert window.run("return document.forms[0].query.value") == HARM and window.texts("title") == [
        f"{HARM} - search"
    ]
    assert window.run("return document.querySelectorAll('script, b, i').length") == 0
    assert window.run("return window.ran || null") is None
    window.run(
        "document.body.appendChild(document.createElement('script')).text = 'window.ran = 1'"
    )
    assert window.run("return window.ran || null") is None  # a script that got in would not run


def test_a_browser_shows_what_is_not_taken(window):
    submit(window, "w" * 2001, "3")
    assert window.texts("p") == [
        "query: String should have at most 2000 characters"
    ] and not window.texts("li")
    window.visit(window.run("return location.origin") + "/?query=w1&depth=0")
    assert window.texts("p") == ["depth: Input should be greater than or equal to 1"]
