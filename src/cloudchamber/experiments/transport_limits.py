"""Checks of the transport simulator that need no events of a study: ground states, box, fluctuations, freeze-out, cost.

Every function has the form of ``study.Check.run``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import psutil
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from cloudchamber.data.store import Dataset
from cloudchamber.experiments.transport import channel_of, dynamics_of, freeze_out_of
from cloudchamber.experiments.transport_checks import AVERAGE, LANGEVIN, NAN, ValidationConfig, mean_of
from cloudchamber.metrics.criteria import required
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row, row
from cloudchamber.schema import Arrays
from cloudchamber.simulators.transport.box import (
    allowed_rate,
    collision_rate,
    collision_rates,
    counted_occupation,
    linear_response,
    standing_wave,
    zero_crossings,
)
from cloudchamber.simulators.transport.box_fluctuations import EVERY, PARTITIONS, occupation_variance
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel, colliding_nuclei, ground_state
from cloudchamber.simulators.transport.equation_of_state import EQUATIONS_OF_STATE
from cloudchamber.simulators.transport.event import simulate_event
from cloudchamber.simulators.transport.evolution import Dynamics, Evolution, Unstable
from cloudchamber.simulators.transport.fragments import fragments
from cloudchamber.simulators.transport.masses import binding_energy, nucleus_of
from cloudchamber.simulators.transport.test_particles import TestParticles, nucleus
from cloudchamber.study import CheckResult

DURATION, READ_EVERY = 200.0, 20.0
"""Of a ground state's life, and between looks at it [fm/c]."""
CUTS = (0.01, 0.015, 0.02, 0.025, 0.03)
"""Densities at which fragments end [fm^-3]."""
EVENTFUL = 0.85
"""Share of the impact parameters at whose events is looked: the largest ones leave the nuclei as they were."""
MOMENTS = (0.6, 0.8, 1.0, 1.2)
"""At which events are read, in units of the freeze-out time."""
CHARGE_RADII = {"He4": 1.6755, "C12": 2.4702, "O16": 2.6991, "Ca40": 3.4776, "Zr90": 4.2694, "Pb208": 5.5012}
"""Measured rms charge radii [fm]: Angeli and Marinova, At. Data Nucl. Data Tables 99 (2013) 69."""


# --- ground states ----------------------------------------------------------------------------------------------------


def at_rest(
    name: str, config: ValidationConfig, dynamics: Dynamics, own_collisions: bool, rng: np.random.Generator
) -> Evolution:
    """A nucleus in its ground state in the middle of a lattice.

    Args:
        name: of the nucleus.
        config: test particles and lattice.
        dynamics: what moves its particles.
        own_collisions: whether its nucleons may try to collide though they are of one nucleus.
        rng: what is random.
    """
    ground = ground_state(nucleus_of(name), dynamics.matter, dynamics.spacing)
    particles = nucleus(ground, config.test_particles, dynamics.spacing, dynamics.matter, rng)
    particles.origin[:] = 0 if own_collisions else 1
    return Evolution(particles, dynamics, int(rng.integers(2**31)))


def rms_radius(particles: TestParticles) -> float:
    """[fm]."""
    return float(np.sqrt((particles.position**2).sum(axis=1).mean()))


