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

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from cloudchamber.data.samples import Inputs, Prediction
from cloudchamber.data.skies import (
    LEAST_COSMIC_RAYS,
    SKY_INPUT,
    SKY_SCHEMA,
    SKY_TARGETS,
    SKY_TRUTH,
    cosmic_rays_of,
    targets_of,
)
from cloudchamber.schema import Arrays, Config
from cloudchamber.study import Predictor, Probe, Row, SearchSpace, Study

if TYPE_CHECKING:
    from torch import nn

    from cloudchamber.simulators.cosmicrays.lens import Lens
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

Field_ = Literal["minimal", "jf12", "jf12-regular", "jf12-planck", "uf23"]
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "softsign"]
TRAINING = ("epochs", "batch_size", "learning_rate", "weight_decay")
"""Settings that go to the training as they are."""
GRID = (10, 20, 25, 30, 35, 40, 55, 80)
"""Numbers of signal cosmic rays in the probes' skies, per 1000."""


class CosmicRaySourcesConfig(Config):
    """What is simulated and learned in the search for one source."""

    skies: int = Field(100_000, ge=20, description="skies to learn from and to test on, half of them isotropic")
    probe_skies: int = Field(4000, ge=20, description="skies of each further world, half of them isotropic")
    cosmic_rays: int = Field(1000, ge=LEAST_COSMIC_RAYS, description="cosmic rays in a sky")
    minimum_energy: float = Field(40.0, ge=1, le=200, description="lowest energy in EeV")
    composition: str = Field("He", description="of the signal: He, mixed (15 % H, 45 % He, 40 % CNO), or H:0.5,He:0.5")
    exposure: str = Field("full", description="of the observatory: full, auger, telescope-array")
    field: Field_ = Field("minimal", description="deflections: the minimal model, or a Galactic field's lens")
    coherent: float = Field(5.1, ge=0, description="minimal model: coherent deflection times rigidity in rad EV")
    blurring: float = Field(2.79, ge=0, description="minimal model: sigma of the blurring times rigidity in rad EV")
    lens_nside: int = Field(64, ge=1, description="HEALPix resolution of the lens, a power of two")
    lens_rigidities: int = Field(20, ge=2, description="rigidities of the lens from 5 to 300 EV")
    signal_fraction: float = Field(0.055, gt=0, le=1, description="largest fraction of a sky from its source")
    weakest: float = Field(
        0.2, gt=0, le=1, description="signal skies have between this part of signal_fraction and all"
    )
    signal_grid: tuple[int, ...] = Field(
        (), description="numbers of signal cosmic rays in turn, instead of the fraction"
    )
    nside: int = Field(64, ge=2, description="HEALPix resolution of DeepSphere's maps, a power of two")
    widths: tuple[int, ...] = Field((64, 64, 64, 64, 64, 64), description="features of DeepSphere's first layers")
    convolutions: int = Field(6, ge=1, le=7, description="convolutional layers of DeepSphere")
    order: int = Field(5, ge=2, le=10, description="Chebyshev polynomials of a convolution")
    neighbours: Literal[8, 20, 40] = Field(20, description="neighbours of a pixel in DeepSphere's graph")
    activation: Activation = Field("relu", description="after DeepSphere's convolutions")
    pooling: Literal["average", "max"] = Field("average", description="of four pixels between convolutions")
    dense: int = Field(1, ge=0, le=4, description="hidden dense layers of DeepSphere")
    dense_activation: Activation = Field("relu", description="after its dense layers")
    dropout: float = Field(0.2, ge=0, lt=1, description="before and between its dense layers")
    graph_neighbours: int = Field(24, ge=1, description="neighbours of a cosmic ray in the graph network")
    graph_widths: tuple[int, ...] = Field(
        (32, 32, 64), description="features after each edge convolution; last: dynamic"
    )
    ensemble: int = Field(500, ge=2, description="isotropic skies that normalise the scans of the classical searches")
    epochs: int = Field(40, ge=1, description="passes over the training skies, each time redrawn")
    batch_size: int = Field(32, ge=2, description="skies a step")
    learning_rate: float = Field(3e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: float = Field(1e-2, ge=0, description="decoupled weight decay")


def sky_options(config: CosmicRaySourcesConfig) -> SkyOptions:
    """What a sky is made of, for the simulator."""
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

    names = ("cosmic_rays", "minimum_energy", "composition", "exposure", "coherent", "blurring")
    return SkyOptions(**{name: getattr(config, name) for name in names})


def lens_of(config: CosmicRaySourcesConfig) -> Lens | None:
    """The Galactic field's lens from the cache (made if it is not there); None for the minimal model."""
    if config.field == "minimal":
        return None
    from cloudchamber.data.lenses import cached_lens
    from cloudchamber.simulators.cosmicrays.lens import default_rigidities

    return cached_lens(config.field, config.lens_nside, default_rigidities(config.lens_rigidities))


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

    numbers, skies = seeds.spawn(2)
    n_signal = signal_numbers(config, first, count, np.random.default_rng(numbers))
    return draw_skies(sky_options(config), n_signal, skies, lens_of(config))


def redrawn(config: CosmicRaySourcesConfig, records: Arrays, seed: int) -> Arrays:
    """An augmented copy: the isotropic cosmic rays drawn afresh; in the minimal model the source turned elsewhere."""
    from cloudchamber.simulators.cosmicrays.skies import redraw

    return redraw(records, sky_options(config), seed, rotate=config.field == "minimal")


def inputs(config: CosmicRaySourcesConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """The cosmic rays (sky, cosmic_ray, 4); with ``rng`` of a redrawn sky."""
    return cosmic_rays_of(records if rng is None else redrawn(config, records, int(rng.integers(2**62))))


def targets(config: CosmicRaySourcesConfig, records: Arrays) -> NDArray[np.float32]:
    """(sky, 5), see ``data.skies.SKY_TARGETS``."""
    return targets_of(records)


def isotropic(config: CosmicRaySourcesConfig, like: Inputs | None, count: int, seeds: np.random.SeedSequence) -> Inputs:
    """Isotropic skies (sky, cosmic_ray, 4) seen with the exposure; with the energies of the sky ``like``, if given."""
    from cloudchamber.simulators.cosmicrays.skies import draw_skies

    options = sky_options(config if like is None else config.changed({"cosmic_rays": like.shape[1]}))
    skies = cosmic_rays_of(draw_skies(options, np.zeros(count, np.int64), seeds))
    if like is not None:
        skies[..., 3] = like[0, :, 3]  # directions are independent of energies, so the order does not matter
    return skies


# --- predictors -------------------------------------------------------------------------------------------------------


def pair_counts(skies: Inputs) -> NDArray[np.float64]:
    """(sky, scale): pairs closer than 1 to 30 degrees, what the statistical learner reads."""
    from cloudchamber.baselines.sky_autocorrelation import pairs_within_angles

    return np.stack([pairs_within_angles(sky.astype(np.float64)) for sky in skies])


def deepsphere(config: CosmicRaySourcesConfig) -> nn.Module:
    """The talk's network: spherical convolutions, statistical layer, dense layers."""
    from cloudchamber.networks.deepsphere import DeepSphere

    widths = (config.widths + config.widths[-1:] * config.convolutions)[: config.convolutions]
    return DeepSphere(
        channels=2, outputs=2, nside=config.nside, widths=widths, order=config.order, neighbours=config.neighbours,
        activation=config.activation, pooling=config.pooling, dense=config.dense,
        dense_activation=config.dense_activation, dropout=config.dropout,
    )  # fmt: skip


def graph(config: CosmicRaySourcesConfig) -> nn.Module:
    """The talk's outlook: a dynamic graph network on the cosmic rays themselves."""
    from cloudchamber.networks.dynamic_graph import DynamicGraph

    layers = len(config.graph_widths)
    return DynamicGraph(
        outputs=2, neighbours=min(config.graph_neighbours, config.cosmic_rays - 1), widths=config.graph_widths,
        dynamic=(False,) * (layers - 1) + (True,),
    )  # fmt: skip


def as_they_are(cosmic_rays: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the graph network reads."""
    return cosmic_rays


def predictors(config: CosmicRaySourcesConfig, seed: int, device: str) -> dict[str, Predictor]:
    """Floor, statistical learner, the searches a physicist would run, and networks."""
    from cloudchamber.baselines.linear import Ridge
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.baselines.sky_autocorrelation import Autocorrelation
    from cloudchamber.baselines.sky_likelihood import TemplateScan, VonMisesFisherScan
    from cloudchamber.baselines.sky_multiplets import MultipletSearch
    from cloudchamber.baselines.sky_top_hat import TopHatScan
    from cloudchamber.layers.sky_maps import sky_maps
    from cloudchamber.learning.options import TrainingOptions
    from cloudchamber.learning.source_detector import SourceDetector

    options = TrainingOptions().changed({name: getattr(config, name) for name in TRAINING})
    redraw = partial(redrawn, config)
    maps = partial(sky_maps, nside=config.nside)
    return {
        "mean": TrainingMean(),
        "ridge": Ridge(pair_counts, "ridge on pair counts"),
        "autocorrelation": Autocorrelation(config.ensemble),
        "top_hat": TopHatScan(config.ensemble),
        "multiplets": MultipletSearch(),
        "likelihood": VonMisesFisherScan(),
        "template": TemplateScan(coherent=config.coherent, blurring=config.blurring),
        "deepsphere": SourceDetector("DeepSphere", partial(deepsphere, config), maps, redraw, options, seed, device),
        "graph": SourceDetector("graph network", partial(graph, config), as_they_are, redraw, options, seed, device),
    }  # fmt: skip


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """AUC, significance by number of signal cosmic rays, number needed for five sigma, fraction and direction."""
    from cloudchamber.metrics.searches import search_rows

    return [row for name, said in predictions.items() for row in search_rows(name, truth, said.mean, rng)]


def resembles(skies: Inputs) -> NDArray[np.float64]:
    """(sky, 4): number of cosmic rays, mean and lowest ln(energy), and the largest energy, against the training's."""
    energy = np.log(np.maximum(skies[..., 3].astype(np.float64), 1e-3))
    number = np.full(len(skies), float(np.log(skies.shape[1])))
    return np.stack([number, energy.mean(axis=1), energy.min(axis=1), energy.max(axis=1)], axis=1)


def read(config: CosmicRaySourcesConfig, path: Path, mapping: Mapping[str, str] | None) -> Arrays | None:
    """A user's catalogue of arrival directions: CSV, FITS or HDF5."""
    from cloudchamber.data.catalogue import is_catalogue, read_catalogue

    return read_catalogue(path, config.minimum_energy, mapping) if is_catalogue(path) else None


# --- the study --------------------------------------------------------------------------------------------------------


def world(field: str, composition: str, config: CosmicRaySourcesConfig) -> CosmicRaySourcesConfig:
    """The configuration of a probe: other deflections and charges, fixed numbers of signal cosmic rays."""
    return config.changed({"field": field, "composition": composition, "signal_grid": GRID})


def _probe(title: str, field: str, composition: str) -> Probe:
    return Probe(title, partial(world, field, composition), lambda config: config.probe_skies)


TINY = CosmicRaySourcesConfig(
    skies=60, probe_skies=24, cosmic_rays=100, nside=8, widths=(4, 8), convolutions=2, neighbours=8, lens_nside=4,
    lens_rigidities=3, graph_neighbours=6, graph_widths=(6, 8), ensemble=10, epochs=1, batch_size=8, dropout=0.0,
)  # fmt: skip
QUICK = CosmicRaySourcesConfig(
    skies=2400, probe_skies=240, nside=32, widths=(8, 16, 16, 32, 32), convolutions=5, lens_nside=16, lens_rigidities=8,
    graph_widths=(16, 32), epochs=8, batch_size=16, ensemble=200, dropout=0.0,
)  # fmt: skip
STANDARD = CosmicRaySourcesConfig(
    skies=20_000, probe_skies=1600, widths=(16, 16, 32, 32, 64, 64), epochs=16, batch_size=16, dropout=0.1
)
PAPER = CosmicRaySourcesConfig()

study = Study(
    name="cosmic-ray-sources",
    title="A source of ultra-high-energy cosmic rays on the sphere",
    question="How few of a thousand cosmic rays must come from a source to see it at five sigma, and which are they?",
    reference="arXiv:2003.13038, arXiv:2012.15000",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema=SKY_SCHEMA,
    truth=SKY_TRUTH,
    lengths=lambda config: {"xyz": 3},  # a user's sky may have any number of cosmic rays
    records=lambda config: config.skies,
    records_per_chunk=200,
    simulate=simulate,
    learning_settings=(
        "skies",
        "probe_skies",
        "nside",
        "widths",
        "convolutions",
        "order",
        "neighbours",
        "activation",
        "pooling",
        "dense",
        "dense_activation",
        "dropout",
        "graph_neighbours",
        "graph_widths",
        "ensemble",
        *TRAINING,
    ),
    input_name="cosmic_rays",
    input=SKY_INPUT,
    input_lengths=lambda config: {"feature": 4},
    inputs=inputs,
    targets=targets,
    target_names=SKY_TARGETS,
    target_unit="",
    predictors=predictors,
    rows=rows,
    null=isotropic,
    read=read,
    resembles=resembles,
    headline=("graph", "signal", "auc"),
    probes={
        "helium": _probe("minimal model, helium", "minimal", "He"),
        "mixed": _probe("minimal model, 15 % H, 45 % He, 40 % CNO", "minimal", "mixed"),
        "jf12-helium": _probe("JF12, helium", "jf12", "He"),
        "jf12-mixed": _probe("JF12, 15 % H, 45 % He, 40 % CNO", "jf12", "mixed"),
        "planck-helium": _probe("JF12 tuned to Planck, helium", "jf12-planck", "He"),
        "uf23-helium": _probe("UF23 base, helium", "uf23", "He"),
    },
    search=SearchSpace(
        choices={
            "convolutions": (4, 3, 6),
            "dense": (1, 2, 4),
            "activation": ("relu", "leaky_relu", "sigmoid", "tanh", "softsign"),
            "dense_activation": ("relu", "leaky_relu", "sigmoid", "tanh", "softsign"),
            "pooling": ("average", "max"),
            "order": (3, 5, 10),
            "dropout": (0.2, 0.3, 0.4),
            "learning_rate": (1e-4, 1e-3, 3e-3),
        },
        predictor="deepsphere",
        target="signal",
        metric="auc",
        direction="maximize",
    ),
    citation=(
        "N. Langner, M. Erdmann, M. Wirtz, Search for cosmic ray sources using deep learning on spherical data (2019); "
        "T. Bister et al., Identification of patterns in cosmic-ray arrival directions using dynamic graph "
        "convolutional neural networks, Astropart. Phys. 126 (2021) 102527, arXiv:2003.13038"
    ),
)
