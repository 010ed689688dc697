"""The model an adapter is trained on or put on: found or downloaded, loaded in NF4 or whole, given LoRA.

Weights are safetensors or GGUF; nothing in a model's folder is ever run.
"""

import hashlib
import json
import warnings
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from logging import getLogger
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

from data.errors import BadInput, NotFound
from data.json_file import read_object
from finetune.base_files import check_config, check_folder, check_gguf, check_whole, count_numbers
from finetune.processes import best_device, sharded

if TYPE_CHECKING:
    from finetune.recipe import Lora
    from finetune.tokens import TextTokens

# Weights as safetensors, and what describes them. No pickles and no code.
_WANTED = (
    "*.safetensors", "*.safetensors.index.json", "*config.json", "tokenizer*", "vocab.json", "merges.txt", "*.jinja",
)  # fmt: skip
_UNWANTED = ("consolidated*", "*/*", "*.py", "*.bin")  # "consolidated" is the same weights again in Mistral's layout
# The packages that transformers 5.23 needs to read weights quantised by each method.
_UNPACKED_BY = {"bitsandbytes": ("bitsandbytes",), "gptq": ("gptqmodel", "optimum"), "awq": ("gptqmodel",)}
_SAMPLE = 1 << 12  # bytes read at each place for the base's fingerprint
_PLACES = 512  # of a GGUF file
_GIVE = "give the model's folder with --model (to train or export: --base)"
_HEADER = 100 << 20  # bytes that a safetensors header may have


@dataclass(frozen=True)
class Base:
    """A loaded base model, and what an adapter's card says of it."""

    model: Any  # transformers.PreTrainedModel
    tokens: "TextTokens"
    name: str  # the folder or hub name it was asked for by
    revision: str | None  # commit of the hub, None for a folder
    sha256: str  # of its config and samples of its weights: see `fingerprint`
    path: Path  # the folder, or the GGUF file


def find_base(name: str, revision: str | None = None) -> Path:
    """The folder of a base model: `name` itself, or the hub's copy, downloaded unless HF_HUB_OFFLINE is set.

    For a name that ends in .gguf, that file. Raises NotFound, saying what to download and where to put it, and BadInput
    where its weights aren't safetensors.
    """
    folder = Path(name).expanduser()
    if folder.suffix == ".gguf":
        if not folder.is_file():
            raise NotFound(
                f"There is no file {name}: run `hf download OWNER/MODEL-GGUF {folder.name} --local-dir "
                f"{folder.parent}` where there is a network."
            )
        return folder
    if folder.is_file():
        raise BadInput(f"{name} is a file, and no GGUF: {_GIVE}.")
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
    check_folder(folder)
    check_config(folder / "config.json", _config(folder))
    return folder


def load_base(
    name: str,
    revision: str | None = None,
    quantisation: Literal["nf4", "none"] = "nf4",
    device: str | None = None,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
) -> Base:
    """Load a base model for training or for an adapter to be put on.

    With "nf4" its linear layers are held in 4 bits, the scales quantised too (QLoRA, arXiv:2305.14314); embeddings,
    head and norms are of `dtype`, as the whole model is otherwise; "auto" is the type its file has. `device`: "cuda",
    "mps", "cpu", or None for CUDA where there is one. Raises NotFound or BadInput.
    """
    import torch
    from tqdm.auto import tqdm
    from transformers import (
        AutoConfig,
        AutoModelForCausalLM,
        BitsAndBytesConfig,
        GgufConfig,
        modeling_gguf_pytorch_utils,
    )
    from transformers.utils import logging

    from finetune.tokens import folder_tokens, gguf_tokens

    path = find_base(name, revision)
    quantised = how_quantised(path)
    gguf = quantised == "gguf"
    if quantisation == "nf4" and quantised:
        raise BadInput(f"{name} is quantised already: name the original weights, or set `quantisation: none`.")
    device = device or ("cpu" if sharded() else best_device())  # FSDP takes it from there, layer by layer
    dtype = "bfloat16" if sharded() else dtype  # with the 4-bit weights: it shards what is of one type
    nf4 = BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16 if device.startswith("cuda") or sharded() else torch.float32,
        bnb_4bit_quant_storage=torch.bfloat16 if sharded() else torch.uint8,
    )
    whole = GgufConfig(dequantize=True) if gguf else None  # packed, it would take kernels from the hub
    if gguf:
        # It doesn't ask transformers' own switch for progress bars.
        modeling_gguf_pytorch_utils.tqdm = partial(tqdm, disable=True)  # type: ignore[attr-defined]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    getLogger("bitsandbytes").setLevel("ERROR")  # on some CPUs it misses an optional kernel from the hub, aloud

    def load(attention: str) -> Any:
        with TemporaryDirectory() as empty:  # a GGUF file holds all there is to read: what lies beside it is not its
            return AutoModelForCausalLM.from_pretrained(
                empty if gguf else path,
                gguf_file=str(path.absolute()) if gguf else None,
                dtype=dtype,
                quantization_config=nf4 if quantisation == "nf4" else whole,
                device_map={"": device},
                attn_implementation=attention,  # said, so that no config can have a kernel fetched
                trust_remote_code=False,
                use_safetensors=True,
                local_files_only=True,
            )

    try:
        if not quantised:
            config = AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
            check_whole(path, config, count_numbers(path))
        try:
            model = load("sdpa")
        except ValueError as error:
            if "scaled_dot_product_attention" not in str(error):
                raise
            model = load("eager")  # Gemma 2 and others have no other
    except BadInput:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise BadInput(f"{name} doesn't fit into the memory of {device}: take a smaller model, or NF4.") from error
    except Exception as error:  # a file cut short, an unknown architecture: the libraries raise what they happen on
        reason = str(error).strip().partition("\n")[0]
        raise BadInput(f"Can't load the model in {path}: download it again, whole. ({reason})") from error
    window = getattr(model.config, "max_position_embeddings", 1)
    if not isinstance(window, int) or window < 1:
        raise BadInput(
            f"{path} says max_position_embeddings: {str(window)[:20]}, which no model has: download it again."
        )
    _keep_trainable(model)
    if device == "cpu" and not sharded():
        _widen_head(model)
    tokens = gguf_tokens(path) if gguf else folder_tokens(path)
    commit = path.name if not Path(name).expanduser().exists() else None  # the hub's cache names folders by commit
    return Base(model, tokens, name, commit, fingerprint(path), path)


