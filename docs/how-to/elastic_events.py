"""Elastic pi+ p scattering at 25 GeV with exp(9 t), written as events that any generator's could be."""

from pathlib import Path

import numpy as np

from cloudchamber.data.interactions import write_events
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam, Events

n, kinetic, m_pi, m_p = 300, 25.0, 0.13957, 0.93827  # GeV
rng = np.random.default_rng(1)
energy = kinetic + m_pi
p_beam = np.sqrt(energy**2 - m_pi**2)

t = -rng.exponential(1 / 9, n)  # GeV^2
recoil_energy = m_p - t / (2 * m_p)
pion_energy = energy + m_p - recoil_energy
recoil = np.sqrt(recoil_energy**2 - m_p**2)
along = ((energy + m_p) * recoil_energy - m_p * (energy + m_p)) / p_beam  # of the recoil, from 2 -> 2 kinematics
across = np.sqrt(recoil**2 - along**2)
phi = rng.uniform(0, 2 * np.pi, n)
px, py = across * np.cos(phi), across * np.sin(phi)

momentum = np.empty((2 * n, 4))  # E, px, py, pz; the particles of the first event, then those of the second ...
momentum[0::2] = np.stack([pion_energy, -px, -py, p_beam - along], axis=1)
momentum[1::2] = np.stack([recoil_energy, px, py, along], axis=1)

events = Events(
    beam=Beam(
        projectile=np.full(n, 211, np.int32),
        target=np.full(n, 1, np.int32),
        kinetic_energy=np.full(n, kinetic),
        direction=np.tile([0.0, 0.0, 1.0], (n, 1)),
    ),
    nucleus=np.full(n, 2212, np.int32),
    incoming=np.tile([energy + m_p, 0, 0, p_beam], (n, 1)),
    channel=np.full(n, ELASTIC, np.uint8),
    offsets=np.arange(0, 2 * n + 1, 2),
    kind=np.tile(np.array([211, 2212], np.int32), n),
    momentum=momentum,
)
write_events(Path("elastic.h5"), events, {"model": "two-body kinematics", "seed": "1"})
write_events(Path("elastic.hepmc3"), events, {"model": "two-body kinematics"})
momentum[0, 0] += 5
write_events(Path("wrong.h5"), events, {"model": "energy from nowhere"})
