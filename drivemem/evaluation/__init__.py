"""Evaluation: every driver meets the same episodes; `evaluate` is where to begin."""
