"""What the report of the emulator shows besides metrics: events, the latent spaces, reconstructions, conditions."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions, Entrance, Simulated
from cloudchamber.experiments.transport import channel_of, dynamics_of, freeze_out_of
from cloudchamber.experiments.transport_emulator import EmulatorConfig
from cloudchamber.metrics.collisions import observables
from cloudchamber.schema import Arrays
from cloudchamber.simulators.transport.event import simulate_event

if TYPE_CHECKING:
    from cloudchamber.learning.collision_graph_vae import CollisionGraphGenerator
    from cloudchamber.learning.phase_space_vae import PhaseSpaceVAE

Floats = NDArray[np.float64]

SHOWN = (1.0, 4.0, 6.5)
"""Impact parameters of the events that are drawn [fm]."""
MOST_GAS = 4000
"""Gas particles of an event that are drawn."""
TIMED = (2.0, 6.0)
"""Impact parameters at which the simulator is timed [fm]."""
AUTOENCODERS = ("vae", "graph_vae")
GRID = 17
"""Impact parameters at which the flow is asked."""
ASKED = ("fragments", "A_largest", "gas_nucleons", "excitation_per_nucleon")
"""Observables of the means."""


def of_the_main_channel(config: EmulatorConfig, entrance: Entrance) -> NDArray[np.bool_]:
    """Which events (event,) are of the projectile, target and energy that the settings name."""
    main = channel_of(config)
    nuclei = (entrance.projectile == main.projectile).all(axis=1) & (entrance.target == main.target).all(axis=1)
    return np.asarray(nuclei & (entrance.energy == main.energy))


def gallery(config: EmulatorConfig, events: Collisions) -> Arrays:
    """Three events as they are at freeze-out, and their histograms.

    Args:
        config: of the run.
        events: all of them, with what the simulator had.
    """
    from cloudchamber.data.phase_space_histograms import encode

    found: Arrays = {}
    simulated = events.simulated
    main = np.flatnonzero(of_the_main_channel(config, events.entrance))
    if simulated is None or not len(main):
        return found
    rng = np.random.default_rng(0)
    for number, b in enumerate(SHOWN):
        event = main[np.argmin(np.abs(events.entrance.impact_parameter[main] - b))]
        one = simulated.ordered(np.array([event]))
        few = rng.permutation(len(one.gas_species))[:MOST_GAS]
        found |= {
            f"event/{number}/b": events.entrance.impact_parameter[event : event + 1],
            f"event/{number}/fragment_A": one.A,
            f"event/{number}/fragment_position": one.position,
            f"event/{number}/fragment_momentum": one.momentum,
            f"event/{number}/gas_position": one.gas_position[few],
            f"event/{number}/gas_momentum": one.gas_momentum[few],
            f"histogram/{number}": encode(one, rng)[0],
        }
    return found


def cost(config: EmulatorConfig, learners: Mapping[str, Any], events: Collisions, rng: np.random.Generator) -> Arrays:
    """Processor time of an event of the main collision on one core: of the simulator [s] and of each generator [ms].

    Generators make ``config.asked`` events at once, impact parameters as in nature; the simulator some at TIMED.

    Args:
        config: of the run.
        learners: fitted, by name.
        events: not needed.
        rng: what is random.
    """
    import torch
    from threadpoolctl import threadpool_limits

    main, n = channel_of(config), config.asked
    taken = []
    for number, b in enumerate((TIMED[0], *TIMED)):  # the first compiles, and does not count
        start = time.process_time()
        here = min(b, config.highest_impact_parameter)
        particles, dynamics, freeze_out = config.test_particles, dynamics_of(config), freeze_out_of(config)
        simulate_event(main, here, particles, dynamics, freeze_out, np.random.SeedSequence(number))
        taken.append(time.process_time() - start)
    found: Arrays = {"simulator_seconds": np.array(taken[1:])}
    impact = np.maximum(config.highest_impact_parameter * np.sqrt(rng.random(n)), config.lowest_impact_parameter)
    projectile, target = np.tile(main.projectile, (n, 1)), np.tile(main.target, (n, 1))
    asked = Entrance(projectile, target, np.full(n, main.energy), impact)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            for name, learner in learners.items():
                learner.sample(asked.ordered(np.arange(20)), rng)
                start = time.process_time()
                learner.sample(asked, rng)
                found[f"milliseconds/{name}"] = np.array([(time.process_time() - start) / n * 1000])
    finally:
        torch.set_num_threads(threads)
    return found


def latent(config: EmulatorConfig, learners: Mapping[str, Any], events: Collisions, rng: np.random.Generator) -> Arrays:
    """Where test events of the main collision lie in the latent spaces, and the impact parameter that is read there.

    Args:
        config: of the run.
        learners: fitted, by name.
        events: of the test split.
        rng: not needed.
    """
    own = events.ordered(of_the_main_channel(config, events.entrance))
    found: Arrays = {}
    for name in AUTOENCODERS:
        if name not in learners or own.simulated is None or len(own) < 3:
            continue
        learner: PhaseSpaceVAE | CollisionGraphGenerator = learners[name]
        mean, _, predicted = learner.latents(own)
        b = own.entrance.impact_parameter
        centred = mean - mean.mean(axis=0)
        axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
        projection = centred @ axes.T
        if projection.shape[1] < 2:
            projection = np.column_stack([projection, np.zeros(len(projection))])
        found |= {
            f"{name}/mean": mean, f"{name}/b": b, f"{name}/predicted_b": predicted, f"{name}/projection": projection,
            f"{name}/correlation": np.array([correlation(predicted, b)]),
            f"{name}/projection_correlation": np.array([correlation(column, b) for column in projection.T]),
        }  # fmt: skip
    return found


def correlation(one: Floats, other: Floats) -> float:
    """Pearson's; 0 if one of them does not vary."""
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def reconstruction(
    config: EmulatorConfig, learners: Mapping[str, Any], events: Collisions, rng: np.random.Generator
) -> Arrays:
    """Test events of the main collision, encoded and decoded again.

    Args:
        config: of the run.
        learners: fitted, by name.
        events: of the test split.
        rng: what is random in the decoding.
    """
    own = events.ordered(of_the_main_channel(config, events.entrance))
    found: Arrays = {}
    for name in AUTOENCODERS:
        if name not in learners or own.simulated is None or not len(own):
            continue
        true, again = leading(own.simulated), leading(learners[name].reconstruct(own, rng))
        for quantity, values in true.items():
            found |= {f"{name}/{quantity}/true": values, f"{name}/{quantity}/reconstructed": again[quantity]}
    return found


