"""What is said, and about what: right signatures over statements that do not help this model."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from forged_releases import TYPES, ForgedRelease, Piece
from stages.forgeries.conftest import Judged, failed, ignored, replaced


def test_a_right_signature_on_another_digest(forged: ForgedRelease, judged: Judged) -> None:
    """The evidence of one model, carried over to another as it is."""
    pieces = forged.pieces()
    for piece in pieces.values():
        for subject in piece.statement["subject"]:
            subject["digest"] = {"sha256": "0" * 64}
    pieces["files"].predicate["oci"] = {"manifest": "sha256:" + "0" * 64}
    forged.hang(*pieces.values())
    assert {"signature", "model-signature", "provenance", "scan"} <= failed(judged(forged)).keys()


def test_a_wrong_predicate_type(forged: ForgedRelease, judged: Judged) -> None:
    replaced(forged, lambda piece: piece.statement.update(predicateType="https://example.org/scan/v1"))
    assert "scan" in failed(judged(forged))


def test_a_type_in_the_annotation_that_the_statement_has_not(forged: ForgedRelease, judged: Judged) -> None:
    """Annotations are nobody's word; CVE-2026-39395 of cosign believed a type that was not the signed one."""
    pieces = forged.pieces()
    scan = pieces.pop("scan")
    scan.statement["predicateType"] = "https://example.org/scan/v1"
    forged.hang(*pieces.values())
    forged.hang_bundles((forged.bundle(scan), TYPES["scan"]))
    assert "scan" in failed(judged(forged))


@pytest.mark.parametrize("where", ["statement", "subject"])
def test_a_field_that_the_specification_does_not_know(forged: ForgedRelease, judged: Judged, where: str) -> None:
    """Go's verifiers refuse it and sigstore-python does not."""

    def change(piece: Piece) -> None:
        (piece.statement if where == "statement" else piece.statement["subject"][0])["size"] = 1

    replaced(forged, change)
    assert "specification does not know" in ignored(judged(forged))


def test_a_field_twice(forged: ForgedRelease, judged: Judged) -> None:
    """One reader takes the first and another the last."""

    def change(piece: Piece) -> None:
        raw = json.dumps(piece.statement)
        piece.how["raw"] = raw.replace('"predicate":', '"predicate": {"result": "FAILED"}, "predicate":').encode()

    replaced(forged, change)
    assert "a key stands twice" in ignored(judged(forged))


def test_only_a_failed_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate.update(result="FAILED", passedTests=[], failedTests=["unsafe-serialization"])

    replaced(forged, change)
    assert "PASSED" in failed(judged(forged))["scan"]


def test_a_passed_scan_with_an_unsafe_row(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["ledger"]["files"][0]["verdict"] = "unsafe"

    replaced(forged, change)
    assert "unsafe" in failed(judged(forged))["scan"]


def test_an_audit_that_found_something(forged: ForgedRelease, judged: Judged) -> None:
    replaced(
        forged, lambda piece: piece.predicate["scanner"].update(result=[{"id": "PYSEC-1", "severity": []}]), "audit"
    )
    assert "audit" in failed(judged(forged))


def test_a_file_added_to_the_layers_after_the_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        rows = piece.predicate["ledger"]["files"]
        piece.predicate["ledger"]["files"] = [row for row in rows if row["path"] != "model.safetensors"]

    replaced(forged, change)
    assert "'model.safetensors' is a layer only" in failed(judged(forged))["closure"]


def test_a_file_changed_after_the_scan(forged: ForgedRelease, judged: Judged) -> None:
    def change(piece: Piece) -> None:
        piece.predicate["ledger"]["files"][0]["sha256"] = "0" * 64

    replaced(forged, change)
    assert "closure" in failed(judged(forged))


@pytest.mark.parametrize("name", ["signature", "files", "provenance", "scan", "audit"])
def test_a_piece_that_is_not_there(forged: ForgedRelease, judged: Judged, name: str) -> None:
    pieces = forged.pieces()
    del pieces[name]
    forged.hang(*pieces.values())
    assert failed(judged(forged))


def test_the_model_signature_alone(forged: ForgedRelease, judged: Judged) -> None:
    """It is about files and not about the manifest, and no scan comes with it."""
    forged.hang(forged.pieces()["files"])
    assert {"signature", "provenance", "scan"} <= failed(judged(forged)).keys()


def sorted_as_text(piece: Piece) -> None:
    before = list(piece.predicate["resources"])
    piece.predicate["resources"].sort(key=lambda item: item["name"])
    assert piece.predicate["resources"] != before


def extra_file(piece: Piece) -> None:
    piece.predicate["resources"].append({"name": "zzz", "algorithm": "sha256", "digest": "0" * 64})


def missing_file(piece: Piece) -> None:
    del piece.predicate["resources"][0]


def two_subjects(piece: Piece) -> None:
    piece.statement["subject"] *= 2


def no_binding(piece: Piece) -> None:
    del piece.predicate["oci"]


@pytest.mark.parametrize("change", [sorted_as_text, extra_file, missing_file, two_subjects, no_binding])
def test_a_model_signature_of_another_shape(
    forged: ForgedRelease, judged: Judged, change: Callable[[Piece], None]
) -> None:
    replaced(forged, change, "files")
    assert "model-signature" in failed(judged(forged))
