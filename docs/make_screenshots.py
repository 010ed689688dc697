"""Take the pictures of the page in docs/screenshots, with the sample channel in it.

    python docs/make_screenshots.py [--all FOLDER]

`--all` also takes every tab at 1280 and 390 pixels, light and dark, into FOLDER, to be looked at. Needs chromium.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "data/sample"
OUT = Path(__file__).parent / "screenshots"
HOME = Path(tempfile.gettempdir()) / "nell"  # shown on the pictures
SHAWGPT = [sys.executable, "-c", "from bot.cli import main; main()"]
QUESTIONS = ("How long should espresso rest after roasting?", "Which laptop do you edit your videos on?")


def prepare(folder: Path) -> None:
    """A work folder with the sample documents, past replies and drafts."""
    shutil.copytree(SAMPLE / "posts", folder / "posts")
    shutil.copytree(SAMPLE / "pdfs", folder / "pdfs")
    (folder / ".shawgpt/personas").mkdir(parents=True)
    shutil.copy(SAMPLE / "nell.yaml", folder / ".shawgpt/personas")
    for command in (
        ["ingest", "posts", "pdfs"],
        ["ingest", str(SAMPLE / "handbook/staff-handbook.pdf"), "--into", "handbook"],
        ["import", "replies", str(SAMPLE / "past_replies.csv")],
        ["reply", str(SAMPLE / "comments.csv"), "-o", "replies.csv", "--persona", "nell"],
    ):
        subprocess.run([*SHAWGPT, *command], cwd=folder, check=True, env=environment())


def environment() -> dict[str, str]:
    """Ours, with the project importable from another folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "SHAWGPT_HOME": ".shawgpt", "HOME": str(HOME)}


def walk(page: Page, take: "Take") -> None:
    """Use each tab as a visitor would, and take its picture."""
    for question in QUESTIONS:
        page.get_by_placeholder("Ask your documents").fill(question)
        page.keyboard.press("Enter")
        page.get_by_text(question).wait_for()
        page.get_by_text("Responder: extractive").nth(QUESTIONS.index(question)).wait_for()
    page.get_by_role("button", name="Open source 1").first.click()
    page.get_by_role("dialog").get_by_role("button", name="Close").wait_for()
    take("ask")
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Replies").click()
    page.get_by_text("40 of 40 done").wait_for()
    page.locator(".sg-card").nth(39).wait_for(state="attached")
    take("replies")
    tab = page.get_by_role("tab", name="Playground")
    if not tab.is_visible():  # on a phone it is behind the dots
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown").get_by_text("Playground")
    tab.click()
    page.locator("#play-text textarea").fill(QUESTIONS[0])
    page.keyboard.press("Enter")
    page.locator("#play-result-A .sg-verdict").wait_for()
    take("playground")
    page.get_by_role("tab", name="Documents").click()
    page.get_by_text("9 documents").wait_for()
    take("documents")
    page.get_by_label("Knowledge base").click()
    page.get_by_role("option", name="handbook").click()
    page.get_by_text("1 document, ").wait_for()
    page.get_by_role("tab", name="Ask").click()
    page.get_by_placeholder("Ask your documents").fill("How long is a reserved book kept?")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Open source 1").first.click()
    page.get_by_role("button", name="Show the page").click()
    page.get_by_text("Page 3 of 4").wait_for()
    page.locator("dialog.sg-viewer img").wait_for()
    take("page-picture")
    page.keyboard.press("Escape")


class Take:
    """Saves a picture of the page under a name."""

    def __init__(self, page: Page, folder: Path, suffix: str = "") -> None:
        self.page, self.folder, self.suffix = page, folder, suffix

    def __call__(self, name: str) -> None:
        self.page.wait_for_timeout(700)  # for transitions to end; a picture has no event to wait for
        self.page.screenshot(path=self.folder / f"{name}{self.suffix}.png")


def main() -> None:
    """Serve the sample on a free port and go through it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", type=Path, metavar="FOLDER")
    chosen = parser.parse_args()
    folder = HOME / "coffee"
    shutil.rmtree(HOME, ignore_errors=True)
    try:
        prepare(folder)
        command = [*SHAWGPT, "serve", "--port", "0", "--persona", "nell"]
        server = subprocess.Popen(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
        assert server.stdout is not None
        address = next(word for word in server.stdout.readline().split() if word.startswith("http"))
        try:
            with sync_playwright() as playwright:
                arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
                browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=arguments)
                sizes = ((1280, 900), (390, 844)) if chosen.all else ((1280, 900),)
                for width, height in sizes:
                    for scheme in ("light", "dark") if chosen.all else ("light",):
                        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
                        page.goto(address)
                        suffix = f"-{width}-{scheme}" if chosen.all else ""
                        (chosen.all or OUT).mkdir(parents=True, exist_ok=True)
                        walk(page, Take(page, chosen.all or OUT, suffix))
                        page.close()
                browser.close()
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(HOME)


if __name__ == "__main__":
    main()
