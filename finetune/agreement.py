"""Whether a merged model still says what its base and adapter said: the likeliest next token at each token of replies.

Each reply is read along (teacher forcing), so one token that differs doesn't make all behind it differ too.
"""

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.csvio import read_table
from data.errors import AdapterRefused, BadInput, NotFound
from finetune.examples import Example
from finetune.prompt import Message
from finetune.record import read_examples_record

if TYPE_CHECKING:
    from finetune.base import Base
    from finetune.card import Card
    from finetune.tokens import Encoded

POSITIONS = 512  # tokens of replies that are compared, at least, where there are as many: 0.2 % each

# Measured on the tests' Mistral (7.7 M parameters; adapters of 6 and 18 steps, with and without rsLoRA), on 1,688
# tokens of replies and, in brackets, on 350 of them held out. The base without its adapter agrees with base+adapter at
# 0.73–0.75 (0.55–0.59), a merge at half or twice the right scale at 0.83–0.89 (0.69–0.80), at nine tenths of it at
# 0.98–0.99 (0.95–0.98). The right merge, rounded to bfloat16, agrees at 0.9988–0.9994 (0.997) where all is computed in
# float32: where it doesn't, the two likeliest tokens were within 0.0003 of each other. Computing in bfloat16 as well
# costs more: 0.996–0.997 (0.986–0.991).
LIMIT = {"float32": 0.99, "as stored": 0.975}
# Against the adapter over NF4 the merge differs by what NF4 rounded off, not by the merge: 0.92–0.94 (0.80–0.84), where
# larger models lose less. Below this, the merged model is another than the one that was trained and measured.
LIMIT_NF4 = 0.7


@dataclass(frozen=True)
class Agreement:
    """At which share of the tokens of `replies` replies the merged model's likeliest token is the other's, 0 to 1."""

    positions: int  # tokens compared
    replies: int
    texts: str  # where the replies are from
    precision: str  # what both were computed in: "float32", or "as stored" where that doesn't fit into memory
    unmerged: float  # with base+adapter, the base's weights as its files have them
    trained: float | None  # with the adapter over NF4, as it was trained and is served; None where it wasn't
    base: float  # of base+adapter with the base alone: 1 where the adapter changes nothing


def measure(merged: Path, base: Path, adapter: Path, card: "Card", progress: Callable[[int, int], None]) -> Agreement:
    """Compare the model in `merged` with `adapter` over `base`. One model at a time is in memory.

    `progress` hears how many models of how many have answered. Raises AdapterRefused where they agree too little.
    """
    from finetune.base import load_base

    nf4 = card.recipe["quantisation"] == "nf4"
    models = 2 + nf4
    loaded = load_base(str(base), quantisation="none")
    texts, examples = _texts(adapter, loaded, card.recipe)
    precision = "float32" if _fits_in_float32(loaded.model) else "as stored"
    model = _with_adapter(_in(precision, loaded.model), adapter)
    del loaded
    unmerged = _likeliest(model, examples)
    with model.disable_adapter():
        alone = _likeliest(model, examples)
    progress(1, models)
    del model
    _free()
    trained = None
    if nf4:
        model = _with_adapter(load_base(str(base), quantisation="nf4").model, adapter)
        trained = _likeliest(model, examples)
        progress(2, models)
        del model
        _free()
    model = _in(precision, load_base(str(merged), quantisation="none").model)
    found = _likeliest(model, examples)
    progress(models, models)
    del model
    _free()
    agreement = Agreement(
        positions=len(found),
        replies=len(examples),
        texts=texts,
        precision=precision,
        unmerged=_share(found, unmerged),
        trained=_share(found, trained) if trained else None,
        base=_share(alone, unmerged),
    )
    check(agreement)
    return agreement


def check(agreement: Agreement) -> None:
    """Raise AdapterRefused where a merged model isn't what it was made of. One token that differs is always allowed."""
    limit = min(LIMIT[agreement.precision], 1 - 1 / agreement.positions)
    if agreement.unmerged < limit - 1e-9:
        raise AdapterRefused(
            f"The merged model agrees with its base and adapter on {agreement.unmerged:.1%} of {agreement.positions} "
            f"tokens, and {limit:.1%} is the least: nothing was written. Export it with --to lora instead."
        )
    if agreement.trained is not None and agreement.trained < LIMIT_NF4:
        raise AdapterRefused(
            f"The merged model agrees with the adapter as it was trained, over NF4, on {agreement.trained:.1%} of "
            f"{agreement.positions} tokens, and {LIMIT_NF4:.0%} is the least: nothing was written. Serve it over NF4, "
            "or train it with `quantisation: none`."
        )


def _texts(adapter: Path, base: "Base", recipe: dict[str, Any]) -> tuple[str, list["Encoded"]]:
    """Where the replies are from, and enough of them: those held out first, then those trained on."""
    from finetune.tokens import encode_all

    try:
        train, held_out = read_examples_record(adapter)
        texts, examples = f"the adapter's own examples, {len(held_out)} of them held out", [*held_out, *train]
    except NotFound:
        table = read_table(Path(str(files("data") / "sample" / "past_replies.csv")))
        texts = "the sample's comments, as the adapter has no record of its own"
        plain = recipe["format"] in ("completion", "quotes")
        examples = [
            Example(comment if plain else (Message(role="user", content=comment),), reply, "sample")
            for comment, reply in (row[:2] for row in table.rows)
        ]
    fitting, _ = encode_all(examples, base.tokens, recipe["max_tokens"])
    chosen: list[Encoded] = []
    for example in fitting:
        if sum(sum(each.learned) for each in chosen) >= POSITIONS:
            break
        chosen.append(example)
    if not chosen:
        raise BadInput(
            f"{adapter}: none of its examples fits {recipe['max_tokens']} tokens, so a merge can't be measured."
        )
    return texts, chosen


def _likeliest(model: Any, examples: Sequence["Encoded"]) -> list[int]:
    """The id that `model` holds likeliest at each learned token of `examples`, in order."""
    import torch

    model.eval()
    ids: list[int] = []
    with torch.no_grad():
        for example in examples:  # one at a time: padding would change the rounding
            logits = model(input_ids=torch.tensor([example.ids], device=model.device)).logits[0, :-1]
            ids += logits.argmax(-1).cpu()[torch.tensor(example.learned[1:])].tolist()
    return ids


def _share(one: Sequence[int], other: Sequence[int]) -> float:
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _with_adapter(model: Any, adapter: Path) -> Any:
    import warnings

    from peft import PeftModel

    with warnings.catch_warnings(action="ignore"):
        return PeftModel.from_pretrained(model, str(adapter))


def _fits_in_float32(model: Any) -> bool:
    """Whether the model's weights could be held in float32 where they are, with a quarter to spare."""
    import psutil
    import torch

    more = sum(weights.numel() * (4 - weights.element_size()) for weights in model.parameters())
    free = torch.cuda.mem_get_info()[0] if model.device.type == "cuda" else psutil.virtual_memory().available
    return bool(1.25 * more < free)


def _in(precision: str, model: Any) -> Any:
    return model.float() if precision == "float32" else model


def _free() -> None:
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
