"""An adapter's LoRA matrices, read for export and to be put on a model: what PEFT wrote, checked to be no more."""

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from data.errors import AdapterRefused, BadInput
from data.json_file import read_object
from finetune.recipe import Lora

SETTINGS, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"  # as PEFT names them
_TYPES = ("F32", "F16", "BF16")  # of LoRA weights
_PLENTY = 8 << 30  # numbers: rank 512 on every linear layer of a model of 70 billion
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
    if not (adapter / WEIGHTS).is_file():
        raise BadInput(f"{adapter} holds no LoRA: a model whose every weight was trained is whole as it is.")
    settings, lora = read_settings(adapter)
    tensors = read_weights(adapter, _PLENTY)
    rank = lora.rank
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
        if set(half) != {"A", "B"} or {matrix.ndim for matrix in half.values()} != {2}:
            raise BadInput(f"{adapter}: {layer} has not two matrices, A and B.")
        if not half["A"].shape[0] == half["B"].shape[1] == rank:
            raise BadInput(f"{adapter}: the matrices of {layer} don't make a pair of rank {rank}.")
    pairs = {layer: (half["A"], half["B"]) for layer, half in sorted(halves.items())}
    return LoraWeights(rank, lora.alpha, lora.rslora, pairs, settings)


def read_settings(adapter: Path) -> tuple[dict[str, Any], Lora]:
    """An adapter's adapter_config.json, and the LoRA it describes. Raises AdapterRefused where a recipe can't be so."""
    path = adapter / SETTINGS
    try:
        said = read_object(path)
        shape = {"rank": said["r"], "alpha": said["lora_alpha"], "rslora": said["use_rslora"]}
        return said, Lora(**shape, targets=said["target_modules"])
    except ValidationError as error:
        first = error.errors()[0]
        reason = f"{first['loc'][0]}: {first['msg']}"
    except (ValueError, KeyError) as error:
        reason = " ".join(str(error).split())[:200]
    raise AdapterRefused(f"{path} can't be read as an adapter's: train it again. ({reason})")


def read_weights(adapter: Path, most: int) -> dict[str, Any]:
    """The tensors in an adapter's weights file, all of 16 bits or more, together at most `most` numbers.

    Raises AdapterRefused for another file, before its numbers are read.
    """
    from safetensors import safe_open

    path = adapter / WEIGHTS
    try:
        with safe_open(path, framework="pt") as file:
            slices = {key: file.get_slice(key) for key in file.keys()}  # noqa: SIM118 (it is no dict)
            odd = next((key for key, each in slices.items() if each.get_dtype() not in _TYPES), None)
            if odd is not None:
                reason = f"{odd} is {slices[odd].get_dtype()}, and LoRA is trained in {_TYPES[0]}"
            elif (numbers := sum(math.prod(each.get_shape()) for each in slices.values())) > most:
                reason = f"{numbers:,} numbers, and a plain LoRA on the model has {most:,}"
            else:
                return {key: file.get_tensor(key) for key in slices}
    except Exception as error:  # safetensors' own, the system's, torch's for memory that isn't there
        reason = " ".join(str(error).split())[:200]
    raise AdapterRefused(f"{path} can't be read as an adapter's: train it again. ({reason})")
