"""The sections of the reports on arrival directions of cosmic rays, made from what lies in a run directory.

No text states a result: every number and every verdict is worked out from the files, whichever way it comes out. What
is not in the run directory does not appear. Numbers of signal cosmic rays are per 1000.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from cloudchamber.data import ensembles
from cloudchamber.metrics.directions import angular_distance
from cloudchamber.metrics.regression import Measured, bootstrap
from cloudchamber.metrics.searches import FIVE_SIGMA, LEAST_ISOTROPIC, numbers_of
from cloudchamber.metrics.significance import (
    ENOUGH,
    Crossing,
    MedianSignificance,
    Tail,
    fit_tail,
    p_value,
    significance,
    uniformity,
)
from cloudchamber.report import figures as plots
from cloudchamber.report import sky_figures as drawings
from cloudchamber.report.figures import picture, plus_minus
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
from cloudchamber.report.page import Figure, Section, Table
from cloudchamber.report.sky_figures import Sky
from cloudchamber.schema import BadInput

Values = NDArray[Any]

FIELDS = {
    "minimal": "the minimal model (coherent deflection about 1/R in one random direction, and blurring)",
    "jf12": "the JF12 Galactic field, regular, striated and turbulent",
    "jf12-regular": "the regular JF12 Galactic field",
    "jf12-planck": "the JF12 Galactic field tuned to Planck",
    "uf23": "the UF23 Galactic field",
}
RULES = {"epsilon": "ε rule", "gamma": "γ rule", "z_plus": "z⁺ rule"}
TALK_NEEDS = 30.0
"""Signal cosmic rays of 1000 for five sigma, read off the talk's figure (its evaluation skies are JF12-based)."""
HELIUM, REFERENCE, VARIANTS = "helium", "jf12-helium", ("planck-helium", "uf23-helium")
TEMPLATE, LIKELIHOOD, TOP_HAT = "template", "likelihood", "top_hat"
CLEARLY = 2.0
"""Combined errors from which on a difference is called clear."""
PUBLISHED = (
    ("trained on and looking for Centaurus A", "300", "3.67", "4.67"),
    ("trained on and looking for Centaurus A", "500", "2.6", "3.4"),
    ("trained on five sources, looking for Centaurus A", "300", "5.67", "6.33"),
    ("trained on five sources, looking for Centaurus A", "500", "4.2", "4.4"),
)
"""arXiv:1912.00625, table of minimal detectable fractions in %: network, cosmic rays, JF12, Planck-tuned JF12."""


class SkyConfig(Protocol):
    """What the sections read of a study's configuration."""

    @property
    def cosmic_rays(self) -> int: ...
    @property
    def minimum_energy(self) -> float: ...
    @property
    def composition(self) -> str: ...
    @property
    def exposure(self) -> str: ...
    @property
    def field(self) -> str: ...
    @property
    def coherent(self) -> float: ...
    @property
    def blurring(self) -> float: ...


@dataclass(frozen=True)
class Found:
    """All that is known of a run.

    Attributes:
        config: of the study.
        metrics, scored: numbers, and predictions by sample.
        worlds: titles of the samples that are no test split, by name.
        ensembles: further isotropic statistics (n,) by predictor.
    """

    config: SkyConfig
    metrics: Metrics
    scored: Mapping[str, Scored]
    worlds: Mapping[str, str]
    ensembles: Mapping[str, Values]

    def title(self, name: str) -> str:
        """A predictor's title, safe in HTML."""
        return escape(self.metrics.titles.get(name, name))

    @property
    def kinds(self) -> dict[str, str]:
        """Kinds of the predictors that search, the floor left out."""
        return {name: kind for name, kind in self.metrics.kinds.items() if kind != "floor"}

    def needed(self, name: str, world: str) -> Score | None:
        """Signal cosmic rays for five sigma; None if not reached, or already by the smallest number."""
        return self.metrics.score(name, "signal", "signal_needed", world)

    def isotropic(self, name: str) -> Values:
        """Statistics (n,) of the isotropic skies of all samples, which are alike, and of the predictor's ensemble."""
        own = [one.predictions[name].mean[one.truth[:, 0] == 0, 0].astype(np.float64) for one in self.scored.values()]
        return np.concatenate([*own, self.ensembles.get(name, np.zeros(0))])


def read_run(run: Path, config: SkyConfig, titles: Mapping[str, str]) -> Found:
    """What the sections are made of.

    Raises:
        BadInput: a file is malformed.
    """
    metrics = read_metrics(run / "metrics.json")
    scored = read_predictions(run / "predictions.h5")
    for sample, one in scored.items():
        if one.truth.ndim != 2 or one.truth.shape[1] != 5:
            raise BadInput(
                f"{run / 'predictions.h5'}: the truth of {sample!r} has shape {one.truth.shape}; expected (skies, 5)"
            )
        known = [name for name in metrics.titles if name in one.predictions]
        scored[sample] = Scored(one.truth, {name: one.predictions[name] for name in known})
    worlds = {name: title for name, title in titles.items() if name in scored}
    homes = {name: run / "null" / name for name in metrics.titles}
    known_ensembles = {name: ensembles.read(home) for name, home in homes.items() if any(home.glob("*.h5"))}
    return Found(config, metrics, scored, worlds, known_ensembles)


def source_sections(run: Path, config: SkyConfig, probe_titles: Mapping[str, str]) -> list[Section]:
    """The sections of the page of cosmic-ray-sources; parts whose files are missing are left out.

    Args:
        run: the directory.
        config: of the study.
        probe_titles: what is different in each further world, by name.

    Raises:
        BadInput: a file is malformed.
    """
    found = read_run(run, config, probe_titles)
    maps = read_arrays(run / "explanations" / "maps.h5")
    sections = [
        source_summary(found),
        data_section(found, maps),
        significance_section(found),
        tail_section(found, HELIUM),
        uniformity_section(found),
        robustness_section(found),
        published_section(found),
        regression_section(found),
        training_section(found, run),
        *explanation_sections(found, run, maps),
    ]
    return [section for section in sections if section is not None]


