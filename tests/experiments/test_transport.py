"""Collisions of nuclei as an experiment: settings, columns of events, whole nuclei, what is seen in the laboratory."""

from __future__ import annotations

import math

import numpy as np
import pytest

from cloudchamber.data.columns import checked_columns
from cloudchamber.data.samples import ArrayRecords
from cloudchamber.experiments import transport
from cloudchamber.experiments.transport import (
    LENGTHS,
    SCHEMA,
    TransportConfig,
    channel_of,
    columns,
    detected,
    dynamics_of,
    freeze_out_of,
    hot_nuclei,
    simulate,
)
from cloudchamber.metrics.collision_isotopes import in_the_laboratory
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.de_excitation import de_excite
from cloudchamber.simulators.transport.equation_of_state import equation_of_state
from cloudchamber.simulators.transport.event import Event
from cloudchamber.simulators.transport.evolution import Unstable
from cloudchamber.simulators.transport.fragments import Fragments
from cloudchamber.simulators.transport.levels import WITH_RESONANCES
from cloudchamber.simulators.transport.masses import mass_or_estimate, nuclear_mass
from cloudchamber.simulators.transport.nucleon_nucleon import KINDS

CONFIG = TransportConfig(test_particles=20, freeze_out_time=24.0)
CHANNEL = channel_of(CONFIG)
CARBON = float(nuclear_mass(6, 12))
BEAM = math.sqrt((CARBON + 12 * CONFIG.energy) ** 2 - CARBON**2)
"""Momentum of the projectile in the laboratory [MeV/c]."""
OF = {name: array.of for name, array in SCHEMA.items() if array.of is not None}


def seeds(number: int = 1) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def made_up(
    A: list[float], Z: list[float], momentum: list[list[float]], excitation: float = 0.0, per_nucleon: int = 20
) -> Event:
    """Fragments as they are given, and cool gas that balances nucleons, charge and momentum of two carbon nuclei."""
    n, protons = round((24 - sum(A)) * per_nucleon), round((12 - sum(Z)) * per_nucleon)
    gas = np.random.default_rng(1).normal(0, 80, (n, 3))
    p = np.array(momentum)
    if n:
        gas -= gas.mean(axis=0) + p.sum(axis=0) * per_nucleon / n
    size = len(A)
    fragments = Fragments(
        np.array(A), np.array(Z), np.zeros((size, 3)), p, np.full(size, excitation), np.zeros((size, 3)),
        np.zeros(0, np.int64),
    )  # fmt: skip
    return Event(fragments, gas / 10, gas, (np.arange(n) < protons).astype(np.int8), 0.01, 2.0, 1.0)


def records_of(events: list[Event | None], impact: list[float]) -> ArrayRecords:
    """Events as they are read from disk."""
    return ArrayRecords(checked_columns(columns(CHANNEL, np.array(impact), events), SCHEMA, LENGTHS, len(events)), OF)


def elastic(angle: float = 0.0, excitation: float = 0.0) -> Event:
    """Two carbon nuclei, the projectile turned by an angle in the common frame."""
    p = CHANNEL.momentum * np.array([math.sin(angle), 0.0, math.cos(angle)])
    return made_up([12.0, 12.0], [6.0, 6.0], [p.tolist(), (-p).tolist()], excitation)


