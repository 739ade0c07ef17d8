"""Sections on generators of interactions from made-up run directories, whichever way the numbers come out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cloudchamber.data.interactions import write_events
from cloudchamber.metrics.interaction_rows import condition_name, interaction_rows, memory_rows
from cloudchamber.report import interaction_figures as drawings
from cloudchamber.report.files import Metrics, Score
from cloudchamber.report.interaction_tables import (
    BOOKS,
    QUALITY,
    Found,
    best,
    closest,
    floor,
    generator_table,
    read_run,
    said,
    truth_title,
    verdict,
)
from cloudchamber.report.interactions import conditions_section, interaction_sections, training_section
from cloudchamber.report.page import Section, write_page
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import from_rest, project
from cloudchamber.simulators.hadronic.particles import masses

GENERATORS = {
    "resampling": {"title": "resampling <events>", "kind": "baseline"},
    "flow": {"title": "flow matching", "kind": "network"},
    "again": {"title": "Geant4 again", "kind": "floor"},
}


def toy(n: int, seed: int, pions: float = 2.0) -> Events:
    """Pions and protons on hydrogen and carbon: projectile, nucleus, and some pi0 (none: elastic)."""
    rng = np.random.default_rng(seed)
    direction = np.tile([0.0, 0.6, 0.8], (n, 1))
    beam = Beam(
        rng.choice([211, -211, 2212], n).astype(np.int32), rng.choice([1, 6], n).astype(np.int32),
        rng.choice([5.0, 20.0], n), direction,
    )  # fmt: skip
    nucleus, incoming = incoming_of(beam)
    number = rng.poisson(pions, n).clip(0, 5)
    offsets = np.concatenate([[0], np.cumsum(2 + number)])
    kind = np.full(offsets[-1], 111, np.int32)
    kind[offsets[:-1]], kind[offsets[:-1] + 1] = beam.projectile, nucleus
    s = np.sqrt(incoming[:, 0] ** 2 - (incoming[:, 1:] ** 2).sum(axis=1))
    rest, _, good = project(rng.normal(size=(len(kind), 3)) * [0.2, 0.2, 0.8], masses(kind), offsets, s)
    owner = np.repeat(np.arange(n), 2 + number)
    lab = from_rest(rest, incoming[owner], direction[owner])
    return Events(beam, nucleus, incoming, (number > 0).astype(np.uint8), offsets, kind, lab).part(good)


def write_run(run: Path, rows: list[dict[str, Any]], generated: dict[str, Events], truth: Events) -> Path:
    place = run / "generated" / "test"
    place.mkdir(parents=True)
    for name, events in {"truth": truth, **generated}.items():
        write_events(place / f"{name}.h5", events, {"model": name})
    (run / "metrics.json").write_text(json.dumps({"rows": rows, "predictors": GENERATORS}))
    (run / "run.json").write_text(json.dumps({"study": "hadronic-interactions", "preset": "tiny", "seed": 1}))
    return run


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with everything: resampling copies, the flow has too many pions."""
    rng = np.random.default_rng(1)
    truth, train = toy(900, 1), toy(900, 2)
    generated = {"resampling": train, "flow": toy(900, 3, pions=2.8), "again": toy(900, 4)}
    rows = interaction_rows("test", truth, generated, rng, particles=False)
    rows += memory_rows("test", generated, train, truth, rng)
    rows += [one | {"sample": "heavy"} for one in rows if one["metric"] == "auc"]
    for name, shift in (("flow", 0.1), ("again", 0.0)):
        for target in ("H", "C"):
            for energy in (5.0, 20.0):
                for metric, value in (("auc", 0.5 + shift), ("mean_w1_over_sigma", 0.1 + shift)):
                    rows.append(
                        {"predictor": name, "sample": condition_name("pi+", target, energy), "target": "all",
                         "metric": metric, "value": value, "error": 0.01, "n": 300, "unit": ""}
                    )  # fmt: skip
    run = write_run(tmp_path_factory.mktemp("full"), rows, generated, truth)
    speed = [
        {"model": model, "projectile": "pi+", "target": "C", "energy": 20, "batch": batch, "events_per_second": rate}
        for model, rate in (("geant4", 6000), ("urqmd", 60.5), ("flow", 20_000))
        for batch in (1, 1000)
    ]
    (run / "speed.json").write_text(json.dumps({"rows": speed}))
    (run / "history.csv").write_text(
        "predictor,epoch,train_loss,w1_over_sigma,seconds_per_step\n"
        "flow,0,1.5,0.2,0.1\nflow,1,1.2,0.1,0.1\nflow,2,1.1,0.1,0.1\n"
    )
    return run


