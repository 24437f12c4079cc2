"""Many highway-env worlds stepped per call by compiled kernels, equal to highway-env bit for bit.

Importing this package compiles nothing; numba comes with its modules.
"""
