"""HDF5: Keras models, weights and plain data, walked by h5py, which reads the structure and never a dataset.

HDF5 has no order in which its bytes could be accounted for one by one. The claim is this: the superblock spans the whole
file; every group, dataset, type and attribute that can be reached is of a kind that only holds numbers and text, inside
this file; and every text in an attribute that a loader takes for a configuration or a pickle was judged as such. Bytes
that nothing refers to are ones that no loader reaches. Source: HDF5 File Format Specification 3.0; PyTables'
attributeset.py for pickles in attributes.

libhdf5 is native code and hostile files are what breaks it: see `weighlock.scanners.isolation` for what that may cost.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.pickles import disguise
from weighlock.scanners.reading import UnclearError, exactly, number
from weighlock.scanners.strict import names
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge

if TYPE_CHECKING:
    import h5py  # type: ignore[import-untyped]

OBJECTS = 200_000  # groups, datasets and types
TEXT = 64 * 1024 * 1024  # bytes of text in all attributes
ITEMS = 4096  # strings of variable length in one attribute

_INSTALL = "h5py is missing: install weighlock[scan]"
_UNDEFINED = (1 << 64) - 1
_CONFIGURATIONS = frozenset({"model_config", "training_config", "keras_metadata"})
_MARKERS = {
    "PYTABLES_FORMAT_VERSION": "PyTables, which keeps pickles in attributes and arrays",
    "PSEUDOATOM": "PyTables, which keeps pickles in attributes and arrays",
    "HICKLE_VERSION": "hickle, which keeps pickles in datasets",
    "base_type": "hickle, which keeps pickles in datasets",
}
_FILTERS = frozenset({1, 2, 3, 4, 5, 6, 32000})  # HDF5's own and h5py's LZF; others are libraries that it would load


def hdf5(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Check the superblock, then walk all objects."""
    superblock(stream, blob.size)
    try:
        import h5py  # noqa: PLC0415 - it comes with the scan extra
    except ImportError:
        raise UnclearError(_INSTALL) from None
    stream.seek(0)
    try:
        with h5py.File(stream, "r") as file:
            _Walk(notes).objects(file)
    except UnclearError:
        raise
    except Exception as error:  # noqa: BLE001 - h5py raises whatever fits what libhdf5 says
        raise UnclearError(f"HDF5 that h5py cannot read: {type(error).__name__}: {error}") from None


def superblock(stream: BinaryIO, size: int) -> None:
    """Demand that the file begins with HDF5 and ends where HDF5 ends."""
    if exactly(stream, 8, "the HDF5 signature") != b"\x89HDF\r\n\x1a\n":
        raise UnclearError("bytes stand before the HDF5: another loader may read these")
    version = number(stream, 1, "the HDF5 superblock")
    if version > 3:
        raise UnclearError(f"HDF5 superblock version {version} is unknown")
    old = version < 2
    rest = exactly(stream, {0: 15, 1: 19}.get(version, 3), "the HDF5 superblock")
    width = rest[4] if old else rest[0]
    if width != 8:
        raise UnclearError(f"HDF5 with addresses of {width} bytes")
    base, _, end = (number(stream, 8, "the HDF5 superblock") for _ in range(3))
    driver = number(stream, 8, "the HDF5 superblock") if old else _UNDEFINED
    if base or driver != _UNDEFINED:
        raise UnclearError("HDF5 that is a part of a larger file, or one of several")
    if end != size:
        raise UnclearError(f"the HDF5 ends at byte {end}, the file has {size}: something else follows it")


