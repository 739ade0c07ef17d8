"""Checks of the transport simulator on simulated events: conservation, symmetry, fluctuations, cross sections, data.

Every function has the form of ``study.Check.run``; checks that need no events of the study are in ``transport_limits``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.measured_fragments import carbon_62mev
from cloudchamber.data.store import Dataset
from cloudchamber.experiments.transport import (
    Nucleus,
    TransportConfig,
    channel_of,
    detected,
    hot_nuclei,
)
from cloudchamber.metrics.criteria import required
from cloudchamber.metrics.fragment_cross_sections import (
    ALL,
    Products,
    agreement,
    angular_distribution,
    cross_section_of,
    energy_spectrum,
    measured_integral,
    simulated_integrals,
)
from cloudchamber.metrics.measured import Measured
from cloudchamber.metrics.rows import Row, row
from cloudchamber.schema import Arrays, BadInput, Learning
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.simulators.transport.reaction_cross_section import kox, tripathi
from cloudchamber.simulators.transport.whole_numbers import available_energy
from cloudchamber.study import CheckResult

LANGEVIN, AVERAGE, MEASURED, KOX, TRIPATHI = "langevin", "average", "measured", "kox", "tripathi"
CENTRAL = 4.0
"""Impact parameter at which the spread of the largest fragment is compared [fm]."""
ENERGIES = (30.0, 95.0, 200.0)
"""Further energies at which the reaction cross section is compared [MeV per nucleon]."""
SWAPS = 4999
"""Random exchanges of forward and backward that make a p value."""
NAN = float("nan")


class ValidationConfig(TransportConfig):
    """Simulated collisions, and how much work goes into each check of them."""

    repetitions: Learning[int] = Field(20, ge=1, description="roundings and decays of each event")
    average_records: Learning[int] = Field(200, ge=2, description="events of the average mode")
    central_records: Learning[int] = Field(60, ge=4, description="events of each mode at one impact parameter")
    energy_records: Learning[int] = Field(60, ge=4, description="events of each further energy")
    freeze_out_records: Learning[int] = Field(20, ge=2, description="events that are read at several times and cuts")
    nuclei: Learning[tuple[Nucleus, ...]] = Field(
        ("He4", "C12", "O16", "Ca40", "Zr90", "Pb208"), min_length=1, description="ground states that must last"
    )
    blocking_nuclei: Learning[int] = Field(10, ge=1, description="carbon nuclei in which blocking is counted")
    box_test_particles: Learning[int] = Field(200, ge=10, description="for each nucleon, in the box")
    cost_events: Learning[int] = Field(2, ge=1, description="events of each timing")


def column(records: Dataset, name: str) -> NDArray[np.float64]:
    """A column of all events that were not refused."""
    kept = np.flatnonzero(records.read(np.arange(len(records)), ["refused"])["refused"] == 0)
    return np.asarray(records.read(kept, [name])[name], np.float64)


def owned_sums(records: Dataset, name: str, counter: str) -> NDArray[np.float64]:
    """Sum over the fragments, or the gas, of each event that was not refused (event, ...)."""
    values, count = column(records, name), column(records, counter).astype(np.int64)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    ends = np.cumsum(count)
    return np.asarray(total[ends] - total[ends - count])


def mean_of(values: NDArray[Any]) -> Measured:
    """Mean and its standard error."""
    n = len(values)
    return Measured(float(values.mean()), float(values.std(ddof=1) / math.sqrt(n)) if n > 1 else NAN, n)


def largest(values: NDArray[Any]) -> Measured:
    """The largest absolute value: what a conservation law is judged by."""
    return Measured(float(np.abs(values).max(initial=0.0)), NAN, len(values))


# --- conservation -----------------------------------------------------------------------------------------------------


def conservation(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Nucleons, charge, momentum and energy from the start to freeze-out; then through rounding and de-excitation."""
    channel = channel_of(config)
    rows: list[Row] = []
    arrays: Arrays = {}
    for subject, events in ((LANGEVIN, records), (AVERAGE, probes["average"])):
        per = config.test_particles
        nucleons = owned_sums(events, "fragment_A", "fragments") + column(events, "gas") / per - channel.nucleons
        charge = owned_sums(events, "fragment_Z", "fragments") + owned_sums(events, "gas_species", "gas") / per
        momentum = (
            owned_sums(events, "fragment_momentum", "fragments") + owned_sums(events, "gas_momentum", "gas") / per
        )
        change = column(events, "energy_change")
        if not len(change):
            raise BadInput(f"every event of the mode {subject!r} was refused: give a smaller time_step")
        refused = len(events) - len(change)
        rows += [
            required(row(subject, "mass_number", "largest_violation", largest(nucleons)), high=1e-6),
            required(row(subject, "charge", "largest_violation", largest(charge - channel.protons)), high=1e-6),
            required(
                row(subject, "momentum", "largest_violation", largest(momentum / channel.nucleons), "MeV/c"), high=1.0
            ),
            required(row(subject, "energy", "mean_change", mean_of(np.abs(change)), "MeV"), high=0.1),
            row(subject, "energy", "largest_change", largest(change), "MeV"),
            row(subject, "energy", "refused_events", Measured(refused / len(events), NAN, len(events))),
        ]
        arrays[f"energy_change/{subject}"] = change
    rows += final_state(config, records, seeds, arrays)
    return CheckResult(rows, arrays)


