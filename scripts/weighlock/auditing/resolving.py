"""Finding the releases behind the requirements, and where that fails, which requirement is at fault.

The whole set is resolved at once, as an installer would do it, pins and digests or not: only so is every transitive
dependency seen. Where there is no solution, requirements that fail alone are unaudited, and the rest is resolved
without them; requirements that only fail together are unaudited as well, but what each of them brings is audited.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from weighlock.auditing import Dependency, Package, Requirement, Resolver, Unaudited, Unresolved

Solution = tuple[Package, ...] | Unresolved


@dataclass(slots=True)
class Resolution:
    """All releases found (a name may stand there in two versions after a conflict), and what has no solution."""

    packages: list[Package] = field(default_factory=list)
    unaudited: list[Unaudited] = field(default_factory=list)


def resolve(requirements: Sequence[Requirement], constraints: Sequence[Requirement], resolver: Resolver) -> Resolution:
    """Resolve all requirements; each round with a failure takes at least one of them out, so it ends."""
    resolution = Resolution()
    limits = [item.text for item in constraints]
    rest = list(requirements)
    while rest:
        together = resolver.resolve([item.text for item in rest], limits)
        if not isinstance(together, Unresolved):
            resolution.packages += together
            break
        for item, alone in _faulty(rest, together, lambda item: resolver.resolve([item.text], limits)):
            _leave_out(item, alone, together, resolution)
            rest.remove(item)
    resolution.packages = list(dict.fromkeys(resolution.packages))
    resolution.unaudited += [
        Unaudited(str(package.dependency), "a wheel asks for it by URL, which no index vouches for: replace that wheel")
        for package in resolution.packages
        if package.direct
    ]
    return resolution


def _faulty(
    rest: list[Requirement], together: Unresolved, alone: Callable[[Requirement], Solution]
) -> list[tuple[Requirement, Solution]]:
    """Return what to leave out, with what it gives alone: what fails alone, else what the resolver names, else all."""
    if len(rest) == 1:
        return [(rest[0], together)]
    named = [(item, alone(item)) for item in rest if item.name in together.names]
    failing = [pair for pair in named if isinstance(pair[1], Unresolved)]
    if failing or len(named) > 1:
        return failing or named
    others = [(item, alone(item)) for item in rest if item.name not in together.names]
    return [pair for pair in others if isinstance(pair[1], Unresolved)] or named + others


def _leave_out(item: Requirement, alone: Solution, together: Unresolved, resolution: Resolution) -> None:
    if isinstance(alone, Unresolved):
        words = f"{alone.reason} (a source distribution is not built here, since that runs its code)"
        # Of a pinned release the dependencies stay unknown; its own vulnerabilities need not.
        resolution.packages += [Package(Dependency(item.name, item.pin))] if item.pin else []
    else:
        words = f"it cannot be installed together with the others: {together.reason}"
        resolution.packages += alone
    resolution.unaudited.append(Unaudited(item.text, words, item.origin))
