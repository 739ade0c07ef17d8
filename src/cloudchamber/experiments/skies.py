"""Arrival directions of cosmic rays, as an experiment: settings, skies as inputs, the searches and the networks.

A sky is (cosmic_ray, 4): x, y, z of a Galactic unit vector and the energy in EeV; all predictors read the same skies.
Every one answers with a test statistic that is larger for skies that look like signal (networks: log-odds in float64),
the fraction of cosmic rays from sources, and a direction (see ``data.skies``); isotropic skies turn the statistic into
a p-value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

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
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays, Config, Learning
from cloudchamber.study import Predictor, PredictorStudy, Probe, SearchSpace, late

if TYPE_CHECKING:
    from torch import nn

    from cloudchamber.report.page import Section
    from cloudchamber.simulators.cosmicrays.lens import Lens
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

Deflections = Literal["minimal", "jf12", "jf12-regular", "jf12-planck", "uf23"]
Activation = Literal["relu", "leaky_relu", "sigmoid", "tanh", "softsign"]


class SkyConfig(Config):
    """Settings of a study of arrival directions."""

    cosmic_rays: int = Field(1000, ge=LEAST_COSMIC_RAYS, description="cosmic rays in a sky")
    minimum_energy: float = Field(40.0, ge=1, le=200, description="lowest energy in EeV")
    composition: str = Field("He", description="of the signal: He, mixed (15 % H, 45 % He, 40 % CNO), or H:0.5,He:0.5")
    exposure: str = Field("full", description="of the observatory: full, auger, telescope-array")
    field: Deflections = Field("minimal", description="deflections: the minimal model, or a Galactic field's lens")
    coherent: float = Field(5.1, ge=0, description="minimal model: coherent deflection times rigidity in rad EV")
    blurring: float = Field(2.79, ge=0, description="minimal model: sigma of the blurring times rigidity in rad EV")
    lens_nside: int = Field(64, ge=1, description="HEALPix resolution of the lens, a power of two")
    lens_rigidities: int = Field(20, ge=2, description="rigidities of the lens from 5 to 300 EV")
    nside: Learning[int] = Field(64, ge=2, description="HEALPix resolution of DeepSphere's maps, a power of two")
    widths: Learning[tuple[int, ...]] = Field(
        (64, 64, 64, 64, 64, 64), description="features of DeepSphere's first layers"
    )
    convolutions: Learning[int] = Field(6, ge=1, le=7, description="convolutional layers of DeepSphere")
    order: Learning[int] = Field(5, ge=2, le=10, description="Chebyshev polynomials of a convolution")
    neighbours: Learning[Literal[8, 20, 40]] = Field(20, description="neighbours of a pixel in DeepSphere's graph")
    activation: Learning[Activation] = Field("relu", description="after DeepSphere's convolutions")
    pooling: Learning[Literal["average", "max"]] = Field("average", description="of four pixels between convolutions")
    dense: Learning[int] = Field(1, ge=0, le=4, description="hidden dense layers of DeepSphere")
    dense_activation: Learning[Activation] = Field("relu", description="after its dense layers")
    dropout: Learning[float] = Field(0.2, ge=0, lt=1, description="before and between its dense layers")
    graph_neighbours: Learning[int] = Field(24, ge=1, description="neighbours of a cosmic ray in the graph network")
    graph_widths: Learning[tuple[int, ...]] = Field(
        (32, 32, 64), description="features after each edge convolution; last: dynamic"
    )
    ensemble: Learning[int] = Field(
        500, ge=2, description="isotropic skies that normalise the scans of the classical searches"
    )
    epochs: Learning[int] = Field(
        5, ge=1, description="passes of the graph network over the training skies, each time redrawn"
    )
    deepsphere_epochs: Learning[int] = Field(
        3, ge=1, description="passes of DeepSphere, whose steps take longer on a processor"
    )
    batch_size: Learning[int] = Field(32, ge=2, description="skies a step")
    learning_rate: Learning[float] = Field(3e-3, gt=0, description="largest rate of the one-cycle schedule")
    weight_decay: Learning[float] = Field(1e-2, ge=0, description="decoupled weight decay")

    @field_validator("widths", "graph_widths")
    @classmethod
    def _some(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or min(value) < 1:
            raise ValueError("give one number of features a layer, each at least 1, such as 16,32")
        return value

    @field_validator("neighbours", mode="before")
    @classmethod
    def _number(cls, value: Any) -> Any:
        """``--set neighbours=40`` as a number, which a choice does not make of text by itself."""
        return int(value) if isinstance(value, str) and value.isdigit() else value

    @field_validator("nside", "lens_nside")
    @classmethod
    def _power_of_two(cls, value: int) -> int:
        if value & (value - 1):
            raise ValueError(f"nside {value} is not a power of two: give 1, 2, 4, ..., 64")
        return value

    @field_validator("composition")
    @classmethod
    def _known_charges(cls, value: str) -> str:
        from cloudchamber.simulators.cosmicrays.spectrum import charges_of

        charges_of(value)
        return value

    @field_validator("exposure")
    @classmethod
    def _known_exposure(cls, value: str) -> str:
        from cloudchamber.simulators.cosmicrays.exposure import view_of

        view_of(value)
        return value


def sky_options(config: SkyConfig) -> SkyOptions:
    """What a sky is made of, for the simulator."""
    from cloudchamber.simulators.cosmicrays.skies import SkyOptions

    names = ("cosmic_rays", "minimum_energy", "composition", "exposure", "coherent", "blurring")
    return SkyOptions(**{name: getattr(config, name) for name in names})


def lens_of(config: SkyConfig) -> Lens | None:
    """The Galactic field's lens from the cache (made if it is not there); None for the minimal model."""
    if config.field == "minimal":
        return None
    from cloudchamber.data.lenses import cached_lens
    from cloudchamber.simulators.cosmicrays.lens import default_rigidities

    return cached_lens(config.field, config.lens_nside, default_rigidities(config.lens_rigidities))


