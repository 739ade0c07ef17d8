"""The sections of the report on the transport simulator's validation, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Files: those of ``transport_run``, and ``gallery.h5`` (pictures of one
collision).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from pathlib import Path

from cloudchamber.report import transport_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Section
from cloudchamber.report.transport_cross_sections import measured_fragments, reaction
from cloudchamber.report.transport_run import (
    LANGEVIN,
    MODES,
    NAMES,
    Found,
    TransportSettings,
    Values,
    read_groups,
    system_of,
    words_of,
)
from cloudchamber.report.validation import (
    Validation,
    checks_table,
    overview,
    read_validation,
)
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.masses import nucleus_of

CAPTIONS = {
    "box-collisions": "Rates count collisions of nucleons of the whole box.",
    "conservation": "Energies and momenta are per nucleon, those of whole nuclei of the whole event.",
    "ground-states": "Energies are per nucleon.",
    "symmetry": "Momenta are per nucleon.",
}
"""Of the tables, by check."""
HALF_NUCLEONS = 0.5
"""Width of bins of the largest fragment's real-valued A."""


def transport_sections(run: Path, config: TransportSettings, titles: Mapping[str, str]) -> list[Section]:
    """The sections of the page of the validation of the transport simulator; what is missing is left out.

    Args:
        run: the directory.
        config: of the run.
        titles: of the probes; not needed, the checks say which events they look at.

    Raises:
        BadInput: a file is malformed, or of another kind of study.
    """
    del titles
    validation = read_validation(run)
    if validation is None:
        raise BadInput(f"{run / 'metrics.json'} has no checks: give a run of the study transport")
    sections = [overview(validation)]
    collision = collision_section(read_groups(run / "gallery.h5"), config, validation)
    sections += [] if collision is None else [collision]
    for name, title in validation.checks.items():
        found = Found(validation, config, name, read_groups(run / "checks" / f"{name}.h5"))
        if found.rows or found.arrays:
            sections.append(check_section(found, title))
    return sections


def check_section(found: Found, title: str) -> Section:
    """The section of a check: its text and figures if there are any, and a table of its rows if it has no own.

    Args:
        found: of the check.
        title: of the check.
    """
    part = PARTS.get(found.check)
    section = Section("", "") if part is None else part(found)
    table = section.table
    if table is None and found.rows:
        caption = CAPTIONS.get(found.check, "")
        table = checks_table(found.validation, found.rows, caption, words_of(found.rows))
    return replace(section, title=title[:1].upper() + title[1:], table=table)


# --- an event, conservation, ground states ----------------------------------------------------------------------------


def collision_section(
    gallery: Mapping[str, Values], config: TransportSettings, validation: Validation
) -> Section | None:
    """What a collision looks like in both modes."""
    density = {
        validation.subjects.get(mode, mode): gallery[f"density/{mode}"]
        for mode in MODES
        if f"density/{mode}" in gallery
    }
    if not density or not all(name in gallery for name in ("time", "x", "z")):
        return None
    text = (
        f"A nucleon is {config.test_particles} test particles, which move in their common mean field and scatter on"
        " each other. On <i>average</i> (BUU) single test particles scatter, and an event is the mean of all that could"
        " happen. In the <i>Boltzmann-Langevin</i> mode whole nucleons scatter, packets of as many test particles: as"
        " often, but every event is another one (Napolitani and Colonna, Phys. Lett. B 726 (2013) 382)."
    )
    figure = picture(
        "collision",
        drawings.density_pictures(density, gallery["time"], gallery["x"], gallery["z"]),
        f"One collision of {system_of(config)} in both modes: nucleons per area of the picture's plane, in the frame in"
        " which both nuclei together are at rest. The projectile comes from the left.",
        "Pictures of two nuclei that collide and fly apart, a row a mode, a column a time.",
    )
    return Section("A collision", text, (figure,))


