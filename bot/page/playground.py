"""The Playground tab: one text, one or two configurations side by side, and the prompt that each model reads."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.resources import files
from secrets import token_hex
from typing import Any

import gradio as gr

from bot.page.citations import PANELS
from bot.page.desk import Desk
from bot.page.markup import text_html, trouble_html
from bot.page.playground_fields import (
    LONGEST,
    NO_ADAPTER,
    as_lines,
    label_of,
    read,
    text_of,
    tried,
    values_of,
    writers_of,
)
from bot.page.playground_html import Shown, code_html, prompt_html, prompt_title, result_html
from bot.playground import EXTRACTIVE, Configuration, Playground, Writer
from bot.playground_code import as_curl, as_python, direct
from bot.trial import Prompt
from data.errors import ShawGPTError
from data.persona import SHIPPED, slug
from data.sampling import Sampling

QUESTION, COMMENT = "Question", "Comment"
SCRIPT = (files("bot.page") / "playground.js").read_text(encoding="utf-8")
REMEMBERED = 256  # runs that were stopped, the latest
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class _Side:
    """The components of one configuration."""

    name: str  # "A" or "B"
    column: gr.Column
    title: gr.HTML
    persona: gr.Dropdown
    settings: tuple[Any, ...]  # the components that `_read` reads, in its order; the persona is the first
    of_a_model: tuple[Any, ...]  # which only a language model has
    shown: gr.State  # a Shown
    result: gr.HTML
    prompt: gr.HTML
    prompt_title: gr.Accordion
    save_as: gr.Textbox
    save: gr.Button
    curl: gr.Button
    python: gr.Button
    told: gr.HTML  # what came of saving; the code

    @property
    def outputs(self) -> list[Any]:
        """What a try changes."""
        return [self.shown, self.result, self.prompt, self.prompt_title]


def playground_tab(desk: Desk, kb: gr.Dropdown, elsewhere: gr.Dropdown, demo: gr.Blocks) -> None:
    """Build the tab; `kb` is the selector in the header, `elsewhere` another choice of personas."""
    play = Playground(desk.assistant)
    with gr.Row(elem_id="play-ask"):
        text = gr.Textbox(
            label="Try", placeholder="A question about your documents, or a comment to reply to", lines=1,
            max_lines=8, max_length=LONGEST, elem_id="play-text", scale=5, min_width=280,
        )  # fmt: skip
        kind = gr.Radio(
            [QUESTION, COMMENT], value=QUESTION, label="It is a", elem_id="play-kind", scale=2, min_width=220
        )
    with gr.Row(elem_id="play-buttons"):
        start = gr.Button("Run", variant="primary", elem_id="play-run", scale=0, min_width=120)
        stop = gr.Button("Stop", elem_id="play-stop", scale=0, min_width=90)
        show = gr.Button("Show prompt", elem_id="play-show", scale=0, min_width=160)
        both = gr.Checkbox(False, label="Compare two side by side", elem_id="play-both", container=False, min_width=220)
    with gr.Row(elem_id="play-sides"):
        a, b = (_side(desk, play, name, visible=name == "A") for name in ("A", "B"))

    asked = [text, kind, kb]
    number = gr.State("")  # of the run that is under way
    stopped: deque[str] = deque(maxlen=REMEMBERED)
    # Gradio's page runs what listens to one event one after the other, and what follows an event at once.
    begun = gr.on([start.click, text.submit], lambda: token_hex(8), None, [number], **QUIET)
    for side in (a, b):
        also = [both] if side is b else []

        def run(mine: str, question: str, what: str, name: str, *given: Any, side: _Side = side) -> Iterator[Any]:
            yield from _run(play, side, lambda: mine in stopped, question, what, name, given)

        def prompt(question: str, what: str, name: str, *given: Any, side: _Side = side) -> tuple[Any, ...]:
            return _prompt(play, side, question, what, name, given)

        inputs = [*asked, *side.settings, *also]
        begun.then(run, [number, *inputs], side.outputs, **QUIET)
        show.click(prompt, inputs, side.outputs, **QUIET)
        _settings_events(play, side, kb)
        _keeping_events(desk, play, side, (a.persona, b.persona, elsewhere), asked)
    stop.click(stopped.append, [number], None, queue=False, **QUIET)
    both.input(_compared, [both, *a.settings], [b.column, a.title, *b.settings, *b.of_a_model], **QUIET)
    # Personas and adapters may have come and gone since the page was built.
    demo.load(lambda: _offered(desk, play), None, [a.persona, b.persona, *a.settings[2:4], *b.settings[2:4]], **QUIET)


def _side(desk: Desk, play: Playground, name: str, visible: bool) -> _Side:
    own = _first(desk, play)
    writers, local, modelled = writers_of(play), own.writer.responder == "local", own.writer != EXTRACTIVE
    with gr.Column(visible=visible, elem_id=f"play-{name}", elem_classes="sg-side", min_width=300) as column:
        title = gr.HTML(f"<h2>{name}</h2>", visible=not visible, apply_default_css=False, padding=False)
        with gr.Row(elem_classes="sg-side-row"):
            with gr.Column(min_width=290, scale=2):
                persona = gr.Dropdown(
                    _personas(play), value=own.persona, label="Persona", filterable=False, elem_classes="sg-choice"
                )
                with gr.Row(elem_classes="sg-two"):
                    writer = gr.Dropdown(
                        list(writers), value=label_of(writers, own.writer), label="Responder", filterable=False,
                        min_width=140, elem_classes="sg-choice",
                    )  # fmt: skip
                    adapter = gr.Dropdown(
                        [NO_ADAPTER, *play.adapters()], value=own.adapter or NO_ADAPTER, label="Adapter",
                        filterable=False, min_width=130, visible=local, elem_classes="sg-choice",
                    )  # fmt: skip
                knowledge = gr.Checkbox(True, label="Knowledge: give it passages of the documents", container=False)
                with gr.Accordion("System text", open=False):
                    system = gr.Textbox(
                        own.system, label="Instructions", lines=5, max_lines=14, max_length=LONGEST,
                        info="Who a language model is told to be; the persona's scope and signature are added.",
                    )  # fmt: skip
                with gr.Accordion("Sampling", open=False, visible=modelled) as sampling_box:
                    sampling = _sampling(own.sampling)
            with gr.Column(min_width=290, scale=3):
                result = gr.HTML(
                    result_html(name, None), js_on_load=PANELS, apply_default_css=False, padding=False,
                    elem_id=f"play-result-{name}", elem_classes="sg-play",
                )  # fmt: skip
                with gr.Accordion("Prompt", open=False, elem_id=f"play-prompt-{name}") as prompt_box:
                    prompt = gr.HTML(prompt_html(None), apply_default_css=False, padding=False, elem_classes="sg-play")
                with gr.Accordion("Keep or hand on", open=False, elem_id=f"play-keep-{name}"):
                    with gr.Row(elem_classes="sg-keep"):
                        save_as = gr.Textbox(
                            label="Save as a persona", placeholder="Its name", max_length=64, min_width=150
                        )
                        save = gr.Button("Save", scale=0, min_width=90)
                    with gr.Row(elem_classes="sg-keep"):
                        curl = gr.Button("As curl", scale=0, min_width=120)
                        python = gr.Button("As Python", scale=0, min_width=140)
                    told = gr.HTML(js_on_load=SCRIPT, apply_default_css=False, padding=False, elem_classes="sg-play")
    settings = (persona, system, writer, adapter, knowledge, *sampling)
    return _Side(
        name, column, title, persona, settings, (adapter, sampling_box), gr.State(None), result, prompt, prompt_box,
        save_as, save, curl, python, told,
    )  # fmt: skip


def _sampling(own: Sampling) -> tuple[Any, ...]:
    return (
        gr.Slider(0, 2, own.temperature, step=0.05, label="Temperature", info="0: always the likeliest word"),
        gr.Slider(0.01, 1, own.top_p, step=0.01, label="Top-p", info="Only the likeliest words that add up to this"),
        gr.Number(own.max_tokens, label="Maximum length", info="Tokens, 1 to 8,192", precision=0),
        gr.Textbox(
            as_lines(own.stop), label="Stop sequences", lines=1, max_lines=8, max_length=4000,
            info=r"One a line, up to 8; \n is a line break",
        ),
        gr.Slider(-2, 2, own.frequency_penalty, step=0.05, label="Frequency penalty"),
        gr.Slider(-2, 2, own.presence_penalty, step=0.05, label="Presence penalty"),
        gr.Number(own.seed, label="Seed", info="The same seed gives the same reply", precision=0),
    )  # fmt: skip


def _settings_events(play: Playground, side: _Side, kb: gr.Dropdown) -> None:
    writer, adapter = side.settings[2:4]

    def of_persona(who: str, name: str) -> tuple[Any, ...]:
        try:
            own = play.of_persona(slug(who), name)
        except ShawGPTError as error:
            return (*(gr.skip(),) * (len(side.settings) - 1 + len(side.of_a_model)), trouble_html(str(error)))
        writers = writers_of(play)
        values = (own.system, label_of(writers, own.writer), own.adapter or NO_ADAPTER, True, *values_of(own.sampling))
        return (*values, *_modelled(own.writer), "")

    def of_writer(label: str) -> tuple[Any, ...]:
        return _modelled(writers_of(play).get(label, EXTRACTIVE))

    def of_adapter(name: str, label: str) -> Any:
        base = play.adapters().get(name)
        return label_of(writers_of(play), Writer("local", base)) if base else label

    side.persona.input(of_persona, [side.persona, kb], [*side.settings[1:], *side.of_a_model, side.told], **QUIET)
    writer.input(of_writer, [writer], [*side.of_a_model], **QUIET)
    adapter.input(of_adapter, [adapter, writer], [writer], **QUIET)  # the base that it was trained on


def _keeping_events(
    desk: Desk, play: Playground, side: _Side, choices: tuple[gr.Dropdown, ...], asked: list[Any]
) -> None:
    text, kind, kb = asked

    def save(name: str, kb_name: str, *given: Any) -> tuple[Any, ...]:
        try:
            configuration = read(play, kb_name, given)
            kept = play.save(configuration, name).stem
        except ShawGPTError as error:
            return trouble_html(str(error)), gr.skip(), *(gr.skip() for _ in choices)
        off = "" if configuration.knowledge else " Knowledge is on in it: a persona can't be without."
        said = (
            f'<p class="sg-note sg-good" role="status">Saved: {text_html(name.strip())} ({text_html(kept)}).{off}</p>'
        )
        here, elsewhere = gr.update(choices=_personas(play)), gr.update(choices=desk.personas("reply"))
        return said, "", here, here, elsewhere

    def code(form: str, asked: str, what: str, kb_name: str, given: tuple[Any, ...], request: gr.Request) -> str:
        asked = asked.strip() or "Hello"
        try:
            configuration = read(play, kb_name, given)
            unsaved, itself = play.unsaved(configuration), direct(play, configuration, asked, what == QUESTION)
        except ShawGPTError as error:
            return trouble_html(str(error))
        write = as_curl if form == "curl" else as_python
        return code_html(write(configuration, asked, _address(request), unsaved, itself), form)

    # Gradio hands over the request where a parameter is typed so, and no keyword.
    def curl(request: gr.Request, asked: str, what: str, kb_name: str, *given: Any) -> str:
        return code("curl", asked, what, kb_name, given, request)

    def python(request: gr.Request, asked: str, what: str, kb_name: str, *given: Any) -> str:
        return code("Python", asked, what, kb_name, given, request)

    side.save.click(save, [side.save_as, kb, *side.settings], [side.told, side.save_as, *choices], **QUIET)
    side.curl.click(curl, [text, kind, kb, *side.settings], [side.told], **QUIET)
    side.python.click(python, [text, kind, kb, *side.settings], [side.told], **QUIET)


def _run(
    play: Playground,
    side: _Side,
    stopped: Callable[[], bool],
    question: str,
    what: str,
    kb: str,
    given: tuple[Any, ...],
) -> Iterator[tuple[Any, ...]]:
    """A try on `side`, as its outputs grow."""
    if len(given) > len(side.settings) and not given[-1]:  # the other side, where nothing is compared
        return
    prompt: Prompt | None = None
    with closing(tried(play, question, what == QUESTION, kb, given[: len(side.settings)], stopped)) as growing:
        for shown in growing:
            if shown.prompt is prompt and prompt is not None:
                yield shown, result_html(side.name, shown), gr.skip(), gr.skip()
                continue
            prompt = shown.prompt
            yield _outputs(side, shown)


def _prompt(
    play: Playground, side: _Side, question: str, what: str, kb: str, given: tuple[Any, ...]
) -> tuple[Any, ...]:
    """The prompt alone."""
    if len(given) > len(side.settings) and not given[-1]:
        return (gr.skip(),) * 4
    try:
        configuration = read(play, kb, given[: len(side.settings)])
        prompt = play.trial(configuration, text_of(question), what == QUESTION).prompt()
    except ShawGPTError as error:
        return _outputs(side, Shown("", error=str(error)))
    return gr.skip(), gr.skip(), prompt_html(prompt), gr.update(label=prompt_title(prompt), open=True)


def _compared(both: bool, *given: Any) -> tuple[Any, ...]:
    """The other side shown with what this one has, or hidden."""
    if not both:
        return (gr.update(visible=False), gr.update(visible=False), *(gr.skip() for _ in given), gr.skip(), gr.skip())
    local = gr.update(visible=given[2].startswith("local"))
    modelled = gr.update(visible=given[2] != str(EXTRACTIVE))
    return gr.update(visible=True), gr.update(visible=True), *given, local, modelled


def _outputs(side: _Side, shown: Shown) -> tuple[Any, ...]:
    title = gr.update(label=prompt_title(shown.prompt))
    return shown, result_html(side.name, shown), prompt_html(shown.prompt), title


def _first(desk: Desk, play: Playground) -> Configuration:
    """What the sides have at first: the persona that the server was started with, where it replies."""
    return play.of_persona(desk.persona if desk.persona in play.personas() else SHIPPED, desk.assistant.kb)


def _offered(desk: Desk, play: Playground) -> tuple[Any, ...]:
    """The personas, writers and adapters that there are now, for both sides."""
    personas, writers = gr.update(choices=_personas(play)), gr.update(choices=list(writers_of(play)))
    adapters = gr.update(choices=[NO_ADAPTER, *play.adapters()])
    return personas, personas, writers, adapters, writers, adapters


def _personas(play: Playground) -> list[tuple[str, str]]:
    return [(persona.name, slug) for slug, persona in play.personas().items()]


def _modelled(writer: Writer) -> tuple[Any, Any]:
    """What only a language model has, shown or hidden."""
    return gr.update(visible=writer.responder == "local"), gr.update(visible=writer != EXTRACTIVE)


def _address(request: gr.Request) -> str:
    """The server's address as the browser has it."""
    origin = request.headers.get("origin", "")
    if origin.startswith(("http://", "https://")) or request.request is None:
        return str(origin)
    return str(request.request.base_url)
