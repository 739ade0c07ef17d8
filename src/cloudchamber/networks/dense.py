"""A plain fully connected network (multilayer perceptron; Rumelhart, Hinton, Williams, doi:10.1038/323533a0).

What a table of numbers needs and no picture does: each sample is a vector of features without any order. Features are
standardised inside, so that inputs may have any units.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from cloudchamber.layers.activations import Activation, activation_named
from cloudchamber.layers.standardize import StandardizeFeatures


class Dense(nn.Module):
    """Raw features (sample, input) to numbers (sample, output): standardisation, hidden layers, one linear layer.

    ``standardize.fit`` takes the training inputs. For ``learning.ensemble.DeepEnsemble`` give two outputs a target.

    References:
        | Learning representations by back-propagating errors (Rumelhart, Hinton, Williams, 1986)
        | https://doi.org/10.1038/323533a0

    Args:
        inputs: number of features of a sample.
        outputs: number of numbers a sample.
        widths: of the hidden layers; none gives a linear model.
        activation: after each hidden layer.

    Raises:
        BadInput: unknown activation.

    Examples:
        >>> sum(weight.numel() for weight in Dense(3, 2, widths=(4,)).parameters())  # 3 * 4 + 4 + 4 * 2 + 2
        26
    """

    def __init__(
        self, inputs: int, outputs: int, widths: Sequence[int] = (64, 64), activation: Activation = "relu"
    ) -> None:
        super().__init__()
        self.outputs = outputs
        self.standardize = StandardizeFeatures(inputs)
        layers: list[nn.Module] = []
        for width in widths:
            layers += [nn.Linear(inputs, width), activation_named(activation)]
            inputs = width
        self.layers = nn.Sequential(*layers, nn.Linear(inputs, outputs))

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (sample, output) for raw ``inputs`` (sample, input)."""
        found: Tensor = self.layers(self.standardize(inputs))
        return found


def tiny() -> tuple[Dense, tuple[int, ...]]:
    """A small one for tests, with the shape of one input."""
    return Dense(inputs=5, outputs=3, widths=(8, 6)), (5,)
