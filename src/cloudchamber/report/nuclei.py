"""The sections of the nuclear-shape report (arXiv:1906.06429), made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from cloudchamber.metrics.calibration import coverage, pull_width
from cloudchamber.metrics.classification import sign_accuracy
from cloudchamber.metrics.regression import Measured, bias, mae, r2
from cloudchamber.report import figures as plots
from cloudchamber.report import nuclei_figures as drawings
from cloudchamber.report.figures import picture, plus_minus, ranking, tied
from cloudchamber.report.files import (
    TEST,
    Metrics,
    Score,
    Scored,
    read_arrays,
    read_history,
    read_metrics,
    read_predictions,
)
from cloudchamber.report.nuclei_figures import LABELS, PUBLISHED_TOE, SIGN_THRESHOLD, TARGETS
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.schema import BadInput

Values = NDArray[Any]

WORDS = {"abs_beta2": "|β₂|", "abs_beta4": "|β₄|", "beta2": "β₂", "beta4": "β₄"}
METRIC_WORDS = {"r2": "R²", "mae": "MAE", "sign_accuracy": "sign accuracy"}


class ShapeConfig(Protocol):
    """What the sections read of the study's configuration."""

    @property
    def nucleus(self) -> str: ...
    @property
    def radius(self) -> float | None: ...
    @property
    def diffuseness(self) -> float | None: ...
    @property
    def beta2_max(self) -> float: ...
    @property
    def beta4_max(self) -> float: ...
    @property
    def events(self) -> int: ...
    @property
    def centrality(self) -> float: ...
    @property
    def residual_fluctuation(self) -> float: ...
    @property
    def v2_max(self) -> float: ...
    @property
    def multiplicity_max(self) -> float: ...
    @property
    def members(self) -> int: ...
    @property
    def ablation_members(self) -> int: ...


@dataclass(frozen=True)
class Names:
    """Which predictors play which part.

    Attributes:
        network: reads the image alone.
        size_network: also reads the size channel.
        plain_network: as ``network``, without squeeze-excitation.
        size_ending: how names of predictors end that read the size channel.
        branches: a physicist's method on the image alone whose two answers of opposite sign are worth a picture.
    """

    network: str = "se_resnet"
    size_network: str = "se_resnet_size"
    plain_network: str = "resnet"
    size_ending: str = "_size"
    branches: str = "template"


@dataclass(frozen=True)
class Found:
    """All that is known of a run."""

    config: ShapeConfig
    metrics: Metrics
    scored: Mapping[str, Scored]
    names: Names

    def title(self, name: str) -> str:
        """A predictor's title, safe in HTML."""
        return escape(self.metrics.titles.get(name, name))

    def extent(self, arrays: Mapping[str, Values]) -> tuple[float, float, float, float]:
        """Left, right, bottom, top of an image."""
        across = arrays.get("edges_multiplicity", np.array([0.0, self.config.multiplicity_max]))
        up = arrays.get("edges_v2", np.array([0.0, self.config.v2_max]))
        return float(across[0]), float(across[-1]), float(up[0]), float(up[-1])


def nuclear_shape_sections(
    run: Path, config: ShapeConfig, probe_titles: Mapping[str, str] | None = None, names: Names | None = None
) -> list[Section]:
    """The sections of the page, from the files of a run directory; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each probe, by name.
        names: which predictors play which part.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    scored = read_predictions(run / "predictions.h5")
    for sample, one in scored.items():
        known = [name for name in metrics.titles if name in one.predictions]
        in_order = {name: one.predictions[name] for name in [*known, *(set(one.predictions) - set(known))]}
        scored[sample] = Scored(one.truth, in_order)
        if one.truth.ndim != 2 or one.truth.shape[1] != len(TARGETS) or not len(one.truth):
            raise BadInput(
                f"{run / 'predictions.h5'}: the truth of {sample!r} has shape {one.truth.shape}; expected (records, 4):"
                f" {', '.join(TARGETS)}"
            )
    found = Found(config, metrics, scored, names or Names())
    gallery = read_arrays(run / "gallery.h5")
    explained = {
        name: read_arrays(run / "explanations" / f"{name}.h5") for name in ("attention", "maps", "features", "sanity")
    }
    titles = dict(probe_titles or {})
    try:
        parts = [
            summary(found),
            nuclei_section(config),
            collision_section(gallery),
            image_section(found, gallery),
            training_section(found, read_history(run / "history.csv")),
            comparison_section(found),
            degeneracy_section(found, gallery),
            uncertainty_section(found),
            *(transfer_section(found, probe, titles.get(probe, probe)) for probe in transfer_samples(found)),
            attention_section(found, explained["attention"], gallery),
            maps_section(found, explained["maps"], gallery),
            sanity_section(explained["sanity"]),
            features_section(explained["features"]),
        ]
    except (KeyError, IndexError, ValueError) as error:
        raise BadInput(
            f"{run}: an array of the run directory is missing or has another shape ({error}): run the study again"
        ) from None
    return [part for part in parts if part is not None]


# --- words ------------------------------------------------------------------------------------------------------------


def said(measured: Measured | Score | None) -> str:
    """A number with its error for a text."""
    return "unknown" if measured is None or math.isnan(measured.value) else plus_minus(measured.value, measured.error)


def listed(words: Sequence[str]) -> str:
    """``"a, b and c"``."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def of_kind(found: Found, kind: str) -> list[str]:
    """Predictors of a kind, in the order of the study."""
    return [name for name, one in found.metrics.kinds.items() if one == kind]


def best_of(found: Found, kind: str, target: str, metric: str, sample: str = TEST) -> tuple[str, Score] | None:
    """The best predictor of a kind with its score."""
    ranked = [pair for pair in ranking(found.metrics, target, metric, sample) if found.metrics.kinds[pair[0]] == kind]
    return ranked[0] if ranked else None


