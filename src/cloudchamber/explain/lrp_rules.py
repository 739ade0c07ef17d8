"""Layer-wise relevance propagation, rules: how the relevance of a layer's outputs is shared among its inputs.

Bach et al., doi:10.1371/journal.pone.0130140 (equation 58: epsilon; equation 60 with alpha = 1, beta = 0: z+);
Montavon et al., doi:10.1007/978-3-030-28954-6_10, table 10.1 (gamma). With the contributions ``z_ij = x_i w_ij`` of
input i to output j and ``z_j = sum_i z_ij + b_j``::

    epsilon  R_i = sum_j z_ij / (z_j + epsilon sign z_j) R_j
    z+       R_i = sum_j z_ij^+ / (sum_i z_ij^+ + b_j^+ + epsilon) R_j
    gamma    R_i = sum_j (z_ij + gamma z_ij^s) / (z_j + gamma (sum_i z_ij^s + b_j^s) + epsilon sign) R_j,  s = sign z_j

(y^+ = max(y, 0), y^- = min(y, 0)). For non-negative inputs z_ij^+ = x_i w_ij^+, and gamma is the publication's rule
wherever z_j > 0; taken with the sign of z_j it has no poles elsewhere. What biases and the epsilon take is counted, as
absorbed, so that ``sum_i R_i + absorbed = sum_j R_j``. Every linear layer is two operations, the sum of all and the sum
of the positive contributions, and their transposes; a rule combines them. Everything is float64.

A Chebyshev convolution is linear with the kernel ``M = sum_k theta_k T_k(L)`` for every pair of channels. The sum of
all contributions needs no kernel (recursion); that of the positive ones needs the sign of every entry of M, which is
not the sign of theta, for T_k(L) has entries of both signs: rows of M are made one at a time, hop by hop on the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from cloudchamber.schema import BadInput

Rule = Literal["epsilon", "gamma", "z_plus"]
RULES: tuple[Rule, ...] = ("epsilon", "gamma", "z_plus")

Doubles = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sharing:
    """A rule with its numbers.

    Attributes:
        rule: see the module.
        epsilon: stabiliser, absolute, in units of the layer's output; 0: none (0/0 is then 0, the relevance absorbed).
        gamma: weight of the contributions of an output's own sign.

    Raises:
        BadInput: unknown rule, negative epsilon or gamma.
    """

    rule: Rule = "epsilon"
    epsilon: float = 1e-6
    gamma: float = 0.25

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise BadInput(f"rule {self.rule!r}: there are {', '.join(RULES)}")
        if not (self.epsilon >= 0 and self.gamma >= 0):
            raise BadInput(f"epsilon = {self.epsilon}, gamma = {self.gamma}: need numbers that are not negative")


EPSILON = Sharing()
"""The epsilon rule with a small stabiliser."""


class Shared(NamedTuple):
    """Relevance of a layer's inputs, in their shape, and what was absorbed, (sample,)."""

    relevance: Tensor
    absorbed: Tensor


