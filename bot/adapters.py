"""Adapters of a work folder: trained into a hidden folder that takes its name when it is whole, and listed."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from data.errors import AdapterRefused, BadInput, NotFound, ShawGPTError, WorkFolderError
from data.persona import load_persona, slug
from finetune.examples import Example, read_examples
from finetune.prompt import persona_sha256

if TYPE_CHECKING:
    from data.persona import Persona
    from finetune.card import Card
    from finetune.history import Progress
    from finetune.recipe import Recipe
    from finetune.training import Trained


PERSONAL = ("replies", "review")  # formats whose prompts are a persona's
LEARNED: dict[str, tuple[str, ...]] = {"reply": PERSONAL, "sql": ("sql",), "quotes": ("quotes",)}  # by a persona's task


@dataclass(frozen=True)
class Listed:
    """An adapter as `shawgpt adapters` lists it."""

    name: str
    card: "Card | None"
    trouble: str  # empty for one that can be used
    unfinished: bool = False

    def as_json(self) -> dict[str, Any]:
        """The form that `adapters --json` prints."""
        card = self.card.model_dump(mode="json", exclude={"curve"}) if self.card else None
        return {"name": self.name, "trouble": self.trouble, "card": card}


def choose(
    name_or_path: str, data: Path | None, base: str | None, name: str | None, persona: str | None = None
) -> "Recipe":
    """The recipe with what the command line says otherwise. Raises BadInput or NotFound."""
    from finetune.recipe import load_recipe

    recipe = load_recipe(name_or_path)
    changes = {"data": str(data) if data else None, "base": base, "name": name, "persona": persona}
    named = Path(base or recipe.base).expanduser()
    if named.is_dir():  # as the card keeps it, for when it is used from elsewhere
        changes["base"] = str(named.resolve())
        changes["revision"] = None
    recipe = recipe.replaced(**{field: value for field, value in changes.items() if value is not None})
    if not recipe.data and recipe.format != "review":
        raise BadInput(f"{name_or_path} names no data: give the file of examples with --data")
    return recipe


def read_data(recipe: "Recipe", home: Path) -> tuple[list[Example], list[tuple[str, str]]]:
    """The recipe's examples, and (origin, reason) of those refused. Raises BadInput or NotFound.

    Where a recipe of format `review` names no data, they are the edited drafts of the work folder `home`.
    """
    path = Path(recipe.data).expanduser() if recipe.data else home
    return read_examples(path, recipe.format, load_persona(recipe.persona, home), slug(recipe.persona))


def train_adapter(
    recipe: "Recipe", home: Path, progress: "Progress", telling: Callable[[str], None]
) -> tuple["Trained", list[tuple[str, str]]]:
    """Train `recipe` into `<home>/adapters/<its name>`; with the result, (origin, reason) of what was refused.

    A training that was stopped or killed goes on where it was. What is wrong with the data is found before the base is
    fetched and loaded, where its tokenizer is known. `telling` hears what is being done before the first step.
    In several processes, call it in each, within `finetune.processes.together`. Raises ShawGPTError.
    """
    from finetune.base import find_base, load_base
    from finetune.dry_run import expected_tokens, prepare
    from finetune.guards import check_examples
    from finetune.processes import count, first, shares
    from finetune.unloaded import base_config, check_unloaded, reads

    folder = home / "adapters" / recipe.name
    if folder.exists():
        raise BadInput(f"{folder} exists already: give the new one another --name, or remove it")
    shares(recipe.batch_size, recipe.accumulation, count())  # raises where they can't
    with ExitStack() as held, warnings.catch_warnings():
        part = first(lambda: held.enter_context(_alone(home, recipe.name)))
        warnings.simplefilter("ignore")  # the libraries' own, which are for who programs with them
        telling("reading the examples")
        examples, refused = read_data(recipe, home)
        check_unloaded(recipe)
        tokens, note = expected_tokens(recipe)
        if not note:  # as the base's own will be
            train_on, held_out, _ = prepare(recipe, examples, tokens)
            check_examples(train_on, held_out, recipe.max_tokens, tokens, reads(base_config(recipe)))
        telling(f"finding {recipe.base}")
        first(lambda: find_base(recipe.base, recipe.revision))  # one downloads
        telling(f"loading {recipe.base}")
        from finetune.training import train  # torch and transformers: seconds

        base = load_base(recipe.base, recipe.revision, recipe.quantisation)
        train_on, held_out, too_long = prepare(recipe, examples, base.tokens)
        who = persona_sha256(load_persona(recipe.persona, home)) if recipe.format in PERSONAL else ""
        trained = train(recipe, train_on, held_out, base, part, progress, persona=who)
        first(lambda: os.replace(part, folder))
    return replace(trained, folder=folder), [*refused, *too_long]


def train_on_ray(recipe: "Recipe", home: Path, workers: int) -> tuple["Trained", list[tuple[str, str]]]:
    """`train_adapter` in so many workers on Ray; the paths in `recipe` and `home` must lead to the same files in each.

    Raises ShawGPTError.
    """
    from finetune.processes import shares
    from finetune.ray_train import on_ray

    shares(recipe.batch_size, recipe.accumulation, workers)
    home = home.absolute()
    home.mkdir(parents=True, exist_ok=True)
    if recipe.data:
        recipe = recipe.replaced(data=str(Path(recipe.data).expanduser().absolute()))
    return on_ray(partial(train_adapter, recipe, home, _unheard, _unheard), workers, home)


def _unheard(*_: object) -> None:
    """Nobody follows a worker's progress."""