def verdict(found: Found, target: str, metric: str) -> str:
    """One sentence: who is best, how the best of the other kind does, and how far behind it is."""
    ranked = ranking(found.metrics, target, metric)
    if not ranked:
        return ""
    (first, score), what = ranked[0], f"{METRIC_WORDS.get(metric, metric)} of {WORDS.get(target, target)}"
    kind = found.metrics.kinds[first]
    text = f"Best {what}: <b>{found.title(first)}</b>, {said(score)}"
    if kind == "floor":
        return f"{text}: nothing is better than predicting the mean."
    other = best_of(found, "baseline" if kind == "network" else "network", target, metric)
    if other is not None:
        whose = "best baseline" if kind == "network" else "best network"
        text += f"; the {whose} is {found.title(other[0])} with {said(other[1])}, {behind(score, other[1])}"
    if math.isfinite(score.floor):
        text += f" (predicting the mean: {plus_minus(score.floor, math.nan)})"
    return f"{text}."


def behind(best: Score, other: Score) -> str:
    """How far another score is behind the best, in combined errors."""
    error = math.hypot(best.error, other.error)
    gap = abs(best.value - other.value)
    if not error > 0:
        return "the error is not known"
    return "the same within the errors" if gap <= error else f"behind by {gap / error:.1f} times the combined error"


# --- the sections -----------------------------------------------------------------------------------------------------


def summary(found: Found) -> Section:
    """What came out, in a few sentences."""
    lines = [verdict(found, "abs_beta2", "r2"), verdict(found, "abs_beta2", "mae"), verdict(found, "abs_beta4", "r2")]
    network, size = found.names.network, found.names.size_network
    alone, both = (found.metrics.score(name, "beta2", "r2") for name in (network, size))
    if alone is not None:
        sentence = (
            f"The sign of β₂ (flattened or stretched): from the image alone {found.title(network)} reaches"
            f" a signed R² of {said(alone)}"
        )
        accuracy = found.metrics.score(size, "beta2", "sign_accuracy")
        if both is not None:
            sentence += f"; with the size of the collision as a second channel {said(both)}"
        if accuracy is not None:
            sentence += (
                f", and the sign is right for {percent(accuracy)} of the shapes with |β₂| &gt; {SIGN_THRESHOLD:g}"
            )
        lines.append(sentence + ".")
    items = "".join(f"<li>{line}</li>" for line in lines if line)
    figure = None
    columns = [
        ("abs_beta2", "r2", r"R² of $|\beta_2|$ (1: perfect)", (-0.3, 1.05)),
        ("abs_beta4", "r2", r"R² of $|\beta_4|$", (-0.3, 1.05)),
        ("beta2", "r2", r"R² of signed $\beta_2$", (-0.3, 1.05)),
    ]
    columns = [column for column in columns if ranking(found.metrics, column[0], column[1])]
    if columns:
        figure = picture(
            "scores",
            plots.score_dots(found.metrics, columns),
            "How well each predictor does on shapes it has never seen. R² is the part of the variation that is"
            " predicted: 1 is"
            " perfect, 0 (dashed) is no better than always answering the mean. Bars: standard errors (bootstrap over"
            " shapes);"
            " circles: networks, squares: the physicist's methods and statistical learners; an arrow at the edge: off"
            " the scale.",
            "Dots with error bars: the score of every predictor for each target, with predicting the mean as the"
            " floor.",
        )
    text = (
        "Two heavy nuclei collide at nearly the speed of light. How many particles come out (the <i>multiplicity</i>)"
        " and how"
        " unevenly they fly off around the beam (the <i>elliptic flow</i>, v₂) depends on the shape of the nuclei and"
        " on how they"
        " happened to be turned when they met. Each predictor of this report looks at thousands of collisions of one"
        " nucleus at"
        " once, as an image, and answers how that nucleus is deformed: β₂ (negative: flattened like a pumpkin;"
        " positive:"
        " stretched like an egg) and β₄ (dips or bumps around the waist)."
    )
    return Section("In short", f"{text}\n\n<ul>{items}</ul>" if items else text, (figure,) if figure else ())


def percent(score: Score | Measured) -> str:
    """A fraction as per cent with its error."""
    return f"{plus_minus(100 * score.value, 100 * score.error)} %"


def nuclei_section(config: ShapeConfig) -> Section | None:
    """Density contours on the talk's 5 x 5 grid."""
    beta2s = [float(value) for value in np.linspace(-config.beta2_max, config.beta2_max, 5)]
    beta4s = [float(value) for value in np.linspace(-config.beta4_max, config.beta4_max, 5)]
    drawing = drawings.nuclear_density_grid(config.nucleus, beta2s, beta4s, config.radius, config.diffuseness)
    return Section(
        "The nuclei",
        "The density of nucleons (protons and neutrons) in a nucleus is nearly constant inside and falls off over"
        " about half a"
        " femtometre (1 fm = 10⁻¹⁵ m) at the surface. The surface need not be a sphere: its radius is"
        " R₀ (1 + β₂ Y₂₀ + β₄ Y₄₀), with two spherical harmonics Y of the angle to the symmetry axis.",
        (
            picture(
                "nuclei",
                drawing,
                f"The nuclei whose collisions are simulated ({escape(config.nucleus)}), cut along the symmetry axis"
                f" (upwards)."
                " β₂ grows from top to bottom: flattened, spherical, stretched. β₄ grows from left to right: dips to"
                " bumps."
                " Colour: density relative to that deep inside; white lines: 10, 50 and 90 % of it. The study covers"
                " every shape between the corners.",
                "Grid of five by five contour plots of the nuclear density, from flattened (top) to stretched"
                " (bottom) nuclei.",
            ),
        ),
    )


