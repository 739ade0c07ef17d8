"""What generators of hadronic interactions do: numbers beside each other, and distributions beside the truth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.interactions import observables
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import interactions_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST
from cloudchamber.report.interactions_data import data_section
from cloudchamber.report.interactions_figures import Distribution, in_rest_frame
from cloudchamber.report.interactions_run import Found, Sample
from cloudchamber.report.interactions_tables import BOOKS, LABELS, QUALITY, closest, generator_table, said, verdict
from cloudchamber.report.page import Section
from cloudchamber.report.words import items
from cloudchamber.simulators.hadronic.particles import NUCLEUS

Floats = NDArray[np.float64]

KINDS_SHOWN = ("n", "n_charged", "n_pi-")


def summary_section(found: Found) -> Section | None:
    """All generators beside each other."""
    table = generator_table(
        found,
        QUALITY,
        "W₁/σ: Wasserstein distance over the truth's standard deviation, mean over the observables. AUC: can a"
        " classifier tell the model from the truth (0.5: it cannot), by boosted trees on observables, the same with the"
        " sums that must be conserved, and by a network that reads all particles. The AUC of resampling partly measures"
        " duplicates: a training event that is drawn twice can be in both halves, which learn and are asked. Δ corr.:"
        " largest difference of two observables' correlation. Δ elastic and Δ tail (x_F = p_z / p_beam): fraction of"
        " events, model minus truth. Neighbour ratio: distance of generated events to their nearest training event over"
        " that of new true events (near 0: copies). Errors: bootstrap, of fractions binomial.",
        TEST,
    )
    if table is None:
        return None
    lines = [
        verdict(found, "all", "auc_particles", TEST, "A network that reads all particles (AUC)"),
        verdict(found, "all", "auc", TEST, "Boosted trees that read observables (AUC)"),
        verdict(found, "all", "mean_w1_over_sigma", TEST, "Mean distance of one-dimensional distributions (W₁/σ)"),
    ]
    return Section("What came out", items(lines), (), table)


def books_section(found: Found) -> Section | None:
    """What nature conserves."""
    table = generator_table(
        found,
        BOOKS,
        "Fraction of events that break the conservation of charge, baryon number, strangeness (as far as K⁰ leave it"
        " known), and of energy and momentum by more than 1 keV and 1 MeV in any component; largest violation. What a"
        " projection onto energy and momentum has to do to these events, elastic ones left out: all rapidities are"
        " stretched by a, median of |a − 1| (0: nothing), and the fraction that cannot be projected; before the"
        " projection of flow matching this is what that does. Where none is seen, the error is 1 / (n + 2).",
        TEST,
    )
    if table is None:
        return None
    exact = [
        found.metrics.title(name)
        for name in found.metrics.contenders
        if all(
            one is not None and one.value == 0
            for one in (
                *(found.metrics.score(name, key, "violation_rate") for key in ("charge", "baryon_number")),
                found.metrics.score(name, "energy_momentum", "violation_rate_1_MeV"),
            )
        )
    ]
    text = (
        f"Charge, baryon number and four-momentum (to 1 MeV) are kept in every event by: {'; '.join(exact) or 'none'}."
    )
    return Section("What must be conserved", text, (), table)


def event_sections(found: Found, test: Sample) -> list[Section]:
    """What the data are, and distributions of the models beside the truth."""
    true = observables(test.truth)
    made = {name: observables(events) for name, events in test.models.items()}
    sections = [data_section(test.truth)]
    if made:
        sections += [multiplicity_section(found, true, made), kinematics_section(found, test, true, made)]
        shown = {name: made[name] for name in closest(found, list(made), "correlation_difference")}
        maps = drawings.correlation_maps(true, shown, found.metrics.titles, LABELS, found.truth)
        differ = verdict(found, "all", "correlation_difference", TEST, "Largest difference of a correlation")
        caption = (
            "Correlation coefficients of the observables in true events, and how those of the two best networks and of"
            " the best baseline differ, by their largest difference. Observables that do not vary are left out."
        )
        figure = picture("correlations", maps, caption, "Matrices of correlations, truth and differences.")
        sections.append(Section("Do observables hang together?", differ, (figure,)))
    return sections


def _distribution(name: str, label: str, true: Any, made: Any, *, whole: bool = False) -> Distribution:
    values = {model: one[name] for model, one in made.items()}
    return Distribution(
        label, true[name], values, len(true[name]), {key: len(one) for key, one in values.items()}, whole=whole
    )


def multiplicity_section(found: Found, true: Mapping[str, Floats], made: Mapping[str, Any]) -> Section:
    """How many particles."""
    labels = ("particles in an event", "charged particles", "π⁻")
    panels = [
        _distribution(name, label, true, made, whole=True) for name, label in zip(KINDS_SHOWN, labels, strict=True)
    ]
    drawing = drawings.distributions(panels, found.metrics.titles, found.metrics.kinds, found.truth)
    figure = picture(
        "multiplicity",
        drawing,
        "Number of particles of an event (soft photons and nuclei left out), of charged ones, and of π⁻; below, the"
        " model over the truth. Band and bars: errors of counting.",
        "Histograms of multiplicities, truth and models, with ratios.",
    )
    text = verdict(found, "n", "ks", TEST, "Multiplicity, largest difference of the distribution functions")
    return Section("How many particles?", text, (figure,))


def kinematics_section(found: Found, test: Sample, true: Mapping[str, Floats], made: Mapping[str, Any]) -> Section:
    """Where they go."""
    inner = {name: in_rest_frame(events) for name, events in test.models.items()}
    hadrons = {name: np.abs(events.kind) < NUCLEUS for name, events in test.models.items()}
    here, light = in_rest_frame(test.truth), np.abs(test.truth.kind) < NUCLEUS
    number = {name: len(events) for name, events in test.models.items()}
    panels = [
        Distribution(
            label, here[column][light], {name: one[column][hadrons[name]] for name, one in inner.items()},
            len(test.truth), number,
        )
        for column, label in enumerate(("transverse momentum [GeV]", "rapidity"))
    ]  # fmt: skip
    panels.append(_distribution("leading_x_F", r"leading particle, $x_\mathrm{F} = p_z / p_\mathrm{beam}$", true, made))
    figure = picture(
        "kinematics",
        drawings.distributions(panels, found.metrics.titles, found.metrics.kinds, found.truth, logarithmic=True),
        "Transverse momentum and rapidity of all particles but nuclei, and x_F = p_z / p_beam of the particle of"
        " largest p_z (nuclei and soft photons left out), all in the rest frame of projectile and nucleus, in which"
        " p_beam is the projectile's momentum; below, the model over the truth.",
        "Histograms of transverse momentum, rapidity and Feynman x, truth and models, with ratios.",
    )
    text = verdict(found, "leading_x_F", "w1_over_sigma", TEST, "Leading particle, x_F (W₁/σ)")
    return Section("Where do they go?", text, (figure,))


def observables_section(found: Found) -> Section | None:
    """Distances one by one."""
    scores: dict[str, dict[str, Measured]] = {}
    for name in found.metrics.titles:
        known = {key: found.metrics.score(name, key, "w1_over_sigma") for key in LABELS}
        its = {key: Measured(one.value, one.error, one.n) for key, one in known.items() if one is not None}
        if its:
            scores[name] = its
    if not scores:
        return None
    worst = [
        f"{found.metrics.title(name)}: {_plain(LABELS[key])} ({said(its[key])})"
        for name, its in scores.items()
        if name in found.metrics.contenders and (key := max(its, key=lambda one: its[one].value))
    ]
    drawing = drawings.observable_dots(scores, found.metrics.titles, found.metrics.kinds, LABELS)
    figure = picture(
        "observables",
        drawing,
        "Wasserstein distance of each observable from the truth over the truth's standard deviation, with its error"
        " (bootstrap). Grey crosses: truth against truth, which no model can be expected to undercut.",
        "Dots of distances by observable and generator on a logarithmic axis.",
    )
    return Section("Observable by observable", f"Farthest from the truth: {'; '.join(worst)}.", (figure,))


def _plain(label: str) -> str:
    return label.replace("$p_\\mathrm{T}$", "p_T").replace("$x_\\mathrm{F}$", "x_F")
