"""What can be told of a recipe's base before it is loaded: whether training can load it, how long a text it reads."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from data.errors import BadInput, NotFound
from finetune.recipe import Recipe

_TRAINED = ("mistral", "llama", "gpt2")  # model types of which it is known without importing transformers


def check_unloaded(recipe: Recipe) -> None:
    """Raise NotFound or BadInput for a base that can't be trained, as far as its name or its small files tell."""
    from finetune.base import find_base, how_quantised

    path = Path(recipe.base).expanduser()
    if not path.exists() and path.suffix != ".gguf":
        _check_name(recipe)
        return
    quantised = how_quantised(find_base(recipe.base))
    if quantised and recipe.quantisation == "nf4":
        raise BadInput(f"{recipe.base} is quantised already: name the original weights, or set `quantisation: none`.")
    if path.is_dir():
        _check_type(path, base_config(recipe).get("model_type"))


def base_config(recipe: Recipe) -> dict[str, Any]:
    """The base's config.json, or the shipped one of the recipe's `architecture`; empty where neither is here.

    Raises BadInput for a file that is no JSON object.
    """
    own = Path(recipe.base).expanduser() / "config.json"
    if own.is_file():
        text, where = own.read_text(encoding="utf-8", errors="replace"), str(own)
    elif recipe.architecture:
        shipped = files("finetune") / "architectures" / f"{recipe.architecture}.json"
        text, where = shipped.read_text(encoding="utf-8"), recipe.architecture
    else:
        return {}
    try:
        config = json.loads(text)
    except ValueError as error:
        raise BadInput(f"{where} is not JSON: download it again.") from error
    if not isinstance(config, dict):
        raise BadInput(f"{where} is not a model's settings: download it again.")
    return config


def reads(config: dict[str, Any]) -> int:
    """The longest text, in tokens, that a model of this config.json reads; 0 where it doesn't say."""
    inner = config.get("text_config")
    for settings in (config, inner if isinstance(inner, dict) else {}):
        found = settings.get("max_position_embeddings", settings.get("n_positions"))
        if isinstance(found, int) and found > 0:
            return found
    return 0


def _check_name(recipe: Recipe) -> None:
    """Raise NotFound for what is neither a folder nor a name that the hub could have: a folder that was mistyped."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        cached = isinstance(try_to_load_from_cache(recipe.base, "config.json", revision=recipe.revision), str)
    except HFValidationError:
        cached = False
    else:
        if "/" in recipe.base:
            return
    if not cached:
        raise NotFound(f"There is no folder {recipe.base!r}: give the base's folder, or its hub name as OWNER/MODEL.")


def _check_type(folder: Path, kind: Any) -> None:
    """Raise BadInput for a kind of model that transformers has no code for: code in the folder is never run."""
    if kind in _TRAINED:
        return
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    if kind not in KNOWN:
        raise BadInput(
            f"{folder} is of the model type {kind!r}, which transformers has no text model of, and code in a model's "
            "folder is never run: take another base."
        )
