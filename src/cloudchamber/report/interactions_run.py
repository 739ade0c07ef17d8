"""What a run of a study of generators of hadronic interactions has, as its report reads it: numbers and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cloudchamber.data.interactions import counted, events_of, read_events
from cloudchamber.report.files import Metrics, read_arrays, read_metrics
from cloudchamber.report.page import read_record
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Events

SIMULATORS = {"geant4": "Geant4", "urqmd": "UrQMD"}
"""Titles by name."""


@dataclass(frozen=True)
class Sample:
    """True events of a sample, and those of the generators; floors (the simulator again) are left out."""

    truth: Events
    models: Mapping[str, Events]


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        metrics: numbers.
        samples: events by sample.
        truth: title of the truth: ``"truth, Geant4"``; of a user's data ``"truth"``.
    """

    metrics: Metrics
    samples: Mapping[str, Sample]
    truth: str


def read_run(run: Path) -> Found:
    """What the sections are made of.

    Raises:
        BadInput: metrics.json or a file of events is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    samples = {}
    for path in sorted((run / "generated").glob("*/truth.h5")):
        files = {name: path.parent / f"{name}.h5" for name in metrics.contenders}
        made = {name: read_generated(file) for name, file in files.items() if file.exists()}
        samples[path.parent.name] = Sample(read_events(path)[0], made)
    return Found(metrics, samples, truth_title(run))


def truth_title(run: Path) -> str:
    """``"truth, Geant4"`` by the run's config.json; ``"truth"`` where that names no model or the events are a user's.

    Raises:
        BadInput: config.json or run.json is malformed.
    """
    config, record = (read_record(path) if path.exists() else {} for path in (run / "config.json", run / "run.json"))
    name = config.get("model")
    return f"truth, {SIMULATORS.get(name, name)}" if name and not record.get("data") else "truth"


def read_generated(path: Path) -> Events:
    """Events of a model as they are.

    Unlike those that ``data.interactions.read_events`` accepts, they may break conservation of energy.

    Raises:
        BadInput: columns are missing, or the file is no HDF5.
    """
    try:
        return events_of(counted(read_arrays(path)))
    except KeyError as missing:
        raise BadInput(f"{path} has no column {missing}: run the study again") from None
