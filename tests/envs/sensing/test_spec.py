"""How sectors and misses are given, and what is refused."""

import re

import pytest

from drivemem_envs.sensing import MISSED_PRESETS, Sensors


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"sectors": "0:60:80", "range_m": 5.0}, "in place of range_m=5.0"),
        ({"sectors": "0:60:80", "field_of_view_deg": 90.0}, "field_of_view_deg=90.0"),
        ({"sectors": "sideways"}, "'sideways' is no sector: give centre:width:range"),
        ({"sectors": "0:60:80,9"}, "'9' is no sector"),
        ({"sectors": "0:0:80"}, "greater than 0"),
        ({"sectors": "0:nan:80"}, "finite number"),
        ({"sectors": ",".join(["0:9:9"] * 9)}, "at most 8 items"),
        ({"missed": "radar"}, "'radar' is no model of misses: give one of lidar, camera"),
        ({"missed": "lidar,gap=2"}, "'gap=2' is no model of misses"),
        ({"missed": "recall_near=0.5"}, "mean_gap_s is missing"),
        ({"missed": "camera,recall_near=1.5"}, "less than or equal to 1"),
    ],
)
def test_sectors_and_misses_that_cannot_be_are_refused(wrong, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Sensors(**wrong)


def test_sectors_and_misses_are_given_as_text_as_tables_or_as_they_are():
    table = ({"centre_deg": 0, "width_deg": 60, "range_m": 80}, {"centre_deg": 180, "width_deg": 9})
    assert Sensors(sectors="0:60:80,180:9:inf") == Sensors(sectors=table)
    assert Sensors(sectors="none") == Sensors(sectors=()) == Sensors()
    changed = Sensors(missed="camera,mean_gap_s=3").missed
    assert changed == MISSED_PRESETS["camera"].model_copy(update={"mean_gap_s": 3.0})
    again = Sensors(**Sensors(sectors=table, missed="lidar").model_dump(mode="json"))
    assert again == Sensors(sectors=table, missed="lidar")
