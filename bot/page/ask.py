"""The Ask tab: a conversation in which every sentence of an answer opens the passage it comes from."""

import re
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.events import Dependency

from bot.page.at_work import AtWork
from bot.page.citations import PANELS
from bot.page.desk import Desk, a_choice
from bot.page.markup import attribute, text_html
from bot.page.pictures import page_pictures
from bot.page.rating import SCRIPT as RATING
from bot.page.rating import rating_functions
from bot.page.talk_html import conversation
from bot.page.talks import Turn, begin, earlier, kb_of, open_of, opened, restored, said_of
from data.errors import ShawGPTError
from data.persona import Persona, load_persona

LONGEST = 2000  # characters of a question
EXAMPLES = 4
PLACEHOLDER = "Ask your documents…"
ASK: dict[str, Any] = {"submit_btn": "Ask", "stop_btn": False}  # what the box offers
STOP: dict[str, Any] = {"submit_btn": False, "stop_btn": "Stop"}  # and while an answer is being made
_NUMBER = re.compile(r"\s*\(?\d{1,2}[.):]\s*")  # "1) What …"
_ELSEWHERE = re.compile(r"(?i)\b(?:it|its|this|that|these|those|they|them|here|there)\b")  # "Can I buy it?"
EVERY = 0.15  # seconds between two pictures of an answer that is being written
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


