"""The mean over a node's edges of an activated sum, with its gradient: the inner loop of an edge convolution.

::

    mean_j relu(centre_i + other_j + g_ij W + v |y_i - y_j|^2)

On a CPU, in single precision, the edges never exist in memory: compiled loops gather, sum, activate and aggregate, and
their hand-written gradient computes the edges again. Everywhere else (other devices, double precision, export,
gradients with respect to the geometry) plain torch does the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

from cloudchamber.layers.compiled import compiled
from cloudchamber.layers.edge_geometry import GEOMETRY
from cloudchamber.layers.neighbours import neighbours_of
from cloudchamber.layers.simd import (
    LANES,
    added,
    constant,
    larger,
    load,
    more,
    number,
    product,
    sloped,
    store,
)

Floats = NDArray[np.float32]


@njit(cache=True, nogil=True, inline="always")
def _edge(
    start: Any, other: Floats, at: int, geometry: Floats, pair: int, weight: Any, square: np.float32, stretch: Any
) -> Any:
    """Sixteen features of one edge before its relu."""
    value = added(start, load(other, at))
    value = more(value, number(geometry, pair), weight[0])
    value = more(value, number(geometry, pair + 1), weight[1])
    value = more(value, number(geometry, pair + 2), weight[2])
    value = more(value, number(geometry, pair + 3), weight[3])
    value = more(value, number(geometry, pair + 4), weight[4])
    value = more(value, number(geometry, pair + 5), weight[5])
    value = more(value, number(geometry, pair + 6), weight[6])
    value = more(value, number(geometry, pair + 7), weight[7])
    return more(value, square, stretch)


@njit(cache=True, nogil=True, inline="always")
def _rows(weight: Floats, width: int, column: int) -> Any:
    """Sixteen columns of the eight rows of ``weight``, kept in registers."""
    return (
        load(weight, column),
        load(weight, column + width),
        load(weight, column + 2 * width),
        load(weight, column + 3 * width),
        load(weight, column + 4 * width),
        load(weight, column + 5 * width),
        load(weight, column + 6 * width),
        load(weight, column + 7 * width),
    )


@njit(cache=True, nogil=True)
def _squares(places: Floats, s: int, i: int, index: NDArray[np.int64], squares: Floats) -> None:
    """Squared distances of node i to its neighbours in learned coordinates."""
    for e in range(index.shape[2]):
        square = np.float32(0.0)
        for a in range(places.shape[2]):
            step = places[s, i, a] - places[s, index[s, i, e], a]
            square += step * step
        squares[e] = square


@njit(cache=True, nogil=True)
def _aggregate(
    centre: Floats,
    other: Floats,
    geometry: Floats,
    weight: Floats,
    places: Floats,
    stretch: Floats,
    index: NDArray[np.int64],
    mean: Floats,
) -> None:
    """Mean over the edges of every node; width a multiple of sixteen."""
    samples, nodes, k = index.shape
    width = centre.shape[2]
    share = np.float32(1.0) / np.float32(k)
    squares = np.zeros(k, np.float32)
    zero = constant(np.float32(0.0))
    for s in range(samples):
        for column in range(0, width, LANES):
            rows, far = _rows(weight, width, column), load(stretch, column)
            for i in range(nodes):
                if places.shape[2] > 0:
                    _squares(places, s, i, index, squares)
                node = s * nodes + i
                pair = node * k
                start = load(centre, node * width + column)
                total = zero
                for e in range(k):
                    at = (s * nodes + index[s, i, e]) * width + column
                    value = _edge(start, other, at, geometry, (pair + e) * 8, rows, squares[e], far)
                    total = added(total, larger(value, zero))
                store(mean, node * width + column, more(zero, share, total))


@njit(cache=True, nogil=True, inline="always")
def _more_rows(totals: Any, geometry: Floats, pair: int, value: Any) -> Any:
    """Eight ``totals``, each with one number of an edge's geometry times ``value`` added."""
    a, b, c, d, e, f, g, h = totals
    a, b = more(a, number(geometry, pair), value), more(b, number(geometry, pair + 1), value)
    c, d = more(c, number(geometry, pair + 2), value), more(d, number(geometry, pair + 3), value)
    e, f = more(e, number(geometry, pair + 4), value), more(f, number(geometry, pair + 5), value)
    g, h = more(g, number(geometry, pair + 6), value), more(h, number(geometry, pair + 7), value)
    return a, b, c, d, e, f, g, h


@njit(cache=True, nogil=True, inline="always")
def _add_rows(sums: Floats, totals: Any, ninth: Any) -> None:
    """Adds eight ``totals`` and a ninth to the nine rows of ``sums``, sixteen numbers each."""
    store(sums, 0, added(load(sums, 0), totals[0]))
    store(sums, LANES, added(load(sums, LANES), totals[1]))
    store(sums, 2 * LANES, added(load(sums, 2 * LANES), totals[2]))
    store(sums, 3 * LANES, added(load(sums, 3 * LANES), totals[3]))
    store(sums, 4 * LANES, added(load(sums, 4 * LANES), totals[4]))
    store(sums, 5 * LANES, added(load(sums, 5 * LANES), totals[5]))
    store(sums, 6 * LANES, added(load(sums, 6 * LANES), totals[6]))
    store(sums, 7 * LANES, added(load(sums, 7 * LANES), totals[7]))
    store(sums, 8 * LANES, added(load(sums, 8 * LANES), ninth))


