"""The dialect of Jinja that chat templates are written in: loop controls, ``do`` and transformers' ``generation`` tag.

Source: transformers/utils/chat_template_utils.py.
"""

from __future__ import annotations

import functools

from jinja2 import Environment, nodes
from jinja2.ext import Extension
from jinja2.parser import Parser

FUNCTIONS = frozenset(
    {"range", "dict", "namespace", "raise_exception", "strftime_now", "caller", "loop", "joiner", "cycler"}
)
"""What loaders give a template to call."""


class Generation(Extension):
    """The tag around what the model said, which training masks are made from; its body is ordinary template."""

    tags = {"generation"}  # noqa: RUF012 - as Extension declares it

    def parse(self, parser: Parser) -> nodes.Node:
        """Return the tag's body."""
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


@functools.cache
def environment() -> Environment:
    """Return an environment to parse with; it is never asked to compile or to render."""
    return Environment(extensions=["jinja2.ext.loopcontrols", "jinja2.ext.do", Generation])  # noqa: S701 - as above
