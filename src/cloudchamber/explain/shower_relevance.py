"""How much each bin of a trace, and each station as a whole, matters to what a network says of an air shower.

* Bins: integrated gradients (Sundararajan, Taly, Yan, arXiv:1703.01365, section 3) on the straight way from the usual
  trace of stations at that distance, scaled to the station's own total signal, to the measured trace. Total signals and
  start times stay as they are, and so does all that they tell: what is explained is what traces bring beyond them. The
  relevances of all bins add up to the change of the answer (completeness).
* Stations: one triggered station after the other is switched off, as if it were dead; the first estimate changes too.

Conventions: inputs and targets as in ``data.surface_array``; angles in degrees.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cloudchamber.data.samples import Inputs
from cloudchamber.data.surface_array import DEAD, LEAST_STATIONS, SATURATED, STATUS, TARGETS, TIME, TRACE, TRIGGERED
from cloudchamber.explain.forward import evaluating
from cloudchamber.metrics.showers import core_distance, opening_angle

Floats = NDArray[np.float64]
BATCH = 64
STACKED = 256
"""Points of paths that go through a network at once: one pass through many small layers is dear."""


class Bins(NamedTuple):
    """What bins of traces do to some answers, in the units of the targets; 0 where not triggered.

    Attributes:
        relevance: share of a bin in what a trace's own shape, instead of the usual one, changes (column, shower,
            station, bin).
        slope: change of the answer if 1 % of the trace's signal lies in this bin, rather than where it usually does
            (the same axes).
    """

    relevance: Floats
    slope: Floats


def usual_traces(inputs: Inputs, shapes: Floats) -> Inputs:
    """Inputs whose triggered stations have usual traces with the total signal of their own.

    Args:
        inputs: (shower, station, TRACE + bin).
        shapes: usual traces of sum 1 (shower, station, bin).
    """
    found = inputs.copy()
    lit = inputs[..., STATUS] == TRIGGERED
    total = inputs[lit][:, TRACE:].sum(axis=1, dtype=np.float64)
    found[lit, TRACE:] = total[:, None] * shapes[lit]
    return found


def relevance_of_bins(
    answer: nn.Module, inputs: Inputs, shapes: Floats, columns: tuple[int, ...], steps: int = 16
) -> Bins:
    """Integrated gradients on the way from usual traces to the measured ones, for some targets.

    Args:
        answer: a module of inputs that gives targets (shower, 6).
        inputs: (shower, station, TRACE + bin).
        shapes: usual traces of sum 1 (shower, station, bin).
        columns: targets.
        steps: points on the path, each in the middle of its part.
    """
    usual = usual_traces(inputs, shapes)[..., TRACE:]
    gradient = np.zeros((len(columns), *usual.shape))
    size = max(STACKED // steps, 1)
    with evaluating(answer):
        for start in range(0, len(inputs), size):
            part = torch.from_numpy(np.ascontiguousarray(inputs[start : start + size]))
            begin = torch.from_numpy(usual[start : start + size])
            way = part[..., TRACE:] - begin
            there = torch.cat([begin + (step + 0.5) / steps * way for step in range(steps)])
            there.requires_grad = True
            said = answer(torch.cat([part[..., :TRACE].repeat(steps, 1, 1), there], dim=2))
            for place, column in enumerate(columns):
                (slope,) = torch.autograd.grad(said[:, column].sum(), there, retain_graph=True)
                mean = slope.double().reshape(steps, *part[..., TRACE:].shape).mean(dim=0)
                gradient[place, start : start + size] = mean.numpy()
    # what a bin does by its part in the total signal, which stays as it is, is the same for all bins
    gradient -= (gradient * shapes).sum(axis=3, keepdims=True)
    lit = inputs[None, :, :, STATUS, None] == TRIGGERED
    total = inputs[None, :, :, TRACE:].sum(axis=3, keepdims=True)
    return Bins(gradient * (inputs[..., TRACE:] - usual) * lit, 0.01 * total * gradient * lit)


def said_by(answer: nn.Module, inputs: Inputs) -> Floats:
    """Answers (shower, 6), in pieces."""
    parts = [np.zeros((0, len(TARGETS)))]
    with evaluating(answer), torch.no_grad():
        for start in range(0, len(inputs), BATCH):
            piece = np.ascontiguousarray(inputs[start : start + BATCH])
            parts.append(answer(torch.from_numpy(piece)).double().numpy())
    return np.concatenate(parts)


class Occlusion(NamedTuple):
    """What switching off one station changes, all (row,).

    Attributes:
        shower: number of the shower.
        station: number of the station that is switched off.
        axis: angle between the answers with and without it [degrees].
        core: distance of the cores [m].
        lg_energy: answer without minus with it.
        xmax: the same [g/cm2].
    """

    shower: NDArray[np.int64]
    station: NDArray[np.int64]
    axis: Floats
    core: Floats
    lg_energy: Floats
    xmax: Floats


def occlusion_of_stations(answer: nn.Module, inputs: Inputs) -> Occlusion:
    """Each triggered station of showers that have more than a direction needs, switched off by itself.

    Args:
        answer: a module of inputs that gives targets (shower, 6).
        inputs: (shower, station, TRACE + bin).
    """
    lit = inputs[..., STATUS] == TRIGGERED
    shower, station = np.nonzero(lit & (lit.sum(axis=1, keepdims=True) > LEAST_STATIONS))
    whole = said_by(answer, inputs)
    parts = [np.zeros((0, len(TARGETS)))]
    for start in range(0, len(shower), BATCH):
        rows, off = shower[start : start + BATCH], station[start : start + BATCH]
        parts.append(said_by(answer, switched_off(inputs[rows], off)))
    left, before = np.concatenate(parts), whole[shower]
    change = left - before
    return Occlusion(
        shower, station, opening_angle(before, left), core_distance(before, left), change[:, 4], change[:, 5]
    )


def switched_off(inputs: Inputs, station: NDArray[np.int64]) -> Inputs:
    """Showers (shower, station, feature) of which one station each (shower,) is dead; times begin anew."""
    found = inputs.copy()
    rows = np.arange(len(found))
    found[rows, station, STATUS] = DEAD
    found[rows, station, TIME] = found[rows, station, SATURATED] = 0
    found[rows, station, TRACE:] = 0
    lit = found[:, :, STATUS] == TRIGGERED
    first = np.where(lit, found[:, :, TIME], np.inf).min(axis=1, keepdims=True)
    found[:, :, TIME] = np.where(lit, found[:, :, TIME] - first, 0)
    return found
