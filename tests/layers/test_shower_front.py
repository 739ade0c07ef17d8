"""The first look at a shower: exact where its model is true, finite on anything, against general solvers."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from cloudchamber.data.surface_array import SATURATED, STATUS, TIME, TRACE, X, Y, Z
from cloudchamber.layers.shower_front import (
    CLOSEST,
    CURVATURE,
    LESS_STEEP,
    POWERS,
    PRIOR,
    STEEPNESS,
    WITH_SIGNALS,
    WITHOUT_SIGNALS,
    away_from,
    compressed,
    first_look,
    lateral,
    lateral_fit,
    lateral_slopes,
    moved,
    solved,
    steepness,
)
from cloudchamber.simulators.airshower.surface_array import LIGHT


def modelled_showers(number: int, seed: int, curved: bool, heights: float = 0.0) -> tuple[Tensor, Tensor]:
    """Showers over 25 stations, 12 of which triggered, that are as the first look expects; with axis, core and size.

    The truth is (shower, 6).
    """
    rng = np.random.default_rng(seed)
    zenith, azimuth = rng.uniform(0.1, 1.0, number), rng.uniform(-math.pi, math.pi, number)
    axis = np.stack([np.sin(zenith) * np.cos(azimuth), np.sin(zenith) * np.sin(azimuth), np.cos(zenith)], axis=1)
    core, size = rng.uniform(-300, 300, (number, 2)), rng.uniform(1, 2, number)
    inputs = np.zeros((number, 25, TRACE + 40), np.float64)
    inputs[..., X : Y + 1] = rng.uniform(-2000, 2000, (number, 25, 2))
    inputs[..., Z] = heights * rng.normal(size=(number, 25))
    inputs[:, :12, STATUS] = 1
    inputs[:, 20:, STATUS] = -1
    places = inputs[:, :12, : Z + 1] - np.concatenate([core, np.zeros((number, 1))], axis=1)[:, None]
    along = np.einsum("nsk,nk->ns", places, axis)
    squared = (places**2).sum(axis=2) - along**2 + CLOSEST**2
    beta = STEEPNESS - LESS_STEEP * (1 / axis[:, 2:] - 1.27)
    shape = -beta * (np.log10(np.sqrt(squared) / 1000) + np.log10((np.sqrt(squared) + 700) / 1700))
    inputs[:, :12, TRACE + 5] = 10 ** (size[:, None] + shape)
    time = (curved * squared / (2 * CURVATURE) - along) / LIGHT
    inputs[:, :12, TIME] = time - time.min(axis=1, keepdims=True)
    truth = np.concatenate([axis, core, size[:, None]], axis=1)
    return torch.from_numpy(inputs.astype(np.float32)), torch.from_numpy(truth.astype(np.float32))


def test_plane_front_gives_its_axis_and_no_delays() -> None:
    inputs, truth = modelled_showers(20, 1, curved=False)
    front = first_look(inputs, signals=False)
    # the floor of the variances takes 1 m^2 of more than 10^5
    torch.testing.assert_close(front.axis, truth[:, :3], rtol=0, atol=1e-4)
    assert front.delay.abs().max() < 0.5


def test_curved_front_and_lateral_distribution_give_axis_core_and_size() -> None:
    inputs, truth = modelled_showers(40, 2, curved=True)
    front = first_look(inputs, signals=True)
    # three steps; the tenth of these showers with a station close to the core takes more
    assert (front.core - truth[:, 3:5]).norm(dim=1).median() < 15
    assert (front.axis - truth[:, :3]).norm(dim=1).median() < 0.002
    assert (front.size - truth[:, 5]).abs().median() < 0.01
    barycentre = (inputs[:, :12, TRACE:].sum(dim=2, keepdim=True).sqrt() * inputs[:, :12, X:Z]).sum(dim=1)
    barycentre /= inputs[:, :12, TRACE:].sum(dim=2).sqrt().sum(dim=1, keepdim=True)
    assert (barycentre - truth[:, 3:5]).norm(dim=1).median() > 100  # what the fit started from


def test_heights_of_stations_are_nearly_taken_into_account() -> None:
    inputs, truth = modelled_showers(20, 3, curved=False, heights=30.0)
    flat = inputs.clone()
    flat[..., Z] = 0
    errors = [(first_look(one, signals=False).axis - truth[:, :3]).norm(dim=1).max() for one in (inputs, flat)]
    # one iteration leaves the product of two small numbers
    assert errors[0] < 0.1 * errors[1]


def test_cramers_rule_solves_weighted_least_squares_with_a_ridge() -> None:
    rng = np.random.default_rng(4)
    weight, slopes, values = rng.uniform(0, 2, (5, 9)), rng.normal(size=(5, 9, 2)), rng.normal(size=(5, 9))
    found = solved(torch.from_numpy(weight), torch.from_numpy(slopes), torch.from_numpy(values), 0.3)
    for shower in range(5):
        root = np.sqrt(weight[shower])
        matrix = np.vstack([root[:, None] * slopes[shower], math.sqrt(0.3) * np.eye(2)])
        expected = np.linalg.lstsq(matrix, np.append(root * values[shower], [0, 0]))[0]
        np.testing.assert_allclose(found[shower], expected, rtol=1e-10)


def test_lateral_fit_is_near_that_of_a_general_solver() -> None:
    inputs, truth = modelled_showers(20, 5, curved=True)
    generator = torch.Generator().manual_seed(5)
    front = first_look(inputs, signals=False)
    signal = torch.log10(front.total + 0.1)[:, :12] + 0.05 * torch.randn(20, 12, generator=generator)
    places, weight = front.places[:, :12], 50 * torch.rand(20, 12, generator=generator)
    core, _, _ = lateral_fit(places, truth[:, :3], signal, weight)
    far = []
    for shower in range(20):
        where, axis, w = (one[shower].double().numpy() for one in (places, truth[:, :3], weight))

        def residuals(p: np.ndarray, where=where, axis=axis, w=w, shower=shower) -> np.ndarray:  # type: ignore[no-untyped-def,type-arg]
            moved = where - [p[0], p[1], 0]
            r = np.sqrt((moved**2).sum(axis=1) - (moved @ axis) ** 2 + CLOSEST**2)
            beta = STEEPNESS - LESS_STEEP * (1 / axis[2] - 1.27)
            model = p[2] - beta * (np.log10(r / 1000) + np.log10((r + 700) / 1700))
            return np.append(np.sqrt(w) * (signal[shower].double().numpy() - model), p[:2] / PRIOR)

        best = least_squares(residuals, [0, 0, 1.5], x_scale=[100, 100, 0.1]).x
        far.append(np.hypot(*(core[shower].numpy() - best[:2])))
    # three steps; where stations lie close to the core it takes more
    assert np.quantile(far, 0.8) < 15


def test_slopes_of_lateral_distribution_are_its_derivatives() -> None:
    inputs, truth = modelled_showers(6, 9, curved=True, heights=20.0)
    places, core = inputs[..., : Z + 1].double(), truth[:, 3:5].double().requires_grad_()
    axis = torch.nn.functional.normalize(truth[:, :3].double(), dim=1)  # the slopes take it as a unit vector
    expected = lateral(away_from(moved(places, core), axis), steepness(axis))
    slopes = lateral_slopes(places, axis, core)
    for station in range(25):
        (gradient,) = torch.autograd.grad(expected[:, station].sum(), core, retain_graph=True)
        torch.testing.assert_close(slopes[:, station], gradient, rtol=1e-6, atol=1e-12)


def test_tilts_are_axes_by_other_weights() -> None:
    inputs, _ = modelled_showers(5, 10, curved=True)
    inputs[:, :12, TIME] += 200 * torch.rand(5, 12, generator=torch.Generator().manual_seed(2))
    front = first_look(inputs, signals=True)
    assert front.tilts.shape == (5, len(POWERS), 2)
    assert front.tilts.abs().amax(dim=2).min() > 1e-4
    inputs[:, :12, TRACE + 5] = 20.0  # all alike: no weights differ
    assert first_look(inputs, signals=True).tilts.abs().max() < 1e-5


def test_saturated_stations_have_no_say_in_the_core() -> None:
    inputs, _ = modelled_showers(4, 6, curved=True)
    hottest = inputs[..., TRACE:].sum(dim=2).argmax(dim=1)
    rows = torch.arange(4)
    inputs[rows, hottest, SATURATED] = 1
    clipped = inputs.clone()
    clipped[rows, hottest, TRACE:] *= 0.9
    # left is the start of the fit, the barycentre, which moves by some metres
    first, second = (first_look(one, signals=True) for one in (inputs, clipped))
    torch.testing.assert_close(first.core, second.core, rtol=0, atol=10.0)
    for one in (inputs, clipped):
        one[..., SATURATED] = 0
    assert (first_look(inputs, signals=True).core - first_look(clipped, signals=True).core).norm(dim=1).max() > 10


@pytest.mark.parametrize("signals", [True, False])
@pytest.mark.parametrize("kind", ["nothing", "none triggered", "one triggered", "on one line", "all at one place"])
def test_degenerate_showers_have_finite_answers_and_gradients(kind: str, signals: bool) -> None:
    inputs, _ = modelled_showers(3, 7, curved=True)
    if kind == "nothing":
        inputs.zero_()
    elif kind == "on one line":
        inputs[..., Y] = 2 * inputs[..., X]
    elif kind == "all at one place":
        inputs[..., X : Z + 1] = 700.0
    else:
        inputs[:, 1 if kind == "one triggered" else 0 :, STATUS] = 0
    inputs.requires_grad_()
    front = first_look(inputs, signals)
    found = torch.cat([front.estimate(), front.delay, front.distance, front.expected, front.whole(signals)], dim=1)
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert inputs.grad is not None
    assert torch.isfinite(inputs.grad).all()
    torch.testing.assert_close(front.axis.norm(dim=1), torch.ones(3))


def test_without_signals_nothing_depends_on_traces() -> None:
    inputs, _ = modelled_showers(3, 8, curved=True)
    inputs.requires_grad_()
    front = first_look(inputs, signals=False)
    whole = front.whole(signals=False)
    assert whole.shape == (3, WITHOUT_SIGNALS)
    assert front.whole(signals=True).shape == (3, WITH_SIGNALS)
    (front.estimate().sum() + front.delay.square().sum() + whole.sum() + front.distance.sum()).backward()
    assert inputs.grad is not None
    assert not inputs.grad[..., TRACE:].any()
    assert inputs.grad[..., TIME].any()


def test_exported_compression_is_that_of_the_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = torch.cat([-torch.logspace(-6, 6, 50), torch.zeros(1), torch.logspace(-6, 6, 50)])
    expected = torch.asinh(values)
    torch.testing.assert_close(compressed(values), expected)
    monkeypatch.setattr("torch.onnx.is_in_onnx_export", lambda: True)
    torch.testing.assert_close(compressed(values), expected, rtol=1e-5, atol=1e-6)  # single precision near 1
