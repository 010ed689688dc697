"""A training without training: what the model would see and learn, how long the examples are, what it would take."""

import dataclasses
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from data.errors import BadInput, ShawGPTError
from finetune.estimate import Architecture, Estimate, estimate, find_architecture, trained_parameters
from finetune.examples import Example, once, split
from finetune.guards import check_examples
from finetune.packing import shape as layout
from finetune.recipe import Recipe
from finetune.tokens import Encoded, TextTokens, encode_all, folder_tokens, v1_tokens
from finetune.training import steps_per_epoch
from finetune.unloaded import base_config, check_unloaded, reads

MEASURED_EVERY = 200  # steps, where an epoch has more (as finetune.trainer has it, which takes seconds to import)
SHOWN = 2  # examples token by token
BARS = 12  # of the histogram, at most


@dataclass(frozen=True)
class Shown:
    """An example token by token."""

    origin: str
    tokens: tuple[tuple[str, bool], ...]  # each piece, and whether it is learned


@dataclass(frozen=True)
class Bar:
    """How many examples have `low` to `high` tokens, both included."""

    low: int
    high: int
    count: int


@dataclass(frozen=True)
class DryRun:
    """What a training would be."""

    recipe: Recipe
    shown: tuple[Shown, ...]
    trained_on: int  # examples
    held_out: int
    refused: tuple[tuple[str, str], ...]  # (origin, reason), of the file, repeats, and what doesn't fit the window
    cut: tuple[str, ...]  # origins of conversations whose earliest turns were left out so that they fit
    histogram: tuple[Bar, ...]
    shortest: int  # tokens of an example, as are the next two
    middle: int  # the median
    longest: int
    tokens: int  # of all examples trained on, once
    learned: int  # of those
    steps: int
    steps_an_epoch: int
    padded: int  # tokens that go through the model in all epochs, with the padding where batches are not packed
    estimate: Estimate | None
    no_estimate: str  # why there is none, or empty
    stops: str  # why training would stop before it began, or empty

    def as_json(self) -> dict[str, Any]:
        """The form that `train --dry-run --json` prints."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        fields["recipe"] = self.recipe.model_dump(mode="json")
        for name in ("shown", "histogram"):
            fields[name] = [dataclasses.asdict(each) for each in fields[name]]
        if self.estimate:
            fields["estimate"] = {**dataclasses.asdict(self.estimate), "peak": self.estimate.peak}
        return fields


def dry_run(
    recipe: Recipe, examples: Sequence[Example], refused: Sequence[tuple[str, str]], tokens: TextTokens
) -> DryRun:
    """What training by `recipe` on `examples` would be. Raises BadInput where not one example can be learned from."""
    train, held_out, too_long = prepare(recipe, examples, tokens)
    refused = [*refused, *too_long]
    if not train:
        raise BadInput("no example can be learned from" + "".join(f"; {o}: {why}" for o, why in refused[:3]))
    every = [*train, *held_out]
    lengths = sorted(len(example.ids) for example in every)
    steps_an_epoch = steps_per_epoch(len(train), recipe.batch_size, recipe.accumulation)
    padded = round(recipe.epochs * _padded(train, recipe))
    shape, no_estimate = _shape(recipe)
    batch = math.prod(layout(lengths[-recipe.batch_size :], recipe.packing))
    learned = sum(sorted(sum(example.learned) for example in every)[-recipe.batch_size :])
    steps = math.ceil(steps_an_epoch * recipe.epochs)
    measures = 1 + steps // min(steps_an_epoch, MEASURED_EVERY)
    measured = measures * sum(len(example.ids) for example in held_out)
    return DryRun(
        recipe=recipe,
        shown=tuple(_show(example, tokens) for example in train[:SHOWN]),
        trained_on=len(train),
        held_out=len(held_out),
        refused=tuple(refused),
        cut=tuple(example.origin for example in every if example.cut),
        histogram=_histogram(lengths),
        shortest=lengths[0],
        middle=round(median(lengths)),
        longest=lengths[-1],
        tokens=sum(len(example.ids) for example in train),
        learned=sum(sum(example.learned) for example in train),
        steps=steps,
        steps_an_epoch=steps_an_epoch,
        padded=padded,
        estimate=estimate(shape, recipe, batch, learned, padded, measured) if shape else None,
        no_estimate=no_estimate,
        stops=_stops(train, held_out, recipe, tokens),
    )


def prepare(
    recipe: Recipe, examples: Sequence[Example], tokens: TextTokens
) -> tuple[list[Encoded], list[Encoded], list[tuple[str, str]]]:
    """What is trained on, what is held out, and (origin, reason) of what repeats another or doesn't fit the window: the
    same ones in a dry run and in training."""
    different, repeats = once(examples)
    train, held_out = split(different, recipe.held_out, recipe.seed)
    fitting, too_long = encode_all(train, tokens, recipe.max_tokens)
    measured, too_long_too = encode_all(held_out, tokens, recipe.max_tokens)
    return fitting, measured, [*repeats, *too_long, *too_long_too]


def expected_tokens(recipe: Recipe) -> tuple[TextTokens, str]:
    """The tokenizer of the recipe's base, without its weights; and what to know about it where it isn't the base's own.

    A model folder's own; the hub's copy where this computer has one; v1's for the Mistrals that it is the tokenizer of.
    Otherwise v1's again, in another's place.
    """
    folder = Path(recipe.base).expanduser()
    if folder.is_dir():
        return folder_tokens(folder), ""
    if cached := _cached(recipe):
        return folder_tokens(cached), ""
    if recipe.architecture.startswith("mistral-7b-instruct-v0."):
        return v1_tokens(), ""
    if recipe.format in ("replies", "messages", "sql"):  # are written in v1's turns, with whichever base
        return v1_tokens(), f"{recipe.base} is not here: these are Mistral v1's tokens, which it must have too"
    return _StandIn(v1_tokens()), (
        f"the tokenizer of {recipe.base} is not here: these are Mistral's tokens in its place, about a tenth more than "
        "GPT-2's for English; --base FOLDER counts exactly"
    )


class _StandIn:
    """Mistral's tokens for a model that begins a text with nothing. On 849 English quotes they were 1.107 times as many
    as GPT-2's own."""

    def __init__(self, tokens: TextTokens) -> None:
        self.bos: int | None = None
        self.eos, self.joint = tokens.eos, tokens.joint
        self._tokens = tokens

    def encode(self, text: str) -> list[int]:
        return self._tokens.encode(text)

    def decode(self, ids: Sequence[int]) -> str:
        return self._tokens.decode(ids)

    def piece(self, id: int) -> str:
        return self._tokens.piece(id)


