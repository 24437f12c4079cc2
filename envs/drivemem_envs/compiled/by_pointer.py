"""Named tuples of arrays, handed from kernel to kernel by address.

numba hands a named tuple over word by word: the arrays of a world are 140 words, and copying them
onto the stack for every call took a third of a step's time. `by_pointer` puts them into memory
once; what it returns has the same attributes and is one word.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numba
from numba.core import cgutils, types
from numba.core.imputils import impl_ret_borrowed
from numba.core.typing.templates import AttributeTemplate
from numba.extending import infer_getattr, intrinsic, lower_getattr_generic, models, register_model

Fields = TypeVar("Fields")


class ByPointer(types.Type):
    """The address of a named tuple's values."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype
        super().__init__(name=f"ByPointer({dtype})")


@register_model(ByPointer)
class _Address(models.PrimitiveModel):  # type: ignore[misc]
    def __init__(self, manager: Any, kind: Any) -> None:
        values = manager.lookup(kind.dtype).get_value_type()
        super().__init__(manager, kind, values.as_pointer())


@infer_getattr
class _Fields(AttributeTemplate):  # type: ignore[misc]
    key = ByPointer

    def generic_resolve(self, kind: Any, name: str) -> Any:
        fields = kind.dtype.fields
        return kind.dtype.types[fields.index(name)] if name in fields else None


@lower_getattr_generic(ByPointer)  # type: ignore[untyped-decorator]
def _load(context: Any, builder: Any, kind: Any, address: Any, name: str) -> Any:
    place = kind.dtype.fields.index(name)
    value = builder.load(cgutils.gep_inbounds(builder, address, 0, place))
    return impl_ret_borrowed(context, builder, kind.dtype.types[place], value)


@intrinsic  # type: ignore[untyped-decorator]
def _by_pointer(typing: Any, fields: Any) -> Any:
    def put(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return cgutils.alloca_once_value(builder, arguments[0])

    return ByPointer(fields)(fields), put


def _same(fields: Fields) -> Fields:
    return fields


by_pointer: Any = _same if numba.config.DISABLE_JIT else _by_pointer
"""`by_pointer(fields)`: the named tuple by address. The address is good until the kernel returns
that called this: hand it on to kernels, never back."""