def leading(simulated: Simulated) -> dict[str, Floats]:
    """The largest fragment of each event, and the nucleons of its gas (event,); 0 where there is no fragment.

    Args:
        simulated: real-valued events.
    """
    first, there = simulated.first_fragment[:-1], simulated.fragments > 0

    def of(values: Floats) -> Floats:
        if not len(values):
            return np.zeros(len(there))
        return np.where(there, values[np.minimum(first, len(values) - 1)], 0.0)

    P = np.linalg.norm(simulated.momentum, axis=1)
    theta = np.degrees(np.arctan2(np.hypot(*simulated.momentum[:, :2].T), np.abs(simulated.momentum[:, 2])))
    return {
        "largest_A": of(simulated.A), "largest_momentum": of(P / np.maximum(simulated.A, 1e-9)),
        "largest_theta": of(theta), "largest_excitation": of(simulated.excitation),
        "gas_nucleons": simulated.gas / simulated.per_nucleon,
    }  # fmt: skip


def conditions(
    config: EmulatorConfig, learners: Mapping[str, Any], events: Collisions, rng: np.random.Generator
) -> Arrays:
    """How the flow's events change with impact parameter and energy, beside the simulator's.

    Args:
        config: of the run.
        learners: fitted, by name.
        events: of the test split.
        rng: what is random.
    """
    main = channel_of(config)
    b = np.linspace(config.lowest_impact_parameter, config.highest_impact_parameter, GRID)
    energies = np.array(sorted({config.energy, *config.energies}))
    found: Arrays = {"b": b, "energy": energies}
    means = {name: np.zeros((len(energies), GRID)) for name in ASKED}
    for place, energy in enumerate(energies):
        each = max(config.asked // 10, 1)
        n = GRID * each
        asked = Entrance(
            np.tile(main.projectile, (n, 1)), np.tile(main.target, (n, 1)), np.full(n, energy), np.repeat(b, each)
        )
        seen = observables(learners["flow"].sample(asked, rng))
        for name in ASKED:
            means[name][place] = seen[name].reshape(GRID, each).mean(axis=1)
    entrance = events.entrance
    nuclei = (entrance.projectile == main.projectile).all(axis=1) & (entrance.target == main.target).all(axis=1)
    own = events.ordered(nuclei)
    true = observables(own)
    found |= {f"flow/{name}": values for name, values in means.items()}
    found |= {f"truth/{name}": true[name] for name in ASKED}
    return found | {"truth/b": own.entrance.impact_parameter, "truth/energy": own.entrance.energy}
