"""Where a local model computes, and in what numbers."""

from pathlib import Path
from typing import Literal

from data.errors import BadInput
from finetune.base import how_quantised
from finetune.base_files import count_numbers

Precision = Literal["nf4", "bfloat16", "float32"]


def serving_device() -> str:
    """The best device of torch's: "cuda", "mps", else "cpu"."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def best_precision(path: Path, device: str) -> Precision | None:
    """What to hold the weights of a model folder or GGUF file in; None to leave them as they are.

    NF4 on CUDA; elsewhere bfloat16 where the processor computes in it, or where float32 wouldn't fit into the memory
    that is free, else float32. What is quantised already stays so; GGUF is unpacked, as transformers has it.
    """
    import torch
    from psutil import virtual_memory

    method = how_quantised(path)
    if method and method != "gguf":
        return None
    if device.startswith("cuda"):
        return "bfloat16" if method else "nf4"
    if device.startswith("mps"):
        return "bfloat16"
    if torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported():
        return "bfloat16"
    return "float32" if 4 * _weights(path) < virtual_memory().available else "bfloat16"


def _weights(path: Path) -> int:
    """How many numbers the weights are."""
    if path.suffix == ".gguf":
        from gguf import GGUFReader

        try:
            return sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
        except Exception as error:  # numpy's, for what a damaged file leads to
            raise BadInput(f"{path} is no whole GGUF file: download it again.") from error
    return count_numbers(path)
