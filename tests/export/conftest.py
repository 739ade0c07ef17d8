"""Networks drawn at random, of hadronic interactions and of collisions, and what `cloudchamber export` makes of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.data.final_states import Vocabulary
from cloudchamber.experiments.interactions import InteractionConfig
from cloudchamber.experiments.transport_mixture import MixtureConfig
from cloudchamber.export.collision_generator import write_export
from cloudchamber.export.finished_run import export_run
from cloudchamber.networks.collision_flow import CollisionFlow
from cloudchamber.networks.interaction_flow import InteractionFlow
from cloudchamber.run_directory import new_run

CONFIG = InteractionConfig(
    projectiles=("pi+", "K0L", "p"), targets=("H", "C"), lowest=10, highest=30, width=8, pooled=8, layers=2,
    count_width=8, steps=2,
)  # fmt: skip
CODES = [3122, 321, -321, 311, -311, 1000020040, 22, 111, 211, -211, 2112, 2212, 2112, 2212]
SLOW = [code > 10**9 or place in (10, 11) for place, code in enumerate(CODES)]
MOST = [1, 1, 1, 2, 2, 1, 2, 2, 3, 3, 4, 4, 3, 3]


def make_run(home: Path) -> Path:
    """A run directory as training leaves it."""
    run = new_run("hadronic-interactions", preset="tiny", settings=CONFIG.model_dump(), runs=home).path
    vocabulary = Vocabulary(np.array(CODES), np.array(SLOW), np.array(MOST))
    torch.manual_seed(1)
    model = InteractionFlow(
        vocabulary, (6, 12), *(getattr(CONFIG, name) for name in ("width", "pooled", "layers")), 8, 2
    )
    with torch.no_grad():
        model.flow.velocity.weight.normal_(std=0.3)  # it starts at zero
        model.spread.fill_(0.4)
        model.mean.fill_(0.5)
    directory = run / "checkpoints" / "flow"
    directory.mkdir(parents=True)
    torch.save(model.state_dict(), directory / "weights.pt")
    known = {"code": CODES, "slow": SLOW, "most": MOST, "heaviest": [6, 12]}
    (directory / "vocabulary.json").write_text(json.dumps(known))
    (directory / "fitted").touch()
    return run


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run directory. Not to be changed."""
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def exported(run: Path) -> Path:
    """What `cloudchamber export` made of it. Not to be changed."""
    return export_run(run, run / "export")


@pytest.fixture(scope="session")
def collision_flow() -> CollisionFlow:
    """An emulator of collisions, its networks drawn at random, that conserves energy in most events."""
    torch.manual_seed(1)
    model = CollisionFlow(largest=28, width=8, pooled=8, layers=2, count_width=8, steps=2)
    with torch.no_grad():
        model.flow.velocity.weight.normal_(std=0.1)  # it starts at zero
        model.scale[-1].weight.zero_()
        # means of 0, and widths such that momenta take up what energy there is
        model.scale[-1].bias.copy_(torch.tensor([0.0, 0, 0, 0, 1.6, 1.6, 1.6, -0.7]))
    return model.eval()


@pytest.fixture(scope="session")
def exported_collisions(collision_flow: CollisionFlow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `cloudchamber export` makes of it. Not to be changed."""
    return write_export(
        collision_flow, MixtureConfig(), {"generator": "flow"}, tmp_path_factory.mktemp("collisions") / "export"
    )