def framed(projectile: str, target: str, energy: float) -> bool:
    return target == "C"


def by_title(sections: list[Section]) -> dict[str, Section]:
    return {section.title: section for section in sections}


@pytest.fixture(scope="module")
def sections(full: Path) -> list[Section]:
    return interaction_sections(full, {"heavy": "heavier nuclei", "absent": "not there"}, framed)


def test_a_full_run_has_all_sections_and_a_page(full: Path, sections: list[Section]) -> None:
    assert [section.title for section in sections] == [
        "What came out", "The data", "How many particles?", "Where do they go?", "Do observables hang together?",
        "Observable by observable", "What must be conserved", "Elsewhere: heavier nuclei",
        "Every hadron, every target, every energy", "Multiplicity of every hadron", "How fast?", "Training",
    ]  # fmt: skip
    for section in sections:
        assert section.text
        for figure in section.figures:
            assert figure.svg.startswith("<svg")
            assert figure.alt
    page = write_page(full, sections).read_text()
    assert "resampling &lt;events&gt;" in page
    assert "resampling <events>" not in page


def test_what_is_seen_is_said(sections: list[Section]) -> None:
    titled = by_title(sections)
    came_out = titled["What came out"].text
    assert "best is <b>resampling &lt;events&gt;</b>" in came_out
    assert "the same within two combined errors as truth against truth" in came_out
    assert "in every event by: resampling &lt;events&gt;; flow matching." in titled["What must be conserved"].text
    where = titled["Every hadron, every target, every energy"]
    assert where.text.startswith("flow matching. AUC: 0.600 in 2 trained, 0.600 in 2 held-out conditions (median)")
    assert "Truth against truth: 0.500 in the median condition" in where.figures[0].caption
    assert "6 combinations" in titled["Multiplicity of every hadron"].text
    speed = titled["How fast?"].text
    assert speed == "Most events per second: flow matching 20\u2009000, Geant4 6\u2009000, UrQMD 60."
    particles = titled["The data"].table
    assert particles is not None
    assert any(row[0] in ("pi+", "pi-", "p") for row in particles.rows)


def test_the_table_ranks_generators_and_keeps_the_floor_apart(full: Path) -> None:
    found = read_run(full)
    table = generator_table(found, QUALITY, "caption", "test")
    assert table is not None
    assert [row[0] for row in table.rows] == ["resampling <events>", "flow matching", "Geant4 again"]
    assert table.groups[2] == "Floor: truth against truth"
    auc = [heading.startswith("AUC, obs") for heading in table.header].index(True)
    assert (0, auc) in table.winners
    assert (1, auc) not in table.ties
    assert not any(row == 2 for row, _ in table.winners | table.ties)
    neighbours = [heading == "neighbour ratio" for heading in table.header].index(True)
    assert (1, neighbours) in table.winners  # the copies are told
    assert [name for name, _ in best(found, "all", "auc", "test")] == ["resampling", "flow"]
    assert floor(found, "all", "auc", "test") is not None
    assert verdict(found, "all", "no_such_metric", "test", "Nothing") == ""
    assert generator_table(found, QUALITY, "caption", "no such sample") is None


def test_what_the_projection_has_to_do_is_in_the_table(full: Path) -> None:
    table = generator_table(read_run(full), BOOKS, "caption", "test")
    assert table is not None
    assert table.header[-2:] == ("projection needs |a − 1|", "cannot be projected")
    for row in table.rows:
        assert "e−1" in row[-2]  # all of them conserve: rounding
        assert row[-1].startswith("0.00")


def test_numbers_below_a_ten_thousandth_are_powers_of_ten() -> None:
    assert said(Score(6.7e-16, 1.2e-16, 9, 0.0, "")) == "6.7e−16 ± 1e−16"
    assert said(Score(0.5, 0.02, 9, 0.0, "")) == "0.50 ± 0.02"
    assert said(None) == "–"


def test_the_caption_says_that_resampling_repeats_events(sections: list[Section]) -> None:
    table = by_title(sections)["What came out"].table
    assert table is not None
    assert "AUC of resampling partly measures duplicates" in table.caption


def test_the_truth_has_the_words_of_the_run(tmp_path: Path) -> None:
    assert truth_title(tmp_path) == "truth"
    (tmp_path / "config.json").write_text(json.dumps({"model": "urqmd"}))
    assert truth_title(tmp_path) == "truth, UrQMD"
    (tmp_path / "run.json").write_text(json.dumps({"data": None}))
    assert truth_title(tmp_path) == "truth, UrQMD"
    (tmp_path / "run.json").write_text(json.dumps({"data": "/home/me/events.hepmc3"}))
    assert truth_title(tmp_path) == "truth"


