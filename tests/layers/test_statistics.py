import numpy as np
import torch

from cloudchamber.layers.statistics import StatisticalLayer


def test_layer_gives_mean_and_variance_of_each_map() -> None:
    maps = np.random.default_rng(1).standard_normal((3, 4, 48)) + 5
    result = StatisticalLayer()(torch.from_numpy(maps)).numpy()
    np.testing.assert_allclose(result, np.concatenate([maps.mean(axis=2), maps.var(axis=2)], axis=1), rtol=1e-12)


def test_order_of_pixels_does_not_matter() -> None:
    maps = torch.randn(2, 3, 192, generator=torch.Generator().manual_seed(2))
    layer = StatisticalLayer()
    torch.testing.assert_close(layer(maps), layer(maps[:, :, torch.randperm(192)]))
