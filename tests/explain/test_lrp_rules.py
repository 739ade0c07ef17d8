"""Every rule against the publications' formulae, written with the whole matrix of contributions."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from cloudchamber.explain.lrp_rules import (
    RULES,
    ChebyshevMap,
    Dense,
    Sharing,
    WeightedSum,
    largest,
    mean,
    per_sample,
    scattered,
    share,
    variance,
)
from cloudchamber.layers.neighbours import neighbours_of
from cloudchamber.schema import BadInput

EXACT = {"rtol": 1e-10, "atol": 1e-12}  # the same sums in float64, in another order


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def by_the_formula(z, bias, relevance, how):
    """R_i and the absorbed relevance from contributions z (in, out), one output after the other."""
    shared, absorbed = np.zeros(len(z)), 0.0
    for j in range(z.shape[1]):
        parts, offset = z[:, j].copy(), bias[j]
        if how.rule == "z_plus":
            parts, offset = np.maximum(parts, 0), max(offset, 0)
        elif how.rule == "gamma" and parts.sum() + offset >= 0:
            parts, offset = parts + how.gamma * np.maximum(parts, 0), offset + how.gamma * max(offset, 0)
        elif how.rule == "gamma":
            parts, offset = parts + how.gamma * np.minimum(parts, 0), offset + how.gamma * min(offset, 0)
        summed = parts.sum() + offset
        summed += how.epsilon if summed >= 0 else -how.epsilon
        shared += parts / summed * relevance[j]
        absorbed += (1 - parts.sum() / summed) * relevance[j]
    return shared, absorbed


def graph(pixels=12, seed=0):
    """A symmetric matrix with eigenvalues in [-1, 1], few entries a row."""
    rng = np.random.default_rng(seed)
    weights = rng.random((pixels, pixels)) * (rng.random((pixels, pixels)) < 0.15)
    weights = np.triu(weights, 1) + np.diag(rng.random(pixels - 1) + 0.1, 1)  # no pixel alone
    weights = weights + weights.T
    matrix = np.diag(weights.sum(axis=1)) - weights
    return 2 * matrix / np.linalg.eigvalsh(matrix)[-1] - np.eye(pixels)


def kernel(matrix, theta):
    """M (pixel, in, pixel, out) by T_k(cos a) = cos ka of the eigenvalues; theta (term, in, out)."""
    values, vectors = np.linalg.eigh(matrix)
    angles = np.arccos(np.clip(values, -1, 1))
    terms = [vectors * np.cos(k * angles) @ vectors.T for k in range(len(theta))]
    return np.einsum("kpq,kio->qipo", terms, theta)


def dense_case():
    weight, inputs = normal(4, 6, seed=1), normal(3, 6, seed=2)
    return Dense(weight), inputs, np.einsum("si,oi->sio", inputs.numpy(), weight.numpy())


def sum_case():
    inputs, weights = normal(2, 5, 3, seed=3), normal(2, 5, 1, seed=4)
    z = np.zeros((2, 5, 3, 3))
    for channel in range(3):
        z[:, :, channel, channel] = (inputs * weights).numpy()[:, :, channel]
    return WeightedSum(weights, 1), inputs, z.reshape(2, 15, 3)


def chebyshev_case():
    theta, inputs = normal(5, 2, 3, seed=5), normal(2, 12, 2, seed=6)
    z = inputs.numpy()[:, :, :, None, None] * kernel(graph(), theta.numpy())
    return ChebyshevMap(csr_array(graph()), theta), inputs, z.reshape(2, 24, 36)


CASES = {"dense": dense_case, "sum": sum_case, "chebyshev": chebyshev_case}


@pytest.mark.parametrize("positive_inputs", [False, True])
@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES)
def test_rules_are_the_formulae_of_the_publications(case, rule, with_bias, positive_inputs):
    layer, inputs, z = CASES[case]()
    if positive_inputs:  # the sign of an input is divided out of its contributions
        z = z * np.sign(inputs.numpy()).reshape(len(z), -1, 1)
        inputs = inputs.abs()
    how = Sharing(rule, epsilon=0.01, gamma=0.4)
    out = layer.total(inputs)
    np.testing.assert_allclose(out.numpy().reshape(len(z), -1), z.sum(axis=1), **EXACT)
    bias = normal(*out.shape[1:], seed=20) if with_bias else None
    relevance = normal(*out.shape, seed=21)
    found = share(layer, inputs, bias, relevance, how)
    flat_bias = np.zeros(z.shape[2]) if bias is None else bias.numpy().ravel()
    for s in range(len(z)):
        shared, absorbed = by_the_formula(z[s], flat_bias, relevance[s].numpy().ravel(), how)
        np.testing.assert_allclose(found.relevance[s].numpy().ravel(), shared, **EXACT)
        np.testing.assert_allclose(found.absorbed[s].item(), absorbed, **EXACT)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("case", CASES)
def test_without_bias_and_epsilon_nothing_is_lost(case, rule):
    layer, inputs, _ = CASES[case]()
    relevance = normal(*layer.total(inputs).shape, seed=30)
    if rule == "z_plus":  # what no input speaks for is absorbed: the small cases have such outputs
        relevance = relevance * (layer.positive(inputs) > 0)
    found = share(layer, inputs, None, relevance, Sharing(rule, epsilon=0))
    np.testing.assert_allclose(found.absorbed.numpy(), 0, atol=1e-10)
    np.testing.assert_allclose(per_sample(found.relevance).numpy(), per_sample(relevance).numpy(), rtol=1e-9)


def test_splitting_the_sign_of_theta_is_another_rule():
    """The trap: T_k(L) has entries of both signs, so theta^+ T_k(L) is not the positive part of the kernel."""
    matrix, theta = graph(), normal(5, 2, 3, seed=5)
    inputs, relevance = normal(1, 12, 2, seed=6).abs(), torch.ones(1, 12, 3, dtype=torch.float64)
    right = share(ChebyshevMap(csr_array(matrix), theta), inputs, None, relevance, Sharing("z_plus", epsilon=0))
    trap = ChebyshevMap(csr_array(matrix), theta.clamp(min=0))
    wrong = share(trap, inputs, None, relevance, Sharing("epsilon", epsilon=0))
    z = inputs.numpy()[0, :, :, None, None] * kernel(matrix, theta.numpy())
    shared, _ = by_the_formula(z.reshape(24, 36), np.zeros(36), np.ones(36), Sharing("z_plus", epsilon=0))
    np.testing.assert_allclose(right.relevance.numpy().ravel(), shared, **EXACT)
    assert right.relevance.min() >= 0
    assert wrong.relevance.min() < 0
    assert (wrong.relevance - right.relevance).abs().max() > 0.1
    np.testing.assert_allclose(per_sample(wrong.relevance), 36)  # and conservation does not notice


def test_relevance_behind_a_mean_is_not_uniform():
    inputs, relevance = normal(1, 4, 1).abs(), torch.ones(1, 1, dtype=torch.float64)
    shared = mean(inputs, 1, relevance, Sharing("epsilon", epsilon=0)).relevance
    np.testing.assert_allclose(shared.numpy(), (inputs / inputs.sum()).numpy(), **EXACT)
    assert shared.std() > 0.05


def test_a_maximum_gives_all_to_the_winner_and_equally_to_winners():
    inputs = torch.tensor([[[1.0, 5.0], [3.0, 5.0], [2.0, 0.0]]], dtype=torch.float64)
    shared, absorbed = largest(inputs, 1, torch.tensor([[1.0, -4.0]], dtype=torch.float64))
    assert shared.tolist() == [[[0.0, -2.0], [1.0, -2.0], [0.0, 0.0]]]
    assert absorbed.tolist() == [0.0]


def test_a_variance_is_shared_by_squared_distances_from_the_mean():
    inputs = torch.tensor([[[0.0], [1.0], [5.0]]], dtype=torch.float64)
    shared, absorbed = variance(inputs, 1, torch.tensor([[7.0]], dtype=torch.float64), 0.0)
    np.testing.assert_allclose(shared.ravel().numpy(), [4 / 14 * 7, 1 / 14 * 7, 9 / 14 * 7], **EXACT)
    assert absorbed.abs().item() < 1e-12
    constant = torch.ones(1, 3, 1, dtype=torch.float64)
    shared, absorbed = variance(constant, 1, torch.tensor([[7.0]], dtype=torch.float64), 0.0)
    assert (shared == 0).all()
    assert absorbed.item() == 7


def test_scattering_is_the_transpose_of_gathering():
    neighbours = torch.randint(5, (2, 5, 3), generator=torch.Generator().manual_seed(0))
    nodes, edges = normal(2, 5, 4, seed=1), normal(2, 5, 3, 4, seed=2)
    np.testing.assert_allclose(
        (neighbours_of(nodes, neighbours) * edges).sum(), (nodes * scattered(edges, neighbours, 5)).sum(), **EXACT
    )


def test_numbers_that_are_no_rule_are_refused():
    with pytest.raises(BadInput, match="epsilon, gamma, z_plus"):
        Sharing("lrp")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="not negative"):
        Sharing("gamma", gamma=-1)
    with pytest.raises(BadInput, match="expected"):
        ChebyshevMap(csr_array(np.ones((3, 4))), normal(2, 1, 1))
