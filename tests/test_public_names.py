"""A public name means one thing, however often and after whatever it is asked for."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

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
def test_public_names_are_shown_before_they_are_loaded(package: str) -> None:
    program = f"import {package}; print(*dir({package}))"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    names = set(shown.stdout.split())
    assert set(import_module(package).__all__) <= names, shown.stderr
    assert not {"Any", "TYPE_CHECKING", "annotations"} & names


def test_the_version_is_that_of_the_installed_distribution() -> None:
    import drivemem

    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert drivemem.__version__ == version(project["name"])
    assert "__version__" in dir(drivemem)


def test_a_name_that_is_none_is_told_the_nearest() -> None:
    import drivemem

    with pytest.raises(AttributeError, match="did you mean 'evaluate'"):
        drivemem.evalute  # noqa: B018


@pytest.mark.parametrize("package", PACKAGES)
def test_no_public_name_is_that_of_a_module(package: str) -> None:
    home = import_module(package)
    modules = {module.name for module in pkgutil.iter_modules(home.__path__)}
    assert not modules & set(home.__all__)
