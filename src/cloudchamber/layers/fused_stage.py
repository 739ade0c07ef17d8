"""The stage of a spherical network on a CPU: Chebyshev convolution, bias, (leaky) ReLU and pooling in one pass.

Equations and conventions as in ``chebyshev``. Between input and pooled output only the terms ``T_k(L) x`` exist in
memory; what the convolution gives never leaves the registers and is made again for the gradient::

    dL/dx = sum_k T_k(L) u_k,  u_k = g weight_k^T,   by Clenshaw's recursion  b_k = u_k + 2 L b_{k+1} - b_{k+2},

which holds because L is symmetric. Sums over all pixels and samples (gradients of weight and bias) are taken in single
precision within a block of pixels and in double precision over the blocks.

All products have one form: four consecutive pixels (the children of one) of two samples, times a panel of sixteen
columns. Where sixteen do not divide the number of features, zeros fill up.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.layers.healpix_graph import healpix_graph
from cloudchamber.layers.simd import (
    LANES,
    added,
    constant,
    divided,
    larger,
    load,
    more,
    number,
    sloped,
    store,
    where_equal,
)

Floats = NDArray[np.float32]
Slots = tuple[NDArray[np.int32], Floats, NDArray[np.int64]]

NO_POOLING, AVERAGE, MAXIMUM = 0, 1, 2
BLOCK = 8  # parents of four pixels whose sums are single precision: 512 summands at 16 samples


@njit(cache=True, nogil=True)
def _recursion(
    index: NDArray[np.int32],
    value: Floats,
    count: NDArray[np.int64],
    scale: np.float32,
    last: Floats,
    before: Floats,
    minus: np.float32,
    new: Floats,
    keep: np.float32,
) -> None:
    """``new = keep new + scale L last - minus before``, all (pixel, column) with columns a multiple of sixteen."""
    columns = new.shape[1]
    zero = constant(np.float32(0))
    for v in range(new.shape[0]):
        n = 0
        while n < columns:
            wide = n + 4 * LANES <= columns
            at = v * columns + n
            if wide:
                a, b, c, d = zero, zero, zero, zero
                for slot in range(count[v]):
                    w, start = scale * value[v, slot], np.intp(index[v, slot]) * columns + n
                    a = more(a, w, load(last, start))
                    b = more(b, w, load(last, start + LANES))
                    c = more(c, w, load(last, start + 2 * LANES))
                    d = more(d, w, load(last, start + 3 * LANES))
                if keep != 0:
                    a, b = more(a, keep, load(new, at)), more(b, keep, load(new, at + LANES))
                    c, d = more(c, keep, load(new, at + 2 * LANES)), more(d, keep, load(new, at + 3 * LANES))
                if minus != 0:
                    a, b = more(a, -minus, load(before, at)), more(b, -minus, load(before, at + LANES))
                    c = more(c, -minus, load(before, at + 2 * LANES))
                    d = more(d, -minus, load(before, at + 3 * LANES))
                store(new, at, a)
                store(new, at + LANES, b)
                store(new, at + 2 * LANES, c)
                store(new, at + 3 * LANES, d)
                n += 4 * LANES
            else:
                a, b, c, d = zero, zero, zero, zero  # slots come in fours
                for slot in range(0, count[v], 4):
                    a = more(a, scale * value[v, slot], load(last, np.intp(index[v, slot]) * columns + n))
                    b = more(b, scale * value[v, slot + 1], load(last, np.intp(index[v, slot + 1]) * columns + n))
                    c = more(c, scale * value[v, slot + 2], load(last, np.intp(index[v, slot + 2]) * columns + n))
                    d = more(d, scale * value[v, slot + 3], load(last, np.intp(index[v, slot + 3]) * columns + n))
                a = added(added(a, b), added(c, d))
                if keep != 0:
                    a = more(a, keep, load(new, at))
                if minus != 0:
                    a = more(a, -minus, load(before, at))
                store(new, at, a)
                n += LANES


@njit(cache=True, nogil=True, inline="always")
def _tile(
    left: Floats,
    row: int,
    stride: int,
    other: int,
    outer: int,
    step: int,
    inner: int,
    panel: Floats,
    at: int,
    start: Any,
) -> Any:
    """Eight rows of ``left`` times sixteen columns of ``panel``, each added to ``start``.

    Rows begin at ``row``, ``row + stride``, ... (four), and ``other`` further on (four more). Each has ``outer`` pieces
    of ``inner`` numbers, ``step`` apart; the panel is contiguous, sixteen columns a number, from ``at``.
    """
    a, b, c, d = start, start, start, start
    e, f, g, h = start, start, start, start
    for k in range(outer):
        base = row + k * step
        for i in range(base, base + inner):
            w = load(panel, at)
            at += LANES
            a, b = more(a, number(left, i), w), more(b, number(left, i + stride), w)
            c, d = more(c, number(left, i + 2 * stride), w), more(d, number(left, i + 3 * stride), w)
            e, f = more(e, number(left, i + other), w), more(f, number(left, i + other + stride), w)
            g, h = more(g, number(left, i + other + 2 * stride), w), more(h, number(left, i + other + 3 * stride), w)
    return a, b, c, d, e, f, g, h


@njit(cache=True, nogil=True, inline="always")
def _active(a: Any, b: Any, c: Any, d: Any, slope: np.float32) -> Any:
    """Activations of four convolutions."""
    return sloped(a, slope, a), sloped(b, slope, b), sloped(c, slope, c), sloped(d, slope, d)


@njit(cache=True, nogil=True, inline="always")
def _pool(a: Any, b: Any, c: Any, d: Any, pooling: int) -> Any:
    """Average or maximum of four activations."""
    if pooling == MAXIMUM:
        return larger(larger(a, b), larger(c, d))
    return more(constant(np.float32(0)), np.float32(0.25), added(added(a, b), added(c, d)))


@njit(cache=True, nogil=True, inline="always")
def _unpool(a: Any, b: Any, c: Any, d: Any, slope: np.float32, pooling: int, given: Any) -> Any:
    """Gradients of four convolutions from that of their pooled activation; equal maxima share it."""
    zero = constant(np.float32(0))
    if pooling == MAXIMUM:
        one = constant(np.float32(1))
        top = larger(larger(a, b), larger(c, d))
        equal = added(
            added(where_equal(a, top, one), where_equal(b, top, one)),
            added(where_equal(c, top, one), where_equal(d, top, one)),
        )
        share = divided(given, equal)
        p, q = where_equal(a, top, share), where_equal(b, top, share)
        r, s = where_equal(c, top, share), where_equal(d, top, share)
    else:
        share = more(zero, np.float32(0.25), given)
        p, q, r, s = share, share, share, share
    return sloped(a, slope, p), sloped(b, slope, q), sloped(c, slope, r), sloped(d, slope, s)


@njit(cache=True, nogil=True, inline="always")
def _store_four(out: Floats, at: int, stride: int, a: Any, b: Any, c: Any, d: Any) -> None:
    """Four rows of ``out``, ``stride`` apart."""
    store(out, at, a)
    store(out, at + stride, b)
    store(out, at + 2 * stride, c)
    store(out, at + 3 * stride, d)


@njit(cache=True, nogil=True)
def _forward(
    terms: Floats, inward: int, panels: Floats, bias: Floats, slope: np.float32, pooling: int, out: Floats
) -> None:
    """``out`` (pixel, sample, column) from ``terms`` (k, pixel, sample inward and filling).

    ``panels`` is (panel, k inward, sixteen), ``bias`` (column,).
    """
    order, pixels, columns = terms.shape
    _, samples, outward = out.shape
    left = terms.reshape(-1)
    step, size = pixels * columns, order * inward * LANES
    for first in range(0, pixels // 4, BLOCK):
        for panel in range(outward // LANES):
            start = load(bias, panel * LANES)
            for p in range(first, min(first + BLOCK, pixels // 4)):
                for s in range(0, samples, 2):
                    t = min(s + 1, samples - 1)  # the last of an odd number is done twice
                    row = 4 * p * columns + s * inward
                    a, b, c, d, e, f, g, h = _tile(
                        left, row, columns, (t - s) * inward, order, step, inward, panels, panel * size, start
                    )
                    a, b, c, d = _active(a, b, c, d, slope)
                    e, f, g, h = _active(e, f, g, h, slope)
                    if pooling == NO_POOLING:
                        at, far = (4 * p * samples + s) * outward + panel * LANES, samples * outward
                        _store_four(out, at, far, a, b, c, d)
                        _store_four(out, at + (t - s) * outward, far, e, f, g, h)
                    else:
                        store(out, (p * samples + s) * outward + panel * LANES, _pool(a, b, c, d, pooling))
                        store(out, (p * samples + t) * outward + panel * LANES, _pool(e, f, g, h, pooling))


@njit(cache=True, nogil=True, inline="always")
def _tile_gradient(
    tile: Any, given: Floats, at: int, next_row: int, next_sample: int, slope: np.float32, pooling: int
) -> Any:
    """Gradients of the eight rows of a convolution's ``tile`` from that of the output, ``given`` from ``at`` on."""
    a, b, c, d, e, f, g, h = tile
    if pooling == NO_POOLING:
        a, b = sloped(a, slope, load(given, at)), sloped(b, slope, load(given, at + next_row))
        c, d = sloped(c, slope, load(given, at + 2 * next_row)), sloped(d, slope, load(given, at + 3 * next_row))
        at += next_sample
        e, f = sloped(e, slope, load(given, at)), sloped(f, slope, load(given, at + next_row))
        g, h = sloped(g, slope, load(given, at + 2 * next_row)), sloped(h, slope, load(given, at + 3 * next_row))
    else:
        a, b, c, d = _unpool(a, b, c, d, slope, pooling, load(given, at))
        e, f, g, h = _unpool(e, f, g, h, slope, pooling, load(given, at + next_sample))
    return a, b, c, d, e, f, g, h


