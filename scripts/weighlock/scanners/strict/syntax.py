"""Hostile Python source made into a syntax tree, which is all that ever happens to it."""

from __future__ import annotations

import ast
import warnings

from weighlock.scanners.reading import UnclearError


def parsed(source: str | bytes, mode: str, what: str) -> ast.AST:
    """Return the tree of `source`; `mode` is that of `ast.parse`, `what` names the source in the `UnclearError`."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the parser's own words on hostile strings
            return ast.parse(source, mode=mode)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnclearError(f"{what} does not parse: {type(error).__name__}") from None
