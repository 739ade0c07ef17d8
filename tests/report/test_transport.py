"""Sections on the transport simulator's validation from made-up run directories: every part, and what is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber.data.files import write_arrays
from cloudchamber.data.measured_fragments import carbon_62mev
from cloudchamber.metrics.measured import Measured
from cloudchamber.report.page import Section, write_page
from cloudchamber.report.transport import PARTS, transport_sections
from cloudchamber.report.transport_cross_sections import judged
from cloudchamber.report.transport_run import read_groups, words_of
from cloudchamber.schema import BadInput

SUBJECTS = {
    "langevin": "Boltzmann-<Langevin>", "average": "average (BUU)", "rounded": "whole nuclei", "measured": "measured",
    "kox": "Kox et al.",
}  # fmt: skip
FACTORS = {"langevin": 1.0, "average": 3.0}
"""Simulated over measured cross sections."""


@dataclass(frozen=True)
class FakeConfig:
    """What the sections read of the study's configuration."""

    projectile: str = "C12"
    target: str = "C12"
    energy: float = 62.0
    test_particles: int = 400
    freeze_out_time: float = 200.0
    density_cut: float = 0.02
    energy_tolerance: float = 0.5


def number(subject: str, check: str, target: str, metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    found = {"predictor": subject, "sample": check, "target": target, "metric": metric, "value": value}
    return found | {"error": None, "n": 9, "floor": None, "unit": ""} | more


def fragments() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Arrays and rows of the check of data: simulated is measured times a factor."""
    data, arrays, rows = carbon_62mev(), {}, []
    for mode, factor in FACTORS.items():
        places = {f"{mode}/angular/{name}": one.cross_section for name, one in data.angular.items()}
        places |= {f"{mode}/spectra/{name}/{angle:g}": one.cross_section for (name, angle), one in data.spectra.items()}
        for place, value in places.items():
            arrays |= {f"{place}/value": factor * value, f"{place}/error": 0.1 * value, f"{place}/limit": value}
        for name in [*data.angular, "all"]:
            rows += [
                number(mode, "data", name, "reduced_chi2", 2.5, error=1e-16),
                number(mode, "data", name, "mean_log_ratio", float(np.log(factor)), error=0.1),
                number(mode, "data", name, "mean_abs_log_ratio", 0.2, error=0.1, low=None, high=0.1),
            ]
        rows += [
            number(mode, "data", name, "cross_section", factor * 60, error=3.0, unit="mb") for name in data.angular
        ]
    rows += [number("measured", "data", name, "cross_section", 60.0, error=3.0, unit="mb") for name in data.angular]
    rows[-1]["value"] = None  # a measurement that could not be integrated
    return arrays, rows


def arrays_of_checks() -> dict[str, dict[str, Any]]:
    """Arrays of all checks but that of data."""
    rng = np.random.default_rng(1)
    time, momentum, impact = np.arange(20.0, 201, 20), np.linspace(5, 400, 30), rng.uniform(0, 8, 60)
    wave = {"time": time, "simulated": np.cos(time / 25), "linear_response": np.cos(time / 24)}
    rest = {"time": time, "radius": 1 + 1e-4 * time, "emitted": 1e-5 * time}
    sides = {
        f"{side}/{name}": rng.normal(8, 2, 50) for side in ("forward", "backward") for name in ("A", "Z", "momentum")
    }
    settings = {"test_particles": [100.0, 500], "nucleons": [8.0, 24], "freeze_out_time": [100.0, 200]}
    return {
        "conservation": {
            **{f"energy_change/{mode}": rng.normal(0, 0.02, 40) for mode in FACTORS},
            "stretch": rng.normal(1, 0.01, 40),
        },
        "ground-states": {f"{name}/{key}": one for name in ("C12", "He4") for key, one in rest.items()},
        "box-collisions": {
            "occupation/momentum": momentum,
            **{f"occupation/{name}": np.exp(-momentum / 200) for name in ("true", "counted", "blocked", "spread")},
        },
        "box-wave": {f"{name}/{key}": one for name in ("soft", "comparison") for key, one in wave.items()},
        "occupation": {
            "momentum": momentum,
            **{
                f"{mode}/{name}": np.linspace(0.2, 0.9, 4)
                for mode in FACTORS
                for name in ("kept", "ratio", "ratio_error")
            },
            **{f"{mode}/{name}": np.exp(-momentum) for mode in FACTORS for name in ("occupation", "equilibrium")},
        },
        "spread": {f"{mode}/largest": rng.normal(8, 2, 30) for mode in FACTORS},
        "symmetry": sides,
        "freeze-out": {
            **{name: rng.normal(8, 1, (6, 4, 5)) for name in ("largest", "number", "excitation")},
            "time": np.array([120.0, 160, 200, 240]), "density_cut": np.array([0.01, 0.015, 0.02, 0.025, 0.03]),
            "impact_parameter": np.linspace(0.5, 7, 6),
        },
        "reaction": {
            f"{energy}/{key}": one for energy in (62, 200)
            for key, one in (("impact_parameter", impact), ("probability", np.where(impact < 6, 1.0, 0.25)))
        },
        "cost": {
            f"{name}/{key}": np.array(value) for name, value in settings.items() for key in ("value", "seconds")
        },
    }  # fmt: skip


ROWS = [
    number("langevin", "conservation", "energy", "mean_change", 0.02, error=0.001, unit="MeV", low=None, high=0.1),
    number("langevin", "ground-states", "C12", "largest_change_of_rms_radius", 0.02, low=-0.05, high=0.05),
    number("langevin", "ground-states", "C12", "emitted_share", 0.002, low=None, high=0.005),
    number("langevin", "box-collisions", "attempted", "over_analytic", 1.002, low=0.99, high=1.01),
    number("langevin", "box-wave", "soft", "first_zero", 38.0, unit="fm/c"),
    number("langevin", "occupation", "octants", "variance_over_f(1-f)", 0.8, low=0.5, high=1.2),
    number("langevin", "spread", "largest_fragment", "sd_over_average", 3.0, error=0.5, low=5.0, high=None),
    number("langevin", "symmetry", "A", "p_value", 0.4, low=0.001, high=None),
    number("langevin", "symmetry", "Z", "p_value", 0.2, low=0.001, high=None),
    number("langevin", "freeze-out", "largest_fragment", "loss_before_freeze_out", 0.1, low=-0.3, high=0.3),
    number("langevin", "reaction", "at_62_MeV", "reaction_cross_section", 1050.0, error=20.0, unit="mb"),
    number("langevin", "reaction", "at_200_MeV", "reaction_cross_section", 900.0, error=20.0, unit="mb"),
    number("langevin", "reaction", "at_95_MeV", "reaction_cross_section", None, unit="mb"),
    number("langevin", "cost", "event", "processor_time", 4.0, unit="s", low=None, high=5.0),
]


def write_run(home: Path, rows: list[dict[str, Any]], arrays: dict[str, dict[str, Any]]) -> Path:
    """A run directory with the checks that have rows or arrays, and one that found nothing."""
    home.mkdir(parents=True, exist_ok=True)
    checks = [name for name in PARTS if name in arrays or any(row["sample"] == name for row in rows)]
    content = {
        "study": "transport", "preset": "tiny", "seed": 1, "rows": rows,
        "predictors": {name: {"title": title, "kind": "subject"} for name, title in SUBJECTS.items()},
        "checks": {name: {"title": f"{name} <check>", "wall_s": 1.0} for name in [*checks, "nothing"]},
    }  # fmt: skip
    (home / "metrics.json").write_text(json.dumps(content))
    (home / "run.json").write_text(json.dumps({"study": "transport", "preset": "tiny", "seed": 1}))
    for name, one in arrays.items():
        write_arrays(home / "checks" / f"{name}.h5", one)
    return home


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    arrays, rows = fragments()
    home = tmp_path_factory.mktemp("transport")
    frames, edges = np.ones((2, 12, 30)), {"x": np.linspace(-6, 6, 13), "z": np.linspace(-15, 15, 31)}
    pictures = {f"density/{mode}": frames for mode in FACTORS} | {"time": np.array([0.0, 200]), **edges}
    write_arrays(home / "gallery.h5", pictures)
    return write_run(home, ROWS + rows, arrays_of_checks() | {"data": arrays})


@pytest.fixture(scope="module")
def sections(full: Path) -> dict[str, Section]:
    return {section.title: section for section in transport_sections(full, FakeConfig(), {})}


def test_a_full_run_has_a_section_for_every_check_with_figures_and_a_page(
    full: Path, sections: dict[str, Section]
) -> None:
    first, second, *checks = sections
    assert (first, second) == ("Verdict", "A collision")
    assert checks == [f"{name[0].upper()}{name[1:]} <check>" for name in PARTS]  # "nothing" has none
    drawn = {title: [figure.name for figure in section.figures] for title, section in sections.items()}
    assert drawn == {
        "Verdict": [], "A collision": ["collision"], "Conservation <check>": ["conservation"],
        "Ground-states <check>": ["ground_states"], "Box-collisions <check>": ["occupation_in_the_box"],
        "Box-wave <check>": ["standing_wave"],
            "Occupation <check>": ["variance", "occupation_after_collisions"], "Spread <check>": ["largest_fragment"],
        "Symmetry <check>": ["symmetry"], "Freeze-out <check>": ["freeze_out"],
        "Reaction <check>": ["reaction_probability", "reaction_cross_section"],
        "Data <check>": ["fragment_angles", "fragment_spectra"], "Cost <check>": ["cost"],
    }  # fmt: skip
    for section in sections.values():
        assert section.text
        assert section.table is not None or section.title == "A collision"
    page = write_page(full, list(sections.values())).read_text()
    assert "Boltzmann-&lt;Langevin&gt;" in page
    assert "<Langevin>" not in page
    assert "nan" not in page.split("</style>")[1].split("<svg")[0]


def test_tables_say_targets_and_metrics_in_words(sections: dict[str, Section]) -> None:
    first_cells = {
        title: [row[0] for row in section.table.rows] for title, section in sections.items() if section.table
    }
    assert first_cells["Ground-states <check>"][0] == "¹²C: largest relative change of the rms radius"
    assert first_cells["Reaction <check>"][0] == "62 MeV per nucleon: reaction cross section"
    assert first_cells["Symmetry <check>"][1] == "Z: p value of the exchange of sides"
    words = words_of([number("langevin", "", target, "x", 1.0) for target in ("at_62.5_MeV", "T_5_MeV", "Pb208")])
    assert words["at_62.5_MeV"] == "62.5 MeV per nucleon"
    assert (words["T_5_MeV"], words["Pb208"]) == ("T = 5 MeV", "²⁰⁸Pb")


def test_captions_give_the_criteria_of_the_rows(sections: dict[str, Section]) -> None:
    captions = {title: " ".join(figure.caption for figure in one.figures) for title, one in sections.items()}
    assert "±0.1 MeV" in captions["Conservation <check>"]
    assert "Band: −5 % to +5 %. Dashed: a share of 0.005." in captions["Ground-states <check>"]
    assert "Dashed: 5 s" in captions["Cost <check>"]
    assert "6 events at impact parameters from 0.5 to 7 fm" in captions["Freeze-out <check>"]
    assert "average (BUU): 30 events" in captions["Spread <check>"]
    assert "√400 = 20" in sections["Spread <check>"].text
    assert "one of 1000 such tests; there are 2 of them" in sections["Symmetry <check>"].text
    assert "25 % of the events at 62 MeV per nucleon react" in sections["Reaction <check>"].text


def test_isotopes_are_judged_by_their_cross_sections_and_listed_by_mode(sections: dict[str, Section]) -> None:
    section = sections["Data <check>"]
    table = section.table
    assert table is not None
    assert table.groups == {0: "Boltzmann-<Langevin>", 11: "average (BUU)"}
    assert table.rows[0] == ("¹H", "60 ± 3", "60 ± 3", "2.5", "0.00 ± 0.10", "0.20 ± 0.10 (≤ 0.1: FAIL)")
    assert table.rows[10][:3] == ("all isotopes", "", "")
    assert "right within a factor of 1.5 ¹H, ²H, ³H" in section.text
    assert "too low none; too high ¹H, ²H, ³H, ⁴He, ⁶Li, ⁷Li, ⁷Be, ⁹Be and ¹⁰B;" in section.text
    assert "Boltzmann-&lt;Langevin&gt;" in section.text


def test_too_few_events_leave_open_what_is_wrong() -> None:
    measured = Measured(60, 3, 7)
    values = [(60, 5), (20, 5), (150, 20), (60, 30), (0, 0), (45, float("nan"))]
    assert [judged(Measured(*one, 9), measured) for one in values] == [
        "within", "low", "high", "open", "open", "within",
    ]  # fmt: skip


def test_what_a_run_lacks_is_left_out(tmp_path: Path, by_title: Callable[..., dict[str, Section]]) -> None:
    asymmetric = FakeConfig(projectile="He4")
    rows = [row for row in ROWS if row["sample"] not in ("symmetry", "cost")]
    found = by_title(transport_sections(write_run(tmp_path / "no-arrays", rows, {}), asymmetric, {}))
    assert "Symmetry <check>" not in found
    assert "A collision" not in found
    assert [figure.name for one in found.values() for figure in one.figures] == ["reaction_cross_section"]
    assert "Measured: " not in found["Reaction <check>"].figures[0].caption
    only_arrays = by_title(transport_sections(write_run(tmp_path / "no-rows", [], arrays_of_checks()), asymmetric, {}))
    assert only_arrays["Conservation <check>"].table is None
    assert "±" not in only_arrays["Conservation <check>"].figures[0].caption
    assert len(only_arrays["Ground-states <check>"].figures) == 1
    empty = transport_sections(write_run(tmp_path / "empty", [], {}), FakeConfig(), {})
    assert [section.title for section in empty] == ["Verdict"]


def test_every_part_says_something_without_arrays_and_rows(tmp_path: Path) -> None:
    rows = [number("langevin", name, "a", "b", 1.0) for name in PARTS]
    sections = transport_sections(write_run(tmp_path, rows, {}), FakeConfig(), {})
    assert len(sections) == 1 + len(PARTS)
    assert all(section.text and not section.figures for section in sections[1:])


def test_arrays_are_read_from_all_groups(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.h5", {"one": np.arange(3), "deep/er/two": np.ones(2)})
    found = read_groups(tmp_path / "a.h5")
    assert sorted(found) == ["deep/er/two", "one"]
    np.testing.assert_array_equal(found["deep/er/two"], [1, 1])
    assert read_groups(tmp_path / "absent.h5") == {}


def test_damaged_files_and_other_studies_are_refused_in_one_line(tmp_path: Path) -> None:
    run = write_run(tmp_path, ROWS, {"spread": {"langevin/largest": np.ones(4)}})
    (run / "checks" / "spread.h5").write_text("no HDF5")
    with pytest.raises(BadInput, match=r"spread\.h5 cannot be read"):
        transport_sections(run, FakeConfig(), {})
    arrays, rows = fragments()
    write_run(run, rows, {"data": arrays})
    with h5py.File(run / "checks" / "data.h5", "a") as file:
        del file["langevin/angular/He4/value"]
        file["langevin/angular/He4/value"] = np.ones(2)
    with pytest.raises(BadInput, match="langevin/angular/He4 has other points than the measurement"):
        transport_sections(run, FakeConfig(), {})
    (run / "metrics.json").write_text(json.dumps({"predictors": {}, "rows": []}))
    with pytest.raises(BadInput, match="has no checks"):
        transport_sections(run, FakeConfig(), {})
