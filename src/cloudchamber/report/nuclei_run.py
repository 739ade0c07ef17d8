"""What a run of the nuclear-shape study has, as its report reads it: configuration, numbers, predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.report import words
from cloudchamber.report.files import Metrics, Scored, read_metrics, read_scored
from cloudchamber.report.nuclei_figures import TARGETS
from cloudchamber.schema import BadInput

Values = NDArray[Any]

said = partial(words.said, unknown="unknown")
"""A number with its error, or "unknown"."""


class ShapeConfig(Protocol):
    """What the sections read of the study's configuration."""

    @property
    def nucleus(self) -> str:
        """Name in the table of nuclei."""

    @property
    def radius(self) -> float | None:
        """Of the Woods-Saxon density in fm; None: the table's."""

    @property
    def diffuseness(self) -> float | None:
        """Of the Woods-Saxon density in fm; None: the table's."""

    @property
    def beta2_max(self) -> float:
        """Largest absolute quadrupole deformation."""

    @property
    def beta4_max(self) -> float:
        """Largest absolute hexadecapole deformation."""

    @property
    def events(self) -> int:
        """Simulated collisions of a nucleus."""

    @property
    def centrality(self) -> float:
        """Fraction of these, the most central ones, that is in the image."""

    @property
    def residual_fluctuation(self) -> float:
        """Of v2 at a fixed elongation, relative."""

    @property
    def v2_max(self) -> float:
        """Upper edge of the image."""

    @property
    def multiplicity_max(self) -> float:
        """Right edge of the image."""

    @property
    def members(self) -> int:
        """Networks of an ensemble."""

    @property
    def ablation_members(self) -> int:
        """Networks of the ensemble without squeeze-excitation."""


@dataclass(frozen=True)
class Names:
    """Which predictors play which part.

    Attributes:
        network: reads the image alone.
        size_network: also reads the size channel.
        plain_network: as ``network``, without squeeze-excitation.
        size_ending: how names of predictors end that read the size channel.
        branches: a physicist's method on the image alone whose two answers of opposite sign are worth a picture.
    """

    network: str = "se_resnet"
    size_network: str = "se_resnet_size"
    plain_network: str = "resnet"
    size_ending: str = "_size"
    branches: str = "template"


@dataclass(frozen=True)
class Found:
    """All that is known of a run."""

    config: ShapeConfig
    metrics: Metrics
    scored: Mapping[str, Scored]
    names: Names

    def extent(self, arrays: Mapping[str, Values]) -> tuple[float, float, float, float]:
        """Left, right, bottom, top of an image."""
        across = arrays.get("edges_multiplicity", np.array([0.0, self.config.multiplicity_max]))
        up = arrays.get("edges_v2", np.array([0.0, self.config.v2_max]))
        return float(across[0]), float(across[-1]), float(up[0]), float(up[-1])


def read_run(run: Path, config: ShapeConfig, names: Names) -> Found:
    """What the sections are made of.

    Raises:
        BadInput: a file is malformed, or a sample has no records.
    """
    metrics, path = read_metrics(run / "metrics.json"), run / "predictions.h5"
    expected = f"(records, 4): {', '.join(TARGETS)}"
    scored = read_scored(path, metrics, len(TARGETS), expected)
    for sample, one in scored.items():
        if not len(one.truth):
            raise BadInput(f"{path}: the truth of {sample!r} has shape {one.truth.shape}; expected {expected}")
    return Found(config, metrics, scored, names)
