"""A Griffe extension: settings that `documented_by` adds to a docstring are shown too.

Griffe reads the source, where those settings stand in another class. What is shown is the
docstring that `help()` shows.
"""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

import griffe

DECORATOR = "documented_by"
SETTING = re.compile(r"^    (\w+): (.*(?:\n {8}.*)*)", re.MULTILINE)
"""Its name and what it is, as the decorator writes them."""


class Documented(griffe.Extension):
    """Takes the docstrings of decorated functions and classes from the imported module."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Called with every function."""
        _take(func)

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        """Called with every class."""
        _take(cls)


def _take(thing: griffe.Function | griffe.Class) -> None:
    if thing.docstring is None:
        return
    if not any(DECORATOR in str(decorator.value) for decorator in thing.decorators):
        return
    known = getattr(import_module(thing.module.path), thing.name)
    head, heading, settings = (inspect.getdoc(known) or "").partition("\n\nSettings:\n")
    taken = inspect.signature(known).parameters
    told = [
        f"    {name} ({_type(taken[name])}): {' '.join(text.split())} "
        f"Default: `{_default(taken[name])}`."
        for name, text in SETTING.findall(settings)
    ]
    thing.docstring.value = "\n".join([head, "", "Keyword Args:", *told]) if heading else head


def _type(taken: inspect.Parameter) -> str:
    return inspect.formatannotation(taken.annotation).replace("typing.", "")


def _default(taken: inspect.Parameter) -> str:
    return repr(getattr(taken.default, "model_dump", lambda: taken.default)())
