"""What all predictors and generators made of networks share: a random start, and weights in a file.

Weights are state dictionaries that load with ``weights_only=True``: reading them runs no code that somebody left there.
Lightning is not needed for any of this.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from cloudchamber.data.files import replacing
from cloudchamber.schema import BadInput

Module = TypeVar("Module", bound=nn.Module)


@contextmanager
def seeded_start(seed: int, member: int = 0) -> Iterator[None]:
    """Weights that are drawn inside depend on (seed, member) only; outside, torch's random numbers stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(np.random.SeedSequence((seed, member)).generate_state(1)[0]))
        yield


def ready(module: Module, device: str) -> Module:
    """The module itself, on the device, in evaluation mode, its weights constant."""
    return module.to(device).eval().requires_grad_(requires_grad=False)


def save_weights(module: nn.Module, path: Path) -> None:
    """Write a state dictionary under a temporary name and rename it."""
    with replacing(path) as temporary:
        torch.save({name: value.cpu() for name, value in module.state_dict().items()}, temporary)


def read_weights(path: Path) -> dict[str, Tensor]:
    """The state dictionary that ``save_weights`` wrote, on the processor."""
    found: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return found


@contextmanager
def restoring(directory: Path, what: str = "such trained network") -> Iterator[None]:
    """Inside, a predictor reads its files; whatever they lack or hold becomes one clear error.

    Args:
        directory: of the files.
        what: should be there, for the error.

    Raises:
        BadInput: a file is missing, damaged, or of another network.
    """
    try:
        yield
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, pickle.UnpicklingError) as error:
        raise BadInput(f"{directory} holds no {what} ({error})") from None
