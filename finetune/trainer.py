"""transformers' Trainer as training uses it: our batches, our measure of held-out replies, our guards at every step."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from finetune.guards import Moving, check_loss
from finetune.history import HistoryWriter, Progress, is_over, points
from finetune.tokens import Encoded

if TYPE_CHECKING:
    from finetune.recipe import Recipe

CHECKPOINT_EVERY = 200  # steps between checkpoints, each with a measure of the held-out replies; an epoch if shorter
MASKED = -100  # the label of a token that is not learned, in torch's cross entropy


def collate(examples: Sequence[Encoded]) -> dict[str, Any]:
    """Examples as one batch of int64 tensors (examples, longest): input_ids, attention_mask, labels.

    What is not learned has the label -100, and so has the padding; as padding is told by its place and not by its id,
    no end token is ever taken for it.
    """
    longest = max(len(example.ids) for example in examples)
    shape = (len(examples), longest)
    ids, seen, labels = torch.zeros(shape).long(), torch.zeros(shape).long(), torch.full(shape, MASKED)
    for row, example in enumerate(examples):
        length = len(example.ids)
        ids[row, :length] = torch.tensor(example.ids)
        seen[row, :length] = 1
        learned = torch.tensor(example.learned)
        labels[row, :length][learned] = ids[row, :length][learned]
    return {"input_ids": ids, "attention_mask": seen, "labels": labels}


def held_out_loss(model: Any, examples: Sequence[Encoded], batch_size: int) -> float:
    """The mean loss (nats) of the learned tokens of `examples`, each counted once. Draws no random numbers."""
    learned = sum(sum(example.learned[1:]) for example in examples)  # the first token is not predicted
    by_length = sorted(examples, key=lambda example: len(example.ids))
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(by_length), batch_size):
            batch = {
                name: each.to(model.device) for name, each in collate(by_length[start : start + batch_size]).items()
            }
            total += float(model(**batch, num_items_in_batch=learned).loss)
    model.train(was_training)
    return total


def arguments(
    recipe: "Recipe", epoch: int, checkpoints: Path, device: str, measured: bool, fresh: bool
) -> TrainingArguments:
    """The recipe in Trainer's words. `epoch` is in steps; `fresh` measures the untrained model first."""
    every = min(epoch, CHECKPOINT_EVERY)
    return TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup" if recipe.schedule == "constant" else recipe.schedule,
        warmup_steps=round(recipe.warmup * recipe.epochs * epoch),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.gradient_clip,
        optim=recipe.optimiser if device == "cuda" else recipe.optimiser.removeprefix("paged_"),  # nothing to page to
        activation_checkpointing=recipe.checkpointing,
        bf16=device == "cuda",
        use_cpu=device == "cpu",
        seed=recipe.seed,
        eval_strategy="steps" if measured else "no",
        eval_on_start=measured and fresh,
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,  # the best and the last
        metric_for_best_model="loss" if measured else None,
        greater_is_better=False if measured else None,
        logging_steps=1,
        logging_nan_inf_filter=False,  # the guard is to see them
        include_num_input_tokens_seen="non_padding",
        remove_unused_columns=False,
        dataloader_pin_memory=device == "cuda",
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )


class ReplyTrainer(Trainer):
    """Trains on encoded examples."""

    def __init__(
        self,
        model: Any,
        settings: TrainingArguments,
        train: Sequence[Encoded],
        held_out: Sequence[Encoded],
        follow: "Follow",
    ) -> None:
        super().__init__(
            model=model,
            args=settings,
            data_collator=collate,
            train_dataset=train,
            eval_dataset=held_out or None,
            callbacks=[follow],
        )
        self.remove_callback(PrinterCallback)  # it prints every step to stdout
        self._held_out = held_out

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the held-out replies. Trainer's own averages batches, so its figure depends on their size."""
        metrics = {"eval_loss": held_out_loss(self.model, self._held_out, self.args.per_device_train_batch_size)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Follow(TrainerCallback):
    """Writes the history down, tells the progress, and stops a training that is of no use or no longer gets better."""

    def __init__(self, model: Any, out: Path, early: int, epoch: int, warmup: int, progress: Progress | None) -> None:
        self._out = out
        self._early = early
        self._window = min(epoch, 50)
        self._warmup = warmup
        self._progress = progress
        self._moving = Moving(model)
        self._losses: list[float] = []
        self.interrupted = False  # by Ctrl-C: this step is the last, and leaves a checkpoint

    def interrupt(self, *_: Any) -> None:
        """Stop behind the present step; at once where that was asked for before. A handler of SIGINT."""
        if self.interrupted:
            raise KeyboardInterrupt
        self.interrupted = True

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        past = points(state.log_history)
        self._losses = [point.loss for point in past if point.loss is not None]
        self._writer = HistoryWriter(self._out, past)

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        state.log_history[-1]["memory"] = memory()
        for point in points(state.log_history[-1:]):  # none for the summary that Trainer logs at the end
            self._writer.add(point)
            if self._progress:
                self._progress(point, state.max_steps)
            if point.loss is not None:
                self._losses.append(point.loss)
                check_loss(self._losses, self._window, self._warmup)
                self._moving.check(point.step, point.gradient or 0.0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.interrupted and not control.should_training_stop:
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if is_over(vars(state), self._early):
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._writer.close()


def memory() -> int:
    """The most memory used so far, in bytes: of the GPU, or of this process where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    import psutil

    return int(psutil.Process().memory_info().rss)
