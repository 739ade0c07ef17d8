"""Relevance through whole networks: conserved, equal to gradient times input where it must be, turning with the sky."""

import numpy as np
import pytest
import torch
from captum.attr import IntegratedGradients
from torch import nn

from cloudchamber.explain.lrp import pixels_to_cosmic_rays, relevance_of_cosmic_rays, relevance_of_pixels
from cloudchamber.explain.lrp_rules import RULES, Sharing
from cloudchamber.explain.sanity import randomization_similarity
from cloudchamber.layers.edge_geometry import pair_geometry
from cloudchamber.layers.healpix_graph import centres
from cloudchamber.layers.neighbours import most_alike, nearest, neighbours_of
from cloudchamber.layers.sky_maps import nested_pixels, sky_maps
from cloudchamber.networks.deepsphere import DeepSphere
from cloudchamber.networks.dynamic_graph import DynamicGraph
from cloudchamber.schema import BadInput

NSIDE = 8
TOLERANCE = {"rtol": 1e-7, "atol": 1e-9}  # float64 sums of 1e3 numbers in another order, epsilon 1e-14 or 0


def cosmic_rays(samples=3, n=60, seed=0):
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((samples, n, 3))
    directions /= np.linalg.norm(directions, axis=2, keepdims=True)
    return np.concatenate([directions, 40 * rng.random((samples, n, 1)) ** -0.5], axis=2).astype(np.float32)


