"""A universe of many sources of ultra-high-energy cosmic rays: up to which density can its sky be told from isotropy?

The outlook of the talk by N. Langner, M. Erdmann, M. Wirtz (27 September 2019): all cosmic rays come from sources; 10,
50 or 250 of them contribute to a thousand. Sources are equally luminous and uniform in a ball of 250 Mpc, flux falls as
1/d^2 times losses (``simulators.cosmicrays.universe``). The denser the sources, the more isotropic the sky.

Conventions: half of the skies are isotropic; the source density of the others is drawn evenly in its logarithm. A
cosmic ray counts as signal if its source gave at least two. Every probe has one density, so that its rows say how
significant a typical universe of that density is.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from cloudchamber.experiments import skies
from cloudchamber.experiments.skies import SkyConfig
from cloudchamber.schema import Array, Arrays, Learning
from cloudchamber.study import Probe

if TYPE_CHECKING:
    from cloudchamber.report.page import Section


class CosmicRayUniverseConfig(SkyConfig):
    """What is simulated and learned in the search for many sources."""

    skies: Learning[int] = Field(
        100_000, ge=20, description="skies to learn from and to test on, half of them isotropic"
    )
    probe_skies: Learning[int] = Field(4000, ge=20, description="skies of each density, half of them isotropic")
    lowest_density: float = Field(1e-7, ge=1e-8, le=1e-2, description="of sources, per cubic Mpc")
    highest_density: float = Field(1e-2, ge=1e-8, le=1e-2, description="of sources, per cubic Mpc")
    maximum_distance: float = Field(250.0, gt=0, le=1000, description="radius of the ball with sources in Mpc")


def simulate(config: CosmicRayUniverseConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Skies from number ``first``, every other one isotropic: columns of the study's schema."""
    from cloudchamber.simulators.cosmicrays.skies import draw_skies
    from cloudchamber.simulators.cosmicrays.universe import UniverseOptions, draw_universes

    sky, lens = skies.sky_options(config), skies.lens_of(config)
    densities, isotropic, *each = seeds.spawn(2 + count)
    records = draw_skies(sky, np.zeros(count, np.int64), isotropic)
    records |= {"sources": np.zeros(count, np.int32), "density": np.zeros(count, np.float32)}
    low, high = np.log(config.lowest_density), np.log(max(config.highest_density, config.lowest_density))
    chosen = np.exp(np.random.default_rng(densities).uniform(low, high, count))
    for record in np.flatnonzero((np.arange(first, first + count) % 2) == 1):
        options = UniverseOptions(sky, float(chosen[record]), config.maximum_distance)
        for name, values in draw_universes(options, 1, each[record], lens).items():
            records[name][record] = values[0]
        records["density"][record] = chosen[record]
    return records


def sections(run: Path, config: CosmicRayUniverseConfig, titles: Mapping[str, str]) -> list[Section]:
    """The report's sections."""
    from cloudchamber.report.skies import universe_sections

    densities = {name: float(probe.change(config).lowest_density) for name, probe in study.probes.items()}
    return universe_sections(run, config, titles, densities)


# --- the study --------------------------------------------------------------------------------------------------------


def of_density(density: float, config: CosmicRayUniverseConfig) -> CosmicRayUniverseConfig:
    """The configuration of a probe: one density."""
    return config.changed({"lowest_density": density, "highest_density": density})


def _contributing(sources: int) -> Probe:
    from cloudchamber.simulators.cosmicrays.universe import DENSITIES

    density = DENSITIES[sources]
    title = f"{sources} sources contribute on average ({density:.2g} per cubic Mpc)"
    return Probe(title, partial(of_density, density), lambda config: config.probe_skies)


def _density(density: float) -> Probe:
    return Probe(f"{density:g} sources per cubic Mpc", partial(of_density, density), lambda config: config.probe_skies)


TINY = CosmicRayUniverseConfig(
    skies=60, probe_skies=20, cosmic_rays=100, nside=8, widths=(4, 8), convolutions=2, neighbours=8,
    graph_neighbours=6, graph_widths=(6, 8), ensemble=10,
    epochs=1, deepsphere_epochs=1, batch_size=8, dropout=0.0, highest_density=1e-5,
)  # fmt: skip
QUICK = CosmicRayUniverseConfig(
    skies=2000, probe_skies=240, nside=32, widths=(8, 16, 16, 32, 32), convolutions=5, graph_widths=(16, 32),
    epochs=6, deepsphere_epochs=6, batch_size=16, ensemble=200, dropout=0.0,
)  # fmt: skip
STANDARD = CosmicRayUniverseConfig(
    skies=3_000,
    probe_skies=400,
    widths=(8, 16, 16, 32, 32, 64),
    neighbours=8,
    graph_widths=(32, 32, 32),
    epochs=6,
    deepsphere_epochs=3,
    batch_size=16,
    dropout=0.1,
)
PAPER = CosmicRayUniverseConfig()

study = skies.study_of(
    name="cosmic-ray-universe",
    title="A universe of sources of ultra-high-energy cosmic rays",
    question="Up to which density of sources is a sky of a thousand cosmic rays told from an isotropic one?",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    simulate=simulate,
    columns={
        "sources": Array("sky", "", "truth: sources that gave at least one cosmic ray", dtype="int32", low=0),
        "density": Array("sky", "1/Mpc^3", "truth: density of sources, 0 for an isotropic sky", low=0),
    },
    rows=skies.rows_of_one_kind,
    probes={
        "sources-10": _contributing(10),
        "sources-50": _contributing(50),
        "sources-250": _contributing(250),
        "density-1e-5": _density(1e-5),
        "density-1e-4": _density(1e-4),
        "density-1e-3": _density(1e-3),
        "density-1e-2": _density(1e-2),
    },
    sections=sections,
    citation=(
        "T. Bister et al., Identification of patterns in cosmic-ray arrival directions using dynamic graph "
        "convolutional neural networks, Astropart. Phys. 126 (2021) 102527, arXiv:2003.13038"
    ),
)