def final_state(config: ValidationConfig, records: Dataset, seeds: np.random.SeedSequence, arrays: Arrays) -> list[Row]:
    """Of events rounded once: A, Z, energy and momentum, and how much momenta were stretched for it."""
    hot = hot_nuclei(config, records, 1, seeds)
    channel = channel_of(config)
    _, event = np.unique(hot["event"], return_inverse=True)
    mass = mass_or_estimate(hot["Z"], hot["A"]) + hot["excitation"]
    energy = np.sqrt(mass**2 + (hot["momentum"] ** 2).sum(axis=1))
    violations = {
        ("mass_number", ""): np.bincount(event, hot["A"]) - channel.nucleons,
        ("charge", ""): np.bincount(event, hot["Z"]) - channel.protons,
        ("energy", "MeV"): np.bincount(event, energy) - available_energy(channel),
        ("momentum", "MeV/c"): np.stack([np.bincount(event, hot["momentum"][:, i]) for i in range(3)]).ravel(),
    }
    arrays["stretch"] = hot["stretch"]
    return [
        required(row("rounded", target, "largest_violation", largest(values), unit), high=1e-6)
        for (target, unit), values in violations.items()
    ] + [row("rounded", "momenta", "rms_stretch", Measured(float(np.std(hot["stretch"])), NAN, len(hot["stretch"])))]


# --- symmetry ---------------------------------------------------------------------------------------------------------


