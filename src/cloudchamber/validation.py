"""The steps of the road that are particular to the validation of a simulator; ``prediction`` has those of predictors.

A check that is finished leaves ``checks/<name>.json``, its rows, and ``checks/<name>.h5``, its arrays; a run that goes
on begins behind it. In run.json, ``checks`` has the title and wall time of each. Every check draws from a seed of its
own, which follows from the run's seed and the check's name: other checks change nothing in it.
"""

from __future__ import annotations

import json
import logging
import time
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cloudchamber.data.files import write_arrays, write_json
from cloudchamber.data.store import Dataset
from cloudchamber.metrics.criteria import BOUNDS, passes
from cloudchamber.metrics.rows import Row
from cloudchamber.run_directory import Resources, Run, note_data, simulated, simulated_probes
from cloudchamber.schema import BadInput, did_you_mean
from cloudchamber.study import ValidationStudy

log = logging.getLogger("cloudchamber")


def data_of(run: Run[ValidationStudy], resources: Resources) -> Dataset:
    """The records of a run: from the cache or the farm.

    Raises:
        BadInput: they are others than those that the run began with.
    """
    records = simulated(run, run.config, run.study.records(run.config), run.seed, resources)
    note_data(run, records.hash(), len(records))
    return records


def probes(run: Run[ValidationStudy], resources: Resources) -> dict[str, Dataset]:
    """The records of every probe, on disk."""
    return {name: records for name, (_, records) in simulated_probes(run, resources).items()}


def score(run: Run[ValidationStudy], records: Dataset, probes: Mapping[str, Dataset]) -> list[Row]:
    """Rows of metrics of every check; ``sample`` is the check's name. Those of a former session are read, not made.

    Raises:
        BadInput: a check has rows of something that is no subject of the study, or two of the same number.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in run.study.checks:
        done = run.path / "checks" / f"{name}.json"
        if not done.exists():
            perform(run, name, records, probes, done)
        found[name] = json.loads(done.read_text(encoding="utf-8"))
        run.note(checks={one: {key: found[one][key] for key in ("title", "wall_s")} for one in found})
    rows: list[Row] = [row for one in found.values() for row in one["rows"]]
    judged = [row for row in rows if passes(row) is not None]
    missed = [row for row in judged if not passes(row)]
    log.info("%d of %d criteria are met", len(judged) - len(missed), len(judged))
    for row in missed:
        log.warning(
            "criterion of %s not met: %s, %s of %s", row["sample"], row["predictor"], row["metric"], row["target"]
        )
    return rows


def perform(run: Run[ValidationStudy], name: str, records: Dataset, probes: Mapping[str, Dataset], done: Path) -> None:
    """Make a check and write what it found: its arrays, then its rows to ``done``, the sign that it is finished."""
    check = run.study.checks[name]
    log.info("checking %s (%s)", name, check.title)
    start = time.perf_counter()
    # two numbers: a chunk of the farm has a key of one
    seeds = np.random.SeedSequence(run.seed, spawn_key=(zlib.crc32(name.encode()), 0))
    result = check.run(run.config, records, probes, seeds)
    rows = [complete(row, name, run.study.subjects) for row in result.rows]
    places = [(row["predictor"], row["target"], row["metric"]) for row in rows]
    for place in places:
        if places.count(place) > 1:
            raise BadInput(f"check {name!r}: two rows of {', '.join(place)}: give each number a name of its own")
    write_arrays(done.with_suffix(".h5"), result.arrays)
    seconds = round(time.perf_counter() - start, 2)
    write_json(done, {"title": check.title, "wall_s": seconds, "rows": rows})
    log.info("checked %s in %.1f s", name, seconds)


def complete(row: Row, check: str, subjects: Mapping[str, str]) -> Row:
    """A row of a check as metrics.json has it: with the check's name as sample, without floor, numbers as Python's.

    Args:
        row: as ``metrics.rows.row`` makes it, perhaps with ``metrics.criteria.required``.
        check: name of the check.
        subjects: of the study.

    Raises:
        BadInput: the row is of something that is no subject.
    """
    subject = row["predictor"]
    if subject not in subjects:
        raise BadInput(f"check {check!r}: a row of {subject!r}, which is no subject{did_you_mean(subject, subjects)}")
    found = {"predictor": subject, "sample": check, "target": row["target"], "metric": row["metric"]}
    found |= {"value": float(row["value"]), "error": float(row["error"]), "n": int(row["n"])}
    return {**found, "floor": None, "unit": row["unit"], **{key: row[key] for key in BOUNDS if key in row}}