def _widen_head(model: Any) -> None:
    """Let the head of `model` compute in float32, its weights as they are.

    A CPU without bfloat16 instructions multiplies half-precision numbers one by one: of a step of training a small
    model the head alone took nine tenths of the time (AVX2, torch 2.13).
    """
    import torch
    from torch.nn.functional import linear

    class Widened(torch.nn.Linear):
        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return linear(hidden.float(), self.weight.float(), None if self.bias is None else self.bias.float())

    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or head.weight.dtype not in (torch.bfloat16, torch.float16):
        return
    wide = Widened(head.in_features, head.out_features, head.bias is not None, device="meta")
    wide.weight, wide.bias = head.weight, head.bias  # tied to the embeddings, where they were
    model.set_output_embeddings(wide)


def how_quantised(path: Path) -> str:
    """How the weights of a model folder or file are quantised already: "gguf", "gptq", "awq", "bitsandbytes" or "".

    Raises BadInput for another way, and where the package that unpacks them is missing.
    """
    if path.suffix == ".gguf":
        if not find_spec("gguf"):
            raise BadInput(f"reading {path.name} takes the package gguf: run `pip install 'shawgpt[gguf]'`")
        check_gguf(path)
        return "gguf"
    settings = _config(path).get("quantization_config")
    if not settings:
        return ""
    method = str(settings.get("quant_method", "bitsandbytes")) if isinstance(settings, dict) else str(settings)[:40]
    if method not in _UNPACKED_BY:
        known = ", ".join(_UNPACKED_BY)
        raise BadInput(f"{path} is quantised by {method!r}, which isn't read: take the original weights ({known} are)")
    if missing := [package for package in _UNPACKED_BY[method] if not find_spec(package)]:
        raise BadInput(
            f"{path} is quantised by {method}, which takes {' and '.join(missing)}: run `pip install "
            f"'shawgpt[{method}]'` on a computer with CUDA, or take the original weights or a GGUF file"
        )
    return method


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


def fingerprint(base: Path) -> str:
    """SHA-256 over a model folder's config.json and samples of its weights: the middle of every tensor; of a GGUF file,
    places all over it.

    Enough to tell models apart, one with an adapter merged into any of its layers too, without reading 14 GB; not proof
    that nobody changed a byte.
    """
    digest = hashlib.sha256(json.dumps(_config(base), sort_keys=True).encode() if base.is_dir() else b"")
    for path in sorted(base.glob("*.safetensors")) if base.is_dir() else [base]:
        size = path.stat().st_size
        digest.update(f"{path.name} {size}".encode())
        with path.open("rb") as file:
            for offset in _tensor_middles(path) if base.is_dir() else range(0, size, max(1, size // _PLACES)):
                file.seek(max(0, offset - _SAMPLE // 2))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _tensor_middles(path: Path) -> list[int]:
    """Where the middle of each tensor lies in a safetensors file, by its header. Raises BadInput for another file."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if length > min(_HEADER, path.stat().st_size):
                raise ValueError("its header is longer than the file")
            header = json.loads(file.read(length))
        spans = [tensor["data_offsets"] for name, tensor in sorted(header.items()) if name != "__metadata__"]
        if not all(0 <= start <= end <= path.stat().st_size for start, end in spans):
            raise ValueError("a tensor lies outside of the file")
        return [8 + length + (start + end) // 2 for start, end in spans]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadInput(f"{path} is no whole safetensors file: download it again.") from error


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
        raise NotFound(f"No model folder {name!r}: {_GIVE}, or a hub name such as owner/model.") from error
    except (OSError, ValueError, HfHubHTTPError) as error:  # offline, unknown, or behind a licence to accept
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        version = f" --revision {revision}" if revision else ""
        raise NotFound(
            f"The model {name} is neither a folder nor on this computer: run `hf download {name}{version} --include "
            f"'*.safetensors' '*.json' '*.jinja' '*.txt' 'tokenizer*' --exclude 'consolidated*' --local-dir "
            f"models/{name}` where there is a network, and {_GIVE}. ({reason})"
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
        return read_object(folder / "config.json")
    except ValueError as error:
        raise BadInput(f"{folder / 'config.json'} describes no model ({error}): download it again.") from error
