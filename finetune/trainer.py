"""transformers' Trainer as training uses it: our batches, our measure of held-out replies, our guards at every step."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from accelerate.data_loader import DataLoaderShard, SeedableRandomSampler
from peft import set_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import BatchSampler
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from finetune.batches import collate, on_device
from finetune.guards import Moving, check_loss
from finetune.history import HistoryWriter, Progress, is_over, points
from finetune.processes import Turns, count, exchange, rank, sharded, shares
from finetune.tokens import Encoded

if TYPE_CHECKING:
    from finetune.recipe import Recipe

ADAPTER = "adapter_model.safetensors"
CHECKPOINT_EVERY = 200  # steps between checkpoints, each with a measure of the held-out replies; an epoch if shorter


def held_out_loss(model: Any, examples: Sequence[Encoded], batch_size: int, packing: bool = True) -> float:
    """The mean loss (nats) of the learned tokens of `examples`, each counted once; shared out among processes.

    Draws no random numbers.
    """
    learned = sum(sum(example.learned[1:]) for example in examples)
    by_length = sorted(examples, key=lambda example: len(example.ids))
    chunks = [by_length[start : start + batch_size] for start in range(0, len(by_length), batch_size)]
    was_training = model.training
    model.eval()
    total = 0.0
    with torch.no_grad():
        for chunk in Turns(chunks, [_nothing(by_length[0])]):
            total += float(model(**on_device(model, collate(chunk, packing)), num_items_in_batch=learned).loss)
    model.train(was_training)
    return sum(exchange(total))


def arguments(
    recipe: "Recipe", epoch: int, checkpoints: Path, device: str, measured: bool, fresh: bool
) -> TrainingArguments:
    """The recipe in Trainer's words. `epoch` is in steps; `fresh` measures the untrained model first."""
    every = min(epoch, CHECKPOINT_EVERY)
    batch_size, accumulation = shares(recipe.batch_size, recipe.accumulation, count())
    optimiser = recipe.optimiser if device == "cuda" else recipe.optimiser.removeprefix("paged_")  # nothing to page to
    if sharded():
        optimiser = "adamw_torch"  # of 8-bit states, FSDP can't put the shards together for a checkpoint
    settings = TrainingArguments(
        output_dir=str(checkpoints),
        num_train_epochs=recipe.epochs,
        per_device_train_batch_size=batch_size,
        gradient_accumulation_steps=accumulation,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant_with_warmup" if recipe.schedule == "constant" else recipe.schedule,
        warmup_steps=round(recipe.warmup * recipe.epochs * epoch),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.gradient_clip,
        optim=optimiser,
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
        ddp_find_unused_parameters=False,  # all are used, and looking for them goes badly with checkpointing
        disable_tqdm=True,
        report_to="none",
        log_level="error",
    )
    settings._n_gpu = min(settings.n_gpu, 1)  # Trainer would split each batch over all it sees, and a packed row is one
    return settings


def load_adapter(model: Any, checkpoint: Path) -> None:
    """Put the adapter's weights in a checkpoint into `model`."""
    set_peft_model_state_dict(model, load_file(checkpoint / ADAPTER))