def collision_section(gallery: Mapping[str, Values]) -> Section | None:
    """Entropy profiles of single events."""
    if "profile" not in gallery:
        return None
    profiles = gallery["profile"]
    titles = [
        str(title) for title in gallery.get("profile_title", np.array([f"event {i + 1}" for i in range(len(profiles))]))
    ]
    extent = [float(edge) for edge in gallery.get("profile_extent", np.array([-10.0, 10.0, -10.0, 10.0]))]
    drawing = drawings.collisions(profiles, titles, extent, gallery.get("profile_nucleons"))
    return Section(
        "Single collisions",
        "The collision deposits entropy, which becomes particles, where the two nuclei overlap (TRENTo model,"
        " arXiv:1412.4708)."
        " A stretched nucleus can be hit along its axis (tip-tip: round overlap, little flow) or from the side"
        " (body-body:"
        " elongated overlap, much flow). Nobody can choose; each event is turned at random.",
        (
            picture(
                "collisions",
                drawing,
                f"Single events ({escape('; '.join(titles))}): entropy density across the beams, which run"
                f" perpendicular to the page, 1"
                f" fm = 10⁻¹⁵ m."
                + (" White circles: the nucleons that collided." if "profile_nucleons" in gallery else "")
                + " The pressure falls off fastest along the short side of the overlap: more particles fly that way,"
                " which is elliptic flow.",
                f"Maps of the entropy density of single collisions: {listed(titles)}.",
            ),
        ),
    )


def image_section(found: Found, gallery: Mapping[str, Values]) -> Section | None:
    """What predictors read."""
    if "image" not in gallery or "image_beta" not in gallery:
        return None
    images, betas = gallery["image"], gallery["image_beta"]
    config = found.config
    kept = round(config.events * config.centrality)
    two = images.shape[1] > 1
    size = (
        " The lower row is the size channel, which the publication does not have: whether the collisions of a pixel"
        " were more"
        " compact (red) or more spread out (blue) than other collisions of the same multiplicity, as a significance."
        " Compact collisions give particles a larger mean transverse momentum [p<sub>T</sub>], so this"
        " can be measured." if two else ""
    )  # fmt: skip
    return Section(
        "What the predictors see",
        f"One image is one nucleus: the {kept:,} most central of its {config.events:,} simulated collisions".replace(
            ",", "\u202f"
        )
        + f" ({100 * config.centrality:.0f} %), counted in the plane of multiplicity and elliptic flow. v₂ follows"
        f" from the elongation ε₂ of the overlap,"
        f" v₂ = 0.2 ε₂ + 0.1 ε₂³ with a fluctuation of {100 * config.residual_fluctuation:.0f} % (arXiv:1906.06429);"
        f" the multiplicity is divided by its mean in the 1 % most"
        " central collisions of the same nucleus. No image shares events with another. The lower right corner (the"
        " publication's <i>toe</i>) holds head-on"
        " collisions; the <i>ankle</i>, at about half of the largest multiplicity and large v₂, those that overlap in"
        " part.",
        (
            picture(
                "images",
                drawings.shape_images(images, betas, found.extent(gallery)),
                "Images of nuclei from flattened (left) to stretched (right), with β₄ as near to 0 as the data set"
                " has it."
                " Upper row: density of events. " + alike(images, betas) + size,
                "Two-dimensional histograms of multiplicity and elliptic flow for nuclei of different deformation.",
            ),
        ),
    )


def alike(images: Values, betas: Values) -> str:
    """How much the images of the smallest, the largest and the middle beta2 resemble each other."""
    order = np.argsort(betas[:, 0])
    low, middle, high = order[0], int(np.abs(betas[:, 0]).argmin()), order[-1]
    if len({int(low), middle, int(high)}) < 3:
        return ""
    smooth = [gaussian_filter(images[one, 0].astype(np.float64), 2).ravel() for one in (low, middle, high)]
    if any(np.ptp(one) == 0 for one in smooth):
        return ""
    table = np.corrcoef(smooth)
    return (
        f"Correlation of the images, after smoothing: {table[0, 2]:.2f} between opposite deformations (β₂ ="
        f" {betas[low, 0]:.2f} and {betas[high, 0]:.2f}), {table[0, 1]:.2f} and {table[1, 2]:.2f} between each of"
        f" them and β₂ ="
        f" {betas[middle, 0]:.2f}."
    ).replace("-", "−")


def training_section(found: Found, history: Sequence[Mapping[str, str]]) -> Section | None:
    """Curves of the training."""
    if not any(row.get("predictor") for row in history):
        return None
    relative = any(row.get("relative_mae") for row in history)
    score, label = (
        ("relative_mae", "validation MAE / MAE of the mean") if relative else ("validation_score", "validation score")
    )
    drawing = plots.training_curves(
        history, found.metrics.titles, found.metrics.kinds, score, label, logarithmic=relative
    )
    meaning = (
        "the mean absolute error on validation shapes, divided by that of always answering the mean: 1 is no skill, 0"
        " is perfect"
        if relative
        else "the score on validation shapes"
    )
    return Section(
        "Training",
        "Each network is trained several times from different random starts; the members of such an ensemble answer"
        " together.",
        (
            picture(
                "training",
                drawing,
                f"Left: the training loss (Gaussian negative log likelihood, no unit). Right: {meaning}; it selects"
                f" the weights that are kept. One line a"
                " member. Training shapes, validation shapes and the test shapes of all other figures have no event"
                " in common.",
                "Curves of training loss and validation score against the epoch, one line for each network.",
            ),
        ),
    )


