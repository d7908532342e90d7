"""Make the families ``savedmodel`` and ``tflite``: graphs as TensorFlow saves them."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call,misc,untyped-decorator"
# (TensorFlow is in an environment of its own)

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from making import make

FLOATS = np.random.default_rng(0).random((4, 3)).astype("f4")
SPEC = tf.TensorSpec([None, 4], tf.float32)


class Linear(tf.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = tf.Variable(FLOATS)

    @tf.function(input_signature=[SPEC])
    def __call__(self, x: Any) -> Any:
        return tf.nn.relu(tf.matmul(x, self.weight))


class Deciding(Linear):
    @tf.function(input_signature=[SPEC])
    def __call__(self, x: Any) -> Any:
        y = tf.matmul(x, self.weight)
        if tf.reduce_sum(y) > 0:
            for _ in tf.range(3):
                y = y * 2.0
        return tf.nn.softmax(y)


class Words(tf.Module):
    """Looks words up in a table that stands in the graph."""

    def __init__(self) -> None:
        super().__init__()
        pairs = tf.lookup.KeyValueTensorInitializer(["coal", "grain"], [1, 2])
        self.table = tf.lookup.StaticHashTable(pairs, 0)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, words: Any) -> Any:
        return self.table.lookup(tf.strings.lower(words))


def saved(kind: type[Any], path: Path) -> None:
    tf.saved_model.save(kind(), path)


def signed(path: Path) -> None:
    module = Linear()
    tf.saved_model.save(module, path, signatures={"serving_default": module.__call__.get_concrete_function(SPEC)})


def lite(kind: type[Any], path: Path, *, small: bool = False) -> None:
    module = kind()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([module.__call__.get_concrete_function()], module)
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if small else []
    path.write_bytes(converter.convert())


if __name__ == "__main__":
    make(
        "savedmodel",
        {
            "linear": partial(saved, Linear),
            "deciding": partial(saved, Deciding),
            "words": partial(saved, Words),
            "signed": signed,
        },
        ["tensorflow-cpu", "numpy"],
    )
    make(
        "tflite",
        {
            "linear.tflite": partial(lite, Linear),
            "deciding.tflite": partial(lite, Deciding),
            "small.tflite": partial(lite, Linear, small=True),
        },
        ["tensorflow-cpu", "numpy"],
    )