def _cached(recipe: Recipe) -> Path | None:
    """The folder of the hub's cache with the base's tokenizer; None where it has none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for name in ("tokenizer.model", "tokenizer.json"):
        try:
            found = try_to_load_from_cache(recipe.base, name, revision=recipe.revision)
        except HFValidationError:  # a path, not a hub name
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None


def _shape(recipe: Recipe) -> tuple[Architecture | None, str]:
    """The base's architecture, or why memory and time can't be estimated.

    Raises BadInput for LoRA targets that it hasn't.
    """
    try:
        shape = find_architecture(recipe)
    except BadInput as error:
        return None, str(error)
    if shape is None:
        return None, "the recipe names no architecture, and its base is not a folder here"
    trained_parameters(shape, recipe.lora)
    return shape, ""


def _stops(train: Sequence[Encoded], held_out: Sequence[Encoded], recipe: Recipe, tokens: TextTokens) -> str:
    try:
        check_unloaded(recipe)
        check_examples(train, held_out, recipe.max_tokens, tokens, reads(base_config(recipe)))
    except ShawGPTError as error:
        return str(error)
    return ""


def _show(example: Encoded, tokens: TextTokens) -> Shown:
    pieces = (tokens.piece(id).replace("\n", "<0x0A>") for id in example.ids)
    return Shown(example.origin, tuple(zip(pieces, example.learned, strict=True)))


def _padded(train: Sequence[Encoded], recipe: Recipe) -> int:
    """Tokens of an epoch with the padding of batches that are not packed, drawn at random."""
    lengths = [len(example.ids) for example in train]
    random.Random(recipe.seed).shuffle(lengths)
    batches = (lengths[i : i + recipe.batch_size] for i in range(0, len(lengths), recipe.batch_size))
    return sum(math.prod(layout(batch, recipe.packing)) for batch in batches)


def _histogram(lengths: Sequence[int]) -> tuple[Bar, ...]:
    """At most BARS bars of equal, round width."""
    low, high = min(lengths), max(lengths)
    width = next(w for w in _round_widths() if high // w - low // w < BARS)
    bars = (Bar(start, start + width - 1, 0) for start in range(low // width * width, high + 1, width))
    return tuple(replace(bar, count=sum(bar.low <= length <= bar.high for length in lengths)) for bar in bars)


def _round_widths() -> list[int]:
    return [factor * 10**power for power in range(7) for factor in (1, 2, 5)]
