"""The stage of a spherical network on a CPU: Chebyshev convolution, bias, (leaky) ReLU and pooling in one pass.

Equations and conventions as in ``chebyshev``. Between input and pooled output only the basis ``T_k(L) x`` exists in
memory; what the convolution gives is made block by block, small enough for the cache, and made again for the gradient:

    dL/dx = sum_k T_k(L) u_k,  u_k = g weight_k^T,   by Clenshaw's recursion  b_k = u_k + 2 L b_{k+1} - b_{k+2},

which holds because L is symmetric. Sums over all pixels and samples (gradients of weight and bias) are taken in single
precision within a block and in double precision over the blocks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from torch import Tensor

from cloudchamber.layers.healpix_graph import healpix_graph

Floats = NDArray[np.float32]
Slots = tuple[NDArray[np.int32], Floats, NDArray[np.int64]]

NO_POOLING, AVERAGE, MAXIMUM = 0, 1, 2
UNROLLED = 24  # up to this many basis functions a compiled loop of fixed length beats the matrix product of a library
BLOCK = 65536  # numbers in a block of the convolution: 256 kB, a part of a core's cache
FAST = {"reassoc", "contract", "arcp", "nsz"}  # not nnan: a NaN must stay one


@njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
def _product(index: Any, value: Any, count: Any, source: Floats, row: Floats, v: int, scale: float) -> None:
    """``row += scale (L source)[v]``, four slots at once; slots come in fours."""
    columns = row.shape[0]
    for slot in range(0, count[v], 4):
        a, b, c, d = index[v, slot], index[v, slot + 1], index[v, slot + 2], index[v, slot + 3]
        s, t = np.float32(scale) * value[v, slot], np.float32(scale) * value[v, slot + 1]
        u, w = np.float32(scale) * value[v, slot + 2], np.float32(scale) * value[v, slot + 3]
        for n in range(columns):
            row[n] += s * source[a, n] + t * source[b, n] + u * source[c, n] + w * source[d, n]


@njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
def _basis(index: Any, value: Any, count: Any, features: Floats, terms: Floats, basis: Floats) -> None:
    """Fills ``basis`` (pixel, sample, k, inward) with ``T_k(L) x``; ``terms`` (3, pixel, sample inward) is scratch."""
    pixels, samples, order, inward = basis.shape
    for v in range(pixels):
        for b in range(samples):
            for i in range(inward):
                terms[0, v, b * inward + i] = features[v, b, i]
                basis[v, b, 0, i] = features[v, b, i]
    for k in range(1, order):
        last, before, new = terms[(k - 1) % 3], terms[(k - 2) % 3], terms[k % 3]
        for v in range(pixels):
            row = new[v]
            if k == 1:
                row[:] = np.float32(0)
            else:
                for n in range(row.shape[0]):
                    row[n] = -before[v, n]
            _product(index, value, count, last, row, v, 1.0 if k == 1 else 2.0)
            for b in range(samples):
                for i in range(inward):
                    basis[v, b, k, i] = row[b * inward + i]


@njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
def _clenshaw(index: Any, value: Any, count: Any, adjoint: Floats, terms: Floats, gradient: Floats) -> None:
    """``gradient`` (pixel, sample, inward) = sum_k T_k(L) u_k of ``adjoint`` (pixel, sample, k, inward)."""
    pixels, samples, order, inward = adjoint.shape
    for k in range(order - 1, -1, -1):
        last, before, new = terms[(k + 1) % 3], terms[(k + 2) % 3], terms[k % 3]
        for v in range(pixels):
            row = new[v]
            for b in range(samples):
                for i in range(inward):
                    row[b * inward + i] = adjoint[v, b, k, i]
            if k + 2 < order:
                for n in range(row.shape[0]):
                    row[n] -= before[v, n]
            if k + 1 < order:
                _product(index, value, count, last, row, v, 1.0 if k == 0 else 2.0)
            if k == 0:
                for b in range(samples):
                    for i in range(inward):
                        gradient[v, b, i] = row[b * inward + i]


@njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
def _activate(block: Floats, bias: Floats, slope: float, pooling: int, out: Floats) -> None:
    """``out`` from ``block``, the convolution without bias, both (pixel, sample, outward)."""
    slope = np.float32(slope)
    zero = np.float32(0)
    pixels, samples, outward = out.shape
    for p in range(pixels):
        for b in range(samples):
            for o in range(outward):
                if pooling == NO_POOLING:
                    z = block[p, b, o] + bias[o]
                    out[p, b, o] = z if z > zero else slope * z
                else:
                    z0, z1 = block[4 * p, b, o] + bias[o], block[4 * p + 1, b, o] + bias[o]
                    z2, z3 = block[4 * p + 2, b, o] + bias[o], block[4 * p + 3, b, o] + bias[o]
                    z0, z1 = z0 if z0 > zero else slope * z0, z1 if z1 > zero else slope * z1
                    z2, z3 = z2 if z2 > zero else slope * z2, z3 if z3 > zero else slope * z3
                    if pooling == AVERAGE:
                        out[p, b, o] = np.float32(0.25) * (z0 + z1 + z2 + z3)
                    else:
                        out[p, b, o] = max(max(z0, z1), max(z2, z3))


@njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
def _deactivate(
    block: Floats, bias: Floats, slope: float, pooling: int, gradient: Floats, bias_gradient: NDArray[np.float64]
) -> None:
    """Replaces ``block``, the convolution, by the loss's gradient with respect to it; equal maxima share theirs."""
    slope = np.float32(slope)
    zero, one, quarter = np.float32(0), np.float32(1), np.float32(0.25)
    pixels, samples, outward = gradient.shape
    total = np.zeros(outward, np.float32)
    for p in range(pixels):
        for b in range(samples):
            for o in range(outward):
                g = gradient[p, b, o]
                if pooling == NO_POOLING:
                    g0 = g * (one if block[p, b, o] + bias[o] > zero else slope)
                    block[p, b, o] = g0
                    total[o] += g0
                else:
                    z0, z1 = block[4 * p, b, o] + bias[o], block[4 * p + 1, b, o] + bias[o]
                    z2, z3 = block[4 * p + 2, b, o] + bias[o], block[4 * p + 3, b, o] + bias[o]
                    g0 = g1 = g2 = g3 = g * quarter
                    if pooling == MAXIMUM:
                        top = max(max(z0, z1), max(z2, z3))
                        e0, e1 = one if z0 == top else zero, one if z1 == top else zero
                        e2, e3 = one if z2 == top else zero, one if z3 == top else zero
                        share = g / (e0 + e1 + e2 + e3)
                        g0, g1, g2, g3 = share * e0, share * e1, share * e2, share * e3
                    g0, g1 = g0 * (one if z0 > zero else slope), g1 * (one if z1 > zero else slope)
                    g2, g3 = g2 * (one if z2 > zero else slope), g3 * (one if z3 > zero else slope)
                    block[4 * p, b, o], block[4 * p + 1, b, o] = g0, g1
                    block[4 * p + 2, b, o], block[4 * p + 3, b, o] = g2, g3
                    total[o] += (g0 + g1) + (g2 + g3)
    for o in range(outward):
        bias_gradient[o] += total[o]