def ground_states(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Nuclei alone for 200 fm/c: radius, emission, energy, and collisions that the Pauli principle forbids."""
    del records, probes
    rng = np.random.default_rng(seeds)
    dynamics = dynamics_of(config)
    rows: list[Row] = []
    arrays: Arrays = {}
    for name in config.nuclei:
        A, Z = nucleus_of(name)
        evolution = at_rest(name, config, dynamics, False, rng)
        start, radius, looks = evolution.energy(), rms_radius(evolution.particles), []
        while evolution.time < DURATION:
            evolution.run(READ_EVERY)
            found = fragments(evolution.particles, evolution.lattice, dynamics.matter, config.density_cut)
            emitted = float((found.owner != 0).sum()) / config.test_particles
            bound = evolution.particles.of(found.owner == 0)
            size = rms_radius(bound) if len(bound) else math.inf  # nothing is left of it
            looks.append((evolution.time, size, emitted, (evolution.energy() - start) / A))
        times, radii, gone, change = np.array(looks).T
        worst = radii[np.argmax(np.abs(radii / radius - 1))] / radius - 1
        rows += [
            required(row(LANGEVIN, name, "largest_change_of_rms_radius", Measured(float(worst), NAN, 1)), -0.05, 0.05),
            required(row(LANGEVIN, name, "emitted_share", Measured(float(gone[-1]) / A, NAN, 1)), high=0.005),
            required(row(LANGEVIN, name, "energy_change", Measured(float(abs(change[-1])), NAN, 1), "MeV"), high=0.1),
            row(LANGEVIN, name, "binding_energy", Measured(-start / A, NAN, 1), "MeV"),
            row("measured", name, "binding_energy", Measured(float(binding_energy(Z, A)) / A, NAN, 1), "MeV"),
        ]
        if name in CHARGE_RADII:
            # the field sees protons folded with the form factor: 3 axes of l^2 / 3
            own = ground_state((A, Z), dynamics.matter, dynamics.spacing)
            weight = own.density[1] * own.radius**2
            proton = float((weight * own.radius**2).sum() / weight.sum()) + dynamics.spacing**2
            rows += [
                row(LANGEVIN, name, "rms_charge_radius", Measured(math.sqrt(proton), NAN, 1), "fm"),
                row("measured", name, "rms_charge_radius", Measured(CHARGE_RADII[name], NAN, 1), "fm"),
            ]
        arrays |= {f"{name}/time": times, f"{name}/radius": radii / radius, f"{name}/emitted": gone / A}
    return CheckResult(rows + blocked_collisions(config, rng), arrays)


def blocked_collisions(config: ValidationConfig, rng: np.random.Generator) -> list[Row]:
    """Accepted over attempted collisions in carbon at rest, without the rule for nucleons of one nucleus."""
    rows = []
    for mode in (LANGEVIN, AVERAGE):
        dynamics = dynamics_of(config.changed({"mode": mode}))
        # an average nucleus has as many collisions as test particles: one tells as much as many langevin ones
        number = config.blocking_nuclei if mode == LANGEVIN else 1
        attempted = accepted = 0.0
        for _ in range(number):
            evolution = at_rest("C12", config, dynamics, True, rng)
            evolution.run(DURATION)
            attempted += evolution.attempted
            accepted += evolution.accepted
        # packets of nucleons are accepted one by one; in the average mode a nucleon's collision is N_test of them
        counted = accepted if mode == LANGEVIN else accepted * config.test_particles
        error = accepted / attempted / math.sqrt(max(counted, 1.0))
        share = Measured(accepted / attempted, error, round(attempted))
        rows.append(required(row(mode, "C12", "accepted_of_forbidden_collisions", share), high=0.01))
    return rows


# --- in a box ---------------------------------------------------------------------------------------------------------

GASES = 20
"""Fermi gases of which each collides once, twice as many in the langevin mode: rates to half a per cent."""
TEMPERATURES = (0.0, 5.0)
"""MeV, of the comparison of transport codes."""


def box_collisions(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Collision rates in a periodic box against analytic ones, without blocking and with it."""
    del records, probes
    rows: list[Row] = []
    draws = iter(seeds.generate_state(100))
    for temperature in TEMPERATURES:
        name = f"T_{temperature:g}_MeV"
        expected, ideal = collision_rate(temperature), allowed_rate(temperature)
        for subject in (AVERAGE, LANGEVIN):
            # as many collisions in the langevin mode need as many times more gases as there are test particles
            gases, step = (GASES, 0.5) if subject == AVERAGE else (2 * GASES, 4.0)
            number = config.box_test_particles
            free = collision_rates(temperature, number, subject == LANGEVIN, False, gases, int(next(draws)), step)
            ratio = Measured(free.attempted / expected, free.attempted_error / expected, gases)
            if subject == AVERAGE:
                rows.append(required(row(subject, name, "unblocked_over_analytic", ratio), 0.99, 1.01))
            else:
                rows.append(row(subject, name, "unblocked_over_analytic", ratio))
            blocked = collision_rates(temperature, number, subject == LANGEVIN, True, gases, int(next(draws)), step)
            rows.append(
                row(subject, name, "allowed", Measured(blocked.accepted, blocked.accepted_error, gases), "c/fm")
            )
        rows.append(row("analytic", name, "unblocked", Measured(expected, NAN, 1), "c/fm"))
        rows.append(row("analytic", name, "allowed", Measured(ideal, NAN, 1), "c/fm"))
    arrays: Arrays = {}
    for name, values in counted_occupation(5.0, config.test_particles, int(next(draws))).items():
        arrays[f"occupation/{name}"] = values
    return CheckResult(rows, arrays)


def box_wave(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Zeros of a standing wave in the mean field against linear response, for every equation of state."""
    del records, probes
    rows: list[Row] = []
    arrays: Arrays = {}
    for (name, matter), seed in zip(EQUATIONS_OF_STATE.items(), seeds.generate_state(10), strict=False):
        wave = standing_wave(matter, config.box_test_particles, 0.1, 85.0, int(seed))
        response = linear_response(matter, wave.time)
        for number, (found, expected) in enumerate(
            zip(wave.zeros(), zero_crossings(wave.time, response), strict=False), start=1
        ):
            ratio = Measured(float(found / expected), NAN, 1)
            rows.append(required(row(LANGEVIN, name, f"zero_{number}_over_linear_response", ratio), 0.97, 1.03))
            rows.append(row("analytic", name, f"zero_{number}", Measured(float(expected), NAN, 1), "fm/c"))
        arrays |= {f"{name}/time": wave.time, f"{name}/simulated": wave.amplitude, f"{name}/linear_response": response}
    return CheckResult(rows, arrays)


CELLS = {
    PARTITIONS[0]: "h^3_(5_fm_x_248_MeV/c)",
    PARTITIONS[3]: "64_h^3_(20_fm_x_248_MeV/c)",
    PARTITIONS[6]: "octants_of_momentum",
}
"""Of those in which fluctuations are measured, what the table shows."""
HOT, WARM_UP, ENOUGH = 15.0, 60.0, 160.0
"""Of the box whose fluctuations are measured: temperature [MeV], when counting begins and ends [fm/c]: a nucleon
has then collided ten times."""
COUNTS = round((ENOUGH - WARM_UP) / EVERY) + 1


def occupation(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Variance of the occupation over f (1 - f), in cells of h^3 and in larger ones, in both modes."""
    del records, probes
    rows: list[Row] = []
    arrays: Arrays = {}
    for subject, seed in zip((LANGEVIN, AVERAGE), seeds.generate_state(2), strict=True):
        number = config.test_particles if subject == LANGEVIN else config.box_test_particles
        found = occupation_variance(subject == LANGEVIN, number, HOT, WARM_UP, ENOUGH, int(seed))
        for place, (cell, name) in enumerate(CELLS.items()):
            which = found.partitions.index(cell)
            ratio = Measured(float(found.ratio[which]), float(found.ratio_error[which]), COUNTS)
            if subject == LANGEVIN:
                rows.append(required(row(subject, name, "variance_over_f(1-f)", ratio), 0.5, 1.2))
                rows.append(
                    row(subject, name, "share_of_a_packet_in_a_cell", Measured(float(found.kept[which]), NAN, 1))
                )
            else:
                scaled = Measured(number * ratio.value, number * ratio.error, ratio.n)
                low, high = (0.5, 2.0) if place == 0 else (None, None)
                own = row(subject, name, "variance_over_f(1-f)_times_N_test", scaled)
                rows.append(own if low is None else required(own, low, high))
        arrays |= {
            f"{subject}/ratio": found.ratio,
            f"{subject}/ratio_error": found.ratio_error,
            f"{subject}/kept": found.kept,
        }
        arrays |= {f"{subject}/occupation": found.occupation, f"{subject}/equilibrium": found.equilibrium}
        arrays |= {"momentum": (found.momentum[1:] + found.momentum[:-1]) / 2}
        beyond, error, share = found.overfilling()
        rows.append(row(subject, "box", "largest_occupation_above_1", Measured(beyond, error, COUNTS)))
        rows.append(row(subject, "box", "share_of_nucleons_above_1", Measured(share, NAN, COUNTS)))
    return CheckResult(rows, arrays)


# --- freeze-out -------------------------------------------------------------------------------------------------------


def freeze_out(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """The same events read at several times and density cuts: what either does to the largest fragment."""
    del records, probes
    channel, dynamics = channel_of(config), dynamics_of(config)
    low, high = config.lowest_impact_parameter, config.highest_impact_parameter
    impact = np.linspace(low, low + EVENTFUL * (high - low), config.freeze_out_records)
    largest = np.zeros((len(impact), len(MOMENTS), len(CUTS)))
    number, excitation = np.zeros_like(largest), np.zeros_like(largest)
    for event, (b, own) in enumerate(zip(impact, seeds.spawn(len(impact)), strict=True)):
        rng = np.random.default_rng(own)
        particles = colliding_nuclei(channel, float(b), config.test_particles, dynamics.spacing, dynamics.matter, rng)
        evolution = Evolution(particles, dynamics, int(rng.integers(2**31)))
        for when, moment in enumerate(MOMENTS):
            evolution.run(moment * config.freeze_out_time - evolution.time)
            for which, cut in enumerate(CUTS):
                found = fragments(particles, evolution.lattice, dynamics.matter, cut)
                number[event, when, which] = len(found.A)
                if len(found.A):
                    largest[event, when, which] = found.A[0]
                    excitation[event, when, which] = found.excitation[0]
    usual = int(np.argmin(np.abs(np.array(CUTS) - config.density_cut)))
    before, after, later = (MOMENTS.index(moment) for moment in (0.8, 1.0, 1.2))
    rows = [
        required(
            row(LANGEVIN, "largest_fragment", "loss_before_freeze_out",
                mean_of(largest[:, before, usual] - largest[:, after, usual])), -0.3, 0.3,
        ),
    ]  # fmt: skip
    for name, values, unit in (
        ("largest_fragment", largest, ""), ("number_of_fragments", number, ""), ("excitation", excitation, "MeV"),
    ):  # fmt: skip
        across = values[:, after, -1] - values[:, after, 0]
        late = values[:, later, usual] - values[:, after, usual]
        rows.append(row(LANGEVIN, name, "difference_of_cuts_0.03_and_0.01", mean_of(across), unit))
        rows.append(row(LANGEVIN, name, "difference_of_reading_later", mean_of(late), unit))
    arrays: Arrays = {
        "impact_parameter": impact,
        "time": config.freeze_out_time * np.array(MOMENTS),
        "density_cut": np.array(CUTS),
    }
    return CheckResult(rows, arrays | {"largest": largest, "number": number, "excitation": excitation})


# --- cost -------------------------------------------------------------------------------------------------------------


def cost(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Processor seconds of an event on one core, and memory, against test particles, mass and time."""
    del records, probes
    own = iter(seeds.spawn(1000))
    standard = channel_of(config)

    def seconds(channel: EntranceChannel, change: Mapping[str, object]) -> NDArray[np.float64]:
        settings = config.changed(change)
        found = []
        for _ in range(config.cost_events):
            with threadpool_limits(1):  # threads of linear algebra that wait count as processor time
                start = time.process_time()
                try:
                    simulate_event(
                        channel, 4.0, settings.test_particles, dynamics_of(settings), freeze_out_of(settings), next(own)
                    )
                except Unstable:  # its time says nothing, and a criterion is not met
                    found.append(NAN)
                    continue
                found.append(time.process_time() - start)
        return np.array(found)

    seconds(standard, {"freeze_out_time": 8.0})  # compiles
    usual = {mode: seconds(standard, {"mode": mode}) for mode in (LANGEVIN, AVERAGE)}
    with ProcessPoolExecutor(1, get_context("spawn")) as worker:  # a process that has done nothing else
        memory = worker.submit(event_memory, config, next(own)).result()
    rows = [
        required(row(LANGEVIN, "event", "processor_time", mean_of(usual[LANGEVIN]), "s"), high=5.0),
        row(AVERAGE, "event", "processor_time", mean_of(usual[AVERAGE]), "s"),
        required(row(LANGEVIN, "process", "memory", Measured(memory, NAN, 1), "MB"), high=500.0),
    ]
    arrays: Arrays = {}
    for name, factors in (("test_particles", (0.2, 0.4, 1, 2)), ("freeze_out_time", (0.25, 0.5, 1))):
        usual_value = getattr(config, name)
        values = [min(max(20, type(usual_value)(usual_value * factor)), 10_000) for factor in factors]
        times = [float(seconds(standard, {name: value}).mean()) for value in values]
        arrays |= {f"{name}/value": np.array(values, float), f"{name}/seconds": np.array(times)}
    systems = [((4, 2), (4, 2)), ((12, 6), (12, 6)), ((16, 8), (16, 8)), ((40, 20), (40, 20)), ((90, 40), (90, 40))]
    times = [float(seconds(EntranceChannel(*both, config.energy), {}).mean()) for both in systems]
    nucleons = [sum(A for A, _ in both) for both in systems]
    arrays |= {"nucleons/value": np.array(nucleons, float), "nucleons/seconds": np.array(times)}
    return CheckResult(rows, arrays)


def event_memory(config: ValidationConfig, seeds: np.random.SeedSequence) -> float:
    """Memory of a process that simulates an event [MB]."""
    channel, dynamics, rng = channel_of(config), dynamics_of(config), np.random.default_rng(seeds)
    particles = colliding_nuclei(channel, 4.0, config.test_particles, dynamics.spacing, dynamics.matter, rng)
    evolution = Evolution(particles, dynamics, 1)
    evolution.run(config.freeze_out_time)
    fragments(particles, evolution.lattice, dynamics.matter, config.density_cut)
    return float(psutil.Process().memory_info().rss) / 1e6
