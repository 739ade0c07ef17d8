"""Export of the generator of hadronic interactions: the files say what PyTorch says, and how to use them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cloudchamber.experiments.interactions import beams
from cloudchamber.export import directory, hadronic_generator, onnx_sampler
from cloudchamber.export.directory import OPSET
from cloudchamber.export.finished_run import export_run
from cloudchamber.export.hadronic_generator import INPUTS, OUTPUTS, SIZES
from cloudchamber.export.numbers import for_kinds, for_momenta, uniform_numbers
from cloudchamber.export.onnx_sampler import sample_exported
from cloudchamber.metrics.interactions import violations
from cloudchamber.run_directory import new_run, open_run, restored
from cloudchamber.schema import BadInput
from cloudchamber.simulators.hadronic.events import ELASTIC, Beam

MUON = str(Path(__file__).parents[2] / "docs" / "examples" / "muon_lifetime.py")


def beam_of(run: Path, n: int) -> Beam:
    return beams(open_run(run).config, 0, n, np.random.default_rng(5))


def test_splitmix64_has_its_published_numbers() -> None:
    found = uniform_numbers(0, np.array([0]), 0, 0, 3)[0]
    published = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    assert found.tolist() == [(bits >> 11) / 2**53 for bits in published]


def test_numbers_of_an_event_depend_on_its_place_and_attempt_alone() -> None:
    events = np.arange(2000)
    all_of_them = for_kinds(9, events, 1, 7)
    np.testing.assert_array_equal(for_kinds(9, events[500:510], 1, 7), all_of_them[500:510])
    assert not (for_kinds(9, events, 2, 7) == all_of_them).any()
    coin, normal = for_momenta(9, events, 1, 7, 3)
    assert coin.shape == (2000, 3)
    assert normal.dtype == np.float32
    sample = normal.ravel().astype(float)
    assert abs(sample.mean()) < 5 / len(sample) ** 0.5
    assert abs(sample.var() - 1) < 5 * (2 / len(sample)) ** 0.5
    assert abs((sample**4).mean() - 3) < 5 * (96 / len(sample)) ** 0.5
    neighbours = np.corrcoef(normal.reshape(2000, 9).T)[np.triu_indices(9, 1)]
    assert np.abs(neighbours).max() < 5 / 2000**0.5


def test_an_exported_directory_says_what_it_holds(run: Path, exported: Path) -> None:
    about = json.loads((exported / "metadata.json").read_text())
    record = open_run(run).record
    assert {key: about[key] for key in ("study", "seed", "version", "commit")} == {
        key: record[key] for key in ("study", "seed", "version", "commit")
    }
    assert [name for name, _ in about["projectiles"]][4:6] == ["K0L", "p"]
    assert about["targets"] == {"H": {"Z": 1, "A": 1}, "C": {"Z": 6, "A": 12}}
    assert about["kinds"][0] == {"pdg": 3122, "slow": False}
    assert set(about["sha256"]) == {"kinds.onnx", "momenta.onnx", "kinds.pt", "momenta.pt"}
    for name, known in about["sha256"].items():
        assert hashlib.sha256((exported / name).read_bytes()).hexdigest() == known
    text = (exported / "metadata.txt").read_text().splitlines()
    assert text[:2] == ["kinds 14", "energies 10.0 30.0"]
    assert "projectile K0L 130 4" in text
    assert text[-1] == "target C 6 12"


def test_measured_parity_is_recorded_for_every_batch_size(exported: Path) -> None:
    parity = json.loads((exported / "metadata.json").read_text())["parity"]
    assert [row["events"] for row in parity["batches"]] == list(SIZES)
    for row in parity["batches"]:
        assert row["solved"] > 0
        assert row["torchscript_momentum"] <= 1e-6  # the same operations, perhaps in another order
        assert row["onnxruntime_momentum"] <= 1e-4
        assert max(row["onnxruntime_conservation"], row["torchscript_conservation"]) <= 1e-12
        assert set(row["events_per_s"]) == {"torch", "torchscript", "onnxruntime"}


def test_graphs_have_free_axes_and_the_names_of_the_metadata(exported: Path) -> None:
    onnx = pytest.importorskip("onnx")
    for name in ("kinds", "momenta"):
        graph = onnx.load(exported / f"{name}.onnx")
        onnx.checker.check_model(graph)
        assert [one.version for one in graph.opset_import if not one.domain] == [OPSET]
        for values, known in ((graph.graph.input, INPUTS[name]), (graph.graph.output, OUTPUTS[name])):
            assert [one.name for one in values] == list(known)
            for one in values:
                axes = [axis.dim_param for axis in one.type.tensor_type.shape.dim]
                wanted = known[one.name][0].split()
                assert [axis for axis in axes if axis in ("event", "particle")] == [
                    axis for axis in wanted if axis in ("event", "particle")
                ]


def test_exported_events_conserve_and_point_along_the_beam(run: Path, exported: Path) -> None:
    beam = beam_of(run, 600)
    events = sample_exported(exported, beam, 3)
    broken = violations(events)
    for name in ("charge", "baryon_number"):
        assert not broken[name].any()
    assert broken["energy_momentum"].max() < 1e-9
    assert 0 < (events.channel == ELASTIC).mean() < 1
    assert set(events.kind[np.isin(np.abs(events.kind), (310, 130, 311))]) <= {310, 130}


def test_same_seed_same_events_whatever_the_batch(run: Path, exported: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    beam = beam_of(run, 60)
    events = sample_exported(exported, beam, 3)
    monkeypatch.setattr(onnx_sampler, "BATCH", 17)
    again = sample_exported(exported, beam, 3)
    np.testing.assert_array_equal(again.kind, events.kind)
    np.testing.assert_allclose(again.momentum, events.momentum, rtol=0, atol=1e-4 * beam.kinetic_energy.max())
    other = sample_exported(exported, beam, 4)
    assert len(other.kind) != len(events.kind) or (other.kind != events.kind).any()


def test_exported_events_are_distributed_as_the_generators(run: Path, exported: Path) -> None:
    """Multiplicity and energy of the fastest particle, within five standard errors."""
    opened = open_run(run)
    generator = restored(opened, "cpu", "flow")["flow"]
    beam = beam_of(run, 1500)
    torch.set_num_threads(1)
    made, exact = sample_exported(exported, beam, 1), generator.sample(beam, np.random.default_rng(1))

    def differ(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
        return float(abs(first.mean() - second.mean()) / np.sqrt((first.var() + second.var()) / len(first)))

    assert differ(made.count.astype(float), exact.count.astype(float)) < 5
    fastest = [np.maximum.reduceat(one.momentum[:, 3], one.offsets[:-1]) for one in (made, exact)]
    assert differ(*fastest) < 5


def test_files_that_differ_from_pytorch_leave_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hadronic_generator, "MOMENTUM_TOLERANCE", 1e-30)
    with pytest.raises(BadInput, match=r"onnxruntime and PyTorch differ by .* nothing was written"):
        export_run(run, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_exports_that_cannot_work_are_refused_and_leave_nothing(
    run: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BadInput, match="exists, will not overwrite"):
        export_run(run, exported)
    with pytest.raises(BadInput, match="there is no directory"):
        export_run(run, tmp_path / "nowhere" / "out")
    with pytest.raises(BadInput, match="no exported generator"):
        sample_exported(tmp_path, beam_of(run, 1), 1)
    broken = shutil.copytree(exported, tmp_path / "broken")
    (broken / "kinds.onnx").write_bytes(b"no graph")
    with pytest.raises(BadInput, match="no graph that ONNX Runtime reads"):
        sample_exported(broken, beam_of(run, 1), 1)
    sky = new_run("cosmic-ray-sources", preset="tiny", runs=tmp_path).path
    with pytest.raises(BadInput, match=r"'cosmic-ray-sources' has no deep ensemble") as error:
        export_run(sky, tmp_path / "out")
    assert error.value.status == 2
    monkeypatch.setattr(directory, "find_spec", lambda name: None if name == "onnxruntime" else find_spec(name))
    with pytest.raises(BadInput, match=r"onnxruntime is not installed: pip install 'cloudchamber\[export\]'"):
        export_run(run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_export_from_the_command_line_prints_its_directory(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., tuple[int, str, str]]
) -> None:
    monkeypatch.setattr(hadronic_generator, "SIZES", (3,))
    status, out, err = command("--quiet", "export", run, "-o", tmp_path / "out")
    assert status == 0, err
    assert out.split() == [str(tmp_path / "out")]
    assert (tmp_path / "out" / "metadata.json").exists()