@functools.cache
def _unrolled(terms: int) -> tuple[Callable[..., None], Callable[..., None]]:
    """Forward and backward of a pooling stage with so few basis functions that the loop over them has a fixed length:
    the compiler unrolls it, and the convolution stays in registers."""

    @njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
    def forward(basis: Floats, weight: Floats, bias: Floats, slope: float, pooling: int, out: Floats) -> None:
        slope = np.float32(slope)
        zero = np.float32(0)
        pixels, samples, outward = out.shape
        for p in range(pixels):
            for b in range(samples):
                t0, t1, t2, t3 = basis[4 * p, b], basis[4 * p + 1, b], basis[4 * p + 2, b], basis[4 * p + 3, b]
                target = out[p, b]
                for o in range(outward):
                    z0 = z1 = z2 = z3 = bias[o]
                    for c in range(terms):
                        w = weight[c, o]
                        z0, z1, z2, z3 = z0 + t0[c] * w, z1 + t1[c] * w, z2 + t2[c] * w, z3 + t3[c] * w
                    z0, z1 = z0 if z0 > zero else slope * z0, z1 if z1 > zero else slope * z1
                    z2, z3 = z2 if z2 > zero else slope * z2, z3 if z3 > zero else slope * z3
                    if pooling == AVERAGE:
                        target[o] = np.float32(0.25) * (z0 + z1 + z2 + z3)
                    else:
                        target[o] = max(max(z0, z1), max(z2, z3))

    @njit(cache=True, fastmath=FAST, nogil=True)  # type: ignore[untyped-decorator]
    def backward(
        basis: Floats,
        weight: Floats,
        bias: Floats,
        slope: float,
        pooling: int,
        gradient: Floats,
        weight_gradient: NDArray[np.float64],
        bias_gradient: NDArray[np.float64],
    ) -> None:
        slope = np.float32(slope)
        zero, one, quarter = np.float32(0), np.float32(1), np.float32(0.25)
        pixels, samples, outward = gradient.shape
        sums = np.zeros((terms + 1, outward), np.float32)
        for p in range(pixels):
            for b in range(samples):
                t0, t1, t2, t3 = basis[4 * p, b], basis[4 * p + 1, b], basis[4 * p + 2, b], basis[4 * p + 3, b]
                given = gradient[p, b]
                for o in range(outward):
                    z0 = z1 = z2 = z3 = bias[o]
                    for c in range(terms):
                        w = weight[c, o]
                        z0, z1, z2, z3 = z0 + t0[c] * w, z1 + t1[c] * w, z2 + t2[c] * w, z3 + t3[c] * w
                    g0 = g1 = g2 = g3 = given[o] * quarter
                    if pooling == MAXIMUM:
                        top = max(max(z0, z1), max(z2, z3))
                        e0, e1 = one if z0 == top else zero, one if z1 == top else zero
                        e2, e3 = one if z2 == top else zero, one if z3 == top else zero
                        share = given[o] / (e0 + e1 + e2 + e3)
                        g0, g1, g2, g3 = share * e0, share * e1, share * e2, share * e3
                    g0, g1 = g0 * (one if z0 > zero else slope), g1 * (one if z1 > zero else slope)
                    g2, g3 = g2 * (one if z2 > zero else slope), g3 * (one if z3 > zero else slope)
                    for c in range(terms):
                        sums[c, o] += t0[c] * g0 + t1[c] * g1 + t2[c] * g2 + t3[c] * g3
                    sums[terms, o] += (g0 + g1) + (g2 + g3)
            if p % 4 == 3 or p == pixels - 1:
                for c in range(terms):
                    for o in range(outward):
                        weight_gradient[c, o] += sums[c, o]
                for o in range(outward):
                    bias_gradient[o] += sums[terms, o]
                sums[:] = np.float32(0)

    return forward, backward


