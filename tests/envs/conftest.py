"""What the tests of the environments share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture
def pristine_traffic() -> Iterator[None]:
    """highway-env's shared driver class as it ships, for comparisons with raw highway-env.

    Its intersection writes on the class, so what ran before in the process would decide.
    """
    from highway_env.vehicle.behavior import IDMVehicle

    shipped = {"DISTANCE_WANTED": 10.0, "COMFORT_ACC_MAX": 3.0, "COMFORT_ACC_MIN": -5.0}
    before = {name: getattr(IDMVehicle, name) for name in shipped}
    for name, value in shipped.items():
        setattr(IDMVehicle, name, value)
    yield
    for name, value in before.items():
        setattr(IDMVehicle, name, value)
