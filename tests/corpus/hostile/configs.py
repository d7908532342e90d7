"""Configurations: chat templates, code by reference on the Hub, YAML that constructs, Hydra that instantiates."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from corpus.hostile import Case, Family
from corpus.hostile.templates import HOSTILE, NEEDS_MORE

JINJA = Family("chat template")
HUB = Family("code from the Hub")
YAML = Family("YAML")
HYDRA = Family("Hydra")

RENDERS = "runs Python when the first prompt is rendered"
BUILDS = "constructs a Python object under yaml.load"


def document(value: Any) -> bytes:
    """Return JSON."""
    return json.dumps(value, indent=1).encode()


def cases() -> Iterator[Case]:
    yield from _templates()
    yield from _hub()
    yield from _yaml()
    yield from _hydra()


def _templates() -> Iterator[Case]:
    for number, (name, template) in enumerate(HOSTILE.items()):
        held = name in NEEDS_MORE
        if number % 2:
            yield JINJA.case(name, "chat_template.jinja", template.encode(), RENDERS, held=held)
        else:
            config = {"tokenizer_class": "LlamaTokenizer", "chat_template": template}
            yield JINJA.case(name, "tokenizer_config.json", document(config), RENDERS, held=held)
    template = HOSTILE["lipsum"]
    for name, path, content in (
        ("chat_template.json", "chat_template.json", document({"chat_template": template})),
        ("processor_config.json", "processor_config.json", document({"chat_template": template})),
        (
            "list of templates", "tokenizer_config.json",
            document({"chat_template": [{"name": "default", "template": "a"}, {"name": "b", "template": template}]}),
        ),
        ("nested", "config.json", document({"a": {"b": [{"prompt_template": template}]}})),
        ("yaml", "prompt.yaml", f'chat_template: "{template}"\n'.encode()),
        ("yaml block", "prompt.yaml", f"chat_template: |\n  {template}\n".encode()),
        ("second jinja file", "additional_chat_templates/tool.jinja", template.encode()),
        ("j2", "template.j2", template.encode()),
        ("escaped JSON", "tokenizer_config.json", document({"chat_template": template}).replace(b"lipsum", b"\\u006cipsum")),
        ("generation config", "generation_config.json", document({"chat_template": template})),
    ):  # fmt: skip
        yield JINJA.case(name, path, content, RENDERS)
    yield JINJA.case(
        "does not parse", "chat_template.jinja", b"{% if %}{{ ''.__class__", "may parse elsewhere", held=True
    )


def _hub() -> Iterator[Case]:
    foreign = {"AutoModel": "someone/else--modeling.Net"}
    for name, path, value in (
        ("foreign repository", "config.json", {"model_type": "net", "auto_map": foreign}),
        ("foreign tokenizer", "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["a/b--tok.Tok", None]}}),
        ("foreign processor", "preprocessor_config.json", {"auto_map": {"AutoProcessor": "a/b--proc.Proc"}}),
        ("foreign, nested", "config.json", {"text_config": {"auto_map": foreign}}),
        (
            "foreign pipeline",
            "config.json",
            {"custom_pipelines": {"p": {"impl": "a/b--pipe.Pipe", "pt": ["AutoModel"]}}},
        ),
    ):
        yield HUB.case(name, path, document(value), "fetches and runs code of another repository")
    code = {"modeling.py": b"import os\nos.system('true')\n"}
    local = {"auto_map": {"AutoModel": "modeling.Net"}}
    yield HUB.case("own code", "config.json", document(local), "runs code of the model", held=True, beside=code)
    yield HUB.case(
        "trust_remote_code", "config.json", document({"trust_remote_code": True}), "asks for trust by itself", held=True
    )
    yield HUB.case(
        "own pipeline", "config.json", document({"custom_pipelines": {"p": {"impl": "pipe.Pipe"}}}),
        "runs code of the model", held=True,
    )  # fmt: skip


def _yaml() -> Iterator[Case]:
    for name, text in {
        "apply": "!!python/object/apply:os.system ['true']\n",
        "new": "!!python/object/new:os.system ['true']\n",
        "object": "a: !!python/object:subprocess.Popen {args: ['true']}\n",
        "name": "a: !!python/name:os.system\n",
        "module": "a: !!python/module:os\n",
        "deep": "a:\n  - b:\n      c: !!python/object/apply:os.system ['true']\n",
        "full tag": "!<tag:yaml.org,2002:python/object/apply:os.system> ['true']\n",
        "tag directive": "%TAG !p! tag:yaml.org,2002:python/\n---\n!p!object/apply:os.system ['true']\n",
        "percent in the tag": "!!python%2Fobject%2Fapply:os.system ['true']\n",
        "second document": "a: 1\n---\n!!python/object/apply:os.system ['true']\n",
        "tuple as a shield": "a: !!python/tuple [!!python/object/apply:os.system ['true']]\n",
        "as a key": "? !!python/object/apply:os.system ['true']\n: 1\n",
    }.items():
        yield YAML.case(name, "config.yaml", text.encode(), BUILDS)
    yield YAML.case("named yml", "hparams.yml", b"!!python/object/apply:os.system ['true']\n", BUILDS)
    yield YAML.case("in MLmodel", "MLmodel", b"a: !!python/object/apply:os.system ['true']\n", BUILDS)
    yield YAML.case("in text", "notes.txt", b"!!python/object/apply:os.system ['true']\n", BUILDS)


def _hydra() -> Iterator[Case]:
    for name, path, text in (
        ("os.system", "config.yaml", "model:\n  _target_: os.system\n  command: 'true'\n"),
        ("builtins.exec", "config.yaml", "_target_: builtins.exec\n_args_: ['1']\n"),
        ("flow", "config.yaml", "{model: {_target_: subprocess.Popen, args: ['true']}}\n"),
        ("quoted key", "config.yaml", "model:\n  \"_target_\": 'os.system'\n"),
        ("escaped key", "config.yaml", 'model:\n  "\\x5ftarget_": os.system\n'),
        ("in a list", "config.yaml", "callbacks:\n  - _target_: runpy.run_path\n    path_name: a\n"),
        ("as JSON", "config.json", '{"model": {"_target_": "os.system", "command": "true"}}\n'),
        ("partial", "config.yaml", "_target_: functools.partial\n_args_: [1]\n"),
        ("get_method", "config.yaml", "_target_: hydra.utils.get_method\npath: os.system\n"),
        ("anchor", "config.yaml", "a: &a {_target_: os.system}\nb: *a\n"),
        ("merge key", "config.yaml", "a: &a\n  _target_: os.system\nb:\n  <<: *a\n  command: 'true'\n"),
    ):
        yield HYDRA.case(name, path, text.encode(), "calls what the configuration names when it is instantiated")
