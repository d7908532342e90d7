"""HDF5: everything that can be reached is numbers and text in this file, and configurations are judged."""

from __future__ import annotations

import io
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostile import payload
from judging import judged, reasons
from weighlock.scanners import Verdict


def hdf5(fill: Callable[[Any], object], **options: Any) -> bytes:
    """Return an HDF5 file that `fill` filled."""
    target = io.BytesIO()
    with h5py.File(target, "w", **options) as file:
        file["layer/kernel"] = [[1.0, 2.0], [3.0, 4.0]]
        fill(file)
    return target.getvalue()


def attribute(name: str, value: Any) -> bytes:
    return hdf5(lambda file: file.attrs.update({name: value}))


def config(name: str, **more: Any) -> str:
    layer = {"class_name": name, "config": {"name": "a", **more}}
    return json.dumps({"class_name": "Sequential", "config": {"layers": [layer]}})


def external_link(file: Any) -> None:
    file["out"] = h5py.ExternalLink("/etc/passwd", "/")


def external_data(file: Any) -> None:
    file.create_dataset("out", (4,), "u1", external=[("/etc/passwd", 0, 4)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "u1")
    layout[:] = h5py.VirtualSource("../other.h5", "x", (4,))
    file.create_virtual_dataset("out", layout)


def references(file: Any) -> None:
    file["out"] = [file["layer"].ref]


def opaque(file: Any) -> None:
    import numpy as np

    file["out"] = np.void(payload())


def foreign_filter(file: Any) -> None:
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((4,))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (1,))
    h5py.h5d.create(file.id, b"out", h5py.h5t.NATIVE_INT32, h5py.h5s.create_simple((4,)), made)


def plain(file: Any) -> None:
    file["strings"] = ["a", "b"]
    file["bytes"] = b"abc"
    file["loop"] = file["layer"]
    file["layer/up"] = file["/"]
    file["soft"] = h5py.SoftLink("/layer/kernel")
    file["nowhere"] = h5py.SoftLink("/gone")
    file.create_dataset(
        "packed", data=list(range(100)), chunks=(10,), compression="gzip", shuffle=True, fletcher32=True
    )
    file.create_dataset("fast", data=list(range(100)), compression="lzf")
    file.attrs["layer_names"] = [b"dense", b"dense_1"]
    file.attrs["keras_version"] = "3.9.0"
    file.attrs["number"] = 4
    file.attrs["empty"] = h5py.Empty("f")
    file.attrs["model_config"] = config("Dense", activation="relu")
    file.attrs["training_config"] = json.dumps({"loss": "mse", "metrics": ["accuracy"]})


HONEST = {"plain": hdf5(plain), "newest": hdf5(plain, libver="latest"), "empty": hdf5(lambda _file: None)}

FIXED = hdf5(lambda file: file.attrs.create("model_config", config("Dense").encode(), dtype=f"S{len(config('Dense'))}"))

STOPPED = {
    "lambda": (attribute("model_config", config("Lambda")), Verdict.UNSAFE, "Lambda"),
    "lambda as bytes": (attribute("model_config", config("Lambda").encode()), Verdict.UNSAFE, "Lambda"),
    "lambda in a list": (attribute("model_config", [config("Lambda")]), Verdict.UNSAFE, "Lambda"),
    "lambda in the loss": (
        attribute("training_config", '{"loss": {"class_name": "__lambda__", "config": {}}}'), Verdict.UNSAFE, "__lambda__",
    ),
    "lambda below": (
        hdf5(lambda file: file["layer/kernel"].attrs.update({"model_config": config("Lambda")})), Verdict.UNSAFE, "Lambda",
    ),
    "lambda under another name": (attribute("anything", config("Lambda")), Verdict.UNSAFE, "Lambda"),
    "own class": (attribute("model_config", config("Mine")), Verdict.REVIEW, "Mine"),
    "broken configuration": (attribute("model_config", config("Dense")[:-1]), Verdict.UNSCANNED, "no JSON"),
    "pickle": (attribute("note", payload(0)), Verdict.UNSAFE, "system"),
    "pickle as void": (hdf5(opaque), Verdict.UNSCANNED, "only their loader knows"),
    "PyTables": (attribute("PYTABLES_FORMAT_VERSION", "2.1"), Verdict.UNSCANNED, "PyTables"),
    "hickle": (attribute("base_type", b"pickle"), Verdict.UNSCANNED, "hickle"),
    "external link": (hdf5(external_link), Verdict.UNSAFE, "/etc/passwd"),
    "external data": (hdf5(external_data), Verdict.UNSAFE, "/etc/passwd"),
    "virtual": (hdf5(virtual), Verdict.UNSAFE, "../other.h5"),
    "references": (hdf5(references), Verdict.UNSCANNED, "references"),
    "foreign filter": (hdf5(foreign_filter), Verdict.UNSCANNED, "filter 32015"),
    "user block": (bytes(512) + hdf5(plain), Verdict.UNSCANNED, "stand before"),
    "real user block": (hdf5(plain, userblock_size=512), Verdict.UNSCANNED, "stand before"),
    "tail": (hdf5(plain) + payload(), Verdict.UNSCANNED, "something else follows"),
    "tail, newest": (hdf5(plain, libver="latest") + b"\0", Verdict.UNSCANNED, "something else follows"),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_honest_files_are_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@pytest.mark.parametrize("name", STOPPED)
def test_is_stopped_and_named(name: str) -> None:
    content, verdict, because = STOPPED[name]
    assert because in reasons(content)
    assert judged(content)[0] is verdict


def test_plain_text_is_no_pickle() -> None:
    content = attribute("note", "A model that was trained in 2024.")
    assert judged(content)[0] is Verdict.SAFE, reasons(content)


def test_a_harmless_pickle_is_none_of_our_business() -> None:
    content = attribute("note", pickle.dumps({"a": [1, 2]}, 0))
    assert judged(content)[0] is Verdict.SAFE, reasons(content)


def test_nothing_outside_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.h5").write_bytes(attribute("model_config", config("Lambda")))

    def link(file: Any) -> None:
        file["out"] = h5py.ExternalLink("other.h5", "/")

    assert "Lambda" not in reasons(hdf5(link))


@pytest.mark.parametrize("name", HONEST)
@given(data=st.data())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_was_cut_is_never_safe(name: str, data: st.DataObject) -> None:
    length = data.draw(st.integers(8, len(HONEST[name]) - 1))
    verdict, reason = judged(HONEST[name][:length])
    assert verdict is not Verdict.SAFE
    assert "strict failed" not in reason


@given(data=st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_changed_bytes_crash_nothing(data: st.DataObject) -> None:
    """Strings have a fixed length here: libhdf5 2.0 loops on a broken heap, which only a worker's limits can end."""
    content = bytearray(FIXED)
    for _ in range(4):
        content[data.draw(st.integers(8, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert "strict failed" not in judged(bytes(content))[1]
