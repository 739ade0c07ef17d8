"""The Chebyshev convolution against its definition with a dense matrix, and the fused stage against plain torch."""

import numpy as np
import pytest
import torch
from scipy.special import eval_chebyt

from cloudchamber.layers.chebyshev import ChebyshevConv, ChebyshevStage
from cloudchamber.layers.healpix_graph import healpix_graph
from cloudchamber.schema import BadInput


def test_convolution_is_a_polynomial_of_the_laplacian() -> None:
    # T_k(L) by its eigenvalues, T_k(cos t) = cos(k t), in double precision.
    torch.manual_seed(1)
    conv = ChebyshevConv(4, 3, 2, order=5, neighbours=8).double()
    dense = healpix_graph(4, 8).matrix().toarray()
    eigenvalues, vectors = np.linalg.eigh(dense)
    features = np.random.default_rng(1).standard_normal((192, 2, 3))
    weight = conv.weight.detach().numpy()
    expected = sum(
        np.einsum("vw,wbi,io->vbo", (vectors * eval_chebyt(k, eigenvalues)) @ vectors.T, features, weight[k])
        for k in range(5)
    )
    # The slots' values are stored in single precision: 2^-24 a step.
    np.testing.assert_allclose(conv(torch.from_numpy(features)).detach().numpy(), expected, atol=3e-6)


def test_weights_start_with_the_variance_of_two_over_what_adds_up() -> None:
    # 20 480 normal numbers: their spread is known to 1 / sqrt(40 960) = 0.5 %
    torch.manual_seed(2)
    weight = ChebyshevConv(1, 64, 64, order=5, neighbours=8).weight
    assert weight.std().item() == pytest.approx((2 / (5 * 64)) ** 0.5, rel=0.03)


def test_order_one_looks_at_each_pixel_alone() -> None:
    conv = ChebyshevConv(2, 3, 4, order=1)
    features = torch.randn(48, 2, 3)
    torch.testing.assert_close(conv(features), features @ conv.weight[0] + conv.bias)


@pytest.mark.parametrize(
    ("inward", "outward", "activation", "pooling"),
    [
        (2, 16, "relu", "average"),
        (2, 16, "leaky_relu", "max"),
        (2, 5, "relu", "max"),
        (2, 16, "relu", None),
        (16, 8, "leaky_relu", "average"),
        (16, 8, "relu", "max"),
        (7, 1, "leaky_relu", None),
    ],
)
def test_fused_stage_is_the_plain_stage(inward: int, outward: int, activation: str, pooling: str | None) -> None:
    torch.manual_seed(2)
    stage = ChebyshevStage(8, inward, outward, 5, 8, activation, pooling)  # type: ignore[arg-type]
    torch.nn.init.normal_(stage.conv.bias)
    stage.norm = torch.nn.Identity()
    features = torch.randn(768, 3, inward)
    towards = torch.randn(192 if pooling else 768, 3, outward)
    results = []
    for forward, kind in ((stage, torch.float32), (stage.plain, torch.float64)):
        stage.to(kind)
        given = features.to(kind).requires_grad_()
        out = forward(given)
        gradients = torch.autograd.grad((out * towards).sum(), [given, stage.conv.weight, stage.conv.bias])
        results.append([out, *gradients])
    for single, double in zip(*results, strict=True):
        # Single precision, sums of up to 80 products and 24 slots; measured at most 2.4e-7.
        error = (single - double).norm() / double.norm()
        assert error < 2e-6


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_weight_gradient_over_many_pixels_keeps_its_digits(pooling: str) -> None:
    # Sums of 196608 rows, whose digits a single running sum in single precision would lose; measured 2.5e-8.
    torch.manual_seed(3)
    stage = ChebyshevStage(64, 2, 8, 5, 8, "relu", pooling)  # type: ignore[arg-type]
    stage.norm = torch.nn.Identity()
    features = torch.randn(49152, 4, 2) + 0.5
    towards = 1 + torch.randn(12288, 4, 8)
    (single,) = torch.autograd.grad((stage(features) * towards).sum(), [stage.conv.weight])
    stage.double()
    (double,) = torch.autograd.grad((stage.plain(features.double()) * towards).sum(), [stage.conv.weight])
    assert (single - double).norm() / double.norm() < 1e-6


def test_equal_maxima_share_the_gradient() -> None:
    stage = ChebyshevStage(2, 1, 1, 1, 8, "relu", "max")
    stage.norm = torch.nn.Identity()
    stage.conv.weight.data.fill_(1.0)
    features = torch.ones(48, 1, 1, requires_grad=True)
    stage(features).sum().backward()
    assert torch.equal(features.grad, torch.full((48, 1, 1), 0.25))  # type: ignore[arg-type]


def test_not_a_number_stays_one() -> None:
    stage = ChebyshevStage(4, 2, 3, 2, 8)
    features = torch.zeros(192, 1, 2)
    features[0, 0, 0] = float("nan")
    assert stage.eval()(features).isnan().any()


def test_wrong_order_activation_and_pooling_are_refused() -> None:
    with pytest.raises(BadInput, match="order = 0"):
        ChebyshevConv(2, 1, 1, order=0)
    with pytest.raises(BadInput, match="did you mean 'leaky_relu'"):
        ChebyshevStage(2, 1, 1, activation="leaky_rellu")  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="unknown pooling 'mean'"):
        ChebyshevStage(2, 1, 1, pooling="mean")  # type: ignore[arg-type]
