"""`in-toto-attestation` parses our statements as strictly as the verifiers that are written in Go."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from releasing import Released

PROGRAM = """\
import json, sys
from google.protobuf import json_format
from in_toto_attestation.v1.statement_pb2 import Statement

def judge(text):
    try:
        json_format.Parse(text, Statement())
    except json_format.ParseError as error:
        return str(error)

json.dump([judge(text) for text in json.load(sys.stdin)], sys.stdout)
"""

Judge = Callable[[Sequence[str]], "list[str | None]"]


@pytest.fixture
def judge(oracle: Callable[[str], str]) -> Judge:
    """Return a function from statements to what is wrong with each, None where nothing is."""
    python = oracle("bin/python")

    def run(statements: Sequence[str]) -> list[str | None]:
        done = subprocess.run(
            [python, "-I", "-c", PROGRAM], input=json.dumps(statements).encode(), capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        verdicts: list[str | None] = json.loads(done.stdout)
        return verdicts

    return run


@pytest.fixture
def statements(released: Released) -> list[Any]:
    envelopes = [json.loads(bundle)["dsseEnvelope"] for bundle in released.bundles()]
    return [json.loads(base64.b64decode(envelope["payload"])) for envelope in envelopes]


def test_it_parses_every_statement_of_a_release(judge: Judge, statements: list[Any]) -> None:
    assert len(statements) == 5
    assert judge([json.dumps(statement) for statement in statements]) == [None] * len(statements)


def test_it_is_strict(judge: Judge, statements: list[Any]) -> None:
    for statement in statements:
        first = statement["subject"][0]
        wrong: list[dict[str, Any]] = [
            {"more": 1},
            {"subject": [{**first, "size": 1}]},
            {"subject": first},
            {"predicate": "PASSED"},
        ]
        assert None not in judge([json.dumps({**statement, **change}) for change in wrong])
