"""How near generators of nuclear collisions come to the simulator: sections of the report of the emulator."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions
from cloudchamber.metrics.collision_rows import IMPACT_PARAMETERS, MEAN
from cloudchamber.metrics.collisions import observables, spectra
from cloudchamber.metrics.measured import Measured
from cloudchamber.report import collision_figures as drawings
from cloudchamber.report.collision_figures import Distribution, Profile
from cloudchamber.report.collision_run import FLOW, HELD_OUT, Found
from cloudchamber.report.collision_score_figures import score_panels
from cloudchamber.report.collision_tables import (
    LAWS,
    LEVEL,
    PARTS,
    RESULT,
    criteria,
    generator_table,
    ratio,
    said,
    verdict,
    with_cost,
)
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section
from cloudchamber.report.words import items

Floats = NDArray[np.float64]

W1 = "w1_over_sigma"
AXES = {
    "fragments": "fragments (A ≥ 2) in an event", "spectrum_A": "A of fragments", "spectrum_Z": "Z of fragments",
    "spectrum_momentum": "fragments: p/A over the beam's", "spectrum_theta": "fragments: angle with the beam [°]",
    "spectrum_excitation": "fragments: E*/A [MeV]", "gas_nucleons": "free nucleons in an event",
    "gas_spectrum_momentum": "free nucleons: p over the beam's", "gas_spectrum_theta": "free nucleons: angle [°]",
}  # fmt: skip
"""Axis labels of distributions."""
GROUPS = {
    "fragments": ("fragments", "spectrum_A", "spectrum_Z"),
    "kinematics": ("spectrum_momentum", "spectrum_theta", "spectrum_excitation"),
    "gas": ("gas_nucleons", "gas_spectrum_momentum", "gas_spectrum_theta"),
}
"""Distributions of a figure each."""
BY_B = ("spectrum_A", "spectrum_excitation", "gas_spectrum_momentum")
"""Distributions in bins of the impact parameter."""
THIRDS = ((0.0, 3.0), (3.0, 5.5), (5.5, np.inf))
"""Those bins [fm]."""
WHOLE = ("fragments", "spectrum_A", "spectrum_Z", "gas_nucleons")
LOGARITHMIC = ("spectrum_A", "spectrum_Z", "spectrum_excitation", "spectrum_momentum", "spectrum_theta")
JUDGED = ("spectrum_A", "spectrum_momentum", "spectrum_excitation", "gas_nucleons", "gas_spectrum_momentum")
"""Of them, what the text says who is best in."""
PROFILES = {
    "fragments": "fragments (A ≥ 2)", "A_largest": "A of the largest fragment", "Z_bound": "charge bound, Z ≥ 2",
    "gas_nucleons": "free nucleons", "excitation_per_nucleon": "E* per bound nucleon [MeV]",
    "forward_momentum": "p/A of the forward\nfragment over the beam's",
    "forward_theta": "angle of the forward\nfragment [°]",
    "stopping": "transverse over all\nkinetic energy", "gas_energy": "kinetic energy of\nthe gas [MeV]",
}  # fmt: skip
"""Quantities whose means are drawn against the impact parameter."""
LABELS = {
    "fragments": "fragments", "A_largest": "A, largest", "Z_largest": "Z, largest", "A_second": "A, second largest",
    "Z_second": "Z, second largest", "Z_bound": "bound charge, Z ≥ 2", "gas_nucleons": "free nucleons",
    "gas_protons": "free protons", "excitation": "E* of all", "excitation_per_nucleon": "E* per bound nucleon",
    "largest_excitation_per_nucleon": "E*/A, largest", "forward_A": "A, forward", "forward_momentum": "p/A, forward",
    "forward_theta": "angle, forward", "forward_deflection": "p_x/A, forward",
    "transverse_momentum": "transverse momentum", "stopping": "stopping", "gas_energy": "energy of the gas",
    "gas_asymmetry": "mean p_z of the gas", "gas_flow": "flow of the gas", "spectrum_A": "A, fragments",
    "spectrum_Z": "Z, fragments", "spectrum_momentum": "p/A, fragments", "spectrum_theta": "angle, fragments",
    "spectrum_excitation": "E*/A, fragments", "gas_spectrum_momentum": "p, free nucleons",
    "gas_spectrum_theta": "angle, free nucleons",
}  # fmt: skip
"""Of ``metrics.collisions.OBSERVABLES`` and ``SPECTRA``, short; in units of sigma they have none."""
DIFFERS = 3
"""Combined errors from which on a distance is said to be above the floor."""


# --- numbers ----------------------------------------------------------------------------------------------------------


def summary_section(found: Found) -> Section | None:
    """All generators beside each other, and what was asked for."""
    table = generator_table(
        with_cost(found),
        RESULT,
        "On the test events. W₁/σ: Wasserstein distance over the simulator's standard deviation, mean over all"
        " observables and spectra. AUC: can boosted trees that know the condition tell a generator from the simulator"
        " (0.5: they cannot). Δ corr.: largest difference of two observables' correlation. Neighbour ratio: distance of"
        " generated events to their nearest training event over that of new events of the simulator (near 0: copies)."
        " Laws: A, Z, momentum and energy, the one broken most often; where none is seen, the error is 1 / (n + 2). The"
        " time of an event: all test events at once. Errors: one standard error, by bootstrap over events.",
    )
    if table is None:
        return None
    lines = [
        verdict(found, "all", MEAN, "Mean distance (W₁/σ)"),
        verdict(found, "all", "auc", "Trees that tell a generator from the simulator (AUC)"),
    ]
    text = items(lines)
    wanted = criteria(found)
    if wanted:
        text += f"\n\nWhat was asked for, by the values themselves:\n\n{wanted}"
    return Section("What came out", text or "Nothing was compared.", (), table)


def observables_section(found: Found) -> Section | None:
    """Distances one by one."""
    scores = _scores(found, LABELS, W1)
    if not scores:
        return None
    lines = []
    for name, its in scores.items():
        above = [
            key
            for key, one in its.items()
            if (floor := found.floor_score(key, W1)) is not None
            and one.value - floor.value > DIFFERS * np.hypot(np.nan_to_num(one.error), np.nan_to_num(floor.error))
        ]
        worst = max(its, key=lambda key: its[key].value)
        text = f"{found.metrics.title(name)}: farthest in “{LABELS[worst]}”, {said(its[worst])}"
        if found.floor is not None:
            text += f"; {len(above)} of {len(its)} are above the floor by more than {DIFFERS} combined errors"
        lines.append(f"{text}.")
    figure = picture(
        "distances",
        score_panels(
            scores,
            _floor(found, LABELS, W1),
            LABELS,
            found.metrics.titles,
            found.metrics.kinds,
            "Wasserstein distance / standard deviation of the simulator",
        ),
        "Distance of each observable (one value an event; below, of all fragments or free nucleons) from the"
        " simulator's, with its bootstrap error. Forward: the heaviest fragment with p_z &gt; 0; transverse momentum:"
        " sum over fragments; stopping: transverse over all kinetic energy; flow: mean p_x sign(p_z). Black strokes in"
        " grey: simulator against simulator with its error, which no generator can be expected to undercut.",
        "Points of distances on a logarithmic axis, a row an observable, a panel a generator.",
    )
    return Section("Observable by observable", items(lines), (figure,))


def _scores(found: Found, names: Mapping[str, str], metric: str) -> dict[str, dict[str, Measured]]:
    """Numbers of each generator that is no floor, by target; those without any are left out."""
    scores = {name: measured(found, name, names, metric) for name in found.metrics.contenders}
    return {name: one for name, one in scores.items() if one}


def _floor(found: Found, names: Mapping[str, str], metric: str) -> dict[str, Measured]:
    return {} if found.floor is None else measured(found, found.floor, names, metric)


def measured(found: Found, generator: str, names: Mapping[str, str], metric: str) -> dict[str, Measured]:
    """Numbers of a generator by target, those that are there.

    Args:
        found: the run.
        generator: its name.
        names: of the targets.
        metric: of the numbers.
    """
    known = {key: found.metrics.score(generator, key, metric) for key in names}
    return {key: Measured(one.value, one.error, one.n) for key, one in known.items() if one is not None}


def parts_section(found: Found) -> Section | None:
    """The energy that was held out, other energies and nuclei, and bins of the impact parameter."""
    labels = {target: label for target, _, label in PARTS}
    edges = itertools.pairwise(IMPACT_PARAMETERS)
    labels |= {f"b {low:g}-{high:g} fm": f"b from {low:g} to {high:g} fm" for low, high in edges}
    scores = _scores(found, labels, MEAN)
    if not scores:
        return None
    figure = picture(
        "parts",
        score_panels(
            scores, _floor(found, labels, MEAN), labels, found.metrics.titles, found.metrics.kinds, "mean W₁/σ"
        ),
        "Mean distance of parts of the test sample, with bootstrap errors; black strokes in grey: simulator against"
        " simulator. Distances of a few events are larger whoever made them: compare within a row.",
        "Points of mean distances, a row a part of the sample, a panel a generator.",
    )
    table = generator_table(
        found.metrics,
        PARTS,
        "Mean W₁/σ of the main collision, of the same nuclei at other energies, and of other nuclei, σ being that of"
        " the part.",
    )
    return Section("Elsewhere: an energy held out, other energies, other nuclei", _elsewhere(found), (figure,), table)


def _elsewhere(found: Found) -> str:
    """What the parts say."""
    away, known = (found.metrics.score(name, "main channel", MEAN) for name in (HELD_OUT, FLOW))
    lines = []
    if away is not None and known is not None and (times := ratio(away, known)) is not None:
        lines.append(
            f"{found.metrics.title(FLOW)} never shown the energy of the main collision: {said(away)} there, after"
            f" training with it {said(known)}, {said(times)} times as much."
        )
    lines += [verdict(found, target, MEAN, f"{label.capitalize()} (mean W₁/σ)") for target, _, label in PARTS]
    return items(lines) or "Mean distances of parts of the test sample."


def laws_section(found: Found) -> Section | None:
    """What is conserved, and whether both sides are alike."""
    table = generator_table(
        found.metrics,
        LAWS,
        "Fraction of events whose A and Z do not add up to those of the colliding nuclei, or whose momentum and energy"
        " are off by more than 0.001 MeV/c and MeV; the largest violation. Where none is seen, the error is"
        " 1 / (n + 2). Two sides: of collisions of identical nuclei, forward against backward, each seen along its own"
        " beam; mean W₁/σ, and the probability of sides that differ as much by chance (permutation test).",
    )
    if table is None:
        return None
    laws = [target for target, metric, _ in LAWS if metric == "violation_rate"]

    def rates(name: str) -> list[float]:
        known = (found.metrics.score(name, law, "violation_rate") for law in laws)
        return [one.value for one in known if one is not None]

    judged = [name for name in found.metrics.contenders if rates(name)]
    exact = [found.metrics.title(name) for name in judged if max(rates(name)) == 0]
    sides = {name: found.metrics.score(name, "symmetry", "p_value") for name in found.metrics.contenders}
    differ = [found.metrics.title(name) for name, one in sides.items() if one is not None and one.value < LEVEL]
    text = f"A, Z, momentum and energy are kept in every event by: {'; '.join(exact) or 'none'}." if judged else ""
    if any(sides.values()):
        text += (
            " Where projectile and target are the same nucleus, forward and backward must be alike; they differ (p &lt;"
            f" {LEVEL:g}) in events of: {'; '.join(differ) or 'none'}."
        )
    return Section("Laws and symmetry", text.strip(), (), table)


# --- distributions ----------------------------------------------------------------------------------------------------


def distribution_sections(found: Found) -> list[Section]:
    """Fragments and gas of the main collision, beside the simulator's; means and spreads against b."""
    main = found.main
    if main is None or not found.shown:
        return []
    truth, models = main
    drawn = [name for name in found.shown if name in models]
    looked = {name: _values(models[name]) for name in drawn}
    true = _values(truth)
    captions = {
        "fragments": "Numbers of fragments, their A and their Z",
        "kinematics": "Fragments: momentum per nucleon over that of the beam, angle, excitation energy per nucleon",
        "gas": "Free nucleons: their number, momentum over that of the beam per nucleon, and angle",
    }
    figures = []
    for name, keys in GROUPS.items():
        panels = [_distribution(key, true, looked, (0.0, np.inf)) for key in keys]
        figures.append(
            picture(
                name,
                drawings.distributions(panels, found.metrics.titles, found.metrics.kinds),
                f"{captions[name]}, in events of the main collision: the simulator (grey) and generators; below, the"
                " generator over the simulator. Bars and bands: errors of counting.",
                f"Histograms of the simulator and generators with ratios: {captions[name].lower()}.",
            )
        )
    text = [
        verdict(found, key, W1, f"{AXES[key][:1].upper()}{AXES[key][1:]} (W₁/σ, all test events)") for key in JUDGED
    ]
    said_drawn = f"Drawn are: {'; '.join(found.metrics.title(name) for name in drawn)}."
    sections = [Section("Fragments and gas", f"{said_drawn}\n\n{items(text)}", tuple(figures))]
    return [*sections, _against_b(found, true, looked)]


