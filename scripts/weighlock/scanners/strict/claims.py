"""Names that claim a format: a name never chooses the parser, and one that misleads people or loaders is a finding."""

from __future__ import annotations

from weighlock.scanners import Blob, Severity
from weighlock.scanners.strict.notes import Notes

_TEXT = frozenset({"text", "json", "xml", "torchscript code"})
_CLAIMS: dict[str, frozenset[str]] = {
    **dict.fromkeys(
        (".json", ".txt", ".md", ".yaml", ".yml", ".csv", ".toml", ".ini", ".cfg", ".py", ".jinja", ".xml"), _TEXT
    ),
    ".safetensors": frozenset({"safetensors"}),
    ".onnx": frozenset({"onnx"}),
    ".gguf": frozenset({"gguf"}),
    ".npy": frozenset({"npy"}),
    **dict.fromkeys((".h5", ".hdf5"), frozenset({"hdf5"})),
    ".pb": frozenset({"tensorflow", "tensorflow fingerprint", "keras metadata"}),
    ".tflite": frozenset({"tflite"}),
    ".mlmodel": frozenset({"coreml"}),
    **dict.fromkeys((".keras", ".zip", ".npz"), frozenset({"zip"})),
    ".png": frozenset({"png"}),
    **dict.fromkeys((".jpg", ".jpeg"), frozenset({"jpeg"})),
    ".gif": frozenset({"gif"}),
    ".webp": frozenset({"webp"}),
}
_SILENT = frozenset({"empty", "lfs pointer", "unknown"})  # these are told as what they are, with their own reason


def claim(blob: Blob, notes: Notes) -> None:
    """Add a finding where the name's ending promises something that the content is not."""
    ending = "." + blob.name.rsplit(".", maxsplit=1)[-1].lower()
    promised = _CLAIMS.get(ending)
    if "." in blob.name and promised and blob.format not in promised | _SILENT:
        message = f"the name ends in {ending}, the content is {blob.format}"
        notes.find("name.mismatch", Severity.MEDIUM, message)