def comparison_section(found: Found) -> Section | None:
    """The table, the gain of squeeze-excitation, and predicted against true."""
    columns = [
        ("abs_beta2", "r2", "|β₂| R²"),
        ("abs_beta2", "mae", "|β₂| MAE"),
        ("abs_beta4", "r2", "|β₄| R²"),
        ("abs_beta4", "mae", "|β₄| MAE"),
        ("beta2", "r2", "signed β₂ R²"),
        ("beta2", "sign_accuracy", f"sign of β₂ right (|β₂| > {SIGN_THRESHOLD:g})"),
    ]
    scores = found.metrics.scores
    n = max(
        (score.n for (_, sample, _, metric), score in scores.items() if sample == TEST and metric == "r2"), default=0
    )
    table = plots.comparison_table(
        found.metrics,
        columns,
        f"{n} test shapes, none of which took part in the training. R²: part of the variation that is predicted (1:"
        f" perfect, 0: no better"
        " than the mean). MAE: mean absolute error. Errors: one standard error, bootstrap over shapes; all predictors"
        " see the same"
        " shapes, so differences are known somewhat better than the combined errors say.",
    )
    text = wins(found, columns)
    gain = squeeze_excitation(found)
    figures: list[Figure] = []
    test = found.scored.get(TEST)
    if test is not None and test.predictions:
        figures = [truth_figure(found, test, target) for target in ("abs_beta2", "abs_beta4")]
    if not table.rows and not figures:
        return None
    body = f"{text}\n\n{gain}" if gain else text
    return Section("Predictors compared", body, tuple(figures), table if table.rows else None)


def truth_figure(found: Found, test: Scored, target: str) -> Figure:
    """Predicted against true, every predictor."""
    column, metrics = TARGETS.index(target), found.metrics
    return picture(
        f"predicted_{target}",
        plots.predicted_against_true(
            test.truth, test.predictions, column, metrics.titles, metrics.kinds, LABELS[target]
        ),
        f"Predicted against true {WORDS[target]} of the test shapes. On the line: right. Grey band: the predictor's"
        " root-mean-square error; bars: the uncertainty (one standard deviation) that the predictor states, if any.",
        f"Scatter plots of predicted against true {WORDS[target]}, a panel for each predictor.",
    )


def wins(found: Found, columns: Sequence[plots.Column]) -> str:
    """Who is best in how many columns of the table."""
    ranked = {heading: ranking(found.metrics, target, metric) for target, metric, heading in columns}
    metric_of = {heading: metric for _, metric, heading in columns}
    best: dict[str, list[str]] = {}
    for heading, order in ranked.items():
        if order:
            name, score = order[0]
            kind = found.metrics.kinds[name]
            rival = next((pair for pair in order if found.metrics.kinds[pair[0]] not in (kind, "floor")), None)
            shared = rival is not None and tied(score, rival[1], metric_of[heading])
            best.setdefault(kind, []).append(heading + (" (tie)" if shared else ""))
    called = {
        "network": "a network",
        "baseline": "one of the physicist's methods and statistical learners",
        "floor": "the floor",
    }
    parts = [f"{called.get(kind, kind)} is best in {len(which)}: {listed(which)}" for kind, which in best.items()]
    tie = (
        " A tie: the best of the other kind agrees within the errors." if any("(tie)" in part for part in parts) else ""
    )
    return f"Of {sum(map(len, best.values()))} columns, {escape('; '.join(parts))}.{tie}" if parts else ""


def squeeze_excitation(found: Found) -> str:
    """The gain of squeeze-excitation with numbers, empty if it was not measured."""
    parts = []
    for target in ("abs_beta2", "abs_beta4"):
        with_it = found.metrics.score(found.names.network, target, "mae")
        without = found.metrics.score(found.names.plain_network, target, "mae")
        if with_it is None or without is None or without.value <= 0:
            continue
        ratio = with_it.value / without.value
        error = ratio * math.hypot(with_it.error / max(with_it.value, 1e-12), without.error / without.value)
        parts.append(f"{plus_minus(100 * (1 - ratio), 100 * error)} % of the MAE of {WORDS[target]}")
    if not parts:
        return ""
    members = found.config.members, found.config.ablation_members
    unequal = (
        f" The ensembles have {members[0]} and {members[1]} members, and a larger ensemble is better by itself: part"
        f" of a gain may be due to that."
        if members[0] != members[1] else ""
    )  # fmt: skip
    return (
        f"Squeeze-excitation (weights for the channels of the network, computed from the image) takes away"
        f" {listed(parts)};"
        f" a negative number means that it harms. The talk quotes 2–8 % relative.{unequal}"
    )


