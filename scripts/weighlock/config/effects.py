"""What a change of a policy does to what passes: one function for each kind of rule, each of which knows the looser side. Pure."""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from weighlock import jsonio
from weighlock.errors import MalformedError
from weighlock.jsonio import Json
from weighlock.scanners import Severity


class Effect(enum.IntEnum):
    """What a change does to what passes; the names are those of the wire form, in lower case."""

    LOOSER = 0
    DIFFERENT = 1
    """Nobody but a person can say."""
    STRICTER = 2


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that the policy says otherwise. Both texts quote the policy, which may come from anybody."""

    effect: Effect
    what: str
    detail: str = ""

    def to_json(self) -> Json:
        """Return the wire form."""
        return {"effect": self.effect.name.lower(), "what": self.what, "detail": self.detail}


class Waiver(Protocol):
    """What somebody answers for, until a day."""

    @property
    def reason(self) -> str:
        """Return why."""

    @property
    def expires(self) -> dt.date:
        """Return the last day."""


def read(content: Json, what: str) -> Change:
    """Read a change back; `MalformedError` for anything else."""
    effect = jsonio.field(content, "effect", str, what)
    if effect not in {item.name.lower() for item in Effect}:
        raise MalformedError(f"{what}: a change of the policy has no such effect")
    said, detail = (jsonio.field(content, name, str, what) for name in ("what", "detail"))
    return Change(Effect[effect.upper()], said, detail)


def moved(name: str, before: object, after: object, *, looser: bool) -> Iterator[Change]:
    """Compare one value; the caller knows whether the new one lets more pass."""
    if before != after:
        yield Change(Effect.LOOSER if looser else Effect.STRICTER, f"{name}: {before} → {after}")


def switched(name: str, before: bool, after: bool, *, on: Effect) -> Iterator[Change]:  # noqa: FBT001 - two sides
    """Compare a switch; `on` is what it does to turn it on."""
    words = {True: "yes", False: "no"}
    yield from moved(name, words[before], words[after], looser=after == (on is Effect.LOOSER))


def severity(name: str, before: Severity | None, after: Severity | None) -> Iterator[Change]:
    """Compare the lowest severity that fails; None leaves it to others."""
    words = [side.name.lower() if side is not None else "not said" for side in (before, after)]
    yield from moved(name, *words, looser=after is None or (before is not None and after > before))


def age(name: str, before: int | None, after: int | None) -> Iterator[Change]:
    """Compare an oldest age in days; None is any."""
    words = [f"{side} days" if side is not None else "any" for side in (before, after)]
    yield from moved(name, *words, looser=after is None or (before is not None and after > before))


def granted(name: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Change]:
    """Compare things each of which lets more pass."""
    old, new = set(before), set(after)
    yield from (Change(Effect.LOOSER, f"{name}: {item}", "new") for item in sorted(new - old))
    yield from (Change(Effect.STRICTER, f"{name}: {item}", "gone") for item in sorted(old - new))


def demanded(name: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Change]:
    """Compare things each of which has to be there."""
    old, new = set(before), set(after)
    yield from (Change(Effect.LOOSER, f"{name}: {item}", "gone") for item in sorted(old - new))
    yield from (Change(Effect.STRICTER, f"{name}: {item}", "new") for item in sorted(new - old))


def chosen(name: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Change]:
    """Compare lists of which one has to be met; an empty list asks for nothing."""
    old, new = sorted({*before}), sorted({*after})
    if bool(old) == bool(new):
        yield from granted(name, old, new)
        return
    yield from moved(name, ", ".join(old) or "any", ", ".join(new) or "any", looser=not new)


def versions(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    """Compare the lowest versions of what has to be there."""
    yield from demanded(name, before, after)
    for item in sorted(before.keys() & after.keys()):
        old, new = (tuple(map(int, side[item].split("."))) for side in (before, after))
        yield from moved(f"{name}: {item}", before[item], after[item], looser=new < old)


def waived(name: str, before: Mapping[str, Waiver], after: Mapping[str, Waiver]) -> Iterator[Change]:
    """Compare waivers by what they answer for; a later last day lets more pass."""
    for what, new in after.items():
        old = before.get(what)
        if old is None:
            yield Change(Effect.LOOSER, f"{name}: {what}", f"new, {_answer(new)}")
        elif _answer(old) != _answer(new):
            effect = Effect.LOOSER if new.expires > old.expires else Effect.STRICTER
            effect = Effect.DIFFERENT if new.expires == old.expires else effect
            yield Change(effect, f"{name}: {what}", f"was {_answer(old)}; is {_answer(new)}")
    yield from (Change(Effect.STRICTER, f"{name}: {what}", "gone") for what in before if what not in after)


def _answer(waiver: Waiver) -> str:
    """Return the day first: a long reason must not push it out of sight."""
    owner = getattr(waiver, "owner", "")
    return f"until {waiver.expires}{f', {owner}' if owner else ''}: {waiver.reason}"
