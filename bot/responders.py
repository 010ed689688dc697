"""What writes: which responder, model, adapter and sampling are meant, and the responder made from them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from bot.adapters import LEARNED, PERSONAL, check_persona, find_adapter
from bot.drafts import WrittenBy
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

RESPONDERS = ("extractive", "local")
AHEAD = 4  # batches that a GPU is given at once, so that prompts of a length go together
DEFAULT_SAMPLING = Sampling()
DEFAULT_RECIPE = "shawgpt-mistral-7b"  # whose base `local` uses where nothing names another


@dataclass(frozen=True)
class Asked:
    """What a person asked for; None leaves it to the persona."""

    responder: str | None = None
    model: str | None = None  # a folder, a hub name, a GGUF file
    adapter: str | None = None  # its name; empty for none, where the persona has one
    sampling: tuple[str, ...] = ()  # KEY=VALUE each
    compiled: bool = False  # a local model's steps; of no meaning where none writes


AS_THE_PERSONA_HAS_IT = Asked()


@dataclass(frozen=True)
class Writing:
    """What writes, settled."""

    written_by: WrittenBy
    model: str = ""  # of `local`
    revision: str | None = None
    adapter: Path | None = None  # the folder of its LoRA
    sampling: Sampling = DEFAULT_SAMPLING
    compiled: bool = False


def settle(asked: Asked, persona: "Persona", home: Path) -> Writing:
    """What `asked` and `persona` together mean. Nothing is loaded yet.

    Raises NotFound, listing the known, for a responder or adapter that doesn't exist, AdapterRefused for an adapter
    that was changed or trained for another persona, BadInput for what doesn't fit together.
    """
    from finetune.card import check_files, read_card

    local = asked.adapter or asked.model or asked.sampling  # which only a model has
    name = asked.responder or ("local" if local else persona.responder)
    if name not in RESPONDERS:
        raise NotFound(f"no responder {name!r} (known: {', '.join(RESPONDERS)})")
    if name == "extractive":
        if local:
            raise BadInput("the responder extractive has no model: leave --responder out, or --model and the like")
        return Writing(WrittenBy(name))
    sampling = _sampling(persona.sampling, asked.sampling)
    adapter = persona.adapter if asked.adapter is None else asked.adapter
    model = asked.model or persona.model
    if not adapter:
        base, revision = _default_base()
        return Writing(WrittenBy(name), model or base, None if model else revision, None, sampling, asked.compiled)
    folder = find_adapter(adapter, home)
    card = read_card(folder)
    if card.recipe["format"] not in LEARNED[persona.task]:
        wanted = {"reply": "replies to comments", "sql": "SQL", "quotes": "quotes"}[persona.task]
        raise AdapterRefused(f"{adapter} has learned {card.recipe['format']}, and no {wanted}")
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
    return ChatResponder(persona, past, made.model, embedder, writing.written_by, made.together, made.fits)


def make_chat(writing: Writing, models: dict[str, "LocalModel"]) -> Chat:
    """The language model of `writing`, loaded unless `models`, which are kept by name, has it. Raises ShawGPTError."""
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


def _sampling(own: Sampling, changes: Sequence[str]) -> Sampling:
    """`own` with KEY=VALUE changes. Raises BadInput."""
    fields = own.model_dump()
    stops: list[str] = []
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or key not in fields:
            raise BadInput(f"--sampling {change!r}: give KEY=VALUE, where KEY is one of {', '.join(fields)}")
        if key == "stop":
            stops.append(value)
            fields[key] = tuple(stops)
        else:
            fields[key] = value
    try:
        return Sampling.model_validate(fields)
    except ValidationError as error:
        raise BadInput(f"--sampling {plainly(error, Sampling)}") from error


def _default_base() -> tuple[str, str | None]:
    from finetune.recipe import load_recipe

    recipe = load_recipe(DEFAULT_RECIPE)
    return recipe.base, recipe.revision
