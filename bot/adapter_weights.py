"""An adapter's weights put on a loaded model, beside those that are there already."""

import math
import warnings
from pathlib import Path
from typing import Any

from data.errors import AdapterRefused
from finetune.lora_weights import WEIGHTS, read_settings, read_weights


def put_on(model: Any, folder: Path, name: str) -> Any:
    """`model` (a transformers or peft model) with the LoRA of `folder` under `name`, as a peft.PeftModel.

    Of adapter_config.json nothing is read but the shape, so that it leads to no other file, model or code.
    Raises AdapterRefused, `model` being as it was, where shape and weights don't fit together or the model.
    """
    from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict

    if not (folder / WEIGHTS).is_file():
        raise AdapterRefused(f"{folder} holds no {WEIGHTS}: adapters are read as safetensors only, never as pickles.")
    _, lora = read_settings(folder)
    shape = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=list(lora.targets),
        use_rslora=lora.rslora,
        lora_dropout=0.0,
        task_type="CAUSAL_LM",
        inference_mode=True,
    )
    base = model.get_base_model() if isinstance(model, PeftModel) else model
    wanted = _expected(base, shape)
    weights = read_weights(folder, sum(map(math.prod, wanted.values())))
    odd = {key: size for key, size in wanted.items() if key not in weights or weights[key].shape != size}
    if odd or not wanted or len(weights) > len(wanted):
        first = next(iter([*odd, *(key for key in weights if key not in wanted)]), "none")
        raise AdapterRefused(f"{folder}: its weights aren't those of a plain LoRA on this model ({first}).")
    with warnings.catch_warnings(action="ignore"):  # for who programs with peft
        if isinstance(model, PeftModel):
            model.add_adapter(name, shape)
        else:
            model = get_peft_model(model, shape, adapter_name=name)
        set_peft_model_state_dict(model, weights, adapter_name=name)
    return model


def _expected(base: Any, shape: Any) -> dict[str, tuple[int, int]]:
    """The names and sizes that a LoRA of that shape has in its file."""
    sizes: dict[str, tuple[int, int]] = {}
    for name, module in base.named_modules():
        if any(name == target or name.endswith(f".{target}") for target in shape.target_modules):
            if hasattr(module, "in_features"):
                width, height = module.in_features, module.out_features
            else:  # GPT-2's Conv1D
                width, height = module.weight.shape
            sizes[f"base_model.model.{name}.lora_A.weight"] = (shape.r, width)
            sizes[f"base_model.model.{name}.lora_B.weight"] = (height, shape.r)
    return sizes
