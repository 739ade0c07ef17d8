"""Export of the emulator of collisions: the files say what PyTorch says, and how to use them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from cloudchamber.cli import app
from cloudchamber.data.collisions import Entrance
from cloudchamber.experiments.transport_mixture import MixtureConfig, channels_of
from cloudchamber.export import collision_generator as exporting
from cloudchamber.export.collision_generator import (
    GRAPHS,
    INPUTS,
    OUTPUTS,
    SIZES,
    conditions,
    export_collision_generator,
    numbers,
    write_export,
)
from cloudchamber.export.collision_sampler import (
    azimuths,
    drawn_entrance,
    for_nuclei,
    for_slots,
    largest_impact_parameter,
    sample_exported_collisions,
)
from cloudchamber.export.directory import OPSET
from cloudchamber.export.graphs import asked, torch_calls, written_calls
from cloudchamber.networks.collision_flow import CollisionFlow
from cloudchamber.run_directory import new_run, open_run
from cloudchamber.schema import BadInput
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.masses import mass_or_estimate
from cloudchamber.simulators.transport.reaction_cross_section import kox

pytest.importorskip("onnxruntime")
ON_OXYGEN = EntranceChannel((12, 6), (16, 8), 62.0)


def some_conditions(n: int, seed: int = 5) -> Entrance:
    return conditions(MixtureConfig(), n, np.random.default_rng(seed))


def test_the_directory_says_what_it_holds(exported_collisions: Path) -> None:
    about = json.loads((exported_collisions / "metadata.json").read_text())
    assert about["generator"] == "flow"
    assert about["systems"][0] == {"projectile": [12, 6], "target": [12, 6]}
    assert about["systems"][-1] == {"projectile": [16, 8], "target": [12, 6]}
    assert about["energy_MeV_per_nucleon"] == [45.0, 95.0]
    assert set(about["sha256"]) == {"nuclei.onnx", "momenta.onnx", "nuclei.pt", "momenta.pt"}
    for name, known in about["sha256"].items():
        assert hashlib.sha256((exported_collisions / name).read_bytes()).hexdigest() == known
    text = (exported_collisions / "metadata.txt").read_text().splitlines()
    assert text[0] == f"uniforms {about['uniforms']}"
    assert "system 4 2 12 6" in text
    masses = {tuple(map(int, one.split()[1:3])): float(one.split()[3]) for one in text if one.startswith("mass ")}
    assert max(masses) == (28, 14)
    assert masses[12, 6] == mass_or_estimate(6, 12)


def test_measured_parity_is_recorded_for_every_batch_size(exported_collisions: Path) -> None:
    parity = json.loads((exported_collisions / "metadata.json").read_text())["parity"]
    assert [row["events"] for row in parity["batches"]] == list(SIZES)
    assert parity["batches"][-1]["solved"] > 300
    for row in parity["batches"]:
        for program in ("onnxruntime", "torchscript"):
            # single precision in another order; conservation is in double
            assert row[f"{program}_momentum"] <= 1e-5
            assert row[f"{program}_excitation"] <= 1e-5
            assert row[f"{program}_conservation"] <= 1e-12
        assert set(row["events_per_s"]) == {"torch", "torchscript", "onnxruntime"}


@pytest.mark.parametrize("program", ["onnxruntime", "torchscript"])
def test_written_graphs_agree_with_pytorch_for_other_numbers_of_events(
    collision_flow: CollisionFlow, exported_collisions: Path, program: str
) -> None:
    given = numbers(collision_flow, some_conditions(37), 4)
    networks = {"nuclei": exporting.Nuclei(collision_flow), "momenta": exporting.Momenta(collision_flow)}
    truth, _ = asked(torch_calls(networks, GRAPHS), given, GRAPHS)
    found, _ = asked(written_calls(GRAPHS, exported_collisions)[program], given, GRAPHS)
    for name in ("A", "Z", "solved"):
        np.testing.assert_array_equal(found[name], truth[name])
    solved = truth["solved"]
    assert solved.sum() > 10
    largest = np.abs(truth["momentum"][solved]).max()
    np.testing.assert_allclose(found["momentum"][solved], truth["momentum"][solved], rtol=0, atol=1e-5 * largest)


def test_graphs_have_free_axes_and_the_names_of_the_metadata(exported_collisions: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for name in ("nuclei", "momenta"):
        graph = onnx.load(exported_collisions / f"{name}.onnx")
        onnx.checker.check_model(graph)
        assert [one.version for one in graph.opset_import if not one.domain] == [OPSET]
        for values, known in ((graph.graph.input, INPUTS[name]), (graph.graph.output, OUTPUTS[name])):
            assert [one.name for one in values] == list(known)
            for one in values:
                axes = [axis.dim_param for axis in one.type.tensor_type.shape.dim]
                wanted = known[one.name][0].split()
                assert [one for one in axes if one in GRAPHS.free] == [one for one in wanted if one in GRAPHS.free]


def test_sampled_events_conserve_nucleons_momentum_and_energy(exported_collisions: Path) -> None:
    entrance = some_conditions(400)
    events = sample_exported_collisions(exported_collisions, entrance, 3)
    assert len(events) == 400
    total = entrance.projectile + entrance.target
    np.testing.assert_array_equal(events.sums(events.A), total[:, 0])
    np.testing.assert_array_equal(events.sums(events.Z), total[:, 1])
    assert np.abs(events.sums(events.momentum)).max() < 1e-8
    np.testing.assert_allclose(events.sums(events.energy()), entrance.available_energy(), rtol=1e-12)
    assert (events.excitation >= 0).all()
    again = sample_exported_collisions(exported_collisions, entrance, 3)
    np.testing.assert_array_equal(again.momentum, events.momentum)


def test_an_event_depends_on_its_place_and_not_on_its_batch(
    exported_collisions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entrance = some_conditions(40)
    together = sample_exported_collisions(exported_collisions, entrance, 9)
    monkeypatch.setattr("cloudchamber.export.collision_sampler.BATCH", 7)
    apart = sample_exported_collisions(exported_collisions, entrance, 9)
    np.testing.assert_array_equal(apart.A, together.A)
    # sums over empty slots in another order, in single precision
    np.testing.assert_allclose(apart.momentum, together.momentum, rtol=0, atol=1e-2)


def test_random_numbers_of_nuclei_and_slots_are_apart() -> None:
    events = np.arange(3)
    uniform = for_nuclei(7, events, 2, 12)
    assert uniform.shape == (3, 12)
    few, many = for_slots(7, events, 2, 12, 4), for_slots(7, events, 2, 12, 9)
    assert few.dtype == np.float32
    np.testing.assert_array_equal(many[:, :4], few)  # padding moves nothing
    assert len(np.unique(np.concatenate([uniform.ravel(), azimuths(3, 7) / (2 * np.pi)]))) == 39


def test_impact_parameters_hit_the_disc_of_the_reaction_evenly() -> None:
    largest = largest_impact_parameter(ON_OXYGEN)
    assert largest == pytest.approx(1.05 * np.sqrt(kox((12, 6), (16, 8), 62) / 10 / np.pi))
    entrance = drawn_entrance(ON_OXYGEN, 8.0, 4000, 1)
    assert entrance.impact_parameter.max() < largest
    # b^2 is uniform: mean of its share is 1/2 within five standard errors of a uniform number
    assert abs((entrance.impact_parameter**2).mean() / largest**2 - 0.5) < 5 / np.sqrt(12 * 4000)
    assert drawn_entrance(ON_OXYGEN, 4.0, 100, 1).impact_parameter.max() < 4


def test_files_that_differ_from_pytorch_leave_nothing(
    collision_flow: CollisionFlow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "TOLERANCE", -1.0)
    monkeypatch.setattr(exporting, "SIZES", (3,))
    with pytest.raises(BadInput, match=r"export failed: onnxruntime_momentum is .* nothing was written"):
        write_export(collision_flow, MixtureConfig(), {}, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_directories_that_are_no_export_are_refused(exported_collisions: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no exported emulator"):
        sample_exported_collisions(tmp_path, some_conditions(1), 1)
    broken = shutil.copytree(exported_collisions, tmp_path / "broken")
    (broken / "nuclei.onnx").write_bytes(b"no graph")
    with pytest.raises(BadInput, match="no graph that ONNX Runtime reads"):
        sample_exported_collisions(broken, some_conditions(1), 1)


# --- of a run ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def emulator_run(collision_flow: CollisionFlow, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run directory as training leaves it. Not to be changed."""
    settings = {"layers": 2}  # as the network has
    path = new_run(
        "transport-emulator", preset="tiny", settings=settings, runs=tmp_path_factory.mktemp("emulator")
    ).path
    directory = path / "checkpoints" / "flow"
    directory.mkdir(parents=True)
    torch.save(collision_flow.state_dict(), directory / "weights.pt")
    (directory / "about.json").write_text(json.dumps({"largest": 28, "events": 1}))
    (directory / "fitted").touch()
    return path


