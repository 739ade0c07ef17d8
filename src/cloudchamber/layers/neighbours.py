"""The nearest nodes of every node of a cloud, and of those the most alike ones: the graphs of edge convolutions.

On a CPU, in single precision, compiled loops search balls around pivots instead of all pairs, and choose the k smallest
distances by bisection; everywhere else plain torch sorts all distances. Conventions: (sample, node, axis or feature);
neighbours are indices (sample, node, k), in no particular order.
"""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.layers.compiled import compiled

Floats = NDArray[np.float32]


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
def _grouped(place: Floats, far: Floats, closest: Floats, group: NDArray[np.int32]) -> None:
    """Squared distances ``far`` (pivot, node) to the pivots, the first nodes; each node's nearest pivot and how far."""
    axes, n = place.shape
    closest[:] = np.float32(1e30)
    for p in range(far.shape[0]):
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


@njit(cache=True, nogil=True, fastmath=True)
def _searched(
    place: Floats,
    row: Floats,
    members: NDArray[np.bool_],
    closest: Floats,
    reach: float,
    last: bool,
    guess: np.float32,
    work: tuple[Floats, NDArray[np.int32], Floats, NDArray[np.int32]],
    index: NDArray[np.int64],
) -> bool:
    """Fills the rows ``members`` of ``index`` (node, k) from the ball of radius ``reach`` around their pivot.

    ``row`` holds the squared distances to the pivot, ``closest`` those of the nodes to their own pivots; ``work`` is
    room for the ball. Returns False, with rows left over, if the neighbours of a member may lie outside; never if
    ``last``.
    """
    axes, n = place.shape
    k = index.shape[1]
    near, ball, distance, found = work
    square = reach * reach
    width = 0
    for i in range(n):
        ball[width] = i
        width += 1 if row[i] <= square else 0
    for a in range(axes):
        for c in range(width):
            near[a, c] = place[a, ball[c]]
    for c in range(width):
        i = ball[c]
        if not members[i]:
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
            index[i, e] = ball[found[e]]
        if not last and width < n and np.sqrt(limit) + np.sqrt(closest[i]) > reach:
            return False
    return True


@njit(cache=True, nogil=True, fastmath=True)
def _nearest(points: Floats, k: int, index: NDArray[np.int64]) -> None:
    """Fills ``index`` (sample, node, k) with the k nearest other nodes of ``points`` (sample, node, axis).

    Nodes are grouped by the nearest of some pivots; a group searches one ball around its pivot. A node's neighbours
    are complete if the farthest is not farther than the ball's radius less the way to the pivot; otherwise the group
    searches again in a ball that is always large enough.
    """
    samples, n, axes = points.shape
    pivots = max(n // 16, 1)
    far = np.empty((pivots, n), np.float32)
    place = np.empty((axes, n), np.float32)  # one row an axis
    # of the nodes in a ball: places, indices, distances, and which are chosen
    near, ball = np.empty((axes, n), np.float32), np.empty(n + 1, np.int32)
    distance, found = np.empty(n, np.float32), np.empty(n + 1, np.int32)
    closest = np.empty(n, np.float32)
    group = np.empty(n, np.int32)
    for s in range(samples):
        for a in range(axes):
            for i in range(n):
                place[a, i] = points[s, i, a]
        _grouped(place, far, closest, group)
        guess = np.float32(k) / np.float32(n)
        for p in range(pivots):
            row = far[p]
            members = group == p
            radius = np.float32(0.0)
            widest = np.float32(0.0)
            for i in range(n):
                radius = max(radius, closest[i] if members[i] else np.float32(0.0))
                widest = max(widest, row[i])
            radius = np.sqrt(radius)
            own = np.sqrt(_bound(row, n, k + 1, guess, np.float32(1.01) * widest)[1])
            guess = own * own
            for last in (False, True):
                reach = np.float32(1.001) * (own + 2 * radius) if last else np.float32(1.15) * own + radius
                if _searched(place, row, members, closest, reach, last, guess, (near, ball, distance, found), index[s]):
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
