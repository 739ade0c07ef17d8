"""Pictures of transport events: the density of one collision as time goes on, in both modes."""

from __future__ import annotations

import numpy as np

from cloudchamber.data.store import Dataset
from cloudchamber.experiments.transport import MODES, TransportConfig, channel_of, dynamics_of
from cloudchamber.schema import Arrays
from cloudchamber.simulators.transport.entrance_channel import colliding_nuclei
from cloudchamber.simulators.transport.evolution import Evolution

IMPACT_PARAMETER = 4.0
"""Of the event [fm]."""
FRAMES = 5
"""Pictures of an event, the last at freeze-out."""
BIN, WIDE, LONG = 0.5, 12.0, 30.0
"""Of a picture: bins, half width across the beam and half length along it [fm]."""


def gallery(config: TransportConfig, records: Dataset) -> Arrays:
    """Column densities of an event in both modes.

    Args:
        config: of the records.
        records: not needed; the event is simulated again, with pictures.

    Returns:
        ``density/<mode>`` (frame, x, z) [fm^-2], ``time`` (frame,) [fm/c], ``x`` and ``z`` edges of the bins [fm],
        ``impact_parameter`` [fm].
    """
    del records
    channel = channel_of(config)
    x, z = np.arange(-WIDE, WIDE + BIN / 2, BIN), np.arange(-LONG, LONG + BIN / 2, BIN)
    arrays: Arrays = {"x": x, "z": z, "impact_parameter": np.array(IMPACT_PARAMETER)}
    for mode in MODES:
        settings = config.changed({"mode": mode})
        dynamics, rng = dynamics_of(settings), np.random.default_rng(1)
        particles = colliding_nuclei(
            channel, IMPACT_PARAMETER, settings.test_particles, dynamics.spacing, dynamics.matter, rng
        )
        evolution = Evolution(particles, dynamics, 1)
        frames, times = [], []
        for frame in range(FRAMES):
            if frame:
                evolution.run(frame * settings.freeze_out_time / (FRAMES - 1) - evolution.time)
            counts = np.histogram2d(particles.position[:, 0], particles.position[:, 2], (x, z))[0]
            frames.append(counts / (settings.test_particles * BIN**2))
            times.append(evolution.time)
        arrays |= {f"density/{mode}": np.array(frames), "time": np.array(times)}
    return arrays
