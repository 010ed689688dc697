"""Training: encoded examples and a base model in, an adapter's folder out. transformers' Trainer, with our collator.

While it runs, the folder holds `checkpoints/`; a run that was killed goes on from the last whole one, and on a CPU ends
with the very weights it would have had (`training.json` says of what recipe, data and base they are). When done, it
holds the weights of the best step, `card.json`, `examples.jsonl`, `history.jsonl`, `loss.png` and `tensorboard/`.
"""

import errno
import hashlib
import json
import math
import os
import shutil
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from data.errors import BadInput, WorkFolderError
from finetune.card import CARD, Card, hash_files, library_versions, read_card, thin, write_card
from finetune.guards import check_examples
from finetune.history import HISTORY, Point, Progress, draw, is_over, points, read_state
from finetune.processes import best_device, exchange, first, sharded
from finetune.prompt import PROMPT_VERSION
from finetune.record import write_examples
from finetune.unloaded import reads

if TYPE_CHECKING:
    from finetune.base import Base
    from finetune.recipe import Recipe
    from finetune.tokens import Encoded

CHECKPOINTS = "checkpoints"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_SIGNS = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT), "PytorchStreamWriter failed", "unexpected pos")


@dataclass(frozen=True)
class Trained:
    """A finished training."""

    folder: Path
    card: Card
    history: tuple[Point, ...]  # every step and every measure

    @property
    def best_step(self) -> int:
        """The step whose weights are kept."""
        return self.card.best_step


def train(
    recipe: "Recipe",
    train: Sequence["Encoded"],
    held_out: Sequence["Encoded"],
    base: "Base",
    out: Path,
    progress: Progress | None = None,
    resume: bool = True,
    persona: str = "",
) -> Trained:
    """Train on `train` and leave the weights of the step at which `held_out` was answered best (or the last) in `out`.

    With `resume`, an unfinished training of the same recipe, data and base in `out` goes on; without, it is deleted.
    `persona`: for the card, whose prompts they are (finetune.prompt.persona_sha256); empty where data have their own.
    `base.model` is changed by it, and not to be used for anything else afterwards.
    Raises TrainingStopped (see finetune.guards), BadInput where `out` holds another training, WorkFolderError where the
    disk is full.
    """
    check_examples(train, held_out, recipe.max_tokens, base.tokens, reads(base.model.config.to_dict()))
    out = out.absolute()
    identity = _identity(recipe, train, held_out, base) | {"persona": persona}
    if any(other != identity for other in exchange(identity)):
        raise BadInput("The processes have different recipes, data or bases: give each machine the same files.")
    with _room(out):
        first(lambda: _claim(out, identity, resume))
        done, last = first(lambda: ((out / CARD).is_file(), _last_checkpoint(out)))
        if not done:
            if last is None or not is_over(read_state(last), recipe.early):
                _run(recipe, train, held_out, base, out, last, progress)
            first(lambda: _finish(recipe, train, held_out, base, out, identity))
    return first(lambda: _trained(out))


@contextmanager
def _room(out: Path) -> Iterator[None]:
    """Raise WorkFolderError, which says what to do, for whichever error a full disk leads to.

    Python says OSError, safetensors' Rust a text of its own, and torch.save only that it didn't get as far as it meant.
    """
    try:
        yield
    except Exception as error:
        if getattr(error, "errno", None) not in _FULL and not any(sign in str(error) for sign in _FULL_SIGNS):
            raise
        raise WorkFolderError(
            f"{out} can't be written, its disk is full: make room there, and run the same command again; it goes on "
            "from the last whole checkpoint."
        ) from error


def _trained(out: Path) -> Trained:
    shutil.rmtree(out / CHECKPOINTS, ignore_errors=True)
    lines = (out / HISTORY).read_text(encoding="utf-8").splitlines()
    return Trained(out, read_card(out), tuple(Point(**json.loads(line)) for line in lines))


def steps_per_epoch(examples: int, batch_size: int, accumulation: int) -> int:
    """Optimiser steps in an epoch; the last batch may be smaller."""
    return math.ceil(math.ceil(examples / batch_size) / accumulation)


