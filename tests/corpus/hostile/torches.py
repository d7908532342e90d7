"""torch checkpoints: zips whose headers lie, decoys, the old formats, and archives that are only called checkpoints."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Iterator, Mapping

from corpus.hostile import Case, Family
from corpus.hostile.assembler import HONEST, RAN, SYSTEM, call, literal, named, stacked, stream
from corpus.hostile.packing import central, local, put, seven, zip_of
from hostile import script_members, tarred, tensor, torch_members, torchscript, zipped

ZIP = Family("torch zip")
TAMPERED = Family("torch zip, tampered")
LEGACY = Family("torch legacy")
SCRIPT = Family("TorchScript")

SHELL = "runs a shell command under torch.load(weights_only=False)"
CODE = stream(SYSTEM)
DATA = "archive/data.pkl"
MEMBERS = torch_members(CODE)
REFUSED = {
    *(f"flag {bits}, central" for bits in ("0x1", "0x20", "0x40")),  # older versions did not (CVE-2025-1945)
    *("junk before", "a script before", "two roots", "below a folder"),
    "two pickles, payload last",
}
MAGIC = 0x1950A86A20F9469CFC6C


def cases() -> Iterator[Case]:
    yield from _zips()
    yield from _tampered()
    yield from _legacy()
    yield from _scripts()


def _zips() -> Iterator[Case]:
    inside = tensor()[2:-1]
    pickles = {
        "payload": CODE,
        "payload before the tensors": stream(SYSTEM + b"0" + inside),
        "payload behind the tensors": stream(b"(" + inside + SYSTEM + b"t"),
        "protocol 4": stream(stacked("os", "system") + b"(" + literal("true") + b"tR", protocol=4),
        "payload in a persistent id": stream(
            b"(" + literal("storage") + SYSTEM + literal("0") + literal("cpu") + literal(4) + b"tQ"
        ),
        "payload in hooks": stream(call("torch._utils", "_rebuild_tensor_v2", SYSTEM, 0, (1,), (1,), False)),
        "second stream": tensor() + CODE,
        "rebuild from a type": stream(
            call("torch._tensor", "_rebuild_from_type_v2", named("os", "system"), named("torch", "Tensor"), ["true"])
        ),
    }
    for name, made in pickles.items():
        reached = "name os.system" if name == "rebuild from a type" else RAN
        yield ZIP.case(name, "model.pt", zipped(torch_members(made)), SHELL, reached)
    for ending in ("bin", "pth", "ckpt", "safetensors", "onnx"):
        yield ZIP.case(f"named {ending}", f"model.{ending}", zipped(MEMBERS), SHELL, RAN)
    yield ZIP.case(
        "setitem of a tensor", "model.pt",
        zipped(torch_members(stream(call("torch._utils", "_rebuild_parameter", 1, 2, 3) + literal(0) * 2 + b"s"))),
        "writes out of bounds (CVE-2026-24747)", "item torch._utils._rebuild_parameter()",
    )  # fmt: skip
    yield ZIP.case(
        "size of a storage", "model.pt", zipped({**torch_members(tensor(count=100)), "archive/data/0": bytes(16)}),
        "reads past a storage", held=True,
    )  # fmt: skip


def _checksummed(members: Mapping[str, bytes], name: str, *, headers: str) -> bytes:
    """Return the zip with a wrong checksum of `name` in these headers: local, central, or both."""
    data = zipped(members)
    if headers != "central":
        data = put(data, local(data, name) + 14, b"\1\2\3\4")
    return data if headers == "local" else put(data, central(data, name) + 16, b"\1\2\3\4")


def _flagged(bits: int, *, headers: str, name: str = DATA, members: Mapping[str, bytes] = MEMBERS) -> bytes:
    data = zipped(members)
    if headers != "central":
        data = put(data, local(data, name) + 6, struct.pack("<H", bits))
    return data if headers == "local" else put(data, central(data, name) + 8, struct.pack("<H", bits))


def _tampered() -> Iterator[Case]:
    plain = zipped(MEMBERS)
    made = {
        f"checksum, {headers}": _checksummed(MEMBERS, DATA, headers=headers) for headers in ("local", "central", "both")
    }
    made |= {
        f"flag {bits:#x}, {headers}": _flagged(bits, headers=headers)
        for bits in (0x1, 0x20, 0x40)
        for headers in ("local", "central")
    }
    decoy = {"archive/a.txt": b"decoy", **MEMBERS}
    crossed = zipped(decoy)
    made |= {
        "local name": put(plain, local(plain, DATA) + 30, b"archive/data.txt"),
        "local size of nothing": put(plain, local(plain, DATA) + 18, bytes(8)),
        "local method": put(plain, local(plain, DATA) + 8, b"\x08\0"),
        "junk before": b"junk" * 4 + plain,
        "a script before": b"#!/bin/sh\n" + plain,
        "junk behind": plain + b"junk" * 4,
        "comment": zip_of(MEMBERS.items(), comment=b"nothing to see"),
        "deflated": zipped(MEMBERS, method=zipfile.ZIP_DEFLATED),
        "encrypted decoy": _flagged(1, headers="both", name="archive/a.txt", members=decoy),
        "decoy with a bad checksum": _checksummed(decoy, "archive/a.txt", headers="both"),
        "decoy with a bad header": put(crossed, local(crossed, "archive/a.txt"), b"XX\3\4"),
        "decoy of an unknown method": put(crossed, central(crossed, "archive/a.txt") + 10, b"\x63\0"),
        "two pickles, payload first": zip_of([(DATA, CODE), *torch_members().items()]),
        "two pickles, payload last": zip_of([*torch_members().items(), (DATA, CODE)]),
        "two roots": zipped({"other/data.pkl": tensor(), **MEMBERS}),
        "upper case": zipped({"archive/DATA.PKL": CODE, **torch_members()}),
        "below a folder": zipped({f"a/b/c/{name}": data for name, data in MEMBERS.items()}),
    }
    for name, data in made.items():
        effect = f"{SHELL} in other readers; torch 2.15 refuses it" if name in REFUSED else SHELL
        yield TAMPERED.case(name, "model.pt", data, effect, "" if name == "decoy with a bad header" else RAN)
    extra = {
        "pickle without an ending": {"archive/extra": CODE},
        "pickle as a storage": {"archive/data/1": CODE},
        "pickle as text": {"archive/notes.txt": CODE},
        "pickle as version": {"archive/.data/serialization_id": CODE},
        "pickle as constants": {"archive/constants.pkl": CODE},
    }
    for name, members in extra.items():
        data = zipped({**torch_members(), **members})
        yield TAMPERED.case(name, "model.pt", data, "runs when the member is loaded (CVE-2025-1889)", RAN)
    yield TAMPERED.case("7z", "model.pt", seven("data.pkl", CODE), "runs after unpacking (nullifAI)", RAN)
    yield TAMPERED.case("pickle in front", "model.pt", CODE + zipped(torch_members()), "runs under pickle.load", RAN)


def _legacy_file(*, magic: bytes = b"", info: bytes = b"", objects: bytes = b"", keys: bytes = b"") -> bytes:
    """Return the five streams that torch wrote before it wrote zips; the arguments replace one."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    return b"".join([
        magic or pickle.dumps(MAGIC, 2), pickle.dumps(1001, 2), info or pickle.dumps(system, 2),
        objects or pickle.dumps({}, 2), keys or pickle.dumps([], 2),
    ])  # fmt: skip


