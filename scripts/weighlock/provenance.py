"""The provenance statement: what ran, what the model was made of, and all that it covers.

Which run it was, a certificate authority vouches for where one does; see `source`. Sources: SLSA provenance v1, in-toto
attestation framework v1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighlock import alongside, clock, jsonio, lineage, predicates
from weighlock.config import ModelEntry
from weighlock.errors import InputError, MalformedError
from weighlock.intoto import Statement, Subject, resource, subjects
from weighlock.jsonio import Json, canonical
from weighlock.oci import Digest
from weighlock.predicates import PROVENANCE, PUBLISH_INPUTS, TEST_RESULT, VULNERABILITIES, Build
from weighlock.text import printable


@dataclass(frozen=True, slots=True)
class Told:
    """What nobody could find out by himself of how a model was made."""

    dependencies: tuple[Json, ...] = ()
    parameters: Json | None = None
    """Hyperparameters, as a resource."""
    beside: tuple[Subject, ...] = ()
    """What else the statement covers."""
    inputs: Json | None = None
    """All inputs of the reusable workflow that builds."""


def told(  # noqa: PLR0913 - one for each input
    *,
    base_models: Sequence[str] = (),
    datasets: Sequence[str] = (),
    parameters: Path | None = None,
    paths: Sequence[str] = (),
    checksums: Path | None = None,
    images: Sequence[str] = (),
    listed: Path | None = None,
    external: str = "",
    entry: ModelEntry | None = None,
) -> Told:
    """Read and weigh what the inputs of a stage name; `InputError` says what is wrong before anything is written."""
    return Told(
        (*lineage.dependencies(base_models, datasets), *(lineage.declared(entry) if entry else ())),
        lineage.parameters(parameters) if parameters else None,
        alongside.gather(paths, checksums, images, listed),
        _inputs(external) if external else None,
    )


def statement(
    manifest: Subject,
    files: Mapping[str, Digest],
    build: Build,
    told: Told,
    results: Sequence[tuple[str, Json]],
    *,
    started: str,
) -> Statement:
    """Return the statement: the manifest first, what was built beside it, and as many of its files as there is room for.

    `results` are predicate types and predicates that were attested of the same files. With the files among the
    subjects, one of them can be verified alone.
    """
    byproducts = [*_byproducts(results), *([told.parameters] if told.parameters else [])]
    build = Build(
        build.build_type,
        build.builder,
        build.external,
        build.internal,
        (*build.dependencies, *told.dependencies),
        build.invocation,
    )
    about = [(item.name, item.digest) for item in (manifest, *told.beside)]
    predicate = predicates.provenance(build, started=started, finished=clock.now(), byproducts=byproducts)
    return Statement(subjects(*about, files=list(files.items())), PROVENANCE, predicate)


def _byproducts(results: Sequence[tuple[str, Json]]) -> list[Json]:
    """Describe ledger and audit result, by the canonical JSON of what lasts of them."""
    described = []
    for kind, predicate in results:
        if kind == TEST_RESULT:
            described.append(resource("scan-ledger", Digest.of(canonical(predicate["ledger"]))))
        if kind == VULNERABILITIES:
            lasting = predicates.lasting(kind, predicate)
            described.append(resource("audit-result", Digest.of(canonical(lasting))))
    return described


def _inputs(text: str) -> Json:
    """Read the inputs of publish-model.yml; one that is empty was not given."""
    try:
        given = jsonio.parse(text, "external-parameters")
    except MalformedError as error:
        raise InputError(error.what) from None
    known = {name: value for name, value in given.items() if value not in ("", None)}
    if unknown := sorted(given.keys() - PUBLISH_INPUTS):
        raise InputError(
            f"external-parameters: '{printable(unknown[0])}' is no input of publish-model.yml",
            remedy="Only that workflow gives them; leave them out.",
        )
    if not all(isinstance(value, (str, bool)) for value in known.values()):
        raise InputError("external-parameters: a value is neither text nor true or false")
    return known
