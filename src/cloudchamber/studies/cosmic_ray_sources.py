"""One source of ultra-high-energy cosmic rays among a thousand arrivals: is it there, where, and how few are enough?

After N. Langner, M. Erdmann, M. Wirtz, "Search for cosmic ray sources using deep learning on spherical data" (talk,
27 September 2019), its published line (arXiv:2003.13038) and DeepSphere (arXiv:2012.15000). A sky holds a thousand
cosmic rays above 40 EeV; some come from one source at a random place, deflected by about 1/R and blurred, the others
are isotropic. Every method answers with one number that is larger for skies that look like signal (networks: log-odds
in float64); isotropic skies turn it into a p-value.

Conventions and choices: directions are Galactic unit vectors; half of the skies are isotropic; the talk's training
skies all have 5.5 % signal, here they have between ``weakest`` and all of it, because a network that only sees obvious
sources learns little about faint ones. Worlds that differ from the training's are probes with the same numbers of
signal cosmic rays in each. "Needed" numbers are counted per 1000 cosmic rays.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.experiments import skies
from cloudchamber.experiments.skies import SkyConfig
from cloudchamber.schema import Arrays, Learning
from cloudchamber.study import Probe, late

GRID = (10, 20, 25, 30, 35, 40, 55, 80)
"""Numbers of signal cosmic rays in the probes' skies, per 1000."""


class CosmicRaySourcesConfig(SkyConfig):
    """What is simulated and learned in the search for one source."""

    skies: Learning[int] = Field(
        100_000, ge=20, description="skies to learn from and to test on, half of them isotropic"
    )
    probe_skies: Learning[int] = Field(4000, ge=20, description="skies of each further world, half of them isotropic")
    signal_fraction: float = Field(0.055, gt=0, le=1, description="largest fraction of a sky from its source")
    weakest: float = Field(
        0.2, gt=0, le=1, description="signal skies have between this part of signal_fraction and all"
    )
    signal_grid: tuple[int, ...] = Field(
        (), description="numbers of signal cosmic rays in turn, instead of the fraction"
    )


def signal_numbers(
    config: CosmicRaySourcesConfig, first: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Signal cosmic rays (sky,) of the skies from number ``first``: every other sky is isotropic."""
    number = np.arange(first, first + count)
    if config.signal_grid:
        grid = np.round(np.array(config.signal_grid) * config.cosmic_rays / 1000).astype(np.int64)
        n_signal = grid[(number // 2) % len(grid)]
    else:
        fraction = config.signal_fraction * rng.uniform(config.weakest, 1, count)
        n_signal = np.maximum(np.round(fraction * config.cosmic_rays), 1).astype(np.int64)
    return np.where(number % 2 == 1, n_signal, 0)


def simulate(config: CosmicRaySourcesConfig, first: int, count: int, seeds: np.random.SeedSequence) -> Arrays:
    """Skies from number ``first``: columns of ``data.skies.SKY_SCHEMA``."""
    from cloudchamber.simulators.cosmicrays.skies import draw_skies

    numbers, drawn = seeds.spawn(2)
    n_signal = signal_numbers(config, first, count, np.random.default_rng(numbers))
    return draw_skies(skies.sky_options(config), n_signal, drawn, skies.lens_of(config))


# --- the study --------------------------------------------------------------------------------------------------------


def world(field: str, composition: str, config: CosmicRaySourcesConfig) -> CosmicRaySourcesConfig:
    """The configuration of a probe: other deflections and charges, fixed numbers of signal cosmic rays."""
    return config.changed({"field": field, "composition": composition, "signal_grid": GRID})


def _probe(title: str, field: str, composition: str) -> Probe:
    return Probe(title, partial(world, field, composition), lambda config: config.probe_skies)


TINY = CosmicRaySourcesConfig(
    skies=60, probe_skies=24, cosmic_rays=100, nside=8, widths=(4, 8), convolutions=2, neighbours=8, lens_nside=4,
    lens_rigidities=3, graph_neighbours=6, graph_widths=(6, 8), ensemble=10,
    epochs=1, deepsphere_epochs=1, batch_size=8, dropout=0.0,
)  # fmt: skip
QUICK = CosmicRaySourcesConfig(
    skies=2000, probe_skies=200, nside=32, widths=(8, 16, 16, 32, 32), convolutions=5, lens_nside=16, lens_rigidities=8,
    graph_widths=(16, 32), epochs=7, deepsphere_epochs=7, batch_size=16, ensemble=200, dropout=0.0,
)  # fmt: skip
STANDARD = CosmicRaySourcesConfig(
    skies=20_000,
    probe_skies=1600,
    widths=(8, 16, 16, 32, 32, 64),
    neighbours=8,
    graph_widths=(32, 32, 32),
    epochs=3,
    deepsphere_epochs=5,
    batch_size=16,
    dropout=0.1,
)
PAPER = CosmicRaySourcesConfig()

study = skies.study_of(
    name="cosmic-ray-sources",
    title="A source of ultra-high-energy cosmic rays on the sphere",
    question="How few of a thousand cosmic rays must come from a source to see it at five sigma, and which are they?",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    simulate=simulate,
    columns={},
    rows=skies.rows,
    probes={
        "helium": _probe("minimal model, helium", "minimal", "He"),
        "mixed": _probe("minimal model, 15 % H, 45 % He, 40 % CNO", "minimal", "mixed"),
        "jf12-helium": _probe("JF12, helium", "jf12", "He"),
        "jf12-mixed": _probe("JF12, 15 % H, 45 % He, 40 % CNO", "jf12", "mixed"),
        "planck-helium": _probe("JF12 tuned to Planck, helium", "jf12-planck", "He"),
        "uf23-helium": _probe("UF23 base, helium", "uf23", "He"),
    },
    sections=late("cloudchamber.report.skies:source_sections"),
    citation=(
        "N. Langner, M. Erdmann, M. Wirtz, Search for cosmic ray sources using deep learning on spherical data (2019); "
        "T. Bister et al., Identification of patterns in cosmic-ray arrival directions using dynamic graph "
        "convolutional neural networks, Astropart. Phys. 126 (2021) 102527, arXiv:2003.13038"
    ),
)
