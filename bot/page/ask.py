"""The Ask tab: a conversation in which every sentence of an answer opens the passage it comes from."""

import re
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr

from bot.drafts import Answer
from bot.extractive import LIKELY
from bot.page.citations import PANELS, Citations
from bot.page.desk import Desk
from bot.page.markup import attribute, reason_html, text_html
from bot.page.pictures import page_pictures
from bot.page.rating import SCRIPT as RATING
from bot.page.rating import export_row, rating_functions, rating_row
from bot.page.talks import Turn, begin, earlier, kb_of, open_of, opened, restored, said_of
from data.errors import ShawGPTError
from data.persona import load_persona

LONGEST = 2000  # characters of a question
EXAMPLES = 4
NEAREST = 3  # passages shown where there is no answer
_NUMBER = re.compile(r"\s*\(?\d{1,2}[.):]\s*")  # "1) What …"
_ELSEWHERE = re.compile(r"(?i)\b(?:it|its|this|that|these|those|they|them|here|there)\b")  # "Can I buy it?"
EVERY = 0.15  # seconds between two pictures of an answer that is being written
WHY = {"declined": "Out of scope: neither looked up nor put to a model", "noted": "Remembered in this conversation"}
LOOKED_AT = 30  # documents whose headings may give an example

# Clicks on an example ask it. What is new comes into view; the composer covers the end of the page, hence the margin in
# the style sheet.
SCRIPT = """
element.addEventListener('click', (event) => {
  const example = event.target.closest('[data-question]');
  if (example) trigger('select', {question: example.dataset.question});
});
watch('value', () => element.querySelector('.sg-turn:last-child')?.scrollIntoView({block: 'nearest'}));
"""


