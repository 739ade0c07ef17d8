"""The sections of the report on generators of hadronic interactions, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Files: ``metrics.json`` (rows of ``metrics.interaction_rows``),
``generated/<sample>/truth.h5`` and ``generated/<sample>/<generator>.h5`` (events), ``history.csv``, ``speed.json``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.metrics.interaction_rows import read_condition
from cloudchamber.metrics.interactions import observables
from cloudchamber.metrics.regression import Measured
from cloudchamber.report import interaction_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.files import TEST, read_history
from cloudchamber.report.interaction_figures import Distribution, in_rest_frame
from cloudchamber.report.interaction_tables import (
    BOOKS,
    LABELS,
    QUALITY,
    SIMULATORS,
    Found,
    Sample,
    closest,
    floor,
    generator_table,
    read_run,
    said,
    verdict,
)
from cloudchamber.report.page import Figure, Section, Table, read_record
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Events
from cloudchamber.simulators.hadronic.particles import NUCLEUS, PROJECTILES, TARGETS

Floats = NDArray[np.float64]

NO_SCORES = ("predictor", "member", "epoch", "train_loss", "seconds_per_step")
"""Columns of history.csv that are no score."""
SCORES = {
    "w1_over_sigma": "validation: mean W₁/σ", "mean_distance": "validation: mean distance",
    "nats": "validation: nats",
}  # fmt: skip
"""Labels of columns of history.csv."""
KINDS_SHOWN = ("n", "n_charged", "n_pi-")


def nothing_held_out(projectile: str, target: str, energy: float) -> bool:  # noqa: ARG001
    """Every condition is in the training."""
    return False


def interaction_sections(
    run: Path,
    sample_titles: Mapping[str, str],
    held_out: Callable[[str, str, float], bool] = nothing_held_out,
) -> list[Section]:
    """The sections of the page of a study of generators; parts whose files are missing are left out.

    Args:
        run: the directory.
        sample_titles: what is different in each further sample (probe), by name.
        held_out: whether projectile, target and kinetic energy in GeV were kept out of the training.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run)
    test = found.samples.get(TEST)
    sections = [
        summary_section(found),
        *([] if test is None else event_sections(found, test)),
        observables_section(found),
        books_section(found),
        *(probe_section(found, name, title) for name, title in sample_titles.items()),
        conditions_section(found, held_out),
        hadrons_section(found),
        speed_section(found, run / "speed.json"),
        training_section(found, run),
    ]
    return [section for section in sections if section is not None]


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
    items = "".join(f"<li>{line}</li>" for line in lines if line)
    return Section("What came out", f"<ul>{items}</ul>" if items else "", (), table)


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
        found.title(name)
        for name in found.models
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


# --- events -----------------------------------------------------------------------------------------------------------


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


def reaction(events: Events, row: int) -> str:
    """``"pi+ on C, 25 GeV"``."""
    projectiles = {code: name for name, code in PROJECTILES.items()}
    targets = {charge: name for name, charge in TARGETS.items()}
    code, charge = int(events.beam.projectile[row]), int(events.beam.target[row])
    return (
        f"{projectiles.get(code, str(code))} on {targets.get(charge, f'Z = {charge}')},"
        f" {events.beam.kinetic_energy[row]:.3g} GeV"
    )


def data_section(truth: Events) -> Section:
    """A few true events, and a table of the first one's particles."""
    count = truth.count
    chosen = dict.fromkeys(int(np.abs(count - np.quantile(count, part)).argmin()) for part in (0.6, 0.85, 0.98))
    events = truth.ordered(np.array(list(chosen), np.int64))
    titles = [f"{reaction(events, row)}: {events.count[row]} particles" for row in range(len(events))]
    across, rapidity = in_rest_frame(events)
    rows = [
        (_name(int(events.kind[one])), *(f"{number:.3f}".replace("-", "−") for number in numbers))
        for one in range(events.offsets[1])
        for numbers in [(*events.momentum[one], across[one], rapidity[one])]
    ]
    text = (
        "A record is one interaction of a hadron with a nucleus at rest, complete: every particle that leaves. The test"
        f" sample has {len(truth)} events with {count.mean():.1f} particles on average, {int(count.max())} at most."
    )
    figure = picture(
        "events",
        drawings.event_display(events, titles),
        "True events of the test sample: each point is a particle, by its rapidity and transverse momentum in the rest"
        " frame of projectile and nucleus.",
        "Points in the plane of rapidity and transverse momentum, a panel an event.",
    )
    header = ("particle", "E [GeV]", "p_x [GeV]", "p_y [GeV]", "p_z [GeV]", "p_T [GeV]", "rapidity")
    caption = (
        f"The first of these events, {escape(reaction(events, 0))}: energy and momentum in the laboratory, transverse"
        " momentum and rapidity in the rest frame of projectile and nucleus."
    )
    return Section("The data", text, (figure,), Table(header, tuple(rows[:25]), caption))