class ReplyTrainer(Trainer):
    """Trains on encoded examples."""

    def __init__(
        self,
        model: Any,
        settings: TrainingArguments,
        train: Sequence[Encoded],
        held_out: Sequence[Encoded],
        follow: "Follow",
        packing: bool,
    ) -> None:
        super().__init__(
            model=model,
            args=settings,
            data_collator=partial(collate, packing=packing),
            train_dataset=train,
            eval_dataset=held_out or None,
            callbacks=[follow],
        )
        self.remove_callback(PrinterCallback)  # it prints every step to stdout
        self._examples = train
        self._held_out = held_out
        self._packing = packing

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """As Trainer; but the warm-up begins one step above 0, at which a step would be for nothing."""
        scheduler = super().create_scheduler(num_training_steps, optimizer)
        warmup = self.args.warmup_steps
        if warmup and isinstance(scheduler, LambdaLR):
            shares: list[Any] = [partial(_sooner, share, int(warmup)) for share in scheduler.lr_lambdas]
            scheduler.lr_lambdas = shares
            for group, rate, share in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, shares, strict=True):
                group["lr"] = rate * share(0)
            scheduler._last_lr = [group["lr"] for group in scheduler.optimizer.param_groups]
        return scheduler

    def get_train_dataloader(self) -> Any:
        """Trainer's, in one process. Several take turns at the batches it has.

        Trainer's own way with several is to begin anew until all have as many: some examples would be learned twice.
        """
        if count() == 1:
            return super().get_train_dataloader()
        order = SeedableRandomSampler(self._examples, data_seed=self.args.seed)  # as prepared for one process
        batches = BatchSampler(order, self.args.per_device_train_batch_size, drop_last=False)
        return DataLoaderShard(
            [*self._examples, _nothing(self._examples[0])],
            batch_sampler=Turns(batches, [len(self._examples)]),
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """As Trainer. Of a sharded model peft 0.21 would write no weights: it looks for them by FSDP's names."""
        super()._save(output_dir, state_dict)
        if sharded() and rank() == 0 and output_dir and state_dict:
            lora = {name.replace(".default.", "."): each for name, each in state_dict.items() if ".lora_" in name}
            save_file(lora, Path(output_dir) / ADAPTER, metadata={"format": "pt"})

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """As Trainer; but a model that is sharded by now was given the weights before, by `load_adapter`."""
        if not sharded():
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _save_rng_state(self, output_dir: str) -> None:
        super()._save_rng_state(output_dir)
        exchange(None)  # the first then marks the checkpoint as whole

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Measure the held-out replies. Trainer's own averages batches, so its figure depends on their size."""
        size = self.args.per_device_train_batch_size
        metrics = {"eval_loss": held_out_loss(self.model, self._held_out, size, self._packing)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


class Follow(TrainerCallback):
    """Writes the history down, tells the progress, and stops a training that is of no use or no longer gets better."""

    def __init__(self, out: Path, early: int, epoch: int, warmup: int, progress: Progress | None) -> None:
        self._out = out
        self._early = early
        self._window = min(epoch, 50)
        self._warmup = warmup
        self._progress = progress
        self._losses: list[float] = []
        self._asked = False  # by Ctrl-C
        self.interrupted = False  # as one of the processes was asked: this step is the last, and leaves a checkpoint

    def interrupt(self, *_: Any) -> None:
        """Stop behind the present step; at once where that was asked for before. A handler of SIGINT."""
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True

    def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
        past = points(state.log_history)
        self._losses = [point.loss for point in past if point.loss is not None]
        self._moving = Moving(model)  # FSDP has changed its weights for parts of them
        self._writer = HistoryWriter(self._out, past) if rank() == 0 else None

    def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        state.log_history[-1]["memory"] = memory()
        for point in points(state.log_history[-1:]):  # none for the summary that Trainer logs at the end
            if self._writer:
                self._writer.add(point)
                if self._progress:
                    self._progress(point, state.max_steps)
            if point.loss is not None:
                self._losses.append(point.loss)
                check_loss(self._losses, self._window, self._warmup)
                self._moving.check(point.step, point.gradient or 0.0)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.interrupted = any(exchange(self._asked))
        if self.interrupted and not control.should_training_stop:
            control.should_save = control.should_training_stop = True

    def on_evaluate(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if is_over(vars(state), self._early):
            control.should_training_stop = True

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self._writer:
            self._writer.close()


def _sooner(share: Any, warmup: int, step: int) -> float:
    """The share of the highest rate at `step` (from 0): while it rises, that of the step behind."""
    return float(share(step + 1 if step < warmup else step))


def _nothing(example: Encoded) -> Encoded:
    """The beginning of an example, with nothing to learn."""
    return replace(example, ids=example.ids[:2], learned=(False, False))


def memory() -> int:
    """The most memory used so far, in bytes: of the GPU, or of this process where there is none."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    import psutil

    return int(psutil.Process().memory_info().rss)
