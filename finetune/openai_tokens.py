"""How many tokens OpenAI would count, and what training on them would cost: estimates, and told as such."""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from finetune.openai_rules import texts_of
from finetune.tokens import v1_tokens

# OpenAI's cookbook, "Data preparation and analysis for chat model fine-tuning": how many epochs are trained where none
# is given (epochs, and examples seen in all of them), and what a message adds to its text.
TARGET_EPOCHS, MIN_TARGET_EXAMPLES, MAX_TARGET_EXAMPLES, MIN_EPOCHS, MAX_EPOCHS = 3, 100, 25_000, 1, 25
A_MESSAGE, A_ROLE, AN_EXAMPLE = 3, 1, 3

# The vocabulary of GPT-4o's and GPT-4.1's tokenizer, as tiktoken fetches and names it (tiktoken_ext.openai_public).
_ENCODING = "o200k_base"
_URL = f"https://openaipublic.blob.core.windows.net/encodings/{_ENCODING}.tiktoken"
_SHA256 = "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"


@dataclass(frozen=True)
class Cost:
    """What training would take."""

    tokens: int  # of an epoch
    epochs: int
    usual: bool  # whether they are those of OpenAI's default
    price: float | None  # dollars per million tokens; None where it wasn't given

    @property
    def trained(self) -> int:
        """Tokens of all epochs: what OpenAI charges for."""
        return self.tokens * self.epochs

    @property
    def dollars(self) -> float | None:
        """What that costs at the price given."""
        return None if self.price is None else self.trained / 1e6 * self.price

    def as_json(self) -> dict[str, Any]:
        """What --json prints."""
        return {**vars(self), "trained": self.trained, "dollars": self.dollars}


def default_epochs(examples: int) -> int:
    """How often OpenAI goes through so many training examples where nobody says it."""
    if examples * TARGET_EPOCHS < MIN_TARGET_EXAMPLES:
        return min(MAX_EPOCHS, MIN_TARGET_EXAMPLES // max(1, examples))
    if examples * TARGET_EPOCHS > MAX_TARGET_EXAMPLES:
        return max(MIN_EPOCHS, MAX_TARGET_EXAMPLES // examples)
    return TARGET_EPOCHS


def cost_of(lengths: Sequence[int], window: int, epochs: int | None, price: float | None) -> Cost:
    """The cost of training on examples of so many tokens each, of which `window` are read."""
    tokens = sum(min(window, length) for length in lengths)
    return Cost(tokens, epochs or default_epochs(len(lengths)), epochs is None, price)


def openai_counter() -> tuple[Callable[[dict[str, Any]], int], str]:
    """What counts the tokens of an example {"messages": …}, and how it does that, in words.

    With OpenAI's own vocabulary where tiktoken has it on this machine (nothing is fetched), else with Mistral's.
    """
    own = _own_vocabulary()
    count = own or (lambda text: len(v1_tokens().encode(text)))

    def of(example: dict[str, Any]) -> int:
        texts = sum(map(count, texts_of(example)))
        return texts + (A_MESSAGE + A_ROLE) * len(example["messages"]) + AN_EXAMPLE

    return of, f"counted with {_ENCODING}, as OpenAI's cookbook does" if own else "estimated with Mistral's tokenizer"


@cache
def _own_vocabulary() -> Callable[[str], int] | None:
    """tiktoken's count of the tokens of a text, where the vocabulary lies in its cache; looking never downloads."""
    try:
        import tiktoken
    except ImportError:
        return None
    folder = os.environ.get("TIKTOKEN_CACHE_DIR", os.environ.get("DATA_GYM_CACHE_DIR"))
    if folder == "":  # tiktoken's way of saying: keep none
        return None
    path = Path(folder or Path(tempfile.gettempdir()) / "data-gym-cache") / hashlib.sha1(_URL.encode()).hexdigest()
    try:  # a damaged one tiktoken would fetch again
        if hashlib.sha256(path.read_bytes()).hexdigest() != _SHA256:
            return None
    except OSError:
        return None
    encoding = tiktoken.get_encoding(_ENCODING)
    return lambda text: len(encoding.encode_ordinary(text))
