"""Archives: payloads in members at any depth, members that climb out, links, bombs, foreign tails."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Iterator

from corpus.hostile import Case, Family
from corpus.hostile.assembler import HONEST, RAN, SYSTEM, stream
from corpus.hostile.packing import PACKED, Seven, central, put, seven, zip_of
from hostile import bad_checksum, flagged, gapped, tarred, zipped

ARCHIVE = Family("archive")
ESCAPE = Family("archive that climbs out")
BOMB = Family("bomb")

CODE = stream(SYSTEM)
INSIDE = "runs a shell command once the member is loaded"


def cases() -> Iterator[Case]:
    yield from _inside()
    yield from _escapes()
    yield from _opaque()
    yield from _bombs()


def _inside() -> Iterator[Case]:
    text = {"README.md": b"# A model\n"}
    member = {**text, "model/weights.pkl": CODE}
    bare = {**text, "weights": CODE}
    three = zipped({"b.zip": zipped({"c.zip": zipped(member)})})
    made = {
        "model.zip": zipped(member),
        "deflated.zip": zipped(member, method=zipfile.ZIP_DEFLATED),
        "bare.zip": zipped(bare),
        "hidden.zip": zipped({**text, ".cache": CODE}),
        "text.zip": zipped({"notes.txt": CODE}),
        "first.zip": zipped({"a": CODE, **text}),
        "three.zip": three,
        "tar-in.zip": zipped({"a.tar": tarred(member)}),
        "gz-in.zip": zipped({"a.gz": gzip.compress(CODE, mtime=0)}),
        "checksum.zip": bad_checksum(bare, "weights"),
        "flag.zip": flagged(zipped({"weights": CODE}), 1),
        "directory.zip": zipped({"model/": CODE}),
        "model.tar": tarred(member),
        "bare.tar": tarred(bare),
        "zip-in.tar": tarred({"a.zip": zipped(member)}),
        "tar-in.tar": tarred({"a.tar": tarred(bare)}),
        "contiguous.tar": tarred({"a": CODE}, kind=tarfile.CONTTYPE),
        "old.tar": _old_tar(CODE),
        "model.7z": seven("model.pkl", CODE),
        "seven.pt": seven("weights", CODE),
        "7z-in.zip": zipped({"a.7z": seven("model.pkl", CODE)}),
        "zip-in.7z": seven("a.zip", zipped(bare)),
        "7z-in.7z": seven("a.7z", seven("weights", CODE, "lzma2"), "deflate"),
        "last-of-three.7z": Seven([("a.txt", b"text"), ("b.txt", b"text"), ("c", CODE)], "bzip2").build(),
        "packed-header.7z": Seven([("weights", CODE)], packed_header=True).build(),
        "packed-header-tar.pt": Seven([("a.tar", tarred(bare))], packed_header=True).build(),
        "wrong-checksum.7z": put(seven("weights", CODE), 20 + 12, CODE[:1]),
        "no-checksum.7z": Seven([("weights", CODE)], "deflate", checksums=False).build(),
        "bytes-between.7z": Seven([("weights", CODE)], before=b"text").build(),
        "same-name.7z": Seven([("a", HONEST), ("a", CODE)]).build(),
        **{f"{method}.7z": seven("weights", CODE, method) for method in ("lzma2", "bzip2", "deflate", "zstd")},
    }
    for ending, pack in PACKED.items():
        made[f"model.tar.{ending}"] = pack(tarred(bare))
    made["model.tgz"] = PACKED["gz"](tarred(member))
    made["tgz-in.zip"] = zipped({"a.tgz": made["model.tgz"]})
    made["zip-in.gz"] = PACKED["gz"](zipped(bare))
    made["gz-in-xz"] = PACKED["xz"](PACKED["gz"](CODE))
    made["behind-zeros.tar"] = tarred(text) + tarred({"weights": CODE})
    unseen = {"behind-zeros.tar", "old.tar", "last-of-three.7z"}  # by `truth`, which knows less of containers
    for name, data in made.items():
        yield ARCHIVE.case(name, name, data, INSIDE, "" if name in unseen else RAN)
    yield ARCHIVE.case("twice, last wins", "twice.zip", zip_of([("a", HONEST), ("a", CODE)]), INSIDE, RAN)
    yield ARCHIVE.case("twice, first wins", "twice.zip", zip_of([("a", CODE), ("a", HONEST)]), INSIDE, RAN)


def _old_tar(data: bytes) -> bytes:
    """Return a tar without the ustar magic, as tars were before 1988."""
    made = tarred({"weights": data})
    header = bytearray(made[:512])
    header[257:265] = bytes(8)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + made[512:]


def _escapes() -> Iterator[Case]:
    names = (
        "../outside.txt",
        "a/../../outside.txt",
        "/etc/outside.txt",
        "..\\outside.txt",
        "C:\\outside.txt",
        "C:outside.txt",
        "\\\\host\\share\\outside.txt",
        "a/..\\../outside.txt",
    )
    for name in names:
        yield ESCAPE.case(
            f"zip {name}", "model.zip", zip_of([("a.txt", b"text"), (name, b"text")]), "writes outside when unpacked"
        )
    for name in ("../outside.txt", "/etc/outside.txt", "a/../../outside.txt"):
        yield ESCAPE.case(
            f"tar {name}", "model.tar", tarred({"a.txt": b"text", name: b"text"}), "writes outside when unpacked"
        )
    yield ESCAPE.case(
        "tar.gz", "model.tar.gz", PACKED["gz"](tarred({"../outside.txt": b"text"})), "writes outside when unpacked"
    )
    for name, target in (("link out", "../../outside"), ("absolute link", "/etc/passwd")):
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE):
            yield ESCAPE.case(
                f"{name}, {kind.decode()}", "model.tar", _linked(kind, target), "reads or writes through the link"
            )
    for name in ("../outside.txt", "/etc/outside.txt", "C:\\outside.txt"):
        yield ESCAPE.case(f"7z {name}", "model.7z", seven(name, b"text", "lzma2"), "writes outside when unpacked")
    yield ESCAPE.case(
        "link in a 7z", "model.7z", Seven([("a", b"/etc/passwd")], attributes=0o120777 << 16 | 0x8000).build(),
        "makes a link to a file of the machine",
    )  # fmt: skip
    yield ESCAPE.case("device", "model.tar", tarred({"a": b""}, kind=tarfile.CHRTYPE), "makes a device")
    yield ESCAPE.case("pipe", "model.tar", tarred({"a": b""}, kind=tarfile.FIFOTYPE), "makes a pipe", held=True)
    linked = zip_of([("link", b"/etc/passwd")])
    yield ESCAPE.case(
        "link in a zip", "model.zip",
        put(put(linked, central(linked, "link") + 5, b"\3"), central(linked, "link") + 38, b"\0\0\xff\xa1"),
        "makes a link to a file of the machine",
    )  # fmt: skip


def _linked(kind: bytes, target: str) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        entry = tarfile.TarInfo("a")
        entry.type = kind
        entry.linkname = target
        archive.addfile(entry)
    return made.getvalue()


def _opaque() -> Iterator[Case]:
    encrypted = flagged(zipped({"weights": bytes(range(256))}), 1)
    for name, data in {
        "encrypted.zip": encrypted,
        "tail.zip": zipped({"a.txt": b"text"}) + CODE,
        "gap.zip": gapped(),
        "tail.tar": tarred({"a.txt": b"text"}) + CODE,
        "lzma.zip": zipped({"weights": b"text"}, method=zipfile.ZIP_LZMA),
        "ppmd.7z": seven("weights", CODE, "ppmd"),
        "encrypted.7z": seven("weights", CODE, "aes"),
        "tail.7z": seven("a.txt", b"text") + CODE,
        "between.7z": Seven([("a.txt", b"text")], before=CODE).build(),
        "larger.7z": Seven([("a.txt", b"text" * 9)], "lzma2", more=7).build(),
        "smaller.7z": Seven([("a.txt", b"text" * 9)], "lzma2", more=-7).build(),
        "cut.7z": seven("a.txt", b"text")[:-3],
        "skipped.zst": PACKED["zst"](b"text") + b"\x50\x2a\x4d\x18" + len(CODE).to_bytes(4, "little") + CODE,
        "skipped.lz4": PACKED["lz4"](b"text") + b"\x50\x2a\x4d\x18" + len(CODE).to_bytes(4, "little") + CODE,
        "legacy.lz4": b"\x02\x21\x4c\x18" + bytes(40),
        "broken.7z": b"7z\xbc\xaf\x27\x1c\0\4" + bytes(64),
        "model.rar": b"Rar!\x1a\x07\x01\0" + bytes(64),
        "cut.zip": zipped({"a.txt": b"text"})[:-10],
    }.items():
        yield ARCHIVE.case(name, name, data, "hides content from whoever looks", held=True)


def _bombs() -> Iterator[Case]:
    yield BOMB.case(
        "gzip", "model.gz", lambda: gzip.compress(bytes(90_000_000), 1, mtime=0), "fills memory or disk", held=True
    )
    yield BOMB.case(
        "7z", "model.7z", lambda: seven("a", bytes(90_000_000), "deflate"), "fills memory or disk", held=True
    )
    yield BOMB.case("depth", "model.zip", _deep, "unpacks and unpacks", held=True)
    yield BOMB.case("members", "model.zip", _many, "makes more files than a disk can", held=True)


def _deep() -> bytes:
    data = zipped({"a.txt": b"text"})
    for _ in range(12):
        data = zipped({"a.zip": data})
    return data


def _many() -> bytes:
    """Return a zip whose directory names one member 30,000 times."""
    one = zipped({"a": b""})
    start = one.index(b"PK\1\2")
    entry = one[start : one.index(b"PK\5\6")]
    end = one[one.index(b"PK\5\6") :]
    count = 30_000
    size = (len(entry) * count).to_bytes(4, "little")
    numbers = count.to_bytes(2, "little")
    return one[:start] + entry * count + end[:8] + numbers * 2 + size + end[16:]
