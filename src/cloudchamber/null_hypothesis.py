"""Many records of a search's null hypothesis: p-values that are measured instead of extrapolated.

``null/<predictor>/`` of a run holds the test statistics of isotropic skies (or whatever the study's ``null`` makes), as
many as were asked for; the run's metrics of that predictor are then made again with the larger ensemble.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber import farm
from cloudchamber.data import ensembles
from cloudchamber.data.files import exclusive, write_json
from cloudchamber.farm import Progress
from cloudchamber.metrics.rows import Row
from cloudchamber.prediction import pooled_rows
from cloudchamber.run import write_report
from cloudchamber.run_directory import ROW, Run, open_run, read_metrics, restored
from cloudchamber.schema import BadInput, fingerprint
from cloudchamber.study import PredictorStudy, of_kind

NULL_CHUNK = 2000
"""Null records of one chunk of an ensemble: a minute's work at most, and what a kill can cost."""


def extend(
    path: Path, predictor: str, n: int, share: str, device: str, progress: Progress | None = None
) -> tuple[Path, int]:
    """Extend the ensemble of a predictor's test statistic under the null hypothesis, and judge with it.

    The ensemble is ``null/<predictor>/`` of the run; that predictor is scored again with it, and the report rebuilt.

    Args:
        path: a finished run of a study with a null hypothesis.
        predictor: by name.
        n: null records in all.
        share: ``"2/3"``: this process makes the second of three equal shares; the last to end scores.
        device: for networks.
        progress: called with (chunks done, chunks in all) of this share.

    Returns:
        The directory of the ensemble, and the number of records in it.

    Raises:
        BadInput: the study has no null hypothesis, no such predictor, a share that is none, other weights than before.
    """
    run = open_run(path)
    of_kind(run.study, PredictorStudy, "null")
    if run.study.null is None:
        raise BadInput(f"study {run.study.name!r} has no null hypothesis: there is nothing to repeat", status=2)
    read_metrics(path)  # refuses a run that is not finished before the work
    directory, values = null_statistic(run, predictor, n, share, device, progress)
    if len(values) >= n:
        with exclusive(path, wait=True):
            metrics = read_metrics(path)  # another predictor's may have been scored meanwhile
            metrics["rows"] = _replaced(metrics["rows"], rescored(run, predictor, values))
            write_json(path / "metrics.json", metrics)
            write_report(run)
    return directory, len(values)


def null_statistic(
    run: Run[PredictorStudy], predictor: str, n: int, share: str, device: str, progress: Progress | None = None
) -> tuple[Path, NDArray[np.float64]]:
    """The directory of a fitted predictor's ensemble and its values (n,), extended as ``extend`` says."""
    study, config = run.study, run.config
    make = study.null
    assert make is not None
    first, slash, shares = share.partition("/")
    if not (slash and first.isdigit() and shares.isdigit() and 1 <= int(first) <= int(shares)):
        raise BadInput(f"--share {share}: write it as 1/2 and 2/2 for two processes", status=2)
    chosen = restored(run, device, predictor)[predictor]
    weights = run.path / "checkpoints" / predictor
    files = sorted(file for file in weights.rglob("*") if file.suffix in {".pt", ".npz", ".json"})
    known = [config.model_dump(mode="json"), farm.code_hash(study)]
    key = fingerprint([*known, *(sha256(file.read_bytes()).hexdigest() for file in files)])

    def statistic(seeds: np.random.SeedSequence, count: int) -> NDArray[np.float64]:
        parts = np.array_split(make(config, None, count, seeds), -(-count // 256))
        return np.concatenate([chosen.predict(part).mean[:, 0].astype(np.float64) for part in parts])

    directory = run.path / "null" / predictor
    seed = run.seed + 2_000_003  # not the seed of any data set of the run
    ensembles.extend(directory, key, n, NULL_CHUNK, seed, statistic, progress, (int(first) - 1, int(shares)))
    return directory, ensembles.read(directory)


def rescored(run: Run[PredictorStudy], predictor: str, ensemble: NDArray[np.float64]) -> list[Row]:
    """Rows of one predictor on every sample of predictions.h5, with further null records of known statistic."""
    with h5py.File(run.path / "predictions.h5") as file:
        truths = {sample: group["truth"][:] for sample, group in file.items()}
        said = {sample: group[predictor]["mean"][:] for sample, group in file.items()}
    rows: list[Row] = []
    for sample in truths:
        found = pooled_rows(run, predictor, sample, truths, said, ensemble)
        rows += [{**row, "sample": sample, "floor": None} for row in found]
    return [{key: row[key] for key in ROW} for row in rows]


def _replaced(rows: list[Row], new: list[Row]) -> list[Row]:
    """The table with new rows in the places of the old, whose floors stay; what has no new row stays."""

    def place(row: Row) -> tuple[Any, ...]:
        return row["predictor"], row.get("sample"), row["target"], row["metric"]

    found = {place(row): row for row in new}
    table = []
    for row in rows:
        again = found.pop(place(row), None)
        kept = {"floor": row["floor"]} if "floor" in row else {}
        table.append(row if again is None else {**again, **kept})
    return table + list(found.values())
