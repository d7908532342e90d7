"""Make the families ``numpy``, ``pandas`` and ``python``: arrays, tables and plain objects."""

# mypy: disable-error-code="import-not-found,import-untyped,no-untyped-call"
# (pandas is in an environment of its own)

from __future__ import annotations

import collections
import datetime as dt
import decimal
import fractions
import pickle
import uuid
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from making import make

rows = np.random.default_rng(0)
RECORD = np.dtype([("name", "U4"), ("at", "<i8"), ("spot", [("x", "f4"), ("y", "f4")]), ("grid", "u1", (2, 2))])

ARRAYS: dict[str, Any] = {
    "float64": rows.random((3, 4)),
    "float32": rows.random(5).astype("f4"),
    "float16": np.ones(3, "f2"),
    "int64": np.arange(6),
    "uint8": np.arange(250, 256, dtype="u1"),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "fortran": np.asfortranarray(rows.random((3, 4))),
    "big-endian": np.arange(4, dtype=">i4"),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 3)),
    "text": np.array(["left", "right"]),
    "bytes": np.array([b"ab", b"c"]),
    "dates": np.array(["2024-02-29"], "M8[D]"),
    "durations": np.array([90], "m8[s]"),
    "structured": np.zeros(2, RECORD),
    "objects": np.array(["a", 1, None, [2.5, {"k": (1, 2)}]], object),
    "object-arrays": np.array([np.arange(2), np.ones(3)], object),
    "structured-objects": np.array([(1, "a"), (2, [3])], [("n", "i4"), ("o", "O")]),
    "record": np.rec.array([(1, 2.5)], dtype=[("a", "i4"), ("b", "f8")]),
}
PICKLED: dict[str, Any] = {
    **{name: ARRAYS[name] for name in ("float64", "fortran", "text", "structured", "objects", "dates")},
    "numbers": [np.float32(1.5), np.int64(2), np.bool_(True), np.str_("x"), np.datetime64("2024-01-01")],
    "dtype": np.dtype("f4"),
    "types": [np.float64, np.int8],
    "masked": np.ma.masked_array([1.0, 2.0], mask=[False, True]),
    "random-state": np.random.RandomState(0),
    "generator": np.random.default_rng(0),
    "generator-philox": np.random.Generator(np.random.Philox(0)),
    "polynomial": np.polynomial.Polynomial([1, 2]),
    "memory-order": np.ones((2, 3))[:, ::2],
}

FRAME = pd.DataFrame(
    {
        "load": [1.5, 2.5, None],
        "name": ["coal", "grain", "timber"],
        "count": [1, 2, 3],
        "full": [True, False, True],
        "at": pd.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03"]),
    }
)
TABLES: dict[str, Any] = {
    "frame": FRAME,
    "numbers": FRAME[["load", "count"]],
    "series": FRAME["load"],
    "index": pd.Index([3, 1, 2]),
    "dates": pd.date_range("2024-01-01", periods=3, tz="UTC"),
    "categories": FRAME.assign(name=FRAME["name"].astype("category")),
    "nullable": pd.DataFrame({"a": pd.array([1, None], "Int64"), "b": pd.array([True, None], "boolean")}),
    "levels": FRAME.set_index(["name", "count"]),
    "periods": pd.period_range("2024-01", periods=2, freq="M"),
    "columns": {"columns": ["a", "b"], "fill": pd.Series({"a": 0.0, "b": 1.0})},
}

PLAIN: dict[str, Any] = {
    "scalars": [0, 1, -1, 255, 65536, 2**70, -(2**70), 1.5, float("inf"), True, False, None, 2 + 1j],
    "texts": ["", "ascii", "Grüße, 水門", "x" * 300, b"", b"bytes", b"\xff" * 300, bytearray(b"array")],
    "containers": {"list": [[], [1]], "tuple": ((), (1,), (1, 2, 3, 4)), "dict": {1: {2: 3}}, "set": {1, 2}},
    "frozen": frozenset({"a"}),
    "collections": [
        collections.OrderedDict(a=1, b=[2]),
        collections.Counter("abba"),
        collections.deque([1, 2], maxlen=4),
        collections.defaultdict(list, {"a": [1]}),
    ],
    "times": [
        dt.date(2024, 2, 29),
        dt.datetime(2024, 2, 29, 12, tzinfo=dt.timezone.utc),
        dt.timedelta(1, 2, 3),
        dt.time(3, 4),
    ],
    "numbers": [decimal.Decimal("1.50"), fractions.Fraction(1, 3), uuid.UUID(int=5), range(3), slice(1, None)],
    "vocabulary": {f"token{i}": i for i in range(200)},
    "tree": {"feature": 3, "left": {"leaf": 0.25}, "right": {"leaf": 0.75}},
}


def npy(value: Any, path: Path) -> None:
    np.save(path, value, allow_pickle=True)


def pickled(value: Any, protocol: int, path: Path) -> None:
    path.write_bytes(pickle.dumps(value, protocol))


def recursive() -> list[Any]:
    """Return a list that holds itself, which pickles by the memo."""
    result: list[Any] = [1]
    result.append(result)
    return result


def versions() -> dict[str, Any]:
    """Return one array in each version of the format."""

    def write(version: tuple[int, int], path: Path) -> None:
        with path.open("wb") as stream:
            np.lib.format.write_array(stream, ARRAYS["float32"], version)

    return {f"format-{major}.npy": partial(write, (major, 0)) for major in (1, 2, 3)}


def arrays() -> dict[str, Any]:
    return {
        **{f"{name}.npy": partial(npy, value) for name, value in ARRAYS.items()},
        **versions(),
        "weights.npz": lambda path: np.savez(path, a=ARRAYS["float32"], b=ARRAYS["fortran"], c=ARRAYS["text"]),
        "compressed.npz": lambda path: np.savez_compressed(path, a=ARRAYS["float64"], b=ARRAYS["int64"]),
        "objects.npz": lambda path: np.savez(path, a=ARRAYS["objects"], b=ARRAYS["float32"]),
        **{f"{name}.pkl": partial(pickled, value, 4) for name, value in PICKLED.items()},
        **{f"protocol-{number}.pkl": partial(pickled, ARRAYS["float64"], number) for number in (0, 1, 2, 3, 5)},
    }


def tables() -> dict[str, Any]:
    return {f"{name}.pkl": partial(pickled, value, 5 if name == "frame" else 4) for name, value in TABLES.items()}


def plain() -> dict[str, Any]:
    cases: dict[str, Any] = {
        f"{name}-{number}.pkl": partial(pickled, value, number)
        for place, (name, value) in enumerate(PLAIN.items())
        for number in sorted({place % 3, 3 + place % 3})
    }
    cases["recursive.pkl"] = partial(pickled, recursive(), 4)
    cases["no-ending"] = partial(pickled, PLAIN["tree"], 5)
    cases["two-streams.pkl"] = lambda path: path.write_bytes(pickle.dumps([1], 4) + pickle.dumps({"a": 2}, 2))
    return cases


if __name__ == "__main__":
    make("numpy", arrays(), ["numpy"])
    make("pandas", tables(), ["pandas", "numpy"])
    make("python", plain(), [])
