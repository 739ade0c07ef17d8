"""Direction, core, energy and depth of an air shower from the raw traces of a surface array.

M. Erdmann, J. Glombitza, D. Walz, "A deep learning-based reconstruction of cosmic ray-induced air showers", Astropart.
Phys. 97 (2018) 46 (arXiv:1708.00647): ten learned variables from the trace of each station, then convolutions over the
array. The methods of the Pierre Auger Observatory stand beside it (arXiv:1502.01323).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.samples import Prediction
from cloudchamber.data.surface_array import SHOWER_SCHEMA, SHOWER_TRUTH, TARGETS, targets_of
from cloudchamber.experiments.showers import ShowerConfig, inputs, lengths, resembles, simulate
from cloudchamber.metrics.rows import Row
from cloudchamber.schema import Array, Arrays
from cloudchamber.study import Predictor, PredictorStudy, late

if TYPE_CHECKING:
    from torch import nn


def targets(config: ShowerConfig, records: Arrays) -> NDArray[np.float32]:
    """(shower, 6): axis, core, energy, depth."""
    return targets_of(records)


def grid_network(
    config: ShowerConfig, reads: Literal["time", "total", "traces"], traces: Literal["convolution", "lstm"]
) -> nn.Module:
    """The network of the talk on the grid of stations."""
    from cloudchamber.networks.shower_array import ShowerArray

    return ShowerArray(bins=config.bins, reads=reads, traces=traces, rows=config.rows, columns=config.columns)


def graph_network(config: ShowerConfig) -> nn.Module:
    """The network of any array."""
    from cloudchamber.networks.shower_graph import ShowerGraph

    return ShowerGraph(bins=config.bins)


def predictors(config: ShowerConfig, seed: int, device: str) -> dict[str, Predictor]:
    """Floor, the physicist's fits, learners on their results, and networks; those on a grid only where there is one."""
    from cloudchamber.baselines.mean import TrainingMean
    from cloudchamber.baselines.shower_reconstruction import LearnedCorrection, PlaneFit, StandardReconstruction
    from cloudchamber.baselines.trees import Boosting
    from cloudchamber.learning.ensemble import DeepEnsemble
    from cloudchamber.learning.options import TrainingOptions

    options = TrainingOptions.of(config)

    def ensemble(title: str, members: int, make: partial[nn.Module]) -> DeepEnsemble:
        return DeepEnsemble(title, make, options, members, None, tuple(range(len(TARGETS))), seed, device)

    found: dict[str, Predictor] = {
        "mean": TrainingMean(),
        "plane": PlaneFit(weighted=False),
        "weighted_plane": PlaneFit(weighted=True),
        "spherical": StandardReconstruction("published"),
        "standard": StandardReconstruction(),
        "boosting": LearnedCorrection(Boosting, "boosted trees on the standard reconstruction"),
    }
    few = config.variant_members
    if config.layout is None:
        grid = partial(grid_network, config)
        found |= {
            "times": ensemble("network, time offsets only", few, partial(grid, "time", "convolution")),
            "totals": ensemble("network, times and total signals", few, partial(grid, "total", "convolution")),
            "traces": ensemble("network, traces added", few, partial(grid, "traces", "convolution")),
            "lstm": ensemble("network, traces by LSTM", few, partial(grid, "traces", "lstm")),
        }
    found["graph"] = ensemble("graph network, traces", config.members, partial(graph_network, config))
    return found


def rows(truth: NDArray[np.float32], predictions: Mapping[str, Prediction], rng: np.random.Generator) -> list[Row]:
    """Resolutions and biases in bins of energy and zenith angle, and coverage."""
    from cloudchamber.metrics.showers import shower_rows

    return shower_rows(truth, predictions, rng)


TINY = ShowerConfig(records=120, members=1, variant_members=1, epochs=1, batch_size=16)
QUICK = ShowerConfig(records=4000, members=1, epochs=6)
STANDARD = ShowerConfig()
PAPER = ShowerConfig(records=200_000, members=5, variant_members=5, epochs=60)

study = PredictorStudy(
    name="shower-reconstruction",
    title="Air showers from the raw traces of a surface array",
    question="What do raw traces add to start times, and does a network beat the physicist's fits?",
    reference="arXiv:1708.00647",
    presets={"tiny": TINY, "quick": QUICK, "standard": STANDARD, "paper": PAPER},
    schema=SHOWER_SCHEMA,
    truth=SHOWER_TRUTH,
    lengths=lengths,
    records_per_chunk=500,
    simulate=simulate,
    input=Array("shower station feature", "", "position, status, start time, saturation and trace of the stations"),
    input_name="array",
    inputs=inputs,
    resembles=resembles,
    targets=targets,
    target_names=TARGETS,
    predictors=predictors,
    rows=rows,
    headline=("graph", "all", "angular_resolution"),
    gallery=late("cloudchamber.explain.showers:gallery"),
    explanations={name: late(f"cloudchamber.explain.showers:{name}") for name in ("variables", "relevance", "members")},
    sections=late("cloudchamber.report.showers:shower_sections"),
    citation="M. Erdmann, J. Glombitza, D. Walz, Astropart. Phys. 97 (2018) 46, arXiv:1708.00647",
)
