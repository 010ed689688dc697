"""Conversations and ratings for other programs: Markdown, JSON, CSV. What was said is data in all of them."""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from bot.drafts import Answer
from bot.memory import answer_of
from data.conversations import Exchange, Session
from data.csvio import Form, encode, encode_header
from data.errors import BadInput, WorkFolderError
from data.hidden import show_hidden

As = Literal["md", "json", "csv"]
FORMS: dict[str, str] = {"md": "text/markdown", "json": "application/json", "csv": "text/csv"}
COLUMNS = (
    "question", "answer", "status", "sources", "responder", "rating", "note", "persona", "knowledge base", "asked",
)  # fmt: skip
RATINGS = {1: "good", -1: "bad", None: ""}
NOT_ANSWERED = "Not answered"
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~$&!])")  # what Markdown or HTML in it would obey
_LINE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])")

Rated = tuple[Session, Exchange]


def export(session: Session, exchanges: Sequence[Exchange], form: As) -> str:
    """A conversation as text in that form."""
    if form == "md":
        return markdown(session, exchanges)
    if form == "csv":
        return csv_of((session, exchange) for exchange in exchanges)
    said = {"persona": session.persona, "kb": session.kb, "begun": session.begun_at}
    return json.dumps(
        {**said, "exchanges": [_fields(session, each) for each in exchanges]}, ensure_ascii=False, indent=2
    )


def markdown(session: Session, exchanges: Sequence[Exchange]) -> str:
    """A conversation to read: question, answer with numbered sources, each quote with its page, ratings."""
    begun = datetime.fromisoformat(session.begun_at)
    lines = [
        f"# {_inline(session.opening) or 'Conversation'}", "",
        f"Persona {_inline(session.persona)}, knowledge base {_inline(session.kb)}, {begun:%Y-%m-%d %H:%M} UTC.",
    ]  # fmt: skip
    for exchange in exchanges:
        lines += ["", f"## {exchange.position + 1}. {_inline(exchange.question)}", ""]
        lines += _answered(exchange)
        if exchange.rating is not None or exchange.note:
            note = f": {_inline(exchange.note)}" if exchange.note else ""
            lines += ["", f"Rated {RATINGS[exchange.rating] or 'not'}{note}"]
    return "\n".join(lines) + "\n"


def csv_of(rated: Iterable[Rated]) -> str:
    """A row an exchange, as a spreadsheet opens it and doesn't run it."""
    rows = [encode_header(COLUMNS, Form(mark=True))]
    for session, exchange in rated:
        given = _answer(exchange)
        sources = "; ".join(where for where, _ in _sources(given)) if given else ""
        rows.append(encode([
            exchange.question, _text(given), given.status if given else "unreadable", sources,
            str(given.written_by) if given else "", RATINGS[exchange.rating], exchange.note,
            session.persona, session.kb, exchange.at,
        ]))  # fmt: skip
    return b"".join(rows).decode()


def feedback_json(rated: Iterable[Rated]) -> list[dict[str, Any]]:
    """Rated answers, as `shawgpt feedback --json` prints them."""
    return [{"session": session.id, **_fields(session, exchange)} for session, exchange in rated]


def write_feedback(rated: Iterable[Rated], path: Path) -> None:
    """Rated answers as a CSV file. Raises BadInput where it can't be written."""
    text = csv_of(rated)
    half = path.with_name(f".{path.name}.half")
    try:
        half.write_bytes(text.encode())
        half.replace(path)
    except OSError as error:
        half.unlink(missing_ok=True)
        raise BadInput(f"{path} can't be written ({error.strerror or error}): choose another name with -o") from error


def _fields(session: Session, exchange: Exchange) -> dict[str, Any]:
    given = _answer(exchange)
    quotes = [
        {"source": _name(support.source), "page": support.page, "place": support.place, "quote": support.quote}
        for sentence in (given.sentences if given else ())
        for support in sentence.support
    ]
    return {
        "question": exchange.question,
        "understood": exchange.query,
        "answer": _text(given),
        "status": given.status if given else "unreadable",
        "sources": quotes,
        "responder": str(given.written_by) if given else "",
        "rating": RATINGS[exchange.rating],
        "note": exchange.note,
        "persona": session.persona,
        "kb": session.kb,
        "asked": exchange.at,
    }


def _answered(exchange: Exchange) -> list[str]:
    given = _answer(exchange)
    if given is None:
        return ["This answer can't be read any more."]
    if given.status != "answered":
        return [f"{NOT_ANSWERED}: {_inline(given.reason)}."]
    sources = _sources(given)
    numbers = {where: number for number, (where, _) in enumerate(sources, 1)}
    said = [_inline(given.said)] if given.said else []
    for sentence in given.sentences:
        of = dict.fromkeys(numbers[_where(given, support.source, support.place)] for support in sentence.support)
        marks = "".join(f" [{number}]" for number in of) or (" (no source)" if given.kind == "answer" else "")
        said.append(f"{_inline(sentence.text)}{marks}")
    planned = given.kind == "plan" and bool(given.said)
    lines = [said[0], "", *(f"- {piece}" for piece in said[1:]), ""] if planned else [" ".join(said), ""]
    for number, (where, quotes) in enumerate(sources, 1):
        lines += [f"{number}. {_inline(where)}", *(f"   > {_inline(quote)}" for quote in quotes), ""]
    return [*lines, f"Responder: {_inline(str(given.written_by))}"]


def _sources(given: Answer) -> list[tuple[str, list[str]]]:
    """Each place that is quoted, in words, with what is quoted from it, in the order of the answer."""
    found: dict[str, dict[str, None]] = {}
    for sentence in given.sentences:
        for support in sentence.support:
            found.setdefault(_where(given, support.source, support.place), {})[support.quote] = None
    return [(where, list(quotes)) for where, quotes in found.items()]


def _where(given: Answer, source: str, place: str) -> str:
    title = next((passage.title for passage in given.passages if passage.source == source), "")
    name = _name(source)
    named = f"{title} ({name})" if title and title not in (name, name.rpartition(".")[0]) else name
    return f"{named}, {place}" if place else named


def _name(source: str) -> str:
    """A web address as it is, a file by its name: where it lies is nobody's business."""
    return source if "://" in source else source.replace("\\", "/").rsplit("/", 1)[-1]


def _answer(exchange: Exchange) -> Answer | None:
    try:
        return answer_of(exchange)
    except WorkFolderError:  # of another version, or written to by hand: the others are worth having without it
        return None


def said_in(exchange: Exchange) -> str:
    """What was answered, or why it wasn't."""
    return _text(_answer(exchange))


def _text(given: Answer | None) -> str:
    if given is None:
        return "this answer can't be read any more"
    return given.text if given.status == "answered" else given.reason


def _inline(text: str) -> str:
    """`text` on one line of Markdown, as it is: nothing in it is a link, a picture, HTML or a heading."""
    line = _MARKUP.sub(r"\\\1", show_hidden(" ".join(text.split())))
    return _LINE_START.sub(lambda match: f"{match[1]}{match[2][:-1]}\\{match[2][-1]}", line)