def list_adapters(home: Path) -> list[Listed]:
    """Every adapter of the work folder by name, the unfinished and the unusable with the reason."""
    from finetune.card import check_files, read_card

    found: list[Listed] = []
    for folder in sorted((home / "adapters").glob("*")):
        if folder.name.startswith("."):
            if folder.is_dir() and folder.name.endswith(".part"):
                name = folder.name[1 : -len(".part")]
                found.append(Listed(name, None, "unfinished: the same `shawgpt train` goes on with it", True))
        elif folder.is_dir():
            try:
                card = read_card(folder)
                if card.recipe["lora"]:  # of a whole model there may be 14 GB, which are hashed when it is loaded
                    card = check_files(folder)
                found.append(Listed(folder.name, card, ""))
            except ShawGPTError as error:
                found.append(Listed(folder.name, None, str(error)))
    return sorted(found, key=lambda each: each.name)


def find_adapter(name: str, home: Path) -> Path:
    """The folder of an adapter of the work folder, whatever is in it. Raises NotFound, listing the known."""
    folders = {path.name: path for path in sorted((home / "adapters").glob("[!.]*")) if path.is_dir()}
    if name in folders:
        return folders[name]
    known = ", ".join(folders) or "none yet, `shawgpt train` makes one"
    raise NotFound(f"no adapter {name!r} (known: {known})")


def check_persona(card: "Card", adapter: str, persona: "Persona") -> None:
    """Raise AdapterRefused where `adapter` learned to answer other prompts than those of `persona` as it is now."""
    if card.persona_sha256 and card.persona_sha256 != persona_sha256(persona):
        trained = card.recipe["persona"]
        raise AdapterRefused(
            f"the adapter {adapter} was trained with the instructions, scope and signature that the persona {trained} "
            f"had then, and {persona.name}'s are others now: use --persona {trained} unchanged, or train it again"
        )


@contextmanager
def _alone(home: Path, name: str) -> Iterator[Path]:
    """The folder that a training of that name works in, which no other process uses meanwhile."""
    part = home / "adapters" / f".{name}.part"
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(part.with_suffix(".lock"), timeout=0)
        with lock:
            yield part
    except Timeout as error:
        raise WorkFolderError(f"{name!r} is being trained by another process: wait for it, or give --name") from error
    except OSError as error:
        raise WorkFolderError(f"{error.filename or part} can't be written: {error.strerror or error}") from error
