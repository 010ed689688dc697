"""The playground: any text tried with any persona, writer and sampling; kept as a persona, or handed on as code."""

from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import ValidationError

from bot.adapters import LEARNED, check_persona
from bot.providers import is_provider
from bot.responders import AS_THE_PERSONA_HAS_IT, Asked, default_base, settle
from bot.trial import Trial
from data.errors import AdapterRefused, BadInput, NotFound, ShawGPTError
from data.persona import Persona, list_personas, load_persona, save_persona
from data.plain_errors import plainly
from data.sampling import Sampling

if TYPE_CHECKING:
    from bot.assistant import Assistant


@dataclass(frozen=True)
class Writer:
    """What may write: nothing is tried that neither the command line nor a file of the work folder names."""

    responder: str
    model: str = ""  # of `local`: a folder, a hub name, a GGUF file
    base_url: str = ""  # of a provider: where it listens; empty for its own address

    def __str__(self) -> str:
        """As people are shown it: of a folder the last two parts, for where it lies is nobody's business."""
        if self.base_url:
            return f"{self.responder} at {urlsplit(self.base_url).netloc}"
        return f"{self.responder}: {'/'.join(Path(self.model).parts[-2:])}" if self.model else self.responder


EXTRACTIVE = Writer("extractive")


@dataclass(frozen=True)
class Configuration:
    """What answers, and how."""

    persona: str  # its slug
    system: str  # its instructions, as they are or changed
    writer: Writer = EXTRACTIVE
    adapter: str = ""  # over a local model; empty for none
    knowledge: bool = True  # whether passages are searched for
    kb: str = "default"
    sampling: Sampling = field(default_factory=Sampling)


