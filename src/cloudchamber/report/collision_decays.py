"""The emulator beside measured isotopes, after de-excitation: a section of its report."""

from __future__ import annotations

import numpy as np

from cloudchamber.data.collisions import Collisions
from cloudchamber.data.measured_fragments import CITATION, carbon_62mev
from cloudchamber.metrics.collision_isotopes import LEAST_EVENTS, cold_products, of_measured_channel
from cloudchamber.metrics.fragment_cross_sections import ALL, CrossSection, angular_distribution
from cloudchamber.report.collision_results import measured
from cloudchamber.report.collision_run import Found
from cloudchamber.report.collision_score_figures import isotope_angles, score_panels
from cloudchamber.report.collision_tables import ISOTOPES, generator_table, said, verdict
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Figure, Section
from cloudchamber.report.transport_data_figures import isotope_label
from cloudchamber.report.words import items

NEARNESS = "mean_abs_log_ratio_to_truth"


def decays_section(found: Found) -> Section | None:
    """Ten isotopes against the angle: measured, of the simulator, of the generators."""
    table = generator_table(
        found.metrics,
        ISOTOPES,
        "All points of the ten isotopes: mean absolute logarithm of generated over simulated cross sections, and of"
        " generated over measured ones (0.1: off by 10 %); χ² per point against the data. Errors: bootstrap over"
        " events. Near the simulator is what an emulator must be; near the data it is only as far as the simulator is.",
    )
    figures = [one for one in (_angles(found), _nearness(found)) if one is not None]
    if table is None and not figures:
        return None
    lines = [
        verdict(found, ALL, NEARNESS, "Isotopes of the simulator found again (mean |ln ratio|)"),
        _simulator(found),
        verdict(found, ALL, "mean_abs_log_ratio", "Measured isotopes (mean |ln ratio|)"),
    ]
    text = (
        "Hot nuclei of the generators decay as those of the simulator do (Fermi break-up with real levels), several"
        " times each, and are counted in the laboratory as the detectors would: angular distributions of ten isotopes,"
        f" {CITATION}.\n\n{items(lines)}"
    )
    return Section("After de-excitation, beside measured isotopes", text, tuple(figures), table)


def _simulator(found: Found) -> str:
    """How far the simulator itself is from the data."""
    known = (found.metrics.score(name, ALL, "truth_mean_abs_log_ratio") for name in found.metrics.kinds)
    one = next((score for score in known if score is not None), None)
    return "" if one is None else f"The simulator itself is {said(one)} from the data (mean |ln ratio|)."


def _angles(found: Found) -> Figure | None:
    """Small multiples of ``dsigma/dOmega``."""
    if found.truth is None:
        return None
    data = carbon_62mev()

    def distributions(events: Collisions, seed: int) -> dict[str, CrossSection] | None:
        own = events.ordered(of_measured_channel(events, data))
        b = own.entrance.impact_parameter
        if len(own) < LEAST_EVENTS or b.max() > found.largest_impact_parameter:
            return None
        products = cold_products(own, found.largest_impact_parameter, np.random.default_rng(seed))
        return {isotope: angular_distribution(products, one) for isotope, one in data.angular.items()}

    truth = distributions(found.truth, 0)
    made = {name: distributions(found.models[name], seed) for seed, name in enumerate(found.shown, start=1)}
    models = {name: one for name, one in made.items() if one is not None}
    if truth is None or not models:
        return None
    return picture(
        "isotopes",
        isotope_angles(data.angular, truth, models, found.metrics.titles, found.metrics.kinds),
        "Cross sections of ten isotopes against the angle: measured (points, with published errors and acceptance), of"
        " the simulator (black line; band of one standard error of its events) and of generators; below, each over the"
        " measured ones.",
        "Ten panels of cross sections against the angle, with ratios below.",
    )


def _nearness(found: Found) -> Figure | None:
    """How near isotopes are to the simulator's, one by one."""
    labels = {name: isotope_label(name) for name in carbon_62mev().angular} | {ALL: "all"}
    scores = {name: measured(found, name, labels, NEARNESS) for name in found.metrics.contenders}
    scores = {name: one for name, one in scores.items() if one}
    if not scores:
        return None
    floor = {} if found.floor is None else measured(found, found.floor, labels, NEARNESS)
    return picture(
        "isotopes_to_simulator",
        score_panels(
            scores, floor, labels, found.metrics.titles, found.metrics.kinds, "mean |ln (generator / simulator)|"
        ),
        "Generated over simulated cross sections: mean absolute logarithm over the angles of each isotope; black"
        " strokes in grey: simulator against simulator. Rare isotopes have few events, whoever made them.",
        "Points of mean logarithms, a row an isotope, a panel a generator.",
    )
