"""The C++ of examples/geant4: events as in Python with each back end, and Geant4's interface without Geant4."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from cloudchamber.export.collision_sampler import (
    azimuths,
    drawn_entrance,
    largest_impact_parameter,
    sample_exported_collisions,
)
from cloudchamber.metrics.collision_isotopes import in_the_laboratory
from cloudchamber.simulators.transport.entrance_channel import EntranceChannel
from cloudchamber.simulators.transport.masses import nuclear_mass
from cloudchamber.simulators.transport.reaction_cross_section import kox

EXAMPLE = Path(__file__).parents[2] / "examples" / "geant4"
MOCK = Path(__file__).parent / "geant4_mock"
COMPILER = ["c++", "-std=c++17", "-Wall", "-Wextra", "-Werror"]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("cmake") or not shutil.which("c++"), reason="needs cmake and a C++ compiler"),
]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)


def built(back_end: str, build: Path) -> Path:
    """The folder of `collide`, built without a warning."""
    options = [f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"]
    if back_end == "onnxruntime":
        if "ONNXRUNTIME_ROOT" not in os.environ:
            pytest.skip("ONNXRUNTIME_ROOT names no ONNX Runtime with its headers")
        options = [f"-DONNXRUNTIME_ROOT={os.environ['ONNXRUNTIME_ROOT']}"]
    options.append("-DCMAKE_DISABLE_FIND_PACKAGE_Geant4=ON")
    configured = run("cmake", "-S", EXAMPLE, "-B", build, f"-DBACKEND={back_end}", *options)
    assert configured.returncode == 0, configured.stderr
    done = run("cmake", "--build", build)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return build


@pytest.fixture(scope="module")
def libtorch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the build with LibTorch, which takes long."""
    return built("libtorch", tmp_path_factory.mktemp("libtorch"))