def _run(
    recipe: "Recipe",
    train: Sequence["Encoded"],
    held_out: Sequence["Encoded"],
    base: "Base",
    out: Path,
    last: Path | None,
    progress: Progress | None,
) -> None:
    """Train to the end, from the beginning or from the checkpoint `last`."""
    from transformers import set_seed

    from finetune.base import add_lora
    from finetune.batches import check_packing
    from finetune.trainer import Follow, ReplyTrainer, arguments, load_adapter

    set_seed(recipe.seed)  # LoRA begins at random
    model = add_lora(base.model, recipe.lora) if recipe.lora else base.model.float()
    if recipe.packing and recipe.batch_size > 1:
        check_packing(model, train)
    epoch = steps_per_epoch(len(train), recipe.batch_size, recipe.accumulation)
    device = (best_device() if sharded() else model.device.type).partition(":")[0]
    settings = arguments(recipe, epoch, out / CHECKPOINTS, device, bool(held_out), fresh=last is None)
    if sharded() and last:
        load_adapter(model, last)
    follow = Follow(out, recipe.early, epoch, int(settings.warmup_steps), progress)
    trainer = ReplyTrainer(model, settings, train, held_out, follow, recipe.packing)
    main = threading.current_thread() is threading.main_thread()  # the only one that may change how signals are met
    before = signal.signal(signal.SIGINT, follow.interrupt) if main else None
    try:
        trainer.train(resume_from_checkpoint=str(last) if last else None)
    finally:
        if main:
            signal.signal(signal.SIGINT, before)
    if follow.interrupted:
        raise KeyboardInterrupt


def _finish(
    recipe: "Recipe",
    train: Sequence["Encoded"],
    held_out: Sequence["Encoded"],
    base: "Base",
    out: Path,
    identity: dict[str, str],
) -> None:
    """Put the best weights, the record of examples, the picture and the card in place, the card last."""
    last = _last_checkpoint(out)
    assert last is not None  # _run leaves one
    state = read_state(last)
    best = state["best_global_step"] if held_out else state["global_step"]
    for name in hash_files(last.parent / f"checkpoint-{best}"):
        shutil.copy2(last.parent / f"checkpoint-{best}" / name, out / name)
    if not recipe.lora:
        _copy_tokenizer(base.path, out)
    write_examples(out, [each.example for each in train], [each.example for each in held_out])
    history = points(state["log_history"])
    measures = {point.step: point.held_out for point in history if point.held_out is not None}
    draw(history, best, out / "loss.png")
    write_card(
        out,
        Card(
            name=recipe.name,
            recipe=recipe.model_dump(mode="json"),
            recipe_sha256=identity["recipe"],
            base=base.name,
            base_revision=base.revision,
            base_sha256=base.sha256,
            prompt_version=PROMPT_VERSION,
            persona_sha256=identity["persona"],
            data_sha256=identity["data"],
            rows=len(train),
            rows_held_out=len(held_out),
            seed=recipe.seed,
            steps=state["global_step"],
            best_step=best,
            held_out_before=measures.get(0),
            held_out_after=measures.get(best),
            curve=thin(history),
            versions=library_versions(),
            files=hash_files(out),
        ),
    )


def _copy_tokenizer(base: Path, out: Path) -> None:
    """What a folder of all a model's weights needs beside them and their config, which Trainer saved."""
    for pattern in ("tokenizer*", "vocab.json", "merges.txt", "special_tokens_map.json", "generation_config.json"):
        for path in base.glob(pattern):
            shutil.copy(path, out / path.name)  # of the hub's cache, a link's own file


def _claim(out: Path, identity: dict[str, str], resume: bool) -> None:
    """Make `out` this training's own. Raises BadInput where it is another's."""
    claim = out / "training.json"
    if out.exists() and not resume:
        shutil.rmtree(out)
    if claim.is_file():
        if json.loads(claim.read_text(encoding="utf-8")) != identity:
            raise BadInput(
                f"{out} holds an unfinished training with another recipe, data or base: delete it, or use another name."
            )
        return
    out.mkdir(parents=True, exist_ok=True)
    part = out / ".training.json.part"
    part.write_text(json.dumps(identity), encoding="utf-8")
    os.replace(part, claim)


def _identity(
    recipe: "Recipe", train: Sequence["Encoded"], held_out: Sequence["Encoded"], base: "Base"
) -> dict[str, str]:
    """What must be the same for a training to go on."""
    data = hashlib.sha256()
    for part in (train, held_out):
        data.update(json.dumps([[example.ids, example.learned] for example in part]).encode())
    return {
        "recipe": recipe.sha256(), "data": data.hexdigest(), "base": base.sha256, "prompt": PROMPT_VERSION,
        **({"checkpoints": "of shards"} if sharded() else {}),
    }  # fmt: skip


def _last_checkpoint(out: Path) -> Path | None:
    """The newest whole checkpoint; those that a kill cut short are deleted. Trainer writes its state last."""
    whole = {}
    for folder in (out / CHECKPOINTS).glob("checkpoint-*"):
        try:
            whole[int(read_state(folder)["global_step"])] = folder
        except (OSError, ValueError, KeyError):
            shutil.rmtree(folder)
    return whole[max(whole)] if whole else None
