"""Conversations for models whose turns aren't Mistral v1's: by the chat template that comes with the model.

A template is a Jinja program by whoever made the model; transformers runs it in Jinja's sandbox.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from data.errors import BadInput
from finetune.prompt import Message
from finetune.tokens import gguf_tokenizer


class ChatTemplate:
    """The chat template of a model folder or GGUF file. Raises BadInput where it can't be read, not where it lacks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokenizer = gguf_tokenizer(path) if path.suffix == ".gguf" else _folder_tokenizer(path)

    def ids(self, turns: Sequence[Message]) -> list[int]:
        """The ids of a conversation, up to where the assistant's reply begins.

        The template's own special tokens become their ids; in what the turns say they stay text. A template that
        refuses a system message, or leaves it out, gets it at the head of the first user turn.
        """
        if self._tokenizer is None or not self._tokenizer.chat_template:
            raise BadInput(
                f"{self._path} has neither Mistral-7B-Instruct's tokenizer nor a chat template: put the model's "
                "chat_template.jinja and tokenizer.json beside its weights, or take an instruct model"
            )
        try:
            return self._render(turns)
        except Exception:  # a template raises whatever it likes
            try:
                return self._render(_folded(turns))
            except Exception as error:
                reason = " ".join(str(error).split())[:200]
                raise BadInput(f"the chat template in {self._path} can't write this conversation: {reason}") from error

    def _render(self, turns: Sequence[Message]) -> list[int]:
        shown = [{"role": turn["role"], "content": turn["content"]} for turn in turns]
        text = self._tokenizer.apply_chat_template(shown, tokenize=False, add_generation_prompt=True)
        for turn in shown:
            if turn["content"].strip() not in text:
                raise ValueError(f"it leaves out what the {turn['role']} says")
        ids: list[int] = self._tokenizer.apply_chat_template(
            shown, add_generation_prompt=True, return_dict=False, sanitize_control_tokens=True
        )
        return ids


def _folded(turns: Sequence[Message]) -> list[Message]:
    """The conversation with its system message at the head of the first user turn."""
    system = [turn["content"] for turn in turns if turn["role"] == "system"]
    rest = [turn for turn in turns if turn["role"] != "system"]
    first = Message(role="user", content="\n\n".join([*system, rest[0]["content"]]))
    return [first, *rest[1:]]


def _folder_tokenizer(folder: Path) -> Any:
    """The folder's tokenizer.json with its template, None where it has none. No class that the folder names is used."""
    from transformers import PreTrainedTokenizerFast

    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    try:
        settings = _settings(folder)
        special = {name: _content(settings[name]) for name in ("bos_token", "eos_token", "unk_token", "pad_token")
                   if settings.get(name)}  # fmt: skip
        template = _template(folder, settings)
        return PreTrainedTokenizerFast(tokenizer_file=str(path), chat_template=template, **special)  # type: ignore[no-untyped-call]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"the tokenizer in {folder} can't be read: {' '.join(str(error).split())[:200]}") from error


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    settings: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return settings


def _template(folder: Path, settings: dict[str, Any]) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        return beside.read_text(encoding="utf-8")
    said = settings.get("chat_template")
    if isinstance(said, list):  # several by name
        said = {each["name"]: each["template"] for each in said}.get("default")
    return said if isinstance(said, str) else None


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)