def deepsphere(pooling="average", activation="relu", *, variances=True, seed=1):
    """A network with running statistics, biases and batch normalisation like those of a trained one."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        network = DeepSphere(
            nside=NSIDE, widths=(4, 5, 6), order=3, neighbours=8, pooling=pooling, activation=activation
        )
        maps = torch.from_numpy(sky_maps(cosmic_rays(8, seed=5), NSIDE))
        network.standardize.fit(maps)
        for name, parameter in network.named_parameters():
            if parameter.ndim == 1:
                parameter.add_(0.3 * torch.randn_like(parameter) if "norm" in name else torch.randn_like(parameter) / 5)
        for _ in range(20):
            network(maps)
        if not variances:
            first = next(layer for layer in network.dense if isinstance(layer, nn.Linear))
            first.weight[:, 6:] = 0
    return network.eval()


@pytest.fixture
def maps():
    return torch.from_numpy(sky_maps(cosmic_rays(), NSIDE))


def graph(seed=2):
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        network = DynamicGraph(neighbours=5, widths=(6, 8), dynamic=(False, True))
        network.logit[2].bias.fill_(0.1)  # logits of both signs, as in a trained one
        return network.eval()


def conserved(found):
    """Layer by layer what comes in is left or absorbed."""
    before = found.output
    for layer in found.layers:
        assert np.all(np.abs(layer.relevance + layer.absorbed - before) < 1e-9 * np.abs(found.output)), layer.name
        before = layer.relevance
    np.testing.assert_allclose(found.values.reshape(len(before), -1).sum(axis=1), before, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("pooling", "activation"), [("average", "relu"), ("max", "leaky_relu"), ("average", "tanh")])
def test_relevance_of_pixels_is_conserved_layer_by_layer(maps, pooling, activation, rule):
    network = deepsphere(pooling, activation)
    found = relevance_of_pixels(network, maps, 1, Sharing(rule), batch=2)
    np.testing.assert_allclose(found.output, network(maps)[:, 1].detach(), rtol=1e-4, atol=1e-4)
    assert [layer.name for layer in found.layers][-3:] == ["convolution 2", "pooling 1", "convolution 1"]
    conserved(found)


@pytest.mark.parametrize("output", [0, 1])
@pytest.mark.parametrize("rule", RULES)
def test_relevance_of_cosmic_rays_is_conserved_layer_by_layer(rule, output):
    network, rays = graph(), torch.from_numpy(cosmic_rays())
    found = relevance_of_cosmic_rays(network, rays, output, Sharing(rule), batch=2)
    np.testing.assert_allclose(found.output, network(rays)[:, output].detach(), rtol=1e-4, atol=1e-4)
    assert [layer.name for layer in found.layers][:3] == ["sky", "dense 0", "nodes 2"]
    conserved(found)


def test_z_plus_sees_what_speaks_for_signal_where_all_logits_are_negative():
    """As in skies of weak sources, where no cosmic ray is more likely signal than not."""
    network, rays = graph(), torch.from_numpy(cosmic_rays())
    with torch.no_grad():
        network.logit[2].bias.fill_(-5.0)
        assert network.scores(rays)[1].max() < 0
    found = relevance_of_cosmic_rays(network, rays, 0, Sharing("z_plus"))
    assert found.values.any(axis=1).all()


def test_relevance_for_the_fraction_is_the_probability_of_each_cosmic_ray():
    network, rays = graph(), torch.from_numpy(cosmic_rays()).double()
    found = relevance_of_cosmic_rays(network, rays, 1, Sharing(epsilon=0))
    with torch.no_grad():
        double = network.double()
        probability = torch.sigmoid(double.scores(rays)[1]).numpy()
        share = double.fraction.weight.item() * 20 * probability / rays.shape[1]
        np.testing.assert_allclose(found.values, share, **TOLERANCE)
        np.testing.assert_allclose(found.layers[0].absorbed, double.fraction.bias.item(), rtol=1e-9)


def without_biases(network):
    with torch.no_grad():
        for name, value in [*network.named_parameters(), *network.named_buffers()]:
            if name.endswith(("bias", "mean")):
                value.zero_()
    return network


@pytest.mark.parametrize("rule", ["epsilon", "gamma"])
def test_without_biases_nothing_is_absorbed(maps, rule):
    """For z+ a single output that no input speaks for absorbs its relevance, so it is not exact there."""
    found = relevance_of_pixels(without_biases(deepsphere()), maps, 0, Sharing(rule, epsilon=0))
    np.testing.assert_allclose(found.values.sum(axis=(1, 2)), found.output, rtol=1e-9)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_epsilon_rule_is_gradient_times_input(maps, pooling):
    """Exact for piecewise linear networks, biases and normalisation included: here all but the variances."""
    network = deepsphere(pooling, "leaky_relu", variances=False)
    found = relevance_of_pixels(network, maps, 0, Sharing(epsilon=0))
    inputs = maps.double().requires_grad_()
    (gradient,) = torch.autograd.grad(network.double()(inputs)[:, 0].sum(), inputs)
    np.testing.assert_allclose(found.values, (gradient * inputs).detach().numpy(), **TOLERANCE)


def test_integrated_gradients_of_a_network_without_biases_agree(maps):
    """A positively homogeneous network has the same gradient all the way from zero (captum, another implementation)."""
    network = without_biases(deepsphere(variances=False))
    found = relevance_of_pixels(network, maps, 0, Sharing(epsilon=0))
    expected = IntegratedGradients(network.double()).attribute(maps.double(), target=0, n_steps=4)
    np.testing.assert_allclose(found.values, expected.detach().numpy(), **TOLERANCE)


@pytest.mark.parametrize("rule", ["z_plus", "gamma"])
def test_relevance_of_one_stage_is_that_written_out_by_hand(rule):
    """Every contribution of convolution, statistics and dense layer written out, normalisation merged by hand."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(0)
        network = DeepSphere(nside=1, widths=(3,), order=3, neighbours=4, dense=0).eval()
        network.standardize.mean.copy_(torch.tensor([[0.5], [0.2]]))
        network.standardize.scale.copy_(torch.tensor([[2.0], [0.5]]))
        stage = network.stages[0]
        stage.norm.running_mean.copy_(torch.tensor([0.1, -0.2, 0.3]))
        stage.conv.bias.copy_(torch.tensor([0.2, -0.1, 0.05]))
        network = network.double()
        x = torch.from_numpy(sky_maps(cosmic_rays(1, 20), 1)).double()
        gamma, conv = 0.25, stage.conv
        units = torch.eye(24).double().reshape(24, 2, 12)
        scaled = (units / network.standardize.scale).permute(2, 0, 1)
        kernel = (conv(scaled) - conv.bias).permute(1, 0, 2).reshape(24, 36).numpy()  # by unit maps, ((c, p), (p, o))
        bias = conv(network.standardize(x * 0).permute(2, 0, 1))[:, 0].reshape(36).numpy()
        hidden = np.maximum(x.reshape(24).numpy() @ kernel + bias, 0)
        scale = stage.norm.weight.numpy() * (stage.norm.running_var.numpy() + stage.norm.eps) ** -0.5
        shift = stage.norm.bias.numpy() - stage.norm.running_mean.numpy() * scale
        a = hidden.reshape(12, 3)
        statistics = np.concatenate([(a * scale + shift).mean(axis=0), (a * scale).var(axis=0)])
        weight, offset = network.dense[-1].weight[0].numpy(), float(network.dense[-1].bias[0])
        value = float(statistics @ weight + offset)

    def shared(parts, bias, relevance):
        """One output: the parts of its inputs."""
        total = parts.sum() + bias
        if rule == "z_plus":
            parts, bias = np.maximum(parts, 0), max(bias, 0)
        else:
            own = np.maximum if total >= 0 else np.minimum
            parts, bias = parts + gamma * own(parts, 0), bias + gamma * own(bias, 0)
        whole = parts.sum() + bias
        return parts / whole * relevance if whole != 0 else 0 * parts

    r_statistics = shared(statistics * weight, offset, value)
    r_hidden = np.zeros((12, 3))
    for f in range(3):
        r_hidden[:, f] = shared(a[:, f] * scale[f] / 12, shift[f], r_statistics[f])
        squares = (a[:, f] - a[:, f].mean()) ** 2
        r_hidden[:, f] += squares / squares.sum() * r_statistics[3 + f]
    expected = np.zeros(24)
    for j in range(36):
        expected += shared(x.reshape(24).numpy() * kernel[:, j], bias[j], r_hidden.ravel()[j])
    found = relevance_of_pixels(network, x, 0, Sharing(rule, epsilon=0, gamma=gamma))
    np.testing.assert_allclose(found.values.ravel(), expected, **TOLERANCE)


