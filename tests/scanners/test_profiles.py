"""Profiles: what each listed global may be used for, and what is on no list."""

from __future__ import annotations

import io
from itertools import combinations

import pytest

from corpus.hostile.assembler import call, named, state, stream
from weighlock.scanners import Severity
from weighlock.scanners.pickles.profiles import DEFAULT, INNER, Use, allowed, known, profile
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pickle import judge

PROFILES = sorted(known() | {INNER})
RIDGE = named("sklearn.linear_model._ridge", "Ridge")
LOGARITHM = named("numpy", "log1p")


def reasons(body: bytes) -> str:
    notes = Notes()
    judge("pickle", io.BytesIO(stream(body)), notes)
    assert {finding.severity for finding in notes.findings} <= {Severity.REVIEW}
    return "; ".join([finding.message for finding in notes.findings] + notes.gaps)


def test_the_default_ones_are_there() -> None:
    assert set(DEFAULT) <= known()


@pytest.mark.parametrize("name", PROFILES)
def test_says_where_its_names_come_from(name: str) -> None:
    assert profile(name)


@pytest.mark.parametrize("pair", list(combinations(PROFILES, 2)), ids="-".join)
def test_agree_on_what_a_name_may_do(pair: tuple[str, str]) -> None:
    first, second = (profile(name) for name in pair)
    assert {
        name: (first[name], second[name]) for name in first if first[name] is not second.get(name, first[name])
    } == {}


@pytest.mark.parametrize(
    "name",
    [
        "builtins.getattr",
        "builtins.map",
        "builtins.type",
        "functools.partial",
        "operator.attrgetter",
        "pathlib.Path",
        "numpy.load",
        "numpy.frompyfunc",
        "numpy.vectorize",
        "joblib.load",
        "joblib.memory.Memory",
        "joblib.numpy_pickle.NDArrayWrapper",
        "joblib.numpy_pickle_compat.ZNDArrayWrapper",
        "pandas.read_pickle",
        "pandas.eval",
        "torch.load",
        "torch.storage._load_from_bytes",
        "torch.jit.load",
        "sklearn.datasets._base.load_files",
    ],
)
def test_what_loads_runs_or_reaches_further_is_on_no_list(name: str) -> None:
    module, _, member = name.rpartition(".")
    assert [each for each in PROFILES if (module, member) in profile(each)] == []


def test_an_estimator_is_made_and_given_state() -> None:
    assert reasons(state(RIDGE + b")\x81", {"alpha": 1.0})) == ""


@pytest.mark.parametrize(
    "body",
    [RIDGE + b")R", RIDGE + b"K\x01\x85\x81", RIDGE + b"K\x01\x85R", RIDGE + b")}\x92"],
    ids=["called", "made with arguments", "called with arguments", "made with keywords"],
)
def test_an_estimator_is_never_called(body: bytes) -> None:
    assert "with arguments" in reasons(body)


def test_a_function_is_held_but_not_called() -> None:
    transformer = named("sklearn.preprocessing._function_transformer", "FunctionTransformer")
    assert reasons(transformer + b")\x81}U\x04func" + LOGARITHM + b"sb") == ""
    assert "not to call" in reasons(LOGARITHM + b"K\x01\x85R")


@pytest.mark.parametrize(
    "body",
    [
        named("collections", "defaultdict") + LOGARITHM + b"\x85R",
        named("numpy.random._pickle", "__randomstate_ctor") + b"U\x01x" + LOGARITHM + b"\x86R",
        named("torch._tensor", "_rebuild_from_type_v2") + b"(" + LOGARITHM + b")tR",
        named("copyreg", "_reconstructor") + b"(" + RIDGE + RIDGE + b"NtR",
    ],
    ids=["defaultdict", "random state", "tensor of a type", "reconstructor"],
)
def test_what_calls_its_arguments_is_given_nothing_that_is_only_held(body: bytes) -> None:
    assert "not to call" in reasons(body)


def test_arguments_are_there_to_be_read() -> None:
    assert "computed" in reasons(named("collections", "defaultdict") + call("builtins", "tuple") + b"R")


def test_no_state_is_put_onto_what_may_be_anything() -> None:
    made = named("torch._tensor", "_rebuild_from_type_v2") + b"(" + named("builtins", "object") + b")tR"
    assert "no plain instance" in reasons(made + b"}b")


def test_a_policy_adds_names() -> None:
    names = allowed(["python"], ["my.package.Model"])
    assert names["my.package", "Model"] is Use.CALL
    assert ("numpy", "ndarray") not in names


def test_a_class_that_a_policy_adds_may_be_a_dict() -> None:
    notes = Notes(names=allowed(["python"], ["my.package.Words"]))
    judge("pickle", io.BytesIO(stream(call("my.package", "Words") + b"U\x01aK\x01s")), notes)
    assert [finding.severity for finding in notes.findings] == [Severity.REVIEW]


def test_a_profile_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        allowed(["nowhere"])
    assert INNER not in known()
