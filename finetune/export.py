"""`shawgpt export`: an adapter in the forms that other programs serve.

| to        | what is written                                                           | for                    |
| --------- | ------------------------------------------------------------------------- | ---------------------- |
| merged    | a model of its own, the adapter in the base's weights, measured           | vLLM, llama.cpp, any   |
| lora      | the adapter in PEFT's form, bfloat16                                      | vLLM, over the base    |
| gguf-lora | the adapter in llama.cpp's form                                           | llama.cpp, over a GGUF |

Each is a folder that is written under a hidden name and takes its own when all of it is there, with the adapter's card
but without what it was trained on.
"""

import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from data.errors import BadInput, NotFound
from finetune.agreement import Agreement, measure
from finetune.base import find_base, fingerprint
from finetune.card import Card, check_card, hash_files, read_card, write_card
from finetune.gguf_lora import write_gguf
from finetune.lora_weights import SETTINGS, WEIGHTS, read_lora
from finetune.merge import merge, model_config, weight_files
from finetune.whole_folder import whole_folder

Form = Literal["merged", "lora", "gguf-lora"]
FORMS: tuple[Form, ...] = ("merged", "lora", "gguf-lora")
Progress = Callable[[str, int, int], None]  # what is being done, how much of it is, and of how much

_VLLM_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # of its --max-lora-rank (vllm/config/lora.py, MaxLoRARanks)


@dataclass(frozen=True)
class Exported:
    """What an export wrote."""

    folder: Path
    form: Form
    files: tuple[tuple[str, int], ...]  # name and bytes
    agreement: Agreement | None  # of "merged"
    commands: tuple[tuple[str, str], ...]  # program, and how it is started with this

    def as_json(self) -> dict[str, Any]:
        """The form that `export --json` prints."""
        return {
            "folder": str(self.folder),
            "form": self.form,
            "files": [{"name": name, "bytes": size} for name, size in self.files],
            "agreement": vars(self.agreement) if self.agreement else None,
            "commands": dict(self.commands),
        }


def export(
    adapter: Path, form: Form, out: Path | None = None, base: str | None = None, progress: Progress | None = None
) -> Exported:
    """Export `adapter` to the folder `out`, or to <its name>-<form> in the current one.

    `base`: the folder of its base, where it isn't found as its card names it. Raises ShawGPTError.
    """
    out = out or Path(f"{read_card(adapter).name}-{form}")
    if form == "merged":
        return export_merged(adapter, out, base, progress)
    if form == "lora":
        return export_lora(adapter, out)
    return export_gguf_lora(adapter, out, base)


def export_merged(adapter: Path, out: Path, base: str | None = None, progress: Progress | None = None) -> Exported:
    """Merge `adapter` into its base's original weights, and measure that the result says the same.

    Raises BadInput for a base that is quantised, AdapterRefused where the merged model says too often something else
    (then nothing is written).
    """
    tell = progress or (lambda doing, done, of: None)
    folder, card = _base(adapter, base)
    if "quantization_config" in model_config(folder):
        raise BadInput(f"{folder} is quantised: only original weights are merged with. Export it with --to lora.")
    lora = read_lora(adapter)
    size = sum((folder / file).stat().st_size for file in set(weight_files(folder).values()))
    with whole_folder(out, size) as part:
        merge(folder, lora, part, lambda done, of: tell("merging layers", done, of))
        agreement = measure(part, folder, adapter, card, lambda done, of: tell("measuring", done, of))
        _write_card(card, part)
    path, gguf = shlex.quote(str(out)), shlex.quote(f"{out}.gguf")
    persona = f" --persona {shlex.quote(card.recipe['persona'])}" if card.recipe["format"] == "replies" else ""
    return _exported(
        out, "merged", agreement,
        ("shawgpt", f"shawgpt serve --model {path}{persona} --adapter ''"),
        ("vLLM", f"vllm serve {path} --served-model-name {card.name}"),
        ("llama.cpp", f"python convert_hf_to_gguf.py {path} --outfile {gguf} && llama-server -m {gguf}"),
    )  # fmt: skip


