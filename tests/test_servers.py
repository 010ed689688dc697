"""Servers that aren't ours, with small models made here: transformers serve, and llama.cpp where it is installed."""

import csv
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.assistant import Assistant
from bot.reply import reply_to_csv
from bot.responders import Asked

# A server begins by importing half a gigabyte: seconds, or minutes where others are at work.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

POST = "# Resting coffee\n\nCoffee should rest for ten days after roasting. Keep the bag closed.\n"
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}{% if message.role == 'assistant' %} {{ message.content }}"
    "{{ eos_token }}{% else %}[INST] {{ message.content }} [/INST]{% endif %}{% endfor %}"
)
BEGUN = 600  # seconds that a server has to begin


@pytest.fixture(scope="module")
def served_base(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small Mistral with a tokenizer.json and a chat template, as servers want them."""
    from transformers import AutoTokenizer

    folder = tmp_path_factory.mktemp("served") / "nell"
    shutil.copytree(tiny_base, folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    return folder


@contextmanager
def running(command: list[str], port: int, folder: Path) -> Iterator[str]:
    """A server's address, once it answers; it is ended at the end."""
    log = folder / "server.log"
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with open(log, "wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment, cwd=folder)
    try:
        until = time.monotonic() + BEGUN
        while not _answers(f"http://127.0.0.1:{port}/v1/models"):  # any answer: one may need a cache to list models
            assert time.monotonic() < until, "the server did not begin"
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
                raise AssertionError(log.read_text("utf-8", "replace")[-2000:])
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=5) as response:
            return bool(response.status == 200)
    except OSError as error:
        return isinstance(error, urllib.error.HTTPError)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def transformers_server(served_base: Path) -> Iterator[str]:
    port = free_port()
    tool = Path(sys.executable).with_name("transformers")
    command = [str(tool), "serve", str(served_base), "--port", str(port), "--host", "127.0.0.1", "--device", "cpu"]
    with running(command, port, served_base.parent) as address:
        yield address


@pytest.fixture(scope="module")
def llama_server(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if find_spec("llama_cpp") is None:
        pytest.skip("llama-cpp-python isn't installed: pip install 'shawgpt[llamacpp]' compiles it")
    from gguf_base import write_base

    folder = tmp_path_factory.mktemp("llama")
    model = write_base(tiny_base, folder / "nell.gguf")
    port = free_port()
    command = [sys.executable, "-m", "llama_cpp.server", "--model", str(model), "--port", str(port), "--n_ctx", "1024",
               "--n_threads", "1"]  # fmt: skip
    with running(command, port, folder) as address:
        yield address


@pytest.fixture(params=["transformers", "llama.cpp"])
def served(request: pytest.FixtureRequest, served_base: Path) -> Asked:
    """What asks each server for its model."""
    ours = request.param == "transformers"
    address = request.getfixturevalue("transformers_server" if ours else "llama_server")
    model = str(served_base) if ours else "nell"
    limits = ("max_tokens=24", "temperature=0.5", "stop=@@", "frequency_penalty=0.2")
    return Asked(f"openai:{model}", base_url=address, sampling=limits, calls=("together=8",))


@pytest.fixture
def desk(assistant: Assistant, write: Callable[[str, str], str], served: Asked) -> Assistant:
    assistant.ingest([write("coffee.md", POST)], "default")
    assistant.use(asked=served)
    return assistant


def test_eight_comments_at_once_are_answered_and_counted(desk, write, tmp_path):
    comments = Path(write("comments.csv", "Comment\n" + "Thank you so much!\nLoved this one :)\n" * 4))
    output = tmp_path / "replies.csv"
    by, together = desk.writing.written_by, desk.responder.together
    state = reply_to_csv(comments, output, desk.drafts, by, together=lambda: together)
    with open(output, encoding="utf-8", newline="") as file:
        made = list(csv.DictReader(file))
    assert state.done == len(made) == 8
    assert not state.counts["failed"], [row["flags"] for row in made]
    assert {row["responder"] for row in made} == {str(by)}
    assert all(row["reply"] or "the model wrote nothing" in row["flags"] for row in made)
    assert any(row["reply"] for row in made)
    used = desk.usage
    assert used.input_tokens > 8 * 50
    assert 8 <= used.output_tokens <= 8 * 24


def test_answer_grows_and_is_counted(desk, served):
    *pieces, answer = desk.stream_answer("How long should coffee rest after roasting?")
    assert answer.status in ("answered", "abstained"), answer.reason  # its English is gibberish
    assert len(pieces) > 1
    assert "".join(pieces).strip()
    if served.responder == "openai:nell":  # llama.cpp from Python doesn't count what it streams
        assert answer.usage is None
    else:
        assert answer.usage.input_tokens > 50
        assert answer.usage.output_tokens >= 1
        assert answer.as_json()["usage"]["cost"] is None
