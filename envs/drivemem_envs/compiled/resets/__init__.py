"""Resets in kernels: the scene that highway-env makes from a seed, made by the same draws.

`families` says which worlds have one; `scenes.dispatch` calls it.
"""
