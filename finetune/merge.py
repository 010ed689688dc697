"""An adapter merged into its base's own weights, a shard at a time, in the base's types and layout."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data.errors import BadInput
from data.json_file import read_object
from finetune.lora_weights import LoraWeights

_SINGLE, _INDEX = "model.safetensors", "model.safetensors.index.json"
# What describes a model, beside config.json and the weights. No code, and no pickles.
_DESCRIPTIONS = (
    _INDEX, "generation_config.json", "tokenizer.model", "tokenizer.json", "tokenizer_config.json",
    "special_tokens_map.json", "added_tokens.json", "vocab.json", "merges.txt", "chat_template.jinja",
)  # fmt: skip


def merge(base: Path, lora: LoraWeights, out: Path, progress: Callable[[int, int], None]) -> None:
    """Write the model `base` with `lora` in its weights into the folder `out`.

    A weight becomes W + scale · BA, computed in float32 and rounded to W's own type once. Memory: a shard of the base.
    `progress` hears how many layers of how many are done. Raises BadInput where a layer of `lora` finds no weight.
    """
    from safetensors import safe_open
    from safetensors.torch import save_file

    files = weight_files(base)
    layers = _layers(base, lora, files)
    done = 0
    for file in sorted(set(files.values())):
        tensors: dict[str, Any] = {}
        with safe_open(base / file, framework="pt") as shard:
            for name in shard.keys():  # noqa: SIM118 (it is no dict)
                tensors[name] = shard.get_tensor(name)
                if name in layers:
                    tensors[name] = _merged(name, tensors[name], lora, *layers[name])
                    done += 1
                    progress(done, len(layers))
            save_file(tensors, out / file, metadata=shard.metadata())
    config = model_config(base)
    config.pop("_name_or_path", None)  # a folder on the machine that wrote it
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for name in _DESCRIPTIONS:
        if (base / name).is_file():
            shutil.copyfile(base / name, out / name)


def weight_files(base: Path) -> dict[str, str]:
    """The name of each of a model's weights, and of the file it is in. Raises BadInput where a file is missing."""
    from safetensors import SafetensorError, safe_open

    if (base / _INDEX).is_file():
        try:
            files = {str(name): str(file) for name, file in read_object(base / _INDEX)["weight_map"].items()}
        except (ValueError, KeyError, AttributeError) as error:
            raise BadInput(f"{base / _INDEX} doesn't say where the weights are: download it again.") from error
    elif (base / _SINGLE).is_file():
        try:
            with safe_open(base / _SINGLE, framework="pt") as weights:
                files = dict.fromkeys(weights.keys(), _SINGLE)
        except (OSError, SafetensorError) as error:
            raise BadInput(f"{base / _SINGLE} is no whole safetensors file: download it again.") from error
    else:
        files = {"every weight": _INDEX}
    for file in set(files.values()):
        if Path(file).name != file or not (base / file).is_file():
            raise BadInput(f"{base} is not whole: {file} is missing. Download the model again.")
    return files


def model_config(base: Path) -> dict[str, Any]:
    """config.json of a model's folder. Raises BadInput."""
    try:
        return read_object(base / "config.json")
    except ValueError as error:
        raise BadInput(f"{base / 'config.json'} describes no model ({error}): download it again.") from error


def _layers(base: Path, lora: LoraWeights, files: dict[str, str]) -> dict[str, tuple[str, bool]]:
    """The weight of each layer of `lora` as the files name it -> the layer, and whether its weight lies transposed."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    config = AutoConfig.from_pretrained(base, trust_remote_code=False, local_files_only=True)
    with torch.device("meta"):  # its shape alone: no memory, no time
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)  # type: ignore[no-untyped-call]
    modules = dict(model.named_modules())
    head = next((name for name, each in modules.items() if each is model.get_output_embeddings()), None)
    found: dict[str, tuple[str, bool]] = {}
    for layer in lora.pairs:
        module = modules.get(layer)
        # GPT-2's file has "h.0.attn…" for the layer that the model calls "transformer.h.0.attn…".
        names = [f"{layer}.weight", f"{layer.removeprefix(model.base_model_prefix + '.')}.weight"]
        name = next((name for name in names if name in files), None)
        if layer == head and config.tie_word_embeddings:
            raise BadInput(
                f"The adapter changes {layer}, which is the base's embeddings too: merging would change both. Export "
                "it with --to lora."
            )
        if name is None or not isinstance(module, torch.nn.Linear | Conv1D):
            raise BadInput(f"The adapter has weights for {layer}, and {base} has no such linear layer: wrong base?")
        found[name] = (layer, isinstance(module, Conv1D))
    return found


def _merged(name: str, weight: Any, lora: LoraWeights, layer: str, transposed: bool) -> Any:
    a, b = lora.pairs[layer]
    change = lora.scale * (b @ a)
    if transposed:  # Conv1D multiplies from the other side
        change = change.T
    if change.shape != weight.shape or not weight.is_floating_point() or weight.element_size() < 2:
        raise BadInput(
            f"The adapter's weights for {layer} don't fit the base's {name} ({weight.dtype}, {tuple(weight.shape)})."
        )
    return (weight.float() + change).to(weight.dtype).contiguous()
