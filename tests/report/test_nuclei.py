"""The nuclear-shape report: every part is there, missing parts are left out, and verdicts follow the numbers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber.report import nuclei
from cloudchamber.report.nuclei import Names, nuclear_shape_sections, published_finding
from cloudchamber.report.page import Figure, Section, write_page
from cloudchamber.schema import BadInput

ALL = {
    "scores", "nuclei", "collisions", "images", "training", "predicted_abs_beta2", "predicted_abs_beta4", "degeneracy",
    "coverage", "transfer_sharp-surface", "transfer_scores_sharp-surface", "attention_masks", "attention_preference",
    "explanation_maps", "deletion_insertion", "randomization", "features",
}  # fmt: skip


@pytest.fixture(scope="module")
def sections(pristine: Path, config: Any) -> list[Section]:
    """Sections of the complete run."""
    return nuclear_shape_sections(pristine, config, {"sharp-surface": "uranium with a sharper surface"})


EXPLAINED = {name for name in ALL if name.startswith(("attention", "explanation", "deletion", "random", "features"))}
PREDICTED = {"predicted_abs_beta2", "predicted_abs_beta4", "degeneracy", "coverage", "transfer_sharp-surface"}


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn, but not rendered: for tests of texts and of what is there."""
    monkeypatch.setattr(
        nuclei, "picture", lambda name, drawing, caption, alt: Figure(name, "<svg></svg>", caption, alt)
    )


def figure_names(sections: list[Section]) -> set[str]:
    """Names of all figures."""
    return {figure.name for section in sections for figure in section.figures}


def text_of(sections: list[Section], title: str) -> str:
    """The text of the section whose title begins so."""
    return next(section.text for section in sections if section.title.startswith(title))


def test_every_figure_is_there_with_caption_and_alternative(sections: list[Section]) -> None:
    assert figure_names(sections) == ALL
    for section in sections:
        assert section.text
        for figure in section.figures:
            assert len(figure.caption) > 40
            assert len(figure.alt) > 20
            assert "<" not in figure.alt


def test_page_is_self_contained(pristine: Path, sections: list[Section]) -> None:
    text = write_page(pristine, sections).read_text()
    links = re.findall(r'\b(?:src|href)="([^"]*)"', text)
    assert all(link.startswith(("#", "data:image/png;base64,", "https://arxiv.org/abs/")) for link in links)
    assert len(re.findall(r"<svg\b", text)) == len(ALL)
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {path.stem for path in (pristine / "figures").glob("*.svg")} == ALL
    assert len(text) < 8e6
    assert write_page(pristine, sections).read_text() == text


def test_winner_and_numbers_come_from_the_metrics(pristine: Path, sections: list[Section]) -> None:
    rows = json.loads((pristine / "metrics.json").read_text())["rows"]
    chosen = {
        row["predictor"]: row["value"]
        for row in rows
        if (row["sample"], row["target"], row["metric"]) == ("test", "abs_beta2", "mae")
    }
    table = next(section.table for section in sections if section.title == "Predictors compared")
    assert table is not None
    column = table.header.index("|β₂| MAE")
    (winner,) = [row for row, place in table.winners if place == column]
    assert table.rows[winner][0] == "SE-ResNet-34"
    assert min(chosen, key=chosen.__getitem__) == "se_resnet"


