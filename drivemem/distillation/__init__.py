"""Distillation: an agent learns what a teacher who sees more would do, or is made readable."""