def test_export_from_the_command_line_prints_its_directory(
    emulator_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setattr(exporting, "SIZES", (3,))
    status, out, err = command("--quiet", "export", emulator_run, "-o", tmp_path / "out")
    assert status == 0, err
    assert out.split() == [str(tmp_path / "out")]
    about = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert (about["study"], about["generator"]) == ("transport-emulator", "flow")
    assert about["systems"] == [
        {"projectile": [12, 6], "target": [12, 6]}, {"projectile": [12, 6], "target": [16, 8]},
    ]  # fmt: skip


def test_an_emulator_that_is_no_flow_is_refused(
    emulator_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "run_learners", lambda run, device: {"flow": object()})
    with pytest.raises(BadInput, match="its generator 'flow' cannot be exported") as error:
        export_collision_generator(open_run(emulator_run), tmp_path / "out")
    assert error.value.status == 2


def test_conditions_are_those_of_the_training() -> None:
    config = MixtureConfig()
    drawn = conditions(config, 500, np.random.default_rng(1))
    found = set(zip(map(tuple, drawn.projectile), map(tuple, drawn.target), drawn.energy, strict=True))
    assert found <= {(one.projectile, one.target, one.energy) for one in channels_of(config)}
    assert len(found) > 10
    assert drawn.impact_parameter.max() <= config.highest_impact_parameter


def test_a_run_of_another_kind_is_exported_as_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cloudchamber.export import finished_run

    asked_for = []
    monkeypatch.setattr(finished_run, "export_generator", lambda run, output: asked_for.append(run.study.name))
    finished_run.export_run(new_run("hadronic-interactions", preset="tiny", runs=tmp_path).path, tmp_path / "out")
    assert asked_for == ["hadronic-interactions"]


def test_the_model_that_ships_is_exported_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, ["export", "transport-emulator"])
    assert result.exit_code == 0, result.output
    assert result.output.strip() == "transport-emulator-export"
    assert {"nuclei.onnx", "momenta.onnx"} <= {path.name for path in (tmp_path / "transport-emulator-export").iterdir()}
