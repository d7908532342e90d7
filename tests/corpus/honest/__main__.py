"""Scan all honest models and raise the floors."""

from __future__ import annotations

from corpus import honest

honest.raise_floors({model: honest.scanned(model).verdict for model in honest.models()})