def broken() -> Event:
    """Hot fragments that are no whole numbers, with gas."""
    return made_up(
        [9.35, 6.9, 2.2], [4.7, 3.25, 1.0], [[90.0, 0.0, 1500.0], [30.0, -60.0, -1100.0], [0.0, 50.0, -100.0]], 25.0
    )


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("projectile", "C99", "projectile = 'C99': AME2020 lists no nucleus C99; did you mean 'C9'?"),
        ("projectile", "Cx12", "no element has the symbol 'Cx' of 'Cx12'; did you mean 'C'?"),
        ("projectile", "C5", "'C5' has A = 5 below Z = 6 of C; give the mass number, such as C12"),
        ("target", "carbon", "'carbon' is no nucleus; give the element's symbol and the mass number"),
        ("target", "He3", "target = 'He3': He3 is no matter in a mean field: give a nucleus from He4 on"),
        ("target", "H1", "target = 'H1': H1 is no matter in a mean field: give a nucleus from He4 on"),
        ("energy", 9.9, "energy = 9.9: Input should be greater than or equal to 10"),
        ("energy", 201, "energy = 201: Input should be less than or equal to 200"),
        ("energy", "nan", "energy = 'nan': Input should be a finite number"),
        ("energy", "fast", "energy = 'fast': Input should be a valid number"),
        ("lowest_impact_parameter", -1, "lowest_impact_parameter = -1: Input should be greater than or equal to 0"),
        ("lowest_impact_parameter", 9, "lowest_impact_parameter 9 fm is above highest_impact_parameter 8 fm"),
        ("highest_impact_parameter", 50, "impact parameter 50 fm: need 0 to 11.5 fm, at which these nuclei start"),
        ("highest_impact_parameter", "inf", "highest_impact_parameter = 'inf': Input should be a finite number"),
        ("mode", "langvin", "mode = 'langvin': unknown; did you mean 'langevin'?"),
        ("mean_field", "sft", "mean_field = 'sft': unknown; did you mean 'soft'?"),
        ("cross_section", "cap", "cross_section = 'cap': unknown; did you mean 'capped'?"),
        ("test_particles", 5, "test_particles = 5: Input should be greater than or equal to 20"),
        ("time_step", 0, "time_step = 0: Input should be greater than 0"),
        ("freeze_out_time", -3, "freeze_out_time = -3: Input should be greater than 0"),
        ("density_cut", 0.2, "density_cut = 0.2: Input should be less than 0.16"),
        ("lattice_spacing", 0.2, "lattice_spacing = 0.2: Input should be greater than 0.3"),
        ("energy_tolerance", 0, "energy_tolerance = 0: Input should be greater than 0"),
        ("projectil", "C12", "unknown setting 'projectil'; did you mean 'projectile'?"),
    ],
)
def test_a_setting_that_cannot_be_is_one_clear_line(key: str, value: object, says: str) -> None:
    with pytest.raises(BadInput) as refusal:
        CONFIG.changed({key: value})
    assert says in str(refusal.value)
    assert len(str(refusal.value)) < 150


def test_how_far_impact_parameters_go_depends_on_the_nuclei() -> None:
    lead = CONFIG.changed({"target": "Pb208", "highest_impact_parameter": 13})
    assert channel_of(lead).target == (208, 82)
    with pytest.raises(BadInput, match=r"impact parameter 13 fm: need 0 to 11\.5 fm"):
        lead.changed({"target": "C12"})


def test_settings_become_what_the_simulator_is_told() -> None:
    config = CONFIG.changed({
        "projectile": "16O", "target": "Ca40", "energy": 95, "mode": "average", "mean_field": "comparison",
        "cross_section": "screened", "lattice_spacing": 0.9, "time_step": 0.25, "density_cut": 0.03,
        "energy_tolerance": 0.2, "freeze_out_time": 150,
    })  # fmt: skip
    channel, dynamics, freeze_out = channel_of(config), dynamics_of(config), freeze_out_of(config)
    assert (channel.projectile, channel.target, channel.energy) == ((16, 8), (40, 20), 95.0)
    assert (dynamics.matter, dynamics.kind) == (equation_of_state("comparison"), KINDS["screened"])
    assert (dynamics.langevin, dynamics.spacing, dynamics.time_step, dynamics.collisions) == (False, 0.9, 0.25, True)
    assert (freeze_out.time, freeze_out.density_cut, freeze_out.energy_tolerance) == (150.0, 0.03, 0.2)
    assert dynamics_of(CONFIG).langevin


# --- columns ----------------------------------------------------------------------------------------------------------


