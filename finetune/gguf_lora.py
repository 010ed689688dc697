"""An adapter as llama.cpp reads it: a GGUF file of LoRA matrices, with llama.cpp's names and order of rows."""

from pathlib import Path
from typing import Any

from data.errors import BadInput
from finetune.lora_weights import LoraWeights

# transformers' name of an architecture -> llama.cpp's. A Mistral is a Llama there.
ARCHITECTURES = {"mistral": "llama", "llama": "llama", "gpt2": "gpt2"}


def write_gguf(lora: LoraWeights, config: dict[str, Any], name: str, path: Path) -> None:
    """Write `lora`, trained over a model with that config.json, as `path`; `name` is shown when it is loaded.

    The matrices are float32, as trained. Raises BadInput for another architecture, for a layer that llama.cpp puts no
    LoRA on, and where the package gguf is missing.
    """
    try:
        import gguf
    except ImportError as error:
        raise BadInput("--to gguf-lora needs the package gguf: run `pip install 'shawgpt[gguf]'`.") from error
    kind = config.get("model_type", "")
    if kind not in ARCHITECTURES:
        raise BadInput(f"No GGUF LoRA for a model of type {kind!r}: it is written for {', '.join(ARCHITECTURES)}.")
    architecture = gguf.MODEL_ARCH[ARCHITECTURES[kind].upper()]
    blocks = config["num_hidden_layers"] if architecture == gguf.MODEL_ARCH.LLAMA else config["n_layer"]
    names = gguf.get_tensor_name_map(architecture, blocks)
    writer = gguf.GGUFWriter(path, ARCHITECTURES[kind])
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, lora.scale * lora.rank)  # llama.cpp divides by the rank, always
    writer.add_name(name)
    for layer, (a, b) in lora.pairs.items():
        found = names.get_name(layer)
        if found is None or not found.startswith("blk."):
            raise BadInput(f"llama.cpp puts no LoRA on {layer} of every file: use --to merged, and convert that.")
        if architecture == gguf.MODEL_ARCH.LLAMA and found.endswith(("attn_q", "attn_k")):
            heads = config["num_attention_heads"]
            b = _interleaved(b, heads if found.endswith("attn_q") else config.get("num_key_value_heads") or heads)
        # Not transposed for GPT-2: its files have Conv1D's weights from the other side, but LoRA's two matrices lie the
        # same way for both, and llama.cpp's weights are as a linear layer's.
        writer.add_tensor(f"{found}.weight.lora_a", a.contiguous().numpy())
        writer.add_tensor(f"{found}.weight.lora_b", b.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _interleaved(b: Any, heads: int) -> Any:
    """The rows of B (heads · size, rank) in llama.cpp's order, which turns neighbours where transformers turns halves.

    Both rotate pairs of a head's rows by the position (RoPE): transformers row i with row i + size/2, llama.cpp row 2i
    with row 2i + 1.
    """
    return b.reshape(heads, 2, -1, b.shape[1]).transpose(1, 2).reshape(b.shape)