def ask_tab(desk: Desk, kb: gr.Dropdown, talks: gr.BrowserState, demo: gr.Blocks) -> tuple[gr.State, gr.HTML]:
    """Build the tab; `kb` is the selector in the header, `talks` the conversations of this browser (bot/page/talks.py).

    Returns the turns, and the conversation that shows them.
    """
    turns = gr.State([])
    known = desk.personas("reply")
    with gr.Row(elem_id="talk-head"):
        who = gr.Dropdown(
            known, value=desk.replier, label="Persona", elem_id="asked-of", scale=0, min_width=180, filterable=False,
            visible=len(known) > 1,
        )  # fmt: skip
        before = gr.Dropdown(
            [], label="Your conversations", elem_id="earlier-talks", scale=1, min_width=180, filterable=False,
            visible=False,
        )  # fmt: skip
    talk = gr.HTML(
        nothing_asked(desk, desk.assistant.kb),
        elem_id="talk",
        js_on_load=PANELS + RATING + SCRIPT,
        server_functions=[page_pictures(desk), *rating_functions(desk)],
        apply_default_css=False,
        padding=False,
    )
    with gr.Row(elem_id="composer"):
        box = gr.Textbox(
            placeholder="Ask your documents…", label="Question", show_label=False, container=False, lines=1,
            max_lines=6, max_length=LONGEST, autofocus=True, submit_btn="Ask", scale=8, elem_id="question",
        )  # fmt: skip
        again = gr.Button("Clear", size="sm", scale=0, min_width=72, elem_id="clear-talk")

    # What each open page is being answered. Gradio's browser code doesn't wait for a cancellation to be done, so a
    # last piece could bring back what was cleared: an answer whose mark is gone shows nothing more.
    at_work: dict[str | None, object] = {}

    def ask(
        question: str, who: str, kb_name: str, past: list[Turn], seen: object, request: gr.Request
    ) -> Iterator[dict[Any, object]]:
        asked = question.strip()[:LONGEST]
        if not asked:
            yield {}
            return
        session = open_of(seen) if past else ""  # what was cleared is no part of it
        try:
            session = session or begin(desk, who, kb_name)
        except ShawGPTError as error:  # a full disk
            failed = [*past, Turn(asked, error=str(error))]
            yield {turns: failed, talk: conversation(failed)}
            return
        mark = at_work[request.session_hash] = object()
        now: list[Turn] = [*past, Turn(asked)]
        try:
            yield {turns: now, talk: conversation(now), box: "", talks: opened(seen, session)}
            with closing(answer(desk, kb_name, asked, who, session, past)) as growing:
                for turn in growing:
                    if at_work.get(request.session_hash) is not mark:
                        return
                    now = [*past, turn]
                    yield {turns: now, talk: conversation(now)}
            yield {before: earlier(desk, opened(seen, session))}
        finally:
            if at_work.get(request.session_hash) is mark:
                del at_work[request.session_hash]

    def example(
        who: str, kb_name: str, past: list[Turn], seen: object, event: gr.EventData, request: gr.Request
    ) -> Iterator[dict[Any, object]]:
        yield from ask(str(event.question), who, kb_name, past, seen, request)

    def anew(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        at_work.pop(request.session_hash, None)
        ended = opened(seen, "")
        return {turns: [], talk: nothing_asked(desk, kb_name, who), talks: ended, before: earlier(desk, ended)}

    def clear(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        return {**anew(kb_name, seen, who, request), box: ""}

    def elsewhere(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        return anew(kb_name, seen, who, request) if kb_of(desk, open_of(seen)) not in ("", kb_name) else {}

    def other_persona(who: str, seen: object, request: gr.Request) -> dict[Any, object]:
        wanted = desk.knowledge_base(who)
        known = sorted({*desk.knowledge_bases(), wanted})
        return {**anew(wanted, seen, who, request), kb: gr.update(choices=known, value=wanted, visible=len(known) > 1)}

    def reopen(session: str | None, seen: object, request: gr.Request) -> dict[Any, object]:
        at_work.pop(request.session_hash, None)
        found, past = restored(desk, session or "")
        if found is None or not past:  # the first time, or it was forgotten
            return {talk: nothing_asked(desk, desk.assistant.kb), before: earlier(desk, seen)}
        now = opened(seen, found.id)
        return {
            turns: past, talk: conversation(past), talks: now, before: earlier(desk, now),
            who: found.persona if found.persona in {slug for _, slug in desk.personas("reply")} else gr.skip(),
            kb: found.kb if found.kb in desk.knowledge_bases() else gr.skip(),
        }  # fmt: skip

    def resume(seen: object, request: gr.Request) -> dict[Any, object]:
        return reopen(open_of(seen), seen, request)

    outputs = [turns, talk, box, talks, before, who, kb]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    asked = [
        gr.on([box.submit], ask, [box, who, kb, turns, talks], outputs, **quiet),
        talk.select(example, [who, kb, turns, talks], outputs, **quiet),
    ]
    # What is being answered ends with them: Gradio closes the generator, and so the model's.
    again.click(clear, [kb, talks, who], outputs, cancels=asked, **quiet)
    # Another knowledge base is another conversation: the numbers under the old answers are not its documents.
    kb.input(anew, [kb, talks, who], outputs, cancels=asked, **quiet)
    # One that was made just now is chosen without anybody's hand on the selector; a conversation that is opened again
    # chooses its own.
    kb.change(elsewhere, [kb, talks, who], outputs, cancels=asked, **quiet)
    who.input(other_persona, [who, talks], outputs, cancels=asked, **quiet)
    before.input(reopen, [before, talks], outputs, cancels=asked, **quiet)
    # Whoever loads the page goes on where this browser was.
    demo.load(resume, [talks], outputs, **quiet)
    return turns, talk


def answer(
    desk: Desk, kb: str, question: str, persona: str = "", session: str = "", past: Sequence[Turn] = ()
) -> Generator[Turn]:
    """The turn as it grows: asked, then sentence by sentence, with its sources at the end.

    It goes on with `session`, in which it is kept; without one, with the turns `past`. Closing it ends the writing.
    """
    turn = Turn(question, session=session)
    yield turn
    try:
        said, shown_at = "", time.monotonic()
        view = desk.view(persona or desk.persona, kb)
        growing = view.converse(session, question) if session else view.follow(question, said_of(past))
        for piece in growing:
            if not isinstance(piece, str):
                given = piece
                continue
            said += piece
            if time.monotonic() > shown_at + EVERY:
                shown_at = time.monotonic()
                yield replace(turn, unchecked=said)
    except ShawGPTError as error:
        yield replace(turn, error=str(error))
        return
    except Exception as error:  # whatever it is, it is shown as what it is: a failure is never an answer
        yield replace(turn, error=f"{type(error).__name__}: {error}")
        return
    for shown in range(1, len(given.sentences) + 1):
        yield replace(turn, answer=given, shown=shown)
    if not given.sentences:
        yield replace(turn, answer=given)


def conversation(turns: Sequence[Turn]) -> str:
    """The turns as HTML."""
    shown = "".join(
        f'<div class="sg-turn"><div class="sg-question" dir="auto">{text_html(turn.question)}</div>'
        f"{_understood(turn)}{_reply(turn, i)}</div>"
        for i, turn in enumerate(turns)
    )
    done = turns and (turns[-1].error or _is_whole(turns[-1]))
    foot = export_row(turns[-1].session) if done else ""
    return f'<div class="sg-talk" role="log" aria-live="polite" aria-label="Conversation">{shown}</div>{foot}'


def examples(desk: Desk, kb: str) -> list[str]:
    """Questions that the documents' own titles and headings ask."""
    store = desk.assistant.store
    if kb not in store.knowledge_bases():
        return []
    found: list[str] = []
    for source in store.sources(kb)[:LOOKED_AT]:
        headings = (_NUMBER.sub("", c.heading.rsplit(" > ", 1)[-1]) for c in store.document_chunks(kb, source.source))
        asking = (text for text in (source.title, *headings) if _can_be_asked(text))
        if (first := next(asking, None)) and first not in found:
            found.append(first)
    return found[:EXAMPLES]


def _can_be_asked(heading: str) -> bool:
    """Whether a heading is a question that can be understood away from its place."""
    return heading.endswith("?") and 4 <= len(heading.split()) <= 14 and not _ELSEWHERE.search(heading)


def nothing_asked(desk: Desk, kb: str, who: str = "") -> str:
    """What stands in the place of a conversation with the persona `who`: examples to ask, or where to begin."""
    store = desk.assistant.store
    if kb not in store.knowledge_bases() or not store.count(kb):
        return (
            '<div class="sg-empty"><h2>No documents yet</h2>'
            "<p>Add PDFs, posts or web addresses under <b>Documents</b>; then ask about them here.</p></div>"
        )
    try:
        persona = load_persona(who or desk.persona, desk.assistant.folder.path)
    except ShawGPTError:  # its file was changed, or is gone: asking says so
        persona = desk.assistant.persona
    own = persona.inside[:EXAMPLES] if persona.knowledge_base == kb else []
    buttons = "".join(
        f'<button type="button" class="sg-example" data-question="{attribute(text)}">{text_html(text)}</button>'
        for text in own or examples(desk, kb)
    )
    how = (
        "A model answers in its own words, and each of its sentences is compared with them. A number opens the passage "
        "that a sentence stands on."
        if desk.assistant.writing.model
        else "Each sentence of an answer is quoted from them. Its number opens the passage it comes from."
    )
    title = f"Ask {text_html(persona.name)}" if own else "Ask your documents"
    how = f"{text_html(persona.scope)} {how.replace(' them.', ' the documents.', 1)}" if own else how
    return f'<div class="sg-empty"><h2>{title}</h2><p>{how}</p><div class="sg-examples">{buttons}</div></div>'


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
