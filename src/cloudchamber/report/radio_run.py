"""What a run of radio-denoising has, as its report reads it: settings, numbers, predictions, who plays which part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.radio_traces import TARGETS
from cloudchamber.metrics.radio import bins
from cloudchamber.report.files import Metrics, Score, Scored, read_metrics, read_scored

Values = NDArray[Any]

BOUND, DENOISER, CLASSIFIER = "matched_true", "denoiser", "classifier"
"""Names of the matched filter that knows the pulse, and of the networks."""
NOISE = "noise"
"""The probe without pulses."""
MOST_BIAS, MOST_RESOLUTION, LEAST_EFFICIENCY, MOST_FALSE = 0.03, 0.20, 0.90, 0.002
"""What is demanded of the networks for SNR above 3."""


class RadioConfig(Protocol):
    """What the sections read of the study's configuration."""

    @property
    def snr_min(self) -> float:
        """Smallest signal-to-noise ratio."""

    @property
    def snr_max(self) -> float:
        """Largest."""

    @property
    def lines_max(self) -> int:
        """Most transmitters in a trace."""

    @property
    def burst_rate(self) -> float:
        """Mean number of sparks in a trace."""

    @property
    def pulse_fraction(self) -> float:
        """Share of the traces with a pulse."""


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        config: of the study.
        metrics: numbers.
        scored: predictions by sample.
        worlds: titles of the samples that are no test split, by name.
    """

    config: RadioConfig
    metrics: Metrics
    scored: Mapping[str, Scored]
    worlds: Mapping[str, str]

    @property
    def rivals(self) -> dict[str, str]:
        """Kinds by name of the baselines that know no truth."""
        return {name: kind for name, kind in self.metrics.contenders.items() if kind == "baseline" and name != BOUND}

    def by_snr(self, target: str, metric: str, names: Mapping[str, str], ending: str = "") -> dict[str, list[Point]]:
        """(low, high, score) of each bin of SNR, by predictor; bins without a number are left out."""
        found = {}
        for name in names:
            points = [
                (low, high, score)
                for label, (low, high) in bins().items()
                if np.isfinite(high)
                and (score := self.metrics.score(name, f"{target}{label}", f"{metric}{ending}")) is not None
            ]
            if points:
                found[name] = points
        return found


Point = tuple[float, float, Score]


def read_run(run: Path, config: RadioConfig, titles: Mapping[str, str]) -> Found:
    """What the sections are made of.

    Args:
        run: the directory.
        config: of the study.
        titles: what is different in each further data set, by name.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    scored = read_scored(
        run / "predictions.h5", metrics, len(TARGETS), f"(traces, {len(TARGETS)}): numbers and a waveform"
    )
    return Found(config, metrics, scored, {name: title for name, title in titles.items() if name in metrics.samples})