def changed_metrics(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change every row of metrics.json."""
    content = json.loads((run / "metrics.json").read_text())
    for row in content["rows"]:
        change(row)
    (run / "metrics.json").write_text(json.dumps(content))


def test_says_so_if_a_baseline_or_the_floor_wins(run: Path, fast: None, config: Any) -> None:
    def ridge_wins(row: dict[str, Any]) -> None:
        if row["predictor"] == "ridge" and row["metric"] == "r2":
            row["value"], row["error"] = 0.999, 0.0001

    changed_metrics(run, ridge_wins)
    short = text_of(nuclear_shape_sections(run, config), "In short")
    assert "Best R² of |β₂|: <b>ridge on centrality moments</b>" in short
    assert "the best network is SE-ResNet-34" in short

    def floor_wins(row: dict[str, Any]) -> None:
        if row["predictor"] == "mean" and row["metric"] == "r2":
            row["value"] = 1.0

    changed_metrics(run, floor_wins)
    assert "nothing is better than predicting the mean" in text_of(nuclear_shape_sections(run, config), "In short")


def test_degeneracy_is_judged_by_the_number(run: Path, sections: list[Section], fast: None, config: Any) -> None:
    assert "degeneracy is seen here too" in text_of(sections, "The sign")

    def leak(row: dict[str, Any]) -> None:
        if (row["predictor"], row["target"], row["metric"]) == ("se_resnet", "beta2", "r2"):
            row["value"], row["error"] = 0.6, 0.05

    changed_metrics(run, leak)
    assert "<b>not</b> complete" in text_of(nuclear_shape_sections(run, config), "The sign")


def test_transfer_tells_what_breaks(sections: list[Section]) -> None:
    section = next(section for section in sections if section.title.startswith("What breaks"))
    assert "uranium with a sharper surface" in section.title
    assert "grows by more than twice its error for 9 of 9 predictors" in section.text
    assert section.table is not None
    row = next(row for row in section.table.rows if row[0] == "SE-ResNet-34")
    assert row[4].startswith("0.06")  # the bias that the synthetic probe has
    assert row[6].startswith("0.0 ±")


def test_uncertainties_are_judged(sections: list[Section]) -> None:
    table = next(section.table for section in sections if section.title.startswith("Are the uncertainties"))
    assert table is not None
    widths = {row[0]: dict(zip(table.header[1:], row[1:], strict=True)) for row in table.rows}
    assert float(widths["SE-ResNet-34"]["|β₂|: pull width"].split(" ")[0]) == pytest.approx(1, abs=0.2)
    assert float(widths["SE-ResNet-34"]["|β₄|: pull width"].split(" ")[0]) > 1.2
    assert widths["SE-ResNet-34"]["β₂: pull width"] == "–"
    assert widths["SE-ResNet-34, with size"]["β₂: pull width"] != "–"
    assert "of the 7 pull widths of networks 4 right and 3 too wide" in text_of(sections, "Are the uncertainties")


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
def test_published_finding(toe: Any, ankle: Any, verdict: str) -> None:
    error = np.full(10, 0.03)
    for neutral in (0.0, 1.0):
        regions = {"toe": (toe + neutral, error), "ankle": (ankle + neutral, error)}
        text = published_finding(EDGES, regions, neutral)
        assert verdict in text
        assert "0.17" in text


def test_empty_bins_of_attention_are_left_out(run: Path, config: Any) -> None:
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


def test_ratios_instead_of_contrasts(run: Path, fast: None, config: Any) -> None:
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


def test_other_names_and_no_size_network(run: Path, fast: None, config: Any) -> None:
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


def test_squeeze_excitation_warns_of_unequal_ensembles(sections: list[Section]) -> None:
    text = text_of(sections, "Predictors compared")
    assert "% of the MAE of |β₂|" in text
    assert "3 and 2 members" in text


def test_density_grid_is_the_talks() -> None:
    drawing = nuclei.drawings.nuclear_density_grid("U", [-0.5, 0.0, 0.5], [-0.2, 0.2])
    titles = [axes.get_title() for axes in drawing.axes if axes.get_title()]
    assert len(titles) == 6
    assert "-0.50" in titles[0]
    assert "-0.2" in titles[0]
    assert "0.50" in titles[-1]
    first = np.asarray(drawing.axes[0].images[0].get_array())
    middle = len(first) // 2
    assert (first[middle] > 0.5).sum() > (first[:, middle] > 0.5).sum()  # oblate: wider than high
