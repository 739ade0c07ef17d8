"""Records of several nuclei at several energies: which are where, how more begin with fewer, what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from cloudchamber.experiments.transport import SCHEMA
from cloudchamber.experiments.transport_mixture import MixtureConfig, channel_of_record, channels_of, simulate
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.evolution import Unstable

SMALL = MixtureConfig(
    test_particles=20, freeze_out_time=10.0, share=3, energies=(45.0, 95.0), systems=("He4+C12", "C12+O16")
)
CARBON, OXYGEN, HELIUM = (12, 6), (16, 8), (4, 2)


def test_each_cycle_has_its_shares_and_other_nuclei_go_through_the_energies() -> None:
    first = [channel_of_record(SMALL, number) for number in range(7)]
    main = EntranceChannel(CARBON, CARBON, 62.0)
    assert first[:3] == [main] * 3
    assert [one.energy for one in first[3:5]] == [45.0, 95.0]
    assert first[5:] == [EntranceChannel(HELIUM, CARBON, 45.0), EntranceChannel(CARBON, OXYGEN, 45.0)]
    later = [channel_of_record(SMALL, 7 * cycle + 6).energy for cycle in range(4)]
    assert later == [45.0, 62.0, 95.0, 45.0]
    assert len(channels_of(SMALL)) == 3 + 2 * 3


def test_simulated_records_have_the_channels_of_their_numbers() -> None:
    arrays = simulate(SMALL, 4, 3, np.random.SeedSequence(1))
    assert arrays.keys() == SCHEMA.keys()
    assert arrays["energy"].tolist() == [95.0, 45.0, 45.0]
    assert arrays["projectile"].tolist() == [[12, 6], [4, 2], [12, 6]]
    assert arrays["target"].tolist() == [[12, 6], [12, 6], [16, 8]]
    assert arrays["fragments"].sum() == len(arrays["fragment_A"])
    assert arrays["gas"].sum() == len(arrays["gas_species"])
    assert bool((arrays["impact_parameter"] < 8).all())


def test_an_unstable_event_is_refused_and_the_others_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudchamber.experiments import transport_mixture

    whole = transport_mixture.simulate_event

    def sometimes(channel: EntranceChannel, *rest: object) -> object:
        if channel.energy == 95.0:
            raise Unstable("energy")
        return whole(channel, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(transport_mixture, "simulate_event", sometimes)
    arrays = simulate(SMALL, 3, 2, np.random.SeedSequence(1))
    assert arrays["refused"].tolist() == [0, 1]
    assert arrays["fragments"][1] == 0
    assert arrays["fragments"][0] > 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"systems": ("C12O16",)}, r"give projectile\+target, such as C12\+O16"),
        ({"systems": ("C12+Xx16",)}, "Xx16"),
        ({"systems": ("H1+C12",)}, "need a nucleus that is known, from He4 on"),
        ({"energies": (45.0, 500.0)}, "500 MeV per nucleon: need 10 to 200"),
        ({"highest_impact_parameter": 11.2}, "impact parameter 11.2 fm: need 0 to"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        SMALL.changed(changes)
