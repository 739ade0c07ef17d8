"""The transport simulator beside cross sections: reactions against parametrisations, fragments against measured ones.

What agrees and what does not is worked out from the numbers; the reasons that are given are properties of the model.
"""

from __future__ import annotations

import math
import re
from html import escape

import numpy as np

from cloudchamber.data.measured_fragments import (
    CITATION,
    AngularDistribution,
    MeasuredFragments,
    Spectrum,
    carbon_62mev,
)
from cloudchamber.metrics.fragment_cross_sections import ALL, CrossSection
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import transport_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.transport_data_figures import angular_figure, reaction_figure, spectra_figure
from cloudchamber.report.transport_run import LANGEVIN, MEASURED, MODES, Found, nuclide, system_of
from cloudchamber.report.validation import said_criterion, said_value, said_verdict
from cloudchamber.report.words import listed, percent
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.masses import nucleus_of
from cloudchamber.simulators.transport.reaction_cross_section import MEASURED_CARBON

SPECTRA = {"He4": (2.2, 7.6, 18.0), "Li7": (2.2, 7.6, 18.0), "Be7": (2.2, 7.6, 18.0), "B11": (2.2, 7.6, 14.4)}
"""Angles [deg] at which spectra are drawn."""
SCORES = {"reduced_chi2": "χ² per point", "mean_log_ratio": "mean ln ratio", "mean_abs_log_ratio": "mean |ln ratio|"}
FACTOR = 1.5
"""By which cross sections may be off until they are called too low or too high."""
NO_ERROR = 1e-9
"""Relative errors below come from rounding."""
OUTER = 0.9
"""Of the largest impact parameter: beyond, nuclei hardly meet."""


# --- reactions --------------------------------------------------------------------------------------------------------


def reaction(found: Found) -> Section:
    """The reaction cross section at several energies."""
    text = (
        "How often does anything happen? An event reacts, in one of its roundings and decays, if other nuclei come out"
        " than went in; an excited nucleus that only emits photons has not reacted. The probability is integrated over"
        " the impact parameter and compared with the parametrisations of Kox et al., Phys. Rev. C 35 (1987) 1678, and"
        " Tripathi, Cucinotta and Wilson, Nucl. Instr. Meth. B 117 (1996) 347, which differ from each other by several"
        " per cent."
    )
    text += _outermost(found)
    figures = (_probabilities(found), _reaction_cross_sections(found))
    return Section("", text, tuple(one for one in figures if one is not None))


def _outermost(found: Found) -> str:
    """How many events react that hardly meet: what is wrong if it is not zero."""
    arrays = found.groups("impact_parameter", "probability").get(f"{found.config.energy:g}")
    if arrays is None or not len(arrays[0]):
        return ""
    impact, probability = arrays
    far = impact > OUTER * impact.max()
    if far.sum() < 2:
        return ""
    share = Measured(float(probability[far].mean()), float(probability[far].std(ddof=1) / math.sqrt(far.sum())), 0)
    return (
        f"\n\nBeyond {OUTER * impact.max():.1f} fm, {percent(share)} of the events at {found.config.energy:g} MeV per"
        " nucleon react, though the nuclei hardly touch. A part of that may be nucleons that nuclei lose by themselves"
        " (see ground states): a share of a nucleon in the gas is a whole one in that share of the roundings."
    )


def _probabilities(found: Found) -> Figure | None:
    """Probability of a reaction against the impact parameter."""
    groups = found.groups("impact_parameter", "probability")
    energies = {
        float(name): arrays for name, arrays in groups.items() if re.fullmatch(r"[\d.]+", name) and len(arrays[0])
    }
    if not energies:
        return None
    return picture(
        "reaction_probability",
        drawings.probability_figure(dict(sorted(energies.items()))),
        "Share of the roundings and decays of events in which other nuclei come out than went in, by impact parameter:"
        " means of bins, with the standard error of their events.",
        "Lines that fall from one to zero with the impact parameter, one for each energy.",
    )


