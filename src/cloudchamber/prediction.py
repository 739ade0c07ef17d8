"""The steps of the road that are particular to studies of predictors; ``generation`` has those of generators.

Samples are a split of the records on disk; what lies in memory are predictions, and inputs of one batch at a time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import open_file, reading, write_arrays
from cloudchamber.data.own import read_own
from cloudchamber.data.samples import ArrayRecords, Prediction, Records, Samples
from cloudchamber.data.seal import is_sealed
from cloudchamber.data.splits import split_by_group
from cloudchamber.data.store import held_in_memory
from cloudchamber.metrics.rows import Row, regression_rows
from cloudchamber.run_directory import (
    Resources,
    Run,
    note_data,
    open_run,
    restored,
    simulated,
    simulated_probes,
    with_floors,
)
from cloudchamber.schema import Arrays, BadInput, Config, did_you_mean
from cloudchamber.study import Predictor, PredictorStudy, of_kind

log = logging.getLogger("cloudchamber")

BATCH = 256
"""Samples whose inputs are in memory at once."""


# --- the steps of the road --------------------------------------------------------------------------------------------


def data_of(run: Run[PredictorStudy], resources: Resources) -> Records:
    """The records of a run: from the cache or the farm, or the user's own.

    Raises:
        BadInput: they are others than those that the run began with.
    """
    records: Records
    if run.record["data"] is not None:
        records = read_own(Path(run.record["data"]), run.study.schema, run.study.lengths(run.config), None)
    else:
        records = simulated(run, run.config, run.study.records(run.config), run.seed, resources)
    note_data(run, records.hash(), len(records))
    return records


def split(run: Run[PredictorStudy], records: Records) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples of a run, split by physics group."""
    train, validation, test = splits(run.study, run.config, records, run.seed)
    return held_in_memory(train), held_in_memory(validation), test


def probes(run: Run[PredictorStudy], resources: Resources) -> dict[str, Samples]:
    """The samples of every probe."""
    found = simulated_probes(run, resources)
    return {name: samples_of(run.study, config, records) for name, (config, records) in found.items()}


def score(
    run: Run[PredictorStudy],
    predictors: Mapping[str, Predictor],
    train: Samples,
    test: Samples,
    probes: Mapping[str, Samples],
) -> list[Row]:
    """Rows of metrics for the test split and every probe, each with the floor (that metric of the ``floor`` predictor).

    Writes predictions.h5, and training_range.h5, by which ``evaluate`` tells what is unlike the training.
    """
    study = run.study
    write_training_range(study, train, run.path / "training_range.h5")
    samples = {"test": test, **probes}
    said = {name: predict_all(predictors, one) for name, one in samples.items()}
    write_predictions(run.path / "predictions.h5", study, samples, said)
    rows: list[Row] = []
    for name, one in samples.items():
        if study.null is None:
            found = rows_of(study, one.targets, said[name], run.seed)
        else:
            truths = {other: samples[other].targets for other in samples}
            found = []
            for predictor in predictors:
                means = {other: said[other][predictor].mean for other in samples}
                found += pooled_rows(run, predictor, name, truths, means, np.zeros(0))
        rows += [{**row, "sample": name} for row in found]
    return with_floors(rows, predictors)


# --- samples ----------------------------------------------------------------------------------------------------------


def samples_of(
    study: PredictorStudy, config: Config, records: Records, indices: NDArray[np.int64] | None = None
) -> Samples:
    """The samples of a data set that ``indices`` names; None: all."""
    chosen = np.arange(len(records), dtype=np.int64) if indices is None else indices
    # only the columns of the truth: targets and groups never need the events
    truth = study.truth_of(config, records.read(chosen, study.truth_columns))
    return Samples(records, chosen, partial(study.inputs, config), truth, study.target_names)


