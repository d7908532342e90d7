"""What a process that reads hostile files may use: limits that the kernel keeps.

Standard library only, and no module of ours: scanners in other environments load this file by its path.

| guarantee                                     | Linux               | macOS | Windows |
|-----------------------------------------------|---------------------|-------|---------|
| ends with a deadline (kept by the parent)      | yes                 | yes   | yes     |
| processor time, no core file                   | yes                 | yes   | no      |
| memory (address space)                         | yes                 | no    | no      |
| no network, no other program                   | x86-64 and 64-bit Arm, where seccomp is allowed | no | no |
| ends when its parent does                      | yes                 | no    | no      |

The network is closed by a seccomp filter rather than by a namespace of its own: namespaces for everybody are switched
off in many containers and on the runners of GitHub, filters are not. Reading files stays possible, as scanners do that.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from typing import TextIO

PARENT_DEATH, NO_NEW_PRIVILEGES, SECCOMP = 1, 38, 22  # operations of prctl(2)
_KILL_SIGNAL = 9
_FILTER_MODE = 2
_FORBIDDEN = {
    # What opens the way out: socket, io_uring_setup; execve, execveat; ptrace and the like. By linux/unistd.h.
    "x86_64": (0xC000003E, (41, 425, 59, 322, 101, 310, 311)),
    "aarch64": (0xC00000B7, (198, 425, 221, 281, 117, 270, 271)),
}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # classic BPF
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050001  # the second with EPERM
_OTHER_ABI = 0x40000000  # from here on x86-64 numbers its system calls a second time


def confine(memory: int, seconds: float) -> frozenset[str]:
    """Limit this process to `memory` bytes of address space and `seconds` more of processor time, for good.

    Returns which guarantees hold here, of ``memory``, ``time`` and ``network``.
    """
    held = _resources(memory)
    if allow(seconds):
        held.add("time")
    if sys.platform == "linux" and _filter():
        held.add("network")
    return frozenset(held)


def allow(seconds: float) -> bool:
    """Let this process use `seconds` more of processor time from now on; tell whether the limit holds here."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return False
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (_at_most(wanted, hard), hard))
    return True


def answers() -> TextIO:
    """Keep the real standard output for answers, and give everybody else nothing."""
    private = os.fdopen(os.dup(1), "w", encoding="utf-8")
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    sys.stdout = os.fdopen(nothing, "w", encoding="utf-8")
    return private


def _resources(memory: int) -> set[str]:
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return set()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = _at_most(memory, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    except (ValueError, OSError):  # macOS has the number and not the limit
        return set()
    return {"memory"} if sys.platform == "linux" else set()


def _at_most(wanted: int, hard: int) -> int:
    return wanted if hard < 0 else min(wanted, hard)  # no limit is -1


def _filter() -> bool:
    """Forbid the system calls that lead out of this process; tell whether the kernel agreed."""
    architecture, forbidden = _FORBIDDEN.get(os.uname().machine, (0, ()))
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl.argtypes = (ctypes.c_int, *[ctypes.c_ulong] * 4)
    prctl(PARENT_DEATH, _KILL_SIGNAL, 0, 0, 0)
    if not architecture or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    program = _program(architecture, forbidden)
    buffer = ctypes.create_string_buffer(program)
    header = ctypes.create_string_buffer(struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer)))
    if prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    return not prctl(SECCOMP, _FILTER_MODE, ctypes.addressof(header), 0, 0)


def _program(architecture: int, forbidden: tuple[int, ...]) -> bytes:
    """Return the filter: refuse foreign architectures and the forbidden calls, allow the rest. See seccomp(2)."""
    last = 5 + len(forbidden)  # index of the refusal, the last step
    code = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 0, last - 2, architecture),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, last - 4, 0, _OTHER_ABI),
    ]
    code += [(_EQUAL, last - 5 - position, 0, number) for position, number in enumerate(forbidden)]
    code += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _REFUSE)]
    return b"".join(struct.pack("=HBBI", *step) for step in code)
