"""Conversations for models whose turns aren't Mistral v1's: by the chat template that comes with the model.

A template is a Jinja program by whoever made the model; transformers runs it in Jinja's sandbox, and that in a process
of its own with limits of time and memory.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bot.template_rendering import TemplateRenderer, TemplateStopped
from data.errors import BadInput
from data.json_file import read_object
from finetune.prompt import Message
from finetune.tokens import gguf_tokenizer

_LONGEST = 1 << 20  # bytes of a template; others have up to 20,000


class ChatTemplate:
    """The chat template of a model folder or GGUF file. Raises BadInput where it can't be read, not where it lacks."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._tokenizer = gguf_tokenizer(path) if path.suffix == ".gguf" else _folder_tokenizer(path)
        self._renderer: TemplateRenderer | None = None
        template = self._tokenizer.chat_template if self._tokenizer else None
        if isinstance(template, str) and template:
            if len(template) > _LONGEST:
                raise BadInput(
                    f"the chat template in {path} is longer than {_LONGEST:,} characters: take another model"
                )
            self._renderer = TemplateRenderer(template, self._tokenizer.special_tokens_map)
            self._control = _control_tokens(self._tokenizer, template)

    def ids(self, turns: Sequence[Message]) -> list[int]:
        """The ids of a conversation, up to where the assistant's reply begins.

        The template's own special tokens become their ids; in what the turns say they stay text. A template that
        refuses a system message, or leaves it out, gets it at the head of the first user turn.
        """
        if self._renderer is None:
            raise BadInput(
                f"{self._path} has neither Mistral-7B-Instruct's tokenizer nor a chat template: put the model's "
                "chat_template.jinja and tokenizer.json beside its weights, or take an instruct model"
            )
        try:
            try:
                return self._ids(self._renderer, turns)
            except ValueError:
                return self._ids(self._renderer, _folded(turns))
        except (ValueError, TemplateStopped) as error:
            raise BadInput(
                f"the chat template in {self._path} can't write this conversation ({str(error).rstrip('.')}): take "
                "another model, or put its maker's template there"
            ) from error

    def _ids(self, renderer: TemplateRenderer, turns: Sequence[Message]) -> list[int]:
        """As transformers' `apply_chat_template` makes them, which would run the template in this process."""
        from transformers.utils.chat_template_utils import encode_marked_chat, mark_control_tokens

        text = renderer.render(turns)
        for turn in turns:
            if turn["content"].strip() not in text:
                raise ValueError(f"it leaves out what the {turn['role']} says")
        marked = [Message(role=turn["role"], content=mark_control_tokens(turn["content"], self._control))
                  for turn in turns]  # fmt: skip
        ids: list[int] = encode_marked_chat(self._tokenizer, renderer.render(marked))
        return ids


def _control_tokens(tokenizer: Any, template: str) -> re.Pattern[str]:
    """Matches what opens or closes a turn, longest first: special tokens, and added ones that the template has."""
    tokens = [
        token.content
        for token in tokenizer.added_tokens_decoder.values()
        if token.special or (token.content in template and not token.content.isspace())
    ]
    return re.compile("|".join(map(re.escape, sorted(tokens, key=len, reverse=True))) or "(?!)")


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
    except BadInput:
        raise
    except Exception as error:  # tokenizers raises bare Exception for a file that isn't its own
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"the tokenizer in {folder} can't be read: download it again ({reason})") from error


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    try:
        return read_object(path) if path.is_file() else {}
    except ValueError as error:
        raise BadInput(f"{path} can't be read ({error}): download it again") from error


def _template(folder: Path, settings: dict[str, Any]) -> str | None:
    beside = folder / "chat_template.jinja"
    if beside.is_file():
        if beside.stat().st_size > _LONGEST:
            raise ValueError(f"{beside.name} is larger than {_LONGEST >> 20} MiB")
        return beside.read_text(encoding="utf-8")
    said = settings.get("chat_template")
    if isinstance(said, list):  # several by name
        said = next((each["template"] for each in said if each["name"] == "default"), None)
    return said if isinstance(said, str) else None


def _content(token: Any) -> str:
    return str(token["content"] if isinstance(token, dict) else token)
