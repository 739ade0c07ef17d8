"""One model for all hadrons on all materials: complete final states, learned from Geant4.

Pions, kaons, protons and neutrons of 1 to 100 GeV on hydrogen to lead.

The question that the talk of X. Ju ("Let Machine remember the past and simulate physics", 2022) asks at its end: is one
model possible that simulates all hadron types across all kinematic ranges? Kinetic energies are drawn evenly in the
logarithm. Copper and the energies from 25 to 36 GeV are kept from the training; the probe ``grid`` goes through all
projectiles, targets and four energies, these among them.

Conventions: GeV; generators learn in the rest frame of projectile and nucleus; see ``experiments.interactions``.
"""

from __future__ import annotations

from cloudchamber.experiments import interactions
from cloudchamber.experiments.interactions import GRID, GRID_ENERGIES, InteractionConfig
from cloudchamber.simulators.hadronic.particles import PROJECTILES, TARGETS
from cloudchamber.study import Probe

HADRONS = tuple(PROJECTILES)
MATERIALS = tuple(name for name in TARGETS if name != "Cu")


def grid(config: InteractionConfig) -> InteractionConfig:
    """All projectiles on all targets, copper too, at fixed energies."""
    return config.changed({"targets": tuple(TARGETS), "energies": GRID_ENERGIES})


WORLD = InteractionConfig(
    projectiles=HADRONS, targets=MATERIALS, lowest=1, highest=100, left_out=(25, 36), direction=(0, 0, 1)
)
TINY = WORLD.changed(
    {"events": 1500, "probe_events": 196, "width": 16, "pooled": 8, "layers": 2, "count_width": 16, "steps": 2,
     "count_epochs": 1, "epochs": 1, "batch_size": 64}
)  # fmt: skip
QUICK = WORLD.changed(
    {"events": 24_000, "probe_events": 9800, "width": 48, "pooled": 32, "layers": 3, "count_width": 48, "steps": 2,
     "count_epochs": 8, "epochs": 8}
)  # fmt: skip
STANDARD = WORLD.changed(
    {"events": 200_000, "probe_events": 39_200, "width": 64, "pooled": 64, "layers": 4, "count_width": 96, "steps": 2,
     "count_epochs": 8, "epochs": 16}
)  # fmt: skip
PAPER = WORLD.changed(
    {"events": 2_000_000, "probe_events": 196_000, "width": 256, "pooled": 128, "layers": 6, "count_width": 256,
     "count_epochs": 20, "epochs": 40, "batch_size": 1024}
)  # fmt: skip

study = interactions.study_of(
    name="hadronic-materials",
    title="All hadrons on all materials in one model",
    question="Can one network stand for Geant4's hadronic interactions, for every hadron, energy and material?",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    records_per_chunk=2000,
    probes={GRID: Probe("every projectile, target and energy", grid, lambda config: config.probe_events)},
    citation="X. Ju, Let Machine remember the past and simulate physics (2022)",
)