@pytest.fixture(scope="module", params=["libtorch", "onnxruntime"])
def build(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the build with each back end."""
    if request.param == "libtorch":
        folder: Path = request.getfixturevalue("libtorch")
        return folder
    return built(request.param, tmp_path_factory.mktemp(request.param))


def read(path: Path) -> tuple[str, np.ndarray, list[np.ndarray]]:
    """The first line; impact parameters; A, Z, px, py, pz, excitation, energy (nucleus, 7) of every event."""
    header, *lines = path.read_text().splitlines()
    events = [np.array(line.split(), float) for line in lines]
    return header, np.array([one[0] for one in events]), [one[1:].reshape(-1, 7) for one in events]


@pytest.mark.parametrize(
    ("projectile", "target", "energy"),
    [((12, 6), (16, 8), 62.0), ((4, 2), (12, 6), 45.0), ((16, 8), (12, 6), 95.0)],
)
def test_c_plus_plus_makes_the_events_of_python(
    build: Path, exported_collisions: Path, tmp_path: Path, projectile: tuple[int, int], target: tuple[int, int],
    energy: float,
) -> None:  # fmt: skip
    n, seed, output = 300, 2**63 + 11, tmp_path / "events.txt"
    channel = EntranceChannel(projectile, target, energy)
    done = run(build / "collide", exported_collisions, *projectile, *target, energy, n, seed, output)
    assert done.returncode == 0, done.stderr
    header, impact_parameters, found = read(output)
    said = [float(word) for word in re.findall(r"[\d.]+(?= mb| fm;)", header)]
    assert said == pytest.approx([kox(projectile, target, energy), largest_impact_parameter(channel)], rel=1e-12)
    entrance = drawn_entrance(channel, 8.0, n, seed)
    np.testing.assert_allclose(impact_parameters, entrance.impact_parameter, rtol=1e-14)

    expected = sample_exported_collisions(exported_collisions, entrance, seed)
    np.testing.assert_array_equal([len(event) for event in found], expected.nuclei)
    nuclei = np.concatenate(found)
    np.testing.assert_array_equal(nuclei[:, 0], expected.A)
    np.testing.assert_array_equal(nuclei[:, 1], expected.Z)
    angle, (x, y, z) = azimuths(n, seed)[expected.event_of], expected.momentum.T
    turned = np.column_stack([np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y, z])
    momentum = in_the_laboratory(channel, turned, expected.energy())
    # the flow is in single precision
    np.testing.assert_allclose(nuclei[:, 2:5], momentum, rtol=0, atol=1e-5 * np.abs(expected.momentum).max())
    np.testing.assert_allclose(nuclei[:, 5], expected.excitation, rtol=1e-5, atol=1e-5)
    rest = float(nuclear_mass(projectile[1], projectile[0]) + nuclear_mass(target[1], target[0]))
    np.testing.assert_allclose(expected.sums(nuclei[:, 6]), rest + projectile[0] * energy, rtol=1e-12)
    assert np.abs(expected.sums(nuclei[:, 2:4])).max() < 1e-8


def test_an_impact_parameter_may_be_given(build: Path, exported_collisions: Path, tmp_path: Path) -> None:
    words = [build / "collide", exported_collisions, 12, 6, 12, 6, 62, 5, 1, tmp_path / "events.txt", 3]
    assert run(*words).returncode == 0
    assert read(tmp_path / "events.txt")[1].tolist() == [3.0] * 5


def test_c_plus_plus_refuses_wrong_words_in_one_line(build: Path, exported_collisions: Path, tmp_path: Path) -> None:
    good = [exported_collisions, 12, 6, 12, 6, 62, 1, 1, tmp_path / "out.txt", 3]
    for place, wrong, message in (
        (0, tmp_path, "no exported emulator"),
        (1, 13, "not trained; known A Z A Z: 12 6 12 6; 4 2 12 6;"),
        (5, 96, "energy 96.0"),
        (8, tmp_path / "nowhere" / "out.txt", "cannot write"),
        (9, 9, "impact parameter 9.0"),
    ):
        done = run(build / "collide", *good[:place], wrong, *good[place + 1 :])
        assert done.returncode == 1
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert run(build / "collide").returncode == 2


# --- Geant4's interface -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def includes(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options of the compiler: every header of Geant4 that the example includes is that of the mock."""
    headers = tmp_path_factory.mktemp("headers")
    sources = [*EXAMPLE.glob("*.cc"), *EXAMPLE.glob("*.hh")]
    for name in re.findall(r'#include "((?:G4|Randomize)\w*\.hh)"', "\n".join(one.read_text() for one in sources)):
        (headers / name).write_text('#include "geant4.hh"\n')
    return [f"-I{headers}", f"-I{MOCK}", f"-I{EXAMPLE}"]


@pytest.mark.parametrize("source", sorted(one.name for one in EXAMPLE.glob("*.cc")))
def test_sources_compile_against_the_signatures_of_geant4(includes: list[str], source: str) -> None:
    done = run(*COMPILER, "-fsyntax-only", *includes, EXAMPLE / source)
    assert done.returncode == 0, done.stderr


def test_the_model_conserves_and_passes_on_what_it_does_not_know(
    includes: list[str], libtorch: Path, exported_collisions: Path, tmp_path: Path
) -> None:
    library = Path(torch.__file__).parent / "lib"
    program = tmp_path / "main"
    done = run(
        *COMPILER, *includes, MOCK / "main.cc", EXAMPLE / "TransportEmulatorModel.cc", libtorch / "libemulator.a",
        f"-L{library}", "-Wl,--no-as-needed", "-ltorch", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{library}", "-o", program,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = run(program, exported_collisions)
    assert (said.returncode, said.stdout) == (0, "right\n"), said.stdout + said.stderr


def test_nuclei_that_pass_each_other_leave_the_projectile_alone(
    includes: list[str], exported_collisions: Path, tmp_path: Path
) -> None:
    sources = [MOCK / "passing.cc", EXAMPLE / "TransportEmulatorModel.cc", EXAMPLE / "emulator.cpp"]
    done = run(*COMPILER, *includes, *sources, "-o", tmp_path / "passing")
    assert done.returncode == 0, done.stderr
    said = run(tmp_path / "passing", exported_collisions)
    assert (said.returncode, said.stdout) == (0, "right\n")
