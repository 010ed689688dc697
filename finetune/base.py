"""The model an adapter is trained on: found or downloaded as safetensors, loaded in NF4 or as it is, given LoRA."""

import hashlib
import json
import warnings
from dataclasses import dataclass
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from data.errors import BadInput, NotFound

if TYPE_CHECKING:
    from finetune.recipe import Lora
    from finetune.tokens import TextTokens

# Weights as safetensors, and what describes them. No pickles and no code: nothing in a model's folder is ever run.
_WANTED = ("*.safetensors", "*.safetensors.index.json", "*config.json", "tokenizer*", "vocab.json", "merges.txt")
_UNWANTED = ("consolidated*", "*/*", "*.py", "*.bin")  # "consolidated" is the same weights again in Mistral's layout
_SAMPLE = 1 << 20  # bytes read of each weights file for the base's fingerprint


@dataclass(frozen=True)
class Base:
    """A loaded base model, and what an adapter's card says of it."""

    model: Any  # transformers.PreTrainedModel
    tokens: "TextTokens"
    name: str  # the folder or hub name it was asked for by
    revision: str | None  # commit of the hub, None for a folder
    sha256: str  # of its config and samples of its weights: see `fingerprint`


def find_base(name: str, revision: str | None = None) -> Path:
    """The folder of a base model: `name` itself, or the hub's copy, downloaded unless HF_HUB_OFFLINE is set.

    Raises NotFound, saying what to download and where to put it, and BadInput where its weights aren't safetensors.
    """
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _from_hub(name, revision)
    if not (folder / "config.json").is_file():
        raise NotFound(f"{folder} holds no model: config.json is missing. Download all of the model's files into it.")
    if (folder / "adapter_config.json").is_file():  # transformers would follow it to whatever model it names
        raise BadInput(f"{folder} holds an adapter: name the model it was trained on.")
    if not any(folder.glob("*.safetensors")):
        raise BadInput(
            f"{folder} holds no *.safetensors file: download the model's safetensors (pickled weights, .bin or .pt, "
            "can run code when opened, and are not loaded)."
        )
    return folder


def load_base(
    name: str, revision: str | None = None, quantisation: Literal["nf4", "none"] = "nf4", device: str | None = None
) -> Base:
    """Load a base model for training or for an adapter to be put on.

    With "nf4" its linear layers are held in 4 bits, the scales quantised too (QLoRA, arXiv:2305.14314); embeddings,
    head and norms stay in the type their file has. `device`: "cuda", "cpu", or None for the best there is.
    Raises NotFound or BadInput.
    """
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig
    from transformers.utils import logging

    from finetune.tokens import folder_tokens

    folder = find_base(name, revision)
    config = _config(folder)
    if quantisation == "nf4" and "quantization_config" in config:
        raise BadInput(f"{name} is quantised already: name the original weights, or set `quantisation: none`.")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    nf4 = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if device == "cuda" else torch.float32,
    )
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    getLogger("bitsandbytes").setLevel("ERROR")  # on some CPUs it misses an optional kernel from the hub, aloud
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype="auto",
            quantization_config=nf4 if quantisation == "nf4" else None,
            device_map={"": device},
            attn_implementation="sdpa",
            trust_remote_code=False,
            use_safetensors=True,
            local_files_only=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError) as error:  # a file cut short, an unknown architecture
        reason = str(error).strip().partition("\n")[0]
        raise BadInput(f"Can't load the model in {folder}: download it again, whole. ({reason})") from error
    _keep_trainable(model)
    commit = folder.name if not Path(name).expanduser().is_dir() else None  # the hub's cache names folders by commit
    return Base(model, folder_tokens(folder), name, commit, fingerprint(folder))


def add_lora(model: Any, lora: "Lora") -> Any:
    """`model` with LoRA weights in float32 beside its linear layers, the only ones that learn (a peft.PeftModel).

    Not through peft's `prepare_model_for_kbit_training`: that turns embeddings, head and norms into float32, half a
    gigabyte on Mistral-7B.
    """
    from peft import LoraConfig, get_peft_model

    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    settings = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets,
        use_rslora=lora.rslora,
        bias="none",
        task_type="CAUSAL_LM",
    )
    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # peft asks transformers by an old name
            return get_peft_model(model, settings)
    except ValueError as error:
        raise BadInput(f"The recipe's `lora: targets` don't fit the model: {str(error).partition('.')[0]}.") from error


def fingerprint(folder: Path) -> str:
    """SHA-256 over a model folder's config.json and, of each weights file, its size, first and middle MiB.

    Enough to tell models apart without reading 14 GB; not proof that nobody changed a byte.
    """
    digest = hashlib.sha256(json.dumps(_config(folder), sort_keys=True).encode())
    for path in sorted(folder.glob("*.safetensors")):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for offset in (0, size // 2):
                file.seek(offset)
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        return Path(
            snapshot_download(name, revision=revision, allow_patterns=list(_WANTED), ignore_patterns=list(_UNWANTED))
        )
    except HFValidationError as error:
        raise NotFound(f"No model folder {name!r}: give a folder, or a hub name such as owner/model.") from error
    except (OSError, ValueError, HfHubHTTPError) as error:  # offline, unknown, or behind a licence to accept
        reason = str(error).strip().partition("\n")[0]
        version = f" --revision {revision}" if revision else ""
        raise NotFound(
            f"The model {name} is neither a folder nor on this computer: run `hf download {name}{version} --include "
            f"'*.safetensors' '*.json' 'tokenizer*' --exclude 'consolidated*' --local-dir models/{name}` where there "
            f"is a network, and give that folder as the base. ({reason})"
        ) from error


def _keep_trainable(model: Any) -> None:
    """Keep bitsandbytes from repacking NF4 weights at the first evaluation, as it does on CPUs with AVX512-BF16.

    The packed layout is coarser, stays, and has no gradient: whatever is trained after a measure of the held-out
    replies would learn through the last layers only, and a run that went on would differ from one undisturbed.
    """
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def _config(folder: Path) -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise BadInput(f"{folder / 'config.json'} is not JSON: download it again.") from error
    return config
