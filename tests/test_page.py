"""The search page, as bytes and in a real browser."""

import base64
import hashlib
import re
import urllib.parse

import browser
import pytest
from tiny_service import HOSTILE_TEXT, search_answers, send_request, serving
from waiting import wait_until

from rocketqa.search.answer import Answer, ScoreKind
from rocketqa.search.page import Form, SearchPage, answer_list, counted_passages

TAB = "\ue004"  # WebDriver's letters for keys
ENTER = "\ue007"
BACKSPACE = "\ue003"
PHONE = (390, 844, True)
DESK = (1280, 800, False)
SMALLEST_TARGET = 44  # CSS pixels that a finger hits
BROWSER_ACCEPTS = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGE = SearchPage(41, ScoreKind(), 100)


def get_page(port: int, **form: str):
    return send_request(port, "GET", "/?" + urllib.parse.urlencode(form))


def test_the_form_and_the_title_hold_the_query_as_text():
    filled = PAGE.found(Form('<b> "$depth" & {x}', "<7>"), [Answer("p", "$title", "{x} $x", 1.0)])
    assert "<title>&lt;b&gt; &quot;$depth&quot; &amp; {x} - search</title>" in filled
    assert 'value="&lt;b&gt; &quot;$depth&quot; &amp; {x}"' in filled
    assert 'value="&lt;7&gt;"' in filled
    assert ">$title</h3>" in filled and ">{x} $x</p>" in filled


def test_the_empty_page_has_a_heading_an_example_and_what_to_do_when_it_cannot_connect():
    empty = PAGE.empty(Form())
    assert empty.startswith('<!DOCTYPE html>\n<html lang="en">\n')
    assert "<title>Search</title>" in empty
    assert "<h1>Search 41 passages</h1>" in empty
    assert 'placeholder="for example: who wrote the first letter"' in empty
    assert "Passages to show, 1 to 100</label>" in empty
    assert "If the browser says\nthat it cannot connect, start the program again" in empty
    assert re.search('name="query"[^>]* required autofocus>', empty)


def test_answers_are_a_list_with_escaped_texts_and_the_unit_of_their_scores():
    answers = [Answer("p&1", "<b>", "x < y", 7.512345678), Answer("p2", "", "z", -1e-9)]
    meaning = (
        "The score is the dot product of the vectors of query and passage: a higher one means a "
        "better match, and there is no largest value."
    )
    score = '<p class="score" lang="en">dot product'
    assert answer_list(answers, ScoreKind()) == (
        "<h2>2 passages</h2>\n"
        f'<p class="note">Best first. {meaning}</p>\n'
        '<ol lang="">\n'
        f'<li><h3 dir="auto">&lt;b&gt;</h3>{score} 7.51235, passage <bdi>p&amp;1</bdi></p>'
        '<p dir="auto">x &lt; y</p></li>\n'
        f'<li>{score} -1e-09, passage <bdi>p2</bdi></p><p dir="auto">z</p></li>\n'
        "</ol>"
    )
    probable = answer_list([Answer("p", "", "z", 0.25)], ScoreKind(reranks=True))
    assert "probability of relevance 0.25, " in probable and "from 0 to 1" in probable
    assert "dot product" not in probable


def test_passages_are_counted_in_words():
    counts = [counted_passages(count) for count in (0, 1, 8841823)]
    assert counts == ["0 passages", "1 passage", "8,841,823 passages"]


def test_a_refusal_is_on_the_page_and_points_to_the_field_that_is_wrong():
    page = PAGE.refused(Form("a<b", "0"), "x < y", "depth")
    assert "<title>Error: a&lt;b - search</title>" in page
    assert '<p id="refusal" role="alert"><strong>No answer:</strong> x &lt; y</p>' in page
    depth_state = 'required aria-invalid="true" aria-describedby="refusal" autofocus>'
    assert page.count(depth_state) == 1 and page.count("aria-invalid=") == 1
    assert 'value="a&lt;b"' in page and 'value="0"' in page
    without_field = PAGE.refused(Form(), "Not Found")
    assert "<title>Error - search</title>" in without_field
    assert "aria-invalid=" not in without_field and "autofocus" not in without_field


