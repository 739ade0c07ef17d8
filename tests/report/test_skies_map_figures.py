"""Maps of skies: longitude grows to the left, what matters most is drawn last."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cloudchamber.report import skies_map_figures as sky
from cloudchamber.report.style import svg


def vector(longitude: float, latitude: float) -> NDArray[np.float64]:
    """Unit vector of Galactic longitude and latitude in degrees."""
    lon, lat = np.radians([longitude, latitude])
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


@pytest.mark.parametrize(
    ("longitude", "latitude", "x"), [(0, 0, 0), (90, 0, -90), (270, 10, 90), (170, -40, -170), (190, 80, 170)]
)
def test_longitude_grows_to_the_left(longitude: float, latitude: float, x: float) -> None:
    found = sky.mollweide(vector(longitude, latitude))
    assert np.degrees(found) == pytest.approx([x, latitude])


@pytest.fixture
def skies() -> list[sky.Sky]:
    rng = np.random.default_rng(1)
    direction = rng.normal(size=(100, 3))
    direction[:7] = vector(60, 30) + 0.1 * direction[:7]
    direction /= np.linalg.norm(direction, axis=1)[:, None]
    energy, signal = 40 + 20 * rng.exponential(size=100), np.arange(100) < 7
    value = np.where(signal, 0.1, -0.01)
    value[50] = np.nan
    return [
        sky.Sky(direction, energy, "a sky"),
        sky.Sky(direction, energy, "truth", signal=signal, source=vector(60, 30), said=np.full(3, np.nan)),
        sky.Sky(direction, energy, "relevance", value=value, value_label="relevance", said=vector(62, 31)),
        sky.Sky(direction, energy, "nothing found", value=np.zeros(100), source=np.zeros(3)),
    ]


def test_sky_maps_show_source_truth_and_relevance_in_place(skies: list[sky.Sky]) -> None:
    drawing = sky.sky_maps(skies)
    maps = [axes for axes in drawing.axes if axes.name == "mollweide"]
    assert [axes.get_title() for axes in maps] == ["a sky", "truth", "relevance", "nothing found"]
    assert [len(np.asarray(points.get_offsets())) for points in maps[1].collections] == [93, 7, 1]
    star = np.degrees(np.asarray(maps[1].collections[2].get_offsets())[0])
    assert star == pytest.approx([-60, 30])
    assert [text.get_text() for text in maps[0].texts] == ["120°", "60°", "$l$=0°", "300°", "240°"]
    assert np.degrees([text.get_position()[0] for text in maps[0].texts]) == pytest.approx([-120, -60, 0, 60, 120])
    # largest relevance drawn last; a missing value not at all
    colours = np.asarray(maps[2].collections[0].get_array())
    assert len(colours) == 99
    assert (colours[-7:] == 0.1).all()
    assert [text.get_text() for text in drawing.legends[0].get_texts()] == [
        "signal cosmic rays",
        "true source",
        "estimate",
    ]
    assert svg(drawing).startswith("<svg")