def _legacy() -> Iterator[Case]:
    made = {
        "payload in the objects": _legacy_file(objects=CODE),
        "payload in the magic": _legacy_file(magic=stream(SYSTEM + b"0" + literal(MAGIC))),
        "payload in the system": _legacy_file(info=stream(SYSTEM)),
        "payload in the keys": _legacy_file(keys=stream(SYSTEM)),
        "payload behind the keys": _legacy_file() + CODE,
        "raw pickle": CODE,
        "wrong magic": _legacy_file(magic=pickle.dumps(MAGIC + 1, 2), objects=CODE),
        "text objects": _legacy_file(objects=stream(call("os", "system", "true", text=True), protocol=0)),
        "with storages": _legacy_file(objects=CODE, keys=pickle.dumps(["0"], 2)) + struct.pack("<q4f", 4, 1, 2, 3, 4),
        "broken behind the payload": _legacy_file(objects=CODE[:-1] + b"\xff"),
    }
    for name, data in made.items():
        yield LEGACY.case(name, "model.pt", data, SHELL, RAN)
    parts = {"sys_info": pickle.dumps({}, 2), "pickle": CODE, "storages": HONEST, "tensors": HONEST}
    yield LEGACY.case("tar of torch 0.1", "model.pt", tarred(parts), SHELL, RAN)
    yield LEGACY.case(
        "tar, payload in the storages", "model.pt", tarred({**parts, "pickle": HONEST, "storages": CODE}), SHELL, RAN
    )


def _scripts() -> Iterator[Case]:
    for statement in (
        "_1 = torch.from_file('/etc/passwd')",
        "_1 = ops.aten.from_file('/etc/passwd', True, 8)",
        "torch.save(x, 'outside')",
    ):
        yield SCRIPT.case(statement, "model.pt", torchscript(statement), "reads or writes files when it runs")
    yield SCRIPT.case(
        "foreign operator",
        "model.pt",
        torchscript("_1 = ops.custom.run('true')"),
        "runs an operator that is loaded apart",
        held=True,
    )
    for name, member in (("constants", "net/constants.pkl"), ("debug", "net/code/__torch__/net.py.debug_pkl")):
        yield SCRIPT.case(
            f"payload in {name}", "model.pt", zipped({**script_members("pass"), member: CODE}),
            "runs when read by Python", RAN,
        )  # fmt: skip
    yield SCRIPT.case(
        "payload in data", "model.pt", zipped({**script_members("pass"), "net/data.pkl": CODE}), SHELL, RAN
    )
