from __future__ import annotations

from collections.abc import Callable, Sequence

from weighlock.auditing import Dependency, Origin, Package, Requirement, Unresolved
from weighlock.auditing.resolving import resolve


class Solver:
    """A resolver that fails where `fault` finds one, and else takes version 1 of everything."""

    def __init__(self, fault: Callable[[Sequence[str]], Unresolved | None]) -> None:
        self.fault = fault
        self.asked: list[tuple[str, ...]] = []

    def resolve(self, requirements: Sequence[str], constraints: Sequence[str]) -> tuple[Package, ...] | Unresolved:
        self.asked.append(tuple(requirements))
        found = tuple(Package(Dependency(text.split("=")[0], text.split("=")[-1])) for text in requirements)
        return self.fault(requirements) or found


def requirements(*texts: str) -> list[Requirement]:
    return [
        Requirement(text.split("=")[0], text, Origin("r.txt", line), text.partition("==")[2] or None)
        for line, text in enumerate(texts, 1)
    ]


def without(bad: str, *names: str) -> Callable[[Sequence[str]], Unresolved | None]:
    return lambda texts: Unresolved("no wheel", frozenset(names)) if bad in texts else None


def test_the_whole_set_is_asked_once() -> None:
    solver = Solver(lambda texts: None)
    assert len(resolve(requirements("a==1", "b==2"), [], solver).packages) == 2
    assert solver.asked == [("a==1", "b==2")]


def test_the_one_at_fault_is_left_out_and_the_rest_resolved() -> None:
    solver = Solver(without("bad==3", "bad"))
    found = resolve(requirements("a==1", "bad==3", "b==2"), [], solver)
    assert [(gap.requirement, str(gap.origin)) for gap in found.unaudited] == [("bad==3", "r.txt:2")]
    assert solver.asked == [("a==1", "bad==3", "b==2"), ("bad==3",), ("a==1", "b==2")]
    assert Dependency("bad", "3") in {package.dependency for package in found.packages}  # pinned, so still asked about


def test_a_fault_that_the_resolver_does_not_name_is_found_one_by_one() -> None:
    for named in [(), ("a",)]:
        found = resolve(requirements("a==1", "bad", "b==2"), [], Solver(without("bad", *named)))
        assert [gap.requirement for gap in found.unaudited] == ["bad"]
        assert {package.dependency.name for package in found.packages} == {"a", "b"}


def test_a_conflict_makes_both_unaudited_and_hides_neither() -> None:
    def conflict(texts: Sequence[str]) -> Unresolved | None:
        return Unresolved("conflict", frozenset({"a"})) if {"a==1", "a==2"} <= set(texts) else None

    found = resolve(requirements("a==1", "b==1", "a==2"), [], Solver(conflict))
    assert [gap.requirement for gap in found.unaudited] == ["a==1", "a==2"]
    assert "together" in found.unaudited[0].reason
    assert len(found.packages) == 3


def test_what_cannot_be_told_makes_all_unaudited() -> None:
    found = resolve(requirements("a", "b"), [], Solver(lambda texts: Unresolved("odd") if len(texts) > 1 else None))
    assert [gap.requirement for gap in found.unaudited] == ["a", "b"]


def test_a_single_failure_is_not_asked_twice() -> None:
    solver = Solver(without("bad"))
    assert len(resolve(requirements("bad"), [], solver).unaudited) == 1
    assert solver.asked == [("bad",)]


def test_nothing_is_resolved_without_a_question() -> None:
    solver = Solver(lambda texts: None)
    assert not resolve([], [], solver).packages
    assert not solver.asked


def test_a_package_from_a_url_is_unaudited_though_its_name_is_asked_about() -> None:
    class Direct:
        def resolve(self, requirements: Sequence[str], constraints: Sequence[str]) -> tuple[Package, ...]:
            return Package(Dependency("a", "1"), ("b",)), Package(Dependency("b", "2"), direct=True)

    found = resolve(requirements("a"), [], Direct())
    assert [gap.requirement for gap in found.unaudited] == ["b 2"]
    assert len(found.packages) == 2
