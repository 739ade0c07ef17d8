"""Sections on the emulator of nuclear collisions from made-up run directories: every part, and what is missing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cloudchamber.data.collisions import Collisions, Entrance, Simulated, collision_writer, rounded
from cloudchamber.data.files import write_arrays
from cloudchamber.data.phase_space_histograms import encode
from cloudchamber.metrics.collision_isotopes import isotope_rows
from cloudchamber.metrics.collision_rows import MEAN, collision_rows
from cloudchamber.report import collision_decays, figures
from cloudchamber.report.collision_explanations import QUANTITIES
from cloudchamber.report.collision_run import read_run
from cloudchamber.report.collisions import collision_sections
from cloudchamber.report.page import Section, write_page
from cloudchamber.schema import BadInput

GENERATORS = {
    "flow": ("flow <matching>", "network"), "held_out": ("the same, never shown 62 MeV", "network"),
    "vae": ("autoencoder of histograms", "network"), "graph_vae": ("graph autoencoder", "network"),
    "histograms": ("histograms in bins", "baseline"), "resampling": ("resampling", "baseline"),
    "again": ("simulator again", "floor"),
}  # fmt: skip
TITLES = [
    "What came out", "The data", "Fragments and gas", "As functions of the impact parameter",
    "Observable by observable",
    "Elsewhere: an energy held out, other energies, other nuclei", "What the conditions do",
    "The latent space, and the impact parameter in it", "Test events, encoded and decoded", "Laws and symmetry",
    "After de-excitation, beside measured isotopes", "What an event costs", "Training",
]  # fmt: skip


def toy(n: int, seed: int, hotter: float = 1.0) -> Collisions:
    """Two fragments and some gas, the less of it the larger b; every sixth event is at 80 MeV per nucleon."""
    rng = np.random.default_rng(seed)
    b = np.linspace(0.1, 7.9, n)
    lost = np.clip(rng.normal(6 - b, 0.5), 0.2, 10)  # nucleons of each nucleus that become gas
    energy = np.where(np.arange(n) % 6, 62.0, 80.0)
    beam = np.where(energy == 62.0, 169.0, 192.0)
    A = np.repeat(12 - lost, 2)
    along = np.repeat(beam * (1 - 0.03 * lost), 2) * np.tile([1.0, -1.0], n)
    across = np.repeat(rng.normal(0, 20, (n, 2)), 2, axis=0) * np.tile([1.0, -1.0], n)[:, None]
    momentum = np.column_stack([across, along]) * A[:, None]
    gas = np.round(2 * lost * 20).astype(np.int64)
    total = int(gas.sum())
    simulated = Simulated(
        np.full(n, 2), A, A / 2, momentum * 175 / 938 / A[:, None], momentum, hotter * 0.7 * np.repeat(lost, 2), gas,
        (np.arange(total) % 2).astype(np.uint8), rng.normal(0, 15, (total, 3)).astype(np.float32),
        rng.normal(0, 90, (total, 3)).astype(np.float32), 20,
    )  # fmt: skip
    carbon = np.tile([12, 6], (n, 1))
    return rounded(Entrance(carbon, carbon, energy, b), simulated, rng)


def write_numbers(run: Path, rows: list[dict[str, Any]]) -> None:
    """metrics.json, run.json and config.json."""
    unknown = ({key: None for key in ("value", "error") if not np.isfinite(row[key])} for row in rows)
    rows = [row | nothing | {"floor": None} for row, nothing in zip(rows, unknown, strict=True)]
    known = {name: {"title": title, "kind": kind} for name, (title, kind) in GENERATORS.items()}
    (run / "metrics.json").write_text(json.dumps({"rows": rows, "predictors": known}))
    record = {
        "study": "transport-emulator", "preset": "tiny", "seed": 1,
        "fit_s": dict.fromkeys(GENERATORS, 120.0),
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(record))
    (run / "config.json").write_text(json.dumps({"energy": 62.0, "highest_impact_parameter": 8.0}))
    (run / "history.csv").write_text("predictor,epoch,train_loss,w1_over_sigma\nflow,0,1.5,0.2\nflow,1,1.2,0.1\n")


def write_events(run: Path, truth: Collisions, made: dict[str, Collisions]) -> None:
    """generated/test/."""
    place = run / "generated" / "test"
    place.mkdir(parents=True)
    for name, events in {"truth": truth, **made}.items():
        with collision_writer(place / f"{name}.h5", {"generator": name}) as append:
            append(events)


def write_pictures(run: Path, truth: Collisions) -> None:
    """gallery.h5 and explanations/."""
    rng = np.random.default_rng(3)
    simulated, b = truth.simulated, truth.entrance.impact_parameter
    assert simulated is not None
    gallery: dict[str, Any] = {}
    for place, event in enumerate((2, 20, 40)):
        one = simulated.ordered(np.array([event]))
        gallery |= {
            f"event/{place}/b": b[event : event + 1], f"event/{place}/fragment_A": one.A,
            f"event/{place}/fragment_position": one.position, f"event/{place}/fragment_momentum": one.momentum,
            f"event/{place}/gas_position": one.gas_position, f"event/{place}/gas_momentum": one.gas_momentum,
            f"histogram/{place}": encode(one, rng)[0],
        }  # fmt: skip
    write_arrays(run / "gallery.h5", gallery)
    (run / "explanations").mkdir()
    taken = dict.fromkeys(GENERATORS, 0.5) | {"vae": 10.0}
    cost = {f"milliseconds/{name}": np.array([value]) for name, value in taken.items()}
    write_arrays(run / "explanations" / "cost.h5", cost | {"simulator_seconds": np.array([4.0, 6.0])})
    latent, again = {}, {}
    for name in ("vae", "graph_vae"):
        read = b + rng.normal(0, 0.5, len(b))
        latent |= {
            f"{name}/mean": rng.normal(size=(len(b), 4)), f"{name}/b": b, f"{name}/predicted_b": read,
            f"{name}/projection": np.column_stack([b - 4, rng.normal(size=len(b))]),
            f"{name}/correlation": np.array([np.corrcoef(read, b)[0, 1]]),
            f"{name}/projection_correlation": np.array([-1.0, 0.02]),
        }  # fmt: skip
        for quantity in QUANTITIES:
            again |= {f"{name}/{quantity}/true": b, f"{name}/{quantity}/reconstructed": read + 1}
    write_arrays(run / "explanations" / "latent.h5", latent)
    write_arrays(run / "explanations" / "reconstruction.h5", again)
    grid, energy = np.linspace(0, 8, 17), np.array([45.0, 62.0, 80.0])
    asked: dict[str, Any] = {"b": grid, "energy": energy, "truth/b": b, "truth/energy": truth.entrance.energy}
    for name in ("fragments", "A_largest", "gas_nucleons", "excitation_per_nucleon"):
        asked |= {f"flow/{name}": np.add.outer(energy / 10, grid), f"truth/{name}": b + truth.entrance.energy / 10}
    write_arrays(run / "explanations" / "conditions.h5", asked)


def number(name: str, target: str, metric: str, value: float) -> dict[str, Any]:
    """A made-up row."""
    return {
        "predictor": name, "sample": "test", "target": target, "metric": metric, "value": value, "error": 0.01, "n": 48,
        "unit": "",
    }  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _not_rendered() -> Iterator[None]:
    """Rendering takes most of the time; tests of the figures do it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "svg", lambda _: "<svg></svg>")
        yield


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything; the autoencoders are too hot."""
    place, rng = tmp_path_factory.mktemp("collisions"), np.random.default_rng(1)
    truth, right, hot, again = toy(48, 1), toy(48, 2), toy(48, 3, hotter=1.8), toy(48, 4)
    made = {name: hot if name.endswith("vae") else right for name in GENERATORS} | {"again": again}
    different = {"flow": right, "vae": hot, "again": again}
    rows = collision_rows("test", truth, different, rng) + isotope_rows("test", truth, different, rng)
    for name, factor in (("held_out", 1.2), ("graph_vae", 1.5), ("histograms", 1.6), ("resampling", 1.4)):
        rows += [
            row | {"predictor": name, "value": factor * row["value"]} for row in rows if row["predictor"] == "flow"
        ]
    for place_in_order, name in enumerate(GENERATORS):
        rows += [
            number(name, "all", "auc", 0.5 + 0.05 * place_in_order),
            number(name, "main channel", MEAN, 0.1 + 0.02 * place_in_order),
            number(name, "other nuclei", MEAN, 0.2),
        ]
    write_numbers(place, rows)
    write_events(place, truth, made)
    write_pictures(place, truth)
    return place


@pytest.fixture(scope="module")
def sections(run: Path) -> list[Section]:
    return collision_sections(run, {})


def test_a_full_run_has_all_sections_and_a_page(run: Path, sections: list[Section]) -> None:
    assert [section.title for section in sections] == TITLES
    for section in sections:
        assert section.text
        for figure in section.figures:
            assert figure.svg.startswith("<svg")
            assert figure.alt
    names = [figure.name for section in sections for figure in section.figures]
    assert len(names) == len(set(names)) == 16
    page = write_page(run, sections).read_text()
    assert "flow &lt;matching&gt;" in page
    assert "flow <matching>" not in page


def test_what_is_seen_is_said(sections: list[Section], by_title: Callable[..., dict[str, Section]]) -> None:
    titled = by_title(sections)
    came_out = titled["What came out"].text
    assert "times that of simulator against simulator" in came_out
    assert "0.5 ms an event beside 5.0 ± 1.0 s of the simulator; less than 1 ms was asked for" in came_out
    assert "Never shown 62 MeV per nucleon" in came_out
    assert "1.20 ± 0.16 times that after training with this energy" in came_out
    assert "40 are of the main collision" in titled["The data"].text
    assert "in every event by: flow &lt;matching&gt;; the same" in titled["Laws and symmetry"].text
    latent = titled["The latent space, and the impact parameter in it"].text
    assert "in 48 test events" in latent
    assert "|r| = 1.00 with b" in latent
    assert "nucleons of the gas r = 0.984 ± 0.004, on average off by" in titled["Test events, encoded and decoded"].text
    cost = titled["What an event costs"].text
    assert "flow &lt;matching&gt;: 0.5 ms, 10\u2009000 times as fast" in cost
    assert "autoencoder of histograms: 10 ms, 500 times as fast" in cost
    conditions = titled["What the conditions do"].text
    assert "from 45 to 80 MeV per nucleon the mean rises by 3.5" in conditions
    assert "at none of 2 energies" in conditions


def test_the_generator_that_is_too_hot_is_told(
    sections: list[Section], by_title: Callable[..., dict[str, Section]]
) -> None:
    titled = by_title(sections)
    assert "autoencoder of histograms: farthest in “E*" in titled["Observable by observable"].text
    lines = titled["As functions of the impact parameter"].text.split("</li>")
    off = {line.split(":")[0].rpartition(">")[2]: int(line.split(": ")[1].split()[0]) for line in lines if ":" in line}
    assert off["autoencoder of histograms"] > off["flow &lt;matching&gt;"]


def test_all_networks_but_the_held_out_one_and_one_baseline_are_drawn(run: Path) -> None:
    found = read_run(run)
    assert found.shown[:3] == ["flow", "vae", "graph_vae"]
    assert found.shown[3:] in (["histograms"], ["resampling"])
    nearest = found.ranked("baseline")[0][0]
    assert found.shown[3] == nearest
    assert found.floor == "again"


def test_numbers_alone_have_their_sections(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "metrics.json", tmp_path)
    titles = [section.title for section in collision_sections(tmp_path, {})]
    assert titles == [TITLES[0], TITLES[4], TITLES[5], TITLES[9], TITLES[10]]


def test_a_run_without_rows_has_its_pictures_only(run: Path, tmp_path: Path) -> None:
    shutil.copy(run / "gallery.h5", tmp_path)
    (tmp_path / "metrics.json").write_text('{"rows": []}')
    (section,) = collision_sections(tmp_path, {})
    assert [figure.name for figure in section.figures] == ["events", "histograms"]
    (tmp_path / "gallery.h5").unlink()
    assert collision_sections(tmp_path, {}) == []


def test_a_few_events_of_one_generator_are_enough(run: Path, tmp_path: Path) -> None:
    del run
    truth = toy(5, 1)
    made = {"flow": toy(5, 2), "again": toy(5, 3)}
    write_numbers(tmp_path, collision_rows("test", truth, made, np.random.default_rng(1)))
    write_events(tmp_path, truth, made)
    titles = [section.title for section in collision_sections(tmp_path, {})]
    assert titles == [*TITLES[:1], *TITLES[1:5], TITLES[9], *TITLES[11:]]


def test_peripheral_events_without_gas_are_drawn(run: Path, tmp_path: Path) -> None:
    events = read_run(run).truth
    assert events is not None
    quiet = events.ordered(events.sums(events.A == 1) == 0)
    assert len(quiet) >= 5
    (tmp_path / "metrics.json").write_text((run / "metrics.json").read_text())
    write_events(tmp_path, quiet, {"flow": quiet, "histograms": quiet})
    sections = collision_sections(tmp_path, {})
    assert TITLES[2] in [section.title for section in sections]


def test_isotopes_need_impact_parameters_within_the_settings(run: Path) -> None:
    found = read_run(run)
    known = collision_decays.decays_section(found)
    assert known is not None
    assert [figure.name for figure in known.figures] == ["isotopes", "isotopes_to_simulator"]
    assert "The simulator itself is" in known.text
    near = collision_decays.decays_section(replace(found, config={"highest_impact_parameter": 5.0}))
    assert near is not None
    assert [figure.name for figure in near.figures] == ["isotopes_to_simulator"]


def test_a_malformed_file_is_named(run: Path, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text((run / "metrics.json").read_text())
    place = tmp_path / "generated" / "test"
    place.mkdir(parents=True)
    (place / "truth.h5").write_bytes(b"not HDF5")
    with pytest.raises(BadInput, match=r"truth\.h5"):
        collision_sections(tmp_path, {})
    (place / "truth.h5").unlink()
    (tmp_path / "gallery.h5").write_bytes(b"not HDF5")
    with pytest.raises(BadInput, match=r"gallery\.h5"):
        collision_sections(tmp_path, {})
