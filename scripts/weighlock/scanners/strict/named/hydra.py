"""Hydra, NeMo and their kin: configurations that are instantiated by dotted path.

Source: hydra.utils.instantiate (``_target_``), NeMo's from_config_dict and latent diffusion's instantiate_from_config
(``target``, beside ``params``), jsonargparse, which Lightning's command line reads configurations with (``class_path``),
and Haystack's pipelines (``type``, beside ``init_parameters``).
"""

from __future__ import annotations

from weighlock.scanners.strict.named import paths, torch_export
from weighlock.scanners.strict.notes import Notes
from weighlock.scanners.strict.pairs import Pairs

RULE = "text.target"

_ROOTS = ("nemo.collections", "nemo.core", "torch.nn", "torch.optim", "pytorch_lightning", "lightning.pytorch")
_FINDERS = frozenset({"get_method", "get_class", "get_object", "get_static_method", "instantiate", "call"})


def look(pairs: Pairs, notes: Notes) -> None:
    """Find what one object makes a loader call."""
    for path in pairs.strings("_target_"):
        judge(path, "the key _target_ makes a loader call", notes)
        if path.rpartition(".")[2] in _FINDERS:
            for inner in pairs.strings("path"):
                judge(inner, f"{path} makes a loader call", notes)
    for path in pairs.strings("class_path"):
        judge(path, "the key class_path makes a loader call", notes)
    for path in pairs.strings("type"):
        if pairs.has("init_parameters"):
            paths.judge(RULE, path, "the key type makes Haystack call", ("haystack",), notes)
    for path in pairs.strings("target"):
        if torch_export.is_node(pairs):
            continue
        if "." in path and (pairs.has("params") or paths.dangerous(path)):
            judge(path, "the key target makes a loader call", notes)


def judge(path: str, what: str, notes: Notes) -> None:
    """Judge a path that is called; below a known root only a class is known."""
    known = _ROOTS if path.rpartition(".")[2][:1].isupper() else ()
    paths.judge(RULE, path, what, known, notes)
