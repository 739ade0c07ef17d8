"""Numbers read off traces, and showers that cannot be fitted."""

import numpy as np
import pytest

from cloudchamber.baselines.shower_stations import RISETIME, SIGNAL, T50, read_stations
from cloudchamber.data.samples import Inputs
from cloudchamber.data.surface_array import STATUS, TRACE
from cloudchamber.schema import BadInput
from cloudchamber.simulators.airshower.surface_array import BIN, PRE_TRIGGER


def showers(count: int, triggered: int) -> Inputs:
    """Flat traces of 20 bins of 1 VEM after the first particle."""
    inputs = np.zeros((count, 5, TRACE + PRE_TRIGGER + 20), np.float32)
    inputs[:, :triggered, STATUS] = 1
    inputs[:, :triggered, TRACE + PRE_TRIGGER :] = 1.0
    return inputs


def test_a_flat_trace_has_its_total_half_and_risetime() -> None:
    read = read_stations(showers(2, 3))
    assert read[0, 0, SIGNAL] == 20
    assert read[0, 0, T50] == pytest.approx(10 * BIN)
    assert read[0, 0, RISETIME] == pytest.approx(8 * BIN)  # from 10 % to 50 % of 20 bins
    assert not read[0, 3:, SIGNAL:].any()


def test_times_do_not_depend_on_the_size_of_the_signal() -> None:
    rng = np.random.default_rng(1)
    inputs = showers(1, 3)
    inputs[0, :3, TRACE + PRE_TRIGGER :] = rng.exponential(size=(3, 20))
    larger = inputs.copy()
    larger[..., TRACE:] *= 1000
    np.testing.assert_allclose(read_stations(larger)[..., T50:], read_stations(inputs)[..., T50:], rtol=1e-5)


def test_showers_without_enough_stations_are_refused_with_their_number() -> None:
    inputs = np.concatenate([showers(2, 3), showers(3, 2), showers(1, 0)])
    with pytest.raises(BadInput, match=r"4 of 6 showers have fewer than 3 .* 1 of them with none at all.*needs 3"):
        read_stations(inputs)


def test_an_array_of_another_shape_is_refused_with_the_expected_one() -> None:
    with pytest.raises(BadInput, match="give \\(shower, station"):
        read_stations(np.zeros((3, 5), np.float32))
