"""From an example to the token ids that a model is trained on, and which of them are learned.

The ids of a conversation are those of `finetune.prompt.token_ids`, so what is trained on is what is served. The loss is
taken on the reply and the end token behind it, and on nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from data.errors import BadInput, Rejected
from data.json_file import read_object
from finetune.examples import Example
from finetune.prompt import BOS_ID, EOS_ID, Message, token_ids

_PROBE = "[INST] Hello, you two: 3 wörds? [/INST]"


class TextTokens(Protocol):
    """A model's own tokenizer, as far as training needs it."""

    bos: int | None  # the id that a text begins with; None where it begins with nothing
    eos: int  # the id that ends a reply
    joint: str
    """What goes before a text so that its ids are those it has behind a space: nothing for SentencePiece, which puts a
    space there itself, and " " for others. Without it "Thanks" would be another token than in running text."""

    def encode(self, text: str) -> list[int]:
        """The ids of `text`, neither BOS nor EOS added; what looks like a special token is only text."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of `ids`; special tokens have none, and a character whose bytes aren't all there is U+FFFD."""

    def piece(self, id: int) -> str:
        """The id as a reader sees it, a space as "▁"."""


@dataclass(frozen=True)
class Encoded:
    """An example as a model sees it."""

    ids: tuple[int, ...]
    learned: tuple[bool, ...]  # one an id: whether the loss is taken on predicting it
    example: Example  # what it was made of
    cut: bool = False  # earlier turns were left out so that it fits

    @property
    def origin(self) -> str:
        """Where the example comes from."""
        return self.example.origin


@cache
def v1_tokens() -> TextTokens:
    """Mistral-7B-Instruct v0.1's and v0.2's tokenizer, which comes with mistral-common. Needs no model folder."""
    spec = find_spec("mistral_common")
    if spec is None or not spec.submodule_search_locations:
        raise BadInput("mistral-common is missing: run `pip install 'mistral-common[sentencepiece]'`")
    return _SentencePiece(Path(spec.submodule_search_locations[0]) / "data" / "tokenizer.model.v1")


def folder_tokens(folder: Path) -> TextTokens:
    """The tokenizer of a model folder: `tokenizer.model`, else `tokenizer.json`, else GPT-2's two files.

    None of them runs code. Raises BadInput where there is none that can be read.
    """
    sentencepiece, fast = folder / "tokenizer.model", folder / "tokenizer.json"
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    try:
        if sentencepiece.is_file():
            return _SentencePiece(sentencepiece)
        if fast.is_file():
            from tokenizers import Tokenizer

            return _fast(Tokenizer.from_file(str(fast)), folder)
        if vocabulary.is_file() and merges.is_file():
            from tokenizers import ByteLevelBPETokenizer

            model = ByteLevelBPETokenizer(str(vocabulary), str(merges))._tokenizer
            return _fast(model, folder)
    except BadInput:
        raise
    except Exception as error:  # both libraries raise bare Exception or RuntimeError for a file that isn't theirs
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"the tokenizer in {folder} can't be read: download it again ({reason})") from error
    raise BadInput(f"{folder} has no tokenizer: it needs tokenizer.model or tokenizer.json beside the weights")


@cache
def gguf_tokenizer(path: Path) -> Any:
    """The tokenizer in a GGUF file, as transformers has it (a PreTrainedTokenizerFast). Raises BadInput."""
    from transformers import AutoTokenizer

    try:
        with TemporaryDirectory() as empty:  # what lies beside the file is not its own
            return AutoTokenizer.from_pretrained(
                empty, gguf_file=str(path.absolute()), trust_remote_code=False, local_files_only=True
            )
    except Exception as error:  # whatever a damaged file leads to
        reason = " ".join(str(error).split())[:200]
        raise BadInput(f"the tokenizer in {path} can't be read: download the file again ({reason})") from error


def gguf_tokens(path: Path) -> TextTokens:
    """The tokenizer of a GGUF file. Raises BadInput where it has none that can be read, or no end token."""
    from tokenizers import Tokenizer

    tokenizer = gguf_tokenizer(path)
    if tokenizer.eos_token_id is None:
        raise BadInput(f"{path} doesn't say which token ends a text: take another GGUF file of the model")
    try:
        return _Fast(Tokenizer.from_str(tokenizer.backend_tokenizer.to_str()), tokenizer.eos_token_id)
    except Exception as error:  # whatever a damaged file leads to
        raise BadInput(f"the tokenizer in {path} can't be read: download the file again") from error


def encode(example: Example, tokens: TextTokens, max_tokens: int) -> Encoded:
    """`example` as ids, of which only the reply's and the end token behind it are learned.

    Where it is longer than `max_tokens`, a conversation loses its earliest turns (style examples are such turns), never
    its system message, its last user turn or any of the reply. Raises Rejected, with the reason, where that isn't
    enough. Raises BadInput for a conversation with a base that isn't a Mistral of v1's turns.
    """
    if isinstance(example.prompt, str):
        prompts = [text_ids(example.prompt, tokens)]
        reply = [*tokens.encode(tokens.joint + example.reply), tokens.eos]
    else:
        if not is_v1(tokens):
            raise BadInput(
                "this base's tokenizer isn't that of Mistral-7B-Instruct v0.1 and v0.2, in whose [INST] turns "
                "conversations are written: use such a base, or format: completion with prompts in the base's own form"
            )
        prompts = [token_ids(turns, tokens.encode) for turns in _shortened(example.prompt)]
        reply = [*tokens.encode(example.reply), EOS_ID]
    fitting = next((prompt for prompt in prompts if len(prompt) + len(reply) <= max_tokens), None)
    if fitting is None:
        shortest = len(prompts[-1])
        raise Rejected(
            f"{shortest + len(reply)} tokens (prompt {shortest}, reply {len(reply)}), and the window is {max_tokens}"
        )
    learned = (False,) * len(fitting) + (True,) * len(reply)
    return Encoded((*fitting, *reply), learned, example, cut=fitting is not prompts[0])


