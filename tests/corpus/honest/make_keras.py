"""Make the families ``keras`` and ``hdf5``: whole models, weights alone, and data in HDF5. Run with KERAS_BACKEND=torch."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
# (keras is in an environment of its own)

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
from keras import layers
from making import make

keras.utils.set_random_seed(0)

MODELS: dict[str, Any] = {
    "dense": lambda: keras.Sequential([keras.Input((4,)), layers.Dense(3, "relu"), layers.Dense(1)]),
    "normalised": lambda: keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(3),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, "softmax"),
        ]
    ),
    "convolution": lambda: keras.Sequential(
        [keras.Input((6, 6, 1)), layers.Conv2D(2, 3), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(2)]
    ),
    "recurrent": lambda: keras.Sequential([keras.Input((5, 2)), layers.Bidirectional(layers.GRU(2)), layers.Dense(1)]),
    "distributed": lambda: keras.Sequential([keras.Input((5, 2)), layers.TimeDistributed(layers.Dense(2))]),
    "embedding": lambda: keras.Sequential([keras.Input((5,)), layers.Embedding(7, 2), layers.GlobalAveragePooling1D()]),
}


def branched() -> Any:
    first = keras.Input((3,), name="first")
    second = keras.Input((2,), name="second")
    joined = layers.Concatenate()([layers.Dense(2, kernel_regularizer="l2")(first), second])
    return keras.Model([first, second], layers.Dense(1, "sigmoid")(joined))


def attentive() -> Any:
    words = keras.Input((4, 2))
    return keras.Model(words, layers.LayerNormalization()(words + layers.MultiHeadAttention(1, 2)(words, words)))


def compiled() -> Any:
    model = MODELS["dense"]()
    model.compile(optimizer=keras.optimizers.Adam(0.01), loss="mse", metrics=["mae"])
    return model


ALL = {**MODELS, "branched": branched, "attentive": attentive, "compiled": compiled}


def saved(value: Any, path: Path) -> None:
    value().save(path)


def data(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = np.arange(6).reshape(2, 3)
        file.create_dataset("packed", data=np.zeros((4, 4)), compression="gzip", chunks=(2, 2))
        file["group/names"] = ["left", "right"]
        file["x"].attrs["unit"] = "kg"


def hdf5() -> dict[str, Any]:
    return {
        **{f"{name}.h5": partial(saved, value) for name, value in ALL.items()},
        "dense.weights.h5": lambda path: ALL["dense"]().save_weights(path),
        "branched.weights.h5": lambda path: branched().save_weights(path),
        "data.h5": data,
        "data.hdf5": data,
    }


if __name__ == "__main__":
    make(
        "keras",
        {f"{name}.keras": partial(saved, value) for name, value in ALL.items()},
        ["keras", "torch", "h5py", "numpy"],
    )
    make("hdf5", hdf5(), ["keras", "torch", "h5py", "numpy"])
