"""What a run of the emulator of nuclear collisions left, as its report reads it: numbers, events, arrays.

Files: ``metrics.json`` (rows of ``metrics.collision_rows`` and ``metrics.collision_isotopes``), ``run.json`` (seconds),
``config.json`` (settings), ``generated/test/*.h5`` (events), ``gallery.h5`` and ``explanations/*.h5``. Whatever is
missing is empty.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.collisions import Collisions, read_collisions
from cloudchamber.metrics.collision_rows import MEAN, main_channel, parts
from cloudchamber.report.files import TEST, Metrics, Score, read_metrics
from cloudchamber.report.page import read_record
from cloudchamber.report.transport_run import read_groups

Values = NDArray[Any]

FLOW, HELD_OUT = "flow", "held_out"
"""Generators by name: the second is the first, never shown the energy of the main collision."""
EXPLANATIONS = ("latent", "reconstruction", "conditions", "cost")


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        metrics: numbers.
        truth: the simulator's test events; None: there are none.
        models: events of the same conditions, by generator; floors too.
        gallery: arrays of pictures of the data.
        explanations: arrays by explanation.
        fit_seconds: of training, by generator.
        config: settings of the run.
    """

    metrics: Metrics
    truth: Collisions | None
    models: Mapping[str, Collisions]
    gallery: Mapping[str, Values]
    explanations: Mapping[str, Mapping[str, Values]]
    fit_seconds: Mapping[str, float]
    config: Mapping[str, Any]

    @cached_property
    def candidates(self) -> list[str]:
        """Generators that could stand in for the simulator: no floors, and not the one that lacks an energy."""
        return [name for name in self.metrics.contenders if name != HELD_OUT]

    def ranked(self, kind: str) -> list[tuple[str, Score]]:
        """Candidates of a kind with their mean distance, the nearest first; those without one are left out.

        Args:
            kind: "network" or "baseline".
        """
        known = [
            (name, one)
            for name in self.candidates
            if self.metrics.kinds[name] == kind and (one := self.metrics.score(name, "all", MEAN)) is not None
        ]
        return sorted(known, key=lambda pair: pair[1].value)

    @cached_property
    def shown(self) -> list[str]:
        """Generators that are drawn where there is no room for all: the networks, and the nearest baseline."""
        others = [name for name, _ in self.ranked("baseline")]
        others += [name for name in self.candidates if name not in others and self.metrics.kinds[name] != "network"]
        drawn = [name for name in self.candidates if self.metrics.kinds[name] == "network" and name in self.models]
        return drawn + [name for name in others if name in self.models][:1]

    @cached_property
    def floor(self) -> str | None:
        """The simulator again, by name."""
        return next((name for name, kind in self.metrics.kinds.items() if kind == "floor"), None)

    def floor_score(self, target: str, metric: str) -> Score | None:
        """A number of the floor.

        Args:
            target: of the number.
            metric: its name.
        """
        return None if self.floor is None else self.metrics.score(self.floor, target, metric)

    @cached_property
    def main(self) -> tuple[Collisions, dict[str, Collisions]] | None:
        """The events of the main channel, of the simulator and by generator; None: there are none."""
        if self.truth is None or not len(self.truth):
            return None
        channel = main_channel(self.truth)
        truth, *models = (
            one.ordered(parts(one, channel)["main channel"]) for one in (self.truth, *self.models.values())
        )
        return truth, {name: one for name, one in zip(self.models, models, strict=True) if len(one)}

    @property
    def largest_impact_parameter(self) -> float:
        """To which impact parameters are uniform [fm]."""
        return float(self.config.get("highest_impact_parameter", 8.0))

    @property
    def milliseconds(self) -> dict[str, float]:
        """Processor milliseconds of an event on one core, in batches, by generator."""
        known = self.explanations.get("cost", {})
        return {
            name: float(known[f"milliseconds/{name}"][0])
            for name in self.metrics.kinds
            if f"milliseconds/{name}" in known
        }

    @property
    def simulator_seconds(self) -> Values:
        """Processor seconds of an event of the simulator (event,)."""
        return np.asarray(self.explanations.get("cost", {}).get("simulator_seconds", np.zeros(0)), np.float64).ravel()


def read_run(run: Path) -> Found:
    """What the sections are made of.

    Args:
        run: the directory.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    record, config = (read_record(path) if path.exists() else {} for path in (run / "run.json", run / "config.json"))
    place = run / "generated" / TEST
    truth = read_collisions(place / "truth.h5")[0] if (place / "truth.h5").exists() else None
    files = {name: place / f"{name}.h5" for name in metrics.kinds}
    models = {name: read_collisions(file)[0] for name, file in files.items() if file.exists()}
    return Found(
        metrics, truth, {} if truth is None else models, read_groups(run / "gallery.h5"),
        {name: read_groups(run / "explanations" / f"{name}.h5") for name in EXPLANATIONS},
        _numbers(record.get("fit_s")), config,
    )  # fmt: skip


def _numbers(found: Any) -> dict[str, float]:
    """The finite numbers of an object of a JSON file; none if it is not there."""
    if not isinstance(found, dict):
        return {}
    return {
        name: float(one) for name, one in found.items() if isinstance(one, int | float) and math.isfinite(one)
    }  # fmt: skip