def test_the_two_best_networks_and_the_best_baseline_are_shown() -> None:
    kinds = {"a": "network", "b": "network", "c": "network", "d": "baseline", "e": "baseline", "f": "floor"}
    values = {"a": 0.5, "b": 0.1, "c": 0.3, "d": 0.4, "e": 0.2, "f": 0.0}
    scores = {(name, "test", "all", "auc"): Score(0.5 + off, 0.01, 9, 0.0, "") for name, off in values.items()}
    found = Found(Metrics({}, kinds, scores), {}, "truth")
    assert closest(found, list("abcde"), "auc") == ["b", "c", "e"]
    assert closest(found, ["a", "d"], "auc") == ["a", "d"]
    assert closest(found, ["a", "b", "c"], "no such metric") == ["a", "b"]


def test_scores_of_a_training_are_found_by_their_columns(full: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    figure = drawings.training_figure
    monkeypatch.setattr(drawings, "training_figure", lambda *given: seen.append(given) or figure(*given))
    assert training_section(read_run(full), full) is not None
    assert seen[0][3] == {"w1_over_sigma": "validation: mean W₁/σ"}


def test_a_generator_that_is_worse_is_called_so(tmp_path: Path) -> None:
    rows = [
        {"predictor": name, "sample": "test", "target": "all", "metric": "auc", "value": value, "error": 0.01, "n": 9}
        for name, value in (("flow", 0.4), ("again", 0.51))
    ]
    found = read_run(write_run(tmp_path, rows, {}, toy(20, 1)))
    assert "<b>flow matching</b> with 0.400 ± 0.010, worse than truth against truth" in verdict(
        found, "all", "auc", "test", "AUC"
    )


def test_events_that_break_conservation_are_drawn_as_they_are(tmp_path: Path) -> None:
    truth, bad = toy(60, 1), toy(60, 2)
    momentum = bad.momentum.copy()
    momentum[bad.offsets[:-1]] *= 2
    generated = {"flow": Events(bad.beam, bad.nucleus, bad.incoming, bad.channel, bad.offsets, bad.kind, momentum)}
    rows = interaction_rows("test", truth, generated, np.random.default_rng(1), particles=False)
    run = write_run(tmp_path, rows, generated, truth)
    sections = by_title(interaction_sections(run, {}))
    assert "in every event by: none." in sections["What must be conserved"].text
    assert len(sections["Where do they go?"].figures) == 1
    assert len(read_run(run).samples["test"].models["flow"]) == len(bad)


def test_a_file_of_generated_events_without_a_column_is_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, [], {"flow": toy(20, 1)}, toy(20, 2))
    with h5py.File(run / "generated" / "test" / "flow.h5", "a") as file:
        del file["kind"]
    with pytest.raises(BadInput, match=r"flow\.h5 has no column 'kind'"):
        interaction_sections(run, {})


def test_a_run_with_numbers_only_has_their_sections(tmp_path: Path) -> None:
    rows = [{"predictor": "flow", "sample": "test", "target": "n", "metric": "w1_over_sigma", "value": 0.1, "n": 9}]
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": rows, "predictors": GENERATORS}))
    assert [section.title for section in interaction_sections(tmp_path, {})] == ["Observable by observable"]
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    assert interaction_sections(tmp_path, {}) == []


@pytest.mark.parametrize("content", ['{"rows": [{"model": "flow"}]}', '{"rows": 3}', "[]", "no json"])
def test_a_malformed_file_of_speeds_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    (tmp_path / "speed.json").write_text(content)
    with pytest.raises(BadInput, match=r"speed\.json"):
        interaction_sections(tmp_path, {})


def test_a_malformed_file_of_true_events_is_named(tmp_path: Path, full: Path) -> None:
    (tmp_path / "metrics.json").write_bytes((full / "metrics.json").read_bytes())
    place = tmp_path / "generated" / "test"
    place.mkdir(parents=True)
    (place / "truth.h5").write_bytes(b"not HDF5")
    with pytest.raises(BadInput, match=r"truth\.h5"):
        interaction_sections(tmp_path, {})


def test_no_speeds_no_section(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(json.dumps({"rows": [], "predictors": {}}))
    (tmp_path / "speed.json").write_text('{"rows": []}')
    assert interaction_sections(tmp_path, {}) == []


def test_held_out_is_a_function_of_the_condition(full: Path) -> None:
    never: Callable[[str, str, float], bool] = lambda projectile, target, energy: False  # noqa: E731
    where = conditions_section(read_run(full), never)
    assert where is not None
    assert "held-out" not in where.text