def symmetry(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Fragments that go forward against those that go backward: a collision of two equal nuclei knows no difference.

    The heaviest fragment on each side of events that have one on both; p values of the difference of the means, from
    SWAPS random exchanges of the sides of each event, which keeps what the two owe to each other. They must be above
    0.002: of the four of a right simulator one falls below in one of 125 runs.
    """
    del probes
    if config.projectile != config.target:
        return CheckResult([])
    rows: list[Row] = []
    arrays: Arrays = {}
    event = np.repeat(np.arange(len(column(records, "fragments"))), column(records, "fragments").astype(int))
    momentum = column(records, "fragment_momentum")
    values = {
        "A": column(records, "fragment_A"),
        "Z": column(records, "fragment_Z"),
        "excitation": column(records, "fragment_excitation"),
        "momentum": np.linalg.norm(momentum, axis=1) / column(records, "fragment_A"),
    }
    heaviest = []
    for forward in (True, False):
        side = np.flatnonzero((momentum[:, 2] > 0) == forward)  # fragments lie heaviest first
        events, first = np.unique(event[side], return_index=True)
        heaviest.append(dict(zip(events.tolist(), side[first].tolist(), strict=True)))
    both = sorted(heaviest[0].keys() & heaviest[1].keys())
    if len(both) < 2:
        return CheckResult([])
    sides = [np.array([found[one] for one in both]) for found in heaviest]
    signs = np.random.default_rng(seeds).choice([-1.0, 1.0], (SWAPS, len(both)))
    units = {"A": "", "Z": "", "excitation": "MeV", "momentum": "MeV/c"}
    for name, value in values.items():
        forward_values, backward_values = value[sides[0]], value[sides[1]]
        each = forward_values - backward_values
        difference = mean_of(each)
        rows.append(
            row(LANGEVIN, name, "forward_minus_backward", difference, units[name])
        )  # fmt: skip
        beyond = np.abs(signs @ each) >= abs(each.sum()) * (1 - 1e-12)
        p = Measured(float((1 + beyond.sum()) / (1 + SWAPS)), NAN, len(both))
        rows.append(required(row(LANGEVIN, name, "p_value", p), low=0.002))
        arrays |= {f"forward/{name}": forward_values, f"backward/{name}": backward_values}
    return CheckResult(rows, arrays)


# --- fluctuations -----------------------------------------------------------------------------------------------------


def spread(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """The largest fragment at one impact parameter: how much it differs from event to event, in both modes."""
    del records
    rng = np.random.default_rng(seeds)
    rows: list[Row] = []
    arrays: Arrays = {}
    deviations = {}
    for subject in (LANGEVIN, AVERAGE):
        events = probes[f"central-{subject}"]
        count = column(events, "fragments").astype(int)
        if len(count) < 2:
            lost = Measured(NAN, NAN, len(count))
            return CheckResult([required(row(LANGEVIN, "largest_fragment", "sd_over_average", lost), low=5.0)])
        first = np.cumsum(count) - count
        heaviest = np.where(count > 0, np.append(column(events, "fragment_A"), 0)[first], 0.0)
        draws = rng.choice(heaviest, (400, len(heaviest))).std(axis=1, ddof=1)
        deviations[subject] = draws
        deviation = Measured(float(heaviest.std(ddof=1)), float(draws.std()), len(heaviest))
        rows += [
            row(subject, "largest_fragment", "mean_A", mean_of(heaviest)),
            row(subject, "largest_fragment", "sd_A", deviation),
            row(subject, "collisions", "mean", mean_of(column(events, "accepted"))),
        ]  # fmt: skip
        arrays |= {f"{subject}/largest": heaviest, f"{subject}/accepted": column(events, "accepted")}
    spreads = deviations[AVERAGE] > 0  # a few events may be drawn all alike
    ratio = deviations[LANGEVIN][spreads] / deviations[AVERAGE][spreads]
    sds = [float(arrays[f"{subject}/largest"].std(ddof=1)) for subject in (LANGEVIN, AVERAGE)]
    value = sds[0] / sds[1] if sds[1] > 0 else NAN
    found = Measured(value, float(ratio.std()) if len(ratio) > 1 else NAN, len(arrays["langevin/largest"]))
    rows.append(required(row(LANGEVIN, "largest_fragment", "sd_over_average", found), low=5.0))
    return CheckResult(rows, arrays)


# --- cross sections ---------------------------------------------------------------------------------------------------


def reaction(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """The reaction cross section at several energies, against Kox et al. and Tripathi et al.

    An event reacts, in one of its roundings, if other nuclei come out than went in.
    """
    rows: list[Row] = []
    arrays: Arrays = {}
    if not config.lowest_impact_parameter == 0 < config.highest_impact_parameter:
        return CheckResult([])  # events that stand for no cross section
    projectile, target = channel_of(config).projectile, channel_of(config).target
    samples = {config.energy: (config, records)}
    for energy in ENERGIES:
        if energy != config.energy:
            samples[energy] = (config.changed({"energy": energy}), probes[f"energy-{energy:g}"])
    for (energy, (settings, events)), own in zip(sorted(samples.items()), seeds.spawn(len(samples)), strict=True):
        products, repetition = detected(settings, events, settings.repetitions, own)
        probability = reaction_probability(products, repetition, (projectile, target))
        found = cross_section_of(products.weight * probability, np.ones(len(probability), bool))
        name = f"at_{energy:g}_MeV"
        rows.append(row(LANGEVIN, name, "reaction_cross_section", found, "mb"))
        for subject, formula in ((KOX, kox), (TRIPATHI, tripathi)):
            expected = formula(projectile, target, energy)
            rows.append(row(subject, name, "reaction_cross_section", Measured(expected, NAN, 1), "mb"))
            ratio = Measured(found.value / expected, found.error / expected, found.n)
            rows.append(row(LANGEVIN, name, f"over_{subject}", ratio))
        impact = np.asarray(events.read(np.arange(len(events)), ["impact_parameter"])["impact_parameter"])
        arrays |= {f"{energy:g}/impact_parameter": impact, f"{energy:g}/probability": probability}
    return CheckResult(rows, arrays)


def reaction_probability(
    products: Products, repetition: NDArray[np.int64], nuclei: tuple[tuple[int, int], tuple[int, int]]
) -> NDArray[np.float64]:
    """Fraction of the roundings of each event in which other nuclei come out than the two that went in.

    Args:
        products: cold, in the laboratory.
        repetition: of each product.
        nuclei: (A, Z) of projectile and target.
    """
    count = len(products.weight) * products.repetitions
    place = products.event * products.repetitions + repetition
    number = np.bincount(place, minlength=count)
    like = np.zeros((2, count))
    for which, (A, Z) in enumerate(nuclei):
        like[which] = np.bincount(place[(products.mass_number == A) & (products.charge == Z)], minlength=count)
    wanted = 2 if nuclei[0] == nuclei[1] else 1
    intact = (number == 2) & (like == wanted).all(axis=0)
    # an event that was refused has no products: it counts as one that did not react
    return np.asarray(((number > 0) & ~intact).reshape(-1, products.repetitions).mean(axis=1))


def measured_data(
    config: ValidationConfig, records: Dataset, probes: Mapping[str, Dataset], seeds: np.random.SeedSequence
) -> CheckResult:
    """Angular distributions and spectra of ten isotopes in 12C + C at 62 MeV per nucleon (De Napoli et al. 2012)."""
    data = carbon_62mev()
    rows: list[Row] = []
    arrays: Arrays = {}
    same_system = channel_of(config) == EntranceChannel(data.projectile, data.target, data.energy)
    if not (same_system and config.lowest_impact_parameter == 0 < config.highest_impact_parameter):
        return CheckResult([])
    settings = {LANGEVIN: config, AVERAGE: config.changed({"mode": AVERAGE})}
    samples = {LANGEVIN: records, AVERAGE: probes["average"]}
    for isotope, measured in data.angular.items():
        rows.append(row(MEASURED, isotope, "cross_section", measured_integral(measured), "mb"))
    for (subject, events), own in zip(samples.items(), seeds.spawn(2), strict=True):
        decays, scored = own.spawn(2)
        rng = np.random.default_rng(scored)
        products, _ = detected(settings[subject], events, config.repetitions, decays)
        integrals = simulated_integrals(products, data.angular, rng)
        compared = agreement(products, data.angular, rng)
        empty = float(compared[ALL].empty)
        for isotope, one in compared.items():
            if isotope != ALL:
                rows.append(row(subject, isotope, "cross_section", integrals[isotope], "mb"))
            rows += [
                row(subject, isotope, "reduced_chi2", one.reduced_chi2),
                row(subject, isotope, "mean_log_ratio", one.log_ratio),
                row(subject, isotope, "mean_abs_log_ratio", one.absolute_log_ratio),
            ]
        # points in which nothing was simulated flatter: the modes are compared with as many events of each
        as_many = agreement(first_events(products, min(map(len, samples.values()))), data.angular, rng)[ALL]
        rows.append(row(subject, ALL, "mean_abs_log_ratio_of_as_many_events", as_many.absolute_log_ratio))
        rows.append(row(subject, ALL, "points_without_products", Measured(empty, NAN, len(events))))
        for isotope, measured in data.angular.items():
            found = angular_distribution(products, measured)
            for name in ("value", "error", "limit"):
                arrays[f"{subject}/angular/{isotope}/{name}"] = getattr(found, name)
        for isotope, angle in data.spectra:
            found = energy_spectrum(products, data.spectra[isotope, angle])
            for name in ("value", "error", "limit"):
                arrays[f"{subject}/spectra/{isotope}/{angle:g}/{name}"] = getattr(found, name)
    return CheckResult(rows, arrays)


def first_events(products: Products, number: int) -> Products:
    """The products of the first events, which then stand for all cross section.

    Args:
        products: of all events.
        number: of events.
    """
    own = products.event < number
    weight = products.weight[:number] * (len(products.weight) / number)
    return Products(
        products.mass_number[own], products.charge[own], products.momentum[own], products.kinetic_energy[own],
        products.event[own], weight, products.repetitions,
    )  # fmt: skip
