"""Synthetic run directories: the files that runs of the studies leave, with made-up numbers."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from matplotlib.figure import Figure as Drawing
from numpy.typing import NDArray

from cloudchamber.data.interactions import write_events
from cloudchamber.metrics.interaction_rows import condition_name, interaction_rows, memory_rows
from cloudchamber.metrics.searches import search_rows
from cloudchamber.report import figures
from cloudchamber.report.interactions import interaction_sections
from cloudchamber.report.nuclei import nuclear_shape_sections
from cloudchamber.report.page import Section
from cloudchamber.report.skies import source_sections
from cloudchamber.simulators.hadronic.events import Beam, Events, incoming_of
from cloudchamber.simulators.hadronic.kinematics import from_rest, project
from cloudchamber.simulators.hadronic.particles import masses

TARGETS = ("abs_beta2", "abs_beta4", "beta2", "beta4")
PREDICTORS = {
    "mean": ("training mean", "floor"),
    "ridge": ("ridge on centrality moments", "baseline"),
    "boosting": ("boosted trees on centrality moments", "baseline"),
    "template": ("chi2 fit of template images", "baseline"),
    "resnet": ("ResNet-34, no squeeze-excitation", "network"),
    "se_resnet": ("SE-ResNet-34", "network"),
    "ridge_size": ("ridge, with size", "baseline"),
    "boosting_size": ("boosted trees, with size", "baseline"),
    "template_size": ("chi2 fit of template images, with size", "baseline"),
    "se_resnet_size": ("SE-ResNet-34, with size", "network"),
}
NOISE = {"ridge": 0.035, "boosting": 0.03, "template": 0.022, "resnet": 0.018, "se_resnet": 0.015}


@pytest.fixture(scope="session")
def by_title() -> Callable[[list[Section]], dict[str, Section]]:
    """Sections by their titles."""
    return lambda sections: {section.title: section for section in sections}


@pytest.fixture(scope="session")
def text_of() -> Callable[[list[Section], str], str]:
    """The text of the section whose title begins so."""
    return lambda sections, title: next(section.text for section in sections if section.title.startswith(title))


@pytest.fixture(scope="session")
def legend() -> Callable[[Drawing], list[str]]:
    """The words of a figure's legend, without line breaks."""
    return lambda drawing: [" ".join(text.get_text().split()) for text in drawing.legends[0].get_texts()]


@dataclass(frozen=True)
class FakeConfig:
    """What the sections read of the study's configuration."""

    nucleus: str = "U"
    radius: float | None = None
    diffuseness: float | None = None
    beta2_max: float = 0.5
    beta4_max: float = 0.2
    events: int = 4000
    centrality: float = 0.5
    residual_fluctuation: float = 0.1
    v2_max: float = 0.25
    multiplicity_max: float = 1.2
    members: int = 3
    ablation_members: int = 2


