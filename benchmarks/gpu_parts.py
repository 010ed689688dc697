"""What benchmarks.gpu_qlora measures: training through finetune.trainer and finetune.training, writing through
bot.local_model."""

import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import torch
from transformers import TrainerCallback, set_seed
from transformers.trainer_utils import SaveStrategy

from benchmarks.gpu_model import Setting, of_length, prompts_of, random_base
from bot.local_model import LocalModel
from data.errors import ShawGPTError
from data.sampling import Sampling
from finetune.base import add_lora
from finetune.estimate import architecture, estimate
from finetune.recipe import Recipe, load_recipe
from finetune.tokens import Encoded
from finetune.trainer import ReplyTrainer, arguments
from finetune.training import train

OURS, ORIGINAL = "r=16 all-linear", "r=8 q_proj"

Row = dict[str, Any]


def training(setting: Setting) -> Iterator[Row]:
    """Peak memory and real tokens a second of a few steps, in each way."""
    ours, original = load_recipe("shawgpt-mistral-7b"), load_recipe("shawgpt-original")
    for lora, recipe in ((ORIGINAL, original), (OURS, ours)):
        for loss, all_learned in (("replies", False), ("all tokens", True)):
            same = [of_length(example, 512, all_learned) for example in setting.examples]
            what = f"{lora}, 4 × 512 tokens, loss on {loss}"
            yield {"what": what, **_attempt(_steps, setting, recipe.replaced(batch_size=4, packing=False), same)}
    ways = [(True, True), (True, False), (False, True), (False, False)]  # checkpointing, packing
    for checkpointing, packing in ways[: 2 if setting.quick else 4]:
        for lora, recipe in ((OURS, ours), (ORIGINAL, original)):
            for size in (4, 16, 32) if lora == OURS and setting.device == "cuda" else (4,):
                way = f"{'' if checkpointing else 'no '}checkpointing, {'packed' if packing else 'padded'}"
                chosen = recipe.replaced(batch_size=size, checkpointing=checkpointing, packing=packing)
                with patch("finetune.packing.EVEN", math.inf):  # where it would choose to fill up, too
                    found = _attempt(_steps, setting, chosen, setting.examples)
                yield {"what": f"{lora}, batch {size}, {way}", **found}


def whole(setting: Setting) -> Iterator[Row]:
    """A training from beginning to end, ten epochs of every pair, and the adapter it leaves."""
    for lora, name in ((OURS, "shawgpt-mistral-7b"), (ORIGINAL, "shawgpt-original")):
        recipe = load_recipe(name).replaced(epochs=10 if setting.device == "cuda" else 1, early=0)

        def run(recipe: Recipe = recipe, lora: str = lora) -> Row:
            base, ends, begun = random_base(setting, nf4=True), [], time.perf_counter()
            train(
                recipe, setting.examples, [], base, setting.folder / lora, lambda *_: ends.append(time.perf_counter())
            )
            seconds = time.perf_counter() - begun
            steps = (ends[-1] - ends[0]) * len(ends) / (len(ends) - 1)
            tokens = recipe.epochs * sum(len(example.ids) for example in setting.examples)
            return {"seconds": seconds, "steps_seconds": steps, "tokens_per_second": tokens / steps, "peak": _peak()}

        yield {"what": f"{lora}, {len(setting.examples)} pairs × {recipe.epochs:g} epochs", **_attempt(run)}


def writing(setting: Setting) -> Iterator[Row]:
    """Tokens a second of bot.local_model.LocalModel, the time to read the prompts taken off."""
    yield from _writing(setting, compiled=False)


def compiled(setting: Setting) -> Iterator[Row]:
    """The same with its steps compiled, which is done before the clock runs."""
    yield from _writing(setting, compiled=True)


PARTS: dict[str, Callable[[Setting], Iterator[Row]]] = {
    "training": training, "whole": whole, "writing": writing, "compiled": compiled,
}  # fmt: skip