def test_events_that_change_their_energy_are_refused_and_no_others() -> None:
    patient = CONFIG.changed({"energy_tolerance": 100})
    all_kept = simulate(patient, 0, 5, seeds())
    assert not all_kept["refused"].any()
    changes = np.abs(all_kept["energy_change"])
    strict = CONFIG.changed({"energy_tolerance": float(np.median(changes))})
    found = simulate(strict, 0, 5, seeds())
    refused = changes > np.median(changes)
    assert refused.sum() == 2
    np.testing.assert_array_equal(found["refused"], refused)
    for name in ("fragments", "gas", "attempted", "accepted", "energy_change"):
        np.testing.assert_array_equal(found[name], np.where(refused, 0, all_kept[name]), err_msg=name)
    # what they owned is gone, and the rows of the others have stayed in their order
    for name, counter in OF.items():
        rows = np.repeat(~refused, all_kept[counter])
        np.testing.assert_array_equal(found[name], all_kept[name][rows], err_msg=name)
    np.testing.assert_array_equal(found["impact_parameter"], all_kept["impact_parameter"])


def test_columns_have_the_types_of_the_schema_and_hold_all_nucleons() -> None:
    found = checked_columns(simulate(CONFIG, 0, 3, seeds()), SCHEMA, LENGTHS, 3)
    assert {name: str(values.dtype) for name, values in found.items()} == {n: a.dtype for n, a in SCHEMA.items()}
    assert found["projectile"].tolist() == found["target"].tolist() == [[12, 6]] * 3
    assert found["energy"].tolist() == [62.0] * 3
    assert ((found["impact_parameter"] >= 0) & (found["impact_parameter"] <= 8)).all()
    records = ArrayRecords(found, OF)
    for event in range(3):
        one = records.read(np.array([event]))
        assert one["fragment_A"].sum() + one["gas"][0] / 20 == pytest.approx(24, abs=1e-9)
        assert one["fragment_Z"].sum() + one["gas_species"].sum() / 20 == pytest.approx(12, abs=1e-9)
        assert (np.diff(one["fragment_A"]) <= 0).all(), "fragments lie heaviest first"


def test_one_seed_gives_the_same_bytes_and_another_others() -> None:
    one, again, other = (simulate(CONFIG, 0, 2, seeds(number)) for number in (3, 3, 4))
    assert one.keys() == SCHEMA.keys()
    for name in SCHEMA:
        assert one[name].tobytes() == again[name].tobytes(), name
    assert one["impact_parameter"].tolist() != other["impact_parameter"].tolist()
    assert one["gas_momentum"].tobytes() != other["gas_momentum"].tobytes()


def test_impact_parameters_fill_their_interval_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def stand_in(*given: object) -> Event:
        seen.append(given[1])
        return elastic()

    monkeypatch.setattr(transport, "simulate_event", stand_in)
    narrow = CONFIG.changed({"lowest_impact_parameter": 2, "highest_impact_parameter": 6})
    drawn = simulate(narrow, 0, 400, seeds())["impact_parameter"]
    assert drawn.tolist() == seen
    # uniform between 2 and 6: quarters of 400 have 100 each, within four standard deviations of 8.7
    assert (np.abs(np.histogram(drawn, np.linspace(2, 6, 5))[0] - 100) < 35).all()
    fixed = narrow.changed({"lowest_impact_parameter": 6})
    assert simulate(fixed, 0, 3, seeds())["impact_parameter"].tolist() == [6.0] * 3


def test_an_event_that_becomes_infinite_takes_no_other_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = transport.simulate_event
    own = [one.generate_state(1)[0] for one in seeds().spawn(4)[1:]]

    def second_fails(*given: object) -> Event:
        if given[-1].generate_state(1)[0] == own[1]:  # type: ignore[attr-defined]
            raise Unstable("momenta are not finite at 12 fm/c")
        return real(*given)  # type: ignore[arg-type]

    whole = simulate(CONFIG, 0, 3, seeds())
    monkeypatch.setattr(transport, "simulate_event", second_fails)
    found = simulate(CONFIG, 0, 3, seeds())
    assert found["refused"].tolist() == [False, True, False]
    assert found["fragments"].tolist() == [whole["fragments"][0], 0, whole["fragments"][2]]
    checked_columns(found, SCHEMA, LENGTHS, 3)