def text_ids(prompt: str, tokens: TextTokens) -> list[int]:
    """The ids of a prompt that is plain text, as a model is trained on it and asked with it."""
    start = [] if tokens.bos is None else [tokens.bos]
    return [*start, *tokens.encode(prompt)]


def encode_all(
    examples: Sequence[Example], tokens: TextTokens, max_tokens: int
) -> tuple[list[Encoded], list[tuple[str, str]]]:
    """Every example that fits, in order, and (origin, reason) of those that don't. Raises BadInput as `encode` does."""
    fitting: list[Encoded] = []
    refused: list[tuple[str, str]] = []
    for example in examples:
        try:
            fitting.append(encode(example, tokens, max_tokens))
        except Rejected as error:
            refused.append((example.origin, str(error)))
    return fitting, refused


def _shortened(turns: tuple[Message, ...]) -> list[list[Message]]:
    """The conversation whole, then without its first user and assistant turns, without its first four, …"""
    system = [turn for turn in turns if turn["role"] == "system"]
    rest = [turn for turn in turns if turn["role"] != "system"]
    return [[*system, *rest[start:]] for start in range(0, len(rest), 2)]


def is_v1(tokens: TextTokens) -> bool:
    """Whether `tokens` are those of Mistral-7B-Instruct v0.1 and v0.2, whose turns `finetune.prompt` writes."""
    return (tokens.bos, tokens.eos) == (BOS_ID, EOS_ID) and tokens.encode(_PROBE) == v1_tokens().encode(_PROBE)


class _SentencePiece:
    """A SentencePiece model, as Mistral and Llama have it."""

    def __init__(self, path: Path) -> None:
        from sentencepiece import SentencePieceProcessor

        self._model = SentencePieceProcessor(model_file=str(path))
        self.bos: int | None = self._model.bos_id() if self._model.bos_id() >= 0 else None
        self.eos: int = self._model.eos_id()
        if self.eos < 0:
            raise BadInput(f"{path} doesn't say which token ends a text: take the model's own tokenizer.model")
        self.joint = _joint(self)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._model.encode(text)
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        known = [id for id in ids if id < self._model.vocab_size()]  # a head may have more rows than there are tokens
        return str(self._model.decode(known))

    def piece(self, id: int) -> str:
        return str(self._model.id_to_piece(id))


class _Fast:
    """A tokenizer of the `tokenizers` library, as GPT-2 and most later models have it."""

    def __init__(self, model: Any, eos: int) -> None:
        self._model = model
        with_special = model.encode("a").ids
        model.encode_special_tokens = True  # "<|endoftext|>" in a comment is text, not an end
        plain = self.encode("a")
        self.bos: int | None = with_special[0] if with_special[: len(plain)] != plain else None
        self.eos = eos
        self.joint = _joint(self)

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._model.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        return str(self._model.decode(ids, skip_special_tokens=True))

    def piece(self, id: int) -> str:
        token = str(self._model.id_to_token(id))
        shown = bytes(_BYTES[c] for c in token) if all(c in _BYTES for c in token) else token.encode()
        try:
            return shown.decode().replace(" ", "▁")
        except UnicodeDecodeError:  # a part of a character
            return "".join(f"<0x{byte:02X}>" for byte in shown)


def _fast(model: Any, folder: Path) -> _Fast:
    return _Fast(model, _eos(model, folder))


def _eos(model: Any, folder: Path) -> int:
    """The end token's id, by the folder's own files."""
    for name, key in (("generation_config.json", "eos_token_id"), ("config.json", "eos_token_id")):
        found = _json(folder / name).get(key)
        found = found[0] if isinstance(found, list) and found else found
        if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < 2**31 and model.id_to_token(found):
            return found
    named = _json(folder / "tokenizer_config.json").get("eos_token")
    named = named.get("content") if isinstance(named, dict) else named
    if isinstance(named, str) and (id := model.token_to_id(named)) is not None:
        return int(id)
    raise BadInput(f"{folder} doesn't say which token ends a text: give config.json an eos_token_id")


def _json(path: Path) -> dict[str, Any]:
    try:
        return read_object(path)
    except ValueError:
        return {}


def _joint(tokens: _SentencePiece | _Fast) -> str:
    return "" if tokens.piece(tokens.encode("Thanks")[0]).startswith("▁") else " "


def _byte_characters() -> dict[str, int]:
    """The character that byte-level BPE writes for each byte, back to the byte (Radford et al. 2019, GPT-2's code):
    printable Latin-1 stands for itself, the others for characters from U+0100 on, in order."""
    own = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in own]
    return {chr(byte): byte for byte in own} | {chr(256 + i): byte for i, byte in enumerate(others)}


_BYTES = _byte_characters()
