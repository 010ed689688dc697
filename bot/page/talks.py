"""The conversations of a browser: the one it has open, and those before. Only the browser knows their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import gradio as gr

from bot.drafts import Answer
from bot.memory import Said, answer_of, as_said
from bot.page.desk import Desk
from data.conversations import Session
from data.errors import NotFound, ShawGPTError
from data.hidden import show_hidden

Talks = dict[str, object]  # "open": the id of the open session, or empty; "known": the ids of all, newest first
NO_TALKS: Talks = {"open": "", "known": []}
MOST = 20  # conversations that a browser remembers
SHOWN = 60  # characters of a first question that stand for its conversation


@dataclass(frozen=True)
class Turn:
    """A question with what came of it: an answer, an error, or neither yet."""

    question: str
    answer: Answer | None = None
    error: str = ""
    shown: int = 0  # sentences of the answer that are on the page already
    unchecked: str = ""  # what a model has written so far
    session: str = ""  # in which it is kept; empty where it isn't
    rating: int | None = None  # as it was when the turn was read from the record: 1 good, -1 bad
    note: str = ""
    stopped: bool = False  # before there was an answer; it is not kept then

    @property
    def unanswered(self) -> bool:
        """Whether nothing came of it, yet or at all."""
        return self.answer is None and not self.error and not self.stopped


def said_of(turns: Sequence[Turn]) -> list[Said]:
    """The turns as a conversation remembers them; a failure is none."""
    return [as_said(turn.answer) for turn in turns if turn.answer and turn.answer.status != "failed"]


def open_of(talks: object) -> str:
    """The id of the session that is open; whatever the browser's memory holds, it is a text."""
    found = talks.get("open") if isinstance(talks, dict) else ""
    return found if isinstance(found, str) else ""


def known_of(talks: object) -> list[str]:
    """The ids of the browser's sessions, newest first."""
    found = talks.get("known") if isinstance(talks, dict) else []
    return [each for each in found if isinstance(each, str)][:MOST] if isinstance(found, list) else []


def opened(talks: object, session: str) -> Talks:
    """The browser's memory with that session open; none for an empty id."""
    known = known_of(talks)
    return {"open": session, "known": known if session in known or not session else [session, *known][:MOST]}


def begin(desk: Desk, persona: str, kb: str) -> str:
    """A new session; empty where nothing can be kept, because the work folder can only be read."""
    return desk.assistant.conversations.begin(persona, kb) if desk.assistant.folder.writable else ""


def kb_of(desk: Desk, session: str) -> str:
    """The knowledge base that a kept session asks; empty for an unknown session."""
    try:
        return desk.assistant.conversations.session(session).kb
    except NotFound:
        return ""


def restored(desk: Desk, session: str) -> tuple[Session | None, list[Turn]]:
    """A kept session with its turns; none where it is unknown, or was forgotten."""
    try:
        found = desk.assistant.conversations.session(session)
    except NotFound:
        return None, []
    turns = []
    for exchange in desk.assistant.conversations.exchanges(session):
        try:
            given = answer_of(exchange)
            shown = len(given.sentences)
            turns.append(Turn(exchange.question, given, "", shown, "", session, exchange.rating, exchange.note))
        except ShawGPTError as error:
            turns.append(Turn(exchange.question, error=str(error)))
    return found, turns


def earlier(desk: Desk, talks: object) -> object:
    """The choice of earlier conversations, as an update of its dropdown; hidden where there is only the open one."""
    now = open_of(talks)
    choices = []
    for session in known_of(talks):
        try:
            found = desk.assistant.conversations.session(session)
        except NotFound:
            continue
        if found.exchanges:
            choices.append((_label(found), session))
    ids = [session for _, session in choices]
    visible = bool(ids) and ids != [now]
    return gr.update(choices=choices, value=now if now in ids else None, visible=visible)


def _label(session: Session) -> str:
    opening = " ".join(show_hidden(session.opening).split())
    opening = opening if len(opening) <= SHOWN else f"{opening[: SHOWN - 1]}…"
    return f"{datetime.fromisoformat(session.begun_at).astimezone():%d %b %H:%M} · {opening}"
