"""Recipes: how an adapter is trained. YAML files, checked in full before anything heavy is loaded."""

import hashlib
import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from data.errors import BadInput, NotFound
from data.plain_errors import plainly
from data.yaml_file import read_mapping

Format = Literal["replies", "review", "messages", "completion", "sql", "quotes"]

# A recipe's name becomes a folder's: adapters/NAME.
_NAME = r"[a-z0-9][a-z0-9._-]{0,63}"


def _named(name: str) -> str:
    if not re.fullmatch(_NAME, name):
        raise ValueError("use lower-case letters, digits, . _ and - (64 at most)")
    return name


Name = Annotated[str, AfterValidator(_named)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class Lora(BaseModel):
    """Low-rank matrices beside the base's frozen ones (Hu et al. 2021, arXiv:2106.09685)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    rank: int = Field(ge=1, le=512)  # columns of A and rows of B; parameters grow with it
    alpha: int = Field(ge=1, le=1024)  # the update is scaled by alpha/rank
    dropout: float = Field(default=0.0, ge=0, lt=1)  # share of the inputs of A that is zeroed in training
    targets: Literal["all-linear"] | tuple[Line, ...] = "all-linear"  # module names, such as q_proj
    rslora: bool = False  # scale by alpha/sqrt(rank) instead, which keeps high ranks learning (arXiv:2312.03732)

    @field_validator("targets")
    @classmethod
    def _some(cls, targets: str | tuple[str, ...]) -> str | tuple[str, ...]:
        if not targets:
            raise ValueError("name at least one module, or all-linear")
        return targets


class Recipe(BaseModel):
    """How an adapter is trained: from what, on what, how long."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: Name  # of the adapter, where none is given: lower case, digits, . _ -
    base: Line  # a model folder, or a name on the hub
    revision: Line | None = None  # of the base on the hub: a commit, so that it stays the same weights
    architecture: str = ""  # a shipped architecture, for estimates where the base isn't here; empty for none
    data: str = ""  # a file: below the recipe's folder, else below the current one; empty where --data gives it
    format: Format  # what `data` holds
    persona: Line = "shawgpt"  # format "replies": who answers
    quantisation: Literal["nf4", "none"] = "nf4"  # of the base's linear weights
    lora: Lora | None = None  # None trains every weight, which needs quantisation "none"
    learning_rate: float = Field(gt=0, le=0.1)  # the highest of the schedule
    schedule: Literal["linear", "cosine", "constant"] = "linear"  # how it falls after the warm-up
    warmup: float = Field(default=0.0, ge=0, le=1)  # share of the steps in which it rises to that
    epochs: float = Field(gt=0, le=1000)  # times that every example is seen
    batch_size: int = Field(ge=1, le=4096)  # examples at once in memory
    accumulation: int = Field(default=1, ge=1, le=4096)  # batches a step: a step learns from batch_size × accumulation
    max_tokens: int = Field(ge=16, le=131_072)  # of an example, prompt and reply together
    weight_decay: float = Field(default=0.0, ge=0, le=1)  # AdamW's
    gradient_clip: float = Field(default=1.0, gt=0, le=1000)  # highest norm of a step's gradient
    optimiser: Literal["paged_adamw_8bit", "adamw_torch"] = "paged_adamw_8bit"
    checkpointing: bool = True  # compute activations again in the backward pass: less memory, about a third more work
    packing: bool = True  # lay a batch's examples end to end, none seeing another, where that is less work than padding
    held_out: float = Field(default=0.15, ge=0, le=0.5)  # share of the examples that is only measured on
    seed: int = Field(default=42, ge=0, lt=2**32)  # of the split, the order, LoRA's start and dropout
    early: int = Field(default=0, ge=0, le=1000)  # stop after so many evaluations without improvement; 0: never

    @field_validator("architecture")
    @classmethod
    def _shipped(cls, architecture: str) -> str:
        if architecture and architecture not in (known := _stems("architectures", ".json")):
            raise ValueError(f"there is none of that name; there are: {', '.join(known)}")
        return architecture

    @model_validator(mode="after")
    def _fits_together(self) -> "Recipe":
        if self.lora is None and self.quantisation != "none":
            raise ValueError("lora is missing: without it every weight is trained, which needs quantisation: none")
        if self.early and not self.held_out:
            raise ValueError("early stops by the held-out loss: give held_out a share, or set early to 0")
        return self

    def sha256(self) -> str:
        """The hash of all that decides the result. `data` is left out: where a file lies changes nothing in it."""
        fields = self.model_dump(mode="json", exclude={"data"})
        return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

    def replaced(self, **changes: Any) -> "Recipe":
        """This recipe with other values in some fields, checked anew. Raises BadInput."""
        return _checked({**self.model_dump(), **changes}, "the recipe")


def load_recipe(name_or_path: str) -> Recipe:
    """The shipped recipe of that name, or the one in that file; `data`, where found, as a path that can be opened.

    Raises NotFound (naming the shipped) where there is none, BadInput for a file that is no recipe.
    """
    known = shipped_recipes()
    if name_or_path in known:
        return _read(Path(str(files("finetune") / "recipes" / f"{name_or_path}.yaml")))
    path = Path(name_or_path).expanduser()
    if not path.is_file():
        raise NotFound(f"no recipe {name_or_path!r}: give a YAML file, or one of the shipped: {', '.join(known)}")
    return _read(path)


def shipped_recipes() -> list[str]:
    """The names of the recipes that come with the package, sorted."""
    return _stems("recipes", ".yaml")


def _read(path: Path) -> Recipe:
    content = read_mapping(path, "no recipe: copy one of the shipped to start from (docs/training.md)")
    recipe = _checked(content, str(path))
    beside = path.parent / Path(recipe.data).expanduser()
    return recipe.model_copy(update={"data": str(beside)}) if recipe.data and beside.exists() else recipe


def _checked(content: dict[str, Any], where: str) -> Recipe:
    try:
        return Recipe.model_validate(content)
    except ValidationError as error:
        raise BadInput(f"{where}: {plainly(error, Recipe)}") from error


def _stems(folder: str, ending: str) -> list[str]:
    found = (files("finetune") / folder).iterdir()
    return sorted(item.name.removesuffix(ending) for item in found if item.name.endswith(ending))
