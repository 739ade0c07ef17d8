"""The atmosphere: continuous, invertible, and with the accepted depths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudchamber.simulators.airshower import atmosphere
from cloudchamber.simulators.airshower.atmosphere import height, vertical_depth


def test_depths_are_those_of_the_standard_atmosphere() -> None:
    # US standard atmosphere: 1036 g/cm2 (1033 by CORSIKA's layers) at sea level, 880 at 1400 m, 11.9 at 30 km; 1 %
    np.testing.assert_allclose(vertical_depth(np.array([0.0, 1400.0])), [1034, 878], rtol=0.01)
    assert vertical_depth(30e3) == pytest.approx(11.9, rel=0.06)
    assert vertical_depth(120e3) == 0


def test_layers_join_without_a_step() -> None:
    below, above = (vertical_depth(atmosphere.BOUNDARIES[1:] + shift) for shift in (-0.01, 0.01))
    np.testing.assert_allclose(below, above, rtol=2e-3)  # the published coefficients join to that


@given(st.floats(1e-3, 1300))
def test_height_is_the_inverse_of_depth(depth: float) -> None:
    assert vertical_depth(height(depth)) == pytest.approx(depth, rel=1e-2, abs=1e-6)


@given(st.floats(-3e3, 1e5), st.floats(1, 1e4))
def test_depth_falls_with_height(low: float, step: float) -> None:
    assert vertical_depth(low + step) <= vertical_depth(low) * 1.002  # layers join to 2e-3
