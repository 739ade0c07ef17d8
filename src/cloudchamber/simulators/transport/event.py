"""One collision, from two ground states to fragments and gas: the final state of a Boltzmann-Langevin code.

Fragments have real-valued A and Z, momentum, position, excitation energy and angular momentum; a gas particle is one
N_test-th of a nucleon. In the frame in which both nuclei together are at rest, beam along +z. fm, fm/c, MeV, MeV/c.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel, colliding_nuclei, starting_distance
from cloudchamber.simulators.transport.evolution import Dynamics, Evolution, Unstable
from cloudchamber.simulators.transport.fragments import Fragments, fragments
from cloudchamber.simulators.transport.lattice import Floats

CHECK_EVERY = 40.0
"""fm/c: how often the energy is looked at."""


@dataclass(frozen=True)
class FreezeOut:
    """When and how the event is read.

    Attributes:
        time: after the start [fm/c], to a whole period of the Coulomb kicks.
        density_cut: of fragments [fm^-3].
        energy_tolerance: how much the energy may have changed [MeV per nucleon].
    """

    time: float = 200.0
    density_cut: float = 0.02
    energy_tolerance: float = 0.5

    def __post_init__(self) -> None:
        if not (0 < self.time < math.inf and self.density_cut > 0 and self.energy_tolerance > 0):
            raise BadInput(f"freeze-out at {self.time:g} fm/c and {self.density_cut:g} fm^-3: need positive numbers")


@dataclass(frozen=True)
class Event:
    """The final state of a collision.

    Attributes:
        fragments: heaviest first.
        gas_position: (particle, 3) [fm].
        gas_momentum: (particle, 3) [MeV/c].
        gas_species: (particle,) 0: neutron, 1: proton.
        energy_change: of the whole event [MeV per nucleon].
        attempted: collisions that would have happened in empty space, counted in nucleons.
        accepted: those that took place.
    """

    fragments: Fragments
    gas_position: Floats
    gas_momentum: Floats
    gas_species: NDArray[np.int8]
    energy_change: float
    attempted: float
    accepted: float


def simulate_event(
    channel: EntranceChannel, impact_parameter: float, per_nucleon: int, dynamics: Dynamics, freeze_out: FreezeOut,
    seeds: np.random.SeedSequence,
) -> Event:  # fmt: skip
    """Collide two nuclei.

    Args:
        channel: which nuclei, at which energy.
        impact_parameter: [fm].
        per_nucleon: test particles a nucleon.
        dynamics: mean field, collisions, lattice, time step.
        freeze_out: when and how the event is read.
        seeds: of what is random.

    Raises:
        BadInput: an impact parameter below 0, or larger than the distance at which the nuclei start.
        Unstable: energy is not conserved, or numbers are not finite.
    """
    check_impact_parameter(channel, impact_parameter, dynamics)
    nuclei, collisions = seeds.spawn(2)
    particles = colliding_nuclei(
        channel, impact_parameter, per_nucleon, dynamics.spacing, dynamics.matter, np.random.default_rng(nuclei)
    )
    evolution = Evolution(particles, dynamics, int(collisions.generate_state(1)[0]))
    start = evolution.energy()
    change = 0.0
    while evolution.time < freeze_out.time - 1e-6:
        evolution.run(min(CHECK_EVERY, freeze_out.time - evolution.time))
        change = (evolution.energy() - start) / channel.nucleons
        if not abs(change) <= freeze_out.energy_tolerance:
            raise Unstable(
                f"energy changed by {change:.3g} MeV per nucleon until {evolution.time:g} fm/c "
                f"(at most {freeze_out.energy_tolerance:g}): give a smaller time step"
            )
    found = fragments(particles, evolution.lattice, dynamics.matter, freeze_out.density_cut)
    gas = particles.of(found.owner < 0)
    return Event(found, gas.position, gas.momentum, gas.species, change, evolution.attempted, evolution.accepted)


def check_impact_parameter(channel: EntranceChannel, impact_parameter: float, dynamics: Dynamics) -> None:
    """BadInput for one that is negative, or so large that the nuclei start side by side.

    Args:
        channel: which nuclei.
        impact_parameter: [fm].
        dynamics: mean field and lattice.
    """
    largest = starting_distance(channel, dynamics.matter, dynamics.spacing)
    if not 0 <= impact_parameter <= largest:
        raise BadInput(
            f"impact parameter {impact_parameter:g} fm: need 0 to {largest:.1f} fm, at which these nuclei start"
        )
