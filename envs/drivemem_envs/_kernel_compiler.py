"""How kernels are compiled: what kernels call is translated once, what Python calls is made of it.

numba by itself optimises a function together with all that it calls, then what calls that function
with all of it again, and so on upwards, and makes machine code of each. Of kernels that call each
other ten levels deep most of it is code that nobody runs. Here the functions that kernels call
stay as they were translated (`PartCompiler`); only what Python calls (`WholeCompiler`) is linked
with all parts, optimised and made into machine code: the same code in less than half the time.
"""

from __future__ import annotations

import gc
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.environment import lookup_environment

_ENVIRONMENT = "_ZN08NumbaEnv"
"""How the names of globals begin in which numba keeps the environment of a function."""


class _Part(JITCodeLibrary):  # type: ignore[misc]
    """What a function was translated to that only kernels call."""

    def finalize(self) -> None:
        """End the translation: nothing is linked, optimised or made into machine code."""
        self._raise_if_finalized()
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Where its machine code is: nowhere."""
        self._ensure_finalized()
        return 0

    @property
    def codegen(self) -> Any:
        """Where numba puts environments of finished functions: see `_Whole.finalize`."""
        return _Nowhere


class _Nowhere:
    @staticmethod
    def set_env(env_name: str, env: Any) -> None:
        """Keep nothing."""


class _Whole(JITCodeLibrary):  # type: ignore[misc]
    """A kernel that Python calls, with all parts that it needs, each once."""

    _linking_libraries: list[Any]

    def finalize(self) -> None:
        """Link the parts, optimise all of it and make machine code."""
        found: dict[Any, None] = dict.fromkeys(self._linking_libraries)
        pending = list(found)
        while pending:
            library = pending.pop()
            if isinstance(library, _Part):
                new = [each for each in library._linking_libraries if each not in found]
                found.update(dict.fromkeys(new))
                pending += new
        own = {each.name for each in self._final_module.functions if not each.is_declaration}
        for part in (each for each in found if isinstance(each, _Part)):
            self._reload_init.update(part._reload_init)
            self._final_module.link_in(part._final_module, preserve=True)
        for each in self._final_module.functions:
            is_of_part = not each.is_declaration and each.name not in own
            if is_of_part and each.linkage.name == "external":
                each.linkage = "linkonce_odr"  # so that it may be inlined and then dropped
        # numba's own libraries come last: LLVM links only what is needed by then.
        self._linking_libraries = [each for each in found if not isinstance(each, _Part)]
        super().finalize()
        for each in self._final_module.global_variables:
            if each.name.startswith(_ENVIRONMENT):
                environment = lookup_environment(each.name)
                if environment is not None:
                    self._codegen.set_env(each.name, environment)


class PartCompiler(Compiler):  # type: ignore[misc]
    """Compiles what kernels call."""

    _library: type[JITCodeLibrary] = _Part

    def define_pipelines(self) -> Any:
        """Numba's own passes, into a library of this module."""
        state = self.state
        if state.library is None:
            state.library = self._library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
        return super().define_pipelines()


class WholeCompiler(PartCompiler):
    """Compiles what Python calls."""

    _library = _Whole

    def compile_extra(self, func: Any) -> Any:
        """Compile a kernel and all parts that it needs.

        Millions of objects are made meanwhile, and nearly all stay until the end: looking for
        garbage among them again and again took a sixth of the time.
        """
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return super().compile_extra(func)
        finally:
            if was_enabled:
                gc.enable()