def _writing(setting: Setting, compiled: bool) -> Iterator[Row]:
    adapter = OURS if (setting.folder / OURS).is_dir() else None
    models = {"bf16": (_local_model(setting, False, compiled), None)}
    quantised = _local_model(setting, True, compiled)
    models["NF4 + adapter" if adapter else "NF4 (there is no adapter)"] = quantised, adapter
    if adapter:
        quantised.add_adapter(adapter, setting.folder / OURS)
    for size in (1, 8) if setting.quick else (1, 8, 32):
        for name, (model, worn) in models.items():
            model.batch_size = size

            def run(model: LocalModel = model, size: int = size, worn: str | None = worn) -> Row:
                prompts = prompts_of(setting, size)

                def seconds(tokens: int) -> float:
                    begun = time.perf_counter()
                    list(model.write(prompts, Sampling(temperature=0, max_tokens=tokens), worn))
                    return time.perf_counter() - begun

                seconds(5)  # a CUDA graph is recorded at the second step after compiling
                spent = [seconds(setting.written) - seconds(1) for _ in range(3)]
                return {"tokens_per_second": size * (setting.written - 1) / statistics.median(spent)}

            yield {"what": f"{name}{', compiled' if compiled else ''}, batch {size}", **_attempt(run)}


def _steps(setting: Setting, recipe: Recipe, examples: Sequence[Encoded]) -> Row:
    """A few steps by `recipe`, and what they take."""
    steps = 12 if setting.device == "cuda" else 3
    recipe = recipe.replaced(warmup=0, epochs=1000)
    base = random_base(setting, nf4=True)
    set_seed(recipe.seed)
    model = add_lora(base.model, recipe.lora)
    clock, largest = _Clock(), [0, 0]
    with TemporaryDirectory() as folder:
        settings = arguments(recipe, steps, Path(folder), setting.device, measured=False, fresh=True)
        settings.max_steps, settings.save_strategy = steps, SaveStrategy.NO
        trainer = ReplyTrainer(model, settings, examples, [], clock, recipe.packing)
        collate = trainer.data_collator

        def watched(batch: Sequence[Encoded]) -> dict[str, Any]:
            made = collate(batch)
            largest[:] = max(largest[0], made["input_ids"].numel()), max(largest[1], made["labels"].numel())
            return made

        trainer.data_collator = watched
        trainer.train()
    rates = [
        (tokens - before) / (end - begun)
        for (begun, before), (end, tokens) in zip(clock.ends[1:], clock.ends[2:], strict=False)
    ]
    expected = estimate(architecture({**setting.config.to_dict(), "dtype": "bfloat16"}), recipe, *largest, 1, 0)
    return {"tokens_per_second": statistics.median(rates), "peak": _peak(), "estimate": expected.peak}


def _attempt(measure: Callable[..., Row], *given: Any) -> Row:
    """What `measure` finds, or why it can't."""
    try:
        return measure(*given)
    except torch.OutOfMemoryError:
        return {"trouble": "out of memory"}
    except (ShawGPTError, RuntimeError, ValueError, TypeError) as error:  # of a compiler, of a kernel that isn't there
        return {"trouble": f"failed: {' '.join(str(error).split())[:120]}"}


class _Clock(TrainerCallback):
    """When each step ended, and how many tokens had been seen by then."""

    def __init__(self) -> None:
        self.ends: list[tuple[float, int]] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.ends.append((time.perf_counter(), state.num_input_tokens_seen))


def _local_model(setting: Setting, nf4: bool, compiled: bool) -> LocalModel:
    """LocalModel over a model in memory, whose replies go on to the longest there may be."""
    base = random_base(setting, nf4)
    with patch("bot.local_model.find_base", return_value=Path()), patch("bot.local_model.load_base", return_value=base):
        model = LocalModel("random", device=setting.device, precision="nf4" if nf4 else "bfloat16", compiled=compiled)
    model._ends = frozenset()
    return model


def _peak() -> int | None:
    """Bytes that torch had in use at the most; None where there is no GPU."""
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else None
