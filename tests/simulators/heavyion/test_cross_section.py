"""The opacity of a pair and the cross section at an energy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloudchamber.schema import BadInput
from cloudchamber.simulators.heavyion.cross_section import cross_section_at, opacity, sampling_width


@pytest.mark.parametrize(("cross_section", "expected"), [(6.4, 13.49858), (4.23, 6.484793)])
def test_one_constituent_equals_trento(cross_section: float, expected: float) -> None:
    assert opacity(cross_section, 0.5, 0.5, 1) == pytest.approx(expected, rel=5e-7)


@settings(deadline=None)
@given(st.floats(2, 10), st.floats(0.4, 1.2))  # a pair's range, 6 widths, bounds the cross section
def test_one_constituent_gives_back_the_cross_section(cross_section: float, width: float) -> None:
    sigma_p = opacity(cross_section, width, width, 1)
    d = np.linspace(0, 6 * width, 4001)
    hit = -np.expm1(-sigma_p / (4 * math.pi * width**2) * np.exp(-(d**2) / (4 * width**2)))
    assert np.trapezoid(2 * math.pi * d * hit, d) == pytest.approx(cross_section, rel=1e-5)


def test_constituents_of_the_nucleons_width_change_nothing() -> None:
    assert opacity(6.4, 0.5, 0.5, 6) == pytest.approx(opacity(6.4, 0.5, 0.5, 1))
    assert sampling_width(0.5, 0.5, 6) == 0


@pytest.mark.parametrize(("constituents", "width"), [(2, 0.3), (6, 0.3), (4, 0.2)])
def test_constituents_give_back_the_cross_section(constituents: int, width: float) -> None:
    """An independent plain Monte Carlo of the same mean; 4 standard errors + the stated 1e-3."""
    sigma_p = opacity(6.4, 0.5, width, constituents)
    rng = np.random.default_rng(7)
    n = 60_000
    b = 3.0 * np.sqrt(rng.random(n))
    spread = sampling_width(0.5, width, constituents)
    one = spread * rng.standard_normal((n, constituents, 2))
    two = spread * rng.standard_normal((n, constituents, 2))
    one[:, :, 0] += b[:, None]
    distance2 = ((one[:, :, None] - two[:, None]) ** 2).sum(axis=-1)
    overlap = np.exp(-distance2 / (4 * width**2)).sum(axis=(1, 2))
    hit = -np.expm1(-sigma_p / (4 * math.pi * width**2 * constituents**2) * overlap)
    area = math.pi * 9
    assert abs(area * hit.mean() - 6.4) < 4 * area * hit.std() / math.sqrt(n) + 6.4e-3


@pytest.mark.parametrize(
    ("sqrt_s", "measured", "error"),
    # Loizides, Kamin, d'Enterria, arXiv:1710.07098: 41.6 +- 0.6 mb at RHIC, 61.8 +- 0.9 and 67.6 +- 0.6 mb at the LHC.
    [(200, 4.16, 0.06), (2760, 6.18, 0.09), (5020, 6.76, 0.06)],
)
def test_energy_sets_the_cross_section(sqrt_s: float, measured: float, error: float) -> None:
    assert abs(cross_section_at(sqrt_s) - measured) < 1.5 * error


def test_an_opacity_or_energy_out_of_range_is_refused() -> None:
    with pytest.raises(BadInput, match="no opacity"):
        opacity(6.4, 0.05, 0.05, 1)
    with pytest.raises(BadInput, match="10 to 100000 GeV"):
        cross_section_at(3)