def universe_sections(
    run: Path, config: SkyConfig, probe_titles: Mapping[str, str], densities: Mapping[str, float]
) -> list[Section]:
    """The sections of the page of cosmic-ray-universe, as ``source_sections``.

    Args:
        run, config, probe_titles: as there.
        densities: of sources per cubic Mpc, by probe.
    """
    found = read_run(run, config, probe_titles)
    maps = read_arrays(run / "explanations" / "maps.h5")
    order = sorted((name for name in densities if name in found.worlds), key=lambda name: densities[name])
    sections = [
        universe_summary(found, order),
        data_section(found, maps),
        density_section(found, {name: densities[name] for name in order}),
        tail_section(found, order[0]) if order else None,
        uniformity_section(found),
        regression_section(found),
        training_section(found, run),
        *explanation_sections(found, run, maps),
    ]
    return [section for section in sections if section is not None]


# --- words ------------------------------------------------------------------------------------------------------------


def said(one: Measured | Score | None, factor: float = 1.0, unit: str = "") -> str:
    """A number with its error."""
    if one is None or math.isnan(one.value):
        return "–"
    return plus_minus(factor * one.value, factor * one.error) + unit


def whole(number: float) -> str:
    """An integer with thin spaces."""
    return f"{round(number):,}".replace(",", "\u2009")


def compared(one: Score, other: Score, fewer: str, more: str) -> str:
    """How one number stands to another: ``fewer``, ``more``, or the same within CLEARLY combined errors."""
    error = math.hypot(one.error, other.error)
    gap = one.value - other.value
    if not error > 0:
        return f"{fewer if gap < 0 else more}, with an error that is not known"
    words = f"{abs(gap) / error:.1f} combined errors"
    if abs(gap) <= CLEARLY * error:
        return f"the same within the errors ({words} {'below' if gap < 0 else 'above'})"
    return f"clearly {fewer if gap < 0 else more} ({words})"


def best_needed(found: Found, kind: str, world: str) -> tuple[str, Score] | None:
    """The predictor of a kind that needs fewest signal cosmic rays."""
    known = [(name, found.needed(name, world)) for name, one in found.kinds.items() if one == kind]
    reached = [(name, score) for name, score in known if score is not None]
    return min(reached, key=lambda pair: pair[1].value) if reached else None


def items(lines: Sequence[str]) -> str:
    """A list in HTML; empty if there are no lines."""
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""


# --- summaries --------------------------------------------------------------------------------------------------------


def source_summary(found: Found) -> Section:
    """Who needs how many signal cosmic rays."""
    needs = [line for world in found.worlds if (line := needed_line(found, world))]
    lines = [*auc_lines(found), *needs, *(extrapolated_lines(found) if needs else [])]
    table = plots.comparison_table(
        *with_worlds(found, list(found.worlds), "signal_needed", "for 5σ"),
        "AUC: chance that a sky with signal has a larger test statistic than an isotropic one (test split, with the"
        " signal fractions of training). Then: signal cosmic rays of 1000 at which the median sky reaches five sigma,"
        " in each world; a dash: not reached by the largest number simulated, or already by the smallest. Whether such"
        " a number rests on a fitted tail is drawn below. Errors: bootstrap over skies.",
    )
    missing = "" if lines else "There are too few isotropic skies in this run for any statement on significance."
    return Section("What came out", items(lines) or missing, (), table)


def extrapolated_lines(found: Found) -> list[str]:
    """Whose numbers for five sigma are not measured: at most one line."""
    far = [found.title(name) for name in found.kinds if measured_sigma(len(found.isotropic(name))) < FIVE_SIGMA]
    if not far:
        return []
    whose = "all predictors" if len(far) == len(found.kinds) else ", ".join(far)
    return [f"Extrapolated with a fitted tail, not counted: the numbers for 5σ of {whose}."]


def with_worlds(found: Found, worlds: Sequence[str], metric: str, heading: str) -> tuple[Metrics, list[plots.Column]]:
    """Metrics in which a score of each world is a target of the test split, and the columns of one table of them all,
    after the AUC."""
    columns: list[plots.Column] = [("signal", "auc", "AUC, test skies")]
    scores = dict(found.metrics.scores)
    for world in worlds:
        columns.append((world, metric, f"{heading}: {found.worlds[world]}"))
        for name in found.kinds:
            if (name, world, "signal", metric) in scores:
                scores[name, TEST, world, metric] = scores[name, world, "signal", metric]
    return replace(found.metrics, scores=scores), columns


def auc_lines(found: Found) -> list[str]:
    """Who tells skies with signal from isotropic ones best."""
    ranked = plots.ranking(found.metrics, "signal", "auc")
    if not ranked:
        return []
    (name, score), kind = ranked[0], found.metrics.kinds[ranked[0][0]]
    text = f"Test skies: <b>{found.title(name)}</b> tells signal from isotropy best, AUC {said(score)}"
    other = next((pair for pair in ranked if found.metrics.kinds[pair[0]] not in (kind, "floor")), None)
    if other is not None:
        whose = "baseline" if kind == "network" else "network"
        same = "the same within the errors" if plots.tied(score, other[1], "auc") else "behind it"
        text += f"; the best {whose}, {found.title(other[0])}, has {said(other[1])}, {same}"
    return [f"{text}."]


def needed_line(found: Found, world: str) -> str:
    """The best network of a world beside the likelihood scans and the top-hat scan."""
    network = best_needed(found, "network", world)
    if network is None:
        known = any((name, world, "signal", "signal_needed") in found.metrics.scores for name in found.kinds)
        return f"{escape(found.worlds[world])}: no network reaches 5σ between the numbers simulated." if known else ""
    name, score = network
    text = f"{escape(found.worlds[world])}: <b>{found.title(name)}</b> needs {said(score)} signal cosmic rays for 5σ"
    parts = [
        f"{found.title(other)} {said(its)}: the network needs {compared(score, its, 'fewer', 'more')}"
        for other in (LIKELIHOOD, TEMPLATE, TOP_HAT)
        if (its := found.needed(other, world)) is not None
    ]
    text += f" ({'; '.join(parts)})." if parts else "."
    template = found.needed(TEMPLATE, world)
    lead = math.nan if template is None else template.value - score.value
    if template is not None and world == HELIUM and lead > CLEARLY * math.hypot(score.error, template.error):
        text += (
            " In this world the template likelihood knows the truth: a clear lead over it is a leak until explained."
        )
    return text