class Playground:
    """Tries configurations on a work folder. Any threads may use it; nothing of what is tried is kept."""

    def __init__(self, assistant: "Assistant") -> None:
        self._assistant = assistant
        self._home = assistant.folder.path
        self._views: dict[tuple[str, str], Assistant] = {}
        self._lock = Lock()

    # -- what can be chosen

    def personas(self) -> dict[str, Persona]:
        """Those that reply and answer, by slug."""
        found = list_personas(self._home)
        return {slug: each for slug, each in found.items() if isinstance(each, Persona) and each.task == "reply"}

    def writers(self) -> list[Writer]:
        """Those that the command line, a persona or an adapter names; `extractive` first."""
        adapters, found = self.adapters(), [EXTRACTIVE, self._started]
        for persona in self.personas().values():
            if is_provider(persona.responder):
                found.append(Writer(persona.responder, base_url=persona.base_url))
            elif persona.model or persona.responder == "local":
                found.append(Writer("local", persona.model or adapters.get(persona.adapter) or default_base()[0]))
        found += [Writer("local", base) for base in adapters.values()]
        return list(dict.fromkeys(found))

    def adapters(self) -> dict[str, str]:
        """The adapters that have learned to reply, with the model that each is put on, or that it is."""
        from finetune.card import read_card

        found = {}
        for folder in sorted((self._home / "adapters").glob("[!.]*")):
            with suppress(ShawGPTError):  # `shawgpt adapters` says what is wrong with it
                recipe, base = (card := read_card(folder)).recipe, card.base
                if recipe["format"] in LEARNED["reply"]:
                    found[folder.name] = base if recipe["lora"] else str(folder)
        return found

    def of_persona(self, slug: str, kb: str) -> Configuration:
        """The configuration that replies as the persona does now. Raises NotFound, BadInput."""
        persona = load_persona(slug, self._home)
        try:
            if slug == self._assistant.persona_slug:
                writing = self._assistant.writing
            else:
                writing = settle(AS_THE_PERSONA_HAS_IT, persona, self._home, other_prompts=True)
        except (NotFound, BadInput, AdapterRefused):  # its adapter is gone, say: Replies tells that
            return Configuration(slug, persona.instructions, kb=kb, sampling=persona.sampling)
        by = writing.written_by
        if slug == self._assistant.persona_slug:
            writer = self._started
        elif writing.provider:
            writer = Writer(by.responder, base_url=persona.base_url)
        else:
            writer = Writer(by.responder, writing.model)
        sampling = writing.sampling if writing.model else persona.sampling
        return Configuration(slug, persona.instructions, writer, by.adapter, True, kb, sampling)

    # -- trying

    def trial(self, configuration: Configuration, text: str, question: bool) -> Trial:
        """A try of `configuration` with a comment or a question. No model is loaded. Raises ShawGPTError."""
        writer, saved = configuration.writer, load_persona(configuration.persona, self._home)
        if writer not in self.writers():
            raise NotFound(f"{writer} is neither the server's, nor named by a persona or an adapter")
        local, theirs = writer.responder == "local", self._assistant.asked
        given = is_provider(writer.responder) and writer == self._started  # its address too, by who runs the server
        asked = Asked(
            writer.responder,
            writer.model if local else None,
            configuration.adapter if local else None,
            compiled=theirs.compiled,
            base_url=theirs.base_url if given else None,
            calls=theirs.calls if given else (),
        )
        # An address goes with the responder that it was named for: another persona's text must not go elsewhere.
        named = {"sampling": configuration.sampling, "base_url": writer.base_url}
        writing = settle(asked, saved.model_copy(update=named), self._home, other_prompts=True)
        view = self._view(configuration, saved)
        if writing.model:  # without one, what the view has made of past replies is used again
            view = view.trying(self._persona(configuration), writing)
        return Trial(view, text, question, configuration.knowledge)

    def warning(self, configuration: Configuration) -> str:
        """What to know before this is tried; empty for nothing. Raises ShawGPTError."""
        from finetune.card import read_card

        name = configuration.adapter
        if not name or configuration.writer.responder != "local":
            return ""
        if name not in self.adapters():
            raise NotFound(f"no adapter {name!r} that has learned to reply")
        card = read_card(self._home / "adapters" / name)
        try:
            check_persona(card, name, self._persona(configuration))
        except AdapterRefused:
            trained = card.recipe["persona"]
            return f"the adapter {name} was trained with other instructions (those of {trained}): it answers worse here"
        return ""

    # -- keeping

    def as_persona(self, configuration: Configuration, name: str) -> Persona:
        """The configuration as a persona of that name. Raises BadInput for what no persona can be."""
        persona, writer = self._persona(configuration), configuration.writer
        if self.warning(configuration):
            raise BadInput(
                f"the adapter {configuration.adapter} was trained with other instructions, and a persona can't reply "
                "with it that has others: save it without the adapter, or with the instructions as they were"
            )
        fields = {
            **persona.model_dump(), "name": name, "knowledge_base": configuration.kb,
            "responder": writer.responder, "model": writer.model, "base_url": writer.base_url,
            "adapter": configuration.adapter if writer.responder == "local" else "",
        }  # fmt: skip
        if writer != EXTRACTIVE:
            fields["sampling"] = configuration.sampling.model_dump()
        return _valid(fields)

    def save(self, configuration: Configuration, name: str) -> Path:
        """Write the configuration as a persona's file. Raises BadInput for a name that is taken, or is none."""
        return save_persona(self.as_persona(configuration, name.strip()), self._home)

    def unsaved(self, configuration: Configuration) -> list[str]:
        """What differs from the persona as it is saved, apart from sampling, in words."""
        own = self.of_persona(configuration.persona, configuration.kb)
        local = configuration.writer.responder == "local"
        differs = {
            "system text": configuration.system.strip() != own.system.strip(),
            "responder": configuration.writer != own.writer,
            "adapter": local and configuration.adapter != own.adapter,
            "knowledge off": not configuration.knowledge,
        }
        return [name for name, so in differs.items() if so]

    # -- parts

    @property
    def _started(self) -> Writer:
        """What the server was started with."""
        writing, asked = self._assistant.writing, self._assistant.asked
        responder = writing.written_by.responder
        if writing.provider:
            return Writer(responder, base_url=asked.base_url or self._assistant.persona.base_url)
        return Writer(responder, writing.model)

    def _view(self, configuration: Configuration, saved: Persona) -> "Assistant":
        """The assistant of the persona as it is saved, without a model; made once."""
        key = configuration.persona, configuration.kb
        with self._lock:  # of two that are tried at once, one makes it
            if key not in self._views or self._views[key].persona != saved:
                self._views[key] = self._assistant.view(configuration.persona, Asked("extractive"), configuration.kb)
            _ = self._views[key].intents, self._views[key].past
            return self._views[key]

    def _persona(self, configuration: Configuration) -> Persona:
        """The persona with the configuration's instructions. Raises BadInput for none, or too long ones."""
        saved = load_persona(configuration.persona, self._home)
        if configuration.system.strip() == saved.instructions:
            return saved
        return _valid({**saved.model_dump(), "instructions": configuration.system})


def _valid(fields: dict[str, Any]) -> Persona:
    try:
        return Persona.model_validate(fields)
    except ValidationError as error:
        raise BadInput(plainly(error, Persona)) from error