def redrawn(config: SkyConfig, records: Arrays, seed: int) -> Arrays:
    """An augmented copy: the isotropic cosmic rays drawn afresh; in the minimal model the source turned elsewhere."""
    from cloudchamber.simulators.cosmicrays.skies import redraw

    new = redraw(records, sky_options(config), seed, rotate=config.field == "minimal")
    if "sources" in records:
        # where all cosmic rays come from sources, fresh energies of those that are no signal would betray the copies
        rng = np.random.default_rng((seed, 1))
        for sky in range(len(new["energy"])):
            single = records["energy"][sky][records["signal"][sky] == 0]
            new["energy"][sky][new["signal"][sky] == 0] = rng.permutation(single)
    return new


def inputs(config: SkyConfig, records: Arrays, rng: np.random.Generator | None) -> Inputs:
    """The cosmic rays (sky, cosmic_ray, 4); with ``rng`` of a redrawn sky."""
    return cosmic_rays_of(records if rng is None else redrawn(config, records, int(rng.integers(2**62))))


def targets(config: SkyConfig, records: Arrays) -> NDArray[np.float32]:
    """(sky, 5), see ``data.skies.SKY_TARGETS``."""
    return targets_of(records)


def isotropic(config: SkyConfig, like: Inputs | None, count: int, seeds: np.random.SeedSequence) -> Inputs:
    """Isotropic skies (sky, cosmic_ray, 4) seen with the exposure of the settings.

    With the inputs ``like`` of one sky: that sky with its right ascensions drawn afresh. Energies and declinations
    stay, so that the skies are isotropic as seen with the sky's own exposure, whichever it is, as long as it depends on
    declination only.
    """
    from cloudchamber.simulators.cosmicrays.directions import to_equatorial, to_galactic
    from cloudchamber.simulators.cosmicrays.skies import draw_skies

    if like is None:
        return cosmic_rays_of(draw_skies(sky_options(config), np.zeros(count, np.int64), seeds))
    equatorial = to_equatorial(like[0, :, :3].astype(np.float64))
    right_ascension = np.random.default_rng(seeds).uniform(0, 2 * np.pi, (count, len(equatorial)))
    across = np.hypot(equatorial[:, 0], equatorial[:, 1])
    height = np.broadcast_to(equatorial[:, 2], right_ascension.shape)
    turned = np.stack([across * np.cos(right_ascension), across * np.sin(right_ascension), height], axis=-1)
    energy = np.broadcast_to(like[0, :, 3:], (*right_ascension.shape, 1))
    return np.concatenate([to_galactic(turned), energy], axis=-1).astype(np.float32)


# --- predictors -------------------------------------------------------------------------------------------------------


def pair_counts(skies: Inputs) -> NDArray[np.float64]:
    """(sky, scale): part of all pairs that is closer than 1 to 30 degrees, what the statistical learner reads."""
    from cloudchamber.baselines.sky_autocorrelation import pairs_within_angles

    pairs = skies.shape[1] * (skies.shape[1] - 1) / 2  # skies of other sizes are comparable
    shares: NDArray[np.float64] = np.stack([pairs_within_angles(sky.astype(np.float64)) for sky in skies]) / pairs
    return shares


def deepsphere(config: SkyConfig) -> nn.Module:
    """The talk's network: spherical convolutions, statistical layer, dense layers."""
    from cloudchamber.networks.deepsphere import DeepSphere

    widths = (config.widths + config.widths[-1:] * config.convolutions)[: config.convolutions]
    return DeepSphere(
        channels=2, outputs=2, nside=config.nside, widths=widths, order=config.order, neighbours=config.neighbours,
        activation=config.activation, pooling=config.pooling, dense=config.dense,
        dense_activation=config.dense_activation, dropout=config.dropout,
    )  # fmt: skip


