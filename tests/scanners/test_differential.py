"""What CPython's own unpickler would call is never safe: the scan against pickle.py with inert classes.

Nothing is imported and nothing is called: `find_class` returns a class that does nothing but remember.
"""

from __future__ import annotations

import io
import pickle
import warnings
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hostile
from corpus.hostile import truth
from corpus.hostile.arrays import wrapped
from corpus.hostile.assembler import call, literal, named, stream
from corpus.hostile.torches import MAGIC
from weighlock.scanners import Blob, Severity, Verdict
from weighlock.scanners.examine import examine
from weighlock.scanners.pickles.globals import mapped, names_for
from weighlock.scanners.sniff import Sniffer, recognised
from weighlock.scanners.strict import Strict

PARTS = [
    *(
        b"cos\nsystem\n",
        b"ios\nsystem\n",
        b"ccollections\nOrderedDict\n",
        b"\x8c\x02os\x8c\x06system\x93",
        b"ios\nsyst",
    ),
    *(b"(S'id'\ntR.", b"S'id'\n", b'S"x" \n', b"V\\u0041\n", b"X\x02\0\0\0os", b"U\x02os", b"(M'true'\ntR", b"X    "),
    *(
        b"I01\n",
        b"I 7 \n",
        b"I0x1F\n",
        b"I1_0\n",
        b"L5L\n",
        b"F1e5\n",
        b"P1\n",
        b"g0\n",
        b"p0\n",
        b"q\0",
        b"h\0",
        b"rabc\n",
    ),
    *(bytes([code]) for code in b"(0123.NaAbBdeilortsuQR)]}"),
    *(b"\x80\x02", b"\x80\x04", b"\x81", b"\x85", b"\x86", b"\x8f", b"\x90", b"\x91", b"\x92", b"\x94"),
]


class Inert:
    """Stands for any class; takes whatever is done to it."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return object.__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        """Take any arguments."""

    def __setstate__(self, _: Any) -> None:
        """Take any state."""

    def append(self, _: Any) -> None:
        """Take any item."""

    def __setitem__(self, _: Any, __: Any) -> None:
        """Take any item."""


def called(content: bytes) -> list[tuple[str, str]]:
    """Return the globals that the first stream of `content` would call, until it breaks."""
    calls: list[tuple[str, str]] = []

    class Unpickler(pickle._Unpickler):  # the pure one: joblib subclasses it, too
        def find_class(self, module: str, name: str) -> Any:
            def remember(cls: type, *_: Any, **__: Any) -> Any:
                calls.append((module, name))
                return object.__new__(cls)

            return type("Remembering", (Inert,), {"__new__": remember})

        def persistent_load(self, _: Any) -> Any:
            return Inert()

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            Unpickler(io.BytesIO(content), encoding="latin-1").load()
    except Exception:  # noqa: BLE001 - most of these streams break; what they called before is the answer
        return calls
    return calls


def verdict(content: bytes) -> Verdict:
    sniffer = Sniffer()
    sniffer.feed(content)
    blob = Blob("f", recognised(sniffer, lambda: io.BytesIO(content)), len(content), lambda: io.BytesIO(content))
    return examine(blob, [Strict()], Severity.LOW).verdict


@given(st.lists(st.sampled_from(PARTS) | st.binary(max_size=3), max_size=12))
@settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_an_unpickler_would_call_is_not_safe(parts: list[bytes]) -> None:
    content = b"".join(parts)
    foreign = [pair for pair in called(content) if pair[1] and mapped(*pair) not in names_for("pickle")]
    assert not foreign or verdict(content) is not Verdict.SAFE, foreign


def test_the_unpickler_sees_the_classic_call() -> None:
    assert called(hostile.CALL) == [("os", "system")]


WRAPPER = named("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
MORE = [
    wrapped("f4", (3,), bytes(12)),
    wrapped("f4", (3,), b"cos\nsystem.."),
    wrapped("u1", (2,), b".."),
    wrapped("f8", (2, 1), bytes(16), align=True),
    wrapped("O8", (1,), stream(call("os", "system", "true"))),
    wrapped("f4", (3,), b""),
    *(WRAPPER, WRAPPER + b"}b", literal({"shape": (9,)}) + b"b"),
    *(b"\x97", b"\x98", b"\x82\x01", b"\x96\2" + bytes(7) + b"ab", b"\x95\5" + bytes(7)),
    *(stream(call("os", "system", "true")), stream(literal(1)), pickle.dumps(MAGIC, 2)),
]


@given(st.lists(st.sampled_from(PARTS + MORE), max_size=10), st.sampled_from([b"\x80\x02", b"\x80\x03", b"\x80\x05"]))
@settings(max_examples=1000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_joblib_and_c_would_name_is_not_safe(parts: list[bytes], start: bytes) -> None:
    content = start + b"".join(parts)
    words = [event.split(" ", 1) for event in truth.events(content) if event.startswith("name ")]
    foreign = [name for _, name in words if tuple(name.rsplit(".", 1)) not in names_for("pickle")]
    assert not foreign or verdict(content) is not Verdict.SAFE, foreign