def export_lora(adapter: Path, out: Path) -> Exported:
    """Write `adapter` as vLLM's --lora-modules takes it. Raises BadInput for what vLLM would refuse."""
    from safetensors.torch import save_file

    card = check_card(adapter, read_card(adapter).base_sha256)
    lora = read_lora(adapter)
    if lora.settings.get("fan_in_fan_out"):  # GPT-2's Conv1D
        raise BadInput("vLLM serves no LoRA over GPT-2: export it with --to merged.")
    rank = next((rank for rank in _VLLM_RANKS if rank >= lora.rank), None)
    if rank is None:
        raise BadInput(f"vLLM serves LoRA of at most rank {_VLLM_RANKS[-1]}: export it with --to merged.")
    with whole_folder(out) as part:
        settings = {**lora.settings, "base_model_name_or_path": _base_name(card), "revision": card.base_revision}
        (part / SETTINGS).write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
        tensors = {}
        for layer, (a, b) in lora.pairs.items():
            tensors[f"base_model.model.{layer}.lora_A.weight"] = a.bfloat16().contiguous()
            tensors[f"base_model.model.{layer}.lora_B.weight"] = b.bfloat16().contiguous()
        save_file(tensors, part / WEIGHTS, metadata={"format": "pt"})
        _write_card(card, part)
    revision = f" --revision {card.base_revision}" if card.base_revision else ""
    module = shlex.quote(f"{card.name}={out}")
    return _exported(
        out, "lora", None,
        ("vLLM", f"vllm serve {shlex.quote(card.base)}{revision} --enable-lora --max-lora-rank {rank} "
                 f"--lora-modules {module}"),
    )  # fmt: skip


def export_gguf_lora(adapter: Path, out: Path, base: str | None = None) -> Exported:
    """Write `adapter` as llama.cpp's --lora takes it. Raises BadInput where that can't be done."""
    folder, card = _base(adapter, base)
    lora = read_lora(adapter)
    file = f"{card.name}-lora.gguf"
    with whole_folder(out) as part:
        write_gguf(lora, model_config(folder), card.name, part / file)
        _write_card(card, part)
    path, gguf = shlex.quote(str(folder)), shlex.quote(f"{Path(_base_name(card)).name}.gguf")
    return _exported(
        out, "gguf-lora", None,
        ("llama.cpp", f"python convert_hf_to_gguf.py {path} --outfile {gguf} && "
                      f"llama-server -m {gguf} --lora {shlex.quote(str(out / file))}"),
    )  # fmt: skip


def _base(adapter: Path, base: str | None) -> tuple[Path, Card]:
    """The folder of an adapter's base, and its card, when both are as they were trained."""
    card = read_card(adapter)
    try:
        folder = find_base(base or card.base, None if base else card.base_revision)
    except NotFound as error:
        if base:
            raise
        raise NotFound(f"{error} Where the base lies elsewhere, name its folder with --base.") from error
    return folder, check_card(adapter, fingerprint(folder))


def _base_name(card: Card) -> str:
    """What the base is called elsewhere: its name on the hub, else its folder's, without the path on this machine."""
    return card.base if card.base_revision else Path(card.base).name


def _write_card(card: Card, folder: Path) -> None:
    """The card of what was exported: where it is from, without the paths of the machine that trained it."""
    recipe = {**card.recipe, "base": _base_name(card), "data": ""}
    public = {"base": _base_name(card), "recipe": recipe, "files": hash_files(folder)}
    write_card(folder, card.model_copy(update=public))


def _exported(out: Path, form: Form, agreement: Agreement | None, *commands: tuple[str, str]) -> Exported:
    files = tuple((path.name, path.stat().st_size) for path in sorted(out.iterdir()))
    return Exported(out, form, files, agreement, commands)
