"""What a run of a search for sources of cosmic rays has, as its report reads it: settings, numbers, predictions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data import ensembles
from cloudchamber.metrics.significance import ENOUGH, significance
from cloudchamber.report.files import Metrics, Score, Scored, read_metrics, read_scored

Values = NDArray[Any]

FIELDS = {
    "minimal": "the minimal model (coherent deflection about 1/R in one random direction, and blurring)",
    "jf12": "the JF12 Galactic field, regular, striated and turbulent",
    "jf12-regular": "the regular JF12 Galactic field",
    "jf12-planck": "the JF12 Galactic field tuned to Planck",
    "uf23": "the UF23 Galactic field",
}
TALK_NEEDS = 30.0
"""Signal cosmic rays of 1000 for five sigma, read off the talk's figure (its evaluation skies are JF12-based)."""
HELIUM = "helium"
"""The world of the training."""
TEMPLATE, LIKELIHOOD, TOP_HAT = "template", "likelihood", "top_hat"
CLEARLY = 2.0
"""Combined errors from which on a difference is called clear."""


class SkyConfig(Protocol):
    """What the sections read of a study's configuration."""

    @property
    def cosmic_rays(self) -> int:
        """In a sky."""

    @property
    def minimum_energy(self) -> float:
        """Of the cosmic rays in EeV."""

    @property
    def composition(self) -> str:
        """Of signal cosmic rays."""

    @property
    def exposure(self) -> str:
        """Of the observatory."""

    @property
    def field(self) -> str:
        """The Galactic magnetic field, a key of ``FIELDS``."""

    @property
    def coherent(self) -> float:
        """Deflection of the minimal model in rad EV over the rigidity."""

    @property
    def blurring(self) -> float:
        """Width of the minimal model's blurring in rad EV over the rigidity."""


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        config: of the study.
        metrics: numbers.
        scored: predictions by sample.
        worlds: titles of the samples that are no test split, by name.
        ensembles: further isotropic statistics (n,) by predictor.
    """

    config: SkyConfig
    metrics: Metrics
    scored: Mapping[str, Scored]
    worlds: Mapping[str, str]
    ensembles: Mapping[str, Values]

    @property
    def kinds(self) -> dict[str, str]:
        """Kinds of the predictors that search, the floor left out."""
        return self.metrics.contenders

    @property
    def field(self) -> str:
        """The Galactic field of the training in words, safe in HTML."""
        return escape(FIELDS.get(self.config.field, self.config.field))

    def world(self, name: str) -> str:
        """A world's title, safe in HTML."""
        return escape(self.worlds[name])

    def needed(self, name: str, world: str) -> Score | None:
        """Signal cosmic rays for five sigma; None if not reached, or already by the smallest number."""
        return self.metrics.score(name, "signal", "signal_needed", world)

    def isotropic(self, name: str) -> Values:
        """Statistics (n,) of the isotropic skies of all samples, which are alike, and of the predictor's ensemble."""
        own = [one.predictions[name].mean[one.truth[:, 0] == 0, 0].astype(np.float64) for one in self.scored.values()]
        return np.concatenate([*own, self.ensembles.get(name, np.zeros(0))])


def read_run(run: Path, config: SkyConfig, titles: Mapping[str, str]) -> Found:
    """What the sections are made of.

    Args:
        run: the directory.
        config: of the study.
        titles: what is different in each further world, by name.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    scored = read_scored(run / "predictions.h5", metrics, 5, "(skies, 5)")
    worlds = {name: title for name, title in titles.items() if name in scored}
    homes = {name: run / "null" / name for name in metrics.titles}
    known_ensembles = {name: ensembles.read(home) for name, home in homes.items() if any(home.glob("*.h5"))}
    return Found(config, metrics, scored, worlds, known_ensembles)


def compared(one: Score, other: Score, fewer: str, more: str) -> str:
    """How one number stands to another: ``fewer``, ``more``, or the same within CLEARLY combined errors."""
    error = math.hypot(one.error, other.error)
    gap = one.value - other.value
    if not error > 0:
        return f"{fewer if gap < 0 else more}, with an error that is not known"
    words = f"{abs(gap) / error:.1f} combined errors"
    if abs(gap) <= CLEARLY * error:
        return f"the same within the errors ({words} {'below' if gap < 0 else 'above'})"
    return f"clearly {fewer if gap < 0 else more} ({words})"


def measured_sigma(isotropic: int) -> float:
    """Significance up to which so many isotropic skies count p-values: ENOUGH of them reach it.

    Beyond it, p-values come from the fitted tail.
    """
    return float(significance(ENOUGH / (1 + isotropic)))
