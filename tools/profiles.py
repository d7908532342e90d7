"""Write the lists of pickle globals that other projects keep: ``profiles.py torch|skops|torch-nn|sklearn``.

Run in an environment that has the library; nothing is fetched and nothing unpickled. Each list is data in
``scripts/weighlock/scanners/pickles/profiles``, with its source in its head. ``profiles.py review NAME`` says for a list
which of its classes run code of their own when they are made without arguments and given state: that is what a person
reads before a name goes on a list as ``make``.
"""

# mypy: disable-error-code="import-not-found,import-untyped"
# (the libraries are in environments of their own)

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "scripts" / "weighlock" / "scanners" / "pickles" / "profiles"
HOOKS = ("__new__", "__setstate__", "__del__", "__setattr__", "__hash__", "__eq__", "__getattr__", "__getattribute__")
"""What loading can run of a class that is made without arguments, given state, and used as a key."""

INTERNAL = [
    "sklearn.calibration",
    "sklearn.cluster._birch",
    "sklearn.dummy",
    "sklearn.ensemble._gb_losses",
    "sklearn.ensemble._hist_gradient_boosting.binning",
    "sklearn.ensemble._hist_gradient_boosting.predictor",
    "sklearn.gaussian_process._gpc",
    "sklearn.gaussian_process.kernels",
    "sklearn._loss.link",
    "sklearn._loss.loss",
    "sklearn.metrics._scorer",
    "sklearn.model_selection._split",
    "sklearn.multiclass",
    "sklearn.multioutput",
    "sklearn.neural_network._stochastic_optimizers",
    "sklearn.utils._metadata_requests",
]
"""Modules of scikit-learn whose classes are parts of fitted estimators: kernels, splitters, losses, optimisers."""

Lines = Iterable[str]


def torch() -> Lines:
    """Return what torch itself loads from strangers; one of these calls the function that it is given."""
    from torch._weights_only_unpickler import _get_allowed_globals  # noqa: PLC0415 - there is no public list

    applied = {"torch._tensor._rebuild_from_type_v2"}
    filled = {"collections.OrderedDict", "collections.Counter"}
    for name in _get_allowed_globals():
        yield _line("apply" if name in applied else "dict" if name in filled else "call", name)


def torch_nn() -> Lines:
    """Return the layers of `torch.nn.modules`."""
    import torch.nn.modules as package  # noqa: PLC0415 - only where torch is

    for path in Path(package.__path__[0]).glob("*.py"):
        module = importlib.import_module(f"{package.__name__}.{path.stem}") if path.stem != "__init__" else package
        for name, value in vars(module).items():
            ours = inspect.isclass(value) and value.__module__ == module.__name__
            if ours and issubclass(value, package.Module) and "__new__" not in vars(value):
                yield _line("make", f"{module.__name__}.{name}")


def skops() -> Lines:
    """Return skops' trusted types: estimators are made, dtypes and generators called, functions only named."""
    from skops.io import _trusted_types as trusted  # noqa: PLC0415 - there is no public list

    for name in trusted.SKLEARN_ESTIMATOR_TYPE_NAMES + trusted.SKLEARN_INTERNAL_TYPE_NAMES:
        yield _line("make", name)
    for name in trusted.NUMPY_DTYPE_TYPE_NAMES + trusted.NUMPY_RANDOM_BIT_GENERATOR_TYPE_NAMES:
        yield _line("call", name)
    for name in trusted.NUMPY_UFUNC_TYPE_NAMES + trusted.SCIPY_UFUNC_TYPE_NAMES:
        yield _line("name", name)


def sklearn() -> Lines:
    """Return the classes of those modules of scikit-learn that fitted estimators hold instances of."""
    for name in INTERNAL:
        try:
            module = importlib.import_module(name)
        except ImportError:
            continue  # of an older release
        for member, value in vars(module).items():
            if inspect.isclass(value) and value.__module__ == name and not issubclass(value, BaseException):
                yield _line("make", f"{name}.{member}")


LISTS: Mapping[str, tuple[Callable[[], Lines], str, str]] = {
    "torch": (torch, "torch", "torch._weights_only_unpickler._get_allowed_globals(), BSD-3-Clause"),
    "torch-nn": (torch_nn, "torch", "layers of torch.nn.modules, BSD-3-Clause"),
    "skops": (skops, "skops", "skops.io._trusted_types, MIT"),
    "sklearn-internals": (sklearn, "scikit-learn", "classes of the modules in tools/profiles.py, BSD-3-Clause"),
}


def review(name: str) -> dict[tuple[str, str], list[str]]:
    """Return hook and the class that defines it, to the classes of the list that have it from there."""
    found: dict[tuple[str, str], list[str]] = defaultdict(list)
    for line in (FOLDER / f"{name}.txt").read_text().splitlines():
        words = line.split()
        if not line.startswith("make "):
            continue
        try:
            value = getattr(importlib.import_module(words[1]), words[2])
        except (ImportError, AttributeError):
            found["not in this version", ""].append(words[2])
            continue
        for hook in HOOKS:
            owner = next((base for base in inspect.getmro(value) if hook in vars(base)), object)
            if owner is not object:
                found[hook, f"{owner.__module__}.{owner.__qualname__}"].append(words[2])
    return dict(found)


def _line(use: str, name: str) -> str:
    module, _, member = name.rpartition(".")
    return f"{use} {module} {member}"


def _write(name: str) -> None:
    make, package, source = LISTS[name]
    lines = sorted(set(make()), key=lambda line: line.split()[1:])
    head = [f"# {len(lines)} names of {package} {importlib.metadata.version(package)}: {source}."]
    head.append(f"# Written by tools/profiles.py {name}; do not edit.")
    (FOLDER / f"{name}.txt").write_text("\n".join(head + lines) + "\n")


def main(words: list[str]) -> int:
    """Run the command line; 2 for a wrong call."""
    if len(words) == 2 and words[0] == "review":
        for (hook, owner), names in sorted(review(words[1]).items()):
            sys.stdout.write(f"{hook:<20} {owner}: {len(names)} ({', '.join(sorted(names)[:5])})\n")
        return 0
    if len(words) != 1 or words[0] not in LISTS:
        sys.stderr.write(f"usage: profiles.py {{{','.join(LISTS)}}} | review NAME\n")
        return 2
    _write(words[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
