"""A language model on this computer: loaded once, with any number of adapters over it, writing one token after another.

Streaming, a single reply and a batch are the same loop. A step of it (adapter and forward pass) is done under a lock,
so any threads may ask at once, and a reply that nobody reads on holds nobody up. A compiled model differs in the steps
alone.
"""

import inspect
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from bot.adapter_weights import put_on
from bot.compiled_steps import CompiledSteps
from bot.growing_text import GrowingText
from bot.model_input import ModelInput
from bot.precision import Precision, best_precision, serving_device
from bot.prompt_tokens import PromptTokens
from bot.token_choice import TokenChoice
from data.errors import BadInput, NotFound
from data.sampling import Sampling
from finetune.base import find_base, load_base
from finetune.card import CARD, Card, check_card, read_card
from finetune.prompt import Message

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Written:
    """A reply."""

    text: str
    tokens: int  # written, the end token left out
    ended: Literal["end", "stop", "length"]  # by the model's end token, by a stop string, by what it may have


class LocalModel:
    """A causal language model and its adapters.

    `name`: a folder, a hub name or a GGUF file. `device`: "cuda", "mps" or "cpu", None for the best there is.
    `precision` of the weights: NF4 on CUDA, else bfloat16 where the processor computes in it or memory leaves no other
    choice, else float32. Weights quantised already stay as they are. `compiled`: faster steps on a GPU (untried on
    CUDA), a minute of waiting for each adapter, length and single reply or batch that is new.
    Raises NotFound (with what to download) or BadInput.
    """

    def __init__(
        self,
        name: str,
        revision: str | None = None,
        device: str | None = None,
        precision: Precision | None = None,
        compiled: bool = False,
    ) -> None:
        path = find_base(name, revision)
        if (path / CARD).is_file():  # trained here, all its weights: the same promises as an adapter's
            check_card(path, read_card(path).base_sha256)
        self.name = name
        self.device = device or serving_device()
        precision = precision or best_precision(path, self.device)
        base = load_base(
            name,
            revision,
            quantisation="nf4" if precision == "nf4" else "none",
            device=self.device,
            dtype="bfloat16" if precision == "nf4" else precision or "auto",
        )
        self.sha256 = base.sha256
        self.tokens = base.tokens
        self.batch_size = 16 if self.device.startswith("cuda") else 4  # prompts at once
        self._model = base.model.eval().requires_grad_(False)
        self._takes = frozenset(inspect.signature(base.model.forward).parameters)
        if "past_key_values" not in self._takes:
            raise BadInput(f"{name} is no model that remembers by attention, and no other kind is run: take another.")
        self._window: int = getattr(base.model.config, "max_position_embeddings", sys.maxsize)
        self._ends = frozenset(_end_ids(base.model)) | {base.tokens.eos}
        self.reads = PromptTokens(base.tokens, base.path, self._window)
        self._adapters: dict[str, tuple[Path, Card, str]] = {}  # folder, card, the name that peft knows it by
        self._worn: str | None = None  # the adapter that is on
        self._lock = Lock()
        self._compiled = CompiledSteps(self._model, self.device) if compiled else None

    @property
    def adapters(self) -> tuple[str, ...]:
        """The names that `stream` and `write` take, in the order they were added."""
        return tuple(self._adapters)

    def add_adapter(self, name: str, folder: Path) -> Card:
        """Put the adapter in `folder` on the model under `name`; its card. Doing it again costs nothing.

        Raises NotFound where there is none, AdapterRefused where it was changed or isn't of this base and prompt, and
        BadInput where `name` is another adapter's.
        """
        folder = folder.resolve()
        with self._lock:
            if name in self._adapters:
                known, card, _ = self._adapters[name]
                if known != folder or read_card(folder).files != card.files:  # an evaluation may be new in it
                    raise BadInput(f"{name!r} is another adapter's name already, that of {known}: choose another.")
                return card
            card = check_card(folder, self.sha256)
            key = f"adapter{len(self._adapters)}"  # peft allows no dots in a name
            self._model = put_on(self._model, folder, key).eval().requires_grad_(False)
            self._model.base_model.disable_adapter_layers()
            self._worn = None
            if self._compiled:
                self._compiled.forget()
            self._adapters[name] = (folder, card, key)
            return card

    def prompt_ids(self, turns: Sequence[Message]) -> list[int]:
        """The ids of a conversation that ends with a user's turn, as the model was trained to read it.

        Whatever in the turns looks like a special token stays text. Raises BadInput where the model's folder has
        neither v1's tokenizer nor a chat template.
        """
        return self.reads.ids(turns)

    def stream(self, prompt: Sequence[int], sampling: Sampling, adapter: str | None = None) -> Iterator[str | Written]:
        """The reply to `prompt` in pieces of whole characters, then the Written of it all, last.

        No piece holds a part of a stop string, and the pieces joined are the text. Closing the iterator ends the
        generation. Raises BadInput for a prompt longer than the model's window, NotFound for an unknown adapter.
        """
        for _, piece in self._generate([prompt], sampling, adapter):
            yield piece

    def write(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, adapter: str | None = None
    ) -> Iterator[tuple[int, Written]]:
        """(index of the prompt, reply) as the replies are done. Prompts of like length are answered together.

        Raises as `stream` does, before the first reply.
        """
        self._check_all(prompts, adapter)
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            for row, piece in self._generate([prompts[index] for index in batch], sampling, adapter):
                if isinstance(piece, Written):
                    yield batch[row], piece

    def losses(
        self, prompts: Sequence[Sequence[int]], replies: Sequence[Sequence[int]], adapter: str | None = None
    ) -> Iterator[float]:
        """The loss (nats) of each reply behind its prompt, its tokens together; the end token is one of them.

        Raises as `stream` does.
        """
        import torch

        self._check_all([[*prompt, *reply[:-1]] for prompt, reply in zip(prompts, replies, strict=True)], adapter)
        for prompt, reply in zip(prompts, replies, strict=True):
            given: dict[str, Any] = {"input_ids": torch.tensor([[*prompt, *reply]], device=self.device)}
            if "logits_to_keep" in self._takes:
                given["logits_to_keep"] = len(reply) + 1
            with self._lock, torch.inference_mode():
                self._wear(adapter)
                logits = self._model(**given).logits[0, -len(reply) - 1 : -1].float()
            yield float(
                torch.nn.functional.cross_entropy(logits, given["input_ids"][0, -len(reply) :], reduction="sum")
            )

    def _generate(
        self, prompts: Sequence[Sequence[int]], sampling: Sampling, adapter: str | None
    ) -> Iterator[tuple[int, str | Written]]:
        """(row, piece) of the replies to a batch, and (row, Written) when one is done."""
        self._check_all(prompts, adapter)
        room = [min(sampling.max_tokens, self._window - len(prompt)) for prompt in prompts]
        rows = len(prompts)
        fixed: AbstractContextManager[Any] = nullcontext()
        if self._compiled:  # two sizes, so that the last batch of a file isn't compiled for itself
            rows = 1 if rows == 1 else max(rows, self.batch_size)
            fixed = self._compiled.cache(rows, max(map(len, prompts)) + max(room), self._window)
        choice = TokenChoice(prompts, sampling)
        texts = {row: GrowingText(self.tokens, sampling.stop) for row in range(len(prompts))}
        with fixed as cache:
            given = ModelInput(prompts, rows, self._window, self.device, cache)
            for count in range(1, max(room) + 1):
                chosen = choice.next(self._step(given, adapter)[: len(prompts)])
                for row, id in enumerate(chosen.tolist()):
                    if row not in texts:
                        continue
                    text = texts[row]
                    ended: Literal["end", "stop", "length"] | None = "length" if count == room[row] else None
                    if id in self._ends:
                        ended = "end"
                    elif piece := text.add(id):
                        yield row, piece
                    if ended and (piece := text.close()):
                        yield row, piece
                    if text.stopped:
                        ended = "stop"
                    if ended:
                        del texts[row]
                        yield row, Written(text.text, count - (id in self._ends), ended)
                if not texts:
                    return
                given.follow(chosen)

    def _step(self, given: ModelInput, adapter: str | None) -> "Tensor":
        """The logits (rows, vocabulary) behind the last of `given`, whose cache then has it."""
        import torch

        unlearning = torch.no_grad if self._compiled else torch.inference_mode  # faster, but nothing may outlive it
        with self._lock, unlearning():
            self._wear(adapter)
            try:
                if self._compiled and given.begun:
                    logits = self._compiled.step(given.named(self._takes), adapter)[:, -1]
                else:
                    made = self._model(**given.named(self._takes))
                    logits, given.cache = made.logits[:, -1], made.past_key_values
            except torch.OutOfMemoryError as error:
                raise BadInput("the GPU's memory is full: shorten the prompt, or take a smaller model") from error
        if logits.isnan().any():
            raise BadInput(f"{self.name} computes no numbers (NaN): its weights or the adapter's are damaged")
        return logits

    def _wear(self, adapter: str | None) -> None:
        """Put that adapter on the model, and take off any other."""
        if adapter == self._worn:
            return
        if adapter is None:
            self._model.base_model.disable_adapter_layers()
        else:
            self._model.base_model.enable_adapter_layers()
            self._model.set_adapter(self._adapters[adapter][2], inference_mode=True)
        self._worn = adapter

    def check(self, prompt: Sequence[int]) -> None:
        """Raises BadInput for a prompt that the model can't answer: an empty one, or one longer than its window."""
        if not prompt:
            raise BadInput("a prompt without tokens can't be answered")
        if len(prompt) >= self._window:
            raise BadInput(f"the prompt has {len(prompt)} tokens, and the model reads {self._window}: shorten it")

    def _check_all(self, prompts: Sequence[Sequence[int]], adapter: str | None) -> None:
        if adapter is not None and adapter not in self._adapters:
            known = ", ".join(self._adapters) or "none"
            raise NotFound(f"the model has no adapter {adapter!r}: it has {known}")
        for prompt in prompts:
            self.check(prompt)


def _end_ids(model: Any) -> list[int]:
    """The ids that end a turn, by the model's own files."""
    found = model.generation_config.eos_token_id
    return [id for id in (found if isinstance(found, list) else [found]) if isinstance(id, int)]