def _reaction_cross_sections(found: Found) -> Figure | None:
    """The cross section against energy, beside what is known."""
    points = {}
    for row in found.rows:
        energy = re.fullmatch(r"at_([\d.]+)_MeV", row["target"])
        one = found.measured(LANGEVIN, row["target"], "reaction_cross_section")
        if energy and one is not None:
            points[float(energy[1])] = one
    if not points:
        return None
    projectile, target = nucleus_of(found.config.projectile), nucleus_of(found.config.target)
    measured = MEASURED_CARBON if projectile == target == (12, 6) else ()
    energies = (min(20.0, 0.8 * min(points)), max(220.0, 1.2 * max(points)))
    caption = f"Reaction cross section of {nuclide(found.config.projectile)} on {nuclide(found.config.target)}."
    if measured:
        caption += " Measured: Kox et al. (1987)."
    return picture(
        "reaction_cross_section",
        reaction_figure(projectile, target, measured, {found.title(LANGEVIN): dict(sorted(points.items()))}, energies),
        f"{caption} Hollow: simulated, with the standard error of the events.",
        "Two curves of the reaction cross section against energy, with measured and simulated points.",
    )


# --- fragments --------------------------------------------------------------------------------------------------------


def measured_fragments(found: Found) -> Section:
    """Ten isotopes against angle and energy, in both modes."""
    data = carbon_62mev()
    text = (
        f"Fragments of {system_of(found.config)} as {CITATION}, measured them: ten isotopes at 2° to"
        " 22°. Simulated events are made whole nuclei, de-excited (Fermi break-up with real levels and resonances),"
        " taken to the laboratory and counted in the rings of the detectors above their thresholds; no number is fitted"
        " to these data. Mean ln ratio: of simulated over measured at all angles; 0.1 is 10 % too much. Where nothing"
        " was simulated an upper limit of 68 % takes the place of 0."
    )
    text += _agreement(found, list(data.angular))
    return Section("", text, _fragment_figures(found, data), _isotope_table(found, list(data.angular)))


def _agreement(found: Found, isotopes: list[str]) -> str:
    """Which isotopes are too rare, too frequent or right within a factor, in both modes, and what may be the reason."""
    paragraphs = ""
    for mode in MODES:
        classes: dict[str, list[str]] = {"within": [], "low": [], "high": [], "open": []}
        for name in isotopes:
            simulated = found.measured(mode, name, "cross_section")
            measured = found.measured(MEASURED, name, "cross_section")
            if simulated is not None and measured is not None:
                classes[judged(simulated, measured)].append(nuclide(name))
        if any(classes.values()):
            paragraphs += (
                f"\n\n<b>{escape(found.title(mode))}</b>, cross sections over the measured angles: right within a"
                f" factor of {FACTOR:g} {listed(classes['within'])}; too low {listed(classes['low'])}; too high"
                f" {listed(classes['high'])}; undecided with these events {listed(classes['open'])}."
            )
    if paragraphs:
        paragraphs += (
            "\n\nWhat may be the reason where they disagree: a mean field knows no α clusters in carbon; nucleons of"
            " the gas do not bind to deuterons, tritons and α particles, which here come from decays of fragments alone"
            " and leave protons in excess; excitation energies of grazing collisions are small and carry the noise of"
            " test particles; and 1 % of natural carbon is ¹³C. Published errors may be correlated between angles, so"
            " that χ² is no test of probability."
        )
    return paragraphs


def judged(simulated: Measured, measured: Measured) -> str:
    """``within``, ``low`` or ``high`` by more than ``FACTOR``; ``open`` if the errors leave that open.

    Args:
        simulated: cross section [mb].
        measured: cross section [mb].

    Examples:
        >>> judged(Measured(10, 1, 9), Measured(30, 1, 9)), judged(Measured(20, 8, 9), Measured(30, 1, 9))
        ('low', 'open')
    """
    ratio = simulated.value / measured.value
    error = math.hypot(
        np.nan_to_num(simulated.error) / measured.value, ratio * np.nan_to_num(measured.error) / measured.value
    )
    low, high = ratio - error, ratio + error
    if simulated.value <= 0:  # its error is not known
        return "open"
    if high < 1 / FACTOR:
        return "low"
    if low > FACTOR:
        return "high"
    return "within" if low >= 1 / FACTOR and high <= FACTOR else "open"


