"""Pickle streams read without unpickling: opcodes, an inert machine that runs them, and what a global may be."""