def degeneracy_section(found: Found, gallery: Mapping[str, Values]) -> Section | None:
    """The sign of beta2."""
    test = found.scored.get(TEST)
    names = found.names
    shown = [name for name in (names.branches, names.network, names.size_network) if test and name in test.predictions]
    if test is None or not shown:
        return None
    column = TARGETS.index("beta2")
    true = test.truth[:, column]
    lines = []
    for name in shown:
        mean = test.predictions[name].mean[:, column]
        random = np.random.default_rng(0)
        score = found.metrics.score(name, "beta2", "r2") or r2(true, mean, random)
        right = found.metrics.score(name, "beta2", "sign_accuracy") or sign_accuracy(true, mean, SIGN_THRESHOLD, random)
        clear = np.abs(true) > SIGN_THRESHOLD
        flipped = float((np.abs(mean + true)[clear] < np.abs(mean - true)[clear]).mean()) if clear.any() else math.nan
        lines.append(
            f"<li>{found.title(name)}: signed R² {said(score)}; sign right for {percent(right)} of {right.n} shapes;"
            f" {100 * flipped:.0f} % of the answers are nearer to −β₂ than to β₂.</li>"
        )
    text = (
        "Flattened and stretched nuclei with the same |β₂| give similar images: relativistic contraction makes the"
        " nuclei thin sheets, and a sheet seen from the front hardly tells a pumpkin on its side from an egg. The"
        " publication found the two images alike, and a predictor that is told to find the sign can then only guess, or"
        " answer near zero. The size of the overlap at fixed multiplicity, and how it goes with v₂, differs between the"
        " two (arXiv:2105.05713); predictors with the size channel can use it.\n\n"
        f"<ul>{''.join(lines)}</ul>"
    )
    network = found.metrics.score(names.network, "beta2", "r2")
    if network is not None:
        answer = (
            f"Signed R² of the image alone is {said(network)}; the degeneracy of the publication means less than 0.2. "
        )
        if network.value < 0.2 and network.error <= 0.1:
            answer += "So the degeneracy is seen here too."
        elif not network.value - 2 * network.error > 0.2:
            answer += "With so large an error nothing follows."
        else:
            answer += (
                "So it is <b>not</b> complete here: the images of +β₂ and −β₂ are similar, not equal, and enough events"
                " tell them apart. TRENTo itself shows the difference with nuclei that none of our code made"
                " (benchmarks/sign_of_beta2_in_trento.py)."
            )
        text += f"\n\n{answer}"
    more: tuple[Figure, ...] = ()
    if "degeneracy_events" in gallery:
        events, value, error = (gallery[f"degeneracy_{name}"] for name in ("events", "r2", "error"))
        below = events[value[0] < 0.2]
        text += (
            "\n\nThe same question against the statistics of an image, asked of a ridge regression on moments (ten-fold"
            " cross-validation over all shapes): "
            + (f"up to {below.max():,} events" if len(below) else "at none of these sizes")
            + f" the image alone stays below 0.2; with {events[-1]:,} events it reaches"
            f" {plus_minus(value[0, -1], error[0, -1])}, with size {plus_minus(value[1, -1], error[1, -1])}."
        )
        more = (
            picture(
                "degeneracy_with_statistics",
                drawings.degeneracy_with_statistics(events, value, error),
                "R² of signed β₂ by ridge regression against the number of events in an image, with and without size."
                " Below the dashed line the sign counts as unreadable.",
                "Two curves of R squared of the signed deformation against the number of events in an image.",
            ),
        )
    predictions = {name: test.predictions[name] for name in shown}
    return Section(
        "The sign of β₂: a degeneracy, and what lifts it",
        text,
        (
            picture(
                "degeneracy",
                drawings.degeneracy(test.truth, predictions, found.metrics.titles, found.metrics.kinds),
                "Upper row: predicted against true signed β₂; the full line is the truth, the dashed line the same"
                " shape with the wrong sign (two branches"
                " mean: the size of the deformation is known, its sign is not). Bars: stated uncertainties. Lower"
                " row: predicted divided by true β₂; 1 is right, −1 has the"
                " wrong sign, 0 is a predictor that does not commit itself.",
                "Predicted against true signed quadrupole deformation, with and without the size channel, and"
                " histograms of their ratio.",
            ),
            *more,
        ),
    )


def uncertainty_section(found: Found) -> Section | None:
    """Coverage and pulls."""
    test = found.scored.get(TEST)
    if test is None:
        return None
    stated = {
        name: one
        for name, one in test.predictions.items()
        if one.std is not None and found.metrics.kinds.get(name) != "floor"
    }
    if not stated:
        return None
    shown_targets = ("abs_beta2", "abs_beta4", "beta2")
    rows = []
    verdicts: dict[str, list[str]] = {}
    for name, one in stated.items():
        assert one.std is not None
        cells = []
        for target in shown_targets:
            if target == "beta2" and not name.endswith(found.names.size_ending):
                cells += ["–", "–"]
                continue
            column = TARGETS.index(target)
            true, mean, std = test.truth[:, column], one.mean[:, column], np.maximum(one.std[:, column], 1e-12)
            width = pull_width(true, mean, std)
            cells += [percent(coverage(true, mean, std, 0.68)), said(width)]
            verdicts.setdefault(found.metrics.kinds.get(name, "baseline"), []).append(judged(width))
        rows.append((found.metrics.titles.get(name, name), *cells))
    called = {"network": "networks", "baseline": "the other methods"}
    judgement = "; ".join(
        f"of the {len(all_of)} pull widths of {called.get(kind, kind)} "
        + listed([f"{all_of.count(verdict)} {verdict}" for verdict in dict.fromkeys(all_of)])
        for kind, all_of in verdicts.items()
    )
    text = (
        "An answer without an uncertainty is half an answer. Networks state a standard deviation with each answer:"
        " the spread"
        " of the ensemble's members together with the noise they expect, scaled once on validation shapes. If a stated"
        " uncertainty is true, 68 % of the test shapes lie within the 68 % interval, and the error divided by the"
        " stated"
        f" uncertainty (the <i>pull</i>) has width 1; a larger width means that uncertainties are too small. Here,"
        f" {judgement}"
        " (judged within twice the error)."
    )
    table = Table(
        ("predictor", *(f"{WORDS[target]}: {what}" for target in shown_targets for what in ("in 68 %", "pull width"))),
        tuple(rows),
        f"Coverage of the 68 % interval and width of the pull on {len(test.truth)} test shapes. Predictors without"
        f" the size"
        " channel cannot know the sign of β₂ and have no entry for it.",
    )
    networks = {name: one for name, one in stated.items() if found.metrics.kinds.get(name) == "network"}
    columns = [TARGETS.index(target) for target in shown_targets]
    drawn = plots.coverage_curves(
        test.truth,
        networks or stated,
        columns,
        [LABELS[target] for target in shown_targets],
        found.metrics.titles,
        found.metrics.kinds,
    )
    figure = picture(
        "coverage",
        drawn,
        "Upper row: fraction of the test shapes whose true value lies within the stated interval, against the"
        " interval's"
        " probability; above the diagonal uncertainties are too large, below too small. Lower row: distribution of"
        " the error in"
        " units of the stated uncertainty (values beyond ±4 in the last bins); the line is the unit Gaussian. For"
        " signed β₂ a"
        " predictor that does not know the sign has two possible truths, for which no Gaussian interval is right.",
        "Coverage curves and distributions of pulls for the predictors that state uncertainties.",
    )
    return Section("Are the uncertainties true?", text, (figure,), table)


RIGHT = "right"


def judged(width: Measured) -> str:
    """What a pull width means."""
    if not math.isfinite(width.value) or abs(width.value - 1) <= 2 * width.error:
        return RIGHT
    return "too wide" if width.value > 1 else "too narrow"


