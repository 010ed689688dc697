"""What writes: which responder, model, adapter and sampling are meant, and the responder made from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from bot.adapters import LEARNED, PERSONAL, check_persona, find_adapter
from bot.drafts import WrittenBy
from bot.providers import KINDS, Provider, check_sampling, find_provider, is_provider
from bot.usage import NO_PRICES, Meter
from data.calls import Calls
from data.errors import AdapterRefused, BadInput, NotFound
from data.plain_errors import plainly
from data.sampling import Sampling

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from bot.drafts import Responder
    from bot.intent import IntentClassifier
    from bot.local_model import LocalModel
    from data.embedding import Embedder
    from data.persona import Persona
    from data.style_memory import PastReply
    from finetune.prompt import Message

RESPONDERS = ("extractive", "local")  # and any PROVIDER:MODEL
AHEAD = 4  # batches that a GPU is given at once, so that prompts of a length go together
ASKED_AHEAD = 4  # requests to a provider that wait for each that is under way, so that a slow one holds up few
DEFAULT_SAMPLING = Sampling()
Settings = TypeVar("Settings", bound=BaseModel)
DEFAULT_RECIPE = "shawgpt-mistral-7b"  # whose base `local` uses where nothing names another


@dataclass(frozen=True)
class Asked:
    """What a person asked for; None leaves it to the persona."""

    responder: str | None = None
    model: str | None = None  # a folder, a hub name, a GGUF file
    adapter: str | None = None  # its name; empty for none, where the persona has one
    sampling: tuple[str, ...] = ()  # KEY=VALUE each
    compiled: bool = False  # a local model's steps; of no meaning where none writes
    base_url: str | None = None
    """Where a provider listens. The environment's key is shown there: it is for whoever runs the program to give."""
    calls: tuple[str, ...] = ()  # KEY=VALUE each, of a provider


AS_THE_PERSONA_HAS_IT = Asked()


@dataclass(frozen=True)
class Writing:
    """What writes, settled."""

    written_by: WrittenBy
    model: str = ""  # of `local`: folder, hub name or file; of a provider, its name there
    revision: str | None = None
    adapter: Path | None = None  # the folder of its LoRA
    sampling: Sampling = DEFAULT_SAMPLING
    compiled: bool = False
    provider: Provider | None = None  # which runs the model, where this computer doesn't

    @property
    def sent_to(self) -> str:
        """The address on another computer that comments and passages are sent to; empty for none."""
        return self.provider.address if self.provider and not self.provider.here else ""


def settle(asked: Asked, persona: "Persona", home: Path, other_prompts: bool = False) -> Writing:
    """What `asked` and `persona` together mean. Nothing is loaded yet.

    `other_prompts`: an adapter that was trained for another persona is taken too.

    Raises NotFound, listing the known, for a responder or adapter that doesn't exist, AdapterRefused for an adapter
    that was changed or trained for another persona, BadInput for what doesn't fit together.
    """
    from finetune.card import check_files, read_card

    local = bool(asked.adapter or asked.model)
    name = asked.responder or ("local" if local else persona.responder)
    if not asked.responder and name == "extractive" and asked.sampling:
        name = "local"  # only a model has it
    if name not in RESPONDERS and not is_provider(name):
        known = f"{', '.join(RESPONDERS)}, {', '.join(f'{kind}:MODEL' for kind in KINDS)}"
        raise NotFound(f"no responder {name!r} (known: {known})")
    if not is_provider(name) and (asked.base_url is not None or asked.calls):
        given = "--calls" if asked.base_url is None else "--base-url"
        raise BadInput(f"{given} is for a provider: add --responder PROVIDER:MODEL, as in openai:NAME")
    if name == "extractive":
        if local or asked.sampling:
            raise BadInput("the responder extractive has no model: leave --responder out, or --model and the like")
        return Writing(WrittenBy(name))
    sampling = _changed(persona.sampling, asked.sampling, "--sampling")
    if is_provider(name):
        if local:
            option = "--adapter" if asked.adapter else "--model"
            raise BadInput(
                f"{option} is for a model on this computer: a provider's stands in --responder, as in openai:NAME"
            )
        provider = find_provider(name, asked.base_url, persona, _changed(persona.calls, asked.calls, "--calls"))
        check_sampling(provider.kind, sampling)
        return Writing(WrittenBy(name), provider.model, sampling=sampling, provider=provider)
    adapter = persona.adapter if asked.adapter is None else asked.adapter
    model = asked.model or persona.model
    if not adapter:
        if persona.task == "quotes" and not model:
            raise BadInput(
                "name a model that has learned quotes with --adapter: `shawgpt train quotes --data FILE` makes one"
            )
        base, revision = default_base()
        return Writing(WrittenBy(name), model or base, None if model else revision, None, sampling, asked.compiled)
    folder = find_adapter(adapter, home)
    card = read_card(folder)
    if card.recipe["format"] not in LEARNED[persona.task]:
        wanted = {"reply": "replies to comments", "sql": "SQL", "quotes": "quotes"}[persona.task]
        raise AdapterRefused(f"{adapter} has learned {card.recipe['format']}, and no {wanted}")
    if not other_prompts:
        check_persona(card, adapter, persona)
    if card.recipe["lora"]:
        check_files(folder)  # before the base is loaded, which takes a while
    else:  # a whole model of its own
        return Writing(WrittenBy(name, adapter), str(folder), None, None, sampling, asked.compiled)
    base = model or card.base
    revision = card.base_revision if base == card.base else None
    return Writing(WrittenBy(name, adapter), base, revision, folder, sampling, asked.compiled)


