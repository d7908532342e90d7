"""How two versions of ``weighlock.yml`` differ: what lets more pass first, since that is what a reviewer has to see. Pure.

Both are compared as parsed, so that a line that moved is no change. An identity with one field less is one that came and
one that went: nobody has to find out which of two is the stricter.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import fields

from weighlock.config import Config, ModelEntry, ScanPolicy, VerifyPolicy
from weighlock.config.effects import (
    Change,
    Effect,
    age,
    chosen,
    demanded,
    granted,
    moved,
    severity,
    switched,
    versions,
    waived,
)
from weighlock.config.verify import Rules, Trusted
from weighlock.scanners.pickles.profiles import DEFAULT

_WAIVED = ("refuse", "unexpired", "accept")
"""What a verification makes of waived findings, the strictest first."""


def between(before: Config, after: Config, changed: Collection[str] = ()) -> tuple[Change, ...]:
    """Return what is different, looser first. `changed` are changed files: a key may be another one under its old name."""
    old, new = (
        {f"{item.vulnerability} in {item.package}": item for item in side.audit.waivers} for side in (before, after)
    )
    found = [
        *_scan(before.scan, after.scan),
        *waived("audit.waivers", old, new),
        *_verify(before.verify, after.verify),
        *_keys(before.verify, after.verify, changed),
        *_models(before.models, after.models),
    ]
    return tuple(sorted(found, key=lambda change: change.effect))


def _scan(before: ScanPolicy, after: ScanPolicy) -> Iterator[Change]:
    old, new = ({f"{item.rule} in sha256:{item.digest.hex}": item for item in side.waivers} for side in (before, after))
    yield from waived("scan.waivers", old, new)
    yield from severity("scan.fail-on", before.fail_on, after.fail_on)
    yield from switched("scan.review passes", before.review_passes, after.review_passes, on=Effect.LOOSER)
    profiles = (DEFAULT if side.profiles is None else side.profiles for side in (before, after))
    yield from granted("scan.profiles", *profiles)
    yield from granted("scan.globals", before.globals, after.globals)


def _verify(before: VerifyPolicy | None, after: VerifyPolicy | None) -> Iterator[Change]:
    if before is None and after is not None:
        yield Change(Effect.STRICTER, "verify", f"new, trusts {', '.join(map(_who, after.trusted))}")
    elif before is not None and after is None:
        yield Change(Effect.LOOSER, "verify", "gone: nothing says any more whom a verification trusts")
    elif before is not None and after is not None:
        yield from _trusted("verify", before.trusted, after.trusted)
        yield from _rules("verify", before.rules, after.rules)
        yield from demanded("verify.follow", before.follow, after.follow)
        for role in sorted(before.follow.keys() & after.follow.keys()):
            where, old, new = f"verify.follow.{role}", before.follow[role], after.follow[role]
            yield from _trusted(where, old.trusted, new.trusted)
            yield from _rules(where, old.rules, new.rules)
            yield from moved(f"{where}.depth", old.depth, new.depth, looser=new.depth < old.depth)


def _rules(where: str, before: Rules, after: Rules) -> Iterator[Change]:
    yield from severity(f"{where}.scan.fail-on", before.scan.fail_on, after.scan.fail_on)
    words = before.scan.waived, after.scan.waived
    yield from moved(f"{where}.scan.waived", *words, looser=_WAIVED.index(words[1]) > _WAIVED.index(words[0]))
    yield from versions(f"{where}.scan.engines", before.scan.engines, after.scan.engines)
    for name in ("scan", "audit", "provenance", "evaluation"):
        yield from age(f"{where}.{name}.max-age", getattr(before, name).max_age, getattr(after, name).max_age)
    yield from switched(f"{where}.audit.required", before.audit.required, after.audit.required, on=Effect.STRICTER)
    yield from switched(f"{where}.audit.waived passes", before.audit.waived, after.audit.waived, on=Effect.LOOSER)
    old, new = ({item.id: item for item in side.audit.allowed} for side in (before, after))
    yield from waived(f"{where}.audit.allow", old, new)
    yield from chosen(f"{where}.provenance.build-types", before.provenance.build_types, after.provenance.build_types)
    yield from chosen(f"{where}.licences", before.licences, after.licences)
    thresholds = (map(str, side.evaluation.thresholds) for side in (before, after))
    yield from demanded(f"{where}.evaluation.thresholds", *thresholds)
    yield from demanded(f"{where}.evidence", before.evidence, after.evidence)


def _trusted(where: str, before: Iterable[Trusted], after: Iterable[Trusted]) -> Iterator[Change]:
    yield from granted(f"{where}.trusted", map(_who, before), map(_who, after))


def _who(item: Trusted) -> str:
    """Return an identity with all that it asks for; two that are not equal have not the same words."""
    pins = [f"{name} {value}" for name, value in item.pins().items()] or [f"key {_name(item)}"]
    return ", ".join([*pins, *([f"slsa-level {item.level}"] if item.level > 1 else [])])


def _name(item: Trusted) -> str:
    return posixpath.normpath(item.key.as_posix()) if item.key else ""


def _keys(before: VerifyPolicy | None, after: VerifyPolicy | None, changed: Collection[str]) -> Iterator[Change]:
    """Name keys that stay trusted by their name while what is in the file is not the same."""
    old, new = ({_name(item) for item in _identities(side)} for side in (before, after))
    for name in sorted(old & new & set(changed)):
        yield Change(Effect.LOOSER, f"the trusted key {name}", "the file holds another key than before, or is gone")


def _identities(policy: VerifyPolicy | None) -> Iterator[Trusted]:
    if policy:
        yield from policy.trusted
        yield from (item for follow in policy.follow.values() for item in follow.trusted)


def _models(before: Iterable[ModelEntry], after: Iterable[ModelEntry]) -> Iterator[Change]:
    """Compare the entries by name. A model that is not listed is still found by its files, where they look like one."""
    old, new = ({item.name: _entry(item) for item in side} for side in (before, after))
    for name in [*new, *(name for name in old if name not in new)]:
        if name not in new:
            yield Change(Effect.LOOSER, f"models: {name}", f"gone, was {old[name]['path']}")
        elif name not in old:
            yield Change(Effect.DIFFERENT, f"models: {name}", f"new, {new[name]['path']}")
        for key in [key for key in _FIELDS if name in old and name in new and old[name][key] != new[name][key]]:
            sides = (side[name][key] or "not said" for side in (old, new))
            yield Change(Effect.DIFFERENT, f"models: {name}: {key}", " → ".join(sides))


_FIELDS = tuple(field.name for field in fields(ModelEntry) if field.name not in {"name", "where"})


def _entry(item: ModelEntry) -> Mapping[str, str]:
    return {key: _words(getattr(item, key)) for key in _FIELDS}


def _words(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    parts = [getattr(value, name) for name in ("name", "uri", "digest") if hasattr(value, name)] or [value]
    return " ".join(str(part) for part in parts if part is not None)
