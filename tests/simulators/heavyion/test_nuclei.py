"""Shapes, densities and the table of nuclei."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudchamber.schema import BadInput
from cloudchamber.simulators.heavyion.nuclei import NUCLEI, Nucleus, density, nucleus, surface_radius

BETA = st.floats(-0.3, 0.3)


def test_table_has_the_species_of_trento_with_their_numbers() -> None:
    expected = {
        "Cu": (63, 4.20, 0.596, 0.0, 0.0),
        "Cu2": (63, 4.20, 0.596, 0.162, -0.006),
        "Xe": (129, 5.36, 0.590, 0.0, 0.0),
        "Xe2": (129, 5.36, 0.590, 0.162, -0.003),
        "Au": (197, 6.38, 0.535, 0.0, 0.0),
        "Au2": (197, 6.38, 0.535, -0.131, -0.031),
        "Pb": (208, 6.62, 0.546, 0.0, 0.0),
        "U": (238, 6.81, 0.600, 0.280, 0.093),
        "U2": (238, 6.86, 0.420, 0.265, 0.0),
        "U3": (238, 6.67, 0.440, 0.280, 0.093),
    }
    for name, numbers in expected.items():
        one = NUCLEI[name]
        assert (one.mass_number, one.radius, one.diffuseness, one.beta2, one.beta4) == numbers
    assert {"p", "d", "O", "Ru", "Zr"} <= set(NUCLEI)


@pytest.mark.parametrize("name", NUCLEI)
def test_every_nucleus_names_its_source(name: str) -> None:
    assert NUCLEI[name].name == name
    assert "arXiv" in NUCLEI[name].source or "github" in NUCLEI[name].source
    assert "UNVERIFIED" not in NUCLEI[name].source


def test_reach_is_that_of_trento() -> None:
    assert nucleus("p").reach == 0
    assert nucleus("d").reach == pytest.approx(-math.log(0.01) / (2 * 0.457))
    assert nucleus("Pb").reach == pytest.approx(6.62 + 3 * 0.546)
    assert nucleus("U").reach == pytest.approx(6.81 * (1 + 0.63 * 0.28 + 0.85 * 0.093) + 3 * 0.6)


@given(BETA, BETA, BETA, st.floats(-1, 1), st.floats(0, 2 * math.pi))
def test_surface_is_made_of_spherical_harmonics(b2: float, b3: float, b4: float, c: float, phi: float) -> None:
    from scipy.special import sph_harm_y

    one = nucleus("U", beta2=b2, beta3=b3, beta4=b4, gamma=0.4)
    theta = math.acos(c)
    y = {(n, m): sph_harm_y(n, m, theta, phi) for n, m in [(2, 0), (2, 2), (3, 0), (4, 0)]}
    y22 = math.sqrt(2) * y[2, 2].real
    expected = 1 + b2 * (math.cos(0.4) * y[2, 0].real + math.sin(0.4) * y22) + b3 * y[3, 0].real + b4 * y[4, 0].real
    assert surface_radius(one, c, phi) == pytest.approx(6.81 * expected, rel=1e-9)


@given(st.floats(0.05, 0.35), st.floats(-1, 1), st.floats(0, 2 * math.pi))
def test_oblate_is_prolate_with_the_other_sign_about_another_axis(b2: float, c: float, phi: float) -> None:
    """(beta2, 60 degrees) has the symmetry axis y and the shape of (-beta2, 0)."""
    s = math.sqrt(1 - c * c)
    triaxial = nucleus("U", beta2=b2, beta4=0.0, gamma=math.pi / 3)
    oblate = nucleus("U", beta2=-b2, beta4=0.0)
    assert surface_radius(triaxial, c, phi) == pytest.approx(surface_radius(oblate, s * math.sin(phi), 0.0), rel=1e-9)


def test_density_is_one_inside_half_at_the_surface_and_falls_outside() -> None:
    lead = nucleus("Pb")
    assert density(lead, 0, 0, 0) == pytest.approx(1, abs=1e-5)
    assert density(lead, 6.62, 0, 0) == pytest.approx(0.5)
    assert density(lead, [0.0, 0.0], 0, [8.0, 10.0]).shape == (2,)
    skin = nucleus("Pb2")
    assert 0 < density(skin, 8.0, 0, 0) < 0.1


def test_a_changed_nucleus_keeps_its_other_parameters() -> None:
    changed = nucleus("U", beta2=0.1)
    assert (changed.beta2, changed.beta4, changed.radius) == (0.1, 0.093, 6.81)
    assert changed.source.startswith("changed from")
    assert nucleus("U") is NUCLEI["U"]


@pytest.mark.parametrize(
    ("name", "changes", "words"),
    [
        ("Ur", {}, "did you mean 'U"),
        ("Pbb", {}, "did you mean 'Pb'"),
        ("U", {"beta2": 5.0}, "negative"),
        ("U", {"beta2": -2.0}, "negative"),
        ("U", {"beta3": 2.0}, "negative"),
        ("U", {"radius": -1.0}, "positive"),
        ("U", {"diffuseness": 0.0}, "positive"),
        ("U", {"beta2": math.nan}, "finite"),
        ("U", {"minimum_distance": -1.0}, "negative"),
        ("p", {"beta2": 0.2}, "not a Woods-Saxon"),
    ],
)
def test_bad_nuclei_are_refused_in_one_line(name: str, changes: dict[str, float], words: str) -> None:
    with pytest.raises(BadInput, match=words) as caught:
        nucleus(name, **changes)
    assert caught.value.status == 2
    assert "\n" not in str(caught.value)


def test_a_nucleus_of_configurations_needs_their_positions() -> None:
    with pytest.raises(BadInput, match="needs an array"):
        Nucleus("mine", 2, 1, kind="configurations")


def test_minimum_distance_beyond_packing_is_refused() -> None:
    with pytest.raises(BadInput, match="cannot be 5 fm apart"):
        nucleus("U", minimum_distance=5.0)
    assert nucleus("U", minimum_distance=1.2).minimum_distance == 1.2
