"""What the provenance must say. Pure. Source: SLSA v1, verifying artifacts (build track)."""

from __future__ import annotations

from weighlock import jsonio
from weighlock.config.verify import ProvenanceRules
from weighlock.errors import RefusedError
from weighlock.gate.case import Case, Shown, newest, shown
from weighlock.jsonio import Json
from weighlock.predicates import EXTERNAL_PARAMETERS, OWN_MACHINE, PROVENANCE, PUBLISH, PUBLISH_INPUTS
from weighlock.text import printable

_WHAT = "provenance"


def there(case: Case) -> str:
    """Somebody whom we trust says how this manifest was made."""
    builder, definition = "", Json()
    for item in _newest(case):
        builder, definition = _builder(item), _definition(item)
    commits = [
        item["digest"]["gitCommit"]
        for item in definition.get("resolvedDependencies") or []
        if isinstance(item, dict) and isinstance(item.get("digest"), dict) and "gitCommit" in item["digest"]
    ]
    return f"built by {printable(builder)}" + (f" from commit {printable(str(commits[0]))}" if commits else "")


def builder_signed(case: Case) -> str:
    """The builder that the provenance names is the one whose certificate signed it, or anybody could name a better one."""
    words = "signed by a key, so the builder is its owner's word"
    for item in _newest(case):
        certificate = item.certificate
        if certificate is None:
            continue
        name, vouched = _builder(item), certificate.builder or certificate.identity
        if name == OWN_MACHINE:
            words = "it names no builder but the signer's own machine"
            continue
        if name != vouched:
            raise RefusedError(f"it names the builder {printable(name)}, and {printable(vouched)} signed it")
        words = "it names the builder that signed it"
    return words


def own_machine(case: Case) -> bool:
    """Tell whether the newest provenance names no builder but the signer's own machine, which is build level 1."""
    return any(_builder(item) == OWN_MACHINE for item in _newest(case))


def parameters(case: Case) -> str:
    """Where the build type is one of ours, it has no parameters that we do not know: they may have changed the build."""
    for item in _newest(case):
        definition = _definition(item)
        kind = jsonio.field(definition, "buildType", str, _WHAT)
        known = EXTERNAL_PARAMETERS.get(kind)
        given = jsonio.field(definition, "externalParameters", dict, _WHAT)
        if known is not None and given.keys() - known:
            raise RefusedError(f"it has unknown external parameters: {shown(sorted(given.keys() - known)[:5])}")
        if kind == PUBLISH and (unknown := jsonio.field(given, "inputs", dict, _WHAT).keys() - PUBLISH_INPUTS):
            raise RefusedError(f"it has unknown inputs of publish-model.yml: {shown(sorted(unknown)[:5])}")
    return "no external parameter of our build types is unknown"


def build_type(case: Case, rules: ProvenanceRules) -> str:
    """The build type is one that the policy knows, since only then it is known what its parameters mean."""
    kind = ""
    for item in _newest(case):
        kind = jsonio.field(_definition(item), "buildType", str, _WHAT)
        if kind not in rules.build_types:
            raise RefusedError(f"the build type {printable(kind)} is none of {shown(rules.build_types)}")
    return printable(kind)


def _newest(case: Case) -> list[Shown]:
    statements = case.about(PROVENANCE)
    if not statements:
        raise RefusedError("no provenance by the pinned identity is about this digest")
    return newest(statements)


def _definition(item: Shown) -> Json:
    definition = jsonio.field(dict(item.statement.predicate), "buildDefinition", dict, _WHAT)
    jsonio.field(definition, "buildType", str, _WHAT)
    return definition


def _builder(item: Shown) -> str:
    details = jsonio.field(dict(item.statement.predicate), "runDetails", dict, _WHAT)
    return jsonio.field(jsonio.field(details, "builder", dict, _WHAT), "id", str, "provenance builder")