def graph(config: SkyConfig) -> nn.Module:
    """The talk's outlook: a dynamic graph network on the cosmic rays themselves."""
    from cloudchamber.networks.dynamic_graph import DynamicGraph

    layers = len(config.graph_widths)
    return DynamicGraph(
        neighbours=min(config.graph_neighbours, config.cosmic_rays - 1), widths=config.graph_widths,
        dynamic=(False,) * (layers - 1) + (True,),
    )  # fmt: skip


def as_they_are(cosmic_rays: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the graph network reads."""
    return cosmic_rays


def predictors(config: SkyConfig, seed: int, device: str) -> dict[str, Predictor]:
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

    options = TrainingOptions.of(config)
    sphere = options.changed({"epochs": config.deepsphere_epochs})
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
        "deepsphere": SourceDetector("DeepSphere", partial(deepsphere, config), maps, redraw, sphere, seed, device),
        "graph": SourceDetector("graph network", partial(graph, config), as_they_are, redraw, options, seed, device),
    }  # fmt: skip


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """AUC, significance by number of signal cosmic rays, number needed for five sigma, fraction and direction."""
    from cloudchamber.metrics.searches import search_rows

    return [row for name, said in predictions.items() for row in search_rows(name, truth, said.mean, rng)]


def rows_of_one_kind(
    truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator
) -> list[Row]:
    """As ``rows``, for skies whose signal is all of one kind.

    Instead of numbers of signal cosmic rays: significance of the median sky (``median_sigma``) and the fraction that is
    found at 5 sigma (``found_5_sigma``).
    """
    from cloudchamber.metrics.searches import kind_rows

    return [row for name, said in predictions.items() for row in kind_rows(name, truth, said.mean, rng)]


def resembles(skies: Inputs) -> NDArray[np.float64]:
    """(sky, 5): ln(number of cosmic rays); mean, smallest and largest ln(energy); length of the mean direction.

    The last is large for a partial exposure.
    """
    energy = np.log(np.maximum(skies[..., 3].astype(np.float64), 1e-3))
    number = np.full(len(skies), float(np.log(skies.shape[1])))
    dipole = np.linalg.norm(skies[..., :3].mean(axis=1, dtype=np.float64), axis=1)
    return np.stack([number, energy.mean(axis=1), energy.min(axis=1), energy.max(axis=1), dipole], axis=1)


def read(config: SkyConfig, path: Path, mapping: Mapping[str, str] | None) -> Arrays | None:
    """A user's catalogue of arrival directions: CSV, FITS, or HDF5 columns of one number a cosmic ray."""
    import h5py

    from cloudchamber.data.catalogue import is_catalogue, read_catalogue

    own = is_catalogue(path)
    if h5py.is_hdf5(path):
        with h5py.File(path) as file:
            own = all(one.ndim < 2 for one in file.values() if isinstance(one, h5py.Dataset))
    return read_catalogue(path, config.minimum_energy, mapping) if own else None


EXPLANATIONS = {name: late(f"cloudchamber.explain.skies:{name}") for name in ("maps", "roc", "deletion", "sanity")}
"""Which cosmic rays make a network call a sky signal, see ``explain.skies``."""

SEARCH = SearchSpace(
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
)
"""What ``cloudchamber search`` tries: the talk's table, with rates for an optimiser that has a one-cycle schedule."""


# --- the studies ------------------------------------------------------------------------------------------------------


def study_of(
    *,
    name: str,
    title: str,
    question: str,
    presets: Mapping[str, SkyConfig],
    simulate: Callable[[Any, int, int, np.random.SeedSequence], Arrays],
    columns: Mapping[str, Array],
    rows: Callable[[NDArray[np.float32], Mapping[str, Prediction], np.random.Generator], list[Row]],
    probes: Mapping[str, Probe],
    sections: Callable[[Path, Any, Mapping[str, str]], list[Section]],
    citation: str,
) -> PredictorStudy:
    """A study of arrival directions: what is particular to it, with what they share.

    ``columns`` are what its simulation knows besides ``data.skies.SKY_SCHEMA``; the other arguments are as the fields
    of ``study.PredictorStudy``.
    """
    return PredictorStudy(
        name=name,
        title=title,
        question=question,
        reference="arXiv:2003.13038, arXiv:2012.15000",
        presets=presets,
        schema={**SKY_SCHEMA, **columns},
        truth=(*SKY_TRUTH, *columns),
        lengths=lambda config: {"xyz": 3},  # a user's sky may have any number of cosmic rays
        records=lambda config: config.skies,
        records_per_chunk=200,
        simulate=simulate,
        input_name="cosmic_rays",
        input=SKY_INPUT,
        input_lengths=lambda config: {"feature": 4},
        inputs=inputs,
        targets=targets,
        target_names=SKY_TARGETS,
        predictors=predictors,
        rows=rows,
        null=isotropic,
        read=read,
        resembles=resembles,
        headline=("graph", "signal", "auc"),
        probes=probes,
        explanations=EXPLANATIONS,
        sections=sections,
        search=SEARCH,
        citation=citation,
    )