def universe_summary(found: Found, order: Sequence[str]) -> Section:
    """Who sees which universes."""
    lines = auc_lines(found)
    for world in order:
        ranked = plots.ranking(found.metrics, "signal", "median_sigma", world)
        ranked = [pair for pair in ranked if pair[0] in found.kinds]
        beyond = [
            found.title(name) for name, score in ranked if score.value > measured_sigma(len(found.isotropic(name)))
        ]
        if beyond:
            lines.append(
                f"{escape(found.worlds[world])}: the median sky is beyond what isotropic skies can count for"
                f" {', '.join(beyond)}; how far rests on fitted tails, so they are not ranked."
            )
        elif ranked:
            name, score = ranked[0]
            text = f"{escape(found.worlds[world])}: the median sky is seen best by <b>{found.title(name)}</b>, with"
            same = [found.title(other) for other, its in ranked[1:] if plots.tied(score, its, "median_sigma")]
            lines.append(f"{text} {said(score)} σ; the same within the errors: {', '.join(same) or 'none'}.")
    table = plots.comparison_table(
        *with_worlds(found, order, "auc", "AUC"),
        "AUC: chance that a sky with sources has a larger test statistic than an isotropic one: first on the test split"
        " (densities evenly in their logarithm), then in skies of one density. Errors: bootstrap over skies.",
    )
    return Section("What came out", items(lines), (), table)


def measured_sigma(isotropic: int) -> float:
    """Significance up to which so many isotropic skies count p-values: ENOUGH of them reach it. Beyond it, p-values
    come from the fitted tail."""
    return float(significance(ENOUGH / (1 + isotropic)))


# --- data -------------------------------------------------------------------------------------------------------------


def observed(maps: Mapping[str, Values], number: int, title: str) -> Sky:
    """A panel with one of the skies of ``explanations/maps.h5``, coloured by energy."""
    return Sky(maps["direction"][number], maps["energy"][number], title)


def truth(maps: Mapping[str, Values], number: int, title: str, estimate: Values | None = None) -> Sky:
    """The same with signal and source."""
    sky = observed(maps, number, title)
    return replace(sky, signal=maps["signal"][number], source=maps["source"][number], said=estimate)


def amount(maps: Mapping[str, Values], number: int) -> str:
    """``"30 of 1000 from a source"``."""
    signal = maps["signal"][number] > 0
    return f"{int(signal.sum())} of {len(signal)} signal" if signal.any() else "isotropic"


def data_section(found: Found, maps: Mapping[str, Values]) -> Section | None:
    """What a sky looks like."""
    if "direction" not in maps or not len(maps["direction"]):
        return None
    config = found.config
    number = maps["signal"].sum(axis=1).astype(np.int64)
    strong, faint = int(number.argmax()), int(np.where(number > 0, number, number.max() + 1).argmin())
    panels = [observed(maps, strong, f"{amount(maps, strong)}: what is observed")]
    chosen = dict.fromkeys([strong, faint, int(number.argmin())])
    panels += [truth(maps, one, f"{amount(maps, one)}: the truth") for one in chosen]
    deflection = FIELDS.get(config.field, config.field)
    if config.field == "minimal":
        deflection += f", {config.coherent:g} rad EV / R and {config.blurring:g} rad EV / R"
    text = (
        f"A sky has {whole(config.cosmic_rays)} cosmic rays above {config.minimum_energy:g} EeV, seen with the exposure"
        f" <i>{escape(config.exposure)}</i>; half of all skies are isotropic. Signal cosmic rays of the training skies"
        f" have the composition <i>{escape(config.composition)}</i> and are deflected by {escape(deflection)}, R being"
        " the rigidity, energy over charge."
    )
    return Section(
        "The data",
        text,
        (
            picture(
                "skies",
                drawings.sky_maps(panels),
                "Skies of the test split in Galactic coordinates (Mollweide projection, Galactic centre in the middle,"
                " longitude grows to the left); the area of a point grows with its energy. A predictor sees what is"
                " observed; which cosmic rays are signal it has to find out.",
                "Maps of arrival directions: one coloured by energy, the others with signal cosmic rays marked.",
            ),
        ),
    )


# --- significance -----------------------------------------------------------------------------------------------------


def sigma_rows(found: Found, world: str, name: str) -> list[MedianSignificance]:
    """Significance of the median sky by number of signal cosmic rays, as metrics.json has it; whether a number rests on
    the fitted tail is found from predictions.h5."""
    one = found.scored[world]
    numbers, statistic = numbers_of(one.truth), one.predictions[name].mean[:, 0].astype(np.float64)
    tail = fit_tail(found.isotropic(name))
    rows = []
    for number in sorted(set(numbers[numbers > 0].tolist())):
        score = found.metrics.score(name, "signal", f"sigma_at_{number}", world)
        if score is None:
            continue
        far = math.isfinite(tail.scale) and float(np.median(statistic[numbers == number])) > tail.end
        p = float(norm.sf(score.value))
        rows.append(MedianSignificance(number, p, score.value, score.error, far, score.n))
    return rows


def crossing(found: Found, world: str, name: str, rows: Sequence[MedianSignificance]) -> Crossing | None:
    """The number needed as metrics.json has it, nan if not reached; None if it was not measured."""
    score = found.metrics.scores.get((name, world, "signal", "signal_needed"))
    if score is None:
        return None
    if math.isnan(score.value):
        return Crossing(math.nan, math.nan, False, score.n)
    near = [row for row in rows if row.n_signal <= score.value][-1:] + [
        row for row in rows if row.n_signal >= score.value
    ][:1]
    return Crossing(score.value, score.error, any(row.extrapolated for row in near), score.n)


