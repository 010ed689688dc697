"""What the asker thinks of an answer, and the conversation to take away: the row under an answer, the end of a talk."""

from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Any

from bot.exporting import FORMS, export
from bot.page.desk import Desk
from bot.page.markup import attribute
from bot.page.talks import Turn
from data.errors import ShawGPTError

LONGEST = 2_000  # characters of a note
SCRIPT = (files("bot.page") / "rating.js").read_text(encoding="utf-8")
_THUMB = (
    '<svg viewBox="0 0 24 24" width="17" height="17" aria-hidden="true"><path fill="currentColor" d="M3 10h4v10H3z'
    "M9 10l4-7c1.6 0 2.4 1.2 2 2.6L14.4 9H19a2 2 0 0 1 2 2.3l-1.1 6.5A2.6 2.6 0 0 1 17.3 20H9z"
    '"/></svg>'
)

Data = dict[str, Any]  # as JSON


def rating_row(turn: Turn) -> str:
    """The two buttons and the note under an answer; nothing where the answer isn't kept."""
    if turn.answer is None or turn.answer.position is None or not turn.session:
        return ""
    buttons = "".join(
        f'<button type="button" class="sg-thumb" data-rating="{value}" aria-label="{label}" title="{label}"'
        f' aria-pressed="{str(turn.rating == value).lower()}">{_THUMB}</button>'
        for value, label in ((1, "Good answer"), (-1, "Bad answer"))
    )
    hidden = "" if turn.rating else " hidden"
    return (
        f'<div class="sg-rating" data-session="{attribute(turn.session)}" data-position="{turn.answer.position}"'
        f' role="group" aria-label="Rate this answer">{buttons}'
        f'<input type="text" class="sg-note-of" maxlength="{LONGEST}" aria-label="Note on this answer"'
        f' placeholder="What was good or wrong? (optional)" value="{escape(turn.note, quote=True)}"{hidden}>'
        '<span class="sg-saved" role="status"></span></div>'
    )


def export_row(session: str) -> str:
    """The buttons at the end of a conversation; nothing where it isn't kept."""
    if not session:
        return ""
    names = {"md": "Markdown", "json": "JSON", "csv": "CSV"}
    buttons = "".join(
        f'<button type="button" class="sg-button" data-export="{form}">{name}</button>' for form, name in names.items()
    )
    return (
        f'<div class="sg-export" data-session="{attribute(session)}" role="group" aria-label="Export">'
        f'<span class="sg-label">Export this conversation</span>{buttons}<span role="status"></span></div>'
    )


def rating_functions(desk: Desk) -> tuple[Callable[[Data], Data], ...]:
    """What the script calls. Each is refused without the session's id, which can't be guessed."""
    conversations = desk.assistant.conversations

    def rate(data: Data) -> Data:
        try:
            rating = {"1": 1, "-1": -1}.get(str(data["rating"]))
            note = str(data["note"])[:LONGEST] if rating else ""
            conversations.rate(str(data["session"]), int(data["position"]), rating, note)
        except ShawGPTError as error:
            return {"error": str(error)}
        except (KeyError, TypeError, ValueError):
            return {"error": "this can't be kept"}
        return {"saved": True}

    def export_talk(data: Data) -> Data:
        try:
            session, form = str(data["session"]), data["form"]
            if form not in FORMS:
                return {"error": "there is no such form"}
            found = conversations.session(session)
            return {
                "text": export(found, conversations.exchanges(session), form), "type": FORMS[form],
                "name": f"conversation-{found.begun_at[:10]}.{form}",
            }  # fmt: skip
        except ShawGPTError:
            return {"error": "the conversation is no longer in the work folder"}
        except (KeyError, TypeError):
            return {"error": "this can't be exported"}

    return rate, export_talk
