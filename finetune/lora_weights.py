"""An adapter's LoRA matrices, read for export: what PEFT wrote, checked to be no more than that."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.errors import AdapterRefused, BadInput

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # as PEFT names them
_KEY = re.compile(r"base_model\.model\.(.+)\.lora_([AB])\.weight")

# What PEFT can do beside plain LoRA. Our training does none of it, and merging or converting it as LoRA would be wrong.
_BEYOND_LORA = (
    "alora_invocation_tokens", "alpha_pattern", "layer_replication", "lora_bias", "modules_to_save", "rank_pattern",
    "target_parameters", "trainable_token_indices", "use_bdlora", "use_dora", "use_qalora",
)  # fmt: skip


@dataclass(frozen=True)
class LoraWeights:
    """LoRA: each linear layer of `pairs` computes Wx + scale · B(Ax)."""

    rank: int
    alpha: float
    rslora: bool
    pairs: dict[str, tuple[Any, Any]]  # layer -> A (rank, inputs) and B (outputs, rank), float32 tensors
    settings: dict[str, Any]  # adapter_config.json

    @property
    def scale(self) -> float:
        """alpha/rank, or alpha/√rank for rsLoRA (arXiv:2312.03732)."""
        return self.alpha / (math.sqrt(self.rank) if self.rslora else self.rank)


def read_lora(adapter: Path) -> LoraWeights:
    """The matrices in an adapter's folder.

    Raises BadInput where it holds none, or more than plain LoRA; AdapterRefused where it can't be read.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not (adapter / WEIGHTS).is_file():
        raise BadInput(f"{adapter} holds no LoRA: a model whose every weight was trained is whole as it is.")
    try:
        settings: dict[str, Any] = json.loads((adapter / SETTINGS).read_text(encoding="utf-8"))
        tensors = load_file(adapter / WEIGHTS)
        rank, alpha, rslora = int(settings["r"]), float(settings["lora_alpha"]), bool(settings["use_rslora"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise AdapterRefused(f"{adapter} can't be read ({error}): train it again.") from error
    beyond = [name for name in _BEYOND_LORA if settings.get(name)]
    if settings.get("peft_type") != "LORA" or settings.get("bias") != "none" or beyond:
        odd = ", ".join(beyond) or "its kind or bias"
        raise BadInput(f"{adapter} is more than plain LoRA ({odd}): it can't be exported.")
    halves: dict[str, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        found = _KEY.fullmatch(key)
        if not found:
            raise BadInput(f"{adapter} holds {key}, which is no LoRA of a linear layer: it can't be exported.")
        halves.setdefault(found[1], {})[found[2]] = tensor.float()
    for layer, half in halves.items():
        if set(half) != {"A", "B"} or not half["A"].shape[0] == half["B"].shape[1] == rank:
            raise BadInput(f"{adapter}: the matrices of {layer} don't make a pair of rank {rank}.")
    pairs = {layer: (half["A"], half["B"]) for layer, half in sorted(halves.items())}
    return LoraWeights(rank, alpha, rslora, pairs, settings)