def significance_section(found: Found) -> Section | None:
    """The figure of the talk, and the number needed."""
    lines: dict[str, dict[str, list[MedianSignificance]]] = {}
    needs: dict[str, dict[str, Crossing]] = {}
    counts: dict[str, list[int]] = {}
    for world, title in found.worlds.items():
        for name in found.kinds:
            if name not in found.scored[world].predictions:
                continue
            isotropic = found.isotropic(name)
            if len(isotropic) < LEAST_ISOTROPIC or not (rows := sigma_rows(found, world, name)):
                continue
            lines.setdefault(title, {})[name] = rows
            counts.setdefault(title, []).append(len(isotropic))
            one = crossing(found, world, name, rows)
            if one is not None:
                needs.setdefault(title, {})[name] = one
    if not lines:
        return None
    ends = {title: sorted(set(numbers)) for title, numbers in counts.items()}
    most = max(n for numbers in ends.values() for n in numbers)
    reach = float(significance(1 / (1 + most)))
    extended = [
        f"{found.title(name)} in {whole(len(values))} further isotropic skies"
        for name, values in found.ensembles.items()
    ]
    text = (
        "The p-value of a sky is (1 + number of isotropic skies that look at least as much like signal) /"
        " (1 + number of isotropic skies). Drawn is the median sky of each number of signal cosmic rays."
        f" With {whole(most)} isotropic skies a p-value can be counted down to"
        f" {1 / (1 + most):.1e} ({reach:.1f}σ); beyond the value that {ENOUGH} isotropic skies reach it is taken from"
        " an exponential that is fitted to the largest isotropic statistics, and marked as such."
    )
    if extended:
        text += f" Counted in larger ensembles: {'; '.join(extended)}."
    if measured_sigma(most) < FIVE_SIGMA:
        text += " So every number for 5σ in this run is extrapolated: read it with the checks of the tails below."
    drawn = [
        picture(
            "significance",
            drawings.significance_figure(lines, ends, found.metrics.titles, found.kinds),
            "Median p-value against the number of signal cosmic rays, a panel a world, for every network and search."
            " Filled points and full lines: counted in isotropic skies; open points and dashed lines: from the fitted"
            " tail. Dotted: the smallest p-value that can be counted. Bars: standard errors (bootstrap over signal and"
            " isotropic skies). The networks are those of one training, on"
            f" {escape(FIELDS.get(found.config.field, found.config.field))}.",
            "Curves of the median p-value, falling with the number of signal cosmic rays, for each predictor.",
        )
    ]
    if needs:
        drawn.append(
            picture(
                "needed",
                drawings.needed_figure(needs, found.metrics.titles, found.kinds, TALK_NEEDS),
                "Signal cosmic rays of 1000 at which the median sky reaches five sigma. Dashed: what the talk states"
                " for its network on JF12-based skies. “Not reached” also stands where the smallest number is already"
                " beyond five sigma. Bars: standard errors.",
                "Dots with error bars: the number of signal cosmic rays needed by each predictor, a panel a world.",
            )
        )
    return Section("How few signal cosmic rays are enough?", text, tuple(drawn))


def tails_of(found: Found, world: str) -> dict[str, tuple[Values, Tail]]:
    """Isotropic statistics and their tails by predictor, where there is something to fit."""
    tails = {}
    for name in found.kinds:
        if name in found.scored[world].predictions:
            isotropic = found.isotropic(name)
            if len(isotropic) >= LEAST_ISOTROPIC and np.isfinite(isotropic).all() and np.ptp(isotropic) > 0:
                tails[name] = (isotropic, fit_tail(isotropic))
    return tails


def tail_section(found: Found, world: str) -> Section | None:
    """Is the fitted tail an exponential?"""
    if world not in found.worlds or not (tails := tails_of(found, world)):
        return None
    doubtful, heavy, light = [], [], []
    for name, (_, tail) in tails.items():
        if tail.exponential < 0.01:
            doubtful.append(found.title(name))
        if tail.shape > CLEARLY * tail.shape_error:
            heavy.append(found.title(name))
        if tail.shape < -CLEARLY * tail.shape_error:
            light.append(found.title(name))
    lines = [
        f"Not an exponential (probability below 1 %): {', '.join(doubtful) or 'none'}.",
        f"Heavier by more than two errors, which makes extrapolated p-values too small: {', '.join(heavy) or 'none'}.",
        f"Lighter, which makes extrapolated p-values too large: {', '.join(light) or 'none'}.",
    ]
    numbers = "; ".join(
        f"{found.title(name)}: shape {plus_minus(tail.shape, tail.shape_error)}, exponential with P ="
        f" {tail.exponential:.2g}, scale {plus_minus(tail.scale, tail.scale_error)}, {tail.n} excesses of"
        f" {whole(len(isotropic))} isotropic skies"
        for name, (isotropic, tail) in tails.items()
    )
    return Section(
        "Where measurement ends: the tails",
        "Beyond the last isotropic skies a p-value is the continuation of a fit. The fit is checked: the shape of a"
        " generalised Pareto distribution is 0 for an exponential, positive for heavier tails, and the probability of"
        f" the excesses if they were exponential should not be small.\n\n{items(lines)}",
        (
            picture(
                "tails",
                drawings.tail_figure(tails, found.metrics.titles),
                f"Fraction of isotropic skies above a test statistic ({escape(found.worlds[world])}), and the"
                " exponential fitted to the largest ones, with its error. Dotted: the value that"
                f" {ENOUGH} isotropic skies reach, where measurement ends. {numbers}.",
                "Survival functions of the isotropic test statistic with fitted exponential tails, for each predictor.",
            ),
        ),
    )