def persona_of(adapter: str, home: Path) -> str | None:
    """The persona that an adapter was trained for; None where its data brought their own prompts."""
    from finetune.card import read_card

    recipe = read_card(find_adapter(adapter, home)).recipe
    return str(recipe["persona"]) if recipe["format"] in PERSONAL else None


@dataclass(frozen=True)
class Chat:
    """A language model that is ready to write, with the adapter and the sampling that are meant."""

    model: "BaseChatModel"
    together: int = 1  # how many prompts it is best given at once
    fits: Callable[[Sequence["Message"]], bool] = lambda turns: True  # whether it can read a conversation and answer
    local: "LocalModel | None" = None  # where it is on this computer: for prompts that are no conversations
    calls: Calls = NO_PRICES  # what its tokens cost
    spent: Meter = field(default_factory=Meter)  # what it has read and written here


def make_responder(
    writing: Writing,
    persona: "Persona",
    past: Sequence["PastReply"],
    embedder: "Embedder",
    intents: "IntentClassifier",
    chat: Callable[[], Chat],
) -> "Responder":
    """The responder; `chat` makes its model, where it has one. Raises ShawGPTError."""
    if writing.written_by.responder == "extractive":
        from bot.extractive import ExtractiveResponder

        return ExtractiveResponder(persona, past, embedder, intents)
    from bot.chat_responder import ChatResponder

    made = chat()
    return ChatResponder(
        persona, past, made.model, embedder, writing.written_by, made.together, made.fits, made.calls, made.spent
    )


def make_chat(writing: Writing, models: dict[str, "LocalModel"]) -> Chat:
    """The language model of `writing`, loaded unless `models`, which are kept by name, has it. Raises ShawGPTError.

    Of a provider's, nothing is asked yet.
    """
    if writing.provider:
        from bot.provider_chat import make_provider_chat

        calls = writing.provider.calls
        asked = make_provider_chat(writing.provider, writing.sampling)
        return Chat(asked, calls.together * ASKED_AHEAD, calls=calls)
    from bot.local_chat import LocalChat
    from bot.local_model import LocalModel

    if writing.model not in models:
        models[writing.model] = LocalModel(writing.model, writing.revision, compiled=writing.compiled)
    model = models[writing.model]
    adapter = writing.written_by.adapter if writing.adapter else None
    if adapter and writing.adapter:
        model.add_adapter(adapter, writing.adapter)
    chat = LocalChat(model=model, adapter=adapter, sampling=writing.sampling)
    together = model.batch_size * (AHEAD if model.device == "cuda" else 1)

    def fits(turns: Sequence["Message"]) -> bool:
        return model.reads.fits(turns, writing.sampling.max_tokens)

    return Chat(chat, together, fits, model)


def _changed(own: Settings, changes: Sequence[str], option: str) -> Settings:
    """`own` with KEY=VALUE changes, as `option` gave them. Raises BadInput."""
    fields = own.model_dump()
    stops: list[str] = []
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key not in fields:
            raise BadInput(f"{option} {change!r}: give KEY=VALUE, where KEY is one of {', '.join(fields)}")
        if key == "stop":
            stops.append(value)
            fields[key] = tuple(stops)
        else:
            fields[key] = value
    try:
        return type(own).model_validate(fields)
    except ValidationError as error:
        raise BadInput(f"{option} {plainly(error, type(own))}") from error


def default_base() -> tuple[str, str | None]:
    """The model that `local` uses where nothing names another, and its revision."""
    from finetune.recipe import load_recipe

    recipe = load_recipe(DEFAULT_RECIPE)
    return recipe.base, recipe.revision
