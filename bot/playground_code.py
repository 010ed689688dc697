"""A configuration of the playground as a command and as a program that ask the same.

What a person typed stands in them as data: quoted for the shell, and as Python's own literals.
"""

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bot.playground import EXTRACTIVE, Configuration, Playground
from bot.providers import KINDS, Provider
from finetune.prompt import Message

KEY = "SHAWGPT_API_KEY"  # the environment's variable for a server that wants a key
_SPEAK = ("openai", "ollama")  # the providers that take its requests as they are written here
_FEWEST = 4  # stop sequences that OpenAI's protocol has room for


@dataclass(frozen=True)
class Direct:
    """A provider that is asked itself, with the whole prompt."""

    provider: Provider
    turns: tuple[Message, ...]


def direct(play: Playground, configuration: Configuration, text: str, question: bool) -> Direct | None:
    """Where the configuration's provider speaks OpenAI's protocol, what it is asked. Raises ShawGPTError."""
    if configuration.writer.responder.partition(":")[0] not in _SPEAK:
        return None
    trial = play.trial(configuration, text, question)
    provider, turns = trial.assistant.writing.provider, trial.prompt().turns
    return Direct(provider, turns) if provider and turns else None


def request(configuration: Configuration, text: str, itself: Direct | None = None) -> dict[str, Any]:
    """The body of a chat completion that asks the persona `text`, or the provider `itself`."""
    body: dict[str, Any] = {
        "model": itself.provider.model if itself else configuration.persona,
        "messages": [{"role": turn["role"], "content": _valid(turn["content"])} for turn in itself.turns]
        if itself
        else [{"role": "user", "content": _valid(text)}],
    }
    if configuration.writer == EXTRACTIVE:
        return body
    sampling = configuration.sampling
    body |= {"temperature": sampling.temperature, "top_p": sampling.top_p, "max_tokens": sampling.max_tokens}
    body |= {"stop": [_valid(stop) for stop in sampling.stop[:_FEWEST]]} if sampling.stop else {}
    for name in ("frequency_penalty", "presence_penalty"):
        body |= {name: value} if (value := getattr(sampling, name)) else {}
    return {**body, "seed": sampling.seed}


def as_curl(
    configuration: Configuration, text: str, server: str, unsaved: Sequence[str] = (), itself: Direct | None = None
) -> str:
    """A command for a POSIX shell. `server` is the page's address; `unsaved` as Playground.unsaved tells it."""
    address, key = _endpoint(server, itself)
    lines = [
        f"curl -sS {shlex.quote(address + '/chat/completions')}",
        "-H 'Content-Type: application/json'",
        f'-H "Authorization: Bearer ${{{key}:-none}}"',
        f"--data-raw {shlex.quote(json.dumps(request(configuration, text, itself)))}",
    ]
    return _note(configuration, unsaved, itself) + " \\\n  ".join(lines) + "\n"


def as_python(
    configuration: Configuration, text: str, server: str, unsaved: Sequence[str] = (), itself: Direct | None = None
) -> str:
    """A program that takes the package `openai`. Parameters as above."""
    address, key = _endpoint(server, itself)
    fields = "".join(f"    {name}={value!r},\n" for name, value in request(configuration, text, itself).items())
    return (
        f"{_note(configuration, unsaved, itself)}import os\n\nfrom openai import OpenAI\n\n"
        f"client = OpenAI(base_url={address!r}, api_key=os.environ.get({key!r}, 'none'))\n"
        f"answer = client.chat.completions.create(\n{fields})\n"
        "print(answer.choices[0].message.content)\n"
    )


def _endpoint(server: str, itself: Direct | None) -> tuple[str, str]:
    """The API's address, and the environment's variable with its key, which is never written down."""
    if itself is None:
        return f"{_valid(server).rstrip('/')}/v1", KEY
    provider = itself.provider
    key = KINDS[provider.kind].key if provider.trusted else KEY  # no key is for an address that a file names
    return provider.address + ("/v1" if provider.kind == "ollama" else ""), key


def _note(configuration: Configuration, unsaved: Sequence[str], itself: Direct | None) -> str:
    if itself or not unsaved:
        return ""
    return (
        f"# {configuration.persona} is asked as it is saved. To have this as well, save it as a persona and name that: "
        f"{', '.join(unsaved)}\n"
    )


def _valid(text: str) -> str:
    """`text` with lone surrogates, which no request can hold, as question marks."""
    return text.encode("utf-8", "replace").decode()