def conservation(found: Found) -> Section:
    """Conservation laws: nucleons, charge, momentum, energy."""
    change, stretch = found.by_mode("energy_change/{}"), found.arrays.get("stretch")
    high = found.bounds("mean_change")[1]
    panels, seen = [], []
    if change:
        panels.append(
            drawings.Panel(
                "change of energy [MeV per nucleon]", change, limits=() if high is None else (-high, high)
            )
        )  # fmt: skip
        seen.append("Change of the energy of events until freeze-out.")
        if high is not None:
            seen.append(f"Dashed: ±{high:g} MeV; the mean absolute change must lie within.")
    if stretch is not None:
        panels.append(drawings.Panel("stretch of all momenta", {found.title(LANGEVIN): stretch}))
        seen.append("Stretch: the factor on momenta that closes the balance of energy of whole nuclei.")
    text = (
        "Mass number, charge and momentum of fragments and gas must be those of both nuclei, but for rounding errors."
        " Of the momentum this checks collisions and bookkeeping only: forces on a lattice do not quite add up to zero,"
        " and the total that they leave is taken away at every step. Energy is conserved by the lattice Hamiltonian"
        " (Lenk and Pandharipande, Phys. Rev. C 39 (1989) 2242) in continuous time, and nearly by finite steps: what is"
        " allowed is little beside the MeV per nucleon with which fragments are excited. An event that changes by more"
        f" than {found.config.energy_tolerance:g} MeV per nucleon is refused and counted.\n\n<i>Whole nuclei</i> are"
        " events after rounding to whole mass numbers and charges and measured masses: there everything must be exact."
    )
    if not panels:
        return Section("", text)
    figure = picture(
        "conservation",
        drawings.histograms(panels, "events", 2),
        " ".join(seen),
        "Histograms of the change of energy in both modes and of the stretch of momenta.",
    )
    return Section("", text, (figure,))


def ground_states(found: Found) -> Section:
    """Nuclei that are left alone."""
    nuclei = dict(sorted(found.groups("time", "radius", "emitted").items(), key=lambda one: nucleus_of(one[0])))
    low, high = found.bounds("largest_change_of_rms_radius")
    emitted = found.bounds("emitted_share")[1]
    text = (
        "A nucleus that meets nobody must stay as it is: otherwise what a collision excites cannot be told from what"
        " the code does by itself. Ground states are Thomas-Fermi solutions for the same folded fields that move the"
        " particles later (Lenk and Pandharipande); they run for 200 fm/c, as long as a collision. Binding energies and"
        " charge radii stand beside measured ones (AME2020; Angeli and Marinova, At. Data Nucl. Data Tables 99 (2013)"
        " 69): mean-field models have errors there, so that there is no criterion.\n\nIn a cold nucleus the Pauli"
        " principle forbids every collision. The code lets nucleons of one nucleus not scatter before they have met the"
        " other one; <i>forbidden collisions</i> are counted without this rule, in carbon at rest, and show what"
        " blocking by counted occupation lets through (Zhang et al., Phys. Rev. C 97 (2018) 034625, compare codes)."
    )
    if not nuclei:
        return Section("", text)
    change = None if low is None or high is None else (low, high)
    caption = "Nuclei alone: rms radius of what stays together over that at the start, and nucleons that have left."
    if change is not None:
        caption += f" Band: {100 * change[0]:+.0f} % to {100 * change[1]:+.0f} %.".replace("-", "−")
    if emitted is not None:
        caption += f" Dashed: a share of {emitted:g}. Both are required."
    figure = picture(
        "ground_states",
        drawings.ground_state_figure(nuclei, change, emitted),
        caption,
        "Lines of radius and emitted share of several nuclei against time.",
    )
    return Section("", text, (figure,))


# --- matter in a box --------------------------------------------------------------------------------------------------


def box_collisions(found: Found) -> Section:
    """Rates of collisions in a box."""
    names = {"true": "Fermi and Dirac", "counted": "as blocking counts it", "blocked": "share that is blocked"}
    shares = {
        title: found.arrays[f"occupation/{name}"]
        for name, title in names.items()
        if f"occupation/{name}" in found.arrays
    }
    text = (
        "Matter of 0.16 nucleons per fm³ in a periodic box, without fields, and a constant cross section of 40 mb: the"
        " homework of Zhang et al., Phys. Rev. C 97 (2018) 034625. Attempted collisions must come at the rate ½ A ρ σ"
        " ⟨v⟩, ⟨v⟩ being 36/35 of the Fermi velocity at temperature 0 and an integral over both Fermi distributions"
        " above. With Pauli blocking the right rate is an integral, too. A code that counts test particles knows the"
        " occupation with noise and over a window only, so that its rate is another one: by how much is quoted."
    )
    if "occupation/momentum" not in found.arrays or not shares:
        return Section("", text)
    figure = picture(
        "occupation_in_the_box",
        drawings.occupation_figure(found.arrays["occupation/momentum"], shares, found.arrays.get("occupation/spread")),
        "Occupation of phase space against momentum at a temperature of 5 MeV: the Fermi-Dirac distribution, what Pauli"
        " blocking counts (bars: standard deviation from place to place), and how often it blocks, which should be the"
        " same.",
        "A curve and points of the occupation against the momentum.",
    )
    return Section("", text, (figure,))


