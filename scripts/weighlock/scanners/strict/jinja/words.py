"""The words that decide what a template may name, call and filter by."""

from __future__ import annotations

import re

from jinja2.filters import FILTERS

DUNDER = re.compile(
    r"__(class|bases?|mro|subclasses|init|new|globals|builtins?|import|getattr|getattribute|setattr|dict|doc|code|"
    r"closure|func|self|module|loader|spec|reduce|reduce_ex|call|getitem|qualname|name|subclasshook|init_subclass|"
    r"wrapped|annotations|kwdefaults|defaults|weakref|file|path|package|enter|exit|del|objclass|text_signature)__"
)
"""Special names by which everything can be reached from anything."""
INTROSPECTION = re.compile(
    r"_|mro\Z|(gi|cr|ag)_(frame|code)\Z|f_(back|globals|locals|builtins|code)\Z|tb_|co_|func_(globals|code)\Z|im_(func|class)\Z"
)
"""The beginnings of attributes that lead out of a value."""
CODE = frozenset(
    [
        "eval",
        "exec",
        "execfile",
        "compile",
        "open",
        "popen",
        "popen2",
        "system",
        "spawn",
        "fork",
        "execv",
        "execve",
        "subprocess",
        "importlib",
        "import_module",
        "getattr",
        "setattr",
        "globals",
        "locals",
        "vars",
        "builtins",
        "subclasses",
        "check_output",
        "check_call",
        "Popen",
        "run_path",
        "load_module",
        "exec_module",
        "breakpoint",
        "write_text",
        "read_text",
        "read_bytes",
        "write_bytes",
        "urlopen",
        "from_string",
        "get_template",
        "sys",
        "os",
    ]
)
"""What runs code, imports, or reads and writes files, as a name or a method."""
REACHING = frozenset({"lipsum", "self", "url_for", "get_flashed_messages"})
"""What Flask gives its templates, and by which its whole program is reached."""
SERVED = frozenset({"config", "request"})  # what web frameworks add; templates use these names for their own variables
METHODS = frozenset(
    [
        "strip",
        "lstrip",
        "rstrip",
        "split",
        "rsplit",
        "splitlines",
        "startswith",
        "endswith",
        "replace",
        "items",
        "keys",
        "values",
        "get",
        "upper",
        "lower",
        "title",
        "capitalize",
        "swapcase",
        "join",
        "append",
        "extend",
        "pop",
        "insert",
        "update",
        "index",
        "count",
        "find",
        "rfind",
        "isdigit",
        "isalpha",
        "isalnum",
        "isspace",
        "isupper",
        "islower",
        "isnumeric",
        "isdecimal",
        "setdefault",
        "copy",
        "reverse",
        "sort",
        "remove",
        "clear",
        "cycle",
        "zfill",
        "changed",
        "partition",
        "rpartition",
        "removeprefix",
        "removesuffix",
        "center",
        "ljust",
        "rjust",
        "casefold",
        "strftime",
        "isoformat",
        "reset",
        "next",
        "fromkeys",
        "union",
        "add",
        "encode",
        "decode",
    ]
)
"""Methods of strings, lists, dictionaries and dates that templates call."""
KNOWN_FILTERS = (frozenset(FILTERS) | {"tojson", "fromjson", "from_json", "to_json", "items", "strftime"}) - {"attr"}
"""Filters that only compute."""
BY_ATTRIBUTE = frozenset(
    {"map", "selectattr", "rejectattr", "groupby", "sort", "unique", "sum", "min", "max", "select", "reject"}
)
"""Filters that read an attribute which is named in a string."""
