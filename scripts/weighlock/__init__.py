"""Weighlock: no model passes to production unless every byte of it was weighed, sealed and explained."""

from __future__ import annotations

__version__ = "0.1.0"