def box_wave(found: Found) -> Section:
    """A standing wave in a box."""
    waves = found.groups("time", "simulated", "linear_response")
    waves = {name: waves[name] for name in sorted(waves, key=lambda one: (one != "soft", one))}  # as elsewhere first
    text = (
        "A faint standing wave of the density in a periodic box, in the mean field without collisions, as in the"
        " comparison of Colonna et al., Phys. Rev. C 104 (2021) 024603. Its amplitude must follow the linear response"
        " of the Vlasov equation, n(t) = sinc(kv<sub>F</sub>t) − F₀|S<sub>k</sub>|² ∫ K(t − s) n(s) ds, with the Landau"
        " parameter F₀ of the mean field and the form factor S of the test particles; compared are the times at which"
        " it vanishes. A soft field (F₀ &lt; 0) slows the wave down, a stiff one makes zero sound."
    )
    if not waves:
        return Section("", text)
    figure = picture(
        "standing_wave",
        drawings.wave_figure({NAMES.get(name, name): arrays for name, arrays in waves.items()}),
        "Amplitude of a standing wave over that at the start, a panel a mean field: points are simulated, lines are"
        " linear response.",
        "Points and lines of the amplitude of a wave against time.",
    )
    return Section("", text, (figure,))


def occupation(found: Found) -> Section:
    """Variance of the occupation."""
    text = (
        "Fluctuations are what the Boltzmann-Langevin mode is for. In equilibrium the occupation f of a cell of phase"
        " space, h³ for each spin and isospin, has the variance f(1 − f): a nucleon is there or not. On average it must"
        " be smaller by the number of test particles of a nucleon. A factor of 0.5 to 1.2 is asked for, not 1: packets"
        " of test particles have finite widths and overlap, so that the published codes, too, reach the full variance"
        " only in part (Napolitani and Colonna, Phys. Rev. C 96 (2017) 054609). How much of a packet is in one cell"
        " depends on the cell's shape; several are compared. That packets do not pile up is seen in the occupation"
        " itself, which must not exceed 1."
    )
    figures = []
    modes = {
        found.title(mode): tuple(found.arrays[f"{mode}/{name}"] for name in ("kept", "ratio", "ratio_error"))
        for mode in MODES
        if all(f"{mode}/{name}" in found.arrays for name in ("kept", "ratio", "ratio_error"))
    }
    if modes:
        figures.append(
            picture(
                "variance",
                drawings.variance_figure(modes, found.bounds("variance_over_f(1-f)")),
                "Variance of the occupation over f(1 − f) in matter in a box, in cells of several shapes and sizes."
                f" Band: required of {escape(found.title(LANGEVIN))}; the other mode must be lower by the number of its"
                " test particles, each of which is all of its packet.",
                "Points of the variance in both modes, on a logarithmic axis.",
            )
        )
    equilibrium = list(found.by_mode("{}/equilibrium").values())  # the same in both modes
    shares = {"equilibrium": equilibrium[0]} if equilibrium else {}
    shares |= found.by_mode("{}/occupation")
    if "momentum" in found.arrays and "equilibrium" in shares:
        figures.append(
            picture(
                "occupation_after_collisions",
                drawings.occupation_figure(found.arrays["momentum"], shares),
                "Occupation after many collisions, and in equilibrium.",
                "A curve and points of the occupation against the momentum.",
            )
        )
    return Section("", text, tuple(figures))


# --- fluctuations and symmetry of collisions --------------------------------------------------------------------------


def spread(found: Found) -> Section:
    """How much the largest fragment differs from event to event."""
    values = found.by_mode("{}/largest")
    at_most = math.sqrt(found.config.test_particles)
    text = (
        "The same collision again and again: how much does the largest fragment differ? With fluctuations that are"
        " those of nucleons the standard deviation is larger than in the average mode, where it shrinks with the number"
        " of test particles; were it made by collisions alone, and small, the ratio would be"
        f" √{found.config.test_particles} = {at_most:.0f}. The sampling of ground states adds to both."
    )
    if not values:
        return Section("", text)
    figure = picture(
        "largest_fragment",
        drawings.histograms([drawings.Panel("largest fragment, A", values, step=HALF_NUCLEONS)], "events"),
        f"Mass number, a real number, of the largest fragment of {system_of(found.config)}, all at one impact"
        f" parameter ({', '.join(f'{escape(title)}: {len(one)} events' for title, one in values.items())}).",
        "Histograms of the largest fragment in both modes.",
    )
    return Section("", text, (figure,))