def _fragment_figures(found: Found, data: MeasuredFragments) -> tuple[Figure, ...]:
    """Angular distributions of all isotopes and spectra of some."""
    angular = {}
    for mode in MODES:
        own = {name: _cross_section(found, f"{mode}/angular/{name}", one) for name, one in data.angular.items()}
        if all(one is not None for one in own.values()):
            angular[found.title(mode)] = {name: one for name, one in own.items() if one is not None}
    figures = []
    if angular:
        figures.append(
            picture(
                "fragment_angles",
                angular_figure(data.angular, angular),
                "Cross sections of ten isotopes against the angle: measured (points, with published errors and"
                " acceptance) and simulated (bands of one standard error of the events); below, their ratio.",
                "Ten panels with points and bands of cross sections against the angle, with ratios below.",
            )
        )
    chosen = [data.spectra[name, angle] for name, angles in SPECTRA.items() for angle in angles]
    spectra = {}
    for mode in MODES:
        each = [_cross_section(found, f"{mode}/spectra/{one.isotope}/{one.angle:g}", one) for one in chosen]
        if all(one is not None for one in each):
            spectra[found.title(mode)] = [one for one in each if one is not None]
    if spectra:
        figures.append(
            picture(
                "fragment_spectra",
                spectra_figure(chosen, spectra),
                "Energy spectra of four isotopes at three angles each: measured (points) and simulated (bands). The"
                f" beam has {data.energy:g} MeV per nucleon.",
                "Twelve panels with points and bands of cross sections against the energy per nucleon.",
            )
        )
    return tuple(figures)


def _cross_section(found: Found, place: str, measured: AngularDistribution | Spectrum) -> CrossSection | None:
    """What was simulated of a measurement, None if it is not there.

    Raises:
        BadInput: it has other points than the measurement.
    """
    arrays = [found.arrays.get(f"{place}/{name}") for name in ("value", "error", "limit")]
    known = [np.asarray(one, np.float64) for one in arrays if one is not None]
    if len(known) < len(arrays):
        return None
    if any(one.shape != measured.cross_section.shape for one in known):
        raise BadInput(f"checks/{found.check}.h5: {place} has other points than the measurement: run the study again")
    return CrossSection(*known)


def _isotope_table(found: Found, isotopes: list[str]) -> Table | None:
    """Measured and simulated cross sections and how well they agree: a row an isotope, a group a mode."""
    rows: list[tuple[str, ...]] = []
    groups = {}
    for mode in MODES:
        names = [name for name in [*isotopes, ALL] if found.measured(mode, name, "mean_log_ratio") is not None]
        if names:
            groups[len(rows)] = found.title(mode)
        for name in names:
            cells = [_cell(found, MEASURED, name, "cross_section"), _cell(found, mode, name, "cross_section")]
            scores = [_cell(found, mode, name, score) for score in SCORES]
            rows.append(("all isotopes" if name == ALL else nuclide(name), *cells, *scores))
    if not rows:
        return None
    header = ("isotope", "measured σ [mb]", "simulated σ [mb]", *SCORES.values())
    caption = (
        "Cross sections within the angles at which the isotope was measured, and how well angular distributions agree."
        " Errors: one standard error of the events, of log ratios with the measured errors."
    )
    return Table(header, tuple(rows), caption, groups=groups)


def _cell(found: Found, subject: str, isotope: str, metric: str) -> str:
    """A number of the table, with its criterion and verdict if it has one; empty if it is not there."""
    row = found.validation.row(found.check, subject, isotope, metric)
    if row is None:
        return ""
    criterion = said_criterion(row)
    if row["error"] is not None and row["error"] < NO_ERROR * abs(row["value"] or 0.0):
        row = row | {"error": None}
    return said_value(row | {"unit": ""}) + (f" ({criterion}: {said_verdict(row)})" if criterion else "")
