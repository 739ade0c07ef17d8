"""Verdicts on what the network looks at follow the numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber.report.nuclei import nuclear_shape_sections
from cloudchamber.report.nuclei_explanations import published_finding

EDGES = np.arange(0.0, 0.501, 0.05)


HIGH = np.arange(10) >= 3


@pytest.mark.parametrize(
    ("toe", "ankle", "verdict"),
    [
        (0.3 * HIGH, np.full(10, 0.3), "finding is there."),
        (np.full(10, 0.3), np.full(10, 0.3), "in part: the ankle is, the toe is not"),
        (-0.3 * HIGH, np.full(10, 0.3), "in part: the ankle is, the toe is not"),
        (0.3 * HIGH, np.zeros(10), "in part: the toe is, the ankle is not"),
        (np.zeros(10), np.zeros(10), "finding is not there"),
    ],
)
def test_published_finding_is_judged_by_the_regions(toe: Any, ankle: Any, verdict: str) -> None:
    error = np.full(10, 0.03)
    for neutral in (0.0, 1.0):
        regions = {"toe": (toe + neutral, error), "ankle": (ankle + neutral, error)}
        text = published_finding(EDGES, regions, neutral)
        assert verdict in text
        assert "0.17" in text


def test_empty_bins_of_attention_are_left_out(run: Path, config: Any, text_of: Callable[..., str]) -> None:
    with h5py.File(run / "explanations" / "attention.h5", "r+") as file:
        for name in ("mask", "toe_contrast", "toe_contrast_error", "ankle_contrast", "ankle_contrast_error", "sigma"):
            file[name][2] = np.nan
        file["n"][2] = 0
    assert "in 9 of 9 bins" in text_of(nuclear_shape_sections(run, config), "Where the network looks")


def test_without_errors_nothing_is_claimed() -> None:
    unknown = np.full(10, np.nan)
    assert "cannot be judged" in published_finding(
        EDGES, {"toe": (0.3 * HIGH, unknown), "ankle": (HIGH * 1.0, unknown)}, 0
    )


def test_attention_given_as_ratios_is_described_as_ratios(
    run: Path, fast: None, config: Any, text_of: Callable[..., str]
) -> None:
    with h5py.File(run / "explanations" / "attention.h5", "r+") as file:
        for name in ("toe", "ankle"):
            file[name] = 1 + file[f"{name}_contrast"][:]
            file[f"{name}_error"] = file[f"{name}_contrast_error"][:]
            del file[f"{name}_contrast"], file[f"{name}_contrast_error"]
    assert "prefers nothing would have 1" in text_of(nuclear_shape_sections(run, config), "Where the network looks")


def test_start_of_features_is_subtracted(run: Path, fast: None, config: Any) -> None:
    with h5py.File(run / "explanations" / "features.h5", "r+") as file:
        file["start"] = np.zeros((56, 56))
    section = next(one for one in nuclear_shape_sections(run, config) if one.title.startswith("What single neurons"))
    assert "added to (red)" in section.figures[0].caption
