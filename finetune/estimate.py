"""What a training will take, by the architecture alone: parameters, peak memory, time. No weights, GPU or torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from data.errors import BadInput
from finetune.recipe import Lora, Recipe
from finetune.unloaded import base_config

# Bits a weight in NF4: 4, an 8-bit scale for every 64 weights, and a 32-bit scale for every 256 of those scales
# (double quantisation; QLoRA, arXiv:2305.14314, section 3).
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)
# Bytes a trained weight: itself and its gradient in float32, and AdamW's two moments; the 8-bit ones have a 32-bit
# scale for every 256 of them (arXiv:2110.02861; bitsandbytes' block size).
TRAINED_BYTES = 4
MOMENT_BYTES = {"adamw_torch": 2 * 4.0, "paged_adamw_8bit": 2 * (1 + 4 / 256)}
# Bytes a logit while the loss is taken: the model's in bf16, and in float32 the log-softmax, its input or gradient, and
# what is left of the sum (transformers' ForCausalLMLoss turns logits into float32).
LOGIT_BYTES = 2 + 4 + 4 + 2
# Dense bf16 peak in teraflop/s and memory in GB, from NVIDIA's data sheets. The L4 is left out: its 72 W don't hold the
# peak of its data sheet, by which it would be faster than an RTX 3090.
GPUS = {
    "RTX 3090": (71, 24),
    "RTX 4090": (165, 24),
    "A100 80 GB": (312, 80),
    "H100": (989, 80),
    "H200": (989, 141),
}
USED = (0.20, 0.45)  # share of that peak which training of this kind uses: small batches, weights unpacked on the way
CUDA_BYTES = 500_000_000  # what CUDA and its libraries take beside


@dataclass(frozen=True)
class Architecture:
    """A causal language model's shape."""

    model_type: str
    hidden: int
    layers: int
    vocabulary: int
    positions: int  # the longest text it was made for, in tokens
    tied: bool  # whether the head is the embedding again
    bytes: int  # of a weight in its file
    linears: Mapping[str, tuple[int, int]]  # of one layer: name, (in, out)
    other: int  # further parameters: biases, norms, learned positions
    kept: int  # bytes a token that one layer keeps for the backward pass, LoRA apart

    @property
    def linear_parameters(self) -> int:
        """Weights of all layers' matrices: what NF4 quantises."""
        return self.layers * sum(a * b for a, b in self.linears.values())

    @property
    def parameters(self) -> int:
        """All weights."""
        return self.linear_parameters + self.vocabulary * self.hidden * (1 if self.tied else 2) + self.other


@dataclass(frozen=True)
class Estimate:
    """What a training takes."""

    parameters: int  # of the base
    trained: int  # of those or of the adapter, the ones that learn
    memory: Mapping[str, int]  # bytes by what they are for, at the peak
    seconds: Mapping[str, tuple[float, float]]  # on a GPU: least and most
    fits: Mapping[str, bool]  # whether the peak goes into that GPU, with what CUDA takes

    @property
    def peak(self) -> int:
        """Bytes of GPU memory at the highest point, as torch counts them."""
        return sum(self.memory.values())


def find_architecture(recipe: Recipe) -> Architecture | None:
    """The shape of the recipe's base: its folder's config.json, else the shipped one the recipe names, else None.

    Raises BadInput for a config that can't be read, or of a kind that isn't known here.
    """
    config = base_config(recipe)
    if not config:
        return None
    try:
        return architecture(config)
    except KeyError as error:
        raise BadInput(f"no estimate: the config.json of {recipe.base} has no {error.args[0]}") from error
    except (ValueError, TypeError, ZeroDivisionError) as error:
        raise BadInput(f"no estimate: in the config.json of {recipe.base} a size is no number") from error


def architecture(config: Mapping[str, Any]) -> Architecture:
    """The shape that a model's config.json describes. Raises BadInput for kinds other than Mistral, Llama and GPT-2."""
    kind = config.get("model_type")
    if kind in ("mistral", "llama"):
        return _llama(str(kind), config)
    if kind == "gpt2":
        return _gpt2(config)
    raise BadInput(f"no estimate for models of type {kind!r}: the types known are mistral, llama and gpt2")


def trained_parameters(shape: Architecture, lora: Lora | None) -> int:
    """How many weights learn: of a LoRA, rank x (in + out) for each matrix (arXiv:2106.09685, section 4.2).

    Raises BadInput where a target isn't one of the model's matrices.
    """
    if lora is None:
        return shape.parameters
    return shape.layers * lora.rank * sum(a + b for a, b in _targets(shape, lora).values())


def estimate(shape: Architecture, recipe: Recipe, batch: int, learned: int, padded: int, measured: int) -> Estimate:
    """What training by `recipe` takes.

    `batch`: tokens of the largest batch, padding included; `learned`: those that one may learn, for which alone logits
    are made. `padded`: tokens that go through the model in training, padding included. `measured`: tokens that go
    through it in the measures of held-out examples.
    """
    trained = trained_parameters(shape, recipe.lora)
    memory = _memory(shape, recipe, trained, batch, learned)
    seconds = {}
    for gpu, (teraflops, _) in GPUS.items():
        work = padded * _flops_a_token(shape, recipe, trained) + measured * 2 * _multiplied(shape)
        least, most = (work / (teraflops * 1e12 * used) for used in reversed(USED))
        seconds[gpu] = (least, most)
    peak = sum(memory.values())
    fits = {gpu: peak + CUDA_BYTES <= gigabytes * 1e9 for gpu, (_, gigabytes) in GPUS.items()}
    return Estimate(shape.parameters, trained, memory, seconds, fits)


