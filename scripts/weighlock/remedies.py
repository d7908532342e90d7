"""What to do about a file that is not safe, for the person who made it: by the rule of its worst finding. Pure."""

from __future__ import annotations

from weighlock.ledger import Row
from weighlock.scanners import Severity

_LFS = "Fetch the file's content, then run again."
_GAP = "Convert it to a format that is understood (safetensors, ONNX, text), or move it out of the model."
_REVIEW = "Somebody has to look at it: is it yours, and is it meant to run?"
_UNSAFE = "Do not load it. Ask its author for a version in safetensors, or remove it from the model."

_BY_RULE = {
    "archive": "Do not unpack it. Ask its author for an archive of plain files with plain relative names.",
    "code": "Take it out of the model, and let it go through review as code.",
    "coreml": "Do not load it before somebody has read the application's own layer that it needs.",
    "hdf5": "Do not load it. Save the weights alone, with everything in one file.",
    "jinja": "Replace the chat template by the one that its model family publishes.",
    "json": "Do not load it. Save the weights alone and build the layers in code.",
    "json.object": "Do not decode it. Write plain values as JSON.",
    "json.remote-code": "Remove the key if the model runs without; else its code has to go through review as code.",
    "mlflow": "Log the model with one of MLflow's own flavours; its loader runs as code.",
    "name.mismatch": "Find out what it is. If it belongs here, give it the ending of its content.",
    "native": "Remove it from the model: a program belongs into a package or a container image.",
    "onnx.python": "Export the model without operators that run Python.",
    "onnx.external-data": "Do not load it. Save the model with its tensors inside, or in a file beside it.",
    "pickle": "Do not load it. Save the weights without code: safetensors.torch.save_file(model.state_dict(), "
    "'model.safetensors'), or skops.io.dump(model, 'model.skops') for scikit-learn.",
    "r": "Do not load it. Save the numbers alone (saveRDS of a list of vectors), without functions and formulas.",
    "skops": "Do not load it. Have its types reviewed, and name those that are yours under scan.globals.",
    "tensorflow": "Do not load it. Export the model without operations that read files or run code.",
    "text.private-key": "Remove the key, and revoke it: whoever has this model has the key.",
    "text.evaluated": "Do not build a model from it. Its trainer would run what stands there.",
    "text.target": "Remove the key: a loader would call what it names.",
    "torchserve": "Take the handler out of the archive, and let it go through review as code.",
    "torchscript": "Do not load it. Trace the model without operators that touch files.",
    "text": "Remove the line: a parser or loader would run or fetch what it names.",
    "xml": "Remove what the parser would fetch or run: entities, document types, scripts.",
}


def of(row: Row) -> str:
    """Return what to do about the file of `row`."""
    if row.format == "lfs pointer":
        return _LFS
    findings = sorted((item for report in row.reports for item in report.findings), key=lambda item: -item.severity)
    if not findings:
        return _GAP
    worst = findings[0]
    if worst.severity is Severity.REVIEW:
        return _REVIEW
    return _BY_RULE.get(worst.rule) or _BY_RULE.get(worst.rule.split(".", maxsplit=1)[0], _UNSAFE)
