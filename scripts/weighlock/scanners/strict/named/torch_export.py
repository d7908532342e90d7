"""Programs that torch.export wrote as JSON: operators by dotted path, and expressions that sympy evaluates.

Loading looks every target up by attributes, from torch, operator or math on, and hands every symbolic size to
`sympy.sympify`, which is Python's eval. Source: torch/_export/serde/serialize.py, `deserialize_operator` and
`_parse_sym_expr`.
"""

from __future__ import annotations

import re

from weighlock.scanners import Severity
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

RULE = "json.torch-export"

_OPERATORS = re.compile(r"torch\.ops\.(aten|prims?|quantized|quantized_decomposed|higher_order)(\.\w+){1,2}")
_ARITHMETIC = re.compile(
    r"(_operator\.(add|sub|mul|truediv|floordiv|mod|pow|neg|pos|eq|ne|lt|le|gt|ge|and_|or_|getitem)"
    r"|math\.(ceil|floor|trunc|sqrt|log2?|exp|pow)|torch\.(sym_\w+|_sym_sqrt))"
)
_EXPRESSION = re.compile(r"[\w\s+\-*/%<>=!&|~(),.]*")
_FUNCTIONS = frozenset(
    [
        *("Max", "Min", "Mod", "PythonMod", "FloorDiv", "CleanDiv", "CeilDiv", "ModularIndexing", "Where", "TrueDiv"),
        *("IntTrueDiv", "FloatTrueDiv", "PowByNatural", "FloatPow", "ToFloat", "CeilToInt", "FloorToInt", "RoundToInt"),
        *("TruncToInt", "TruncToFloat", "RoundDecimal", "LShift", "RShift", "Identity", "Integer", "Float", "Rational"),
        *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "And", "Or", "Not", "Abs", "Symbol", "ceiling", "floor", "true", "false"),
        *("sqrt", "log", "exp", "True", "False", "oo", "int_oo", "nan", "zoo"),
    ]
)
_SYMBOL = re.compile(r"[suifz]+_?\d+|\d\w*")


def look(pairs: Pairs, notes: Notes) -> None:
    """Judge the expressions and the operators of one object."""
    for key in ("expr_str", "symbol_expr"):
        for words in pairs.strings(key):
            _expression(words, notes)
    if is_node(pairs):
        for target in pairs.strings("target"):
            _target(target, notes)


def is_node(pairs: Pairs) -> bool:
    """Tell whether an object is a node of an exported graph."""
    return pairs.has("target", "inputs", "outputs")


def _expression(words: str, notes: Notes) -> None:
    named = [name for name in re.findall(r"\w+", words) if name not in _FUNCTIONS and not _SYMBOL.fullmatch(name)]
    if "__" in words or not _EXPRESSION.fullmatch(words) or re.search(r"[)\w]\s*\.\s*[A-Za-z_]", words):
        notes.find(RULE, Severity.CRITICAL, f"torch.export evaluates {words} as Python when it loads the program")
    elif named:
        notes.find(RULE, Severity.REVIEW, f"torch.export evaluates {words}, in which {named[0]} is not on the list")


def _target(target: str, notes: Notes) -> None:
    if _OPERATORS.fullmatch(target) or _ARITHMETIC.fullmatch(target):
        return
    if target.startswith("torch.ops."):
        notes.find(RULE, Severity.REVIEW, f"the program calls {target}, an operator of another library")
    else:
        notes.find(RULE, Severity.CRITICAL, f"the program calls {target}, which is none of torch's operators")
