"""Events from an exported generator by ONNX Runtime: the recipe of its metadata.json, line by line."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cloudchamber.export.directory import need
from cloudchamber.export.numbers import for_kinds, for_momenta
from cloudchamber.learning.interaction_flow import TRIES, condition_of, padded_events
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, INELASTIC, Beam, Events, joined

BATCH = 256
"""Events that go through the graphs at once."""
SAME_KINDS = 3
"""Attempts at an event with the kinds of the first; later ones draw the kinds again, too."""


def session(path: Path) -> Any:
    """An ``onnxruntime.InferenceSession`` of one thread.

    Raises:
        BadInput: ONNX Runtime is not installed, or the file is none that it reads.
    """
    need("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise BadInput(f"{path} is no graph that ONNX Runtime reads ({str(error).splitlines()[0]})") from None


def sample_exported(directory: Path, beam: Beam, seed: int) -> Events:
    """One event for every entry of ``beam``; the C++ example makes the same from the same seed.

    Args:
        directory: what ``cloudchamber export`` wrote.
        beam: projectiles and targets that were trained.
        seed: of all random numbers, see ``numbers``.

    Raises:
        BadInput: no such directory, ONNX Runtime is missing, or events that fit no energy.
    """
    try:
        kinds = len(json.loads((directory / "metadata.json").read_text())["kinds"])
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{directory} is no exported generator ({error})") from None
    sessions = {name: session(directory / f"{name}.onnx") for name in ("kinds", "momenta")}
    condition = condition_of(beam).numpy()
    parts = []
    for first in range(0, len(beam), BATCH):
        rows = np.arange(first, min(first + BATCH, len(beam)))
        code, momentum, elastic = _batch(sessions, condition[rows], rows, seed, kinds)
        parts.append(padded_events(beam.take(rows), code, momentum, np.where(elastic, ELASTIC, INELASTIC)))
    return joined(parts)


def _batch(
    sessions: Mapping[str, Any], condition: NDArray[np.float64], event: NDArray[np.int64], seed: int, kinds: int
) -> tuple[NDArray[np.int32], NDArray[np.float64], NDArray[np.bool_]]:
    """PDG codes (event, particle), 0 for padding; four-momenta along z (event, particle, 4); which are elastic."""
    codes: list[NDArray[np.int64]] = [np.zeros(0, np.int64)] * len(event)
    momenta: list[NDArray[np.float64]] = [np.zeros((0, 4))] * len(event)
    elastic = np.zeros(len(event), np.bool_)
    left, kind = np.arange(len(event)), np.zeros((0, 0), np.int64)
    for attempt in range(TRIES):
        if attempt == 0 or attempt >= SAME_KINDS:
            uniform = for_kinds(seed, event[left], attempt, kinds)
            (kind,) = sessions["kinds"].run(None, {"condition": condition[left], "uniform": uniform})
        coin, normal = for_momenta(seed, event[left], attempt, kinds, kind.shape[1])
        known = {"condition": condition[left], "kind": kind, "coin": coin, "normal": normal}
        code, momentum, _, solved = sessions["momenta"].run(None, known)
        for row in np.flatnonzero(solved):
            there = code[row] != 0
            codes[left[row]], momenta[left[row]] = code[row, there], momentum[row, there]
        elastic[left] = (kind > kinds).any(axis=1)
        left, kind = left[~solved], kind[~solved]
        if not len(left):
            break
    else:
        raise BadInput(f"{len(left)} of {len(event)} events fit no energy after {TRIES} tries: another condition")
    most = max(map(len, codes))
    return (
        np.stack([np.pad(one, (0, most - len(one))) for one in codes]).astype(np.int32),
        np.stack([np.pad(one, ((0, most - len(one)), (0, 0))) for one in momenta]),
        elastic,
    )
