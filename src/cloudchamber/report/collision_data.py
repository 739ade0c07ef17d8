"""What the data of the emulator of nuclear collisions are, and what events cost: sections of its report."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from cloudchamber.metrics.collision_rows import main_channel
from cloudchamber.report import collision_figures as drawings
from cloudchamber.report.collision_figures import CHANNELS, EventPicture
from cloudchamber.report.collision_run import Found
from cloudchamber.report.collision_score_figures import cost_figure
from cloudchamber.report.collision_tables import MILLISECOND, simulator_time
from cloudchamber.report.figures import picture
from cloudchamber.report.interactions_cost import training_section as curves_section
from cloudchamber.report.interactions_run import Found as Learned
from cloudchamber.report.page import Figure, Section
from cloudchamber.report.words import plus_minus, whole

EVENT = ("b", "fragment_A", "fragment_position", "fragment_momentum", "gas_position")
"""Arrays of an event of the gallery that are drawn."""


def data_section(found: Found) -> Section | None:
    """Events at freeze-out, and one of them as histograms."""
    events = gallery_events(found)
    text = (
        "An event is what Boltzmann-Langevin transport leaves of two nuclei: hot fragments with A, Z, momentum and"
        " excitation energy, and between them the gas, nucleons that are free."
    )
    if events:
        text += (
            " It is drawn as it is before it becomes whole nuclei: fragments have real-valued A, and a nucleon of the"
            " gas is many test particles."
        )
    text += _counted(found)
    figures = []
    if events:
        figures.append(
            picture(
                "events",
                drawings.event_pictures(list(events.values())),
                "Three events of the simulator in the reaction plane, in the frame in which both nuclei together are at"
                " rest; the projectile came from the left, above the target. Grey: test particles of the gas; black:"
                " fragments with their A, as large as nuclei of that A, and arrows along their momentum per nucleon.",
                "Pictures of fragments and gas after a central, a middle and a peripheral collision.",
            )
        )
    maps = _histograms(found, events)
    if maps is not None:
        figures.append(maps)
    if not figures and found.truth is None:
        return None
    return Section("The data", text, tuple(figures))


def gallery_events(found: Found) -> dict[int, EventPicture]:
    """Events that the gallery has, by number.

    Args:
        found: the run.
    """
    events = {}
    for number in range(len(found.gallery)):
        arrays = [found.gallery.get(f"event/{number}/{name}") for name in EVENT]
        known = [np.asarray(one, np.float64) for one in arrays if one is not None]
        if len(known) < len(EVENT):
            break
        b, A, position, momentum, gas = known
        events[number] = EventPicture(float(b.ravel()[0]), A, position, momentum, gas)
    return events


def _counted(found: Found) -> str:
    """How many test events there are, and of what."""
    if found.truth is None or not len(found.truth):
        return ""
    A, Z, A_target, Z_target, energy = main_channel(found.truth)
    of_main = 0 if found.main is None else len(found.main[0])
    return (
        f"\n\nThe test sample has {whole(len(found.truth))} events that no generator has seen; {whole(of_main)} are of"
        f" the main collision, A = {A:g}, Z = {Z:g} on A = {A_target:g}, Z = {Z_target:g} at {energy:g} MeV per"
        f" nucleon, the others have other energies and nuclei. {found.truth.nuclei.mean():.1f} nuclei and nucleons"
        f" leave an event on average, {found.truth.sums(found.truth.A >= 2).mean():.1f} of them are fragments (A ≥ 2)."
    )


def _histograms(found: Found, events: dict[int, EventPicture]) -> Figure | None:
    """The talk's representation of the middle one of the events that have one."""
    numbers = [number for number in events if f"histogram/{number}" in found.gallery]
    if not numbers:
        return None
    number = numbers[len(numbers) // 2]
    histogram = np.asarray(found.gallery[f"histogram/{number}"], np.float64)
    if histogram.ndim != 4 or not histogram.any():
        return None
    return picture(
        "histograms",
        drawings.histogram_maps(histogram),
        f"The event of b = {events[number].b:.1f} fm as the three-channel histogram of the talk: momentum, angle with"
        f" the beam, and distance to the fragment, a channel a large fragment ({'; '.join(CHANNELS)}). A fragment is"
        " 500 A particles at r = 0 whose momenta spread as its excitation energy says. White: fewer than"
        f" {drawings.FAINTEST:g} nucleons. Channels that are empty are left out.",
        "Nine maps of momentum against angle and distance, a row a channel.",
    )


# --- cost -------------------------------------------------------------------------------------------------------------


def cost_section(found: Found) -> Section | None:
    """Seconds of the simulator beside milliseconds of the generators."""
    names = found.metrics.contenders
    milliseconds = {name: one for name, one in found.milliseconds.items() if name in names}
    training = {name: one for name, one in found.fit_seconds.items() if name in names}
    if not milliseconds and not training:
        return None
    simulator = found.simulator_seconds
    words = []
    if len(simulator):
        words.append(f"The simulator takes {simulator_time(found)} an event on one core.")
    for name in [name for name in found.candidates if name in milliseconds]:
        text = f"{found.metrics.title(name)}: {plus_minus(milliseconds[name], math.nan)} ms"
        if len(simulator):
            text += f", {_times(1e3 * float(simulator.mean()) / milliseconds[name])} as fast"
        words.append(f"{text}.")
    drawing = cost_figure(
        simulator, {name: one / 1e3 for name, one in milliseconds.items()}, training, MILLISECOND / 1e3,
        found.metrics.titles, found.metrics.kinds,
    )  # fmt: skip
    figure = picture(
        "cost",
        drawing,
        "Left: time an event; black: events of the simulator, which were timed in the same run, one after the other on"
        " one core; generators made the test sample at once. Dashed: 1 ms. Right: time of training.",
        "Points of the time an event and of training on logarithmic axes, a row a generator.",
    )
    return Section("What an event costs", " ".join(words), (figure,))


def _times(factor: float) -> str:
    return f"{whole(float(f'{factor:.2g}'))} times" if factor >= 10 else f"{factor:.2g} times"


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned, from history.csv.

    Args:
        found: the run.
        run: its directory.
    """
    return curves_section(Learned(found.metrics, {}, ""), run)
