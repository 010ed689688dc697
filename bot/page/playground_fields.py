"""What the Playground tab does with its fields: they are read, and what they ask for is tried."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from bot.page.playground_html import Shown
from bot.playground import EXTRACTIVE, Configuration, Playground, Writer
from bot.trial import Prompt
from data.errors import BadInput, ShawGPTError
from data.persona import slug
from data.plain_errors import plainly
from data.sampling import Sampling

LONGEST = 8000  # characters of a text that is tried, and of a system text
EVERY = 0.15  # seconds between two pictures of what is being written
NO_ADAPTER = "none (base)"


def tried(
    play: Playground, text: str, question: bool, kb: str, given: tuple[Any, ...], stopped: Callable[[], bool]
) -> Generator[Shown, None, None]:
    """What a side shows from the start of a try to its end, or until it is `stopped`. Closing it ends the writing."""
    shown = Shown("")
    try:
        configuration = read(play, kb, given)
        shown = Shown(_written_by(configuration), play.warning(configuration))
        yield shown
        shown_at = time.monotonic()
        trial = play.trial(configuration, text_of(text), question)
        shown = replace(shown, sent_to=trial.assistant.writing.sent_to)
        with closing(trial.run()) as running:
            for piece in running:
                if stopped():
                    yield replace(shown, stopped=True)
                    return
                if isinstance(piece, str):
                    shown = replace(shown, said=shown.said + piece)
                    if time.monotonic() < shown_at + EVERY:
                        continue
                    shown_at = time.monotonic()
                elif isinstance(piece, Prompt):
                    shown = replace(shown, prompt=piece)
                else:
                    shown = replace(shown, result=piece)
                yield shown
    except ShawGPTError as error:
        yield replace(shown, error=str(error))
    except Exception as error:  # whatever it is, it is shown as what it is: a failure is never an answer
        yield replace(shown, error=f"{type(error).__name__}: {error}")


def read(play: Playground, kb: str, given: tuple[Any, ...]) -> Configuration:
    """The configuration that a side's settings make. Raises BadInput for what none can have."""
    who, system, label, adapter, knowledge, *values = given
    temperature, top_p, most, stop, frequency, presence, seed = values
    writer = writers_of(play).get(label)
    if writer is None:
        raise BadInput(f"the responder {label!r} isn't there any more: load the page anew")
    try:
        sampling = Sampling(
            temperature=temperature, top_p=top_p, max_tokens=most, stop=_from_lines(stop or ""),
            frequency_penalty=frequency, presence_penalty=presence, seed=seed,
        )  # fmt: skip
    except ValidationError as error:
        raise BadInput(plainly(error, Sampling)) from error
    worn = adapter if writer.responder == "local" and adapter not in (None, NO_ADAPTER) else ""
    return Configuration(slug(who), str(system or "")[:LONGEST], writer, worn, bool(knowledge), kb, sampling)


def text_of(text: str) -> str:
    if not text.strip():
        raise BadInput("there is nothing to try: type a question or a comment first")
    return text.strip()[:LONGEST]


def _written_by(configuration: Configuration) -> str:
    adapter = f" ({configuration.adapter})" if configuration.adapter else ""
    return f"{configuration.writer}{adapter}"


def writers_of(play: Playground) -> dict[str, Writer]:
    """The writers by what they are called on the page, where two models may have the same name."""
    found: dict[str, Writer] = {}
    for writer in play.writers():
        label, number = str(writer), 2
        while label in found:
            label, number = f"{writer} ({number})", number + 1
        found[label] = writer
    return found


def label_of(writers: dict[str, Writer], wanted: Writer) -> str:
    return next((label for label, writer in writers.items() if writer == wanted), str(EXTRACTIVE))


def values_of(own: Sampling) -> tuple[Any, ...]:
    return (
        own.temperature, own.top_p, own.max_tokens, as_lines(own.stop), own.frequency_penalty, own.presence_penalty,
        own.seed,
    )  # fmt: skip


def as_lines(stop: tuple[str, ...]) -> str:
    return "\n".join(each.replace("\\", "\\\\").replace("\n", "\\n") for each in stop)


def _from_lines(text: str) -> tuple[str, ...]:
    r"""The stop sequences of a field: one a line, in which \n is a line break and \\ a backslash."""
    lines = [line for line in text.split("\n") if line]
    return tuple("\\".join(part.replace("\\n", "\n") for part in line.split("\\\\")) for line in lines)
