"""A draft as a card: the comment, what was made of it, and the reply to edit."""

from html import escape
from typing import Any

from bot.drafts import Draft
from bot.drafts_log import LoggedDraft
from bot.page.citations import Citations
from bot.page.markup import reason_html, text_html

STATUS = {"needs_you": ("Needs you", "warn"), "failed": ("Failed", "bad"), "drafted": ("Drafted", "good")}
ORDER = ("needs_you", "failed", "drafted")

# Without a placeholder, so that Gradio never draws it anew: the script in replies.js puts the cards in and leaves those
# that are there alone, with what is being typed in them.
TEMPLATE = """
<div class="sg-toolbar" hidden>
  <div class="sg-filters" role="group" aria-label="Show">
    <button type="button" data-filter="all" aria-pressed="true">All <span></span></button>
    <button type="button" data-filter="needs_you" aria-pressed="false">Needs you <span></span></button>
    <button type="button" data-filter="drafted" aria-pressed="false">Drafted <span></span></button>
    <button type="button" data-filter="failed" aria-pressed="false">Failed <span></span></button>
    <button type="button" data-filter="edited" aria-pressed="false">Edited <span></span></button>
  </div>
  <button type="button" class="sg-button sg-download">Download CSV</button>
</div>
<div class="sg-empty" hidden><h2>No drafts yet</h2>
<p>Paste comments or choose a CSV file, then press <b>Draft replies</b>. Nothing is posted: you edit and
download.</p></div>
<p class="sg-none" hidden>None of these.</p>
<div class="sg-cards"></div>
"""


def card(row: LoggedDraft) -> dict[str, Any]:
    """What the script needs of a drafted row: its number, place, status, and the card itself as HTML."""
    assert row.draft is not None
    return {
        "row": row.row,
        "order": ORDER.index(row.draft.status),
        "status": row.draft.status,
        "edited": row.edited is not None,
        "html": _html(row, row.draft),
    }


def _html(row: LoggedDraft, draft: Draft) -> str:
    said, kind = STATUS[draft.status]
    intent = f'<span class="sg-intent">{escape(draft.intent.replace("_", " "))}</span>' if draft.intent else ""
    flags = "".join(f"<li>{reason_html(flag)}</li>" for flag in draft.flags)
    citations = _citations(row, draft)
    length = len(row.reply)
    return (
        f'<div class="sg-card-comment"><div class="sg-card-head"><span class="sg-number">{row.row + 1}</span>'
        f'<span class="sg-badge sg-{kind}">{said}</span>{intent}</div>'
        f'<blockquote dir="auto">{text_html(row.comment) or "<i>empty</i>"}</blockquote>'
        f"{f'<ul class=sg-flags>{flags}</ul>' if flags else ''}</div>"
        f'<div class="sg-card-reply"><textarea rows="{min(10, max(3, 1 + length // 60))}" dir="auto" maxlength="20000"'
        f' aria-label="Reply to comment {row.row + 1}" placeholder="{_placeholder(draft)}">\n{escape(row.reply)}'
        "</textarea>"
        f"{citations.chips('Sources' if draft.sentences else 'May help')}"
        f'<div class="sg-card-foot"><span>{text_html(str(row.written_by))}</span><span class="sg-saved" role="status">'
        f"{'Edited' if row.edited is not None else ''}</span>"
        f'<button type="button" class="sg-button sg-copy">Copy</button></div>{citations.panels()}</div>'
    )


def _citations(row: LoggedDraft, draft: Draft) -> Citations:
    citations = Citations(f"r{row.row}", draft.passages)
    for sentence in draft.sentences:
        for support in sentence.support:
            citations.cite(support)
    if not draft.sentences:
        citations.add(draft.passages)
    return citations


def _placeholder(draft: Draft) -> str:
    return "Yours to write" if draft.status == "needs_you" else "No reply"