def uniformity_section(found: Found) -> Section | None:
    """Are p-values of isotropic skies uniform?"""
    if TEST not in found.scored:
        return None
    p: dict[str, Values] = {}
    counted = {}
    for name in found.kinds:
        statistics = {
            sample: one.predictions[name].mean[one.truth[:, 0] == 0, 0].astype(np.float64)
            for sample, one in found.scored.items()
            if name in one.predictions
        }
        tested = statistics.pop(TEST, np.zeros(0))
        isotropic = np.concatenate([*statistics.values(), found.ensembles.get(name, np.zeros(0))])
        values = np.concatenate([tested, isotropic])
        if min(len(tested), len(isotropic)) >= ENOUGH and np.isfinite(values).all() and np.ptp(values) > 0:
            p[name], counted[name] = p_value(tested, isotropic), len(isotropic)
    if not p:
        return None
    tests = {name: uniformity(values, counted[name]) for name, values in p.items()}
    low = [f"{found.title(name)} (P = {one.p:.2g})" for name, one in tests.items() if one.p < 0.01]
    text = (
        "A p-value is one only if it is uniform on isotropic skies. Tested are those of the test split, on which"
        f" nothing was trained ({whole(max(len(values) for values in p.values()))}); counted is in the isotropic skies"
        f" of all other samples, simulated by themselves ({whole(min(counted.values()))} or more). So skies of"
        " different samples are alike, or their p-values are not uniform (Kolmogorov and Smirnov)."
        f" Not uniform at 1 %: {', '.join(low) or 'none'}; {len(tests)} predictors were tested."
        " Statistics that are counts have ties, which make their p-values larger than uniform ones, never smaller."
    )
    return Section(
        "Are the p-values p-values?",
        text,
        (
            picture(
                "uniformity",
                drawings.uniformity_figure(p, counted, found.metrics.titles, found.kinds),
                "Fraction of isotropic skies with a p-value below p, minus p; the probability of such a distance"
                " behind each name. A curve above zero has too many small p-values.",
                "Differences of cumulative distributions of p-values from uniformity, with a 95 % band.",
            ),
        ),
    )


# --- other worlds, other people ---------------------------------------------------------------------------------------


def common_number(found: Found, worlds: Sequence[str]) -> int | None:
    """The number of signal cosmic rays nearest to TALK_NEEDS at which all worlds have a significance."""
    known = [
        {int(metric[9:]) for _, sample, _, metric in found.metrics.scores if sample == world and "sigma_at_" in metric}
        for world in worlds
    ]
    both = set.intersection(*known) if known else set()
    return min(both, key=lambda number: abs(number - TALK_NEEDS)) if both else None


def robustness_section(found: Found) -> Section | None:
    """What is lost when the Galactic field is another one."""
    others = [world for world in VARIANTS if world in found.worlds]
    if REFERENCE not in found.worlds or not others:
        return None
    number = common_number(found, [REFERENCE, *others])
    if number is None:
        return None
    metric = f"sigma_at_{number}"
    rows, losses = [], []
    for name in found.kinds:
        first = found.metrics.score(name, "signal", metric, REFERENCE)
        if first is None:
            continue
        cells = [found.metrics.titles[name], said(first), said(found.needed(name, REFERENCE))]
        for world in others:
            score = found.metrics.score(name, "signal", metric, world)
            cells += [said(score), said(found.needed(name, world))]
            if score is not None and found.kinds[name] == "network":
                error = math.hypot(first.error, score.error)
                lost = first.value - score.value
                factor = float(norm.sf(score.value) / max(norm.sf(first.value), 1e-300))
                losses.append(
                    f"{found.title(name)}, {escape(found.worlds[world])}: significance {'lost' if lost > 0 else 'won'}"
                    f" {plus_minus(abs(lost), error)} σ at {number} signal cosmic rays (the median p-value is"
                    f" {factor:.2g} times that in JF12)."
                )
        rows.append(tuple(cells))
    if not rows:
        return None
    header = ["predictor"]
    for world in (REFERENCE, *others):
        title = found.worlds[world]
        header += [f"σ at {number}: {title}", f"for 5σ: {title}"]
    trained = FIELDS.get(found.config.field, found.config.field)
    return Section(
        "Another Galactic field",
        f"The networks were trained on {escape(trained)}. Nobody knows the Galactic field: what does a search lose"
        f" if it is another one than JF12?\n\n{items(losses)}",
        (),
        Table(
            tuple(header),
            tuple(rows),
            f"Significance of the median sky with {number} signal cosmic rays of 1000, and the number for five sigma (a"
            " dash: not reached or already by the smallest number), in the JF12 field and in others. What lies beyond"
            " the isotropic skies is extrapolated with the fitted tails. Errors: bootstrap over skies; isotropic skies"
            " are the same in all fields, so that errors of a difference are rather too large.",
        ),
    )


def published_section(found: Found) -> Section | None:
    """Beside the published minimal detectable fractions."""
    worlds = [REFERENCE, VARIANTS[0]]
    ours = []
    for name in found.kinds:
        scores = [found.metrics.score(name, "signal", "detectable_fraction", world) for world in worlds]
        if any(score is not None for score in scores):
            number = whole(found.config.cosmic_rays)
            title = f"{found.metrics.titles[name]}, looking for one source anywhere"
            ours.append((title, number, *(said(score, 100) for score in scores)))
    if not ours:
        return None
    return Section(
        "Beside published fractions",
        "Kalashev, Pshirkov and Zotov (arXiv:1912.00625) state the smallest fraction of signal cosmic rays that is"
        " found with a probability of 95 % when 1 % of isotropic skies are called signal. The definition here is the"
        " same; the problem is not. Theirs: cosmic rays above 56 EeV of a mixed composition (KKOS), one or five known"
        " sources, up to 500 cosmic rays, a network trained in JF12. Here: a source at an arbitrary position, which is"
        f" harder, {whole(found.config.cosmic_rays)} cosmic rays above {found.config.minimum_energy:g} EeV, helium, and"
        f" a training on {escape(FIELDS.get(found.config.field, found.config.field))}. More cosmic rays make a smaller"
        " fraction detectable, lower energies and rigidities a larger one.",
        (),
        Table(
            ("search", "cosmic rays", "JF12 [%]", "JF12 tuned to Planck [%]"),
            (*PUBLISHED, *ours),
            "Smallest detectable fraction of signal cosmic rays in per cent, at errors of the first and second kind of"
            " 1 % and 5 %. Published: from the result files that belong to arXiv:1912.00625. A dash: not reached by the"
            " largest fraction simulated, or already by the smallest.",
            groups={0: "Published (arXiv:1912.00625)", len(PUBLISHED): "This run"},
        ),
    )