def symmetry(found: Found) -> Section:
    """Forward against backward."""
    labels = {
        "A": "A", "Z": "Z", "excitation": "excitation energy [MeV]", "momentum": "|p| / A [MeV/c]",
    }  # fmt: skip
    sides = ("forward", "backward")
    panels = [
        drawings.Panel(label, {side: found.arrays[f"{side}/{name}"] for side in sides}, bins=16)
        for name, label in labels.items()
        if all(f"{side}/{name}" in found.arrays for side in sides)
    ]
    low, judged = found.bounds("p_value")[0], [row for row in found.rows if row["metric"] == "p_value"]
    text = (
        "Two equal nuclei: in the frame in which both together are at rest, nothing may tell forward from backward."
        " Compared are the heaviest fragments that go to either side, of events that have"
        " one on both. p values are from random exchanges of the sides of each event."
    )
    if low is not None:
        text += (
            f" A right simulator has a p value below {low:g} in one of {1 / low:.0f} such tests; there are"
            f" {len(judged)} of them."
        )
    if not panels:
        return Section("", text)
    figure = picture(
        "symmetry",
        drawings.histograms(panels, "fragments"),
        "Heaviest fragments that go forward and backward: mass number, charge, excitation energy, and momentum per"
        " nucleon in the common frame.",
        "Histograms of four properties of fragments, forward and backward.",
    )
    return Section("", text, (figure,))


def freeze_out(found: Found) -> Section:
    """Systematics of the moment and density at which fragments are read."""
    labels = {"largest": "A of the largest", "number": "number of fragments", "excitation": "E* of the largest [MeV]"}
    panels = {label: found.arrays[name] for name, label in labels.items() if name in found.arrays}
    text = (
        "When is a fragment a fragment? The simulation ends at a time, and what is denser than a cut is a fragment,"
        " with what of its rim its field binds. Both are choices, and what depends on them has a systematic error. The"
        " same events are read at several times and with several cuts; fragments must have ceased to shrink when they"
        " are read, which is why the largest may lose little more."
    )
    if not panels or not all(name in found.arrays for name in ("time", "density_cut")):
        return Section("", text)
    usual = (found.config.freeze_out_time, found.config.density_cut)
    impact = found.arrays.get("impact_parameter")
    events = len(next(iter(panels.values())))
    where = "" if impact is None else f" at impact parameters from {impact.min():.2g} to {impact.max():.2g} fm"
    figure = picture(
        "freeze_out",
        drawings.freeze_out_figure(panels, found.arrays["time"], found.arrays["density_cut"], usual),
        f"Means over {events} events{where}, the same for all lines and times, with their standard errors: differences"
        f" are known better than the bars say. Dashed and thick: the time ({usual[0]:g} fm/c) and the cut"
        f" ({usual[1]:g} fm⁻³) of all other sections.",
        "Lines of the largest fragment, number of fragments and excitation energy against freeze-out time.",
    )
    return Section("", text, (figure,))


def cost(found: Found) -> Section:
    """Processor time against settings."""
    config = found.config
    nucleons = sum(nucleus_of(name)[0] for name in (config.projectile, config.target))
    settings = {
        "test_particles": ("test particles a nucleon", config.test_particles),
        "nucleons": ("nucleons of both nuclei", nucleons),
        "freeze_out_time": ("freeze-out time [fm/c]", config.freeze_out_time),
    }
    costs = [
        drawings.Cost(label, found.arrays[f"{name}/value"], found.arrays[f"{name}/seconds"], usual)
        for name, (label, usual) in settings.items()
        if all(f"{name}/{one}" in found.arrays for one in ("value", "seconds"))
    ]
    limit = found.bounds("processor_time")[1]
    text = (
        f"Seconds of one processor core for an event of {system_of(config)} at b = 4 fm, with {config.test_particles}"
        f" test particles a nucleon until {config.freeze_out_time:g} fm/c, without compilation; and the memory of the"
        " process with an event in it, libraries included. The limits make two thousand events a night's work of a"
        " laptop. The processor is named on top of this page."
    )
    if not costs:
        return Section("", text)
    caption = "Processor time of an event in the Boltzmann-Langevin mode, one setting changed at a time."
    if limit is not None:
        caption += f" Dashed: {limit:g} s; the triangle is where that is the limit, at the settings of this run."
    figure = picture(
        "cost",
        drawings.cost_figure(costs, limit),
        caption,
        "Lines of seconds against test particles, nucleons and freeze-out time, on logarithmic axes.",
    )
    return Section("", text, (figure,))


PARTS: Mapping[str, Callable[[Found], Section]] = {
    "conservation": conservation,
    "ground-states": ground_states,
    "box-collisions": box_collisions,
    "box-wave": box_wave,
    "occupation": occupation,
    "spread": spread,
    "symmetry": symmetry,
    "freeze-out": freeze_out,
    "reaction": reaction,
    "data": measured_fragments,
    "cost": cost,
}
"""Text and figures by check; their titles, and tables unless they have one, are given by ``check_section``."""
