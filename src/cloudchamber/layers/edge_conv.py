"""Edge convolution on clouds of cosmic rays (EdgeConv; Wang et al., arXiv:1801.07829, eq. 7 and 8), with its graph.

The publication's edge feature ``Theta (x_j - x_i) + Phi x_i`` becomes ``(Phi - Theta) x_i + Theta x_j``: both matrices
meet nodes, not edges. Added to it are invariants of the two directions and energies, so that a layer answers to
distances on the sphere and to nothing else of the coordinates:

    e_ij = relu(A x_i + B x_j + W g_ij + v |y_i - y_j|^2),      x'_i = C mean_j e_ij,

with ``g_ij`` of ``pair_geometry``, the neighbours j of i by ``nearest``, and learned coordinates y in dynamic layers. C
is the last linear layer of the publication's kernel: it commutes with the mean.

On a CPU the edges never exist in memory: compiled loops gather, sum, activate and aggregate, and their hand-written
gradient computes the edges again. Everywhere else (other devices, double precision, export, gradients with respect to
the cosmic rays) plain torch does the same. Conventions: (sample, node, feature); energies in EeV, chords
d = |n_i - n_j| of unit vectors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor, nn

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

# widths of the kernels of pair_geometry: (charge times) rad EV of both ends together, of one end, and angles in rad
PAIR_SPREADS = (6.0, 10.0, 18.0)
END_SPREAD = 9.0
ANGLES = (0.09, 0.17, 0.31)
GEOMETRY = len(PAIR_SPREADS) + len(ANGLES) + 2


def compiled(*arrays: Tensor) -> bool:
    """Whether the compiled loops can take these: single precision on a CPU, and nothing is being exported or traced."""
    return not torch.compiler.is_compiling() and all(
        array.device.type == "cpu" and array.dtype == torch.float32 for array in arrays
    )


# --------------------------------------------------------------------------------------------------------- neighbours


@njit(cache=True, nogil=True, fastmath=True)
def _inside(distance: Floats, width: int, limit: np.float32) -> int:
    count = np.float32(0.0)  # whole numbers, in the lanes of the distances
    for c in range(width):
        count += np.float32(1.0) if distance[c] <= limit else np.float32(0.0)
    return int(count)


@njit(cache=True, nogil=True, fastmath=True)
def _bound(distance: Floats, width: int, k: int, guess: np.float32, top: np.float32) -> tuple[np.float32, np.float32]:
    """Limits that hold fewer than k and k of the first ``width`` distances (more where several are equally far).

    ``top`` holds all of them; ``guess`` is the first limit to try.
    """
    least, low = np.float32(-1.0), 0
    inside = width
    middle = guess
    for step in range(32):
        if not least < middle < top or step > 3:
            # the number inside grows about linearly with the squared distance (points on a surface)
            share = (np.float32(k - low) + np.float32(0.5)) / np.float32(inside - low)
            start = max(least, np.float32(0.0))
            middle = start + (top - start) * min(max(share, np.float32(0.05)), np.float32(0.95))
            if not least < middle < top:
                break
        count = _inside(distance, width, middle)
        if count >= k:
            top, inside = middle, count
        else:
            least, low = middle, count
        if inside == k:
            break
        middle *= (np.float32(k) + np.float32(0.5)) / (np.float32(count) + np.float32(0.5))
    return least, top


@njit(cache=True, nogil=True, fastmath=True)
def _choose(
    distance: Floats, width: int, k: int, guess: np.float32, top: np.float32, found: NDArray[np.int32]
) -> np.float32:
    """The k smallest of ``distance`` into ``found``, and a limit (at most ``top``) that holds them."""
    least, top = _bound(distance, width, k, guess, top)
    count = 0
    if _inside(distance, width, top) <= k + 16:
        for c in range(width):
            found[count] = c
            count += 1 if distance[c] <= top else 0
        while count > k:
            worst = 0
            for c in range(1, count):
                if distance[found[c]] > distance[found[worst]]:
                    worst = c
            count -= 1
            found[worst] = found[count]
        return top
    for c in range(width):  # many are equally far: any of them
        if distance[c] <= least:
            found[count] = c
            count += 1
    for c in range(width):
        if count < k and least < distance[c] <= top:
            found[count] = c
            count += 1
    return top


@njit(cache=True, nogil=True, fastmath=True)
def _nearest(points: Floats, k: int, index: NDArray[np.int64]) -> None:  # noqa: PLR0912, PLR0915
    """Fills ``index`` (sample, node, k) with the k nearest other nodes of ``points`` (sample, node, axis).

    Nodes are grouped by the nearest of some pivots; a group searches one ball around its pivot. A node's neighbours
    are complete if the farthest is not farther than the ball's radius less the way to the pivot; otherwise the group
    searches again in a ball that is always large enough.
    """
    samples, n, axes = points.shape
    pivots = max(n // 16, 1)
    far = np.empty((pivots, n), np.float32)
    place = np.empty((axes, n), np.float32)  # one row an axis
    near = np.empty((axes, n), np.float32)  # of the nodes in the ball
    ball = np.empty(n + 1, np.int32)
    distance = np.empty(n, np.float32)
    found = np.empty(n + 1, np.int32)
    closest = np.empty(n, np.float32)
    group = np.empty(n, np.int32)
    for s in range(samples):
        for a in range(axes):
            for i in range(n):
                place[a, i] = points[s, i, a]
        closest[:] = np.float32(1e30)
        for p in range(pivots):
            row = far[p]
            row[:] = 0
            for a in range(axes):
                centre = place[a, p]
                for i in range(n):
                    step = place[a, i] - centre
                    row[i] += step * step
            for i in range(n):
                group[i] = p if row[i] < closest[i] else group[i]
                closest[i] = min(row[i], closest[i])
        guess = np.float32(k) / np.float32(n)
        for p in range(pivots):
            row = far[p]
            radius = np.float32(0.0)
            widest = np.float32(0.0)
            for i in range(n):
                radius = max(radius, closest[i] if group[i] == p else np.float32(0.0))
                widest = max(widest, row[i])
            radius = np.sqrt(radius)
            own = np.sqrt(_bound(row, n, k + 1, guess, np.float32(1.01) * widest)[1])
            guess = own * own
            for attempt in range(2):
                reach = np.float32(1.15) * own + radius if attempt == 0 else np.float32(1.001) * (own + 2 * radius)
                square = reach * reach
                width = 0
                for i in range(n):
                    ball[width] = i
                    width += 1 if row[i] <= square else 0
                for a in range(axes):
                    for c in range(width):
                        near[a, c] = place[a, ball[c]]
                complete = True
                for c in range(width):
                    i = ball[c]
                    if group[i] != p:
                        continue
                    distance[:width] = 0
                    for a in range(axes):
                        centre = place[a, i]
                        for other in range(width):
                            step = near[a, other] - centre
                            distance[other] += step * step
                    distance[c] = np.float32(1e30)  # a node is no neighbour of itself: by index, copies count
                    limit = _choose(distance, width, k, guess, np.float32(4.01) * square, found)
                    for e in range(k):
                        index[s, i, e] = ball[found[e]]
                    if attempt == 0 and width < n and np.sqrt(limit) + np.sqrt(closest[i]) > reach:
                        complete = False
                        break
                if complete:
                    break


def nearest(points: Tensor, neighbours: int) -> Tensor:
    """The nearest other nodes of every node by Euclidean distance: int64 (sample, node, k), in no particular order.

    Args:
        points: (sample, node, axis).
        neighbours: k; less than that where there are fewer other nodes.
    """
    nodes = points.shape[1]
    k = min(neighbours, nodes - 1)
    if k < 1:
        raise ValueError(f"{nodes} nodes: a graph of neighbours needs two at least")
    points = points.detach()
    if compiled(points):
        index = torch.zeros((*points.shape[:2], k), dtype=torch.int64)
        finite = points.nan_to_num(0.0).clamp(-1e6, 1e6)
        _nearest(finite.contiguous().numpy(), k, index.numpy())
        return index
    square = (points[:, :, None] - points[:, None]).square().sum(dim=-1)
    own = torch.eye(nodes, dtype=torch.bool, device=points.device)
    return torch.topk(square.masked_fill(own, torch.inf), k, largest=False, sorted=False).indices


@njit(cache=True, nogil=True, fastmath=True)
def _most_alike(
    places: Floats,
    index: NDArray[np.int64],
    geometry: Floats,
    chosen: NDArray[np.int64],
    kept: Floats,
) -> None:
    samples, n, candidates = index.shape
    k = chosen.shape[2]
    axes = places.shape[2]
    distance = np.empty(candidates, np.float32)
    found = np.empty(candidates + 1, np.int32)
    for s in range(samples):
        for i in range(n):
            top = np.float32(0.0)
            for e in range(candidates):
                j = index[s, i, e]
                square = np.float32(0.0)
                for a in range(axes):
                    step = places[s, i, a] - places[s, j, a]
                    square += step * step
                distance[e] = square
                top = max(top, square)
            _choose(distance, candidates, k, np.float32(0.3) * top, np.float32(1.01) * top, found)
            for e in range(k):
                chosen[s, i, e] = index[s, i, found[e]]
                for r in range(geometry.shape[3]):
                    kept[s, i, e, r] = geometry[s, i, found[e], r]


def most_alike(places: Tensor, index: Tensor, geometry: Tensor, neighbours: int) -> tuple[Tensor, Tensor]:
    """The dynamic graph: of the neighbours in ``index`` those nearest in learned coordinates, with their geometry.

    Args:
        places: learned coordinates (sample, node, axis).
        index: candidates (sample, node, k).
        geometry: of the candidates (sample, node, k, feature).
        neighbours: how many to keep; all, if there are no more.
    """
    k = min(neighbours, index.shape[2])
    places = places.detach()
    if compiled(places, geometry) and not geometry.requires_grad:
        chosen = torch.empty((*index.shape[:2], k), dtype=torch.int64)
        kept = torch.empty((*index.shape[:2], k, geometry.shape[-1]))
        finite = places.nan_to_num(0.0).clamp(-1e6, 1e6)
        given = (finite, index, geometry, chosen, kept)
        _most_alike(*(value.contiguous().numpy() for value in given))
        return chosen, kept
    square = (places[:, :, None] - neighbours_of(places, index)).square().sum(dim=-1)
    slots = torch.topk(square, k, largest=False, sorted=False).indices
    return index.gather(2, slots), geometry.gather(2, slots[..., None].expand(-1, -1, -1, geometry.shape[-1]))


def neighbours_of(values: Tensor, index: Tensor) -> Tensor:
    """``values`` (sample, node, feature) at ``index`` (sample, node, k): (sample, node, k, feature)."""
    samples, nodes, k = index.shape
    flat = index.reshape(samples, nodes * k, 1).expand(-1, -1, values.shape[-1])
    return values.gather(1, flat).reshape(samples, nodes, k, values.shape[-1])


# ----------------------------------------------------------------------------------------------------------- geometry


@njit(cache=True, nogil=True, fastmath=True)
def _pair_geometry(directions: Floats, lengths: Floats, index: NDArray[np.int64], out: Floats) -> None:
    samples, nodes, k = index.shape
    scales = np.empty(8, np.float32)
    for s in range(samples):
        for i in range(nodes):
            own = lengths[s, i]
            for e in range(k):
                j = index[s, i, e]
                x = directions[s, i, 0] - directions[s, j, 0]
                y = directions[s, i, 1] - directions[s, j, 1]
                z = directions[s, i, 2] - directions[s, j, 2]
                other = lengths[s, j]
                both = np.float32(1.0) / (own + other)
                scales[0] = np.float32(1 / (16 * PAIR_SPREADS[0] ** 2)) * both
                scales[1] = np.float32(1 / (16 * PAIR_SPREADS[1] ** 2)) * both
                scales[2] = np.float32(1 / (16 * PAIR_SPREADS[2] ** 2)) * both
                scales[3] = np.float32(1 / (16 * ANGLES[0] ** 2))
                scales[4] = np.float32(1 / (16 * ANGLES[1] ** 2))
                scales[5] = np.float32(1 / (16 * ANGLES[2] ** 2))
                scales[6] = np.float32(1 / (16 * END_SPREAD**2)) / own
                scales[7] = np.float32(1 / (16 * END_SPREAD**2)) / other
                square = x * x + y * y + z * z
                for r in range(8):
                    base = max(np.float32(1.0) - square * scales[r], np.float32(0.0))
                    base *= base
                    base *= base
                    out[s, i, e, r] = base * base


def pair_geometry(directions: Tensor, energies: Tensor, index: Tensor) -> Tensor:
    """What an edge knows of its ends: bell-shaped kernels of their distance, (sample, node, k, GEOMETRY).

    Every kernel is ``max(0, 1 - t / 8)^8``, nearly ``exp(-t)`` but zero from t = 8 on, with ``t = d^2 / (2 s^2)``. The
    spread s is, in this order: ``q sqrt(1 / E_i^2 + 1 / E_j^2)`` for q in PAIR_SPREADS (two cosmic rays of one source,
    both deflected in proportion to 1/E), the angles ANGLES, and END_SPREAD / E_i and END_SPREAD / E_j (one end marks
    the source).

    Args:
        directions: unit vectors (sample, node, 3).
        energies: (sample, node) in EeV, positive.
        index: neighbours (sample, node, k).
    """
    lengths = energies.square().reciprocal()
    if compiled(directions, energies) and not (directions.requires_grad or energies.requires_grad):
        out = torch.empty((*index.shape, GEOMETRY))
        _pair_geometry(
            directions.contiguous().numpy(), lengths.contiguous().numpy(), index.contiguous().numpy(), out.numpy()
        )
        return out
    square = (directions[:, :, None] - neighbours_of(directions, index)).square().sum(dim=-1)
    own = lengths[:, :, None].expand_as(square)
    other = neighbours_of(lengths[:, :, None], index)[..., 0]
    scales = [1 / (16 * q**2 * (own + other)) for q in PAIR_SPREADS]
    scales += [torch.full_like(square, 1 / (16 * angle**2)) for angle in ANGLES]
    scales += [1 / (16 * END_SPREAD**2 * own), 1 / (16 * END_SPREAD**2 * other)]
    return (1 - square[..., None] * torch.stack(scales, dim=-1)).clamp(min=0).pow(8)


# ------------------------------------------------------------------------------------------------------- aggregation


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
                own, t8 = zero, zero
                t0, t1, t2, t3, t4, t5, t6, t7 = zero, zero, zero, zero, zero, zero, zero, zero
                for e in range(k):
                    at = (s * nodes + index[s, i, e]) * width + column
                    g = (pair + e) * 8
                    value = _edge(start, other, at, geometry, g, rows, squares[e], far)
                    value = sloped(value, none, slope)
                    store(d_other, at, added(load(d_other, at), value))
                    own = added(own, value)
                    t0, t1 = more(t0, number(geometry, g), value), more(t1, number(geometry, g + 1), value)
                    t2, t3 = more(t2, number(geometry, g + 2), value), more(t3, number(geometry, g + 3), value)
                    t4, t5 = more(t4, number(geometry, g + 4), value), more(t5, number(geometry, g + 5), value)
                    t6, t7 = more(t6, number(geometry, g + 6), value), more(t7, number(geometry, g + 7), value)
                    if axes > 0:
                        t8 = more(t8, squares[e], value)
                        store(pull, e * LANES, product(zero, value, far))
                store(d_centre, here, own)
                store(sums, 0, added(load(sums, 0), t0))
                store(sums, LANES, added(load(sums, LANES), t1))
                store(sums, 2 * LANES, added(load(sums, 2 * LANES), t2))
                store(sums, 3 * LANES, added(load(sums, 3 * LANES), t3))
                store(sums, 4 * LANES, added(load(sums, 4 * LANES), t4))
                store(sums, 5 * LANES, added(load(sums, 5 * LANES), t5))
                store(sums, 6 * LANES, added(load(sums, 6 * LANES), t6))
                store(sums, 7 * LANES, added(load(sums, 7 * LANES), t7))
                store(sums, 8 * LANES, added(load(sums, 8 * LANES), t8))
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
        centre, other: (sample, node, width).
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


class EdgeConv(nn.Module):
    """One edge convolution: the module's equation, on a graph that is given.

    Args:
        inward, outward: features of a node before and after.
        axes: of the learned coordinates; 0 for none.
    """

    def __init__(self, inward: int, outward: int, axes: int = 0) -> None:
        super().__init__()
        self.axes = axes
        self.centre = nn.Linear(inward, outward)
        self.other = nn.Linear(inward, outward, bias=False)
        self.weight = nn.Parameter(torch.randn(GEOMETRY, outward) / GEOMETRY**0.5)
        self.stretch = nn.Parameter(torch.randn(outward) * 0.1) if axes else None
        self.outward = nn.Linear(outward, outward)

    def forward(self, nodes: Tensor, geometry: Tensor, index: Tensor, places: Tensor | None = None) -> Tensor:
        """``nodes`` (sample, node, inward) to (sample, node, outward).

        ``geometry`` (sample, node, k, GEOMETRY) and ``index`` (sample, node, k) are the graph; ``places`` (sample,
        node, axes) the learned coordinates of a dynamic layer.
        """
        if (places is None) != (self.stretch is None) or (places is not None and places.shape[-1] != self.axes):
            raise ValueError(f"learned coordinates: {self.axes} axes expected")
        if places is None or self.stretch is None:
            places, stretch = nodes.new_empty((*nodes.shape[:2], 0)), nodes.new_zeros(self.weight.shape[1])
        else:
            stretch = self.stretch
        edges = aggregate(self.centre(nodes), self.other(nodes), self.weight, places, stretch, geometry, index)
        out: Tensor = self.outward(edges)
        return out
