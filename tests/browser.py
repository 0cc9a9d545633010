"""A real browser for tests: Chromium, driven by chromedriver over HTTP (the W3C's WebDriver)."""

import base64
import json
import shutil
import subprocess
import urllib.request
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

from waiting import wait_until

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's key for a reference to an element
INSTALLED = bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """A window: `call` sends a command of WebDriver, the other methods do what a person does."""

    def __init__(self, address: str):
        self.address = address

    def call(self, method: str, path: str, **parameters):
        """Returns the value that WebDriver answers to a command."""
        body = json.dumps(parameters).encode() if method == "POST" else None
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, body, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["value"]

    def visit(self, url: str) -> None:
        """Opens a page."""
        self.call("POST", "/url", url=url)

    def run(self, script: str, *arguments):
        """Returns what a piece of JavaScript returns."""
        return self.call("POST", "/execute/sync", script=script, args=arguments)

    def _element(self, css: str) -> str:
        reference = self.call("POST", "/element", using="css selector", value=css)
        return f"/element/{reference[ELEMENT]}"

    def type(self, css: str, text: str) -> None:
        """Replaces the text in a field."""
        field = self._element(css)
        self.call("POST", f"{field}/clear")
        self.call("POST", f"{field}/value", text=text)

    def press(self, keys: str) -> None:
        """Presses keys one after the other, in whatever has the focus."""
        strokes = []
        for key in keys:
            strokes.append({"type": "keyDown", "value": key})
            strokes.append({"type": "keyUp", "value": key})
        keyboard = {"type": "key", "id": "keyboard", "actions": strokes}
        self.call("POST", "/actions", actions=[keyboard])

    def be_a_screen(self, width: int, height: int, is_phone: bool) -> None:
        """Shows pages as on a screen of a size in CSS pixels; a phone obeys the page's viewport."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone}
        command = "Emulation.setDeviceMetricsOverride"
        self.call("POST", "/goog/cdp/execute", cmd=command, params=size)

    def picture(self) -> bytes:
        """Returns what the screen shows, as PNG."""
        return base64.b64decode(self.call("GET", "/screenshot"))

    def follow(self, css: str) -> None:
        """Clicks on an element that leads to another page, and waits until that page is loaded."""
        self.follow_from(lambda: self.call("POST", f"{self._element(css)}/click"))

    def follow_from(self, act: Callable[[], object]) -> None:
        """Does what leads to another page, and waits until that page is loaded."""
        self.run("window.left = true")
        act()
        wait_until(lambda: self.run("return !window.left && document.readyState == 'complete'"))

    def texts(self, css: str) -> list[str]:
        """Returns the visible text of each element."""
        script = "return [...document.querySelectorAll(arguments[0])].map(each => each.innerText)"
        return self.run(script, css)


@contextmanager
def chromium(profile: Path):
    """Gives a browser with a new, empty profile."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        started = next(line for line in driver.stdout if "started successfully on port" in line)
        port = started.rsplit(" ", 1)[1].strip().strip(".")
        browser = Browser(f"http://127.0.0.1:{port}/session")
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        capabilities = {"alwaysMatch": {"goog:chromeOptions": options}}
        session = browser.call("POST", "", capabilities=capabilities)
        browser.address += f"/{session['sessionId']}"
        try:
            yield browser
        finally:
            browser.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait()
        driver.stdout.close()
