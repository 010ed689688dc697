"""How a local model reads a conversation: as ids of its own tokenizer, in turns of its own form."""

import json
import sys
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from pathlib import Path

from bot.chat_template import ChatTemplate
from data.errors import BadInput
from data.json_file import read_object
from finetune.base import find_base
from finetune.prompt import Message, token_ids
from finetune.tokens import TextTokens, folder_tokens, gguf_tokens, is_v1, v1_tokens
from finetune.unloaded import reads

ROOM = 128  # tokens that a reply must have in the model's window, where it may have as many
_V1 = ("mistralai/mistral-7b-instruct-v0.1", "mistralai/mistral-7b-instruct-v0.2")
_SHAPE = "mistral-7b-instruct-v0.2.json"  # both read as many tokens


class PromptTokens:
    """The tokenizer of a model folder or GGUF file, and how many tokens the model reads."""

    def __init__(self, tokens: TextTokens, path: Path | None, window: int) -> None:
        """`path` has the chat template; None for a model of v1's turns. Raises BadInput where it can't be read."""
        self.tokens, self.window = tokens, window
        self._template = None if path is None or is_v1(tokens) else ChatTemplate(path)

    def ids(self, turns: Sequence[Message]) -> list[int]:
        """The ids of a conversation that ends with a user's turn, as the model was trained to read it.

        Whatever in the turns looks like a special token stays text. Raises BadInput where the model's folder has
        neither v1's tokenizer nor a chat template.
        """
        if self._template is None:
            return token_ids(turns, self.tokens.encode)
        return self._template.ids(turns)

    def fits(self, turns: Sequence[Message], most: int) -> bool:
        """Whether a reply of up to `most` tokens has room behind the conversation (or `ROOM`, if that is less)."""
        return self.window - len(self.ids(turns)) >= min(most, ROOM)


def unloaded(name: str, revision: str | None = None) -> PromptTokens | None:
    """The tokens of the model that `name` means, without its weights; None where its files aren't on this computer.

    Nothing is downloaded. Raises NotFound or BadInput for a folder or file that is no model.
    """
    path = find_base(name) if Path(name).expanduser().exists() else _cached(name, revision)
    if path:
        return _of_files(path)
    return _of_mistral() if name.lower() in _V1 else None


@lru_cache(maxsize=8)
def _of_files(path: Path) -> PromptTokens:
    if path.suffix == ".gguf":
        return PromptTokens(gguf_tokens(path), path, sys.maxsize)
    try:
        window = reads(read_object(path / "config.json"))
    except ValueError as error:
        raise BadInput(f"{path / 'config.json'} describes no model ({error}): download it again.") from error
    return PromptTokens(folder_tokens(path), path, window or sys.maxsize)


@lru_cache(maxsize=1)
def _of_mistral() -> PromptTokens:
    shape = json.loads((files("finetune") / "architectures" / _SHAPE).read_text(encoding="utf-8"))
    return PromptTokens(v1_tokens(), None, reads(shape))


def _cached(name: str, revision: str | None) -> Path | None:
    """The folder of the hub's cache with the model's tokenizer; None where it has none."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for file in ("tokenizer.model", "tokenizer.json"):
        try:
            found = try_to_load_from_cache(name, file, revision=revision)
        except HFValidationError:  # a path, not a hub name
            return None
        if isinstance(found, str):
            return Path(found).parent
    return None
