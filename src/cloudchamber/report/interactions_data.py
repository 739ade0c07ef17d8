"""What the data of a study of generators are: true events."""

from __future__ import annotations

from html import escape

import numpy as np

from cloudchamber.report import interactions_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.interactions_figures import in_rest_frame
from cloudchamber.report.page import Section, Table
from cloudchamber.simulators.hadronic.events import Events
from cloudchamber.simulators.hadronic.particles import NUCLEUS, PROJECTILES, TARGETS


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
