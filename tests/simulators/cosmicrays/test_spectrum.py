"""Energies against the integral of the broken power law; compositions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from cloudchamber.schema import BadInput
from cloudchamber.simulators.cosmicrays.spectrum import (
    charges_of,
    draw_charges,
    draw_energies,
    spectrum_pieces,
)


def flux(energy: float) -> float:
    """Auger 2020, arXiv:2008.06486, with sharp breaks; continuous, arbitrary norm."""
    value = 1.0
    for low, high, index in ((0, 5, 3.29), (5, 13, 2.51), (13, 46, 3.05), (46, 300, 5.1)):
        start = max(low, 1.0)
        if energy <= high:
            return float(value * (energy / start) ** -index)
        value *= (high / start) ** -index
    return 0.0


def integral(low: float, high: float) -> float:
    return float(quad(flux, low, high, points=[e for e in (5, 13, 46) if low < e < high], limit=200)[0])


@pytest.mark.parametrize("minimum", [1.0, 4.0, 10.0, 40.0, 60.0])
def test_fractions_above_thresholds_are_the_integrals_of_the_spectrum(minimum: float) -> None:
    n = 200_000
    energies = draw_energies(np.random.default_rng(1), n, minimum)
    assert energies.min() >= minimum
    assert energies.max() <= 300
    for threshold in (1.02 * minimum, 1.2 * minimum, 45, 46, 50, 80):
        if threshold <= minimum:
            continue
        expected = integral(threshold, 300) / integral(minimum, 300)
        error = np.sqrt(expected * (1 - expected) / n)
        assert (energies > threshold).mean() == pytest.approx(expected, abs=4.5 * error)  # 27 comparisons


@pytest.mark.parametrize("minimum", [0.5, 300.0, float("nan"), -1.0])
def test_a_minimum_energy_out_of_range_is_refused(minimum: float) -> None:
    with pytest.raises(BadInput, match="from 1 to 300 EeV"):
        spectrum_pieces(minimum)


def test_a_minimum_energy_in_ev_is_named_as_such() -> None:
    with pytest.raises(BadInput, match="looks like eV"):
        spectrum_pieces(4e19)


@pytest.mark.parametrize(
    ("composition", "charges", "fractions"),
    [
        ("He", [2], [1.0]),
        ("mixed", [1, 2, 7], [0.15, 0.45, 0.40]),
        ("H:0.15, He:0.45, CNO:0.40", [1, 2, 7], [0.15, 0.45, 0.40]),
        ("Fe:1", [26], [1.0]),
    ],
)
def test_a_composition_draws_its_charges_in_their_shares(
    composition: str, charges: list[int], fractions: list[float]
) -> None:
    found, shares = charges_of(composition)
    assert found.tolist() == charges
    assert shares == pytest.approx(fractions)
    drawn = draw_charges(np.random.default_rng(2), 50_000, composition)
    for charge, fraction in zip(charges, fractions, strict=True):
        # 4 binomial standard deviations
        assert (drawn == charge).mean() == pytest.approx(fraction, abs=4 * np.sqrt(0.25 / 50_000))


@pytest.mark.parametrize(
    ("composition", "message"),
    [
        ("Hee", "did you mean 'He'"),
        ("mixd", "did you mean 'mixed'"),
        ("H:0.5,He:0.4", "add up to 0.9"),
        ("H:x,He:0.4", "between 0 and 1"),
        ("H:-0.5,He:1.5", "between 0 and 1"),
        ("", "unknown ''"),
    ],
)
def test_a_composition_that_cannot_be_is_refused(composition: str, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        charges_of(composition)