def density_section(found: Found, densities: Mapping[str, float]) -> Section | None:
    """Sensitivity against the density of sources."""
    drawn = []
    world = next(iter(densities), "")
    known = found.scored[world].predictions if world else {}
    counts = {len(found.isotropic(name)) for name in found.kinds if name in known}
    labels = {
        "median_sigma": ("significance of the median sky [σ]", 0.0),
        "found_5_sigma": ("fraction of skies beyond 5σ", None),
        "auc": ("AUC of a sky against isotropy", 0.5),
    }
    for metric, (label, floor) in labels.items():
        curves: dict[str, list[Measured]] = {}
        for name in found.kinds:
            scores = [found.metrics.score(name, "signal", metric, world) for world in densities]
            if any(score is not None for score in scores):
                curves[name] = [
                    Measured(math.nan, math.nan, 0) if one is None else Measured(one.value, one.error, one.n)
                    for one in scores
                ]
        if curves:
            drawn.append(
                picture(
                    f"density_{metric}",
                    drawings.density_figure(
                        np.array(list(densities.values())), curves, found.metrics.titles, found.kinds, label,
                        no_skill=floor,
                        counted=float(significance(1 / (1 + max(counts)))) if metric == "median_sigma" else None,
                    ),
                    f"{escape(label[0].upper() + label[1:])} against the density of sources, each in skies of one"
                    " density (points are moved apart sideways). Bars: standard errors (bootstrap over skies).",
                    f"Curves of {label} against the density of sources, for each predictor.",
                )
            )  # fmt: skip
    if not drawn:
        return None
    reach = [f"{float(significance(1 / (1 + n))):.1f}σ for {whole(n)}" for n in sorted(counts)]
    return Section(
        "Up to which density of sources?",
        "The more sources contribute, the more a sky resembles an isotropic one. Densities: "
        + "; ".join(f"{escape(found.worlds[name])}" for name in densities)
        + f". What isotropic skies can count ends at {', '.join(reach)} isotropic skies; larger significances are from"
        " the fitted tail.",
        tuple(drawn),
    )


# --- regression and training ------------------------------------------------------------------------------------------


def regression_section(found: Found) -> Section | None:
    """Signal fraction and direction."""
    drawn: list[Figure] = []
    test = found.scored.get(TEST)
    if test is not None:
        stated = {
            name: one for name, one in test.predictions.items() if name in found.kinds and _states(one.mean[:, 1])
        }
        if stated:
            drawn.append(
                picture(
                    "fraction",
                    plots.predicted_against_true(
                        test.truth, stated, 1, found.metrics.titles, found.metrics.kinds, "signal fraction"
                    ),
                    "Estimated against true fraction of signal cosmic rays of the test skies, isotropic ones at 0. On"
                    " the line: right; grey band: the root-mean-square error. A scan tries a few fractions only.",
                    "Scatter plots of estimated against true signal fraction, a panel for each predictor.",
                )
            )
    angles = angle_figure(found)
    drawn += [] if angles is None else [angles]
    columns = [
        ("signal_fraction", "mae", "error of the fraction"),
        ("source", "angular_distance", "angle to the source"),
    ]
    table = plots.comparison_table(
        found.metrics,
        columns,
        "Test skies: mean absolute error of the signal fraction, and median angle between estimated and true direction"
        " of the (strongest) source (90° without skill). Errors: bootstrap over skies.",
    )
    if not drawn and not table.rows:
        return None
    return Section(
        "How strong, and where?",
        "Besides the test statistic most predictors estimate the fraction of signal cosmic rays and the direction of"
        " the source.",
        tuple(drawn),
        table,
    )


def _states(values: Values) -> bool:
    """Whether an estimate was made at all."""
    return bool(np.isfinite(values).all() and np.ptp(values) > 0)


def angle_figure(found: Found) -> Figure | None:
    """Median angle to the source against the number of signal cosmic rays, in the world of the training if possible."""
    world = HELIUM if HELIUM in found.worlds else TEST
    if world not in found.scored:
        return None
    one = found.scored[world]
    numbers = numbers_of(one.truth)
    points = np.array(sorted(set(numbers[numbers > 0].tolist())))
    if not 2 <= len(points) <= 20:
        return None
    curves: dict[str, list[Measured]] = {}
    for name, prediction in one.predictions.items():
        said_direction = prediction.mean[numbers > 0, 2:]
        if name not in found.kinds or not np.isfinite(said_direction).all():
            continue
        angles = angular_distance(one.truth[:, 2:], prediction.mean[:, 2:])
        curves[name] = [_median(angles[numbers == number]) for number in points]
    if not curves:
        return None
    title = escape(found.worlds.get(world, "test skies"))
    return picture(
        "angle",
        drawings.density_figure(
            points, curves, found.metrics.titles, found.kinds, "median angle to the source [°]",
            "signal cosmic rays in a sky, per 1000", no_skill=90.0,
        ),
        f"Median angle between the estimated and the true direction of the source ({title}) against the number of"
        " signal cosmic rays (points are moved apart sideways). The true direction is that outside the Galaxy: a search"
        " that knows nothing of the coherent deflection finds the centre of arrivals instead. Bars: standard errors.",
        "Curves of the median angle, falling with the number of signal cosmic rays, for each predictor.",
    )  # fmt: skip


def _median(angles: Values) -> Measured:
    rng = np.random.default_rng(0)
    return bootstrap(lambda _, values: float(np.median(values)), np.zeros(len(angles)), angles, rng)