@dataclass(slots=True)
class _Walk:
    notes: Notes
    left: int = OBJECTS
    text: int = TEXT
    seen: set[int] = field(default_factory=set)

    def objects(self, file: h5py.File) -> None:
        """Walk everything that hard links reach."""
        import h5py  # noqa: PLC0415 - as above

        waiting: list[Any] = [file["/"]]
        while waiting:
            item = waiting.pop()
            address = h5py.h5o.get_info(item.id).addr
            if address in self.seen:
                continue
            self.seen.add(address)
            self.left -= 1
            if self.left < 0:
                raise UnclearError(f"HDF5 with more than {OBJECTS} objects")
            self._attributes(item)
            if isinstance(item, h5py.Group):
                waiting.extend(self._members(item))
            elif isinstance(item, h5py.Dataset):
                self._dataset(item)
            else:
                self._kind(item.id, item.name)

    def _members(self, group: h5py.Group) -> Iterator[Any]:
        """Yield what hard links lead to; a soft link leads to what is here, or nowhere."""
        import h5py  # noqa: PLC0415 - as above

        for name in group:
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                where = f"{link.filename}:{link.path}"
                self.notes.find(
                    "hdf5.external", Severity.CRITICAL, f"a link named {name} leads to another file: {where}"
                )
            elif isinstance(link, h5py.HardLink):
                yield group[name]
            elif not isinstance(link, h5py.SoftLink):
                self.notes.gap(f"a link of unknown kind named {name}")

    def _dataset(self, dataset: h5py.Dataset) -> None:
        """Judge where a dataset's content lies and what it is, without reading it."""
        import h5py  # noqa: PLC0415 - as above

        made = dataset.id.get_create_plist()
        for index in range(made.get_external_count()):
            where = made.get_external(index)[0].decode("utf-8", "backslashreplace")
            self.notes.find(
                "hdf5.external", Severity.CRITICAL, f"the dataset {dataset.name} lies in another file: {where}"
            )
        if made.get_layout() == h5py.h5d.VIRTUAL:
            for index in range(made.get_virtual_count()):
                where = made.get_virtual_filename(index)
                if where != ".":
                    message = f"the dataset {dataset.name} is put together from another file: {where}"
                    self.notes.find("hdf5.external", Severity.CRITICAL, message)
        for index in range(made.get_nfilters()):
            code = made.get_filter(index)[0]
            if code not in _FILTERS:
                self.notes.gap(f"the dataset {dataset.name} is packed by filter {code}, which is a library of its own")
        self._kind(dataset.id.get_type(), dataset.name)

    def _kind(self, kind: h5py.h5t.TypeID, name: str | None) -> None:
        """Accept types that hold numbers and text; references and opaque bytes mean something to a loader only."""
        import h5py  # noqa: PLC0415 - as above

        plain = {h5py.h5t.INTEGER, h5py.h5t.FLOAT, h5py.h5t.STRING, h5py.h5t.ENUM, h5py.h5t.BITFIELD}
        waiting = [kind]
        while waiting:
            item = waiting.pop()
            what = item.get_class()
            if what in {h5py.h5t.ARRAY, h5py.h5t.VLEN}:
                waiting.append(item.get_super())
            elif what == h5py.h5t.COMPOUND:
                waiting.extend(item.get_member_type(index) for index in range(item.get_nmembers()))
            elif what not in plain:
                self.notes.gap(f"{name} holds references or bytes of which only their loader knows what they are")

    def _attributes(self, item: Any) -> None:
        import h5py  # noqa: PLC0415 - as above

        for name in item.attrs:
            if marker := _MARKERS.get(name):
                self.notes.gap(f"the attribute {name} is that of {marker}; there is no rule for it yet")
            attribute = item.attrs.get_id(name)
            kind = attribute.get_type()
            self._kind(kind, f"the attribute {name}")
            if kind.get_class() == h5py.h5t.STRING:
                count = attribute.get_space().get_simple_extent_npoints()
                self.text -= count * (1 if kind.is_variable_str() else kind.get_size())
                if self.text < 0 or (kind.is_variable_str() and count > ITEMS):
                    raise UnclearError("HDF5 with more text in its attributes than is read")
                self._texts(name, item.attrs[name])

    def _texts(self, name: str, value: Any) -> None:
        import h5py  # noqa: PLC0415 - as above

        if isinstance(value, h5py.Empty):
            return
        for text in [value] if isinstance(value, (str, bytes)) else value.ravel().tolist():
            raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
            self.text -= len(raw)
            self._text(name, raw)

    def _text(self, name: str, raw: bytes) -> None:
        """Judge a text as the JSON or the pickle that a loader would take it for."""
        if raw.lstrip()[:1] in {b"{", b"["} or name in _CONFIGURATIONS:
            try:
                names.search(json.loads(raw, object_pairs_hook=names.Pairs, parse_int=len, parse_float=len), self.notes)
            except (ValueError, RecursionError):
                if name in _CONFIGURATIONS:
                    self.notes.gap(f"the attribute {name} is no JSON that can be read")
        stream = io.BytesIO(raw)
        if disguise.is_pickle(stream):
            stream.seek(0)
            judge("pickle", stream, self.notes)
