"""Traffic of the class that a path names, wherever it is kept, and of no other."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest
from highway_env.vehicle.behavior import IDMVehicle

from drivemem_envs import make, scenario


def drivers_of(path):
    env = make("highway-fast-v0", config={"other_vehicles_type": path, "vehicles_count": 3})
    env.reset(seed=0)
    return {kind for car in env.road.vehicles for kind in type(car).__mro__}


def test_a_class_of_a_script_drives(monkeypatch):
    car = type("Car", (IDMVehicle,), {"TIME_WANTED": 3.0})
    monkeypatch.setattr(sys.modules["__main__"], "Car", car, raising=False)
    assert car in drivers_of("__main__.Car")


def test_names_that_differ_by_underscores_are_different_classes(monkeypatch):
    kept = {}
    for place in ("a__b", "a.b", "a"):
        kept[place] = ModuleType(place)
        kept[place].C = type("C", (IDMVehicle,), {"place": place})
        monkeypatch.setitem(sys.modules, place, kept[place])
    assert kept["a__b"].C in drivers_of("a__b.C")
    assert kept["a.b"].C in drivers_of("a.b.C")
    assert kept["a.b"].C not in drivers_of("a__b.C")


class Outer:
    """Something with a class inside."""

    class Inner(IDMVehicle):
        """highway-env's paths do not reach it."""


@pytest.mark.parametrize("path", [f"{__name__}.Outer.Inner", f"{__name__}.Nobody", "Car", 5])
def test_what_a_path_does_not_reach_is_refused_in_one_line(path):
    with pytest.raises(ValueError, match=r"other_vehicles_type=.*the path of a class") as told:
        scenario("highway-fast-v0").with_(config={"other_vehicles_type": path})
    assert "\n" not in str(told.value)