def test_the_page_shows_the_answers_and_escapes_what_it_shows(port):
    status, headers, empty = get_page(port)
    assert status == 200 and headers["Content-Type"].startswith("text/html")
    assert "<ol" not in empty and "<h1>Search 41 passages</h1>" in empty
    assert get_page(port, query="", depth="10")[2] == empty
    assert empty.count("<form") == 1 and "http" not in empty
    script = re.findall("<script>(.*?)</script>", empty, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    allowed = f"default-src 'none'; script-src 'sha256-{digest}'; connect-src 'self';"
    assert headers["Content-Security-Policy"].startswith(allowed)
    status, _, shown = get_page(port, query='w1 "><script>alert(2)</script>', depth="41")
    assert status == 200 and shown.count("<li>") == 41
    assert shown.count("<script") == 1 and "<b>" not in shown
    assert 'value="w1 &quot;&gt;&lt;script&gt;alert(2)&lt;/script&gt;"' in shown
    assert "&lt;b&gt;title&lt;/b&gt;" in shown and "p&lt;i&gt;&amp;</bdi>" in shown
    assert "&#x27;w7&#x27; {query} $query" in shown


@pytest.mark.parametrize(
    "form",
    [
        {"query": "w" * 2001},
        {"query": "w1\0"},
        {"query": " \t"},
        *({"query": "w1", "depth": depth} for depth in ("0", "<b>", "", "9" * 5000)),
    ],
)
def test_the_page_says_what_it_does_not_take(port, form):
    status, _, shown = get_page(port, **form)
    assert status == 422 and 'role="alert"' in shown and "<b>" not in shown and "<form" in shown


@pytest.mark.parametrize(
    "form, message",
    [
        ({"query": " "}, "Query: expected text, got only blanks or a NUL"),
        ({"query": "w" * 2001}, "Query: expected at most 2000 characters, got 2001 characters"),
        (
            {"query": "w1", "depth": "9" * 5000},
            f"Passages to show: expected a whole number from 1 to 100, got {'9' * 20}",
        ),
        (
            {"query": "w1", "depth": ""},
            "Passages to show: expected a whole number from 1 to 100, got nothing",
        ),
    ],
)
def test_the_page_names_what_was_expected_in_the_words_of_its_labels(port, form, message):
    assert f"<strong>No answer:</strong> {message}</p>" in get_page(port, **form)[2]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_browser_gets_other_refusals_as_the_page_and_a_program_as_json(port, method):
    for path, host, status, message in (
        ("/nothing?query=w1+%3Cb%3E", "localhost", 404, "Not Found"),
        ("/search?query=w1+%3Cb%3E", "localhost", 405, "Method Not Allowed"),
        ("/?query=w1+%3Cb%3E", "evil.example", 400, "expected Host to be one of"),
    ):
        accept = BROWSER_ACCEPTS | {"Host": host}
        got, headers, page = send_request(port, method, path, **accept)
        assert got == status and headers["Content-Type"].startswith("text/html")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert method == "HEAD" or f"<strong>No answer:</strong> {message}" in page
        assert method == "HEAD" or 'value="w1 &lt;b&gt;"' in page
        got, headers, _ = send_request(port, method, path, Host=host, Accept="*/*")
        assert (got, headers["Content-Type"]) == (status, "application/json")


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


FORM_VALUES = "return [...document.forms[0].elements].map(each => each.value)"
ALERTS = "[role=alert]:not([hidden])"
FOCUSED = "return document.activeElement.name || document.activeElement.tagName"


def test_a_person_finds_passages_in_a_browser(port, window):
    submit(window, "w1 w2", "3")
    expected = search_answers(port, "w1 w2", 3)
    titles = [answer["title"] for answer in expected if answer["title"]]
    assert window.texts("li h3") == titles
    scores = []
    for answer in expected:
        scores.append(f"dot product {answer['score']:.6g}, passage {answer['passage_id']}")
    assert window.texts("li .score") == scores
    assert window.texts("li p:last-child") == [answer["text"] for answer in expected]
    assert window.texts("h1") == ["Search 41 passages"]
    assert window.texts("h2") == ["3 passages"]
    assert window.texts("title") == ["w1 w2 - search"]
    assert window.run(FORM_VALUES) == ["w1 w2", "3", ""]
    submit(window, "w4", "1")
    assert window.texts("li p:last-child") == [search_answers(port, "w4", 1)[0]["text"]]
    assert window.texts("h2") == ["1 passage"]


def test_the_keyboard_alone_is_enough(port, window):
    window.visit(f"http://localhost:{port}/")
    assert window.run(FOCUSED) == "query"
    window.press("w1 w2" + TAB)
    assert window.run(FOCUSED) == "depth"
    window.press(BACKSPACE * 2 + "3" + TAB)
    assert window.run(FOCUSED) == "BUTTON"
    window.follow_from(lambda: window.press(ENTER))
    assert len(window.texts("li")) == 3
    assert window.run(FOCUSED) == "BODY"  # the arrow keys scroll the answers
    window.press(TAB)
    assert window.run(FOCUSED) == "query"
    window.press(TAB)
    window.press(BACKSPACE + "2")
    window.follow_from(lambda: window.press(ENTER))  # in a field, too
    assert len(window.texts("li")) == 2 and window.run(FORM_VALUES) == ["w1 w2", "2", ""]


def test_the_field_or_button_with_the_focus_is_seen(port, window):
    window.visit(f"http://localhost:{port}/")
    outline = "const style = getComputedStyle(document.activeElement); "
    outline += "return [style.outlineStyle, parseFloat(style.outlineWidth)]"
    for name in ("query", "depth", "BUTTON"):
        assert window.run(FOCUSED) == name
        assert window.run(outline) == ["solid", 3]
        window.press(TAB)


def test_each_field_has_its_label_and_the_page_its_language(port, window):
    window.visit(f"http://localhost:{port}/")
    labels = "return [...document.querySelectorAll('input')].map(each => each.labels[0].innerText)"
    assert window.run(labels) == ["Query", "Passages to show, 1 to 100"]
    assert window.run("return document.documentElement.lang") == "en"
    window.run("document.querySelectorAll('label')[1].click()")
    assert window.run(FOCUSED) == "depth"


@pytest.mark.parametrize("screen", [PHONE, DESK])
def test_the_page_fits_its_screen(port, window, screen):
    window.be_a_screen(*screen)
    window.visit(f"http://localhost:{port}/?query=w1&depth=41")
    window.run("document.querySelector('li h3').textContent = 'w'.repeat(500)")
    window.run("document.querySelector('li p:last-child').textContent = 'w'.repeat(500)")
    widths = "return [innerWidth, document.documentElement.scrollWidth]"
    shown, needed = window.run(widths)
    assert shown == screen[0] and needed <= shown
    boxes = "return [...document.forms[0].elements].map(each => each.getBoundingClientRect())"
    for box in window.run(boxes):
        assert box["height"] >= SMALLEST_TARGET and box["right"] <= shown
    sizes = "return [...document.querySelectorAll('input, li p:last-child')].map("
    sizes += "each => parseFloat(getComputedStyle(each).fontSize))"
    assert min(window.run(sizes)) >= 16  # a phone would zoom in on smaller fields
    line = window.run("return document.querySelector('main').getBoundingClientRect().width")
    assert line <= 720 and window.picture().startswith(b"\x89PNG")


def test_hostile_texts_are_shown_and_do_not_run(window):
    submit(window, HOSTILE_TEXT, "41")
    assert HOSTILE_TEXT in window.texts("li p:last-child")
    assert "<b>title</b>" in window.texts("li h3")
    assert window.run("return document.forms[0].query.value") == HOSTILE_TEXT
    assert window.texts("title") == [f"{HOSTILE_TEXT} - search"]
    assert window.run("return document.querySelectorAll('script, b, i').length") == 1
    assert window.run("return window.ran || null") is None
    script = "document.body.appendChild(document.createElement('script')).text = 'window.ran = 1'"
    window.run(script)
    assert window.run("return window.ran || null") is None  # a script that got in would not run


def test_a_browser_shows_what_is_not_taken_with_the_cursor_where_to_mend_it(window):
    submit(window, "w" * 2001, "3")
    error = "No answer: Query: expected at most 2000 characters, got 2001 characters"
    assert window.texts(ALERTS) == [error]
    assert not window.texts("li") and window.run(FOCUSED) == "query"
    window.visit(window.run("return location.origin") + "/?query=w1&depth=0")
    error = "No answer: Passages to show: expected a whole number from 1 to 100, got 0"
    assert window.texts(ALERTS) == [error] and window.run(FOCUSED) == "depth"


def test_the_page_says_that_the_service_has_ended_and_keeps_the_query(encoded, window):
    with serving(encoded) as (service, port):
        window.visit(f"http://localhost:{port}/")
        submit(window, "w1 w2", "3")
        assert not window.texts(ALERTS)
        service.kill()
        service.wait()
        window.type("[name=query]", "w3 w4")
        window.press(ENTER)
        wait_until(lambda: window.texts(ALERTS))
    assert window.texts(ALERTS) == [
        "No answer: the program rocketqa serve does not answer. Start it again, then press Search "
        "again."
    ]
    assert window.run(FORM_VALUES) == ["w3 w4", "3", ""] and len(window.texts("li")) == 3
