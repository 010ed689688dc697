"""A conversation as HTML: what was asked, and what came of it."""

from collections.abc import Sequence

from bot.drafts import Answer
from bot.extractive import LIKELY
from bot.page.citations import Citations
from bot.page.markup import reason_html, text_html
from bot.page.rating import export_row, rating_row
from bot.page.talks import Turn

NEAREST = 3  # passages shown where there is no answer
WHY = {"declined": "Out of scope: neither looked up nor put to a model", "noted": "Remembered in this conversation"}


def conversation(turns: Sequence[Turn]) -> str:
    """The turns as HTML."""
    shown = "".join(
        f'<div class="sg-turn"><div class="sg-question" dir="auto">{text_html(turn.question)}</div>'
        f"{_understood(turn)}{_reply(turn, i)}</div>"
        for i, turn in enumerate(turns)
    )
    done = turns and (turns[-1].error or turns[-1].stopped or _is_whole(turns[-1]))
    foot = export_row(turns[-1].session) if done else ""
    return f'<div class="sg-talk" role="log" aria-live="polite" aria-label="Conversation">{shown}</div>{foot}'


def _understood(turn: Turn) -> str:
    """What a follow-up was taken for."""
    query = turn.answer.query if turn.answer else ""
    return f'<p class="sg-understood" dir="auto">Understood as: {text_html(query)}</p>' if query else ""


def _is_whole(turn: Turn) -> bool:
    """Whether all of its answer is on the page."""
    return turn.answer is not None and turn.shown >= len(turn.answer.sentences)


def _reply(turn: Turn, number: int) -> str:
    failure = turn.answer.reason if turn.answer and turn.answer.status == "failed" else turn.error
    if failure:
        return f'<div class="sg-answer sg-failed" role="alert"><b>This failed.</b> {reason_html(failure)}</div>'
    if turn.stopped:
        return '<div class="sg-answer sg-abstained"><p class="sg-said">Stopped before it was answered.</p></div>'
    if turn.answer is None and turn.unchecked:
        return (
            f'<div class="sg-answer sg-pending"><p class="sg-said" dir="auto">{text_html(turn.unchecked)}</p>'
            '<span class="sg-dots">Writing; not compared with the documents yet</span></div>'
        )
    if turn.answer is None:
        return '<div class="sg-answer sg-pending"><span class="sg-dots">Looking it up</span></div>'
    citations = Citations(f"a{number}", turn.answer.passages)
    if turn.answer.said and not turn.answer.sentences:
        return _spoken(turn)
    if turn.answer.status == "abstained":
        return _abstention(turn, turn.answer, citations)
    if turn.answer.kind == "plan" and turn.answer.said:
        return _plan(turn, turn.answer, citations)
    said = " ".join(citations.sentence(sentence) for sentence in turn.answer.sentences[: turn.shown])
    if not _is_whole(turn):
        return f'<div class="sg-answer"><p class="sg-said" dir="auto">{said}</p></div>'
    return (
        f'<div class="sg-answer"><p class="sg-said" dir="auto">{said}</p>{citations.chips("Sources")}'
        f"{_footer(turn.answer)}{rating_row(turn)}{citations.panels()}</div>"
    )


def _spoken(turn: Turn) -> str:
    """What the persona says itself: a question back, a greeting, or that a question isn't its own to answer."""
    assert turn.answer
    kind = turn.answer.kind
    why = f'<p class="sg-meta"><span>{WHY[kind]}</span></p>' if kind in WHY else ""
    said = f'<p class="sg-said" dir="auto">{text_html(turn.answer.said)}</p>'
    return f'<div class="sg-answer" data-kind="{kind}">{said}{why}{rating_row(turn)}</div>'


def _plan(turn: Turn, given: Answer, citations: Citations) -> str:
    items = "".join(f"<li>{citations.sentence(sentence)}</li>" for sentence in given.sentences[: turn.shown])
    said = f'<p class="sg-said" dir="auto">{text_html(given.said)}</p><ul class="sg-plan sg-said">{items}</ul>'
    if not _is_whole(turn):
        return f'<div class="sg-answer" data-kind="plan">{said}</div>'
    return (
        f'<div class="sg-answer" data-kind="plan">{said}{citations.chips("Sources")}{_footer(given)}{rating_row(turn)}'
        f"{citations.panels()}</div>"
    )


def _abstention(turn: Turn, given: Answer, citations: Citations) -> str:
    citations.add(given.passages[:NEAREST])
    return (
        f'<div class="sg-answer sg-abstained"><p class="sg-said"><b>Not answered:</b> {reason_html(given.reason)}.</p>'
        f"{citations.chips('Nearest passages')}{_footer(given)}{rating_row(turn)}{citations.panels()}</div>"
    )


def _footer(given: Answer) -> str:
    likely = _likely(given) if given.status == "answered" else ""
    used = f"<span>{given.usage}</span>" if given.usage else ""
    return f'<p class="sg-meta">{likely}<span>Responder: {text_html(str(given.written_by))}</span>{used}</p>'


def _likely(given: Answer) -> str:
    """Whether it answers, in words (they are what the cut-off for drafts goes by); a model's: what has a source."""
    if given.written_by.responder != "extractive":
        founded, all_of_it = sum(bool(sentence.support) for sentence in given.sentences), len(given.sentences)
        return f"<span>{founded} of {all_of_it} sentence{'s' * (all_of_it > 1)} found in the documents</span>"
    said = "Likely an answer" if given.likelihood >= LIKELY and not given.lacking else "May not be an answer"
    of_what = f"How likely it is that these sentences answer the question: {given.likelihood:.0%}"
    return f'<span title="{of_what}">{said}</span>'