def test_z_plus_keeps_the_sign_of_the_output(maps):
    for output in (0, 1):
        found = relevance_of_pixels(deepsphere(), maps, output, Sharing("z_plus"))
        assert (found.values * np.sign(found.output)[:, None, None] >= 0).all()
        assert (np.abs(found.values).sum(axis=(1, 2)) > 1e-3 * np.abs(found.output)).all()
    rays = torch.from_numpy(cosmic_rays())
    for output in (0, 1):
        found = relevance_of_cosmic_rays(graph(), rays, output, Sharing("z_plus"))
        assert (found.values * np.sign(found.output)[:, None] >= 0).all()


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("rule", RULES)
def test_relevance_turns_with_the_sky(maps, rule, pooling):
    """A quarter turn about the pole permutes the pixels; the graph's coefficients are rounded to single precision."""
    x, y, z = centres(NSIDE).T
    turned = nested_pixels(NSIDE, np.stack([-y, x, z], axis=1))
    assert sorted(turned) == list(range(12 * NSIDE**2))
    there = torch.empty_like(maps)
    there[:, :, turned] = maps
    network = deepsphere(pooling)
    before, after = (relevance_of_pixels(network, sky, 0, Sharing(rule)).values for sky in (maps, there))
    np.testing.assert_allclose(after[:, :, turned], before, rtol=1e-3, atol=1e-4 * np.abs(before).max())
    assert np.abs(after - before).max() > 0.1 * np.abs(before).max()


def test_empty_pixels_have_no_relevance_and_cosmic_rays_share_a_pixel():
    rays = cosmic_rays(2, 500, seed=8)
    maps = sky_maps(rays, NSIDE)
    found = relevance_of_pixels(deepsphere(), torch.from_numpy(maps), 0)
    assert (found.values[maps == 0] == 0).all()
    shares = pixels_to_cosmic_rays(found.values, rays, NSIDE)
    np.testing.assert_allclose(shares.sum(axis=1), found.values.sum(axis=(1, 2)), rtol=1e-9)
    for n in range(20):
        pixels = nested_pixels(NSIDE, rays[1, :, :3])
        together = pixels == pixels[n]
        np.testing.assert_allclose(shares[1, n], found.values[1, :, pixels[n]].sum() / together.sum(), rtol=1e-12)


