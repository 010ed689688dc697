"""The page in a real browser against a server of its own process: what the tests of its tabs share."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: `make browser` installs it")
browser_test = [pytest.mark.browser, needs_browser]
MAIN = "from bot.cli import main; main()"
expect.set_options(timeout=60_000)  # milliseconds: the first question waits for the models


def start(
    home: Path, *options: str, program: Sequence[str] = (MAIN,), port: int = 0, **environment: str
) -> tuple[subprocess.Popen[str], str]:
    """`shawgpt serve` as a process, and its address; `program` is the Python that runs it, with its arguments."""
    command = [sys.executable, "-c", *program, "--home", str(home), "serve", "--port", str(port), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert "http://" in line, process.communicate()[1]
    return process, next(word for word in line.split() if word.startswith("http://"))


def stop(process: subprocess.Popen[str]) -> None:
    """Ctrl-C, and the end."""
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)


@contextmanager
def serving(
    home: Path, *options: str, program: Sequence[str] = (MAIN,), port: int = 0, **environment: str
) -> Iterator[str]:
    """The address of a server that is there as long as the context."""
    process, url = start(home, *options, program=program, port=port, **environment)
    try:
        yield url
    finally:
        stop(process)


@contextmanager
def session(browser: Browser, width: int = 1280, height: int = 860) -> Iterator[BrowserContext]:
    """A browser session that fails the test where anything outside is asked for, or what a stranger wrote has run."""
    made = browser.new_context(viewport={"width": width, "height": height})
    outside: list[str] = []
    made.on("request", lambda request: outside.append(request.url) if is_outside(request.url) else None)
    yield made
    assert all(page.evaluate("window.hacked") is None for page in made.pages)
    made.close()
    assert outside == []


def is_outside(url: str) -> bool:
    """Whether a request leaves this computer."""
    return not url.startswith(("http://127.0.0.1:", "blob:http://127.0.0.1:", "data:"))


def open_page(context: BrowserContext, url: str) -> Page:
    """The page, once the tab that it opens at is there."""
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(url)
    expect(page.locator("#talk .sg-empty, #talk .sg-talk, #sql-question, #quotes-who").first).to_be_visible()
    return page


def tab(page: Page, name: str) -> None:
    """Choose a tab."""
    page.get_by_role("tab", name=name).click()


def ask(page: Page, question: str) -> None:
    """Ask on the Ask tab."""
    page.locator("#question textarea").fill(question)
    page.keyboard.press("Enter")
