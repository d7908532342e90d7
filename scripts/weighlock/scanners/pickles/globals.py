"""What a pickle may name: exact allow-lists with their sources, and roots that grade the rest.

The allow-list decides, the roots only choose the words: a global that is on no list is not understood, and one below a
root that executes, imports, loads, opens or connects is called dangerous. Every name here was read for what it does
with hostile arguments; nothing matches by prefix except the classes that a TorchScript archive brings along itself.
"""

from __future__ import annotations

import _compat_pickle
import enum

_REBUILD = (
    "_rebuild_parameter _rebuild_parameter_with_state _rebuild_qtensor _rebuild_tensor _rebuild_tensor_v2 "
    "_rebuild_tensor_v3 _rebuild_sparse_tensor _rebuild_meta_tensor_no_storage _rebuild_nested_tensor"
)
_DTYPES = (
    "float16 float32 float64 bfloat16 half float double int8 int16 int32 int64 short int long uint8 uint16 uint32 uint64 "
    "bool complex32 complex64 complex128 float8_e4m3fn float8_e5m2 float8_e4m3fnuz float8_e5m2fnuz float8_e8m0fnu "
    "quint8 qint8 qint32 quint4x2 quint2x4 per_tensor_affine per_tensor_symmetric per_channel_affine "
    "per_channel_symmetric per_channel_affine_float_qparams"
)
STORAGES = {
    "DoubleStorage": 8,
    "FloatStorage": 4,
    "HalfStorage": 2,
    "BFloat16Storage": 2,
    "LongStorage": 8,
    "IntStorage": 4,
    "ShortStorage": 2,
    "CharStorage": 1,
    "ByteStorage": 1,
    "BoolStorage": 1,
    "ComplexDoubleStorage": 16,
    "ComplexFloatStorage": 8,
    "QUInt8Storage": 1,
    "QInt8Storage": 1,
    "QInt32Storage": 4,
    "UntypedStorage": 1,
}
"""Element size in bytes of each class that a tensor storage may name (torch/storage.py)."""

# torch/_weights_only_unpickler.py, BSD-3-Clause: what torch itself loads from strangers.
_TORCH = {
    "torch": f"Size Tensor device {_DTYPES} {' '.join(STORAGES)}",
    "torch._utils": _REBUILD,
    "torch._tensor": "_rebuild_from_type_v2",
    "torch.nn.parameter": "Parameter",
    "torch.serialization": "_get_layout",
    "torch.storage": "TypedStorage UntypedStorage",
    "collections": "OrderedDict Counter",
    "_codecs": "encode",
}
# Containers, scalars and arrays: classes whose construction from any arguments runs no other code.
_CORE = {
    "builtins": "set frozenset list dict tuple bytearray bytes complex float int str bool slice range object",
    "collections": "OrderedDict Counter defaultdict deque",
    "copyreg": "_reconstructor",
    "datetime": "date datetime time timedelta timezone",
    "decimal": "Decimal",
    "fractions": "Fraction",
    "uuid": "UUID",
    "_codecs": "encode",
    "numpy": "ndarray dtype bool_ int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 "
    "complex64 complex128 str_ bytes_ datetime64 timedelta64",
    **{f"numpy.{core}.multiarray": "_reconstruct scalar" for core in ("core", "_core")},
    **{f"numpy.{core}.numeric": "_frombuffer" for core in ("core", "_core")},
    "numpy.random._pickle": "__randomstate_ctor __bit_generator_ctor",
    "numpy.random._mt19937": "MT19937",
    "numpy.random.mtrand": "RandomState",
}
# torch/csrc/jit/serialization/pickler.cpp: the functions that its C++ reader knows, and no others.
_TORCHSCRIPT = {
    "torch.jit._pickle": "build_intlist build_tensorlist build_doublelist build_boollist build_tensor_from_id "
    "restore_type_tag",
}


def _exact(*tables: dict[str, str]) -> frozenset[tuple[str, str]]:
    return frozenset((module, name) for table in tables for module, names in table.items() for name in names.split())


ALLOWED = {
    "pickle": _exact(_CORE, _TORCH),
    "torch pickle": _exact(_CORE, _TORCH),
    "torchscript pickle": _exact(_TORCH, _TORCHSCRIPT),
}

