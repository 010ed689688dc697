"""What the tests share: one embedding model a session, and a work folder a test."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pages import CHROMIUM, QUIET
from playwright.sync_api import Browser, sync_playwright

from bot.assistant import Assistant
from data.embedding import Embedder, load_embedder

LONGEST = ("training", "page", "playground", "eval_replies", "tuned_replies", "service", "local_model", "export")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest first, so that no process is left with one at the end (`-n`)."""
    order = {f"test_{name}": place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The default embedding model, loaded once."""
    return load_embedder()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small real Mistral, trained once for all processes of a run (see tiny.py)."""
    import torch
    from filelock import FileLock
    from tiny import make_base

    torch.set_num_threads(1)  # two threads on busy cores wait for each other, ten times as long as they work
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "tiny" / "base"
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not folder.exists():
            make_base(folder.with_suffix(".made")).rename(folder)
    return folder


@pytest.fixture
def assistant(tmp_path: Path, embedder: Embedder) -> Iterator[Assistant]:
    """An assistant that may write, with an empty work folder."""
    with Assistant(tmp_path / "home", "test", writing=True) as made:
        made.__dict__["embedder"] = embedder
        yield made


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], str]:
    """Write a file below the test's folder and say its path."""

    def write_file(name: str, text: str) -> str:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write_file


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, started once a file."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield started
        started.close()
