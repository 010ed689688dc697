"""A Mistral with random weights, made in memory, and what it is given: for benchmarks.gpu_qlora.

Memory and speed depend on shapes and lengths alone. What such a model writes is no text.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from itertools import cycle, islice
from pathlib import Path

import torch
from bitsandbytes.nn import Linear4bit, Params4bit
from transformers import AutoModelForCausalLM, MistralConfig
from transformers.utils import logging

from data.persona import load_persona
from finetune.base import Base, _keep_trainable
from finetune.examples import read_examples
from finetune.tokens import Encoded, encode_all, v1_tokens

MISTRAL = json.loads((files("finetune") / "architectures" / "mistral-7b-instruct-v0.2.json").read_text())
# With what the file leaves out, as mistralai/Mistral-7B-Instruct-v0.2 has it; and what a processor trains in seconds.
LARGE = {**MISTRAL, "rope_theta": 1_000_000.0, "rms_norm_eps": 1e-5, "sliding_window": None}
SMALL = {
    **LARGE, "hidden_size": 64, "intermediate_size": 160, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 1024,
}  # fmt: skip
PROMPT = 300  # tokens before the first that is written


@dataclass(frozen=True)
class Setting:
    """What a part is run with."""

    examples: Sequence[Encoded]
    device: str
    quick: bool
    folder: Path  # for what one part leaves to another

    @property
    def config(self) -> MistralConfig:
        """The model's shape: Mistral-7B's on a GPU, a small one elsewhere."""
        return MistralConfig(**(LARGE if self.device == "cuda" else SMALL))

    @property
    def written(self) -> int:
        """Tokens of a reply."""
        return 65 if self.device == "cuda" else 9


def pairs(data: Path) -> list[Encoded]:
    """The comments and replies of a CSV as the shipped persona's training sees them."""
    found, _ = read_examples(data, "replies", load_persona("shawgpt"))
    return encode_all(found, v1_tokens(), 1024)[0]


def random_base(setting: Setting, nf4: bool) -> Base:
    """The same base each time, in bfloat16 on the device; with `nf4` its layers' matrices as finetune.base has them."""
    torch.manual_seed(0)
    logging.set_verbosity_error()
    with torch.device(setting.device):
        model = AutoModelForCausalLM.from_config(setting.config, dtype=torch.bfloat16, attn_implementation="sdpa")
    if nf4:
        for module in list(model.model.layers.modules()):
            for name, linear in list(module.named_children()):
                if type(linear) is torch.nn.Linear:
                    setattr(module, name, _in_nf4(linear, setting.device))
        model.is_loaded_in_4bit = True  # peft asks
        _keep_trainable(model)
    if setting.device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return Base(model, v1_tokens(), "random", None, "0" * 64, Path())


def prompts_of(setting: Setting, size: int) -> list[list[int]]:
    """So many prompts of PROMPT tokens."""
    examples = islice(cycle(setting.examples), size)
    return [list(of_length(example, PROMPT, False).ids) for example in examples]


def of_length(example: Encoded, length: int, all_learned: bool) -> Encoded:
    """`example` with so many tokens: its prompt's repeated, or left out from the beginning."""
    start = example.learned.index(True)
    filled = length - 1 - (len(example.ids) - start)
    between = list(islice(cycle(example.ids[1:start]), filled))
    ids = (example.ids[0], *between, *example.ids[start:])
    learned = (False, *(all_learned for _ in between), *example.learned[start:])
    return replace(example, ids=ids, learned=learned)


def _in_nf4(linear: torch.nn.Linear, device: str) -> Linear4bit:
    """`linear` in NF4, its scales quantised too."""
    compute = torch.bfloat16 if device == "cuda" else torch.float32
    made = Linear4bit(
        linear.in_features, linear.out_features, bias=False, compute_dtype=compute, quant_type="nf4", device="meta"
    )
    made.weight = Params4bit(
        linear.weight.data, requires_grad=False, quant_type="nf4", compress_statistics=True, module=made
    ).to(device)
    return made