@functools.cache
def slots_of(nside: int, neighbours: int) -> Slots:
    """Indices, values and numbers of the slots of ``healpix_graph``, as the loops read them."""
    graph = healpix_graph(nside, neighbours)
    return graph.index.astype(np.int32), graph.value.astype(np.float32), graph.count.copy()


def empty(*shape: int) -> Tensor:
    """Uninitialised float32; NumPy asks for large pages, which makes fresh memory several times cheaper."""
    return torch.from_numpy(np.empty(shape, np.float32))


class FusedStage(torch.autograd.Function):
    """See the module. ``index`` int32, ``value`` float32 and ``count`` are NumPy arrays of the graph's slots."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx,
        features: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        slots: Slots,
        slope: float,
        pooling: int,
    ) -> Tensor:
        pixels, samples, inward = features.shape
        order, _, outward = weight.shape
        basis = empty(pixels, samples, order, inward)
        terms = np.empty((3, pixels, samples * inward), np.float32)
        _basis(*slots, features.detach().contiguous().numpy(), terms, basis.numpy())
        out = empty(pixels if pooling == NO_POOLING else pixels // 4, samples, outward)
        matrix = weight.detach().contiguous().view(order * inward, outward)
        offset = torch.zeros(outward) if bias is None else bias.detach().contiguous()
        flat = basis.view(pixels, samples, order * inward)
        if pooling != NO_POOLING and order * inward <= UNROLLED:
            _unrolled(order * inward)[0](flat.numpy(), matrix.numpy(), offset.numpy(), slope, pooling, out.numpy())
        else:
            for part, target, block in blocks(flat, out, pooling):
                torch.mm(part.flatten(0, 1), matrix, out=block.view(-1, outward))
                _activate(block.numpy(), offset.numpy(), slope, pooling, target.numpy())
        ctx.save_for_backward(basis, matrix, offset)
        ctx.options = slots, slope, pooling, bias is not None
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor):  # type: ignore[no-untyped-def]
        basis, matrix, offset = ctx.saved_tensors
        slots, slope, pooling, biased = ctx.options
        pixels, samples, order, inward = basis.shape
        outward = matrix.shape[1]
        gradient = gradient.contiguous()
        flat = basis.view(pixels, samples, order * inward)
        weight_gradient = torch.zeros(order * inward, outward, dtype=torch.float64)
        bias_gradient = np.zeros(outward)
        need = ctx.needs_input_grad[0]
        if pooling != NO_POOLING and order * inward <= UNROLLED and not need:
            arrays = flat.numpy(), matrix.numpy(), offset.numpy(), slope, pooling, gradient.numpy()
            _unrolled(order * inward)[1](*arrays, weight_gradient.numpy(), bias_gradient)
        else:
            adjoint = empty(pixels, samples, order * inward) if need else flat
            part_gradient = torch.empty(order * inward, outward)
            for part, given, block, towards in blocks(flat, gradient, pooling, adjoint):
                rows, image = part.flatten(0, 1), block.view(-1, outward)
                torch.mm(rows, matrix, out=image)
                _deactivate(block.numpy(), offset.numpy(), slope, pooling, given.numpy(), bias_gradient)
                weight_gradient += torch.mm(rows.T, image, out=part_gradient)
                if need:
                    torch.mm(image, matrix.T, out=towards.view(-1, order * inward))
        features_gradient = None
        if need:
            features_gradient = empty(pixels, samples, inward)
            terms = np.empty((3, pixels, samples * inward), np.float32)
            _clenshaw(*slots, adjoint.view(basis.shape).numpy(), terms, features_gradient.numpy())
        return (
            features_gradient,
            weight_gradient.view(order, inward, outward).float(),
            torch.from_numpy(bias_gradient).float() if biased else None,
            None,
            None,
            None,
        )


def blocks(basis: Tensor, outside: Tensor, pooling: int, *more: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Consecutive pieces of (basis, output or its gradient, room for the convolution, more like the basis)."""
    children = 1 if pooling == NO_POOLING else 4
    _, samples, outward = outside.shape
    step = max(1, BLOCK // (children * samples * max(outward, basis.shape[2])))
    room = empty(step * children, samples, outward)
    for start in range(0, len(outside), step):
        target = outside[start : start + step]
        inside = slice(start * children, (start + len(target)) * children)
        yield basis[inside], target, room[: len(target) * children], *(array[inside] for array in more)
