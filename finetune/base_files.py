"""A model's files looked over before a library opens them: no devices or pipes, and no sizes that hold up for ever."""

import struct
from pathlib import Path
from typing import IO, Any

from data.errors import BadInput

_READ = (".safetensors", ".json", ".jinja", ".model", ".txt")  # endings of what is read of a folder
_LARGEST = 256 << 20  # bytes of such a file that holds no weights; Gemma's tokenizer.json has 33 million
_MOST = 4096  # layers, heads, experts, labels: the libraries make something of each
_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # bytes of GGUF's types of number
_STRING, _ARRAY = 8, 9
_COUNTS = (b"block_count", b"head_count", b"head_count_kv", b"expert_count")
_ENTRIES, _ELEMENTS = 100_000, 10_000_000  # of a GGUF header, and of an array in it: vocabularies have up to 300,000


def check_folder(folder: Path) -> None:
    """Raise BadInput where a file of a model folder is a device, a pipe or a broken link, or too large to be itself."""
    for path in sorted(folder.iterdir()):
        if path.suffix not in _READ or path.is_dir():
            continue
        if not path.is_file():
            raise BadInput(f"{path} is no regular file: download the model again.")
        if path.suffix != ".safetensors" and path.stat().st_size > _LARGEST:
            raise BadInput(f"{path} is larger than {_LARGEST >> 20} MiB: download the model again.")


def check_config(path: Path, config: dict[str, Any]) -> None:
    """Raise BadInput where `config`, read from `path`, has more of something than any model, or needs foreign code."""
    for each in [config, *(inner for inner in config.values() if isinstance(inner, dict))]:
        for key, value in each.items():
            if key.strip("_") == "attn_implementation" and "/" in str(value):
                raise BadInput(f"{path} asks for code from the hub ({key}), which isn't run: delete that line of it.")
            counted = key.startswith("num_") or "layer" in key or "expert" in key
            if counted and isinstance(value, int | float) and not abs(value) <= _MOST:
                raise BadInput(f"{path} says {key}: {str(value)[:20]}, which no model has: download it again.")


def check_whole(path: Path, config: Any, numbers: int) -> None:
    """Raise BadInput where a model of that transformers config has more numbers than its files, `numbers`, hold.

    What the files lack would be drawn at random, and as large as the config likes.
    """
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):  # its shape alone: no memory
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False, attn_implementation="eager")  # type: ignore[no-untyped-call]
    if (needed := sum(each.numel() for each in model.parameters())) > numbers:
        raise BadInput(
            f"{path} describes a model of {needed:,} numbers, and its files hold {numbers:,}: download it again, whole."
        )


def count_numbers(folder: Path) -> int:
    """How many numbers the weights files of a model folder hold. Raises BadInput for a damaged one."""
    import math

    from safetensors import safe_open

    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        try:
            with safe_open(path, "pt") as weights:
                total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
        except Exception as error:  # SafetensorError, or the system's
            reason = " ".join(str(error).split())[:200]
            raise BadInput(f"{path} is no whole safetensors file: download it again. ({reason})") from error
    return total


def check_gguf(path: Path) -> None:
    """Raise BadInput where the header of a GGUF file leads out of it, or has more of something than any model."""
    try:
        with path.open("rb") as file:
            _check_header(file, path.stat().st_size)
    except (OSError, ValueError, struct.error) as error:
        raise BadInput(f"{path} is no whole GGUF file: download it again. ({error})") from error


def _check_header(file: IO[bytes], size: int) -> None:
    magic, version, tensors, entries = struct.unpack("<4sIQQ", file.read(24))
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError("it doesn't begin as one of version 2 or 3 does")
    if tensors > _ENTRIES or entries > _ENTRIES:
        raise ValueError(f"its header has {max(tensors, entries)} entries")
    for _ in range(entries):
        key = _string(file, size)
        kind = _number(file, "<I")
        if kind == _ARRAY:
            _skip_array(file, size)
        elif kind == _STRING:
            _string(file, size)
        elif kind in _SIZES:
            value = file.read(_SIZES[kind])
            if key.endswith(_COUNTS) and int.from_bytes(value, "little") > _MOST:
                raise ValueError(f"its {key.decode(errors='replace')[:60]} is more than any model has")
        else:
            raise ValueError(f"a value of its header is of the unknown type {kind}")
        if file.tell() > size:
            raise ValueError("its header is longer than the file")


def _skip_array(file: IO[bytes], size: int) -> None:
    kind, length = _number(file, "<I"), _number(file, "<Q")
    if length > _ELEMENTS:
        raise ValueError(f"an array of its header has {length} elements")
    if kind == _STRING:
        for _ in range(length):
            _string(file, size)
    elif kind in _SIZES:
        file.seek(_SIZES[kind] * length, 1)
    else:
        raise ValueError(f"an array of its header is of the unknown type {kind}")


def _string(file: IO[bytes], size: int) -> bytes:
    """The first bytes of the string at hand, which is passed over."""
    length = _number(file, "<Q")
    if length > size - file.tell():
        raise ValueError("a text of its header is longer than the file")
    start = file.read(min(length, 200))
    file.seek(length - len(start), 1)
    return start


def _number(file: IO[bytes], form: str) -> int:
    return int(struct.unpack(form, file.read(struct.calcsize(form)))[0])
