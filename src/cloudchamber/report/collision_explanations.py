"""What the emulator of nuclear collisions has learned: sections on latent spaces, reconstructions and conditions."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from cloudchamber.report import collision_explanation_figures as drawings
from cloudchamber.report.collision_explanation_figures import SAME, Conditions, Latent, Reconstruction
from cloudchamber.report.collision_run import FLOW, Found
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section
from cloudchamber.report.words import items, listed, plus_minus

Floats = NDArray[np.float64]

QUANTITIES = {
    "largest_A": "A of the largest fragment", "largest_momentum": "its p/A [MeV/c]",
    "largest_theta": "its angle with the beam axis [°]", "largest_excitation": "its E* [MeV]",
    "gas_nucleons": "nucleons of the gas",
}  # fmt: skip
"""Of reconstructions."""
OBSERVED = {
    "fragments": "fragments (A ≥ 2)", "A_largest": "A of the largest fragment", "gas_nucleons": "free nucleons",
    "excitation_per_nucleon": "E* per bound nucleon [MeV]",
}  # fmt: skip
"""Of conditions; others say themselves."""
LATENT = ("b", "predicted_b", "projection", "correlation", "projection_correlation")
FEWEST = 3
"""Events of a scatter plot."""
DIFFERS = 2
"""Combined errors from which on means are said to differ."""


def latent_section(found: Found) -> Section | None:
    """Events in latent space, coloured by the impact parameter."""
    spaces, lines = {}, []
    for name in found.metrics.titles:
        arrays = [found.explanations["latent"].get(f"{name}/{one}") for one in LATENT]
        known = [np.asarray(one, np.float64) for one in arrays if one is not None]
        if len(known) < len(LATENT) or len(known[0]) < FEWEST:
            continue
        b, predicted, projection, r, along = known
        words = said_correlation(float(r.ravel()[0]), len(b))
        spaces[name] = Latent(b, predicted, projection, words, np.abs(along))
        rms = float(np.sqrt(np.square(predicted - b).mean()))
        error = rms / math.sqrt(2 * len(b))
        lines.append(
            f"{found.metrics.title(name)}: the b that the predictor reads in latent space has a correlation of {words}"
            f" with the true one in {len(b)} test events, and is off by {plus_minus(rms, error)} fm (rms). The first"
            f" principal component of the latent space has |r| = {abs(along.ravel()[0]):.2f} with b."
        )
    if not spaces:
        return None
    figure = picture(
        "latent",
        drawings.latent_figure(spaces, found.metrics.titles),
        "Test events of the main collision in latent space: left, along its two principal components, coloured by the"
        " impact parameter; right, the impact parameter that the jointly trained predictor reads there against the true"
        " one.",
        "Scatter plots of events in latent space, coloured by impact parameter.",
    )
    return Section("The latent space, and the impact parameter in it", items(lines), (figure,))


def said_correlation(r: float, n: int) -> str:
    """A correlation coefficient with its error for normal distributions, ``(1 - r^2) / sqrt(n - 1)``.

    Args:
        r: the coefficient.
        n: number of pairs.

    Examples:
        >>> said_correlation(0.9, 101)
        '0.900 ± 0.019'
    """
    return plus_minus(r, (1 - r**2) / math.sqrt(n - 1) if n > 1 else math.nan)


def reconstruction_section(found: Found) -> Section | None:
    """Test events, encoded and decoded."""
    kept: dict[str, list[Reconstruction]] = {}
    lines = []
    for name in found.metrics.titles:
        own, each = [], []
        for quantity, label in QUANTITIES.items():
            places = (f"{name}/{quantity}/{one}" for one in ("true", "reconstructed"))
            arrays = [found.explanations["reconstruction"].get(place) for place in places]
            pair = [np.asarray(one, np.float64) for one in arrays if one is not None]
            if len(pair) < 2 or len(pair[0]) < FEWEST:
                continue
            true, again = pair
            varies = true.std() > 0 and again.std() > 0
            words = said_correlation(float(np.corrcoef(true, again)[0, 1]), len(true)) if varies else "–"
            own.append(Reconstruction(label, true, again, words))
            off = again - true
            error = float(off.std(ddof=1) / math.sqrt(len(off)))
            each.append(f"{label} r = {words}, on average off by {plus_minus(float(off.mean()), error)}")
        if own:
            kept[name] = own
            lines.append(f"{found.metrics.title(name)}: {'; '.join(each)}.")
    if not kept:
        return None
    figure = picture(
        "reconstruction",
        drawings.reconstruction_figure(kept, found.metrics.titles, found.metrics.kinds),
        "Test events of the main collision after encoding and decoding, against the same events before: each point is"
        " an event, on the line it is found again. The angle is that with the beam's axis, from 0° to 90°.",
        "Scatter plots of reconstructed against true quantities, a row an autoencoder.",
    )
    return Section("Test events, encoded and decoded", items(lines), (figure,))


def conditions_section(found: Found) -> Section | None:
    """How events of the flow change with impact parameter and energy, beside the simulator's."""
    arrays = {name: np.asarray(one, np.float64) for name, one in found.explanations["conditions"].items()}
    names = [name.removeprefix("flow/") for name in arrays if name.startswith("flow/")]
    ordered = [*(one for one in OBSERVED if one in names), *(one for one in names if one not in OBSERVED)]
    names = [name for name in ordered if f"truth/{name}" in arrays][:4]
    if not names or not all(name in arrays for name in ("b", "energy", "truth/b", "truth/energy")):
        return None
    b, energies, true_energy = arrays["b"], arrays["energy"], arrays["truth/energy"]
    if not len(b) or not len(energies) or not len(true_energy):
        return None
    main = float(found.config.get("energy", np.median(true_energy)))
    panels = [
        Conditions(OBSERVED.get(name, name.replace("_", " ")), arrays[f"flow/{name}"], arrays[f"truth/{name}"])
        for name in names
    ]
    title = found.metrics.titles.get(FLOW, "flow")
    drawing = drawings.conditions_figure(panels, (b, energies), (arrays["truth/b"], true_energy), main, title)
    figure = picture(
        "conditions",
        drawing,
        "Means of generated events (lines) and of the simulator's test events (hollow points, with standard errors)."
        " Above: against the impact parameter at the lowest, the main and the highest energy; below: against energy,"
        " all impact parameters together, uniform as they were simulated.",
        "Lines and points of means against impact parameter and energy.",
    )
    return Section("What the conditions do", _energies(found, panels, b, energies, true_energy), (figure,))


