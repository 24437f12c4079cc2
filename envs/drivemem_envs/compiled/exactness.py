"""The process environment in which highway-env computes exactly as the kernels do.

NumPy's vector code and BLAS's fused multiply-add round some last bits differently from the C
library, which numba calls; with both switched off, trajectories are equal bit for bit (x86).
"""

from __future__ import annotations

import platform


def exact_environment() -> dict[str, str]:
    """Environment variables under which parity is to the last bit.

    They take effect when NumPy is imported, so give them to a new process.

    Returns:
        Variables and their values; empty where this is not an x86 processor (there only bounds
        hold).
    """
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return {}
    from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]

    enabled = [name for name in umath.__cpu_dispatch__ if umath.__cpu_features__.get(name)]
    return {
        "NPY_DISABLE_CPU_FEATURES": ",".join(enabled),
        "OPENBLAS_CORETYPE": "Nehalem",
        "NUMBA_DISABLE_INTEL_SVML": "1",
    }
