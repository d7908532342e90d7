"""What a model is made of, as two versions of it are compared: tensors, imports of its pickles, templates, what its card says.

Facts are shown to people and decide nothing. So a file that cannot be read adds none, instead of failing: the scan's
verdict already says that it is not understood. All text in them is the model's, so it is printed escaped only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from weighlock.facts import card, headers, imports
from weighlock.jsonio import Json
from weighlock.ledger import Row
from weighlock.model import Model, ModelFile
from weighlock.scanners.reading import UnclearError

TEXT_LIMIT = 200_000  # characters of a template
_WHOLE = 16 * 1024 * 1024  # bytes of a text file that is read
_TOKENIZER = ("tokenizer", "vocab", "merges.txt", "special_tokens_map.json", "added_tokens.json", "spiece.model")


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of one model."""

    tensors: Mapping[str, str] = field(default_factory=dict)
    """Name to dtype and shape."""
    imports: tuple[str, ...] = ()
    """What its pickles import, sorted."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Chat templates, and digests of the tokenizer's files, by where they stand."""
    card: Mapping[str, str] = field(default_factory=dict)
    """Licence, base model and datasets, where the model card names them."""

    def to_json(self) -> Json:
        """Return the wire form."""
        return {
            "tensors": dict(self.tensors),
            "imports": list(self.imports),
            "texts": dict(self.texts),
            "card": dict(self.card),
        }


def of(model: Model, rows: Mapping[str, Row]) -> Facts:
    """Return the facts of a scanned model; `rows` are those of its ledger, by path."""
    tensors: dict[str, str] = {}
    named: set[str] = set()
    texts: dict[str, str] = {}
    said: dict[str, str] = {}
    for file in model.files:
        form = rows[file.path].format
        try:
            with file.open() as stream:
                header = headers.read(form, stream, file.size)
                stream.seek(0)
                named |= imports.of(form, stream)
        except UnclearError:
            header = headers.Header()
        for name, kind in header.tensors.items():
            tensors[name if name not in tensors else f"{file.path}: {name}"] = kind
        texts |= {f"{file.path}: {key}": text[:TEXT_LIMIT] for key, text in header.texts.items()}
        texts |= _texts(file)
        said |= header.card
        said |= card.read(file.path, _text(file) if card.is_card(file.path) else "")
    return Facts(dict(sorted(tensors.items())), tuple(sorted(named)), texts, said)


def _texts(file: ModelFile) -> Mapping[str, str]:
    name = file.path.rsplit("/", 1)[-1]
    if name == "tokenizer_config.json":
        return {f"{file.path}: {key}": text[:TEXT_LIMIT] for key, text in card.templates(_text(file)).items()}
    if name.endswith(".jinja"):
        return {file.path: _text(file)[:TEXT_LIMIT]}
    if name.startswith(_TOKENIZER):
        return {file.path: f"{file.digest}, {file.size} bytes"}
    return {}


def _text(file: ModelFile) -> str:
    if file.size > _WHOLE:
        return f"{file.digest}, {file.size} bytes"
    with file.open() as stream:
        return stream.read().decode("utf-8", "backslashreplace")