def training_section(found: Found, run: Path) -> Section | None:
    """How the networks learned."""
    history = [row for row in read_history(run / "history.csv") if row.get("one_minus_auc")]
    if not history:
        return None
    drawing = plots.training_curves(
        history, found.metrics.titles, found.metrics.kinds, "one_minus_auc", "1 − AUC of validation skies",
        logarithmic=True,
    )  # fmt: skip
    best = []
    for name in dict.fromkeys(row["predictor"] for row in history):
        rows = [row for row in history if row["predictor"] == name]
        score = min(float(row["one_minus_auc"]) for row in rows)
        best.append(f"{found.title(name)}: smallest 1 − AUC {score:.3g} in {len(rows)} epochs")
    return Section(
        "Training",
        "Every epoch sees redrawn skies: the signal is kept, isotropic cosmic rays are drawn afresh. The weights are"
        f" those of the epoch with the smallest 1 − AUC on validation skies. {'; '.join(best)}.",
        (
            picture(
                "training",
                drawing,
                "Training loss (of all that is learned at once, in different units for different networks), and 1 − AUC"
                " on validation skies, which selects the weights.",
                "Curves of training loss and validation score against the epoch.",
            ),
        ),
    )


# --- explanations -----------------------------------------------------------------------------------------------------


def method_title(found: Found, method: str) -> str:
    """``"deepsphere:epsilon"`` in words, plain text."""
    name, kind = method.split(":")
    title = found.metrics.titles.get(name, name)
    if kind in RULES:
        return f"{title}, relevance, {RULES[kind]}"
    return f"{title}, event weight" if kind == "weight" else f"{title}, its own probability"


def chosen_rules(roc: Mapping[str, Values], methods: Sequence[str]) -> list[str]:
    """The methods to show: of each network the rule with the largest AUC on the skies that all rules had (the first if
    that was not measured), and everything that is no relevance."""
    area = dict(zip(roc.get("method", []), roc.get("common_auc", []), strict=True))
    best: dict[str, str] = {}
    for method in methods:
        name, kind = method.split(":")
        if kind in RULES and (name not in best or area.get(method, 0.0) > area.get(best[name], 0.0)):
            best[name] = method
    return [method for method in methods if method.split(":")[1] not in RULES or method in best.values()]


def explanation_sections(found: Found, run: Path, maps: Mapping[str, Values]) -> list[Section | None]:
    """Everything on single cosmic rays."""
    roc, deletion, sanity = (read_arrays(run / "explanations" / f"{name}.h5") for name in ("roc", "deletion", "sanity"))
    return [
        map_section(found, maps, roc),
        roc_section(found, roc),
        deletion_section(found, deletion),
        sanity_section(found, sanity, roc),
    ]


def map_section(found: Found, maps: Mapping[str, Values], roc: Mapping[str, Values]) -> Section | None:
    """Data, truth, and what methods say about each cosmic ray."""
    methods = [str(name) for name in maps.get("method", [])]
    if not methods or "score" not in maps:
        return None
    shown = [method for method in chosen_rules(roc, methods) if not method.startswith(f"{LIKELIHOOD}:")]
    shown.sort(key=lambda method: method.endswith(":weight"))  # relevance first
    names = [str(name) for name in maps["predictor"]]
    drawn = []
    for number in range(len(maps["direction"])):
        first = next((name for name, kind in found.kinds.items() if kind == "network" and name in names), None)
        estimate = maps["estimate"][names.index(first), number] if first is not None else None
        there = maps["signal"][number] > 0
        panels = [
            observed(maps, number, "energies"),
            truth(maps, number, f"truth: {amount(maps, number)}", estimate if there.any() else None),
        ]
        panels += [
            replace(
                observed(maps, number, plots.wrapped(method_title(found, method), 30)),
                value=maps["score"][methods.index(method), number],
                value_label=value_label(method),
            )
            for method in shown
        ]
        answers = ", ".join(
            f"{found.title(name)} {maps['statistic'][row, number]:.1f}".replace("-", "−")
            for row, name in enumerate(names)
            if name in found.kinds and math.isfinite(maps["statistic"][row, number])
        )
        where = "" if estimate is None or not there.any() else f" The estimate is that of {found.title(str(first))}."
        drawn.append(
            picture(
                f"relevance_{number}",
                drawings.sky_maps(panels, 3),
                f"A test sky, {amount(maps, number)}. Test statistics: {answers}.{where}",
                "Maps of one sky: energies, the truth, and the relevance or weight that each method gives to each"
                " cosmic ray.",
            )
        )
    return Section(
        "Which cosmic rays?",
        "Relevance says how much each cosmic ray contributes to a network's log-odds (red: for signal, blue: against;"
        " divided by its root mean square in the sky). The graph network also states for each cosmic ray the"
        " probability that it is signal, the likelihood scans give weights. Of the rules of relevance propagation"
        " the one is shown that does best on other skies, below.",
        tuple(drawn),
    )


def value_label(method: str) -> str:
    """Of a colour bar."""
    kind = method.split(":")[1]
    return "relevance / rms" if kind in RULES else "weight" if kind == "weight" else "probability"


