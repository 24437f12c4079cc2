"""Explaining: a trained run as something that can be read, a finite-state machine or a tree."""