def splits(study: PredictorStudy, config: Config, records: Records, seed: int) -> tuple[Samples, Samples, Samples]:
    """Training, validation and test samples of a data set, split by physics group."""
    groups = np.arange(len(records), dtype=np.int64)
    if study.groups is not None:
        groups = study.groups(config, records.read(groups, study.truth_columns))
    train, validation, test = (samples_of(study, config, records, part) for part in split_by_group(groups, seed))
    return train, validation, test


def batches(samples: Samples) -> list[NDArray[np.int64]]:
    """Positions of samples, BATCH at most at a time."""
    return np.array_split(np.arange(len(samples), dtype=np.int64), max(-(-len(samples) // BATCH), 1))


def predict_all(predictors: Mapping[str, Predictor], samples: Samples) -> dict[str, Prediction]:
    """Every predictor on every sample, in batches, so that memory does not grow with the data set."""
    parts: dict[str, list[Prediction]] = {name: [] for name in predictors}
    for batch in batches(samples):
        inputs = samples.inputs(batch)
        for name, predictor in predictors.items():
            parts[name].append(predictor.predict(inputs))

    def joined(part: list[Prediction]) -> Prediction:
        stds = [piece.std for piece in part if piece.std is not None]
        return Prediction(np.concatenate([piece.mean for piece in part]), np.concatenate(stds) if stds else None)

    return {name: joined(part) for name, part in parts.items()}


def write_predictions(
    path: Path, study: PredictorStudy, samples: Mapping[str, Samples], said: Mapping[str, Mapping[str, Prediction]]
) -> None:
    """predictions.h5: a group a sample, with the truth and each predictor's mean and standard deviation."""
    arrays: dict[str, Any] = {}
    for name, one in samples.items():
        arrays |= {f"{name}/truth": one.targets, f"{name}/index": one.indices}
        arrays |= as_arrays(said[name], f"{name}/")
    write_arrays(path, arrays, {"targets": list(study.target_names), "unit": study.target_unit})


def as_arrays(predictions: Mapping[str, Prediction], prefix: str = "") -> Arrays:
    """Predictions as arrays by slash-separated name."""
    arrays: Arrays = {}
    for name, prediction in predictions.items():
        arrays[f"{prefix}{name}/mean"] = prediction.mean
        if prediction.std is not None:
            arrays[f"{prefix}{name}/std"] = prediction.std
    return arrays


# --- rows of metrics --------------------------------------------------------------------------------------------------


def rows_of(
    study: PredictorStudy, truth: NDArray[np.float32], predictions: Mapping[str, Prediction], seed: int
) -> list[Row]:
    """Rows of metrics of one sample, as the study makes them."""
    rng = np.random.default_rng(seed)
    if study.rows is not None:
        return study.rows(truth, predictions, rng)
    return regression_rows(truth, predictions, rng, study.target_names, study.target_unit)


def pooled_rows(
    run: Run[PredictorStudy],
    predictor: str,
    sample: str,
    truths: Mapping[str, NDArray[Any]],
    said: Mapping[str, NDArray[Any]],
    ensemble: NDArray[np.float64],
) -> list[Row]:
    """Rows of a search on one sample, judged with the null records of all samples and of an ensemble: they are alike.

    Args:
        run: of a study with a null hypothesis, whose records have a first target of 0.
        predictor: whose rows.
        sample: of which sample.
        truths: targets (record, target) by sample.
        said: answers (record, target) by sample.
        ensemble: further null statistics (n,).
    """
    null = [said[one][truths[one][:, 0] == 0, 0].astype(np.float64) for one in truths if one != sample]
    statistic = np.concatenate([*null, ensemble])
    known = np.full((len(statistic), said[sample].shape[1]), np.nan)
    known[:, 0] = statistic
    nothing = np.zeros((len(known), truths[sample].shape[1]), np.float32)
    whole = Prediction(np.concatenate([said[sample].astype(np.float64), known]))
    truth = np.concatenate([truths[sample], nothing])
    return rows_of(run.study, truth, {predictor: whole}, run.seed)


# --- the range of the training ----------------------------------------------------------------------------------------


def _numbers(study: PredictorStudy, inputs: NDArray[np.float32]) -> NDArray[np.float64]:
    """What of the inputs is compared with the training's."""
    return inputs.astype(np.float64) if study.resembles is None else study.resembles(inputs)


def write_training_range(study: PredictorStudy, train: Samples, path: Path) -> None:
    """Keep what is needed to say later whether new inputs resemble the training's (see ``outside_training_range``)."""
    inputs = train.inputs(np.arange(min(len(train), 2000)))
    numbers = _numbers(study, inputs)
    mean, spread = numbers.mean(0), numbers.std(0)
    distance = _distance(numbers, mean, spread)
    shape = np.array(inputs.shape[1:], np.int64)
    write_arrays(path, {"mean": mean, "spread": spread, "distance": distance, "shape": shape})


def _distance(inputs: NDArray[Any], mean: NDArray[Any], spread: NDArray[Any]) -> NDArray[np.float64]:
    floor = spread.mean() * 0.05 + 1e-12  # a pixel that was constant in training counts once it is clearly filled
    squares = ((inputs - mean) / np.maximum(spread, floor)) ** 2
    return np.asarray(squares.reshape(len(inputs), -1).mean(1), dtype=np.float64)


def outside_training_range(study: PredictorStudy, path: Path, inputs: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which inputs (sample, ...) lie farther from the training mean than 99.9 % of the training inputs did."""
    with h5py.File(path) as file:
        limit = np.quantile(file["distance"][:], 0.999)
        found = _distance(_numbers(study, inputs), file["mean"][:], file["spread"][:])
    outside: NDArray[np.bool_] = found > limit
    return outside


# --- a user's data ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Evaluation:
    """What a finished run's predictors say of a user's data.

    Attributes:
        predictions: by predictor.
        rows: of metrics; none if the data hold no truth.
        outside: (sample,) whether the inputs lie outside the range of the training.
        p_values: (sample,) by predictor; only of a search, for data without truth.
    """

    predictions: dict[str, Prediction]
    rows: list[Row]
    outside: NDArray[np.bool_]
    p_values: dict[str, NDArray[np.float64]]


def evaluate(path: Path, data: Path, mapping: Mapping[str, str] | None, device: str) -> Evaluation:
    """Predict for (and, where the file holds the truth, score on) a user's data with a finished run's predictors.

    A predictor that refuses such data is left out, with a line in the log.

    Args:
        path: a finished run of a study of predictors.
        data: the user's file.
        mapping: the user's column for each of ours.
        device: for networks.

    Raises:
        BadInput: no such run, or a file that does not fit.
    """
    run = open_run(path)
    study = of_kind(run.study, PredictorStudy, "evaluate")
    predictors = restored(run, device)
    samples, known_truth = own_samples(run, data, mapping)
    # before any predictor, so that what is wrong with all of them is said once
    limit = run.path / "training_range.h5"
    outside = np.concatenate(
        [outside_training_range(study, limit, samples.inputs(batch)) for batch in batches(samples)]
    )
    predictions: dict[str, Prediction] = {}
    for name, predictor in predictors.items():
        try:
            predictions |= predict_all({name: predictor}, samples)
        except BadInput as error:
            log.warning("%s is left out: %s", name, error)
    p_values = {}
    if study.null is not None and not known_truth:
        p_values = null_p_values(run, {name: predictors[name] for name in predictions}, samples, predictions)
    rows = rows_of(study, samples.targets, predictions, run.seed) if known_truth else []
    return Evaluation(predictions, rows, outside, p_values)


NULL_RECORDS = 1000
"""Records of the null hypothesis behind the p-value of a user's record: it cannot be smaller than 1/1001."""


def null_p_values(
    run: Run[PredictorStudy],
    predictors: Mapping[str, Predictor],
    samples: Samples,
    predictions: Mapping[str, Prediction],
) -> dict[str, NDArray[np.float64]]:
    """p-values (sample,) of each predictor's test statistic among NULL_RECORDS null records like each sample."""
    from cloudchamber.metrics.significance import p_value

    assert run.study.null is not None
    found: dict[str, list[float]] = {name: [] for name in predictors}
    for number in range(len(samples)):
        seeds = np.random.SeedSequence(run.seed, spawn_key=(number,))
        inputs = run.study.null(run.config, samples.inputs([number]), NULL_RECORDS, seeds)
        for name, predictor in predictors.items():
            null = predictor.predict(inputs).mean[:, 0].astype(np.float64)
            said = predictions[name].mean[number : number + 1, 0].astype(np.float64)
            found[name].append(float(p_value(said, null)[0]))
    return {name: np.array(values) for name, values in found.items()}


def own_samples(run: Run[PredictorStudy], data: Path, mapping: Mapping[str, str] | None) -> tuple[Samples, bool]:
    """A user's file as samples, and whether it knows the truth.

    It holds the study's columns; or those without the truth, as real data do (the per-record columns); or, in HDF5,
    finished inputs in a column of the inputs' name (images with the study's bins).
    """
    study, config = run.study, run.config
    lengths = study.lengths(config)
    is_sealed(data)  # refuses an altered file of ours before HDF5 sees it
    catalogue = None if study.read is None else study.read(config, data, mapping)
    if catalogue is not None:
        return _without_truth(study, ArrayRecords(catalogue), partial(study.inputs, config)), False
    columns = (*study.schema, study.input_name)
    for name in mapping or ():
        if name not in columns:
            raise BadInput(f"--map {name}=...: no column of ours{did_you_mean(name, columns)}", status=2)
    if h5py.is_hdf5(data) and (mapping or {}).get(study.input_name, study.input_name) in _hdf5_columns(data):
        finished = read_own(data, {study.input_name: study.input}, _input_lengths(run), mapping)
        return _without_truth(study, finished, lambda arrays, _: arrays[study.input_name].astype(np.float32)), False
    observed = {name: array for name, array in study.schema.items() if name not in study.truth_columns}
    known = {column: place for column, place in (mapping or {}).items() if column in observed}
    records = read_own(data, observed, lengths, known)
    truth = {name: array for name, array in study.schema.items() if name not in observed}
    if not mapping or not truth.keys() & mapping.keys():
        counters = {array.of for array in truth.values() if array.of is not None}
        counted = {name: study.schema[name] for name in counters}
        try:
            read_own(data, truth | counted, lengths, {name: known[name] for name in counters & known.keys()})
        except BadInput as error:
            if ": no column " not in str(error):
                raise
            log.info("predictions only, no scores: %s", error)
            return _without_truth(study, records, partial(study.inputs, config)), False
    whole = read_own(data, study.schema, lengths, mapping)
    return samples_of(study, config, whole), True


def _input_lengths(run: Run[PredictorStudy]) -> dict[str, int]:
    """Lengths that ready-made inputs must have: the study's, or those of the training's."""
    if run.study.input_lengths is not None:
        return run.study.input_lengths(run.config)
    with h5py.File(run.path / "training_range.h5") as file:
        return dict(zip(run.study.input.axes.split()[1:], file["shape"][:].tolist(), strict=True))


def _hdf5_columns(path: Path) -> list[str]:
    with reading(path), open_file(path) as file:
        return list(file)


def _without_truth(
    study: PredictorStudy, records: Records, make: Callable[[Arrays, Any], NDArray[np.float32]]
) -> Samples:
    unknown = np.full((len(records), len(study.target_names)), np.nan, np.float32)
    return Samples(records, np.arange(len(records), dtype=np.int64), make, unknown, study.target_names)