def transfer_samples(found: Found) -> list[str]:
    """Names of the probes of which anything is known."""
    return [name for name in dict.fromkeys([*found.scored, *found.metrics.samples]) if name != TEST]


def transfer_section(found: Found, probe: str, title: str) -> Section | None:
    """What breaks on a nucleus with another radius and diffuseness."""
    test, other = found.scored.get(TEST), found.scored.get(probe)
    drawn: list[Figure] = []
    table = None
    label = re.sub(r"[^\w-]", "-", probe)
    if test is not None and other is not None:
        both = [name for name in other.predictions if name in test.predictions]
        table = transfer_table(found, both, test, other, title)
        shown = [name for name in both if found.metrics.kinds.get(name) == "network"]
        best = best_of(found, "baseline", "abs_beta2", "mae")
        if best is not None and best[0] in both:
            shown = [best[0], *shown]
        if shown:
            drawn.append(
                picture(
                    f"transfer_{label}",
                    drawings.transfer(test, other, shown[:4], found.metrics.titles, found.metrics.kinds),
                    f"Error of |β₂| against the truth, for test shapes (grey) and for {escape(title)} (colour). Bars:"
                    f" stated"
                    " uncertainties. A coloured band that leaves zero is a bias: the predictor takes a change of the"
                    " nucleus"
                    " for a change of its deformation.",
                    f"Errors of the predicted deformation on test shapes and on {title}.",
                )
            )
    columns = [(target, "mae", f"MAE of {LABELS[target]}") for target in ("abs_beta2", "abs_beta4", "beta2")]
    columns = [column for column in columns if ranking(found.metrics, column[0], column[1], probe)]
    if columns:
        drawn.append(
            picture(
                f"transfer_scores_{label}",
                plots.two_samples(found.metrics, columns, TEST, probe, {TEST: "test shapes", probe: title}),
                f"Mean absolute errors on test shapes (open) and on {escape(title)} (filled), with standard errors.",
                f"Mean absolute errors of every predictor on test shapes and on {title}.",
            )
        )
    if not drawn and table is None:
        return None
    text = (
        "Nobody knows the nucleus of an experiment as well as a simulation knows its own. Here the predictors,"
        " trained as above,"
        f" meet {escape(title)}; the deformations are drawn from the same range. {broken(found, probe)}"
    )
    return Section(f"What breaks: {title}", text, tuple(drawn), table)


def transfer_table(found: Found, names: Sequence[str], test: Scored, probe: Scored, title: str) -> Table:
    """MAE, bias and coverage of |beta2| before and after."""
    column = TARGETS.index("abs_beta2")
    random = np.random.default_rng(0)
    rows = []
    for name in names:
        errors, biases, inside = [], [], []
        for scored in (test, probe):
            one = scored.predictions[name]
            true, mean = scored.truth[:, column], one.mean[:, column]
            errors.append(said(mae(true, mean, random)))
            biases.append(said(bias(true, mean, random)))
            inside.append(
                percent(coverage(true, mean, np.maximum(one.std[:, column], 1e-12), 0.68))
                if one.std is not None
                else "–"
            )
        rows.append((found.metrics.titles.get(name, name), *errors, *biases, *inside))
    return Table(
        ("predictor", "MAE, test", "MAE, here", "bias, test", "bias, here", "within 68 %, test", "within 68 %, here"),
        tuple(rows),
        f"|β₂| of the test shapes and of {escape(title)} (<i>here</i>; {len(probe.truth)} shapes). Bias: mean of"
        f" predicted minus"
        " true. Within 68 %: how many truths the stated 68 % intervals hold; far below 68 % the predictor does not"
        " notice that"
        " it is lost.",
    )


def broken(found: Found, probe: str) -> str:
    """How many predictors lose, and who is best on the probe."""
    worse: list[str] = []
    same: list[str] = []
    for name in found.metrics.titles:
        before, after = (found.metrics.score(name, "abs_beta2", "mae", sample) for sample in (TEST, probe))
        if before is None or after is None or found.metrics.kinds[name] == "floor":
            continue
        clear = after.value - before.value > 2 * math.hypot(np.nan_to_num(before.error), np.nan_to_num(after.error))
        (worse if clear else same).append(name)
    if not worse and not same:
        return ""
    text = (
        f"The MAE of |β₂| grows by more than twice its error for {len(worse)} of {len(worse) + len(same)} predictors."
    )
    ranked = ranking(found.metrics, "abs_beta2", "mae", probe)
    if ranked:
        best, score = ranked[0]
        text += f" Best on this probe is {found.title(best)} with {said(score)}."
        if found.metrics.kinds[best] == "floor":
            text += " Nothing is better there than answering the training mean."
    return text


# --- what the network looks at ----------------------------------------------------------------------------------------


def preferences(arrays: Mapping[str, Values]) -> tuple[dict[str, tuple[Values, Values]], float, str]:
    """How much more of the mask lies in toe and ankle than elsewhere: values and errors, the neutral value, a label."""
    for ending, neutral, label in (
        ("_contrast", 0.0, "attention inside − elsewhere"),
        ("", 1.0, "attention inside / elsewhere"),
    ):
        found = {
            name: (
                arrays[name + ending],
                arrays.get(f"{name}{ending}_error", np.full(len(arrays[name + ending]), np.nan)),
            )
            for name in ("toe", "ankle")
            if name + ending in arrays
        }
        if found:
            return found, neutral, label
    return {}, 0.0, ""


def mean_preference(value: Values, error: Values, chosen: Values) -> Measured:
    """Plain mean over bins, with the error of independent bins."""
    use = chosen & np.isfinite(value)
    n = int(use.sum())
    if n == 0:
        return Measured(math.nan, math.nan, 0)
    errors = error[use]
    known = np.isfinite(errors)
    typical = float(np.sqrt(np.square(errors[known]).mean())) if known.any() else math.nan
    return Measured(float(value[use].mean()), typical / math.sqrt(n), n)