def test_epsilon_rule_on_a_graph_is_gradient_times_input():
    """A second forward pass in which what counts as constant is detached; its inputs are what relevance rests on."""
    network, rays = graph().double(), torch.from_numpy(cosmic_rays()).double()
    found = relevance_of_cosmic_rays(network, rays, 0, Sharing(epsilon=0))
    directions, energies = nn.functional.normalize(rays[..., :3], dim=-1), rays[..., 3]
    start = torch.log(energies / 40)[..., None].requires_grad_()
    features, inputs = start, []
    for number, conv in enumerate(network.convolutions):
        index = nearest(directions, 5)
        geometry, pairs = pair_geometry(directions, energies, index), []
        if network.dynamic[number]:
            places = network.places[number](features).detach()
            index, geometry = most_alike(places, index, geometry, 3)
        pairs.append((index, geometry.detach().requires_grad_()))
        edges = (
            conv.centre(features)[:, :, None] + neighbours_of(conv.other(features), index) + pairs[0][1] @ conv.weight
        )
        if network.dynamic[number]:
            square = (places[:, :, None] - neighbours_of(places, index)).square().sum(dim=-1, keepdim=True)
            pairs.append((index, square.requires_grad_()))
            edges = edges + pairs[1][1] * conv.stretch
        inputs += pairs
        features = (conv.outward(edges.relu().mean(dim=2)) + network.shortcuts[number](features)).relu()
    value = network.evidence(nn.functional.softplus(network.logit(features)).sum(dim=1))[:, 0]
    np.testing.assert_allclose(found.output, value.detach(), rtol=1e-9)
    leaves = [start, *(pair for _, pair in inputs)]
    of_start, *of_pairs = (
        gradient * leaf.detach()
        for gradient, leaf in zip(torch.autograd.grad(value.sum(), leaves), leaves, strict=True)
    )
    expected = of_start[..., 0].detach().numpy()
    for (index, _), relevance in zip(inputs, of_pairs, strict=True):
        half = relevance.sum(dim=-1).numpy() / 2
        for s, i, k in np.ndindex(half.shape):
            expected[s, i] += half[s, i, k]
            expected[s, int(index[s, i, k])] += half[s, i, k]
    np.testing.assert_allclose(found.values, expected, **TOLERANCE)


def test_relevance_follows_a_cosmic_ray_through_order_and_rotation():
    network, rays = graph(), cosmic_rays()
    before = relevance_of_cosmic_rays(network, torch.from_numpy(rays), 0).values
    order = np.random.default_rng(0).permutation(rays.shape[1])
    turned = rays[:, order].copy()
    turned[..., :3] = turned[..., [2, 0, 1]]  # a rotation about (1, 1, 1)
    after = relevance_of_cosmic_rays(network, torch.from_numpy(turned), 0).values
    np.testing.assert_allclose(after, before[:, order], rtol=1e-5, atol=1e-6)  # directions in single precision


def test_random_weights_change_the_relevance():
    def explanation(network, rays):
        return relevance_of_cosmic_rays(network, rays, 0).values

    found = randomization_similarity(explanation, graph(), torch.from_numpy(cosmic_rays()), fractions=(0.0, 1.0))
    assert found.correlation[0] == pytest.approx(1)
    assert abs(found.correlation[1]) < 0.9


def test_the_network_stays_as_it_was(maps):
    network = deepsphere().train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    relevance_of_pixels(network, maps, 0, Sharing("z_plus"))
    assert all(module.training for module in network.modules())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(parameter.requires_grad and parameter.dtype is torch.float32 for parameter in network.parameters())


def test_layers_and_inputs_without_a_rule_are_refused(maps):
    with pytest.raises(BadInput, match="no rule for Sigmoid"):
        relevance_of_pixels(deepsphere(activation="sigmoid"), maps, 0)
    network = deepsphere()
    with pytest.raises(BadInput, match="a direction is not explained"):
        relevance_of_pixels(network, maps, 2)
    with pytest.raises(BadInput, match="DeepSphere only"):
        relevance_of_pixels(graph(), maps, 0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="expected finite"):
        relevance_of_pixels(network, maps[:, :, 1:], 0)
    with pytest.raises(BadInput, match="DynamicGraph only"):
        relevance_of_cosmic_rays(network, maps, 0)  # type: ignore[arg-type]
    with pytest.raises(BadInput, match="expected finite"):
        relevance_of_cosmic_rays(graph(), maps, 0)
    network.dense.insert(1, nn.LayerNorm(12))
    with pytest.raises(BadInput, match="no rule for LayerNorm"):
        relevance_of_pixels(network, maps, 0)
    network = deepsphere()
    network.stages[0].register_forward_hook(lambda module, inputs, output: output * 2)
    with pytest.raises(BadInput, match="does not know this architecture"):
        relevance_of_pixels(network, maps, 0)
    with pytest.raises(BadInput, match="expected \\(sample, channel, pixel\\)"):
        pixels_to_cosmic_rays(np.zeros((3, 2, 12)), cosmic_rays(), NSIDE)