def test_a_coarse_time_step_refuses_events_and_says_what_to_do() -> None:
    coarse = CONFIG.changed({"time_step": 10, "freeze_out_time": 80})
    found = checked_columns(simulate(coarse, 0, 2, seeds()), SCHEMA, LENGTHS, 2)
    assert found["refused"].tolist() == [1, 1]
    assert found["fragment_A"].shape == (0,)
    assert found["fragment_momentum"].shape == found["gas_momentum"].shape == (0, 3)
    with pytest.raises(BadInput, match=r"^every event was refused: give a smaller time_step$"):
        hot_nuclei(coarse, ArrayRecords(found, OF), 1, seeds())


def test_rows_of_the_event_behind_a_refused_one_are_its_own() -> None:
    records = records_of([elastic(), None, broken()], [8.0, 4.0, 2.0])
    assert records.read(np.array([1]))["fragment_A"].shape == (0,)
    one = records.read(np.array([2]))
    assert one["fragment_A"].tolist() == [9.35, 6.9, 2.2]
    assert len(one["gas_momentum"]) == one["gas"][0] == round((24 - 9.35 - 6.9 - 2.2) * 20)


# --- whole nuclei -----------------------------------------------------------------------------------------------------


def test_two_nuclei_that_only_missed_each_other_stay_what_they_are() -> None:
    found = hot_nuclei(CONFIG, records_of([elastic()], [8.0]), 3, seeds())
    assert found["A"].tolist() == [12] * 6
    assert found["Z"].tolist() == [6] * 6
    assert found["excitation"].tolist() == [0.0] * 6
    assert found["repetition"].tolist() == [0, 0, 1, 1, 2, 2]
    # the simulator's nuclei have the mass of their nucleons: 1 % more than measured, and so has their momentum
    np.testing.assert_allclose(found["stretch"], 1, atol=0.02)
    invariant = math.sqrt(2 * CARBON * (2 * CARBON + 12 * CONFIG.energy))
    np.testing.assert_allclose(found["momentum"][::2, 2], math.sqrt(invariant**2 / 4 - CARBON**2), rtol=1e-9)


def test_roundings_belong_to_their_events_and_refused_ones_give_nothing() -> None:
    found = hot_nuclei(CONFIG, records_of([broken(), None, elastic()], [2.0, 4.0, 8.0]), 4, seeds())
    assert len(found["stretch"]) == 8
    assert set(found["event"].tolist()) == {0, 2}
    for event in (0, 2):
        for repetition in range(4):
            one = (found["event"] == event) & (found["repetition"] == repetition)
            assert (found["A"][one].sum(), found["Z"][one].sum()) == (24, 12)
            np.testing.assert_allclose(found["momentum"][one].sum(axis=0), 0, atol=1e-8)
    own = found["event"] == 0
    sizes = {tuple(found["A"][own & (found["repetition"] == k)].tolist()) for k in range(4)}
    assert len(sizes) > 1, "every rounding of an event is the same"


# --- the laboratory ---------------------------------------------------------------------------------------------------


def test_a_projectile_that_missed_has_the_momentum_of_the_beam() -> None:
    products, repetition = detected(CONFIG, records_of([elastic(), elastic()], [7.0, 8.0]), 1, seeds())
    assert products.mass_number.tolist() == [12] * 4
    assert products.event.tolist() == [0, 0, 1, 1]
    assert repetition.tolist() == [0] * 4
    np.testing.assert_allclose(products.momentum[::2], [[0, 0, BEAM]] * 2, atol=1e-6)
    np.testing.assert_allclose(products.momentum[1::2], 0, atol=1e-6)
    np.testing.assert_allclose(products.kinetic_energy, [744, 0, 744, 0], atol=1e-6)


def test_elastic_scattering_opens_the_angle_of_equal_masses() -> None:
    products, _ = detected(CONFIG, records_of([elastic(0.6), elastic()], [4.0, 8.0]), 1, seeds())
    one, other = products.momentum[:2]
    np.testing.assert_allclose(one + other, [0, 0, BEAM], atol=1e-6)
    # relativistic, equal masses: tan(a) tan(b) = 2 / (gamma + 1) in the laboratory, gamma of the beam
    opening = one[0] / one[2] * -other[0] / other[2]
    assert opening == pytest.approx(2 / (2 + 12 * CONFIG.energy / CARBON), rel=1e-9)


