"""What the tests share: one embedding model a session, and a work folder a test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pages import CHROMIUM, QUIET
from playwright.sync_api import Browser, sync_playwright

from bot.assistant import Assistant
from data.embedding import Embedder, load_embedder


@pytest.fixture(scope="session")
def embedder() -> Embedder:
    """The default embedding model, loaded once."""
    return load_embedder()


@pytest.fixture(scope="session")
def tiny_base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small real Mistral, trained once a session (see tiny.py)."""
    import torch
    from tiny import make_base

    torch.set_num_threads(1)  # two threads on busy cores wait for each other, ten times as long as they work
    return make_base(tmp_path_factory.mktemp("tiny") / "base")


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