class LinearMap(Protocol):
    """A linear layer without its bias; inputs and outputs are (sample, ...)."""

    def total(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij."""
        ...

    def positive(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij^+."""
        ...

    def back(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij s_j."""
        ...

    def back_positive(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij^+ s_j."""
        ...


def per_sample(values: Tensor) -> Tensor:
    """Sum over everything but the first axis."""
    return values.reshape(len(values), -1).sum(dim=1)


def share(layer: LinearMap, inputs: Tensor, bias: Tensor | None, relevance: Tensor, how: Sharing) -> Shared:
    """The relevance of a linear layer's inputs from that of its outputs.

    Args:
        layer: the layer without bias.
        inputs: (sample, ...), float64.
        bias: broadcasts to the outputs; None: no bias.
        relevance: (sample, ...), of the outputs.
        how: the rule.
    """
    offset = torch.zeros_like(relevance) if bias is None else bias.expand_as(relevance)
    if how.rule == "z_plus":
        offset = offset.clamp(min=0)
        summed = layer.positive(inputs) + offset
    else:
        summed = layer.total(inputs) + offset
    up = summed >= 0
    if how.rule == "gamma":
        positive = layer.positive(inputs) + offset.clamp(min=0)
        # the sum of the negative contributions is the rest
        summed, offset = (
            summed + how.gamma * torch.where(up, positive, summed - positive),
            offset + how.gamma * torch.where(up, offset.clamp(min=0), offset.clamp(max=0)),
        )
    stable = torch.where(up, summed + how.epsilon, summed - how.epsilon)
    message = torch.where(stable != 0, relevance / torch.where(stable != 0, stable, 1.0), 0.0)
    absorbed = per_sample(relevance - message * (summed - offset))
    if how.rule == "epsilon":
        return Shared(layer.back(inputs, message), absorbed)
    if how.rule == "z_plus":
        return Shared(layer.back_positive(inputs, message), absorbed)
    # gamma z^- = gamma (z - z^+): the negative side, too, needs positive contributions only
    below = torch.where(up, 0.0, how.gamma * message)
    above = torch.where(up, how.gamma * message, 0.0)
    return Shared(
        layer.back(inputs, message + below) + layer.back_positive(inputs, above - below),
        absorbed,
    )


@dataclass(frozen=True)
class Dense:
    """Inputs (sample, ..., in) to (sample, ..., out) with ``weight`` (out, in)."""

    weight: Tensor

    def total(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij."""
        return inputs @ self.weight.T

    def positive(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij^+."""
        up, down = self.weight.clamp(min=0), self.weight.clamp(max=0)
        return inputs.clamp(min=0) @ up.T + inputs.clamp(max=0) @ down.T

    def back(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij s_j."""
        return inputs * (message @ self.weight)

    def back_positive(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij^+ s_j."""
        up, down = message @ self.weight.clamp(min=0), message @ self.weight.clamp(max=0)
        return inputs.clamp(min=0) * up + inputs.clamp(max=0) * down


@dataclass(frozen=True)
class WeightedSum:
    """Sum over one axis with given weights: average pooling, the mean over pixels, over neighbours, with attention.

    Attributes:
        weights: broadcasts to the inputs; constants, whatever they were computed from.
        axis: the axis that is summed; not the first (sample).
    """

    weights: Tensor
    axis: int

    def total(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij."""
        return (inputs * self.weights).sum(dim=self.axis)

    def positive(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij^+."""
        return (inputs * self.weights).clamp(min=0).sum(dim=self.axis)

    def back(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij s_j."""
        return inputs * self.weights * message.unsqueeze(self.axis)

    def back_positive(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij^+ s_j."""
        return (inputs * self.weights).clamp(min=0) * message.unsqueeze(self.axis)


def mean(inputs: Tensor, axis: int, relevance: Tensor, how: Sharing) -> Shared:
    """A mean over one axis (average pooling, statistical layer, neighbours): in proportion to the contributions."""
    weights = torch.full((1,), 1.0 / inputs.shape[axis], dtype=inputs.dtype)
    return share(WeightedSum(weights, axis), inputs, None, relevance, how)


def largest(inputs: Tensor, axis: int, relevance: Tensor) -> Shared:
    """A maximum over one axis: the winner takes all; exact ties share equally, so that no order counts."""
    winners = (inputs == inputs.amax(dim=axis, keepdim=True)).to(inputs.dtype)
    taken = winners / winners.sum(dim=axis, keepdim=True) * relevance.unsqueeze(axis)
    return Shared(taken, torch.zeros(len(inputs), dtype=inputs.dtype))


def variance(inputs: Tensor, axis: int, relevance: Tensor, epsilon: float) -> Shared:
    """A variance over one axis: ``R_i = (x_i - mu)^2 / (sum_i (x_i - mu)^2 + epsilon) R``, its own contributions.

    The mean is held constant. Not linear, so no case of ``share``; all rules coincide, for nothing here is negative.
    """
    squares = (inputs - inputs.mean(dim=axis, keepdim=True)) ** 2
    return share(
        WeightedSum(torch.ones(1, dtype=inputs.dtype), axis), squares, None, relevance, Sharing("epsilon", epsilon)
    )


@njit(cache=True, nogil=True)
def _row(
    pixel: int,
    terms: int,
    start: Integers,
    column: Integers,
    value: Doubles,
    work: Doubles,
    near: Integers,
    seen: Integers,
) -> int:
    """Row ``pixel`` of T_0(L) to T_terms-1(L) into ``work`` (pixel, term); the pixels it reaches into ``near``.

    ``T_k = 2 T_k-1 L - T_k-2`` row by row, for L commutes with its polynomials. ``work`` is zero when it comes in;
    ``seen`` (pixel,) holds the last row that reached a pixel. Returns the number of pixels reached.
    """
    near[0] = pixel
    seen[pixel] = pixel
    work[pixel, 0] = 1.0
    count = 1
    for k in range(1, terms):
        factor = 1.0 if k == 1 else 2.0
        for n in range(count):
            q = near[n]
            if k > 1:
                work[q, k] -= work[q, k - 2]
        for n in range(count):  # pixels found below lie one hop further out and have work[q, k - 1] = 0
            q = near[n]
            weight = factor * work[q, k - 1]
            if weight == 0.0:
                continue
            for e in range(start[q], start[q + 1]):
                r = column[e]
                if seen[r] != pixel:
                    seen[r] = pixel
                    near[count] = r
                    count += 1
                work[r, k] += weight * value[e]
    return count


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _kernel(terms: Doubles, theta: Doubles, inputs: Doubles, kernel: Doubles) -> bool:
    """``sum_k terms_k theta_k`` into ``kernel`` (in, out), the terms to zero; False, and none, if inputs vanish."""
    needed = False
    for x in inputs.flat:
        needed = needed or x != 0.0
    kernel[:] = 0.0
    n_in, n_out = kernel.shape
    for k in range(len(terms)):
        t = terms[k]
        terms[k] = 0.0
        if needed and t != 0.0:
            for i in range(n_in):
                for o in range(n_out):
                    kernel[i, o] += t * theta[k, i, o]
    return needed


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _positive(
    start: Integers, column: Integers, value: Doubles, theta: Doubles, inputs: Doubles, message: Doubles, back: bool,
    out: Doubles,
) -> None:  # fmt: skip
    """Sums of positive contributions x_qi M_pq,io over (q, i) into ``out``, or over (p, o) times ``message``.

    Args:
        start: where the rows of the Laplacian begin, in compressed form; it need not be symmetric.
        column: columns of its entries.
        value: its entries.
        theta: (term, in, out).
        inputs: (pixel, sample, in).
        message: (pixel, sample, out); read if ``back``.
        back: the transposed sum.
        out: (pixel, sample, out), or (pixel, sample, in) if ``back``; zero when it comes in.
    """
    pixels, samples, n_in = inputs.shape
    terms, _, n_out = theta.shape
    work = np.zeros((pixels, terms))
    near = np.empty(pixels, dtype=np.int64)
    seen = np.full(pixels, -1, dtype=np.int64)
    kernel = np.empty((n_in, n_out))
    for p in range(pixels):
        count = _row(p, terms, start, column, value, work, near, seen)
        for q in near[:count]:
            if not _kernel(work[q], theta, inputs[q], kernel):
                continue
            for s in range(samples):
                for i in range(n_in):
                    x = inputs[q, s, i]
                    total = 0.0
                    if back:
                        for o in range(n_out):
                            total += max(x * kernel[i, o], 0.0) * message[p, s, o]
                        out[q, s, i] += total
                    else:
                        for o in range(n_out):
                            out[p, s, o] += max(x * kernel[i, o], 0.0)


class ChebyshevMap:
    """A Chebyshev graph convolution as a linear layer: (sample, pixel, in) to (sample, pixel, out).

    ``y_po = sum_qi M_pq,io x_qi`` with ``M_io = sum_k theta_kio T_k(L)``; T_k are the Chebyshev polynomials.

    Args:
        laplacian: (pixel, pixel), the matrix L that goes into the polynomials: already rescaled.
        theta: (term, in, out).

    Raises:
        BadInput: a Laplacian that is not square, or a theta without three axes.
    """

    def __init__(self, laplacian: csr_array, theta: Tensor) -> None:
        if laplacian.ndim != 2 or laplacian.shape[0] != laplacian.shape[1] or theta.ndim != 3:
            raise BadInput(
                f"Laplacian of shape {laplacian.shape}, weights of shape {tuple(theta.shape)}: "
                "expected (pixel, pixel) and (term, in, out)"
            )
        self.laplacian = csr_array(laplacian, dtype=np.float64)
        self.theta: Doubles = np.ascontiguousarray(theta.detach().double().cpu().numpy())

    @staticmethod
    def _recursion(laplacian: csr_array, values: Doubles, theta: Doubles) -> Doubles:
        """``sum_k T_k(L) values theta_k``: values (pixel, sample, from), theta (term, from, to)."""
        pixels, samples, _ = values.shape
        last, here = np.zeros(()), values
        out: Doubles = values @ theta[0]
        for k in range(1, len(theta)):
            moved = (laplacian @ here.reshape(pixels, -1)).reshape(pixels, samples, -1)
            last, here = here, moved if k == 1 else 2 * moved - last
            out += here @ theta[k]
        return out

    @staticmethod
    def _first(values: Tensor) -> Doubles:
        """(sample, pixel, channel) to numpy (pixel, sample, channel)."""
        return np.ascontiguousarray(values.permute(1, 0, 2).numpy())

    @staticmethod
    def _last(values: Doubles) -> Tensor:
        """The way back."""
        return torch.from_numpy(values).permute(1, 0, 2)

    def _clipped(self, inputs: Tensor, message: Tensor | None) -> Tensor:
        x = self._first(inputs)
        n_in, n_out = self.theta.shape[1:]
        out = np.zeros((*x.shape[:2], n_out if message is None else n_in))
        scale = np.zeros((1, 1, 1)) if message is None else self._first(message)
        csr = self.laplacian
        start, column = csr.indptr.astype(np.int64), csr.indices.astype(np.int64)
        _positive(start, column, csr.data, self.theta, x, scale, message is not None, out)
        return self._last(out)

    def total(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij."""
        return self._last(self._recursion(self.laplacian, self._first(inputs), self.theta))

    def positive(self, inputs: Tensor) -> Tensor:
        """Sum over i of z_ij^+."""
        return self._clipped(inputs, None)

    def back(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij s_j."""
        turned = self.theta.transpose(0, 2, 1)
        return inputs * self._last(self._recursion(csr_array(self.laplacian.T), self._first(message), turned))

    def back_positive(self, inputs: Tensor, message: Tensor) -> Tensor:
        """Sum over j of z_ij^+ s_j."""
        return self._clipped(inputs, message)


def scattered(values: Tensor, neighbours: Tensor, nodes: int) -> Tensor:
    """The transpose of ``neighbours_of``: sum over all edges that end at a node, (sample, node, feature)."""
    samples, _, _, features = values.shape
    where = neighbours.reshape(samples, -1, 1).expand(-1, -1, features)
    return torch.zeros(samples, nodes, features, dtype=values.dtype).scatter_add_(
        1, where, values.reshape(samples, -1, features)
    )
