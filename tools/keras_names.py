"""Write the names that a Keras configuration may hold without a module: run it where Keras 3 is installed.

Classes are those of the modules that models are made of, operations among them, functions those that Keras finds by a bare name; what older
releases called their classes is added by hand. The list is data in ``scripts/weighlock/scanners/strict/named``.
"""

# Keras is in an environment of its own.
# mypy: disable-error-code="import-not-found,import-untyped"

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path

TARGET = Path(__file__).resolve().parent.parent / "scripts/weighlock/scanners/strict/named/keras_names.txt"
MODULES = (
    "activations constraints dtype_policies initializers layers losses metrics models optimizers optimizers.schedules "
    "optimizers.legacy quantizers regularizers src.ops.image src.ops.linalg src.ops.math src.ops.nn src.ops.numpy"
)
OLD = """
Functional Network InputLayer Orthogonal Policy PolicyV1 LossScaleOptimizer DynamicLossScale TensorFlowOpLayer AddLoss
AddMetric LSTMV1 LSTMV2 GRUV1 GRUV2 CuDNNLSTM CuDNNGRU BatchNormalizationV1 BatchNormalizationV2 SyncBatchNormalization
DenseFeatures LocallyConnected1D LocallyConnected2D ThresholdedReLU RandomHeight RandomWidth SparseEmbedding KerasTensor
AbstractRNNCell PeepholeLSTMCell DepthwiseConv1D NonNegative ConstantV1 UniformUnitScaling Decoder
ExperimentalDatasetOp Convolution1D Convolution2D Convolution2DTranspose Deconvolution2D SGDW AdamWeightDecay
"""
UNSAFE = {"Lambda", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer"}
"""Classes whose configuration is or loads code; the rule has words for each."""
ALIASES = "accuracy acc cosine cosine_proximity ce crossentropy mse mae mape msle kld kl_divergence bce BCE"


def main() -> None:
    """Write the list."""
    import keras  # noqa: PLC0415 - only where it is

    lines = sorted({*_names("class"), *(f"class {name}" for name in OLD.split())})
    lines += sorted({*_names("function"), *(f"function {name}" for name in ALIASES.split())})
    head = (
        f"# {len(lines)} names of Keras {keras.__version__} and before it, Apache-2.0; written by tools/keras_names.py."
    )
    TARGET.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")


def _names(kind: str) -> Iterator[str]:
    for module in MODULES.split():
        for name, value in vars(importlib.import_module(f"keras.{module}")).items():
            wanted = inspect.isclass(value) if kind == "class" else inspect.isfunction(value)
            found = kind == "class" or not module.startswith(
                ("layers", "models", "dtype_policies", "quantizers", "src")
            )
            if (
                wanted
                and found
                and not name.startswith("_")
                and name not in UNSAFE | {"get", "deserialize", "serialize"}
            ):
                yield f"{kind} {name}"


if __name__ == "__main__":
    main()