@njit(cache=True, nogil=True, inline="always")
def _add_outer(
    tile: Any, left: Floats, row: int, stride: int, other: int, outer: int, step: int, inner: int, sums: Floats, at: int
) -> None:
    """Adds to ``sums``, a panel from ``at`` on, the products of the rows of ``left`` and ``tile``; as in ``_tile``."""
    a, b, c, d, e, f, g, h = tile
    for k in range(outer):
        base = row + k * step
        for i in range(base, base + inner):
            total = more(load(sums, at), number(left, i), a)
            rest = more(constant(np.float32(0)), number(left, i + stride), b)
            total, rest = more(total, number(left, i + 2 * stride), c), more(rest, number(left, i + 3 * stride), d)
            total, rest = more(total, number(left, i + other), e), more(rest, number(left, i + other + stride), f)
            total = more(total, number(left, i + other + 2 * stride), g)
            rest = more(rest, number(left, i + other + 3 * stride), h)
            store(sums, at, added(total, rest))
            at += LANES


@njit(cache=True, nogil=True)
def _backward(
    terms: Floats,
    inward: int,
    panels: Floats,
    bias: Floats,
    slope: np.float32,
    pooling: int,
    given: Floats,
    panels_gradient: NDArray[np.float64],
    bias_gradient: NDArray[np.float64],
    transposed: Floats,
    adjoint: Floats,
) -> None:
    """Adds to the gradients of ``panels`` and ``bias``, and fills ``adjoint`` (like ``terms``) unless it is empty.

    ``given`` is the gradient of the output; ``transposed`` holds the weights as (k, panel of inward, outward, sixteen).
    """
    pixels = terms.shape[1]
    _, samples, outward = given.shape
    local = np.zeros((4 * BLOCK, samples + samples % 2, outward), np.float32)  # gradients of one block's convolution
    sums = np.zeros(panels.size, np.float32)
    bias_sums = np.zeros(outward, np.float32)
    for first in range(0, pixels // 4, BLOCK):
        last = min(first + BLOCK, pixels // 4)
        _block_gradient(terms, inward, panels, bias, slope, pooling, given, first, last, sums, bias_sums, local)
        for n in range(sums.size):
            panels_gradient[n] += sums[n]
            sums[n] = 0
        for n in range(outward):
            bias_gradient[n] += bias_sums[n]
            bias_sums[n] = 0
        if adjoint.size:
            _block_adjoint(local, samples, transposed, inward, first, last, adjoint)


@njit(cache=True, nogil=True)
def _block_gradient(
    terms: Floats,
    inward: int,
    panels: Floats,
    bias: Floats,
    slope: np.float32,
    pooling: int,
    given: Floats,
    first: int,
    last: int,
    sums: Floats,
    bias_sums: Floats,
    local: Floats,
) -> None:
    """Adds what the parents ``first`` to ``last - 1`` give to the gradients ``sums`` and ``bias_sums``.

    ``local`` (pixel of the block, sample, outward) gets the gradient of their convolution.
    """
    order, pixels, columns = terms.shape
    _, samples, outward = given.shape
    left = terms.reshape(-1)
    step, size = pixels * columns, order * inward * LANES
    zero = constant(np.float32(0))
    flat, far = local.reshape(-1), local.shape[1] * outward
    for panel in range(outward // LANES):
        start = load(bias, panel * LANES)
        bias_sum = load(bias_sums, panel * LANES)
        for p in range(first, last):
            for s in range(0, samples, 2):
                t = min(s + 1, samples - 1)
                row, other = 4 * p * columns + s * inward, (t - s) * inward
                tile = _tile(left, row, columns, other, order, step, inward, panels, panel * size, start)
                at = ((4 * p if pooling == NO_POOLING else p) * samples + s) * outward + panel * LANES
                a, b, c, d, e, f, g, h = _tile_gradient(
                    tile, given, at, samples * outward, (t - s) * outward, slope, pooling
                )
                if t == s:
                    e, f, g, h = zero, zero, zero, zero
                bias_sum = added(bias_sum, added(added(added(a, b), added(c, d)), added(added(e, f), added(g, h))))
                tile = (a, b, c, d, e, f, g, h)
                _add_outer(tile, left, row, columns, other, order, step, inward, sums, panel * size)
                at = 4 * (p - first) * far + s * outward + panel * LANES
                _store_four(flat, at, far, a, b, c, d)
                _store_four(flat, at + outward, far, e, f, g, h)
        store(bias_sums, panel * LANES, bias_sum)


@njit(cache=True, nogil=True)
def _block_adjoint(
    local: Floats, samples: int, transposed: Floats, inward: int, first: int, last: int, adjoint: Floats
) -> None:
    """Fills the pixels of the parents ``first`` to ``last - 1`` of ``adjoint``: ``local`` times the weights."""
    order, pixels, columns = adjoint.shape
    outward = local.shape[2]
    flat, far, step = local.reshape(-1), local.shape[1] * outward, pixels * columns
    zero = constant(np.float32(0))
    at = 0
    for k in range(order):
        for panel in range(inward // LANES):
            for p in range(first, last):
                for s in range(0, samples, 2):
                    row = 4 * (p - first) * far + s * outward
                    a, b, c, d, e, f, g, h = _tile(flat, row, far, outward, 1, 0, outward, transposed, at, zero)
                    put = k * step + 4 * p * columns + s * inward + panel * LANES
                    _store_four(adjoint, put, columns, a, b, c, d)
                    if s + 1 < samples:
                        _store_four(adjoint, put + inward, columns, e, f, g, h)
            at += outward * LANES


@functools.cache
def slots_of(nside: int, neighbours: int) -> Slots:
    """Indices, values and numbers of the slots of ``healpix_graph``, the numbers rounded up to fours."""
    graph = healpix_graph(nside, neighbours)
    return graph.index.astype(np.int32), graph.value.astype(np.float32), -(-graph.count // 4) * 4


def filled(values: Tensor, *axes: int) -> Tensor:
    """``values`` with zeros at the end of the axes, up to multiples of sixteen."""
    shape = [-(-size // LANES) * LANES if axis in axes else size for axis, size in enumerate(values.shape)]
    if shape == list(values.shape):
        return values.contiguous()
    result = values.new_zeros(shape)
    result[tuple(slice(size) for size in values.shape)] = values
    return result


class FusedStage(torch.autograd.Function):
    """(pixel, sample, inward) to (pixel or pixel / 4, sample, outward), float32 on the CPU.

    Arguments: features, weight (order, inward, outward), bias (outward,) or None, ``slots_of`` the graph, slope of the
    ReLU for negative arguments (1: no activation), and NO_POOLING, AVERAGE or MAXIMUM.
    """

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, features: Tensor, weight: Tensor, bias: Tensor | None, slots: Slots, slope: float, pooling: int
    ) -> Tensor:
        """(pixel, sample, inward) to (pixel, sample, outward), a quarter of the pixels with pooling."""
        pixels, samples, _ = features.shape
        order, _, outward = weight.shape
        index, value, count = slots
        needed = ctx.needs_input_grad[0]
        # The gradient is made in panels of sixteen input features; without it any number will do.
        given, matrix = filled(features, 2) if needed else features, filled(weight, *((1, 2) if needed else (2,)))
        inward = matrix.shape[1]
        terms = np.empty((order, pixels, -(-samples * inward // LANES) * LANES), np.float32)
        terms[0, :, : samples * inward] = given.reshape(pixels, -1).numpy()
        terms[0, :, samples * inward :] = 0
        for k in range(1, order):
            scale, minus = np.float32(min(k, 2)), np.float32(k > 1)
            _recursion(index, value, count, scale, terms[k - 1], terms[k - 2], minus, terms[k], np.float32(0))
        panels = matrix.view(order * inward, -1, LANES).transpose(0, 1).contiguous().numpy()
        offset = np.zeros(matrix.shape[2], np.float32)
        if bias is not None:
            offset[:outward] = bias.numpy()
        out = np.empty((pixels if pooling == NO_POOLING else pixels // 4, samples, matrix.shape[2]), np.float32)
        _forward(terms, inward, panels, offset, np.float32(slope), pooling, out)
        ctx.save_for_backward(weight)
        ctx.parts = terms, matrix, panels, offset, bias is not None
        ctx.options = slots, np.float32(slope), pooling
        return torch.from_numpy(out)[:, :, :outward].contiguous()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        """Gradients of features, weight and bias from that of the output."""
        (weight,) = ctx.saved_tensors  # complains if it was changed since
        terms, matrix, panels, offset, biased = ctx.parts
        (index, value, count), slope, pooling = ctx.options
        order, pixels, _ = terms.shape
        inward, outward = matrix.shape[1:]
        needed = ctx.needs_input_grad[0]
        panels_gradient, bias_gradient = np.zeros(panels.size), np.zeros(outward)
        adjoint, transposed = np.empty((0, 0, 0), np.float32), np.empty(0, np.float32)
        if needed:
            adjoint = np.empty(terms.shape, np.float32)
            transposed = matrix.view(order, -1, LANES, outward).transpose(2, 3).contiguous().numpy().reshape(-1)
        given = filled(gradient, 2).numpy()
        _backward(
            terms, inward, panels, offset, slope, pooling, given, panels_gradient, bias_gradient, transposed, adjoint
        )
        features_gradient = None
        if needed:
            for k in range(order - 2, -1, -1):
                last, before = adjoint[k + 1], adjoint[min(k + 2, order - 1)]
                scale, minus = np.float32(min(k + 1, 2)), np.float32(k + 2 < order)
                _recursion(index, value, count, scale, last, before, minus, adjoint[k], np.float32(1))
            features_gradient = torch.from_numpy(adjoint[0]).view(pixels, -1, inward)[:, :, : weight.shape[1]]
        total = torch.from_numpy(panels_gradient).view(-1, order, inward, LANES).permute(1, 2, 0, 3)
        total = total.reshape(order, inward, outward)[:, : weight.shape[1], : weight.shape[2]].float()
        bias_total = torch.from_numpy(bias_gradient[: weight.shape[2]]).float() if biased else None
        return features_gradient, total, bias_total, None, None, None
