"""One stage of a spherical network (Chebyshev convolution, bias, leaky ReLU, average pooling), forward and backward,
against deepsphere-pytorch, same run, one thread.

    python benchmarks/chebyshev_stage.py --deepsphere-pytorch PATH [--repeats 7]

PATH is a checkout of https://github.com/deepsphere/deepsphere-pytorch (MIT); only its deepsphere/layers/chebyshev.py is
loaded, with our graph's Laplacian for 8 neighbours as a sparse tensor, torch's leaky ReLU and torch's average pooling
as in its healpix_pool_unpool.py. The first stage's input is data (gradient of the weights only), the inner stages'
needs a gradient. All variants alternate. Times are CPU seconds of this process, the smallest of the repeats; ratios are
deepsphere-pytorch with 8 neighbours over ours with 8 and 20. Also: the default DeepSphere, and the relative error of
the first stage's weight gradient against double precision. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor, nn

from cloudchamber.layers.chebyshev import ChebyshevStage
from cloudchamber.layers.healpix_graph import healpix_graph
from cloudchamber.networks.deepsphere import DeepSphere

ORDER = 5
STAGES = {  # nside, samples, features in and out, gradient of the input
    "first 2 -> 64": (64, 16, 2, 64, False),
    "first 2 -> 16": (64, 16, 2, 16, False),
    "inner 16 -> 16": (32, 16, 16, 16, True),
    "inner 16 -> 32": (32, 16, 16, 32, True),
    "inner 64 -> 64": (32, 8, 64, 64, True),
}


def layer_of(path: Path) -> ModuleType:
    """The layer file of a checkout as a module."""
    spec = importlib.util.spec_from_file_location("reference", path / "deepsphere" / "layers" / "chebyshev.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(actions: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Smallest CPU time of each action; the first, compiling round does not count."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(repeats + 1):
        for name, action in actions.items():
            start = time.process_time()
            action()
            times[name].append(time.process_time() - start)
    return {name: min(values[1:]) for name, values in times.items()}


def ours(nside: int, neighbours: int, features: Tensor, towards: Tensor) -> Callable[[], Tensor]:
    """Forward and backward of our stage; features (pixel, sample, feature). Returns the weight gradient."""
    stage = ChebyshevStage(nside, features.shape[2], towards.shape[2], ORDER, neighbours, "leaky_relu")
    stage.norm = nn.Identity()

    def step() -> Tensor:
        features.grad = stage.conv.weight.grad = None
        stage(features).backward(towards)
        assert stage.conv.weight.grad is not None
        return stage.conv.weight.grad

    step.stage = stage  # type: ignore[attr-defined]
    return step


def theirs(reference: ModuleType, nside: int, features: Tensor, towards: Tensor) -> Callable[[], None]:
    """The same with deepsphere-pytorch, 8 neighbours; its features are (sample, pixel, feature)."""
    matrix = healpix_graph(nside, 8).matrix().tocoo()
    laplacian = torch.sparse_coo_tensor(
        np.stack(matrix.coords), matrix.data.astype(np.float32), matrix.shape, check_invariants=True
    ).coalesce()
    layer = reference.SphericalChebConv(features.shape[2], towards.shape[2], laplacian, ORDER)
    given = features.detach().permute(1, 0, 2).contiguous().requires_grad_(features.requires_grad)
    back = towards.permute(1, 0, 2).contiguous()

    def step() -> None:
        given.grad = layer.chebconv.weight.grad = None
        active = nn.functional.leaky_relu(layer(given))
        nn.functional.avg_pool1d(active.permute(0, 2, 1), 4).permute(0, 2, 1).backward(back)

    return step


def weight_error() -> float:
    """Relative error of the first stage's weight gradient, 16 skies with 20 neighbours, against double precision.

    Where a convolution is within 1e-5 of the ReLU's kink, single precision may be on its other side; the gradient is
    set to 0 there, so that what is measured are the sums and not these few.
    """
    features, towards = torch.randn(49152, 16, 2), torch.randn(12288, 16, 64)
    step = ours(64, 20, features, towards)
    stage = step.stage  # type: ignore[attr-defined]
    with torch.no_grad():
        kinks = (stage.conv.plain(features).abs() < 1e-5).view(12288, 4, 16, 64).any(dim=1)
    towards[kinks] = 0
    single = step()
    stage.double()
    (double,) = torch.autograd.grad(stage.plain(features.double()), [stage.conv.weight], towards.double())
    return float((single - double).norm() / double.norm())


def network_seconds(repeats: int) -> dict[str, float]:
    """Of the default DeepSphere on 16 skies."""
    network, maps = DeepSphere(), torch.randn(16, 2, 49152)

    def forward() -> None:
        with torch.no_grad():
            network.eval()(maps)

    def both() -> None:
        network.zero_grad()
        network.train()(maps).square().sum().backward()

    return seconds({"forward": forward, "forward and backward": both}, repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deepsphere-pytorch", type=Path, required=True, help="path of a checkout")
    parser.add_argument("--repeats", type=int, default=7)
    given = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    reference = layer_of(given.deepsphere_pytorch)
    stages = {}
    for name, (nside, samples, inward, outward, inner) in STAGES.items():
        features = torch.randn(12 * nside**2, samples, inward, requires_grad=inner)
        towards = torch.randn(3 * nside**2, samples, outward)
        used = seconds(
            {
                "deepsphere-pytorch": theirs(reference, nside, features, towards),
                "8": ours(nside, 8, features, towards),
                "20": ours(nside, 20, features, towards),
            },
            given.repeats,
        )
        stages[name] = {
            "nside": nside,
            "samples": samples,
            "milliseconds": {who: round(1e3 * value, 1) for who, value in used.items()},
            "ratio_8": round(used["deepsphere-pytorch"] / used["8"], 2),
            "ratio_20": round(used["deepsphere-pytorch"] / used["20"], 2),
        }
    network = {name: round(1e3 * value, 1) for name, value in network_seconds(given.repeats).items()}
    result = {
        "benchmark": "chebyshev_stage",
        "repeats": given.repeats,
        "stages": stages,
        "deepsphere_milliseconds_per_16_skies": network,
        "weight_gradient_error": float(f"{weight_error():.2g}"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
