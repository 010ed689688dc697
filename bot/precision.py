"""Where a local model computes, and in what numbers."""

import math
from pathlib import Path
from typing import Literal

from finetune.base import how_quantised

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

        return sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)
    from safetensors import safe_open

    total = 0
    for file in path.glob("*.safetensors"):
        with safe_open(file, "pt") as weights:
            total += sum(math.prod(weights.get_slice(name).get_shape()) for name in weights.keys())  # noqa: SIM118
    return total