@njit(cache=True, nogil=True)
def _aggregate_gradient(
    centre: Floats,
    other: Floats,
    geometry: Floats,
    weight: Floats,
    places: Floats,
    stretch: Floats,
    index: NDArray[np.int64],
    d_mean: Floats,
    d_centre: Floats,
    d_other: Floats,
    d_weight: NDArray[np.float64],
    d_places: Floats,
) -> None:
    """Gradients of ``_aggregate``, added to what the ``d_`` arrays hold; the edges are computed again.

    ``d_weight`` has a ninth row, the gradient of ``stretch``. Sums are single precision over one sample only.
    """
    samples, nodes, k = index.shape
    width = centre.shape[2]
    axes = places.shape[2]
    share = np.float32(1.0) / np.float32(k)
    none = np.float32(0.0)
    squares = np.zeros(k, np.float32)
    pull = np.zeros(k * LANES, np.float32)
    sums = np.empty(9 * LANES, np.float32)
    zero = constant(none)
    for s in range(samples):
        for column in range(0, width, LANES):
            rows, far = _rows(weight, width, column), load(stretch, column)
            sums[:] = 0
            for i in range(nodes):
                if axes > 0:
                    _squares(places, s, i, index, squares)
                node = s * nodes + i
                pair = node * k
                here = node * width + column
                start = load(centre, here)
                slope = more(zero, share, load(d_mean, here))
                own, stretched = zero, zero
                totals = (zero, zero, zero, zero, zero, zero, zero, zero)
                for e in range(k):
                    at = (s * nodes + index[s, i, e]) * width + column
                    g = (pair + e) * 8
                    value = _edge(start, other, at, geometry, g, rows, squares[e], far)
                    value = sloped(value, none, slope)
                    store(d_other, at, added(load(d_other, at), value))
                    own = added(own, value)
                    totals = _more_rows(totals, geometry, g, value)
                    if axes > 0:
                        stretched = more(stretched, squares[e], value)
                        store(pull, e * LANES, product(zero, value, far))
                store(d_centre, here, own)
                _add_rows(sums, totals, stretched)
                if axes > 0:
                    _pulled(places, s, i, index, pull, d_places)
            for r in range(9):
                for c in range(LANES):
                    d_weight[r, column + c] += sums[r * LANES + c]


@njit(cache=True, nogil=True, fastmath=True)
def _pulled(places: Floats, s: int, i: int, index: NDArray[np.int64], pull: Floats, d_places: Floats) -> None:
    """Adds the gradients of the learned coordinates from sixteen features of the edges of node i."""
    for e in range(index.shape[2]):
        j = index[s, i, e]
        total = np.float32(0.0)
        for c in range(LANES):
            total += pull[e * LANES + c]
        for a in range(places.shape[2]):
            step = np.float32(2.0) * total * (places[s, i, a] - places[s, j, a])
            d_places[s, i, a] += step
            d_places[s, j, a] -= step


class _Aggregate(torch.autograd.Function):
    """The compiled loops as one differentiable operation; no gradient for geometry and index."""

    @staticmethod
    def forward(
        ctx: Any,
        centre: Tensor,
        other: Tensor,
        weight: Tensor,
        places: Tensor,
        stretch: Tensor,
        geometry: Tensor,
        index: Tensor,
    ) -> Tensor:
        kept = [value.detach().contiguous() for value in (centre, other, geometry, weight, places, stretch, index)]
        mean = torch.empty_like(kept[0])
        _aggregate(*(value.numpy() for value in (*kept, mean)))
        ctx.save_for_backward(*kept)
        return mean

    @staticmethod
    def backward(ctx: Any, d_mean: Tensor) -> tuple[Tensor | None, ...]:
        read = ctx.saved_tensors
        centre, other, _, weight, places, *_ = read
        d_centre, d_other, d_places = torch.empty_like(centre), torch.zeros_like(other), torch.zeros_like(places)
        d_weight = torch.zeros(GEOMETRY + 1, weight.shape[1], dtype=torch.float64)
        found = (d_centre, d_other, d_weight, d_places)
        _aggregate_gradient(*(value.numpy() for value in (*read, d_mean.contiguous(), *found)))
        d_weight = d_weight.float()
        return d_centre, d_other, d_weight[:-1], d_places, d_weight[-1], None, None


def aggregate(
    centre: Tensor,
    other: Tensor,
    weight: Tensor,
    places: Tensor,
    stretch: Tensor,
    geometry: Tensor,
    index: Tensor,
) -> Tensor:
    """``relu(centre_i + other_j + geometry_ij weight + stretch |places_i - places_j|^2)``, its mean over neighbours.

    Args:
        centre: what a node adds to its own edges (sample, node, width).
        other: what it adds to the edges of which it is a neighbour (sample, node, width).
        weight: (GEOMETRY, width).
        places: (sample, node, axis); no axis, no such term.
        stretch: (width,).
        geometry: (sample, node, k, GEOMETRY).
        index: neighbours (sample, node, k).

    Returns:
        (sample, node, width).
    """
    if compiled(centre, other, weight, places, stretch, geometry) and not geometry.requires_grad:
        width = centre.shape[-1]
        if width % LANES:  # the loops take sixteen features at once
            centre, other, weight, stretch = (
                nn.functional.pad(value, (0, -width % LANES)) for value in (centre, other, weight, stretch)
            )
        mean: Tensor = _Aggregate.apply(  # type: ignore[no-untyped-call]
            centre, other, weight, places, stretch, geometry, index
        )
        return mean[..., :width]
    edges = centre[:, :, None] + neighbours_of(other, index) + geometry @ weight
    if places.shape[-1]:
        square = (places[:, :, None] - neighbours_of(places, index)).square().sum(dim=-1, keepdim=True)
        edges = edges + square * stretch
    return torch.relu(edges).mean(dim=2)
