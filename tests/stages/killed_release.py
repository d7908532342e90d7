"""Kill a release at each of its steps and look at what is left: ``MODEL TARGET KEY``, one JSON line a step.

For each step a child process runs the release and dies by SIGKILL there; then this process says whether the tag is
visible, runs the release again, and verifies. In a layout (``oci:DIR``, a new one for each step) a step is each event
that changes a file, as the interpreter's audit hooks report it; in a registry (a new repository for each step) it is
each call that changes the store, once before and once after it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from weighlock.inputs import Enforced, SignerInputs
from weighlock.stages import Context
from weighlock.stages.release import Inputs, run
from weighlock.stages.verify import verify
from weighlock.store import Store
from weighlock.store.targets import Target, find, open_store

CHANGES = {"push_blob", "push_manifest", "attach", "tag"}
FILE_EVENTS = {"os.rename", "os.mkdir", "os.remove", "os.link", "os.rmdir", "os.truncate"}


class Countdown:
    """Dies at its nth step."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self) -> None:
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1


class Deadly:
    """A `Store` whose every change is two steps."""

    def __init__(self, store: Store, countdown: Countdown) -> None:
        self.store, self.countdown = store, countdown

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)
        return self.dying(method) if name in CHANGES else method

    def dying(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*words: Any) -> Any:
            self.countdown.step()
            result = method(*words)
            self.countdown.step()
            return result

        return call


def hook_files(countdown: Countdown) -> None:
    """Make every change to a file a step; audit hooks are the interpreter's own, so nothing is patched."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event in FILE_EVENTS:
            countdown.step()

    sys.addaudithook(hook)


def release(model: str, to: str, key: str, step: int | None) -> Any:
    store: Any = open_store(Target.parse(to))
    if step is not None and to.startswith("oci:"):
        hook_files(Countdown(step))
    elif step is not None:
        store = Deadly(store, Countdown(step))
    return run(Inputs(Path(model), to, key=Path(key)), Context(), store=store)


def look(model: str, to: str, key: str) -> dict[str, Any]:
    """Return what is there after the kill, and after the rerun."""
    target = Target.parse(to)
    pinned = Enforced(SignerInputs(key=Path(key)).signer({}).verifier())
    store = open_store(target)
    there = store.resolve("v1")
    complete = there is not None and verify(store, there, pinned).passed
    again = release(model, to, key, None)
    verification = verify(store, find(store, target), pinned)
    kinds = [item.statement.predicate_type for item in verification.collected.trusted]
    return {
        "tag": there is not None,
        "complete": complete,
        "digest": again.digest,
        "passed": verification.passed,
        "kinds": kinds,
    }


def main(model: str, to: str, key: str) -> None:
    for step in range(1000):
        place = f"{to}{step}:v1"
        child = os.fork()
        if child == 0:
            release(model, place, key, step)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        print(json.dumps({"step": step, "killed": killed, "status": status, **look(model, place, key)}), flush=True)
        if not killed:
            return


if __name__ == "__main__":
    main(*sys.argv[1:])