def test_four_momentum_lives_through_decay_with_its_photons() -> None:
    # carbon of 5 MeV is below its threshold for particles, of 7.3 MeV: it shines
    records, repetitions = records_of([broken(), elastic(0.2, 5.0)], [2.0, 8.0]), 3
    products, repetition = detected(CONFIG, records, repetitions, seeds(5))
    rounded, decayed = seeds(5).spawn(2)
    hot = hot_nuclei(CONFIG, records, repetitions, rounded)
    cold = de_excite(
        hot["A"], hot["Z"], hot["momentum"], hot["excitation"], int(decayed.generate_state(1)[0]),
        levels=WITH_RESONANCES,
    )  # fmt: skip
    photon = cold.A == 0
    # the boost written out again: gamma (E + beta p_z)
    beta = BEAM / (2 * CARBON + 12 * CONFIG.energy)
    gamma = 1 / math.sqrt(1 - beta**2)
    light = gamma * (cold.energy + beta * cold.momentum[:, 2])[photon]
    along = gamma * (cold.momentum[:, 2] + beta * cold.energy)[photon]
    for event in (0, 1):
        for number in range(repetitions):
            own = (products.event == event) & (repetition == number)
            shines = ((hot["event"] == event) & (hot["repetition"] == number))[cold.parent[photon]]
            assert (products.mass_number[own].sum(), products.charge[own].sum()) == (24, 12)
            rest = mass_or_estimate(products.charge[own], products.mass_number[own])
            energy = (products.kinetic_energy[own] + rest).sum() + light[shines].sum()
            assert energy == pytest.approx(2 * CARBON + 12 * CONFIG.energy, abs=1e-6)
            across = products.momentum[own, :2].sum(axis=0) + cold.momentum[photon][shines, :2].sum(axis=0)
            np.testing.assert_allclose(across, 0, atol=1e-6)
            assert products.momentum[own, 2].sum() + along[shines].sum() == pytest.approx(BEAM, abs=1e-6)
    assert photon.any(), "no photon was among them: the test says less than it should"
    assert len(products.charge) > len(hot["A"]), "nothing has decayed"


def test_a_boost_keeps_masses_and_what_is_across_the_beam() -> None:
    rng = np.random.default_rng(2)
    momentum, mass = rng.normal(0, 500, (20, 3)), rng.uniform(900, 9000, 20)
    before = momentum.copy()
    energy = np.sqrt(mass**2 + (momentum**2).sum(axis=1))
    moved = in_the_laboratory(CHANNEL, momentum, energy)
    np.testing.assert_array_equal(momentum, before)
    np.testing.assert_array_equal(moved[:, :2], momentum[:, :2])
    rapidity = np.arcsinh(moved[:, 2] / np.hypot(mass, np.hypot(moved[:, 0], moved[:, 1])))
    own = np.arctanh(momentum[:, 2] / energy)
    np.testing.assert_allclose(rapidity - own, math.atanh(CHANNEL.boost), rtol=1e-9)


def test_events_stand_for_the_ring_of_their_impact_parameter() -> None:
    records = records_of([elastic(), None, elastic()], [2.0, 4.0, 6.0])
    products, _ = detected(CONFIG, records, 2, seeds())
    assert products.repetitions == 2
    assert set(products.event.tolist()) == {0, 2}
    # 2 pi b (b_max - b_min) / N, 10 mb = 1 fm^2; the refused event keeps its weight and has no products
    np.testing.assert_allclose(products.weight, 10 * 2 * np.pi * np.array([2, 4, 6]) * 8 / 3)
    fixed = CONFIG.changed({"lowest_impact_parameter": 4, "highest_impact_parameter": 4})
    one, _ = detected(fixed, records_of([elastic()] * 4, [4.0] * 4), 1, seeds())
    assert one.weight.tolist() == [0.25] * 4


def test_one_seed_is_one_set_of_products() -> None:
    records = records_of([broken(), broken()], [2.0, 3.0])
    one, again, other = (detected(CONFIG, records, 2, seeds(number))[0] for number in (1, 1, 2))
    np.testing.assert_array_equal(one.momentum, again.momentum)
    np.testing.assert_array_equal(one.mass_number, again.mass_number)
    assert one.momentum.tobytes() != other.momentum.tobytes()