def _memory(shape: Architecture, recipe: Recipe, trained: int, tokens: int, learned: int) -> dict[str, int]:
    """Bytes at the peak, for a batch of `tokens`: in the loss, or while the last layer is computed again."""
    full = recipe.lora is None
    linear, rest = shape.linear_parameters, shape.parameters - shape.linear_parameters
    nf4 = recipe.quantisation == "nf4"
    lora = 0
    if recipe.lora and recipe.lora.dropout:  # each adapted matrix keeps its own dropped-out input, and the mask
        lora = sum(3 * width for width, _ in _targets(shape, recipe.lora).values())
    layer = tokens * (shape.kept + lora)
    logits = learned * shape.vocabulary * LOGIT_BYTES
    unpacked = (
        2 * max(a * b for a, b in shape.linears.values()) if nf4 else 0
    )  # one matrix in bf16, in the backward pass
    ends = tokens * shape.hidden * shape.bytes * shape.layers  # each layer's input, which checkpointing keeps
    by_use: dict[str, float] = {
        "base: matrices": linear * (NF4_BITS / 8 if nf4 else shape.bytes),
        "base: embeddings, head, norms": rest * shape.bytes,
        "adapter": 0 if full else trained * TRAINED_BYTES,
        "gradients": trained * TRAINED_BYTES,
        "optimiser's moments": trained * MOMENT_BYTES[recipe.optimiser],
        "activations": ends + max(0, layer + unpacked - logits) if recipe.checkpointing else shape.layers * layer,
        "logits": logits,
    }  # fmt: skip
    if full:  # trained in float32
        by_use["base: matrices"], by_use["base: embeddings, head, norms"] = linear * 4, rest * 4
    return {use: round(size) for use, size in by_use.items() if size}


def _flops_a_token(shape: Architecture, recipe: Recipe, trained: int) -> float:
    """Floating-point operations to train on a token: 2 a weight forward, 2 back to the activations, 2 to the weights
    that learn (Kaplan et al. 2020, arXiv:2001.08361, section 2.1), 2 more to compute a checkpointed layer again."""
    again = 2 * shape.linear_parameters if recipe.checkpointing else 0
    learning = 6 * trained if recipe.lora else 2 * _multiplied(shape)
    return 4 * _multiplied(shape) + again + learning


def _multiplied(shape: Architecture) -> int:
    """Weights that every token is multiplied with: the matrices and the head."""
    return shape.linear_parameters + shape.vocabulary * shape.hidden


def _targets(shape: Architecture, lora: Lora) -> dict[str, tuple[int, int]]:
    """The matrices that get a LoRA, named as peft names them: by the whole last part or parts."""
    if lora.targets == "all-linear":
        return dict(shape.linears)
    found = {
        target: {n: size for n, size in shape.linears.items() if n == target or n.endswith(f".{target}")}
        for target in lora.targets
    }
    if missing := [target for target, names in found.items() if not names]:
        raise BadInput(
            f"lora.targets: {shape.model_type} has no matrix {missing[0]!r}; it has {', '.join(sorted(shape.linears))}"
        )
    return {name: size for names in found.values() for name, size in names.items()}


def _llama(kind: str, config: Mapping[str, Any]) -> Architecture:
    hidden, heads, wide = config["hidden_size"], config["num_attention_heads"], config["intermediate_size"]
    each = config.get("head_dim") or hidden // heads
    queries, keys = heads * each, (config.get("num_key_value_heads") or heads) * each
    layers = config["num_hidden_layers"]
    return Architecture(
        model_type=kind,
        hidden=hidden,
        layers=layers,
        vocabulary=config["vocab_size"],
        positions=config.get("max_position_embeddings", 0),
        tied=bool(config.get("tie_word_embeddings", False)),
        bytes=_bytes(config),
        linears={
            "self_attn.q_proj": (hidden, queries), "self_attn.k_proj": (hidden, keys),
            "self_attn.v_proj": (hidden, keys), "self_attn.o_proj": (queries, hidden),
            "mlp.gate_proj": (hidden, wide), "mlp.up_proj": (hidden, wide), "mlp.down_proj": (wide, hidden),
        },
        other=(2 * layers + 1) * hidden,
        # In bf16: two norms with a float32 copy of their input; queries, keys and values before and after rotation;
        # the attention's output; gate, its SiLU, up, their product. As in Korthikanti et al. 2022 (arXiv:2205.05198,
        # section 4.1), for this architecture and an attention that keeps no matrix of scores.
        kept=2 * (4 + 2) * hidden + 2 * 2 * (queries + 2 * keys) + 2 * queries + 4 * 2 * wide,
    )  # fmt: skip


def _gpt2(config: Mapping[str, Any]) -> Architecture:
    hidden, layers = config["n_embd"], config["n_layer"]
    wide = config.get("n_inner") or 4 * hidden
    return Architecture(
        model_type="gpt2",
        hidden=hidden,
        layers=layers,
        vocabulary=config["vocab_size"],
        positions=config["n_positions"],
        tied=bool(config.get("tie_word_embeddings", True)),
        bytes=_bytes(config),
        linears={
            "attn.c_attn": (hidden, 3 * hidden), "attn.c_proj": (hidden, hidden),
            "mlp.c_fc": (hidden, wide), "mlp.c_proj": (wide, hidden),
        },
        other=config["n_positions"] * hidden + layers * (9 * hidden + wide) + 2 * hidden,  # biases, norms
        kept=34 * hidden,  # Korthikanti et al. 2022 (arXiv:2205.05198), equation 1 without the matrix of scores
    )  # fmt: skip


def _bytes(config: Mapping[str, Any]) -> int:
    return 4 if (config.get("dtype") or config.get("torch_dtype") or "float32") == "float32" else 2