def ask_tab(
    desk: Desk, kb: gr.Dropdown, talks: gr.BrowserState, demo: gr.Blocks
) -> Callable[[gr.HTML, Dependency], None]:
    """Build the tab; `kb` is the selector in the header, `talks` the conversations of this browser (bot/page/talks.py).

    Returns what is to be called with the list of documents, and with the event that makes a knowledge base.
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
            placeholder=placeholder(desk, desk.replier, desk.assistant.kb), label="Question", show_label=False,
            container=False, lines=1, max_lines=6, max_length=LONGEST, autofocus=True, submit_btn="Ask", scale=8,
            elem_id="question",
        )  # fmt: skip
        again = gr.Button("Clear", size="sm", scale=0, min_width=72, elem_id="clear-talk")

    at_work = AtWork()

    def ask(
        question: str, who: str, kb_name: str, past: list[Turn], seen: object, request: gr.Request
    ) -> Iterator[dict[Any, object]]:
        asked, page = question.strip()[:LONGEST], request.session_hash
        work = at_work.begin(page) if asked else None
        if work is None:  # what is typed while an answer is being made stays in the box
            yield gr.skip()
            return
        try:
            with closing(asking(asked, who, kb_name, past, seen)) as growing:
                for shown in growing:
                    with work.sending():
                        # Gradio sends what was yielded last once more at the end: of one that was stopped, nothing.
                        yield gr.skip() if work.stopped else shown
                    if work.stopped:
                        return
        finally:
            at_work.end(page, work)

    def asking(asked: str, who: str, kb_name: str, past: list[Turn], seen: object) -> Generator[dict[Any, object]]:
        """What the page shows as the answer to `asked` grows."""
        try:
            session = (open_of(seen) if past else "") or begin(desk, who, kb_name)  # what was cleared is no part of it
        except ShawGPTError as error:  # a full disk
            failed = [*past, Turn(asked, error=str(error))]
            yield {turns: failed, talk: conversation(failed)}
            return
        begun = {box: gr.update(value="", **STOP), talks: opened(seen, session)}
        with closing(answer(desk, kb_name, asked, who, session, past)) as growing:
            for turn in growing:
                now = [*past, turn]
                yield {turns: now, talk: conversation(now), **begun}
                begun = {}
        yield {before: earlier(desk, opened(seen, session)), box: gr.update(**ASK)}

    def example(
        who: str, kb_name: str, past: list[Turn], seen: object, event: gr.EventData, request: gr.Request
    ) -> Iterator[dict[Any, object]]:
        yield from ask(str(event.question), who, kb_name, past, seen, request)

    def anew(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        at_work.stop(request.session_hash)
        ended, told = opened(seen, ""), gr.update(placeholder=placeholder(desk, who, kb_name), **ASK)
        empty = nothing_asked(desk, kb_name, who)
        return {turns: [], talk: empty, box: told, talks: ended, before: earlier(desk, ended)}

    def clear(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        return {**anew(kb_name, seen, who, request), box: gr.update(value="", **ASK)}

    def stop(past: list[Turn], request: gr.Request) -> dict[Any, object]:
        at_work.stop(request.session_hash)
        now = [*past[:-1], replace(past[-1], unchecked="", stopped=True)] if past and past[-1].unanswered else past
        return {turns: now, talk: conversation(now), box: gr.update(**ASK)}

    def elsewhere(kb_name: str, seen: object, who: str, request: gr.Request) -> dict[Any, object]:
        other = kb_of(desk, open_of(seen)) not in ("", kb_name)
        return anew(kb_name, seen, who, request) if other else gr.skip()

    def other_persona(who: str, seen: object, request: gr.Request) -> dict[Any, object]:
        wanted = desk.knowledge_base(who)
        known = sorted({*desk.knowledge_bases(), wanted})
        return {**anew(wanted, seen, who, request), kb: gr.update(choices=known, value=wanted, visible=a_choice(known))}

    def reopen(session: str | None, seen: object, request: gr.Request) -> dict[Any, object]:
        at_work.stop(request.session_hash)
        found, past = restored(desk, session or "")
        if found is None or not past:  # the first time, or it was forgotten
            return {talk: nothing_asked(desk, desk.assistant.kb), before: earlier(desk, seen)}
        now, told = opened(seen, found.id), gr.update(placeholder=placeholder(desk, found.persona, found.kb), **ASK)
        return {
            turns: past, talk: conversation(past), talks: now, before: earlier(desk, now), box: told,
            who: found.persona if found.persona in {slug for _, slug in desk.personas("reply")} else gr.skip(),
            kb: found.kb if found.kb in desk.knowledge_bases() else gr.skip(),
        }  # fmt: skip

    def resume(seen: object, past: list[Turn], request: gr.Request) -> dict[Any, object]:
        quick = past or at_work.busy(request.session_hash)  # something was asked before the page was whole
        return gr.skip() if quick else reopen(open_of(seen), seen, request)

    def untouched(kb_name: str, who: str, seen: object, past: list[Turn], request: gr.Request) -> Any:
        """What stands where nothing was asked, as the documents are now."""
        asked = past or open_of(seen) or at_work.busy(request.session_hash)
        return gr.skip() if asked else nothing_asked(desk, kb_name, who)

    outputs = [turns, talk, box, talks, before, who, kb]
    quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
    # Several at once as far as Gradio's browser code goes, which would pass over what is asked while it thinks that an
    # answer is still being made; `ask` takes one at a time.
    several: dict[str, Any] = {"trigger_mode": "multiple", **quiet}
    box.submit(ask, [box, who, kb, turns, talks], outputs, **several)
    talk.select(example, [who, kb, turns, talks], outputs, **several)
    box.stop(stop, [turns], outputs, **quiet)
    again.click(clear, [kb, talks, who], outputs, **quiet)
    # Another knowledge base is another conversation: the numbers under the old answers are not its documents.
    kb.input(anew, [kb, talks, who], outputs, **quiet)
    who.input(other_persona, [who, talks], outputs, **quiet)
    before.input(reopen, [before, talks], outputs, **quiet)
    # Whoever loads the page goes on where this browser was.
    demo.load(lambda: gr.update(choices=desk.personas("reply")), None, [who], **quiet).then(
        resume, [talks, turns], outputs, **quiet
    )

    def follow(listed: gr.HTML, made: Dependency) -> None:
        # The first document makes "No documents yet" untrue.
        listed.change(untouched, [kb, who, talks, turns], [talk], **quiet)
        # One that was made just now is chosen without anybody's hand on the selector.
        made.then(elsewhere, [kb, talks, who], outputs, **quiet)

    return follow


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
    persona = _at_home(desk, kb, who)
    own = persona.inside[:EXAMPLES] if persona else []
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
    title = "Ask your documents"
    if persona:
        title = f"Ask {text_html(persona.name)}"
        how = f"{text_html(persona.scope)} {how.replace(' them.', ' the documents.', 1)}"
    return f'<div class="sg-empty"><h2>{title}</h2><p>{how}</p><div class="sg-examples">{buttons}</div></div>'


def placeholder(desk: Desk, who: str, kb: str) -> str:
    """What stands in the empty box."""
    persona = _at_home(desk, kb, who)
    return f"Ask {persona.name}…" if persona else PLACEHOLDER


def _at_home(desk: Desk, kb: str, who: str) -> Persona | None:
    """The persona `who`, where it has a field of its own and `kb` is its knowledge base."""
    try:
        persona = load_persona(who or desk.persona, desk.assistant.folder.path)
    except ShawGPTError:  # its file was changed, or is gone: asking says so
        persona = desk.assistant.persona
    return persona if persona.inside and persona.knowledge_base == kb else None