def predict(
    name: str, truth: NDArray[np.float64], bias: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
    """Made-up answers: good absolute values; the sign only for predictors with size; the template fit flips signs."""
    n = len(truth)
    if name == "mean":
        return np.tile([0.26, 0.1, 0.0, 0.0], (n, 1)), None
    noise = NOISE[name.removesuffix("_size")]
    mean = np.empty((n, 4))
    mean[:, 0] = truth[:, 0] + bias + noise * rng.standard_normal(n)
    mean[:, 1] = 0.7 * truth[:, 1] + 0.03 + noise * rng.standard_normal(n)
    mean[:, 3] = 0.01 * rng.standard_normal(n)
    if name.endswith("_size"):
        mean[:, 2] = truth[:, 2] + 2 * noise * rng.standard_normal(n)
    elif name == "template":
        mean[:, 2] = truth[:, 2] * rng.choice([-1, 1], n) + noise * rng.standard_normal(n)
    else:
        mean[:, 2] = 0.05 * truth[:, 2] + 0.03 * rng.standard_normal(n)
    if "resnet" not in name:
        return mean, None
    std = np.full((n, 4), noise) * rng.uniform(0.8, 1.2, (n, 4))
    std[:, 2] = 2 * noise if name.endswith("_size") else 0.02 + truth[:, 0]
    std[:, 3] = 0.1
    return mean, std


def rows_of(sample: str, truth: NDArray[np.float64], means: dict[str, NDArray[np.float64]]) -> list[dict[str, object]]:
    """R2, MAE and sign accuracy as the run writes them."""
    found: list[dict[str, object]] = []
    for name, mean in means.items():
        for column, target in enumerate(TARGETS):
            true, said = truth[:, column], mean[:, column]
            values = {
                "r2": 1 - np.square(true - said).sum() / np.square(true - true.mean()).sum(),
                "mae": np.abs(true - said).mean(),
            }
            if target == "beta2":
                clear = np.abs(true) > 0.1
                values["sign_accuracy"] = (np.sign(said) == np.sign(true))[clear].mean()
            floor = {"r2": 0.0, "mae": float(np.abs(true - true.mean()).mean())}
            found += [
                {
                    "predictor": name, "sample": sample, "target": target, "metric": metric, "value": float(value),
                    "error": 0.1 * abs(float(value)) * (1.05 - float(value)) if metric == "r2" else 0.08 * float(value),
                    "n": len(true), "floor": floor.get(metric), "unit": "",
                }
                for metric, value in values.items()
            ]  # fmt: skip
    return found


def blob(across: float, up: float, width: float, height: float) -> NDArray[np.float64]:
    """A Gaussian on the 56 x 56 image, in units of its sides."""
    axis = (np.arange(56) + 0.5) / 56
    return np.exp(-(((axis[None, :] - across) / width) ** 2) - ((axis[:, None] - up) / height) ** 2)


def write_arrays(path: Path, arrays: dict[str, object]) -> None:
    """Arrays to HDF5, as run.py does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            array = np.asarray(values)
            file[name] = array.astype(h5py.string_dtype()) if array.dtype.kind == "U" else array


def write_run(run: Path, shapes: int = 90) -> Path:
    """A complete run directory."""
    rng = np.random.default_rng(1)
    run.mkdir(parents=True, exist_ok=True)
    record = {
        "study": "nuclear-shape", "title": "The shape of a nucleus from heavy-ion collisions",
        "question": "Can a network read the deformation of uranium out of (v2, dN/dY), and where does it look?",
        "reference": "arXiv:1906.06429", "preset": "quick", "seed": 1, "version": "0.1.0", "commit": "0123456789ab",
        "hardware": "a processor, 2 cores", "device": "cpu", "started": "2026-01-01T00:00:00+00:00",
        "wall_s": {"simulate": 61.2, "train": 182.0, "evaluate": 3.1, "explain": 20.4},
        "n_records": 2601, "data_hash": "0011223344556677",
        "command": "cloudchamber run nuclear-shape --preset quick --seed 1",
    }  # fmt: skip
    (run / "run.json").write_text(json.dumps(record))
    scores: list[dict[str, object]] = []
    predictions: dict[str, object] = {}
    for sample, shift in (("test", 0.0), ("sharp-surface", 0.06)):
        beta2, beta4 = rng.uniform(-0.5, 0.5, shapes), rng.uniform(-0.2, 0.2, shapes)
        truth = np.stack([np.abs(beta2), np.abs(beta4), beta2, beta4], axis=1)
        predictions[f"{sample}/truth"] = truth
        predictions[f"{sample}/index"] = np.arange(shapes)
        means = {}
        for name in PREDICTORS:
            means[name], std = predict(name, truth, shift, rng)
            predictions[f"{sample}/{name}/mean"] = means[name]
            if std is not None:
                predictions[f"{sample}/{name}/std"] = std
        scores += rows_of(sample, truth, means)
    write_arrays(run / "predictions.h5", predictions)
    known = {name: {"title": title, "kind": kind} for name, (title, kind) in PREDICTORS.items()}
    same = ("study", "preset", "seed", "version", "commit", "hardware", "wall_s")
    metrics = {**{key: record[key] for key in same}, "date": "2026-01-01", "predictors": known, "rows": scores}
    (run / "metrics.json").write_text(json.dumps(metrics))
    with (run / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        scored = ["relative_mae", "relative_mae_beta2"]
        writer.writerow(["predictor", "member", "epoch", "train_loss", *scored, "seconds_per_step"])
        for name in ("resnet", "se_resnet", "se_resnet_size"):
            for member in range(2):
                fall = np.exp(-np.arange(20) / 5) + 0.1 + 0.01 * rng.random(20)
                writer.writerows(
                    [name, member, e, f"{3 * fall[e] - 2:.4f}", f"{fall[e]:.4f}", "", 0.1] for e in range(20)
                )
    write_gallery_and_explanations(run, rng)
    return run


def write_gallery_and_explanations(run: Path, rng: np.random.Generator) -> None:
    """gallery.h5 and explanations/*.h5."""
    betas = np.array([[-0.5, 0], [-0.25, 0], [0, 0], [0.25, 0], [0.5, 0]])
    image = np.zeros((5, 2, 56, 56))
    axis = (np.arange(56) + 0.5) / 56
    for number, (beta2, _) in enumerate(betas):
        centre = 0.55 - 0.45 * axis + 0.2 * abs(beta2) * axis
        height = 0.12 + 0.1 * abs(beta2)
        density = np.exp(-(((axis[:, None] - centre[None, :]) / height) ** 2)) * (axis[None, :] < 0.9)
        image[number, 0] = rng.poisson(8 * density) / 2
        image[number, 1] = beta2 * (axis[:, None] - centre) * 8 + rng.standard_normal((56, 56))
    fine = np.linspace(-10, 10, 80)
    x, y = np.meshgrid(fine, fine)
    profiles = np.stack([np.exp(-((x / 4) ** 2) - (y / 4) ** 2), 0.8 * np.exp(-((x / 3.5) ** 2) - (y / 6) ** 2)])
    profiles *= 1 + 0.1 * rng.standard_normal(profiles.shape)
    edges = {"edges_multiplicity": np.linspace(0, 1.2, 57), "edges_v2": np.linspace(0, 0.25, 57)}
    write_arrays(
        run / "gallery.h5",
        {
            "image": image, "image_beta": betas, "profile": profiles,
            "profile_title": np.array(["tip-tip", "body-body"]),
            "profile_extent": np.array([-10.0, 10.0, -10.0, 10.0]),
            **edges,
        },
    )  # fmt: skip
    bins = np.arange(0.0, 0.501, 0.05)
    toe = np.where(bins[:-1] >= 0.15, 0.35, 0.0) + 0.02 * rng.standard_normal(10)
    ankle = 0.3 + 0.03 * rng.standard_normal(10)
    mask = np.stack([0.7 * blob(0.42, 0.6, 0.2, 0.25) + max(t, 0) * blob(0.87, 0.1, 0.1, 0.15) for t in toe])
    write_arrays(
        run / "explanations" / "attention.h5",
        {
            "edges": bins, "mask": mask, "n": np.full(10, 9.0), "sigma": np.full(10, 0.03), "toe_contrast": toe,
            "toe_contrast_error": np.full(10, 0.03), "ankle_contrast": ankle, "ankle_contrast_error": np.full(10, 0.04),
            "toe_region": np.array([0.9, 1.2, 0, 0.05]), "ankle_region": np.array([0.35, 0.65, 0.08, 0.25]),
        },
    )  # fmt: skip
    methods = ["regression_attention_mask", *(f"{name}gradcam" for name in ("regression_", ""))]
    methods += ["class_activation_map", "lime", "occlusion"]
    maps = {name: np.stack([blob(0.4, 0.5, 0.2, 0.2) - blob(0.8, 0.2, 0.1, 0.1)] * 4) for name in methods}
    write_arrays(
        run / "explanations" / "maps.h5",
        {"image": image[[2, 3, 1, 4], 0], "abs_beta2": np.array([0, 0.15, 0.3, 0.45]), **maps},
    )
    patterns = np.stack([[blob(*rng.random(2), 0.3 / (1 + layer), 0.3) for _ in range(4)] for layer in range(4)])
    layers = np.array(["first convolution", "box 1", "box 2", "last box"])
    write_arrays(run / "explanations" / "features.h5", {"pattern": patterns, "layer_names": layers})
    fraction = np.linspace(0, 1, 11)
    rise = np.stack([fraction ** (0.3 + 0.15 * number) * 0.2 for number in range(6)])
    random = np.stack([fraction * 0.2] * 6)
    write_arrays(
        run / "explanations" / "sanity.h5",
        {
            "method": np.array(methods), "similarity": np.array([0.05, 0.1, 0.2, 0.3, 0.7, -0.1]),
            "similarity_error": np.full(6, 0.04), "fraction": fraction, "deletion": rise, "deletion_random": random,
            "deletion_random_error": np.full((6, 11), 0.006), "insertion": 0.2 - rise, "insertion_random": 0.2 - random,
            "insertion_random_error": np.full((6, 11), 0.006),
        },
    )  # fmt: skip


@pytest.fixture(scope="session")
def config() -> FakeConfig:
    return FakeConfig()


@pytest.fixture
def write() -> Callable[[Path, int], Path]:
    """Writes a complete run directory with so many shapes a sample."""
    return write_run


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run directory that no test changes."""
    return write_run(tmp_path_factory.mktemp("report") / "run")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A complete run directory that a test may break."""
    return write_run(tmp_path / "run", shapes=30)


@pytest.fixture(scope="session")
def nuclear_sections(pristine: Path, config: FakeConfig) -> list[Section]:
    """Sections of the complete run."""
    return nuclear_shape_sections(pristine, config, {"sharp-surface": "uranium with a sharper surface"})


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are drawn, but not rendered: for tests of texts and of what is there."""
    monkeypatch.setattr(figures, "svg", lambda drawing: "<svg></svg>")


# --- searches for sources of cosmic rays ------------------------------------------------------------------------------

SEARCHES = {
    "mean": ("predicting the mean", "floor", 0.0),
    "top_hat": ("top-hat scan", "baseline", 0.25),
    "template": ("template <scan>", "baseline", 0.5),
    "deepsphere": ("DeepSphere", "network", 0.5),
    "graph": ("graph network", "network", 0.45),
}
"""Title, kind, and how much the statistic grows with a signal cosmic ray."""
WORLDS = {"helium": "minimal, He", "jf12-helium": "JF12, He", "planck-helium": "Planck, He"}
METHODS = ("template:weight", "deepsphere:epsilon", "deepsphere:gamma", "graph:epsilon", "graph:probability")


@dataclass(frozen=True)
class FakeSkyConfig:
    """What the sections read of the study's configuration."""

    cosmic_rays: int = 50
    minimum_energy: float = 40.0
    composition: str = "He"
    exposure: str = "full"
    field: str = "minimal"
    coherent: float = 5.1
    blurring: float = 2.79


def sphere(shape, rng):
    vectors = rng.standard_normal((*shape, 3))
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def answers(truth, gain, rng):
    """Exponential under isotropy, larger with signal; a fraction and a direction with some noise."""
    n = len(truth)
    if not gain:
        return np.concatenate([np.zeros((n, 1)), np.full((n, 1), 0.03), np.full((n, 3), np.nan)], axis=1)
    statistic = rng.exponential(size=n) + gain * 1000 * truth[:, 1]
    fraction = truth[:, 1] + 0.003 * rng.standard_normal(n)
    where = truth[:, 2:] + 0.1 * rng.standard_normal((n, 3))
    where /= np.linalg.norm(where, axis=1, keepdims=True)
    return np.concatenate([statistic[:, None], fraction[:, None], where], axis=1)


def truth_of(n, numbers, rng):
    truth = np.zeros((n, 5))
    truth[1::2, 0] = 1
    truth[1::2, 1] = np.resize(numbers, n // 2) / 1000
    truth[1::2, 2:] = sphere((n // 2,), rng)
    return truth


def explanations(home, rng):
    sky, rays, signal = 4, 50, np.zeros((4, 50), np.uint8)
    for row, number in enumerate((1, 3, 6)):
        signal[row, :number] = 1
    arrays = {
        "maps": {
            "energy": rng.uniform(40, 100, (sky, rays)), "direction": sphere((sky, rays), rng), "signal": signal,
            "source": sphere((sky,), rng) * (signal.sum(axis=1) > 0)[:, None], "method": METHODS,
            "score": rng.standard_normal((len(METHODS), sky, rays)), "predictor": tuple(SEARCHES),
            "statistic": rng.standard_normal((5, sky)), "fraction": np.full((5, sky), np.nan),
            "estimate": sphere((5, sky), rng),
        },
        "roc": {
            "method": METHODS, "skies": [9, 9, 3, 3, 9], "auc": [0.9, 0.7, 0.8, 0.6, 0.95], "common": 3,
            "auc_error": [0.01] * 5, "common_auc": [0.9, 0.7, 0.8, 0.6, 0.95], "common_auc_error": [0.02] * 5,
            "false_positive": np.linspace(0, 1, 5), "true_positive": np.tile(np.linspace(0, 1, 5) ** 0.3, (5, 1)),
            "edges": [1.0, 3.0, 6.5, 9.0], "auc_by_number": np.full((5, 3), 0.7),
            "auc_by_number_error": np.full((5, 3), 0.1), "skies_by_number": np.full((5, 3), 3),
        },
        "deletion": {
            "network": ("deepsphere", "deepsphere"), "method": ("template:weight", "deepsphere:epsilon"), "skies": 9,
            "fraction": [0, 0.05, 0.5],
            **{name: np.array([[4, 1, 0], [4, 0, -1.0]]) for name in ("statistic", "random", "difference")},
            **{f"{name}_error": np.full((2, 3), 0.1) for name in ("statistic", "random", "difference")},
        },
        "sanity": {
            "layer_network": ("deepsphere",) * 4, "layer_rule": ("epsilon", "epsilon", "gamma", "gamma"),
            "layer": ("dense 1", "statistics") * 2, "left": [0.9, 0.5] * 2, "absorbed": [0.1, 0.4] * 2,
            "violation": [1e-16, 2e-15, 0, 1e-16], "random_network": ("deepsphere",), "random_part": [0.5, 1.0],
            "similarity": [[0.8, 0.7]], "similarity_error": [[0.1, 0.1]],
        },
    }  # fmt: skip
    for name, one in arrays.items():
        write_arrays(home / f"{name}.h5", one)


def write_sky_run(home: Path, worlds, rows_of) -> Path:
    rng = np.random.default_rng(5)
    home.mkdir()
    rows = []
    with h5py.File(home / "predictions.h5", "w") as file:
        for sample in ("test", *worlds):
            truth = truth_of(240, (10, 20, 30, 40, 60), rng)
            file[f"{sample}/truth"] = truth
            for name, (_, _, gain) in SEARCHES.items():
                said = answers(truth, gain, rng)
                file[f"{sample}/{name}/mean"] = said
                rows += [{**row, "sample": sample, "floor": None} for row in rows_of(name, truth, said, rng)]
    for row in rows:  # JSON has no nan
        row |= {key: None for key in ("value", "error") if isinstance(row[key], float) and not np.isfinite(row[key])}
    known = {name: {"title": title, "kind": kind} for name, (title, kind, _) in SEARCHES.items()}
    (home / "metrics.json").write_text(json.dumps({"predictors": known, "rows": rows}))
    (home / "run.json").write_text(json.dumps({"study": "cosmic-ray-sources", "preset": "tiny", "seed": 1}))
    with (home / "history.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["predictor", "epoch", "train_loss", "one_minus_auc"])
        writer.writerows([name, epoch, 1 / (1 + epoch), 0.1] for name in ("deepsphere", "graph") for epoch in range(3))
    explanations(home / "explanations", rng)
    return home


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    return write_sky_run(tmp_path_factory.mktemp("sky") / "sources", WORLDS, search_rows)


@pytest.fixture(scope="session")
def sections_of_sources(sources):
    return source_sections(sources, FakeSkyConfig(), WORLDS | {"uf23-helium": "not simulated"})


@pytest.fixture(scope="session", name="write_sky_run")
def sky_run_fixture():
    """Writes a run directory of a search for sources, given its worlds and the rows of a predictor."""
    return write_sky_run


@pytest.fixture(scope="session")
def sky_config() -> FakeSkyConfig:
    return FakeSkyConfig()


@pytest.fixture(scope="session")
def sky_worlds() -> dict[str, str]:
    return WORLDS


# --- generators of hadronic interactions ------------------------------------------------------------------------------

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


def write_generated(run: Path, rows: list[dict[str, Any]], generated: dict[str, Events], truth: Events) -> Path:
    place = run / "generated" / "test"
    place.mkdir(parents=True)
    for name, events in {"truth": truth, **generated}.items():
        write_events(place / f"{name}.h5", events, {"model": name})
    (run / "metrics.json").write_text(json.dumps({"rows": rows, "predictors": GENERATORS}))
    (run / "run.json").write_text(json.dumps({"study": "hadronic-interactions", "preset": "tiny", "seed": 1}))
    return run


@pytest.fixture(scope="session")
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
    run = write_generated(tmp_path_factory.mktemp("full"), rows, generated, truth)
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


@pytest.fixture(scope="session")
def sections_of_generators(full: Path) -> list[Section]:
    titles = {"heavy": "heavier nuclei", "absent": "not there"}
    return interaction_sections(full, titles, lambda projectile, target, energy: target == "C")


@pytest.fixture(scope="session")
def generators() -> dict[str, dict[str, str]]:
    return GENERATORS


@pytest.fixture(scope="session", name="toy")
def toy_fixture() -> Callable[..., Events]:
    """Makes so many toy events from a seed."""
    return toy


@pytest.fixture(scope="session")
def write_generators() -> Callable[..., Path]:
    return write_generated
