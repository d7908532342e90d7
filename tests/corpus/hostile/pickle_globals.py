"""Pickles that call what everybody knows to be dangerous: shells, evaluators, files, sockets, other loaders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.assembler import SYSTEM, arguments, call, named, stacked, stream
from hostile import payload

PICKLE = Family("pickle global")
OLD = Family("pickle Python 2 name")

CALLS: tuple[tuple[str, str, tuple[Any, ...]], ...] = (
    ("os", "system", ("true",)),
    ("posix", "system", ("true",)),
    ("nt", "system", ("rem",)),
    ("os", "popen", ("true",)),
    ("os", "execv", ("/bin/true", ["true"])),
    ("os", "spawnv", (0, "/bin/true", ["true"])),
    ("os", "remove", ("no-such-file",)),
    ("os", "rename", ("no-such-file", "other")),
    ("os", "putenv", ("A", "B")),
    ("posix", "fork", ()),
    ("subprocess", "Popen", (["true"],)),
    ("subprocess", "run", (["true"],)),
    ("subprocess", "call", (["true"],)),
    ("subprocess", "check_output", (["true"],)),
    ("subprocess", "getoutput", ("true",)),
    ("builtins", "eval", ("1",)),
    ("builtins", "exec", ("1",)),
    ("builtins", "compile", ("1", "a", "eval")),
    ("builtins", "open", ("no-such-file",)),
    ("builtins", "__import__", ("this",)),
    ("builtins", "getattr", ("text", "upper")),
    ("builtins", "setattr", ("text", "a", 1)),
    ("builtins", "breakpoint", ()),
    ("builtins", "input", ("?",)),
    ("builtins", "globals", ()),
    ("builtins", "map", ("a", "b")),
    ("shutil", "rmtree", ("no-such-folder",)),
    ("shutil", "copyfile", ("no-such-file", "other")),
    ("socket", "create_connection", (["192.0.2.1", 9],)),
    ("socket", "gethostbyname", ("host.invalid",)),
    ("urllib.request", "urlopen", ("http://host.invalid/",)),
    ("urllib.request", "urlretrieve", ("http://host.invalid/", "a")),
    ("http.client", "HTTPSConnection", ("host.invalid",)),
    ("requests", "get", ("http://host.invalid/",)),
    ("requests.api", "post", ("http://host.invalid/",)),
    ("httpx", "get", ("http://host.invalid/",)),
    ("aiohttp.client", "ClientSession", ()),
    ("smtplib", "SMTP", ("host.invalid",)),
    ("ftplib", "FTP", ("host.invalid",)),
    ("telnetlib", "Telnet", ("host.invalid",)),
    ("imaplib", "IMAP4", ("host.invalid",)),
    ("webbrowser", "open", ("http://host.invalid/",)),
    ("runpy", "run_path", ("no-such-file",)),
    ("runpy", "_run_code", ("1", {})),
    ("pty", "spawn", ("true",)),
    ("pickle", "loads", ("N.",)),
    ("_pickle", "loads", ("N.",)),
    ("marshal", "loads", ("N",)),
    ("dill", "loads", ("N",)),
    ("cloudpickle.cloudpickle", "_make_function", ("code",)),
    ("joblib", "load", ("no-such-file",)),
    ("numpy", "load", ("no-such-file",)),
    ("torch", "load", ("no-such-file",)),
    ("torch.hub", "load", ("owner/repo", "model")),
    ("pandas", "read_pickle", ("no-such-file",)),
    ("yaml", "unsafe_load", ("1",)),
    ("ctypes", "CDLL", ("no-such-library",)),
    ("importlib", "import_module", ("this",)),
    ("importlib.util", "spec_from_file_location", ("a", "no-such-file")),
    ("code", "interact", ()),
    ("operator", "attrgetter", ("a",)),
    ("operator", "methodcaller", ("a",)),
    ("functools", "partial", ("a",)),
    ("functools", "reduce", ("a", [])),
    ("types", "FunctionType", ("a", {})),
    ("types", "CodeType", ()),
    ("io", "open", ("no-such-file",)),
    ("codecs", "open", ("no-such-file",)),
    ("pathlib", "Path.write_text", ("a",)),
    ("tempfile", "mkstemp", ()),
    ("sys", "exit", (0,)),
    ("signal", "raise_signal", (0,)),
)

# What protocol 2 and below map to a name of today (`_compat_pickle`).
RENAMED: tuple[tuple[str, str, str, tuple[Any, ...]], ...] = (
    ("commands", "getoutput", "subprocess.getoutput", ("true",)),
    ("commands", "getstatusoutput", "subprocess.getstatusoutput", ("true",)),
    ("__builtin__", "eval", "builtins.eval", ("1",)),
    ("__builtin__", "execfile", "builtins.execfile", ("no-such-file",)),
    ("__builtin__", "open", "builtins.open", ("no-such-file",)),
    ("__builtin__", "apply", "builtins.apply", ("a", ())),
    ("__builtin__", "reduce", "functools.reduce", ("a", [])),
    ("cPickle", "loads", "pickle.loads", ("N.",)),
    ("urllib2", "urlopen", "urllib.request.urlopen", ("http://host.invalid/",)),
    ("urllib", "urlretrieve", "urllib.request.urlretrieve", ("http://host.invalid/",)),
    ("httplib", "HTTPConnection", "http.client.HTTPConnection", ("host.invalid",)),
    ("SimpleXMLRPCServer", "SimpleXMLRPCServer", "xmlrpc.server.SimpleXMLRPCServer", ()),
    ("xmlrpclib", "ServerProxy", "xmlrpc.client.ServerProxy", ("http://host.invalid/",)),
    ("SocketServer", "TCPServer", "socketserver.TCPServer", ()),
    ("dbm", "open", "dbm.ndbm.open", ("no-such-file",)),
    ("anydbm", "open", "dbm.open", ("no-such-file",)),
    ("whichdb", "whichdb", "dbm.whichdb", ("no-such-file",)),
    ("_socket", "fromfd", "socket.fromfd", (0, 0, 0)),
    ("UserDict", "IterableUserDict", "collections.UserDict", ()),
    ("tkMessageBox", "showinfo", "tkinter.messagebox.showinfo", ("a",)),
)


def cases() -> Iterator[Case]:
    for number, (module, name, values) in enumerate(CALLS):
        yield PICKLE.case(
            f"{module}.{name}", "model.pkl", _styled(number, module, name, values),
            f"calls {module}.{name}", f"call {module}.{name}",
        )  # fmt: skip
    for protocol in range(6):
        yield PICKLE.case(
            f"protocol {protocol}", "model.pkl", payload(protocol), "runs a shell command", "call posix.system"
        )
    yield PICKLE.case(
        "only imported", "model.pkl", stream(named("os", "system")), "imports os", "name os.system", held=True
    )
    yield PICKLE.case(
        "side effect of an import", "model.pkl", stream(named("antigravity", "fly")),
        "opens a browser by importing antigravity", "name antigravity.fly",
    )  # fmt: skip
    for module, name, today, values in RENAMED:
        if module != "UserDict":
            yield OLD.case(
                f"{module}.{name}", "model.pkl", stream(call(module, name, *values)), f"calls {today}", f"call {today}"
            )
    yield OLD.case(
        "text", "model.pkl", stream(call("commands", "getoutput", "true", text=True), protocol=0),
        "runs a shell command", "call subprocess.getoutput",
    )  # fmt: skip
    yield OLD.case(
        "os first", "model.pkl", stream(SYSTEM, call("__builtin__", "set", [1])), "runs a shell command",
        "call os.system",
    )  # fmt: skip


def _styled(number: int, module: str, name: str, values: tuple[Any, ...]) -> bytes:
    """Return the call in one of the ways that picklers use, so that all of them occur."""
    if number % 3 == 0:
        return stream(stacked(module, name) + arguments(values) + b"R", protocol=4)
    if number % 3 == 1 and "." not in name:
        return stream(call(module, name, *values, text=True), protocol=0)
    return stream(call(module, name, *values), protocol=4 if "." in name else 2)