Known = Mapping[str, tuple[Floats, Floats]]
"""By name, values and the impact parameter of the event of each."""


def _values(events: Collisions) -> Known:
    b = events.entrance.impact_parameter
    found = {name: (values, b) for name, values in observables(events).items()}
    return found | {name: (one.values, b[one.event]) for name, one in spectra(events).items()}


def _distribution(
    name: str, true: Known, models: Mapping[str, Known], bounds: tuple[float, float], title: str = ""
) -> Distribution:
    """Values of events whose impact parameter is within bounds."""
    low, high = bounds

    def own(known: Known, key: str) -> Floats:
        values, b = known[key]
        return values[(low <= b) & (b < high)]

    return Distribution(
        AXES[name], own(true, name), {model: own(known, name) for model, known in models.items()},
        len(own(true, "fragments")), {model: len(own(known, "fragments")) for model, known in models.items()},
        whole=name in WHOLE, logarithmic=name in LOGARITHMIC, title=title,
    )  # fmt: skip


def _against_b(found: Found, true: Known, models: Mapping[str, Known]) -> Section:
    """Means and spreads against the impact parameter, and distributions in bins of it."""
    b = true["fragments"][1]
    of_models = {name: known["fragments"][1] for name, known in models.items()}
    panels = [
        Profile(label, true[name][0], {model: known[name][0] for model, known in models.items()})
        for name, label in PROFILES.items()
    ]
    figures = [
        picture(
            "means",
            drawings.profiles(panels, b, of_models, found.metrics.titles, found.metrics.kinds),
            "Means (above) and standard deviations (below) of events of the main collision in bins of the impact"
            " parameter, with their standard errors: the simulator (black strokes in grey) and generators.",
            "Means and standard deviations of nine quantities against the impact parameter.",
        )
    ]
    thirds = [
        (low, high, f"b {low:g}–{high:g} fm" if np.isfinite(high) else f"b > {low:g} fm")
        for low, high in THIRDS
        if ((low <= b) & (b < high)).sum() >= drawings.SPARE
    ]
    if thirds:
        each = [_distribution(name, true, models, (low, high), title) for low, high, title in thirds for name in BY_B]
        figures.append(
            picture(
                "distributions_by_b",
                drawings.distributions(each, found.metrics.titles, found.metrics.kinds, ratios=False),
                "A of fragments, their excitation energy per nucleon and the momentum of free nucleons over that of the"
                " beam in central, middle and peripheral events of the main collision.",
                "Histograms of the simulator and generators, a row a range of the impact parameter.",
            )
        )
    return Section("As functions of the impact parameter", _pulls(true, models, found), tuple(figures))


def _pulls(true: Known, models: Mapping[str, Known], found: Found) -> str:
    """How many means in bins differ by more than two errors, by generator; 5 % would by chance."""
    edges = drawings.impact_bins(true["fragments"][1])
    lines = []
    for model, known in models.items():
        off: list[Floats] = []
        for name in PROFILES:
            one, other = (drawings.binned(its[name][1], its[name][0], edges) for its in (true, known))
            error = np.hypot(one.mean_error, other.mean_error)
            there = np.isfinite(error) & (error > 0)
            off.append(np.abs(one.mean - other.mean)[there] / error[there])
        pulls = np.concatenate(off)
        if len(pulls):
            lines.append(
                f"{found.metrics.title(model)}: {int((pulls > 2).sum())} of {len(pulls)} means in bins of b differ from"
                f" the simulator's by more than two combined errors, {100 * float((pulls > 2).mean()):.0f} % (by chance"
                f" 5 %); at most by {float(pulls.max()):.1f}."
            )
    return items(lines) or "Too few events for bins of the impact parameter."
