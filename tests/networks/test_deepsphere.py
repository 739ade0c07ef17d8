"""DeepSphere: sizes of the talk, invariance and equivariance, fused against plain."""

import numpy as np
import pytest
import torch

from cloudchamber.layers.chebyshev import ChebyshevStage
from cloudchamber.layers.healpix_graph import centres
from cloudchamber.networks.deepsphere import DeepSphere
from cloudchamber.schema import BadInput


def small(**options: object) -> DeepSphere:
    torch.manual_seed(1)
    network = DeepSphere(nside=16, widths=(8, 8, 8, 16), neighbours=20, dropout=0.0, **options)  # type: ignore[arg-type]
    network.train()(sparse_maps(4))  # the normalisations' averages leave their start
    return network.eval()


def sparse_maps(samples: int) -> torch.Tensor:
    """Maps with 300 cosmic rays each at nside 16."""
    counts = np.random.default_rng(2).multinomial(300, np.full(3072, 1 / 3072), size=samples)
    return torch.from_numpy(np.stack([counts, 1.3 * counts], axis=1).astype(np.float32))


def test_default_network_is_that_of_the_talk() -> None:
    network = DeepSphere().eval()
    with torch.no_grad():
        features = network.features(torch.rand(2, 2, 49152))
        assert features.shape == (2, 64, 48)
        assert network.head(features).shape == (2, 2)
        assert network(torch.rand(2, 2, 49152)).shape == (2, 5) == (2, network.outputs)
    assert [stage.conv.nside for stage in network.stages] == [64, 32, 16, 8, 4, 2]
    assert network.centres.shape == (768, 3)


def test_a_quarter_turn_about_z_turns_only_the_direction() -> None:
    # It takes pixels to pixels: scalars do not change, the direction turns along. Left is single precision.
    network, maps = small(), sparse_maps(3)
    turned_points = centres(16)[:, [1, 0, 2]] * [-1, 1, 1]
    where = np.argmax(turned_points @ centres(16).T, axis=1)
    turned = torch.empty_like(maps)
    turned[:, :, torch.from_numpy(where)] = maps
    with torch.no_grad():
        before, after = network(maps), network(turned)
    torch.testing.assert_close(after[:, :2], before[:, :2], rtol=1e-4, atol=1e-4)
    expected = torch.stack([-before[:, 3], before[:, 2], before[:, 4]], dim=1)
    assert before[:, 2:4].norm(dim=1).min() > 1e-4  # there is something to turn
    torch.testing.assert_close(after[:, 2:], expected, rtol=0, atol=1e-6)


def test_any_rotation_of_a_smooth_sky_changes_little() -> None:
    # A blob of 30 degrees, anywhere: graph and pooling break rotations a little. Measured with an untrained network:
    # 0.049 of the spread that its strength makes, and a direction right to 0.999.
    network = small()
    rng = np.random.default_rng(3)
    axes = rng.standard_normal((24, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    blob = np.exp(6 * (axes @ centres(16).T - 1)).astype(np.float32)
    fields = torch.from_numpy(np.stack([blob, blob], axis=1))
    with torch.no_grad():
        same = network(fields)
        strength = network(fields * torch.linspace(0, 2, 24)[:, None, None])
    assert (same[:, :2].std(dim=0) < 0.1 * strength[:, :2].std(dim=0)).all()
    # The direction head knows nothing yet but must point along the axis, forwards or backwards.
    cosine = torch.nn.functional.cosine_similarity(same[:, 2:], torch.from_numpy(axes).float())
    assert cosine.abs().min() > 0.95


def test_fused_network_is_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    network, maps = small(), sparse_maps(3)
    network.train()
    results = []
    for _ in range(2):
        network.zero_grad()
        out = network(maps)
        out.square().sum().backward()
        results.append([out.detach(), *(p.grad.clone() for p in network.parameters() if p.grad is not None)])
        monkeypatch.setattr(ChebyshevStage, "forward", ChebyshevStage.plain)
    for fused, plain in zip(*results, strict=True):
        # Single precision through four stages with batch normalisation.
        torch.testing.assert_close(fused, plain, rtol=1e-3, atol=1e-3 * float(plain.abs().max()))


def test_standardisation_is_fitted_and_kept() -> None:
    network, maps = small(), sparse_maps(8)
    network.standardize.fit(maps)
    standard = network.standardize(maps)
    torch.testing.assert_close(standard.mean(dim=(0, 2)), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(standard.std(dim=(0, 2), correction=0), torch.ones(2), atol=1e-5, rtol=0)
    other = small()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other.standardize(maps), standard)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "sigmoid", "tanh", "softsign"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_every_activation_and_pooling_passes_gradients(activation: str, pooling: str) -> None:
    network = DeepSphere(nside=4, widths=(4, 4), activation=activation, pooling=pooling, dense=2, direction=False)  # type: ignore[arg-type]
    network(torch.rand(3, 2, 192)).square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.stages.parameters())
    assert network.outputs == 2


def test_too_many_stages_and_unknown_pooling_are_refused() -> None:
    with pytest.raises(BadInput, match="4 stages at nside 4"):
        DeepSphere(nside=4, widths=(4, 4, 4, 4))
    with pytest.raises(BadInput, match="unknown pooling"):
        DeepSphere(nside=4, widths=(4, 4), pooling="mean")  # type: ignore[arg-type]