def _name(code: int) -> str:
    from particle import Particle, ParticleNotFound

    if abs(code) >= NUCLEUS:
        symbols = {charge: name for name, charge in TARGETS.items()}
        charge, baryons = abs(code) // 10_000 % 1000, abs(code) // 10 % 1000
        return f"nucleus {symbols.get(charge, f'Z={charge}')}, A={baryons}"
    try:
        return str(Particle.from_pdgid(code).name)
    except ParticleNotFound:
        return str(code)


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
        f"{found.title(name)}: {_plain(LABELS[key])} ({said(its[key])})"
        for name, its in scores.items()
        if name in found.models and (key := max(its, key=lambda one: its[one].value))
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


# --- conditions -------------------------------------------------------------------------------------------------------


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
        for name in sorted(found.models, key=lambda one: found.metrics.kinds[one] != "network")
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
        text = f"{label} of {found.title(name)} by projectile (panel), target and kinetic energy."
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
        "Every hadron, every target, every energy", f"{found.title(name)}. {'; '.join(words)}.", tuple(figures)
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


# --- cost -------------------------------------------------------------------------------------------------------------


def speed_section(found: Found, path: Path) -> Section | None:
    """Events per second."""
    if not path.exists():
        return None
    rows = read_record(path).get("rows")
    needed = {"model", "projectile", "target", "energy", "batch", "events_per_second"}
    if not isinstance(rows, list) or not all(isinstance(row, dict) and needed <= set(row) for row in rows):
        raise BadInput(f"{path}: expected a list 'rows' of objects with {', '.join(sorted(needed))}: measure again")
    if not rows:
        return None
    titles = {**SIMULATORS, **found.metrics.titles}
    fastest: dict[str, float] = {}
    for row in rows:
        name = str(row["model"])
        fastest[name] = max(fastest.get(name, 0.0), float(row["events_per_second"]))
    order = sorted(fastest, key=lambda name: -fastest[name])
    words = ", ".join(f"{escape(titles.get(name, name))} {_rate(fastest[name])}" for name in order)
    drawing = drawings.speed_figure(rows, titles, found.metrics.kinds)
    figure = picture(
        "speed",
        drawing,
        "Events per second against the number of events that are asked for at once; open markers and black lines are"
        " simulators.",
        "Lines of events per second against batch size, a panel for each reaction.",
    )
    return Section("How fast?", f"Most events per second: {words}.", (figure,))


def _rate(value: float) -> str:
    return f"{float(f'{value:.2g}'):,.0f}".replace(",", "\u2009") if value >= 10 else f"{value:.2g}"


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned."""
    history = [row for row in read_history(run / "history.csv") if row.get("train_loss")]
    known = dict.fromkeys(column for row in history for column, value in row.items() if value)
    scores = {column: SCORES.get(column, column) for column in known if column not in NO_SCORES}
    if not scores:
        return None
    drawing = drawings.training_figure(history, found.metrics.titles, found.metrics.kinds, scores)
    figure = picture(
        "training",
        drawing,
        "Left: training loss; right: the score on validation events that selects the weights. A row holds the networks"
        " of one score; hollow markers are parts of a generator.",
        "Curves of training loss and validation score against the epoch, a row a score.",
    )
    return Section("Training", "Losses of different models have different meanings: compare shapes only.", (figure,))
