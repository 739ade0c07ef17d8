"""The nuclear-shape report: every part is there, and missing parts are left out."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber.report.nuclei import Names, nuclear_shape_sections
from cloudchamber.report.page import Section, write_page
from cloudchamber.schema import BadInput

ALL = {
    "scores", "nuclei", "collisions", "images", "training", "predicted_abs_beta2", "predicted_abs_beta4", "degeneracy",
    "coverage", "transfer_sharp-surface", "transfer_scores_sharp-surface", "attention_masks", "attention_preference",
    "explanation_maps", "deletion_insertion", "randomization", "features",
}  # fmt: skip


EXPLAINED = {name for name in ALL if name.startswith(("attention", "explanation", "deletion", "random", "features"))}


PREDICTED = {"predicted_abs_beta2", "predicted_abs_beta4", "degeneracy", "coverage", "transfer_sharp-surface"}


def figure_names(sections: list[Section]) -> set[str]:
    """Names of all figures."""
    return {figure.name for section in sections for figure in section.figures}


def test_every_figure_is_there_with_caption_and_alternative(nuclear_sections: list[Section]) -> None:
    assert figure_names(nuclear_sections) == ALL
    for section in nuclear_sections:
        assert section.text
        for figure in section.figures:
            assert len(figure.caption) > 40
            assert len(figure.alt) > 20
            assert "<" not in figure.alt


def test_page_is_self_contained(pristine: Path, nuclear_sections: list[Section]) -> None:
    text = write_page(pristine, nuclear_sections).read_text()
    links = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert all(link.startswith(("#", "data:image/png;base64,", "https://arxiv.org/abs/")) for link in links)
    assert len(re.findall(r"<svg\b", text)) == len(ALL)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {path.stem for path in (pristine / "figures").glob("*.svg")} == ALL
    assert len(text) < 8e6
    assert write_page(pristine, nuclear_sections).read_text() == text


@pytest.mark.parametrize(
    ("missing", "gone"),
    [
        ("explanations", EXPLAINED),
        ("gallery.h5", {"images", "collisions"}),
        ("history.csv", {"training"}),
        ("predictions.h5", PREDICTED),
    ],
)  # fmt: skip
def test_missing_parts_do_not_appear(run: Path, fast: None, missing: str, gone: set[str], config: Any) -> None:
    path = run / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    sections = nuclear_shape_sections(run, config)
    assert figure_names(sections) == ALL - gone
    write_page(run, sections)


def test_single_arrays_may_be_missing(run: Path, config: Any) -> None:
    for name in ("profile", "profile_title", "edges_v2"):
        with h5py.File(run / "gallery.h5", "r+") as file:
            del file[name]
    with h5py.File(run / "explanations" / "sanity.h5", "r+") as file:
        del file["insertion"], file["deletion_random_error"], file["similarity_error"]
    with h5py.File(run / "explanations" / "maps.h5", "r+") as file:
        del file["lime"]
    assert figure_names(nuclear_shape_sections(run, config)) == ALL - {"collisions"}


def test_absent_predictors_are_not_mentioned(run: Path, fast: None, config: Any, text_of: Callable[..., str]) -> None:
    sections = nuclear_shape_sections(run, config, names=Names("resnet", "absent", "absent", "absent"))
    assert "with the size of the collision" not in text_of(sections, "In short")
    assert "Squeeze-excitation" not in text_of(sections, "Predictors compared")
    assert figure_names(sections) == ALL


def test_a_handful_of_shapes_is_enough(tmp_path: Path, write: Callable[[Path, int], Path], config: Any) -> None:
    few = write(tmp_path / "few", 3)
    page = write_page(few, nuclear_shape_sections(few, config)).read_text()
    assert page.count("<svg") > 3
    assert "nan" not in page.split("In short", 1)[1][:2000]


def test_malformed_run_is_one_line(run: Path, fast: None, config: Any) -> None:
    def refused() -> str:
        with pytest.raises(BadInput) as caught:
            nuclear_shape_sections(run, config)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    with h5py.File(run / "explanations" / "attention.h5", "r+") as file:
        del file["mask"]
        file["mask"] = np.zeros((10, 7))
    assert "another shape" in refused()
    with h5py.File(run / "predictions.h5", "r+") as file:
        del file["test/se_resnet/std"]
        file["test/se_resnet/std"] = np.zeros((2, 4))
    assert "test/se_resnet" in refused()
    with h5py.File(run / "predictions.h5", "r+") as file:
        del file["test"]
        file["test/truth"] = np.zeros((5, 2))
    assert "expected (records, 4)" in refused()
    (run / "metrics.json").write_text("{")
    assert "metrics.json" in refused()
