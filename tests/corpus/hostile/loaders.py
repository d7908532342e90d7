"""Loaders with a language of their own: JSON that holds pickles and objects, YAML that is evaluated, files run by name."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.assembler import SYSTEM, stream
from hostile import zipped

OBJECTS = Family("objects as JSON")
EXPORT = Family("torch.export")
EVALUATED = Family("evaluated configuration")
ENTRY = Family("code run by its name")

PAYLOAD = "__import__('os').system('true')"
SCRIPT = b"import os\nos.system('true')\n"


def document(value: Any) -> bytes:
    return json.dumps(value, indent=1).encode()


def cases() -> Iterator[Case]:
    yield from _objects()
    yield from _export()
    yield from _yolo()
    yield from _tags()
    yield from _called()
    yield from _entries()


def _objects() -> Iterator[Case]:
    pickled = base64.b64encode(stream(SYSTEM)).decode()
    policy = document({"policy_class": {":type:": "<class 'type'>", ":serialized:": pickled}, "n_envs": 1})
    agent = {"data": policy, "_stable_baselines3_version": b"2.3.0"}
    yield OBJECTS.case("Stable-Baselines3", "agent.zip", zipped(agent), "unpickles what its JSON holds")
    lines = "\n".join(pickled[start : start + 20] for start in range(0, len(pickled), 20))
    yield OBJECTS.case(
        "Stable-Baselines3, in lines", "data.json", document([{":serialized:": lines}]), "unpickles what its JSON holds"
    )
    for name, value in {
        "reduce": {"py/reduce": [{"py/function": "os.system"}, {"py/tuple": ["true"]}]},
        "object": {"py/object": "subprocess.Popen", "args": ["true"]},
        "type": {"a": [{"py/type": "os.system"}]},
        "repr": {"py/repr": f"os/{PAYLOAD}"},
        "module": {"py/mod": "os/system"},
    }.items():
        yield OBJECTS.case(f"jsonpickle {name}", "model.json", document(value), "runs a command when it is decoded")


def _export() -> Iterator[Case]:
    for name, words in {
        "import": PAYLOAD,
        "attribute": "s0.func_globals",
        "subscript": "[s0][0]",
        "of a function": "Max(1, 2).__class__",
        "lambda": "(lambda: s0)()",
    }.items():
        value = {"graph_module": {"graph": {"sym_int_values": {"s0": {"as_expr": {"expr_str": words}}}}}}
        yield EXPORT.case(
            name, "serialized_exported_program.json", document(value), "evaluates an expression as Python when loaded"
        )
    for target in ("torch.os.system", "_operator.attrgetter", "torch.ops.load_library", "math.sys.exit", "torch.load"):
        node: dict[str, Any] = {"target": target, "inputs": [], "outputs": [], "metadata": {}}
        yield EXPORT.case(
            target, "model.json", document({"graph": {"nodes": [node]}}), "calls what the program names when it runs",
            held=target == "torch.ops.load_library",
        )  # fmt: skip


def _yolo() -> Iterator[Case]:
    layers = "backbone:\n  - [-1, 1, {}, [64, {}]]\nhead:\n  - [-1, 1, Conv, [512]]\n"
    for name, text in {
        "module": layers.format(f'"{PAYLOAD}"', 6),
        "argument": layers.format("Conv", f'"{PAYLOAD}"'),
        "activation": f'activation: "{PAYLOAD}"\n{layers.format("Conv", 6)}',
        "activation with a call inside": f'activation: "nn.ReLU(exec(1))"\n{layers.format("Conv", 6)}',
    }.items():
        yield EVALUATED.case(f"YOLO {name}", "yolov5s.yaml", text.encode(), "evaluates Python when the model is built")


def _tags() -> Iterator[Case]:
    for name, text in {
        "apply": "a: !apply:os.system ['true']\n",
        "new": "a: !new:subprocess.Popen\n  args: ['true']\n",
        "name": "a: !name:builtins.exec\n",
        "module": "a: !module:pty\n",
        "include": "a: !include:../../etc/passwd\n",
        "quoted": "a: !<!apply:os.system> ['true']\n",
    }.items():
        yield EVALUATED.case(
            f"SpeechBrain {name}", "hyperparams.yaml", text.encode(), "calls what a tag names when it is read"
        )


def _called() -> Iterator[Case]:
    for name, text in {
        "class_path": "model:\n  class_path: os.system\n  init_args: {command: 'true'}\n",
        "Haystack": "components:\n  a:\n    type: subprocess.Popen\n    init_parameters: {args: 'true'}\n",
        "OpenMMLab": "custom_imports:\n  imports: [antigravity, pty]\n",
    }.items():
        yield EVALUATED.case(name, "config.yaml", text.encode(), "calls or imports what the configuration names")


def _entries() -> Iterator[Case]:
    names = (
        "hubconf.py",
        "handler.py",
        "custom_generate/generate.py",
        "code/inference.py",
        "1/model.py",
        "sitecustomize.py",
    )
    for path in names:
        yield ENTRY.case(path, path, SCRIPT, "is run because of its name", held=True)
    yield ENTRY.case("gin", "config.gin", b"import evil\nevil.run.x = 1\n", "is imported", held=True)
    yield ENTRY.case("pth", "weights.pth", b"import os; os.system('true')\n", "runs whenever Python starts beside it")