def published_finding(edges: Values, regions: Mapping[str, tuple[Values, Values]], neutral: float) -> str:
    """Is the published finding there (ankle for all |beta2|, toe above 0.17)? A verdict with its numbers, in HTML."""
    if set(regions) != {"toe", "ankle"}:
        return ""
    centres = (edges[1:] + edges[:-1]) / 2
    ankle_value, ankle_error = regions["ankle"]
    seen = np.isfinite(ankle_value) & np.isfinite(ankle_error)
    clear = int((ankle_value - neutral > 2 * ankle_error)[seen].sum())
    ankle = mean_preference(ankle_value, ankle_error, np.ones(len(centres), bool))
    above = mean_preference(*regions["toe"], centres > PUBLISHED_TOE)
    below = mean_preference(*regions["toe"], centres <= PUBLISHED_TOE)

    def more(one: Measured, than: float, error: float = 0.0) -> bool:
        return one.value - than > 2 * math.hypot(one.error, error)  # False if any of them is nan

    ankle_there = bool(seen.any()) and clear >= 0.8 * seen.sum()
    toe_there = more(above, neutral) and more(above, below.value, below.error) and not more(below, neutral)
    if not seen.any() or not (math.isfinite(above.error) and math.isfinite(below.error)):
        head = "Whether the published finding is there cannot be judged: too few images"
    elif ankle_there and toe_there:
        head = "The published finding is there"
    elif ankle_there:
        head = "The published finding is there in part: the ankle is, the toe is not"
    elif toe_there:
        head = "The published finding is there in part: the toe is, the ankle is not"
    else:
        head = "The published finding is not there"
    return (
        f"<b>{head}.</b> Ankle: preferred by more than twice the error in {clear} of {int(seen.sum())} bins of |β₂|, on"
        f" average {said(ankle)}. Toe: {said(below)} for |β₂| below {PUBLISHED_TOE:g}, {said(above)} above. A mask"
        f" that prefers"
        f" nothing would have {neutral:g}. The publication finds the ankle at all |β₂| and the toe only above"
        f" {PUBLISHED_TOE:g}."
    )


def attention_section(found: Found, arrays: Mapping[str, Values], gallery: Mapping[str, Values]) -> Section | None:
    """Regression attention masks per |beta2|."""
    if "mask" not in arrays or "edges" not in arrays:
        return None
    edges, masks = arrays["edges"], arrays["mask"]
    bins = np.stack([edges[:-1], edges[1:]], axis=1)
    n = arrays.get("n", np.zeros(len(masks)))
    filled = np.isfinite(masks).all(axis=(1, 2))
    if not filled.any():
        return None
    extent = found.extent(gallery)
    boxes = {name: arrays.get(f"{name}_region") for name in ("toe", "ankle")}
    outlines = None
    if "image" in gallery and "image_beta" in gallery and gallery["image"].shape[-2:] == masks.shape[-2:]:
        centres = (edges[1:] + edges[:-1]) / 2
        nearest = np.abs(np.abs(gallery["image_beta"][:, 0])[None, :] - centres[:, None]).argmin(1)
        outlines = gallery["image"][nearest, 0]
    drawn = [
        picture(
            "attention_masks",
            drawings.attention_masks(
                bins[filled],
                masks[filled],
                n[filled],
                extent,
                boxes["toe"],
                boxes["ankle"],
                None if outlines is None else outlines[filled],
            ),
            "Regression attention mask (arXiv:1906.06429) by |β₂|: the part of the images, weighted, in which a pixel"
            " belongs to the part that matters to the"
            " network. 1 (bright): always, 0 (dark): never. Boxes: toe (head-on collisions, little flow) and ankle"
            " (half-overlapping collisions, much flow)."
            + (" White line: where events are, for the image nearest in |β₂|." if outlines is not None else ""),
            "Attention masks of the network in the plane of multiplicity and elliptic flow, one for each bin of the"
            " deformation.",
        )
    ]
    regions, neutral, label = preferences(arrays)
    text = (
        f"Which parts of the image does {found.title(found.names.network)} use? Its last feature maps, weighted with"
        f" how strongly the answer depends on them, give a map of"
        " the image; the part of the map above its mean is the image's mask. Masks of images with like |β₂| are"
        " averaged, with more weight for masks that"
        " alone give nearly the answer of the whole image."
    )
    if regions:
        text += f"\n\n{published_finding(edges, regions, neutral)}"
        drawn.append(
            picture(
                "attention_preference",
                drawings.attention_preference(edges, regions, neutral, label),
                f"{label.capitalize()} of the box, for toe and ankle, by |β₂|; the horizontal line is a mask that"
                f" prefers nothing. Vertical bars: standard errors over"
                f" images; dashed: the |β₂| = {PUBLISHED_TOE:g} above which the publication's network uses the toe.",
                "Attention on toe and ankle against the deformation, with the published threshold.",
            )
        )
    if "sigma" in arrays and np.isfinite(arrays["sigma"]).any():
        change = plus_minus(float(np.nanmean(arrays["sigma"])), math.nan)
        text += (
            f"\n\nShown only what its mask keeps of an image, the network changes its answer by {change} on average."
        )
    return Section("Where the network looks", text, tuple(drawn))


