"""What people write down beside the weights: the front matter of a model card, a licence file, chat templates."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Mapping
from typing import Any

from weighlock.config import document
from weighlock.errors import InputError

_FRONT = 64 * 1024  # characters
_KEYS = {"license": "licence", "license_name": "licence name", "base_model": "base model", "datasets": "datasets"}
_WORDS = 400  # characters of one value
_LICENCES = ("license", "licence", "copying")


def is_card(path: str) -> bool:
    """Tell whether the file of a model is its card or its licence."""
    name = posixpath.basename(path).lower()
    return "/" not in path and (name == "readme.md" or name.startswith(_LICENCES))


def read(path: str, text: str) -> Mapping[str, str]:
    """Return what a card says of licence, base model and datasets; the first line of a licence."""
    if not text:
        return {}
    if posixpath.basename(path).lower() != "readme.md":
        first = next((line.strip() for line in text.splitlines() if line.strip()), "")
        return {path: first[:_WORDS]}
    content = front_matter(text)
    return {word: _words(content[key]) for key, word in _KEYS.items() if content.get(key)}


def front_matter(text: str) -> Mapping[str, Any]:
    """Return the front matter of a model card, nothing where it has none or a broken one."""
    front, end, _ = text[4:_FRONT].partition("\n---") if text.startswith("---\n") else ("", "", "")
    try:
        return document.plain(front.encode(errors="replace"), "README.md") if end else {}
    except InputError:
        return {}


def templates(text: str) -> Mapping[str, str]:
    """Return the chat templates of a ``tokenizer_config.json``: one, or several by name."""
    try:
        config = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    found = config.get("chat_template") if isinstance(config, dict) else None
    if isinstance(found, str):
        return {"chat_template": found}
    items = found if isinstance(found, list) else []
    return {
        f"chat_template {item.get('name')}": item["template"]
        for item in items
        if isinstance(item, dict) and isinstance(item.get("template"), str)
    }


def _words(value: Any) -> str:
    return ", ".join(map(str, value) if isinstance(value, list) else [str(value)])[:_WORDS]
