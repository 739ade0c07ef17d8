"""Field of a shower at an antenna: polarisation, footprint, scaling, spectrum."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import fft
from scipy.integrate import quad
from scipy.signal import welch

from cloudchamber.simulators.airshower import radio_antenna, radio_noise, radio_pulse

AUGER = radio_pulse.magnetic_field(24.0, -36.0, 3.0)
ALTITUDE = 1400.0


def field(
    x: float, y: float, *, lg_energy: float = 18.0, zenith: float = 0.6, azimuth: float = 1.0, excess: float = 0.14
) -> NDArray[np.float64]:
    """Field (2,) along e1 and e2 at x along e1 and y along e2."""
    at = np.array([zenith]), np.array([azimuth])
    _, _, angle = radio_pulse.shower_plane(*at, AUGER)
    found, _ = radio_pulse.field_of_shower(
        np.array([[x, y]]), at[0], np.array([lg_energy]), np.array([700.0]), angle, 24.0, ALTITUDE, excess
    )
    return found[0]


def test_magnetic_field_of_auger_points_up_and_to_the_north() -> None:
    assert np.linalg.norm(AUGER) == pytest.approx(24.0)
    assert AUGER[2] == pytest.approx(24 * np.sin(np.radians(36)))
    assert AUGER[1] > 10 * abs(AUGER[0]) > 0


def test_shower_plane_is_the_right_handed_one_of_v_and_b() -> None:
    zenith, azimuth = np.array([0.0, 0.7, 1.0]), np.array([0.0, 2.0, 5.0])
    e1, e2, angle = radio_pulse.shower_plane(zenith, azimuth, AUGER)
    v = -np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=-1)
    assert np.allclose(np.cross(v, AUGER), 24 * np.sin(angle)[:, None] * e1)
    assert np.allclose(np.cross(e1, e2), v)
    # a vertical shower at Auger: 90 degrees + 36 degrees between "down" and the field
    assert np.degrees(angle[0]) == pytest.approx(126.0)


def test_shower_along_the_field_has_a_plane_and_no_geomagnetic_pulse() -> None:
    b = radio_pulse.magnetic_field(24.0, 90.0, 0.0)  # straight down
    e1, e2, angle = radio_pulse.shower_plane(np.zeros(1), np.zeros(1), b)
    assert np.isfinite(e1).all()
    assert np.linalg.norm(e2[0]) == pytest.approx(1.0)
    assert angle[0] == pytest.approx(0.0, abs=1e-6)


def test_field_is_polarised_against_v_cross_b_and_to_the_axis() -> None:
    geomagnetic = field(0.0, 120.0, excess=0.0)
    assert geomagnetic[0] < 0
    assert geomagnetic[1] == 0
    both = field(0.0, 120.0)
    assert both[0] == geomagnetic[0]  # at a right angle to e1 only the charge excess has a component along e2
    assert both[1] < 0
    assert field(0.0, -120.0)[1] == pytest.approx(-both[1])
    sine = np.sin(radio_pulse.shower_plane(np.array([0.6]), np.array([1.0]), AUGER)[2][0])
    fraction = radio_pulse.charge_excess_fraction(np.array([120.0]), np.array([0.6]))[0]
    assert both[1] / both[0] == pytest.approx(fraction / sine)


def test_footprint_is_stronger_on_the_side_of_v_cross_b() -> None:
    east, west, north = field(120.0, 0.0), field(-120.0, 0.0), field(0.0, 120.0)
    assert np.linalg.norm(east) > np.linalg.norm(north) > np.linalg.norm(west)
    geomagnetic = field(120.0, 0.0, excess=0.0)
    assert east[0] + west[0] == pytest.approx(2 * geomagnetic[0])
    assert np.linalg.norm(field(-120.0, 0.0, excess=0.0)) == pytest.approx(np.linalg.norm(geomagnetic))


def test_charge_excess_has_the_three_published_values() -> None:
    found = radio_pulse.charge_excess_fraction(np.array([150.0, 25.0, 225.0]), np.radians([40.0, 50.0, 10.0]))
    # AERA 0.14 +- 0.02; LOFAR 0.033 +- 0.010 and 0.203 +- 0.013: within a tenth of the errors
    assert np.allclose(found, [0.14, 0.033, 0.203], atol=[0.002, 0.001, 0.0013])
    assert radio_pulse.charge_excess_fraction(np.array([500.0]), np.zeros(1)) == pytest.approx(
        radio_pulse.charge_excess_fraction(np.array([225.0]), np.zeros(1))
    )


def test_fluence_over_the_plane_is_the_radiation_energy() -> None:
    for ring, width in ((0.0, 60.0), (40.0, 80.0), (200.0, 120.0)):
        total, _ = quad(
            lambda r, ring=ring, width=width: (
                2 * np.pi * r * radio_pulse.geomagnetic_fluence(np.array(r), 1.58e7, np.array(ring), np.array(width))
            ),
            0,
            3000,
            limit=200,
        )
        assert total == pytest.approx(1.58e7, rel=1e-6)


def test_fluence_goes_as_the_square_of_energy_and_sine() -> None:
    ratio = np.sum(field(80.0, 30.0, lg_energy=18.5) ** 2) / np.sum(field(80.0, 30.0, lg_energy=18.0) ** 2)
    assert ratio == pytest.approx(10.0)
    up, flat = (field(80.0, 30.0, azimuth=a, excess=0.0)[0] for a in (0.0, 3.0))
    angles = radio_pulse.shower_plane(np.full(2, 0.6), np.array([0.0, 3.0]), AUGER)[2]
    assert up / flat == pytest.approx(np.sin(angles[0]) / np.sin(angles[1]))


def test_inclined_showers_have_wider_rings_than_vertical_ones() -> None:
    zenith = np.radians([0.0, 30.0, 60.0])
    distance = radio_pulse.distance_of_maximum(np.full(3, 700.0), zenith, ALTITUDE)
    ring, width = radio_pulse.ring_and_width(distance, zenith, ALTITUDE)
    assert (np.diff(distance) > 0).all()
    assert (np.diff(ring) > 0).all()
    assert (np.diff(width) > 0).all()
    # about 1 degree of opening and 9 km above an antenna at 60 degrees
    assert 150 < ring[2] < 250
    deep = radio_pulse.distance_of_maximum(np.array([1200.0]), np.zeros(1), ALTITUDE)
    assert deep[0] == radio_pulse.SHORTEST  # under ground


def test_inclined_footprint_has_a_ring_and_a_vertical_one_has_none() -> None:
    r = np.linspace(0, 500, 501)
    for zenith, has_ring in ((0.0, False), (60.0, True)):
        at = np.radians(np.full(1, zenith))
        distance = radio_pulse.distance_of_maximum(np.array([700.0]), at, ALTITUDE)
        ring, width = radio_pulse.ring_and_width(distance, at, ALTITUDE)
        fluence = radio_pulse.geomagnetic_fluence(r, 1.0, ring, width)
        assert (fluence.argmax() > 0) == has_ring
        if has_ring:
            assert r[fluence.argmax()] == pytest.approx(ring[0], rel=0.1)  # the mirrored Gaussian moves it inwards


def test_spectrum_has_the_slope_fluence_phase_and_time_asked_for() -> None:
    sampling, samples = 1000.0, 4096
    frequency = fft.rfftfreq(samples, 1 / sampling)
    amplitude, slope = np.array([3.0, -2.0]), np.array([-0.004, -0.015])
    spectrum = radio_pulse.pulse_spectrum(frequency, amplitude, slope, np.zeros(2), np.array([1.0, 2.0]))
    fitted = np.polynomial.polynomial.polyfit(frequency, np.log10(np.abs(spectrum)).T, 1)[1]
    assert fitted == pytest.approx(slope, rel=1e-9)
    inside = (frequency >= 30) & (frequency <= 80)
    traces = radio_antenna.received(spectrum * inside, samples, samples, sampling)
    # the sum over the band has an edge of half a bin of 0.24 MHz of 50 MHz on both sides
    assert radio_pulse.fluence(traces, sampling) == pytest.approx(amplitude**2, rel=0.01)
    assert radio_antenna.peak_time(traces, sampling) == pytest.approx([1000.0, 2000.0], abs=0.01)
    turned = radio_pulse.pulse_spectrum(frequency, amplitude, slope, np.full(2, 0.7), np.array([1.0, 2.0]))
    assert np.angle(turned / spectrum) == pytest.approx(np.full(turned.shape, 0.7))


def test_fluence_of_a_plane_wave_is_its_energy_flux() -> None:
    time = np.arange(1800) / 180.0  # 10 us of 50 MHz with 1 V/m: eps0 c E^2 / 2 = 1.3272 mW/m2
    wave = 1e6 * np.cos(2 * np.pi * 50 * time)
    assert radio_pulse.fluence(wave, 180.0) == pytest.approx(1.3272e-3 * 1e-5 / 1.602177e-19, rel=1e-4)


def test_slope_is_flattest_on_the_ring_and_bounded_away_from_it() -> None:
    r = np.array([0.0, 100.0, 250.0, 400.0, 1000.0])
    slope = radio_pulse.spectral_slope(r, np.array(100.0), -0.001, -0.02, 300.0)
    assert slope.argmax() == 1
    assert slope[1] == -0.001
    assert slope[[3, 4]] == pytest.approx([-0.02, -0.02])
    assert slope[2] == pytest.approx(-0.0105)


def test_response_has_band_edges_at_half_power_and_the_stated_delay() -> None:
    frequency = np.linspace(0, 90, 9001)
    plain = radio_antenna.response(frequency, 180.0, (30.0, 80.0), 4, 0.0)
    assert np.abs(plain[[3000, 8000]]) ** 2 == pytest.approx([0.5, 0.5], rel=1e-3)
    assert np.abs(plain[5500]) == pytest.approx(1.0, abs=1e-3)
    delayed = radio_antenna.response(frequency, 180.0, (30.0, 80.0), 4, 20.0)
    assert np.abs(delayed) == pytest.approx(np.abs(plain))
    lag = -np.gradient(np.unwrap(np.angle(delayed[3000:8001] / plain[3000:8001])), 2 * np.pi * 0.01)
    expected = 1e-3 * 20.0 * 30.0 / frequency[3000:8001]
    assert lag[1:-1] == pytest.approx(expected[1:-1], rel=1e-4)


def test_noise_follows_the_temperature_law_behind_a_flat_antenna() -> None:
    sampling, grid = 180.0, 2048
    frequency = fft.rfftfreq(grid, 1 / sampling)
    density = radio_noise.spectral_density(frequency, 60.0, 0.0)
    noise = radio_noise.gaussian_noise(density, 400, grid // 2, sampling, np.random.default_rng(1))
    f, found = welch(noise, sampling, nperseg=256, axis=-1)
    inside = (f > 25) & (f < 85)
    slope = np.polyfit(np.log(f[inside]), np.log(found.mean(axis=0)[inside]), 1)[0]
    # S ~ T f^2; 400 traces of 7 segments: 2 % a bin, 0.01 on the slope; the window's leakage is as small
    assert slope == pytest.approx(2 - 2.55, abs=0.03)
    temperature = found.mean(axis=0) / radio_noise.spectral_density(f, 1.0, 0.0).clip(1e-30) * 1.0
    assert np.median(temperature[inside]) == pytest.approx(60.0, rel=0.02)
    thermal = radio_noise.spectral_density(frequency[1:], 0.0, 300.0)
    assert thermal / thermal[0] == pytest.approx((frequency[1:] / frequency[1]) ** 2)


def test_sky_at_one_metre_is_that_of_lofar() -> None:
    assert radio_noise.sky_temperature(np.array([300.0]), 60.0) == pytest.approx([60.0])
    # 4 pi k T f^2 / (3 eps0 c^3) at 60 MHz and 3636 K, by hand: 3.169e-18 V^2/m^2/Hz
    density = radio_noise.spectral_density(np.array([60.0]), 60.0, 0.0)
    assert density == pytest.approx([3.169e-18 * 1e18], rel=2e-3)


def test_lines_have_their_number_band_and_amplitude() -> None:
    number = np.array([0, 1, 1, 3])
    traces = radio_noise.lines(number, 4096, 180.0, (40.0, 50.0), (2.0, 2.0), 0.0, np.random.default_rng(2))
    assert not traces[0].any()
    assert np.abs(traces[1]).max() == pytest.approx(2.0, rel=0.01)  # a sample lies near a maximum
    assert np.mean(traces[3] ** 2) == pytest.approx(3 * 2.0, rel=0.1)  # carriers 0.1 MHz apart beat slowly
    frequency = fft.rfftfreq(4096, 1 / 180.0)
    power = np.abs(fft.rfft(traces[1:])) ** 2
    inside = (frequency > 39) & (frequency < 51)
    assert (power[:, inside].sum(axis=1) > 0.99 * power.sum(axis=1)).all()


def test_bursts_are_quiet_before_they_start_and_peak_as_asked() -> None:
    frequency = fft.rfftfreq(2000, 1 / 180.0)
    passed = radio_antenna.response(frequency, 180.0, (30.0, 80.0), 4, 20.0)
    traces = radio_noise.bursts(np.ones(50, int), 1000, 180.0, passed, (5.0, 5.0), np.random.default_rng(3))
    largest = np.abs(traces).max(axis=1)
    assert (largest <= 5 + 1e-9).all()
    assert np.median(largest) == pytest.approx(5.0)
    early = radio_antenna.envelope(traces).argmax(axis=1) > 200
    assert early.sum() > 20
    assert (np.abs(traces[early, :50]).max(axis=1) < 0.1).all()  # 2 % of the maximum: edges of the band-pass


def test_digitiser_rounds_to_counts_and_cuts_off() -> None:
    found = radio_noise.digitised(np.array([[0.3, 0.6, 5000.0, -5000.0]]), 12, 2048.0)
    assert found.tolist() == [[0.0, 1.0, 2047.0, -2048.0]]
