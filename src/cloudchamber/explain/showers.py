"""What networks that read traces of air showers have learned: the explanations of a run as arrays.

* ``variables``: the ten learned variables of a trace (arXiv:1708.00647): what they correlate with (Spearman), how much
  of it a linear map of all ten reads, and the mean traces for which a variable is small and large; beside them those of
  the same network with random weights (Adebayo et al., arXiv:1810.03292), and the total signal alone.
* ``relevance``: which bins of a trace move direction, energy and depth beyond its total signal, and which stations
  matter (``explain.shower_relevance``); beside it the same network with random weights.
* ``members``: what the first network of each ensemble says alone, so that networks can be compared whose ensembles have
  unequal sizes; and the primaries of the test showers, which predictors never see.

Errors are those of a bootstrap over showers, whose stations are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor, nn

from cloudchamber.data.samples import Inputs, Samples
from cloudchamber.data.surface_array import STATUS, TRACE, TRIGGERED, X, Z
from cloudchamber.explain.sanity import randomized, rank_correlation
from cloudchamber.explain.shower_gallery import shower_gallery
from cloudchamber.explain.shower_relevance import occlusion_of_stations, relevance_of_bins, said_by, usual_traces
from cloudchamber.explain.shower_stations import Stations, true_stations
from cloudchamber.learning.ensemble import DeepEnsemble
from cloudchamber.schema import Arrays
from cloudchamber.simulators.airshower.surface_array import ShowerOptions

Floats = NDArray[np.float64]

TRACE_NETWORKS = ("traces", "lstm", "graph")
"""Predictors whose networks read traces."""
MOST = 1500
"""Test showers whose learned variables are looked at."""
EXPLAINED, COMPARED = 192, 48
"""Those whose relevance is, and of these, those for which it is compared with that of random weights."""
RESAMPLES = 200
RIDGE = 1e-3
"""Penalty of the linear map, with standardised variables, relative to the number of stations."""
DISTANCES = (0.0, 1000.0, 1500.0, 2000.0, 6000.0)
"""Edges of classes of stations by their distance to the axis [m]."""
RELEVANCE_OF = {"axis_x": 0, "axis_y": 1, "lg_energy": 4, "xmax": 5}
"""Targets whose bins are explained."""
RANKS = 8
"""Stations of a shower that are told apart by the rank of their signal, or of their start time."""

gallery = shower_gallery


def trace_networks(predictors: Mapping[str, Any]) -> dict[str, DeepEnsemble]:
    """The ensembles whose networks have learned variables of traces, by name."""
    found = {name: predictors.get(name) for name in TRACE_NETWORKS}
    return {name: one for name, one in found.items() if isinstance(one, DeepEnsemble)}


# --- learned variables ------------------------------------------------------------------------------------------------


def quantities(stations: Stations) -> dict[str, Floats]:
    """What variables may correlate with, (row,): logarithms where values span decades."""
    return {
        "risetime": np.log10(np.maximum(stations.risetime, 1.0)),
        "muon_fraction": stations.muon_fraction,
        "start_residual": np.arcsinh(stations.residual / 50),
        "log_signal": np.log10(stations.signal),
        "distance": np.log10(stations.distance),
        "zenith": stations.zenith,
    }


def trace_variables(network: nn.Module, inputs: Inputs) -> Floats:
    """Learned variables (row, 10) of the triggered stations of showers, in their order."""
    parts = [np.zeros((0, 10))]
    read: Any = network.trace_variables
    with torch.no_grad():
        for start in range(0, len(inputs), 128):
            part = np.ascontiguousarray(inputs[start : start + 128])
            values: Tensor = read(torch.from_numpy(part))
            parts.append(values.double().numpy()[part[..., STATUS] == TRIGGERED])
    return np.concatenate(parts)


def resampled(shower: NDArray[np.int64], rng: np.random.Generator) -> Floats:
    """How often each shower is in each bootstrap sample (sample, shower)."""
    count = int(shower.max()) + 1
    return rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(np.float64)


def sums(shower: NDArray[np.int64], values: Floats) -> Floats:
    """Sums (shower, ...) over the stations (row, ...) of each shower."""
    found = np.zeros((int(shower.max()) + 1, *values.shape[1:]))
    np.add.at(found, shower, values)
    return found


def spearman(
    variables: Floats, others: Floats, shower: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Rank correlations (variable, other) and their errors; nan for a variable that never changes.

    The error is that of the correlation of given ranks.

    Args:
        variables: (row, variable).
        others: (row, other).
        shower: (row,).
        rng: of the bootstrap.
    """
    dead = np.ptp(variables, axis=0) == 0
    one, two = (rankdata(values, axis=0) / len(values) - 0.5 for values in (variables, others))
    parts = [np.ones((len(one), 1)), one, two, one**2, two**2, (one[:, :, None] * two[:, None]).reshape(len(one), -1)]
    edges = np.cumsum([part.shape[1] for part in parts])[:-1]
    total = sums(shower, np.concatenate(parts, axis=1))

    def correlation(weights: Floats) -> Floats:
        n, x, y, xx, yy, xy = np.split(weights @ total, edges, axis=1)
        xy = (xy / n).reshape(len(weights), x.shape[1], y.shape[1]) - (x / n)[:, :, None] * (y / n)[:, None]
        spread = (xx / n - (x / n) ** 2)[:, :, None] * (yy / n - (y / n) ** 2)[:, None]
        return np.asarray(xy / np.sqrt(np.maximum(spread, 1e-12)))

    value = correlation(np.ones((1, len(total))))[0]
    error = correlation(resampled(shower, rng)).std(axis=0, ddof=1)
    value[dead] = error[dead] = np.nan
    return value, error