_ROOTS = frozenset(
    [
        "os",
        "posix",
        "nt",
        "ntpath",
        "posixpath",
        "subprocess",
        "sys",
        "socket",
        "shutil",
        "pty",
        "runpy",
        "pickle",
        "_pickle",
        "marshal",
        "ctypes",
        "_ctypes",
        "importlib",
        "imp",
        "code",
        "codeop",
        "webbrowser",
        "bdb",
        "pdb",
        "asyncio",
        "multiprocessing",
        "pip",
        "pydoc",
        "timeit",
        "cProfile",
        "profile",
        "trace",
        "operator",
        "_operator",
        "requests",
        "urllib",
        "http",
        "httplib",
        "aiohttp",
        "httpx",
        "smtplib",
        "ftplib",
        "telnetlib",
        "imaplib",
        "poplib",
        "nntplib",
        "site",
        "venv",
        "ensurepip",
        "dill",
        "cloudpickle",
        "mlflow",
        "distutils",
        "setuptools",
        "lib2to3",
        "idlelib",
        "doctest",
        "commands",
        "types",
        "io",
        "_io",
        "logging",
        "pkgutil",
        "zipimport",
        "zipfile",
        "tarfile",
        "tempfile",
        "glob",
        "fileinput",
        "linecache",
        "sqlite3",
        "ssl",
        "signal",
        "threading",
        "_thread",
        "concurrent",
        "gc",
        "inspect",
        "builtins",
        "__builtin__",
        "shelve",
        "dbm",
        "xmlrpc",
        "socketserver",
        "wsgiref",
        "turtledemo",
        "tkinter",
        "yaml",
        "_posixsubprocess",
        "_winapi",
        "winreg",
        "resource",
        "fcntl",
        "platform",
        "codecs",
        "unittest",
        "test",
        "functools",
        "joblib",
        "cffi",
        "pexpect",
        "paramiko",
        "fabric",
        "invoke",
        "plumbum",
        "sh",
        "IPython",
        "jedi",
        "py",
        "pytest",
        "_pytest",
        "nose",
        "_osx_support",
        "_aix_support",
        "_pyio",
    ]
)
_MODULES = [
    "numpy.f2py",
    "numpy.testing",
    "numpy.distutils",
    "numpy.load",
    "numpy.lib",
    "torch.hub",
    "torch.serialization",
    "torch._inductor",
    "torch._dynamo",
    "torch.jit",
    "torch.fx",
    "torch._ops",
    "torch.utils",
    "torch.distributed",
    "torch.storage",
    "torch.package",
    "pandas.io",
    "pathlib",
]
_NAMES = frozenset({("torch", "load"), ("torch", "compile"), ("numpy", "load"), ("pandas", "read_pickle")})


class Grade(enum.Enum):
    """What is known of a global."""

    ALLOWED = "allowed"
    UNKNOWN = "unknown"
    DANGEROUS = "dangerous"


def mapped(module: str, name: str) -> tuple[str, str]:
    """Return the Python 3 name of a Python 2 global, as unpicklers map it below protocol 3."""
    both = _compat_pickle.NAME_MAPPING.get((module, name))
    return both or (_compat_pickle.IMPORT_MAPPING.get(module, module), name)


def grade(module: str, name: str, kind: str) -> Grade:
    """Grade a global in a pickle of this format; the raw and the mapped name have to be fine, whatever the protocol."""
    today = mapped(module, name)
    if kind == "torchscript pickle" and module.split(".", maxsplit=1)[0] == "__torch__":
        return Grade.ALLOWED if name.isidentifier() and not name.startswith("__") else Grade.DANGEROUS
    renamed = today != (module, name)
    if today in ALLOWED[kind] and (renamed or (module, name) in ALLOWED[kind]):
        return Grade.ALLOWED
    if "." in name or any(_dangerous(*pair) for pair in ((module, name), today)):
        return Grade.DANGEROUS
    return Grade.UNKNOWN


def _dangerous(module: str, name: str) -> bool:
    below = any(module == root or module.startswith(root + ".") for root in _MODULES)
    return module.split(".", maxsplit=1)[0] in _ROOTS or below or (module, name) in _NAMES
