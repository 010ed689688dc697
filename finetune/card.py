"""An adapter's card: what it was trained on, with what, and how it went. `card.json` lies beside the weights."""

import hashlib
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, field_validator

from data.errors import AdapterRefused, NotFound
from data.json_file import read_object
from finetune.history import Point
from finetune.prompt import PROMPT_VERSION
from finetune.recipe import Name, Recipe
from finetune.record import RECORD

CARD = "card.json"
_HASHED = ("adapter_model.safetensors", "adapter_config.json", "model.safetensors", "config.json", RECORD)
_LIBRARIES = ("shawgpt", "torch", "transformers", "peft", "bitsandbytes", "accelerate")
_LARGEST = 64 << 30  # bytes of a file that is hashed; training writes larger models in several
_CURVE = 200  # training points a card keeps; history.jsonl has them all


class Card(BaseModel):
    """What `card.json` says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name  # of the recipe
    recipe: dict[str, Any]
    recipe_sha256: str
    base: str  # folder or hub name
    base_revision: str | None  # commit on the hub
    base_sha256: str  # finetune.base.fingerprint
    prompt_version: str
    persona_sha256: str = ""  # finetune.prompt; empty where the data bring their own prompts
    data_sha256: str  # of the token ids and what is learned of them, in order, training first
    rows: int  # examples trained on
    rows_held_out: int
    seed: int
    steps: int  # done; fewer than planned where it stopped early
    best_step: int  # the one these weights are of
    held_out_before: float | None  # loss of the untrained base; None where nothing was held out
    held_out_after: float | None  # at `best_step`
    curve: tuple[Point, ...]
    evaluation: dict[str, Any] | None = None  # of `eval replies` on all held-out examples: see bot.eval_replies
    versions: dict[str, str]
    files: dict[str, str]  # SHA-256 of the weights, the settings and the record of examples beside the card

    @field_validator("recipe")
    @classmethod
    def _whole(cls, recipe: dict[str, Any]) -> dict[str, Any]:
        return Recipe.model_validate(recipe).model_dump(mode="json")


def hash_files(folder: Path) -> dict[str, str]:
    """SHA-256 of the weights, the settings and the record of examples in an adapter's folder, by file name.

    Raises AdapterRefused where one is larger than training writes any, or can't be read.
    """
    digests = {}
    for path in (folder / name for name in _HASHED):
        try:
            if not path.is_file():  # nor a device or a pipe, which have no end
                continue
            if path.stat().st_size > _LARGEST:
                raise AdapterRefused(f"{path} is larger than any that training writes: train the adapter again.")
            with path.open("rb") as file:
                digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise AdapterRefused(f"{path} can't be read ({error.strerror}): train the adapter again.") from error
    return digests


def library_versions() -> dict[str, str]:
    """The versions that an adapter depends on."""
    return {name: version(name) for name in _LIBRARIES}


def thin(history: Sequence[Point]) -> tuple[Point, ...]:
    """The held-out measures of a history, and at most 200 of its steps, evenly."""
    steps = [point for point in history if point.held_out is None]
    kept = {point.step for point in steps[:: -(-len(steps) // _CURVE) or 1]}
    return tuple(point for point in history if point.held_out is not None or point.step in kept)


def write_card(folder: Path, card: Card) -> None:
    """Write `card` into an adapter's folder, whole or not at all."""
    content = card.model_dump(mode="json")
    part = folder / f".{CARD}.part"
    part.write_text(json.dumps({**content, "sha256": _digest(content)}, indent=1) + "\n", encoding="utf-8")
    os.replace(part, folder / CARD)


def read_card(folder: Path) -> Card:
    """The card of the adapter in `folder`. Raises NotFound where there is none, AdapterRefused where it was changed."""
    path = folder / CARD
    try:
        if not path.is_file():
            raise NotFound(f"{folder} holds no adapter: {CARD} is missing. `shawgpt adapters` lists those there are.")
        content = read_object(path)
        digest = content.pop("sha256", None)
        card = Card.model_validate(content)
    except (OSError, ValueError) as error:  # pydantic's ValidationError is one
        raise AdapterRefused(f"{path} can't be read as a card: train the adapter again.") from error
    if digest != _digest(content):
        raise AdapterRefused(f"{path} was changed after training: train the adapter again.")
    return card


def check_card(folder: Path, base_sha256: str) -> Card:
    """The card in `folder`, when its files are those that were trained, on this base and with today's prompt.

    Raises AdapterRefused or NotFound.
    """
    card = check_files(folder)
    if card.base_sha256 != base_sha256:
        raise AdapterRefused(f"{folder} was trained on another base ({card.base}): use that one, or train it again.")
    if card.prompt_version != PROMPT_VERSION:
        raise AdapterRefused(
            f"{folder} was trained with prompt {card.prompt_version}, and today's is {PROMPT_VERSION}: train it again."
        )
    return card


def check_files(folder: Path) -> Card:
    """The card in `folder`, when the files beside it are those that were trained.

    The hashes find accidents and careless edits; who can write the folder can write new hashes too.
    Raises AdapterRefused or NotFound.
    """
    card = read_card(folder)
    found = hash_files(folder)
    changed = sorted(name for name in {*found, *card.files} if found.get(name) != card.files.get(name))
    if changed:
        raise AdapterRefused(
            f"{folder}: {', '.join(changed)} changed, or went missing, after training: train it again."
        )
    return card


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