def readout(
    variables: Floats, others: Floats, shower: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """R2 (other,) of a linear map of all variables, and its error: fitted to the even showers, judged by the odd.

    Arguments as of ``spearman``.
    """
    learn = shower % 2 == 0
    scale = np.maximum(variables[learn].std(axis=0), 1e-9)
    x = (variables - variables[learn].mean(axis=0)) / scale
    mean = others[learn].mean(axis=0)
    weights = np.linalg.solve(
        x[learn].T @ x[learn] + RIDGE * learn.sum() * np.eye(x.shape[1]), x[learn].T @ (others[learn] - mean)
    )
    judged = ~learn
    left = np.square(others - mean - x @ weights)[judged]
    spread = np.square(others - others[judged].mean(axis=0))[judged]
    owner = shower[judged] // 2
    missed, there = sums(owner, left), sums(owner, spread)
    value = 1 - missed.sum(axis=0) / there.sum(axis=0)
    counts = resampled(owner, rng)
    return value, (1 - counts @ missed / (counts @ there)).std(axis=0, ddof=1)


def typical_traces(variables: Floats, traces: Floats) -> Floats:
    """Mean traces of sum 1 of the tenth of stations with the smallest, middle and largest value: (variable, 3, bin).

    Of a variable that is 0 for many stations, the smallest are a random tenth of those.
    """
    shape = traces / np.maximum(traces.sum(axis=1, keepdims=True), 1e-3)
    count = max(len(traces) // 10, 1)
    middle = (len(traces) - count) // 2
    order = np.argsort(variables, axis=0, kind="stable")
    parts = (slice(0, count), slice(middle, middle + count), slice(len(traces) - count, None))
    return np.stack([[shape[rows[part]].mean(axis=0) for part in parts] for rows in order.T])


def variables(config: ShowerOptions, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """What the ten learned variables of traces are.

    Returns:
        ``quantity`` (names); for each network, trained and with random weights (``NAME``, ``NAME_untrained``):
        ``_correlation`` and ``_error`` (variable, quantity), ``_readout`` and ``_readout_error`` (quantity,),
        ``_spread`` (variable,), ``_active`` (variable,), the part of the stations for which it is not 0, and ``_trace``
        (variable, 3, bin); ``signal_readout`` (quantity,) with error; ``stations``, how many.
    """
    chosen = np.arange(min(len(test), MOST), dtype=np.int64)
    inputs = test.inputs(chosen)
    stations = true_stations(
        test.records.read(test.indices[chosen]), inputs[0, :, X : Z + 1].astype(np.float64), config.altitude
    )
    others = np.column_stack(list(quantities(stations).values()))
    traces = inputs[inputs[..., STATUS] == TRIGGERED][:, TRACE:].astype(np.float64)
    found: Arrays = {"quantity": np.array(list(quantities(stations))), "stations": np.array(len(traces))}
    alone = readout(np.log10(stations.signal)[:, None], others, stations.shower, rng)
    found["signal_readout"], found["signal_readout_error"] = alone
    for name, ensemble in trace_networks(predictors).items():
        network = ensemble.models[0].network.cpu()
        for ending, one in (("", network), ("_untrained", randomized(network, seed=int(rng.integers(2**31))))):
            values = trace_variables(one, inputs)
            key = f"{name}{ending}"
            found[f"{key}_correlation"], found[f"{key}_error"] = spearman(values, others, stations.shower, rng)
            found[f"{key}_readout"], found[f"{key}_readout_error"] = readout(values, others, stations.shower, rng)
            found[f"{key}_spread"], found[f"{key}_active"] = values.std(axis=0), (values > 0).mean(axis=0)
            found[f"{key}_trace"] = typical_traces(values, traces)
    return found


# --- relevance --------------------------------------------------------------------------------------------------------


def by_class(
    values: Floats, number: NDArray[np.int64], classes: int, shower: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Means (class, ...) of values (row, ...) by class, and their errors; classes from ``classes`` on are left out.

    The error is that of the mean of showers' sums, for a ratio of sums.
    """
    mean = np.full((classes, *values.shape[1:]), np.nan)
    error = mean.copy()
    for one in range(classes):
        rows = number == one
        if len(np.unique(shower[rows])) < 2:
            continue
        mean[one] = values[rows].mean(axis=0)
        of_showers = sums(shower[rows], values[rows] - mean[one])
        error[one] = np.sqrt(np.square(of_showers).sum(axis=0)) / rows.sum()
    return mean, error


def ranks(values: Floats, shower: NDArray[np.int64]) -> NDArray[np.int64]:
    """Place (row,) of each station within its shower, 0 for the smallest value."""
    order = np.lexsort((values, shower))
    first = np.searchsorted(shower[order], shower[order], side="left")
    found = np.empty(len(values), np.int64)
    found[order] = np.arange(len(values)) - first
    return found


def relevance(config: ShowerOptions, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:
    """Which bins and which stations matter to the networks that read traces.

    Returns:
        ``edges`` of the classes by distance [m], ``class_trace`` (class, bin) usual traces of sum 1, ``class_n``; for
        each network what ``bins_of`` gives as ``NAME_KEY``, and ``NAME_off_KEY`` (2, class), means and errors of what
        switching off a station changes, KEY being ``axis``, ``core``, ``lg_energy`` or ``xmax`` (the last two:
        absolute), followed by ``_distance``, ``_signal`` (rank from the largest) or ``_time`` (rank from the earliest);
        ``NAME_untrained_off_KEY`` the same with random weights.
    """
    chosen = np.arange(min(len(test), EXPLAINED), dtype=np.int64)
    inputs = test.inputs(chosen)
    records = test.records.read(test.indices[chosen])
    stations = true_stations(records, inputs[0, :, X : Z + 1].astype(np.float64), config.altitude)
    distance = np.digitize(stations.distance, DISTANCES) - 1
    classes = len(DISTANCES) - 1
    traces = inputs[stations.shower, stations.station, TRACE:].astype(np.float64)
    usual = np.zeros((classes, traces.shape[1]))
    np.add.at(usual, np.minimum(distance, classes - 1), traces / np.maximum(traces.sum(axis=1, keepdims=True), 1e-3))
    usual /= np.where(usual.sum(axis=1, keepdims=True) > 0, usual.sum(axis=1, keepdims=True), 1.0)
    shapes = np.zeros((*inputs.shape[:2], traces.shape[1]))
    shapes[stations.shower, stations.station] = usual[np.minimum(distance, classes - 1)]
    found: Arrays = {
        "edges": np.array(DISTANCES),
        "class_trace": usual,
        "class_n": np.bincount(distance, minlength=classes)[:classes],
    }
    for name, ensemble in trace_networks(predictors).items():
        function = ensemble.mean_function(0).cpu()
        random = randomized(function, seed=int(rng.integers(2**31)))
        found |= {
            f"{name}_{key}": values for key, values in bins_of(function, random, inputs, shapes, stations).items()
        }
        for ending, one in (("", function), ("_untrained", random)):
            off = stations_of(one, inputs, stations)
            found |= {f"{name}{ending}_off_{key}": values for key, values in off.items()}
    return found


def bins_of(function: nn.Module, random: nn.Module, inputs: Inputs, shapes: Floats, stations: Stations) -> Arrays:
    """What bins of traces do to the answers of one network.

    Args:
        function: mean of a fitted member.
        random: the same with random weights.
        inputs: (shower, station, TRACE + bin).
        shapes: usual traces of sum 1 (shower, station, bin).
        stations: the triggered ones.

    Returns:
        Means over stations by class of distance (class, bin), each with ``_error``: ``axis_size`` [degrees],
        ``lg_energy_size``, ``xmax_size`` [g/cm2] of the absolute relevance; ``axis_slope`` (absolute),
        ``lg_energy_slope`` and ``xmax_slope`` of what 1 % of the signal changes in this bin. By target of RELEVANCE_OF:
        ``change``, root mean square of what the shapes of all traces together change; ``completeness``, what relevances
        miss of that, relative; ``similarity`` with ``_error``, rank correlation of slopes with those of random weights.
    """
    rows = (stations.shower, stations.station)
    columns = tuple(RELEVANCE_OF.values())
    whole = relevance_of_bins(function, inputs, shapes, columns)
    change = (said_by(function, inputs) - said_by(function, usual_traces(inputs, shapes)))[:, columns]
    missed = whole.relevance.sum(axis=(2, 3)).T - change
    distance = np.digitize(stations.distance, DISTANCES) - 1
    size, slope = (values[:, *rows] for values in whole)
    shown = {
        "axis_size": np.degrees(np.hypot(size[0], size[1])), "axis_slope": np.degrees(np.hypot(slope[0], slope[1])),
        "lg_energy_size": np.abs(size[2]), "lg_energy_slope": slope[2],
        "xmax_size": np.abs(size[3]), "xmax_slope": slope[3],
    }  # fmt: skip
    found: Arrays = {}
    for key, values in shown.items():
        found[key], found[f"{key}_error"] = by_class(values, distance, len(DISTANCES) - 1, stations.shower)
    compared = stations.shower < COMPARED
    other = relevance_of_bins(random, inputs[:COMPARED], shapes[:COMPARED], columns).slope
    other = other[:, stations.shower[compared], stations.station[compared]]
    pairs = zip(slope[:, compared, None], other[:, :, None], strict=True)
    alike = np.stack([rank_correlation(*pair) for pair in pairs], axis=1)
    mean, deviation = by_class(alike, np.zeros(len(alike), np.int64), 1, stations.shower[compared])
    power = np.square(change).mean(axis=0)
    return found | {
        "change": np.sqrt(power),
        "completeness": np.sqrt(np.square(missed).mean(axis=0) / np.maximum(power, 1e-20)),
        "similarity": mean[0],
        "similarity_error": deviation[0],
    }


def stations_of(function: nn.Module, inputs: Inputs, stations: Stations) -> Arrays:
    """The part of ``relevance`` that is about stations, of one network; arguments as of ``bins_of``."""
    off = occlusion_of_stations(function, inputs)
    table = np.full(inputs.shape[:2], -1)
    table[stations.shower, stations.station] = np.arange(len(stations.shower))
    rows = table[off.shower, off.station]
    time = inputs[stations.shower, stations.station, Z + 2].astype(np.float64)
    classes = {
        "distance": (np.digitize(stations.distance, DISTANCES) - 1, len(DISTANCES) - 1),
        "signal": (ranks(-stations.signal, stations.shower), RANKS),
        "time": (ranks(time, stations.shower), RANKS),
    }
    found: Arrays = {}
    for key, change in (
        ("axis", off.axis), ("core", off.core), ("lg_energy", np.abs(off.lg_energy)), ("xmax", np.abs(off.xmax))
    ):  # fmt: skip
        for ending, (number, count) in classes.items():
            found[f"{key}_{ending}"] = np.stack(by_class(change, number[rows], count, off.shower))
    return found


# --- single networks, and primaries -----------------------------------------------------------------------------------


def members(config: ShowerOptions, predictors: Mapping[str, Any], test: Samples, rng: np.random.Generator) -> Arrays:  # noqa: ARG001
    """What the first network of each ensemble says alone.

    Returns:
        ``NAME`` (shower, 6) for each ensemble, and ``mass_number`` (shower,), of all test showers.
    """
    ensembles = {name: one for name, one in predictors.items() if isinstance(one, DeepEnsemble)}
    functions = {name: one.mean_function(0).cpu() for name, one in ensembles.items()}
    parts: dict[str, list[Floats]] = {name: [] for name in ensembles}
    for batch in np.array_split(np.arange(len(test), dtype=np.int64), max(-(-len(test) // 256), 1)):
        inputs = test.inputs(batch)
        for name, function in functions.items():
            parts[name].append(said_by(function, inputs))
    found: Arrays = {name: np.concatenate(part).astype(np.float32) for name, part in parts.items()}
    return found | {"mass_number": test.records.read(test.indices, ["mass_number"])["mass_number"]}