def _energies(found: Found, panels: list[Conditions], b: Floats, energies: Floats, true_energy: Floats) -> str:
    """At which energies means over all impact parameters differ from the simulator's."""
    span = max(float(b[-1] - b[0]), 1e-9)
    lines = []
    for one in panels:
        flow = np.asarray(np.trapezoid(one.flow, b, axis=1)) / span
        far, compared = [], 0
        for energy, mean in zip(energies, flow, strict=True):
            own = one.truth[np.abs(true_energy - energy) < SAME]
            if len(own) < FEWEST:
                continue
            compared += 1
            error = float(own.std(ddof=1) / math.sqrt(len(own)))
            if abs(mean - own.mean()) > DIFFERS * error:
                far.append(f"{energy:g}")
        change = float(flow[-1] - flow[0])
        rises = "rises" if change > 0 else "falls"
        text = f"{one.label}: from {energies[0]:g} to {energies[-1]:g} MeV per nucleon the mean {rises} by"
        text += f" {abs(change):.2g} in events of {found.metrics.title(FLOW)}"
        if compared:
            text += f"; farther than {DIFFERS} standard errors from the simulator at {listed(far)}"
            text += f" of {compared} energies" if not far else f" MeV per nucleon, of {compared} energies"
        lines.append(f"{text}.")
    return items(lines)
