"""Where in projectile, target and energy generators of hadronic interactions are good."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cloudchamber.metrics.interaction_rows import read_condition
from cloudchamber.report import interactions_condition_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.interactions_run import Found
from cloudchamber.report.interactions_tables import QUALITY, floor, generator_table, verdict
from cloudchamber.report.page import Figure, Section


def probe_section(found: Found, sample: str, title: str) -> Section | None:
    """The numbers of a further sample."""
    table = generator_table(found, QUALITY, "As the first table, on this sample.", sample)
    if table is None:
        return None
    text = verdict(found, "all", "auc", sample, "Boosted trees that read observables (AUC)")
    return Section(f"Elsewhere: {title}", text, (), table)


def conditions_section(found: Found, held_out: Callable[[str, str, float], bool]) -> Section | None:
    """Where in projectile, target and energy a model is good: the generator with most conditions, networks first."""
    conditions = {sample: key for sample in found.metrics.samples if (key := read_condition(sample))}
    known = {
        name: {
            key: one for sample, key in conditions.items() if (one := found.metrics.score(name, "all", "auc", sample))
        }
        for name in sorted(found.metrics.contenders, key=lambda one: found.metrics.kinds[one] != "network")
    }
    name = max(known, key=lambda one: len(known[one]), default="")
    if not name or not known[name]:
        return None
    figures: list[Figure] = []
    words = []
    for metric, label in (("auc", "AUC"), ("mean_w1_over_sigma", "mean W₁/σ")):
        found_scores = {
            key: one for sample, key in conditions.items() if (one := found.metrics.score(name, "all", metric, sample))
        }
        values = {key: one.value for key, one in found_scores.items()}
        if not values:
            continue
        low = 0.5 if metric == "auc" else 0.0
        high = max(float(np.quantile(list(values.values()), 0.95)), low + 0.05)
        drawing = drawings.condition_maps(values, f"{label}, {found.metrics.titles[name]}", low, high, held_out)
        lowest = [one.value for sample in conditions if (one := floor(found, "all", metric, sample))]
        text = f"{label} of {found.metrics.title(name)} by projectile (panel), target and kinetic energy."
        text += " Framed: not in the training; grey: too few events."
        if lowest:
            text += f" Truth against truth: {np.median(lowest):.3f} in the median condition."
        figures.append(picture(f"conditions_{metric}", drawing, text, "Heat maps, a panel for each projectile."))
        parts = {
            "trained": [value for key, value in values.items() if not held_out(*key)],
            "held-out": [value for key, value in values.items() if held_out(*key)],
        }
        medians = ", ".join(f"{np.median(one):.3f} in {len(one)} {part}" for part, one in parts.items() if one)
        words.append(f"{label}: {medians} conditions (median)")
    return Section(
        "Every hadron, every target, every energy", f"{found.metrics.title(name)}. {'; '.join(words)}.", tuple(figures)
    )


def hadrons_section(found: Found) -> Section | None:
    """Multiplicity for every projectile on every target, where a sample has several of either."""
    for sample in found.samples.values():
        pairs = len(np.unique(np.stack([sample.truth.beam.projectile, sample.truth.beam.target]), axis=1).T)
        if pairs > 2 and sample.models:
            drawing = drawings.multiplicity_grid(
                sample.truth, sample.models, found.metrics.titles, found.metrics.kinds, found.truth
            )
            energies = sample.truth.beam.kinetic_energy
            figure = picture(
                "hadrons",
                drawing,
                "Number of particles of inelastic events for every projectile (rows) on every target (columns), kinetic"
                f" energies from {energies.min():.3g} to {energies.max():.3g} GeV together; each panel in units of the"
                " largest bin of the truth.",
                "Small histograms of multiplicity, a panel for each projectile on each target.",
            )
            text = f"The grey area is the truth, {pairs} combinations of projectile and target."
            return Section("Multiplicity of every hadron", text, (figure,))
    return None