def roc_section(found: Found, roc: Mapping[str, Values]) -> Section | None:
    """Relevance against the truth."""
    methods = [str(name) for name in roc.get("method", [])]
    if not methods:
        return None
    shown = [methods.index(method) for method in chosen_rules(roc, methods)]
    titles = [method_title(found, method) for method in methods]
    areas = [
        Measured(float(value), float(error), int(n))
        for value, error, n in zip(roc["auc"], roc["auc_error"], roc["skies"], strict=True)
    ]
    order = sorted(shown, key=lambda row: -areas[row].value)
    edges = roc["edges"]
    bins = [f"{math.ceil(low)} to {math.floor(high)} signal" for low, high in pairwise(edges.tolist())]
    rows = []
    for row, title in enumerate(titles):
        parts = zip(roc["auc_by_number"][row], roc["auc_by_number_error"][row], strict=True)
        by_number = [said(Measured(float(value), float(error), 0)) for value, error in parts]
        common = Measured(float(roc["common_auc"][row]), float(roc["common_auc_error"][row]), 0)
        rows.append((title, said(areas[row]), str(areas[row].n), said(common), *by_number))
    best, second = order[0], order[1:2]
    text = f"The truth is known here: does what a method points at come from the source? Best: {escape(titles[best])},"
    text += f" AUC {said(areas[best])}"
    text += f", then {escape(titles[second[0]])} with {said(areas[second[0]])}." if second else "."
    return Section(
        "Does relevance find the signal?",
        text,
        (
            picture(
                "roc",
                drawings.roc_figure(
                    {titles[row]: (roc["false_positive"], roc["true_positive"][row]) for row in order},
                    {titles[row]: areas[row] for row in order},
                ),
                "Signal cosmic rays accepted against isotropic ones, over test skies with signal, of each network the"
                " best rule. Right: the same with a logarithmic axis, for of a thousand cosmic rays only the first few"
                " are followed up. Errors of the areas: bootstrap over skies.",
                "ROC curves of single cosmic rays for relevance, probability and likelihood weights.",
            ),
        ),
        Table(
            ("method", "AUC", "skies", f"AUC, same {int(roc['common'])} skies", *(f"AUC, {one}" for one in bins)),
            tuple(rows),
            "Area under the ROC curve of single cosmic rays of test skies with signal: over all skies that could be"
            " afforded, over those that all methods had, and by the number of signal cosmic rays in a sky. 0.5 without"
            " skill. Errors: bootstrap over skies.",
        ),
    )


def deletion_section(found: Found, arrays: Mapping[str, Values]) -> Section | None:
    """Do the cosmic rays that a method names matter to the network?"""
    if "statistic" not in arrays or not len(arrays["statistic"]):
        return None
    fraction, drawn, lines = arrays["fraction"], [], []
    for network in dict.fromkeys(str(name) for name in arrays["network"]):
        rows = [row for row, name in enumerate(arrays["network"]) if str(name) == network]
        curves = {
            method_title(found, str(arrays["method"][row])): (arrays["statistic"][row], arrays["statistic_error"][row])
            for row in rows
        }
        curves["at random"] = (arrays["random"][rows[0]], arrays["random_error"][rows[0]])
        step = int(np.abs(fraction - 0.05).argmin())
        order = sorted(rows, key=lambda row: float(arrays["statistic"][row, step]))
        said_all = "; ".join(
            f"{escape(method_title(found, str(arrays['method'][row])))}"
            f" {plus_minus(float(arrays['difference'][row, step]), float(arrays['difference_error'][row, step]))}"
            for row in order
        )
        lines.append(
            f"{found.title(network)}: {100 * fraction[step]:g} % of the cosmic rays deleted, its log-odds fall below"
            f" those of random deletion by: {said_all}."
        )
        drawn.append(
            picture(
                f"deletion_{network}",
                drawings.deletion_figure(fraction, curves, f"log-odds, {found.metrics.titles.get(network, network)}"),
                f"Mean log-odds of {found.title(network)} over {int(arrays['skies'])} test skies with signal as cosmic"
                " rays are deleted, those first that a method ranks highest: a deleted cosmic ray gets an isotropic"
                " direction and keeps its energy. Bands: standard errors.",
                "Curves of log-odds against the part of the cosmic rays deleted, by order of deletion.",
            )
        )
    return Section(
        "Do these cosmic rays matter?",
        "If relevance explains a network, its log-odds must fall fast when the cosmic rays that it names lose their"
        " direction, and slowly at random. Relevance is that of the ε rule, the only one that costs"
        f" little.\n\n{items(lines)}",
        tuple(drawn),
    )


def sanity_section(found: Found, arrays: Mapping[str, Values], roc: Mapping[str, Values]) -> Section | None:
    """Conservation and random weights."""
    if "layer" not in arrays:
        return None
    owner = [f"{name}:{rule}" for name, rule in zip(arrays["layer_network"], arrays["layer_rule"], strict=True)]
    worst = int(arrays["violation"].argmax())
    conserved = (
        "Conservation: the sum of relevance above a layer is the sum below it plus what biases absorb. Largest"
        f" violation of all rules and layers: {arrays['violation'][worst]:.1e} of the output"
        f" ({escape(method_title(found, owner[worst]))}, layer “{escape(str(arrays['layer'][worst]))}”)."
    )
    lines = [conserved]
    for row, name in enumerate(arrays.get("random_network", [])):
        parts = ", ".join(
            f"{100 * part:g} %: {plus_minus(float(value), float(error))}"
            for part, value, error in zip(
                arrays["random_part"], arrays["similarity"][row], arrays["similarity_error"][row], strict=True
            )
        )
        last = float(arrays["similarity"][row, -1])
        verdict = (
            "so its relevance must be read with care: much of it is not learned"
            if abs(last) > 0.5
            else "so relevance depends on what was learned"
        )
        lines.append(
            f"Random weights, {found.title(str(name))}: rank correlation of the relevance of cosmic rays with that of"
            f" the trained network, by the part of the layers (from the output down) with random weights: {parts};"
            f" {verdict}."
        )
    rows: list[tuple[str, ...]] = []
    groups = {}
    for method in chosen_rules(roc, list(dict.fromkeys(owner))):
        groups[len(rows)] = method_title(found, method)
        for row, one in enumerate(owner):
            if one == method:
                rows.append(
                    (
                        str(arrays["layer"][row]),
                        f"{100 * arrays['left'][row]:.1f}".replace("-", "−"),
                        f"{100 * arrays['absorbed'][row]:.1f}".replace("-", "−"),
                        f"{arrays['violation'][row]:.0e}".replace("-", "−"),
                    )
                )
    return Section(
        "Can relevance be trusted?",
        f"Two checks that do not need the truth.\n\n{items(lines)}",
        (),
        Table(
            ("layer, from the output down", "relevance below it [% of the output]", "absorbed [%]", "violation"),
            tuple(rows),
            "Layer-wise relevance propagation of the two test skies with most signal: mean sum of the"
            " relevance that arrives below each layer, what biases (and the stabiliser) absorbed"
            " in it, and the largest violation of their sum.",
            groups=groups,
        ),
    )
