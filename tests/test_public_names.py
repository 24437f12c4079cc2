"""A public name means one thing, however often and after whatever it is asked for."""

from __future__ import annotations

import pkgutil
from importlib import import_module

import pytest

PACKAGES = ("drivemem", "drivemem_envs", "drivemem_agents")
NAMES = [(package, name) for package in PACKAGES for name in import_module(package).__all__]


@pytest.mark.parametrize(("package", "name"), NAMES)
def test_a_public_name_stays_what_it_is(package: str, name: str) -> None:
    home = import_module(package)
    first = getattr(home, name)
    import_module(first.__module__)
    assert getattr(home, name) is first
    assert callable(first)


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_that_of_a_module(package: str) -> None:
    home = import_module(package)
    modules = {module.name for module in pkgutil.iter_modules(home.__path__)}
    assert not modules & set(home.__all__)
