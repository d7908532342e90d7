"""Configurations: what they make a loader import, fetch, call or render is found in any shape that a loader reads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hostile
from judging import judged, reasons
from weighlock.scanners import Verdict

UNSAFE, REVIEW, UNSCANNED = Verdict.UNSAFE, Verdict.REVIEW, Verdict.UNSCANNED
REACHING = "{{ lipsum.__globals__ }}"


def document(value: Any) -> bytes:
    return json.dumps(value).encode()


def layer(name: str, module: str | None = "keras.layers", **more: Any) -> dict[str, Any]:
    return {"class_name": name, "module": module, "config": {"name": "a"}, "registered_name": None, **more}


def function(module: str | None, name: str) -> dict[str, Any]:
    return {"class_name": "function", "module": module, "config": name, "registered_name": "function"}


def within(inner: Any) -> bytes:
    """Return a Keras model that holds `inner` where wrappers hold a layer."""
    return document(
        layer("Sequential", "keras", config={"layers": [layer("TimeDistributed", config={"layer": inner})]})
    )


def node(loader: str, module: str, name: str, **more: Any) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader, "__id__": 1, **more}


def flavour(text: str) -> bytes:
    return f"flavors:\n  python_function:\n    python_version: 3.11.0\n    env: conda.yaml\n{text}".encode()


HUB = {
    "foreign code": (document({"auto_map": {"AutoModel": "a/b--net.Net"}}), UNSAFE, "a/b--net.Net"),
    "foreign code in a list": (document({"auto_map": {"A": [None, "a/b--net.Net"]}}), UNSAFE, "a/b--net.Net"),
    "own code": (document({"auto_map": {"AutoModel": "net.Net"}}), REVIEW, "net.Net"),
    "auto_map without names": (document({"auto_map": {"AutoModel": 1}}), REVIEW, "code of its own"),
    "pipeline": (document({"custom_pipelines": {"x": {"impl": "pipe.Pipe"}}}), REVIEW, "pipe.Pipe"),
    "foreign pipeline": (document({"custom_pipelines": {"x": {"impl": "a/b--pipe.Pipe"}}}), UNSAFE, "a/b--pipe"),
    "trust": (document({"a": [{"trust_remote_code": True}]}), REVIEW, "trust_remote_code"),
    "diffusers part": (document({"_class_name": "P", "unet": ["os", "System"]}), UNSAFE, "os.System"),
    "diffusers function": (document({"_class_name": "P", "unet": ["os", "system"]}), UNSAFE, "os.system"),
    "own diffusers part": (document({"_class_name": "P", "unet": ["mine", "Unet"]}), REVIEW, "mine.Unet"),
    "own diffusers pipeline": (document({"_class_name": ["pipe", "P"]}), REVIEW, "pipe.P"),
    "sentence transformers": (
        document([{"idx": 0, "path": "", "type": "subprocess.Popen"}]),
        UNSAFE,
        "subprocess.Popen",
    ),
    "own module": (document([{"idx": 0, "path": "", "type": "mine.Pooling"}]), REVIEW, "mine.Pooling"),
    "activation": (document({"activation_function": "os.system"}), UNSAFE, "os.system"),
    "adapter": (document({"auto_mapping": {"parent_library": "subprocess"}}), UNSAFE, "subprocess"),
}

TEMPLATES = {
    "tokenizer": (document({"chat_template": REACHING}), UNSAFE, "lipsum"),
    "list": (document({"chat_template": [{"name": "a", "template": REACHING}]}), UNSAFE, "lipsum"),
    "deep": (document({"a": [{"my_Template_x": {"b": [REACHING]}}]}), UNSAFE, "lipsum"),
    "escaped": (document({"chat_template": REACHING}).replace(b"lipsum", b"\\u006cipsum"), UNSAFE, "lipsum"),
    "shadowed": (b'{"chat_template": "%b", "chat_template": "a"}' % REACHING.encode(), UNSAFE, "lipsum"),
    "broken": (document({"chat_template": "{% for %}"}), UNSCANNED, "does not parse"),
}

KERAS = {
    "lambda": (within(layer("Lambda")), UNSAFE, "Lambda"),
    "lambda without a module": (within({"class_name": "Lambda", "config": {}}), UNSAFE, "Lambda"),
    "registered lambda": (within(layer("Mine>Lambda", None)), UNSAFE, "Lambda"),
    "bare lambda": (within({"class_name": "__lambda__", "config": {"value": "4wAA"}}), UNSAFE, "__lambda__"),
    "torch": (within(layer("TorchModuleWrapper")), UNSAFE, "pickle"),
    "saved model": (within(layer("TFSMLayer")), UNSAFE, "another model"),
    "import": (within(function("os", "system")), UNSAFE, "os.system"),
    "class to import": (within(layer("Popen", "subprocess")), UNSAFE, "subprocess.Popen"),
    "unknown module": (within(layer("Net", "mine")), REVIEW, "mine.Net"),
    "eval": (within(function("builtins", "eval")), UNSAFE, "eval"),
    "eval without a module": (within(function(None, "eval")), UNSAFE, "eval"),
    "unknown function": (within(function("builtins", "mine")), REVIEW, "mine"),
    "download": (within(function("keras.utils", "get_file")), UNSAFE, "get_file"),
    "download inside": (within(function("keras.src.utils.file_utils", "get_file")), UNSAFE, "get_file"),
    "download as a class": (within(layer("get_file", "tf_keras.utils")), UNSAFE, "get_file"),
    "safe mode": (within(function("keras.config", "enable_unsafe_deserialization")), UNSAFE, "enable_unsafe"),
    "dotted name": (within(function("keras.layers", "x.os.system")), UNSAFE, "os.system"),
    "outside modelling": (within(layer("Progbar", "keras.utils")), REVIEW, "Progbar"),
    "own class": (within(layer("Mine", None, registered_name="pkg>Mine")), REVIEW, "Mine"),
    "registered over a known one": (within(layer("Dense", registered_name="pkg>Mine")), REVIEW, "pkg>Mine"),
    "vocabulary": (within(layer("StringLookup", config={"vocabulary": "/etc/passwd"})), UNSAFE, "/etc/passwd"),
    "vocabulary from the net": (
        within(layer("TextVectorization", config={"vocabulary": "http://x/y"})),
        UNSAFE,
        "http://x/y",
    ),
    "vocabulary beside": (within(layer("StringLookup", config={"vocabulary": "words.txt"})), REVIEW, "words.txt"),
    "operation": (within(layer("TFOpLambda", None, config={"function": "io.write_file"})), UNSAFE, "io.write_file"),
    "shadowed": (b'{"class_name": "Lambda", "class_name": "Dense", "config": {}}', UNSAFE, "Lambda"),
}

SKOPS = {
    "function": (document(node("FunctionNode", "os", "system")), UNSAFE, "os.system"),
    "old function": (
        document(node("FunctionNode", "x", "function", content={"module_path": "os", "function": "system"})),
        UNSAFE,
        "os.system",
    ),
    "method": (
        document(node("MethodNode", "x", "Y", content={"func": "z", "obj": node("ObjectNode", "x", "Y")})),
        REVIEW,
        "Method",
    ),
    "operator": (document(node("OperatorFuncNode", "operator", "methodcaller")), UNSAFE, "methodcaller"),
    "partial": (document(node("PartialNode", "functools", "partial")), UNSAFE, "functools.partial"),
    "object": (document(node("ObjectNode", "subprocess", "Popen")), UNSAFE, "subprocess.Popen"),
    "own class": (document(node("ObjectNode", "mine", "Net")), REVIEW, "mine.Net"),
    "type": (document(node("TypeNode", "builtins", "eval")), UNSAFE, "builtins.eval"),
    "unknown node": (document(node("NewNode", "builtins", "list")), UNSCANNED, "NewNode"),
    "nested": (document({"content": [{"a": node("ObjectNode", "os", "_wrap_close")}]}), UNSAFE, "_wrap_close"),
}

YAMLS = {
    "target": (b"a:\n  _target_: os.system\n", UNSAFE, "os.system"),
    "flow": (b"{a: {_target_: subprocess.Popen}}\n", UNSAFE, "subprocess.Popen"),
    "escaped": (b'a:\n  "\\x5ftarget_": os.system\n', UNSAFE, "os.system"),
    "alias": (b"a: &t os.system\nb: {_target_: *t}\n", UNSAFE, "os.system"),
    "merged": (b"a: &a {class_name: x>Lambda}\nb:\n  <<: *a\n  config: 1\n", UNSAFE, "Lambda"),
    "block key": (b"? _target_\n: os.system\n", UNSAFE, "os.system"),
    "second document": (b"a: 1\n---\n_target_: os.system\n", UNSAFE, "os.system"),
    "before it breaks": (b"a: !!python/name:os.system\nb: [\n", UNSAFE, "python/name"),
    "finder": (b"_target_: hydra.utils.get_method\npath: os.system\n", UNSAFE, "os.system"),
    "unknown target": (b"_target_: mine.Net\n", REVIEW, "mine.Net"),
    "interpolated": (b"_target_: ${x}.system\n", REVIEW, "${x}"),
    "function of a known library": (
        b"_target_: torch.nn.modules.module.register_module_forward_hook\n",
        REVIEW,
        "register",
    ),
    "torch.hub": (b"_target_: torch.hub.load\n", UNSAFE, "torch.hub.load"),
    "nemo": (b"target: os.system\n", UNSAFE, "os.system"),
    "diffusion": (b"model:\n  target: mine.Net\n  params: {}\n", REVIEW, "mine.Net"),
    "tag by directive": (b"%TAG !p! tag:yaml.org,2002:python/\n---\na: !p!name:os.system x\n", UNSAFE, "python/name"),
    "read by others only": (b"a: &a.b 1\nb: !new:os.system {}\n", UNSCANNED, "does not parse"),
    "read by others, by directive": (
        b"%TAG !p! tag:yaml.org,2002:python/\n---\na: &a.b 1\nb: !p!name:os.system x\n",
        UNSCANNED,
        "does not parse",
    ),
    "for PyYAML's own parser": (b'a: {b:}\nc:\n  "\\x5ftarget_": os.system\n', UNSAFE, "os.system"),
    "for libyaml's parser": (b'a: |#\nc:\n  "\\x5ftarget_": os.system\n', UNSAFE, "os.system"),
    "a mark in the middle": ('\n\ufeff"\\x5ftarget_": os.system\n'.encode(), UNSAFE, "os.system"),
    "template": (b"chat_template: |\n  " + REACHING.encode() + b"\n", UNSAFE, "lipsum"),
    "template in a flow": (b'{"my_template": "{{ \\x6cipsum.x }}"}\n', UNSAFE, "lipsum"),
    "auto_map": (b"auto_map:\n  AutoModel: a/b--net.Net\n", UNSAFE, "a/b--net"),
    "deep": (b"[" * 2000 + b"]" * 2000 + b"\n", UNSCANNED, "too deeply"),
    "merged again and again": (
        b"a0: &a0 {x: 1, y: 2}\n"
        + b"".join(b"a%d: &a%d {<<: *a%d, << : *a%d}\n" % (n, n, n - 1, n - 1) for n in range(1, 40)),
        UNSCANNED,
        "again and again",
    ),
}

MLFLOW = {
    "module": (flavour("    loader_module: os\n"), UNSAFE, "os"),
    "module inside": (flavour("    loader_module: pip._internal\n"), UNSAFE, "pip._internal"),
    "own module": (flavour("    loader_module: mine.loader\n"), REVIEW, "mine.loader"),
    "no flavour": (flavour("    loader_module: mlflow.projects\n"), REVIEW, "mlflow.projects"),
    "code": (flavour("    loader_module: mlflow.sklearn\n    code: src\n"), REVIEW, "src"),
    "model as code": (flavour("    loader_module: mlflow.pyfunc.model\n    model_code_path: m.py\n"), REVIEW, "m.py"),
}

JSON_NAMED = {**HUB, **TEMPLATES, **KERAS, **SKOPS}

HONEST = {
    "config.json": document({"architectures": ["LlamaForCausalLM"], "hidden_act": "silu", "auto_map": None}),
    "tokenizer_config.json": document({"chat_template": "{% for m in messages %}{{ m.content }}{% endfor %}", "trust_remote_code": False}),
    "chat_template.json": document({"chat_template": "{% for m in messages %}{{ m['content'] + '\\n\"' }}{% endfor %}"}),
    "chat_template.jinja": b"{%- for m in messages %}{{ m.content }}{% endfor %}",
    "prompt.json": document({"prompt_template": "Answer {question}.", "template": None}),
    "model_index.json": document({
        "_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30.0", "unet": ["diffusers", "UNet2DConditionModel"],
        "text_encoder": ["transformers", "CLIPTextModel"], "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "image_encoder": [None, None],
    }),
    "modules.json": document([
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
    ]),
    "dense.json": document({"in_features": 8, "activation_function": "torch.nn.modules.activation.Tanh"}),
    "keras.json": document(layer("Functional", "keras.src.models.functional", config={"layers": [
        layer("Dense", config={"activation": "relu", "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {}}}),
        layer("Add", "keras.src.ops.numpy"), layer("Dense", activation=function("builtins", "softmax")),
        layer("StringLookup", config={"vocabulary": ["a", "b"]}), {"class_name": "__tensor__", "config": {"value": 1}},
        layer("Activation", config=function("keras.activations", "gelu")),
        {"class_name": "LSTM", "config": {"units": 4}}, layer("TFOpLambda", None, config={"function": "math.add"}),
    ]}, compile_config={"optimizer": layer("Adam", "keras.src.backend.torch.optimizers.torch_adam"), "loss": "mse"})),
    "schema.json": document(node(
        "ObjectNode", "sklearn.linear_model._logistic", "LogisticRegression",
        content=node("DictNode", "builtins", "dict", content={"f": node("FunctionNode", "numpy", "log1p")}),
    )),
    "nemo.yaml": b"target: nemo.collections.asr.models.ASRModel\nloss:\n  _target_: nemo.collections.asr.losses.ctc.CTCLoss\n"
    b"optimizer:\n  _target_: torch.optim.AdamW\nlang: de\nfeatures: {a: *x}\n".replace(b"*x", b"null"),
    "MLmodel": flavour("    loader_module: mlflow.sklearn\n    model_path: model.pkl\n    code: null\n"),
    "broken.yaml": b"a: [unclosed\n",
    "templated.yaml": b"a: {{ value }}\n",
    "notes.md": b"Hydra calls what stands there:\n\n    _target_: mine.Net\n",
    "MANIFEST.json": document({"model": {"modelName": "m", "handler": "image_classifier", "serializedFile": "m.pt"}}),
}  # fmt: skip


@pytest.mark.parametrize("name", JSON_NAMED)
def test_json_is_stopped_and_named(name: str) -> None:
    content, verdict, because = JSON_NAMED[name]
    assert because in reasons(content)
    assert judged(content)[0] is verdict


@pytest.mark.parametrize("name", JSON_NAMED)
def test_so_it_is_in_an_archive(name: str) -> None:
    content, verdict, _ = JSON_NAMED[name]
    assert judged(hostile.zipped({"a/config.json": content}))[0] is verdict


@pytest.mark.parametrize("name", YAMLS)
def test_yaml_is_stopped_and_named(name: str) -> None:
    content, verdict, because = YAMLS[name]
    assert because in reasons(content, "config.yaml")
    assert judged(content, "config.yaml")[0] is verdict


@pytest.mark.parametrize("name", MLFLOW)
def test_mlmodel_is_stopped_and_named(name: str) -> None:
    content, verdict, because = MLFLOW[name]
    assert because in reasons(content, "MLmodel")
    assert judged(content, "MLmodel")[0] is verdict


@pytest.mark.parametrize("name", ["x.jinja", "x.jinja2", "prompt.j2", "chat_template.txt", "a/chat_template.jinja"])
def test_a_template_by_its_name(name: str) -> None:
    assert judged(REACHING.encode(), name)[0] is UNSAFE


def test_a_template_that_is_json_as_well() -> None:
    assert judged(b'["{{ lipsum.x }}"]', "chat_template.jinja")[0] is UNSAFE


@pytest.mark.parametrize("key", ["handler", "modelFile", "requirementsFile"])
def test_what_a_server_runs_is_for_review(key: str) -> None:
    manifest = document({"model": {"modelName": "m", "serializedFile": "m.pt", key: "own.py"}})
    content = hostile.zipped({"MAR-INF/MANIFEST.json": manifest, "own.py": b"import torch\n"})
    assert judged(content, "m.mar")[0] is REVIEW
    assert "own.py" in reasons(content, "m.mar")


def test_nemo_is_its_members() -> None:
    fine = hostile.tarred({"model_config.yaml": HONEST["nemo.yaml"], "w.ckpt": hostile.zipped(hostile.torch_members())})
    assert judged(fine, "m.nemo")[0] is Verdict.SAFE, reasons(fine, "m.nemo")
    bad = hostile.tarred({"model_config.yaml": YAMLS["target"][0], "w.ckpt": hostile.zipped(hostile.torch_members())})
    assert judged(bad, "m.nemo")[0] is UNSAFE


@pytest.mark.parametrize("name", HONEST)
def test_honest_files_are_safe(name: str) -> None:
    assert judged(HONEST[name], name)[0] is Verdict.SAFE, reasons(HONEST[name], name)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["a.b", "Dense", "os", "{{ x }}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([
        "class_name", "config", "module", "registered_name", "auto_map", "_target_", "path", "target", "params", "__loader__",
        "__module__", "__class__", "content", "loader_module", "chat_template", "_class_name", "type", "idx", "modelName", "handler",
    ]), inner, max_size=5),
    max_leaves=12,
)  # fmt: skip


@given(_VALUES)
@settings(max_examples=300, deadline=None)
def test_no_shape_crashes_anything(value: Any) -> None:
    assert "strict failed" not in judged(document([value]))[1]
    assert "strict failed" not in judged(document([value]), "x.yaml")[1]


@given(st.text(alphabet="ab:-[]{}&*!<>|?%@`'\"#,\n _", max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_yaml_crashes_anything(source: str) -> None:
    assert "strict failed" not in judged(source.encode(), "x.yaml")[1]
