"""TorchScript source inside an archive: parsed to a syntax tree, never compiled or run.

It is a program for torch's own interpreter, not for Python's: it can only call what torch registers, functions of the
same archive, and a few builtins of the language. Among torch's operators those that compute on tensors cannot reach
outside; those that touch files or processes are refused by the words in their names, over a closed set (``torch.*``,
which is ``aten``, ``ops.prim``, ``ops.aten``, ``ops.quantized``). Understood means: only listed kinds of statements,
every name that is called is one of these, and no operator of another library. Everything else is a gap; an operator
that reads or writes files is a finding.

Source: torch/csrc/jit/serialization/python_print.cpp, which writes this language, and source_importer in import_source.cpp.
"""

from __future__ import annotations

import ast
from typing import BinaryIO

from weighlock.scanners import Blob, Severity
from weighlock.scanners.reading import UnclearError
from weighlock.scanners.strict import text
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.syntax import parsed

LIMIT = 2 * 1024 * 1024  # bytes of one source file

_NODES: tuple[type[ast.AST], ...] = (
    ast.Module, ast.ClassDef, ast.FunctionDef, ast.arguments, ast.arg, ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr,
    ast.If, ast.While, ast.For, ast.Return, ast.Pass, ast.Break, ast.Continue, ast.With, ast.withitem, ast.Call, ast.keyword,
    ast.Attribute, ast.Name, ast.Constant, ast.List, ast.Tuple, ast.Dict, ast.Subscript, ast.Slice, ast.IfExp, ast.UnaryOp,
    ast.BinOp, ast.Compare, ast.BoolOp, ast.Starred, ast.expr_context, ast.operator, ast.unaryop, ast.cmpop, ast.boolop,
)  # fmt: skip
_BUILTINS = frozenset(
    [
        "bool",
        "int",
        "float",
        "complex",
        "str",
        "len",
        "range",
        "list",
        "dict",
        "tuple",
        "getattr",
        "isinstance",
        "unchecked_cast",
        "uninitialized",
        "annotate",
        "print",
        "min",
        "max",
        "abs",
        "round",
        "sum",
        "any",
        "all",
        "sorted",
        "zip",
        "enumerate",
        "hasattr",
        "ord",
        "chr",
        "hex",
        "oct",
        "bin",
        "divmod",
        "unchecked_unwrap_optional",
        "device",
        "fork",
        "wait",
        "awaitable",
        "awaitable_wait",
        "awaitable_nowait",
        "awaitable_wait",
        "super",
        "reversed",
        "iter",
    ]
)
_OPERATORS = frozenset({"prim", "aten", "quantized"})
_OUTSIDE = frozenset(
    [
        "file",
        "files",
        "save",
        "load",
        "open",
        "read",
        "write",
        "rpc",
        "remote",
        "python",
        "socket",
        "ipc",
        "url",
        "path",
        "import",
        "eval",
        "exec",
        "system",
        "library",
        "pickle",
        "unpickle",
        "serialize",
        "deserialize",
        "mmap",
        "shell",
        "process",
        "subprocess",
        "store",
    ]
)


def torchscript(blob: Blob, stream: BinaryIO, notes: Notes) -> None:
    """Judge one source file of an archive."""
    if blob.size > LIMIT:
        raise UnclearError(f"TorchScript source of {blob.size} bytes, the limit is {LIMIT}")
    source = stream.read()
    stream.seek(0)
    text.text(blob, stream, notes)
    tree = parsed(source, "exec", "the TorchScript source")
    inner = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    bound = _bound(tree)
    for node in ast.walk(tree):
        if not isinstance(node, _NODES):
            notes.gap(f"TorchScript source with a statement of kind {type(node).__name__}")
        elif isinstance(node, ast.Attribute) and id(node) not in inner:
            _judge_path(_path(node), notes)
        elif isinstance(node, ast.Call):
            _judge_call(node, bound, notes)


def _bound(tree: ast.AST) -> frozenset[str]:
    """Return the names that the source itself binds: parameters, variables, functions and classes."""
    names = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    names |= {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return frozenset(
        names | {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    )


def _path(node: ast.expr) -> list[str]:
    """Return the parts of a dotted path; the first is empty where it is no plain name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    parts.append(node.id if isinstance(node, ast.Name) else "")
    return parts[::-1]


def _judge_path(parts: list[str], notes: Notes) -> None:
    root, path = parts[0], ".".join(parts)
    if root == "ops" and (len(parts) < 3 or parts[1] not in _OPERATORS):
        notes.gap(f"TorchScript uses {path}, an operator of another library than torch")
    elif root == "__torch__" and parts[1:3] == ["torch", "classes"]:
        notes.gap(f"TorchScript uses the native class {path}")
    elif root in {"torch", "ops"} and _reaches_outside(parts[-1]):
        notes.find(
            "torchscript.outside", Severity.CRITICAL, f"TorchScript calls {path}, which reaches outside the model"
        )
    elif root == "torch" and len(parts) != 2:
        notes.gap(f"TorchScript uses {path}, which is no operator")


def _judge_call(node: ast.Call, bound: frozenset[str], notes: Notes) -> None:
    callee = node.func
    if isinstance(callee, ast.Name):
        if callee.id not in _BUILTINS and callee.id not in bound:
            notes.gap(f"TorchScript calls {callee.id}, which is not on the list")
        elif callee.id in {"getattr", "hasattr"} and not _literal_attribute(node):
            notes.gap(f"TorchScript calls {callee.id} with a computed name")
    elif isinstance(callee, ast.Attribute):
        parts = _path(callee)
        if parts[0] not in {"torch", "ops", "__torch__"} and _reaches_outside(parts[-1]):
            notes.gap(f"TorchScript calls a method named {parts[-1]}, which may be the operator that reaches outside")
    else:
        notes.gap("TorchScript calls something that has no name")


def _literal_attribute(node: ast.Call) -> bool:
    name = node.args[1] if len(node.args) == 2 else None
    return isinstance(name, ast.Constant) and isinstance(name.value, str) and not _reaches_outside(name.value)


def _reaches_outside(name: str) -> bool:
    return not _OUTSIDE.isdisjoint(name.lower().split("_"))


def storage(_blob: Blob, _stream: BinaryIO, _notes: Notes) -> None:
    """Accept the raw numbers of a tensor: see `weighlock.scanners.containers.torch` for when they are that."""