def maps_section(found: Found, arrays: Mapping[str, Values], gallery: Mapping[str, Values]) -> Section | None:
    """Maps of single images."""
    if "image" not in arrays:
        return None
    methods = [name for name in drawings.METHOD_TITLES if name in arrays]
    if not methods:
        return None
    rows = np.unique(np.linspace(0, len(arrays["image"]) - 1, 4).astype(int))
    maps = {drawings.METHOD_TITLES[name]: arrays[name][rows] for name in methods}
    truth = arrays.get("abs_beta2", np.full(len(arrays["image"]), np.nan))[rows]
    return Section(
        "Single images, explained",
        "Other ways to ask the same question of one image. Grad-CAM and class activation maps read the last feature"
        " maps; LIME hides patches at random and fits a linear"
        " model to what happens; occlusion hides one patch after the other. Where methods disagree, none should be"
        " trusted alone: see the checks below.",
        (
            picture(
                "explanation_maps",
                drawings.explanation_maps(arrays["image"][rows], truth, maps, found.extent(gallery)),
                "Each row is a test image (left), each column a method. Red pixels raise the predicted |β₂|, blue"
                " ones lower it; each map is divided by its own"
                " largest value, so colours compare within a map only. Masks and Grad-CAM know no sign.",
                "Maps of the importance of pixels from several explanation methods for images of different"
                " deformation.",
            ),
        ),
    )


def sanity_section(arrays: Mapping[str, Values]) -> Section | None:
    """Deletion, insertion, randomised weights."""
    if "method" not in arrays:
        return None
    methods = [str(name) for name in arrays["method"]]
    words, drawn = [], []
    curves = {
        kind: (arrays[kind], arrays[f"{kind}_random"], arrays.get(f"{kind}_random_error"))
        for kind in ("deletion", "insertion")
        if kind in arrays and f"{kind}_random" in arrays
    }
    if curves and "fraction" in arrays:
        words.append("<li>" + better_than_random(methods, arrays["fraction"], arrays, curves) + "</li>")
        drawn.append(
            picture(
                "deletion_insertion",
                drawings.deletion_insertion(methods, arrays["fraction"], curves),
                "Deletion: pixels are replaced by the mean image, those that a method calls most important first; a"
                " good method changes the answer fast (curve above the random one)."
                " Insertion: pixels are added to the mean image; a good method brings the answer back fast (curve"
                " below). Dashed: random smooth maps, grey: ± 2 standard errors.",
                "Change of the prediction against the part of the pixels that is deleted or inserted, for each method"
                " and for random maps.",
            )
        )
    if "similarity" in arrays:
        similarity = arrays["similarity"]
        same = [
            drawings.METHOD_TITLES.get(method, method)
            for method, value in zip(methods, similarity, strict=True)
            if abs(value) > 0.5
        ]
        verdict_text = (
            f"{listed(same)} {'stays' if len(same) == 1 else 'stay'} similar (rank correlation beyond ±0.5) and must"
            f" be read with care"
            if same
            else "no method's maps stay similar (all below 0.5)"
        )
        numbers = ", ".join(
            f"{drawings.METHOD_TITLES.get(method, method)} {plus_minus(float(value), math.nan)}"
            for method, value in zip(methods, similarity, strict=True)
        )
        words.append(f"<li>Random weights: {escape(verdict_text)}. Rank correlations: {escape(numbers)}.</li>")
        drawn.append(
            picture(
                "randomization",
                drawings.randomization(methods, similarity, arrays.get("similarity_error")),
                "How much of a method's map remains when all weights of the network are random. 1 (dashed): the map"
                " has nothing to do with what was learned; 0: nothing remains."
                " Bars: standard errors over images.",
                "Rank correlation of maps from trained and from random weights, for each method.",
            )
        )
    if not drawn:
        return None
    return Section(
        "Can the explanations be trusted?",
        f"A picture that looks convincing need not explain anything. Two checks: maps must change when the network's"
        f" weights are random, and the pixels they name must matter more than random"
        f" ones.\n\n<ul>{''.join(words)}</ul>",
        tuple(drawn),
    )


def better_than_random(
    methods: Sequence[str],
    fraction: Values,
    arrays: Mapping[str, Values],
    curves: Mapping[str, tuple[Values, Values, Values | None]],
) -> str:
    """Which methods beat random maps, in each of deletion and insertion."""
    parts = []
    for kind, (change, random, _) in curves.items():
        sign = 1 if kind == "deletion" else -1
        noise = np.broadcast_to(random, change.shape)
        difference = arrays.get(f"{kind}_difference", np.trapezoid(change - noise, fraction, axis=1))
        error = np.nan_to_num(arrays.get(f"{kind}_difference_error", np.zeros(len(methods))))
        good = [
            drawings.METHOD_TITLES.get(name, name)
            for name, value, bar in zip(methods, sign * difference, error, strict=True)
            if value > 2 * bar
        ]
        parts.append(f"{kind}: {len(good)} of {len(methods)} ({listed(good)})")
    return f"Better than random maps, by more than twice the error where it is known: {escape('; '.join(parts))}."


def short_names(names: Sequence[str]) -> list[str]:
    """Dotted names of layers without what all of them begin with."""
    parts = [name.split(".") for name in names]
    common = 0
    while min(map(len, parts)) > common + 1 and len({part[common] for part in parts}) == 1:
        common += 1
    return [".".join(part[common:]) for part in parts]


LAYER_HINT = (
    "In networks for photographs shallow layers answer to edges, deeper ones to larger patterns; here one can look."
)


def features_section(arrays: Mapping[str, Values]) -> Section | None:
    """What excites single neurons."""
    if "pattern" not in arrays:
        return None
    patterns = arrays["pattern"]
    layers = short_names([str(name) for name in arrays.get("layer_names", np.arange(1, len(patterns) + 1))])
    return Section(
        "What single neurons look for",
        f"Starting from the mean image, pixels are changed until one neuron answers as strongly as possible"
        f" (activation maximisation). {LAYER_HINT}",
        (
            picture(
                "features",
                drawings.feature_patterns(patterns, layers, arrays.get("start")),
                "A row is a layer, from shallow (top) to deep (bottom); each picture belongs to one neuron and has"
                " its own colour scale. "
                + (
                    "Shown is what was added to (red) and taken from (blue) the mean image."
                    if "start" in arrays
                    else "Shown is the image that the neuron prefers."
                )
                + " Multiplicity to the right, v₂ upwards, as in the images above.",
                "Synthetic images that excite single neurons most, from shallow to deep layers.",
            ),
        ),
    )
