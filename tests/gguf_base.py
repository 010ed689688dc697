"""A small Mistral's or GPT-2's folder as the GGUF file that llama.cpp runs, in float32."""

import json
from pathlib import Path
from typing import Any

from finetune.gguf_lora import ARCHITECTURES, _interleaved


def write_base(folder: Path, path: Path) -> Path:
    """Write the model in `folder` as `path`. A Mistral gets its SentencePiece vocabulary, a GPT-2 none: ids alone."""
    import gguf
    from safetensors.torch import load_file

    config: dict[str, Any] = json.loads((folder / "config.json").read_text())
    architecture = ARCHITECTURES[config["model_type"]]
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    if architecture == "llama":
        blocks = config["num_hidden_layers"]
        size = config["hidden_size"] // config["num_attention_heads"]
        rope: dict[str, Any] = config.get("rope_parameters") or config
        writer.add_context_length(config["max_position_embeddings"])
        writer.add_embedding_length(config["hidden_size"])
        writer.add_feed_forward_length(config["intermediate_size"])
        writer.add_head_count(config["num_attention_heads"])
        writer.add_head_count_kv(config["num_key_value_heads"])
        writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
        writer.add_rope_dimension_count(size)
        writer.add_rope_freq_base(rope["rope_theta"])
        _sentencepiece(writer, folder / "tokenizer.model")
    else:
        blocks = config["n_layer"]
        writer.add_context_length(config["n_positions"])
        writer.add_embedding_length(config["n_embd"])
        writer.add_feed_forward_length(4 * config["n_embd"])
        writer.add_head_count(config["n_head"])
        writer.add_layer_norm_eps(config["layer_norm_epsilon"])
        writer.add_tokenizer_model("no_vocab")
    writer.add_block_count(blocks)
    writer.add_vocab_size(config["vocab_size"])
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], blocks)
    for name, tensor in load_file(folder / "model.safetensors").items():
        module, _, part = name.rpartition(".")
        tensor = tensor.float()
        if module.endswith(("q_proj", "k_proj")):
            heads = "num_attention_heads" if module.endswith("q_proj") else "num_key_value_heads"
            tensor = _interleaved(tensor, config[heads])
        elif module.endswith(("c_attn", "c_proj", "c_fc")) and part == "weight":
            tensor = tensor.T
        writer.add_tensor(f"{names.get_name(module)}.{part}", tensor.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _sentencepiece(writer: Any, path: Path) -> None:
    from gguf import TokenType
    from sentencepiece import SentencePieceProcessor

    model = SentencePieceProcessor(model_file=str(path))
    ids = range(model.vocab_size())
    kinds = [
        TokenType.UNKNOWN if model.is_unknown(id) else TokenType.CONTROL if model.is_control(id)
        else TokenType.BYTE if model.is_byte(id) else TokenType.NORMAL
        for id in ids
    ]  # fmt: skip
    writer.add_tokenizer_model("llama")
    writer.add_token_list([model.id_to_piece(id) for id in ids])
    writer.add_token_scores([model.get_score(id) for id in ids])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(model.bos_id())
    writer.add_eos_token_id(model.eos_id())
    writer.add_unk_token_id(model.unk_id())
