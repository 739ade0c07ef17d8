"""The C++ example with LibTorch, and with ONNX Runtime where ONNXRUNTIME_ROOT names one: events as in Python."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.export.onnx_sampler import sample_exported
from cloudchamber.simulators.hadronic.events import Beam, Events
from cloudchamber.simulators.hadronic.models import MODELS, beam_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "hadronic_generator"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("c++"), reason="needs cmake and a C++ compiler"),
]


@pytest.fixture(scope="module", params=["libtorch", "onnxruntime"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built program."""
    options = [f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"]
    if request.param == "onnxruntime":
        if "ONNXRUNTIME_ROOT" not in os.environ:
            pytest.skip("ONNXRUNTIME_ROOT names no ONNX Runtime with its headers")
        options = [f"-DONNXRUNTIME_ROOT={os.environ['ONNXRUNTIME_ROOT']}"]
    build = tmp_path_factory.mktemp(request.param)
    commands = (
        ["cmake", "-S", str(EXAMPLE), "-B", str(build), f"-DBACKEND={request.param}", *options],
        ["cmake", "--build", str(build)],
    )
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "warning" not in (done.stdout + done.stderr).lower() or command is commands[0]
    return build / "generate"


def generate(program: Path, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(program), *map(str, words)], capture_output=True, text=True, check=False)


def read(path: Path, beam: Beam) -> list[np.ndarray]:
    """Particles of every event (particle, 5): code, px, py, pz, E."""
    header, *lines = path.read_text().splitlines()
    assert header.startswith("# GeV")
    events = [np.array(line.split(), float) for line in lines]
    for event in events:
        np.testing.assert_allclose(
            event[:5], [beam.projectile[0], *beam.direction[0], beam.kinetic_energy[0]], rtol=1e-12
        )
    return [event[5:].reshape(-1, 5) for event in events]


@pytest.mark.parametrize(
    ("projectile", "target", "energy", "direction"),
    [("pi+", "H", 25, None), ("K0L", "C", 10, (0, 0, -2)), ("p", "C", 30, (1, -2, 0.5))],
)
def test_c_plus_plus_makes_the_events_of_python(
    program: Path, exported: Path, tmp_path: Path, projectile: str, target: str, energy: float,
    direction: tuple[float, ...] | None,
) -> None:  # fmt: skip
    n, seed = 300, 2**63 + 11
    beam = beam_of(MODELS["geant4"], projectile, target, energy, np.array(direction or (0.6, 0.6, 0.529)), n)
    expected: Events = sample_exported(exported, beam, seed)
    output = tmp_path / "events.txt"
    done = generate(program, exported, projectile, target, energy, n, seed, output, *(direction or ()))
    assert done.returncode == 0, done.stderr
    found = read(output, beam)
    np.testing.assert_array_equal([len(event) for event in found], expected.count)
    particles = np.concatenate(found)
    np.testing.assert_array_equal(particles[:, 0], expected.kind)
    momentum = particles[:, [4, 1, 2, 3]]
    # the flow is in single precision: see MOMENTUM_TOLERANCE
    assert (np.abs(momentum - expected.momentum) <= 1e-4 * expected.momentum[:, :1]).all()
    sums = np.add.reduceat(momentum, expected.offsets[:-1])
    np.testing.assert_allclose(sums, expected.incoming, rtol=0, atol=1e-9 * expected.incoming[0, 0])


def test_c_plus_plus_refuses_wrong_words_in_one_line(program: Path, exported: Path, tmp_path: Path) -> None:
    good = [exported, "pi+", "H", 25, 1, 1, tmp_path / "out.txt"]
    for place, wrong, message in (
        (0, tmp_path, "no exported generator"),
        (1, "K+", "projectile K+ was not trained; known: K0L p pi+"),
        (2, "Pb", "target Pb was not trained"),
        (3, 500, "energy 500 GeV"),
        (6, tmp_path / "nowhere" / "out.txt", "cannot write"),
    ):
        done = generate(program, *good[:place], wrong, *good[place + 1 :])
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert generate(program).returncode == 2
