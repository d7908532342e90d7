"""XML: PMML, OpenVINO, pictures and lists of properties pass, and nothing that declares, fetches or runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judging import judged, reasons
from scanning import scanned
from weighlock.scanners import Verdict

START = b'<?xml version="1.0" encoding="UTF-8"?>\n'
PLIST = b'<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">'
PMML = b'<PMML xmlns="http://www.dmg.org/PMML-4_4" version="4.4"><Header/><Apply function="%b"/></PMML>'
NETWORK = (
    b'<net name="n" version="11"><layers><layer id="0" name="w" type="Const" version="%b">'
    b'<data element_type="f32" shape="2" offset="0" size="8"/></layer></layers></net>'
)

HONEST = {
    "PMML": START + PMML % b"+",
    "OpenVINO": START + NETWORK % b"opset1",
    "picture": b"<svg xmlns='http://www.w3.org/2000/svg'><path d='M0 0'/></svg>",
    "properties": START + PLIST + b"<plist version='1.0'><dict/></plist>",
    "amp": START + b"<a>&amp;&#x41;</a>",
}

ATTACKS: dict[str, tuple[bytes, Verdict, str]] = {
    "entity": (START + b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]><a>&e;</a>', Verdict.UNSAFE, "entities"),
    "parameter": (START + b'<!DOCTYPE a [<!ENTITY % e SYSTEM "http://x/y">%e;]><a/>', Verdict.UNSAFE, "entities"),
    "laughs": (
        START + b'<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;">]><a>&b;</a>', Verdict.UNSAFE, "entities",
    ),
    "fetched type": (START + b'<!DOCTYPE a SYSTEM "http://x/y.dtd"><a/>', Verdict.UNSAFE, "document type"),
    "subset": (START + PLIST.replace(b'dtd">', b'dtd" [<!ELEMENT a ANY>]>') + b"<plist/>", Verdict.UNSAFE, "type of"),
    "stylesheet": (START + b'<?xml-stylesheet href="x.xsl"?><a/>', Verdict.UNSAFE, "a stylesheet"),
    "instruction": (START + b"<?php system('id') ?><a/>", Verdict.UNSCANNED, "instruction for php"),
    "XSLT": (
        START + b'<s:stylesheet xmlns:s="http://www.w3.org/1999/XSL/Transform"/>', Verdict.UNSAFE, "XSLT stylesheet",
    ),
    "inclusion": (
        START + b'<a xmlns:i="http://www.w3.org/2001/XInclude"><i:include href="/x"/></a>', Verdict.UNSAFE, "inclusion",
    ),
    "script": (b"<svg><script>alert(1)</script></svg>", Verdict.UNSAFE, "the element script"),
    "event": (b"<svg onload='alert(1)'/>", Verdict.UNSAFE, "code in an attribute"),
    "reference": (START + b"<a href=' JavaScript:alert(1)'/>", Verdict.UNSAFE, "code in a reference"),
    "PMML function": (START + PMML % b"com.evil.Run", Verdict.REVIEW, "com.evil.Run"),
    "OpenVINO extension": (START + NETWORK % b"extension", Verdict.REVIEW, "layers of extension"),
    "deep": (START + b"<a>" * 300 + b"</a>" * 300, Verdict.UNSCANNED, "too deeply"),
    "cut": (START + b"<a><b>", Verdict.UNSCANNED, "does not parse"),
    "tail": (START + b"<a/><b/>", Verdict.UNSCANNED, "does not parse"),
    "key": (
        START + b"<a>-----BEGIN PRIVATE KEY-----\n" + b"MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg" * 2
        + b"\n-----END PRIVATE KEY-----</a>", Verdict.UNSAFE, "private key",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HONEST)
def test_data_is_safe(name: str) -> None:
    assert judged(HONEST[name])[0] is Verdict.SAFE, reasons(HONEST[name])


@pytest.mark.parametrize("name", ATTACKS)
def test_is_stopped_and_named(name: str) -> None:
    content, verdict, because = ATTACKS[name]
    said = reasons(content)
    assert because in said
    assert judged(content)[0] is verdict, said


@given(st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_what_follows_the_declaration_crashes_nothing(rest: bytes) -> None:
    assert "failed" not in judged(START + b"<a>" + rest)[1]


@pytest.mark.parametrize(("size", "verdict"), [(8, Verdict.SAFE), (9, Verdict.UNSCANNED)])
def test_weights_are_what_the_network_says(size: int, verdict: Verdict, tmp_path: Path) -> None:
    (tmp_path / "model.xml").write_bytes(HONEST["OpenVINO"])
    (tmp_path / "model.bin").write_bytes(b"\xff" * size)
    ledger = scanned(tmp_path)
    assert {row.path: row.verdict for row in ledger.rows} == {"model.bin": verdict, "model.xml": Verdict.SAFE}
