"""What commands print with --json keeps its shape: the schemas that ship with the package, held against real output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from commands import SCRIPTS, Keys, weighlock

SCHEMAS = SCRIPTS / "weighlock" / "schemas"
NAMES = sorted(path.stem for path in SCHEMAS.glob("*.json"))


def check(name: str, document: Any) -> None:
    jsonschema.validate(document, json.loads((SCHEMAS / f"{name}.json").read_text()))


@pytest.mark.parametrize("name", NAMES)
def test_each_schema_is_one_and_refuses_nothing(name: str) -> None:
    document = json.loads((SCHEMAS / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(document)
    with pytest.raises(jsonschema.ValidationError):
        check(name, {})


def test_scan_release_and_verify_print_what_their_schemas_say(model: Path, keys: Keys, tmp_path: Path) -> None:
    to = f"oci:{tmp_path}/out:v1"
    check("ledger", weighlock("scan", model, "--json").json)
    check("release", weighlock("release", model, "--to", to, "--key", keys.private, "--json").json)
    check("verify", weighlock("verify", to, "--key", keys.public, "--json").json)


def test_a_refusal_has_the_same_shape(model: Path, keys: Keys, other_keys: Keys, tmp_path: Path) -> None:
    to = f"oci:{tmp_path}/out:v1"
    weighlock("release", model, "--to", to, "--key", keys.private)
    check("verify", weighlock("verify", to, "--key", other_keys.public, "--json").json)
    (model / "mystery").write_bytes(bytes(range(256)))
    check("ledger", weighlock("scan", model, "--json").json)
    refused = weighlock("release", model, "--to", to, "--key", keys.private, "--json")
    assert refused.code == 1
    check("release", refused.json)
    assert refused.json["problems"][0]["path"] == "mystery"
