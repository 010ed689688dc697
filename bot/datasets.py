"""Examples written for other trainers, and files for OpenAI checked: what `export-dataset` and `check-dataset` call."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.adapters import PERSONAL
from data.csvio import decode
from data.errors import BadInput
from data.persona import SHIPPED, load_persona, slug
from finetune.dataset_out import OUT_FORMS, TRAIN, VALIDATION, OutForm, Progress, Side, write_dataset
from finetune.examples import once, read_examples, split
from finetune.openai_rules import WINDOW, CheckedFile, check_files
from finetune.openai_tokens import Cost, cost_of, openai_counter
from finetune.prompt import PROMPT_VERSION, persona_sha256
from finetune.review import SQLITE

if TYPE_CHECKING:
    from finetune.recipe import Format

HELD_OUT, SEED = 0.15, 42  # as the shipped recipe for replies has them


@dataclass(frozen=True)
class Asked:
    """What is to be exported; None leaves it to the recipe, else to what is usual."""

    persona: str | None = None
    recipe: str | None = None
    examples: str | None = None  # the format of the file
    held_out: float | None = None
    seed: int | None = None
    window: int = WINDOW  # tokens of an example that OpenAI's model reads
    epochs: int | None = None  # None for OpenAI's default
    price: float | None = None  # dollars per million tokens


@dataclass(frozen=True)
class ExportedDataset:
    """What was written."""

    folder: Path
    form: OutForm
    format: "Format"
    persona: str  # empty where the examples have prompts of their own
    sides: tuple[Side, ...]
    refused: tuple[tuple[str, str], ...]  # (origin, reason) of what can't be learned from
    repeats: tuple[tuple[str, str], ...]
    checked: tuple[CheckedFile, ...]  # of the form openai
    cost: Cost
    counted: str  # how its tokens were

    def as_json(self) -> dict[str, Any]:
        """What `export-dataset --json` prints."""
        return {
            "folder": str(self.folder),
            "format": self.form,
            "examples": self.format,
            "persona": self.persona,
            "files": [vars(side) for side in self.sides],
            "refused": [{"origin": origin, "reason": reason} for origin, reason in self.refused],
            "repeats": [origin for origin, _ in self.repeats],
            "checked": [each.as_json() for each in self.checked],
            "cost": self.cost.as_json() | {"counted": self.counted},
        }


@dataclass(frozen=True)
class CheckedDataset:
    """Files for OpenAI, checked."""

    files: tuple[CheckedFile, ...]
    cost: Cost | None  # None where there is no training file
    counted: str

    @property
    def refused(self) -> bool:
        """Whether OpenAI wouldn't take one of them."""
        return any(file.refused for file in self.files)

    def as_json(self) -> dict[str, Any]:
        """What `check-dataset --json` prints."""
        cost = self.cost.as_json() if self.cost else None
        return {"files": [file.as_json() for file in self.files], "cost": cost, "counted": self.counted}


def _unheard(*_: object) -> None:
    """Nobody follows."""


def export_dataset(
    path: Path, form: str, out: Path | None, home: Path, asked: Asked, progress: Progress = _unheard
) -> ExportedDataset:
    """Write what `train` would learn from `path`, and hold out, into the new folder `out` (<its name>-<form>).

    Raises BadInput for what can't be used as given, before anything is written, and what read_examples raises.
    """
    known = next((each for each in OUT_FORMS if each == form), None)
    if known is None:
        raise BadInput(f"there is no format {form!r}: there are {', '.join(OUT_FORMS)}")
    format, name, held_out, seed = _settled(path, asked)
    persona = load_persona(name, home)
    progress(f"reading {path.name}", 0, 0)
    examples, refused = read_examples(path, format, persona, slug(name))
    different, repeats = once(examples)
    if not different:
        why = "".join(f"; {origin}: {reason}" for origin, reason in refused[:2])
        raise BadInput(f"no example can be learned from, read as {format}{why}; --examples says what a file holds")
    train, validation = split(different, held_out, seed)
    out = out or Path(f"{path.absolute().stem.lstrip('.') or 'dataset'}-{known}")
    personal = format in PERSONAL
    about = {
        "examples": format,
        "source_sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
        "persona": name if personal else "",
        "persona_sha256": persona_sha256(persona) if personal else "",
        "prompt_version": PROMPT_VERSION,
        "held_out": held_out,
        "seed": seed,
        "refused": [{"origin": origin, "reason": reason} for origin, reason in [*refused, *repeats]],
    }
    sides = write_dataset({TRAIN: train, VALIDATION: validation}, known, out, about, progress)
    if known == "openai":
        checked = check_dataset(out / TRAIN, out / VALIDATION if validation else None, asked, progress)
        assert checked.cost
        files, cost, counted = checked.files, checked.cost, checked.counted
    else:
        trained = next(side for side in sides if side.file == TRAIN)
        epochs = cost_of([0] * trained.examples, asked.window, asked.epochs, asked.price)
        files, counted = (), "counted with Mistral's tokenizer"
        cost = Cost(trained.tokens, epochs.epochs, epochs.usual, asked.price)
    return ExportedDataset(
        out, known, format, name if personal else "", sides, tuple(refused), tuple(repeats), files, cost, counted
    )


def check_dataset(
    train: Path | None, validation: Path | None, asked: Asked, progress: Progress = _unheard
) -> CheckedDataset:
    """Check files that are to be uploaded to OpenAI. Raises BadInput where none is given, or one can't be read."""
    if not (train or validation):
        raise BadInput("name the file to check: one of training examples, or --validation FILE, or both")
    count, counted = openai_counter()
    files = check_files(train, validation, count, asked.window, progress)
    cost = cost_of(files[0].tokens, asked.window, asked.epochs, asked.price) if train else None
    return CheckedDataset(tuple(files), cost, counted)


def _settled(path: Path, asked: Asked) -> tuple["Format", str, float, int]:
    """Format, persona, share held out and seed, by option, recipe, or as is usual."""
    from typing import get_args

    from finetune.recipe import Format, load_recipe

    recipe = load_recipe(asked.recipe) if asked.recipe else None
    given = asked.examples or (recipe.format if recipe else _usual(path))
    format = next((each for each in get_args(Format) if each == given), None)
    if format is None:
        raise BadInput(f"there are no examples of the format {given!r}: there are {', '.join(get_args(Format))}")
    held_out = asked.held_out if asked.held_out is not None else recipe.held_out if recipe else HELD_OUT
    seed = asked.seed if asked.seed is not None else recipe.seed if recipe else SEED
    return format, asked.persona or (recipe.persona if recipe else SHIPPED), held_out, seed


def _usual(path: Path) -> str:
    """The format that a file most likely has: of a folder its edited drafts, of JSON lines conversations."""
    if path.is_dir():
        return "review"
    if not path.is_file():
        raise BadInput(f"there is no file {path}: name the examples, or the work folder whose drafts were edited")
    with path.open("rb") as file:
        if file.read(len(SQLITE)) == SQLITE:
            return "review"
    return "messages" if decode(path).lstrip().startswith("{") else "replies"
