"""A real browser for tests: Chromium, driven by chromedriver over HTTP (the W3C's WebDriver)."""

import json
import shutil
import subprocess
import urllib.request
from contextlib import contextmanager
from pathlib import Path

from misbehaving_server import wait_until

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
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for a reference to one
INSTALLED = bool(shutil.which("chromium") and shutil.which("chromedriver"))


class Browser:
    """A window: `call` is a command of WebDriver, the others are what a person does."""

    def __init__(self, address: str):
        self.address = address

    def call(self, method: str, path: str, **parameters):
        body = json.dumps(parameters).encode() if method == "POST" else None
        request = urllib.request.Request(
            self.address + path, body, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            return json.load(response)["value"]

    def visit(self, url: str) -> None:
        self.call("POST", "/url", url=url)

    def run(self, script: str, *arguments):
        """Returns what JavaScript returns."""
        return self.call("POST", "/execute/sync", script=script, args=arguments)

    def _found(self, css: str) -> str:
        return "/element/" + self.call("POST", "/element", using="css selector", value=css)[ELEMENT]

    def type(self, css: str, text: str) -> None:
        """Replaces what stands in a field."""
        field = self._found(css)
        self.call("POST", f"{field}/clear")
        self.call("POST", f"{field}/value", text=text)

    def follow(self, css: str) -> None:
        """Clicks on what leads to another page, and returns when that is there."""
        self.run("window.left = true")
        self.call("POST", f"{self._found(css)}/click")
        wait_until(lambda: self.run("return !window.left && document.readyState == 'complete'"))

    def texts(self, css: str) -> list[str]:
        """Returns what is seen of each element, as it is seen."""
        return self.run(
            "return [...document.querySelectorAll(arguments[0])].map(each => each.innerText)", css
        )


@contextmanager
def chromium(profile: Path):
    """Gives a browser with a new, empty profile."""
    driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        started = next(line for line in driver.stdout if "started successfully on port" in line)
        browser = Browser(
            f"http://127.0.0.1:{started.rsplit(' ', 1)[1].strip().strip('.')}/session"
        )
        options = {"args": [*FLAGS, f"--user-data-dir={profile}"]}
        session = browser.call(
            "POST", "", capabilities={"alwaysMatch": {"goog:chromeOptions": options}}
        )["sessionId"]
        browser.address += f"/{session}"
        try:
            yield browser
        finally:
            browser.call("DELETE", "")
    finally:
        driver.terminate()
        driver.wait()
        driver.stdout.close()
