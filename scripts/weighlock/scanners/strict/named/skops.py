"""skops: a schema of nodes, each of which names a class to build or a function to hold.

Classes and functions are graded by the lists that grade a pickle's globals, which skops' own trusted types are among.
Source: skops/io/_general.py, _numpy.py, _scipy.py, _sklearn.py of 0.16; CVE-2025-54412, -54413, -54886.
"""

from __future__ import annotations

from weighlock.scanners import Severity
from weighlock.scanners.pickles.globals import Grade, grade
from weighlock.scanners.strict.named import paths
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs, strings

RULE = "skops.schema"

_BUILDING = frozenset(
    [
        *("DictNode", "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "TypeNode", "SliceNode", "ObjectNode"),
        *("JsonNode", "BytesNode", "BytearrayNode", "ConstructorFromReduceNode", "NdArrayNode", "MaskedArrayNode"),
        *(
            "RandomStateNode",
            "RandomGeneratorNode",
            "DTypeNode",
            "SparseMatrixNode",
            "TreeNode",
            "LossNode",
            "CachedNode",
        ),
        "_DictWithDeprecatedKeysNode",
    ]
)
_BINDING = frozenset({"MethodNode", "OperatorFuncNode", "PartialNode", "ReduceNode"})


def look(pairs: Pairs, notes: Notes) -> None:
    """Judge one node."""
    for loader in pairs.strings("__loader__"):
        if loader not in _BUILDING | _BINDING | {"FunctionNode"}:
            notes.gap(f"a skops node of the unknown kind {loader}")
        contents = [value for value in pairs.all("content") if isinstance(value, Pairs)]
        functions = [path for content in contents for path in _joined(content, "module_path", "function")]
        if loader in _BINDING:
            _binding(loader, [*functions, *_joined(pairs, "__module__", "__class__"), *strings(contents)], notes)
        if loader != "MethodNode" and not (loader == "FunctionNode" and functions):
            functions += _joined(pairs, "__module__", "__class__")
        for path in functions:
            _judge(path, notes)


def _binding(loader: str, named: list[str], notes: Notes) -> None:
    worst = Severity.CRITICAL if any(paths.dangerous(path) for path in named) else Severity.REVIEW
    notes.find(RULE, worst, f"a skops node of kind {loader} binds a function or a method to arguments")


def _joined(pairs: Pairs, module: str, name: str) -> list[str]:
    return [f"{path}.{member}" for path in pairs.strings(module) for member in pairs.strings(name)]


def _judge(path: str, notes: Notes) -> None:
    module, _, name = path.rpartition(".")
    if grade(module, name, "pickle") is not Grade.ALLOWED:
        paths.judge(RULE, path, "the skops schema names", (), notes)
