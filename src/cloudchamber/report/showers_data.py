"""What the showers of the study are: arrays, traces, profiles, signals and delays against the distance to the axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from cloudchamber.report import showers_data_figures as drawings
from cloudchamber.report.figures import picture
from cloudchamber.report.page import Figure, Section
from cloudchamber.report.showers_run import Found, Values
from cloudchamber.report.words import listed, whole


def array_section(found: Found, gallery: Mapping[str, Values]) -> Section | None:
    """What predictors read: stations and traces."""
    if "map_status" not in gallery or "trace" not in gallery:
        return None
    config = found.config
    energies = [f"10^{one[0]:.1f} eV at {np.degrees(one[1]):.0f}°" for one in gallery["map_truth"]]
    figures = (
        picture(
            "array_maps",
            drawings.array_maps(gallery),
            "Three simulated showers as the array sees them. Circles: stations that triggered, the larger the more"
            " signal; colour: start time after the first (the front sweeps over the array). Small rings: working"
            " stations that saw too little; crosses: stations that are out of order. Red: where the axis hits the"
            " ground, and the way the shower flies.",
            f"Maps of the array with triggered stations, for showers of {listed(energies)}.",
        ),
        picture(
            "traces",
            drawings.traces(gallery["trace"], gallery["trace_distance"], gallery["trace_signal"],
                            gallery["trace_muon_fraction"]),
            "Traces of three stations of the second shower: near the axis much signal in a short time, far away little"
            " over a long one. Single muons are sharp steps; the water keeps their light for about 60 ns. The part that"
            " muons left is known to the simulation only.",
            "Signal against time of three stations at growing distance from the axis.",
        ),
    )  # fmt: skip
    return Section(
        "What the array sees",
        f"{whole(config.records)} showers of {listed(list(config.primaries))} hit an array of water-Cherenkov"
        f" stations, {whole(config.spacing)} m apart, {whole(config.altitude)} m above the sea. Signals are counted"
        " in units of a vertical muon (VEM) and recorded every 25 ns; the start time is that of the first particle,"
        " which is later, and less certain, the fewer particles a station sees, with a clock noise of"
        f" {config.timing_noise:g} ns.",
        figures,
    )


def development_section(gallery: Mapping[str, Values]) -> Section | None:
    """What lies behind: longitudinal development, lateral distribution, front."""
    drawn: list[Figure] = []
    if "profile" in gallery:
        low, high = (float(edge) for edge in gallery["xmax_energies"])
        drawn.append(
            picture(
                "depths",
                drawings.depths(gallery),
                "Left: number of particles against depth of three showers of each primary, scaled to 10 EeV and"
                " with the mean width of profiles. Right: depths of maximum of the data set's showers of"
                f" 10<sup>{low:g}</sup> to 10<sup>{high:g}</sup> eV; light nuclei penetrate deeper and fluctuate"
                " more.",
                "Longitudinal profiles of showers, and histograms of the depth of maximum, by primary.",
            )
        )
    if "radius" in gallery and np.isfinite(gallery["signal"]).any():
        energy, zenith = gallery["lateral_range"]
        drawn.append(
            picture(
                "lateral",
                drawings.lateral(gallery),
                f"Left: mean signal against the distance to the axis, of showers of 10<sup>{energy[0]:g}</sup> to"
                f" 10<sup>{energy[1]:g}</sup> eV and {zenith[0]:g} to {zenith[1]:g}° zenith angle. Lines: what the"
                " simulation expects of all stations (electromagnetic particles, muons, sum); points: mean of the"
                " stations that triggered. Far out only upward fluctuations trigger, so that points lie above the"
                " line; next to the axis traces are clipped, so that they lie below. Right: part of the working"
                " stations that trigger.",
                "Signal against distance to the axis with muon and electromagnetic parts, and trigger probability.",
            )
        )
    if "delay" in gallery and np.isfinite(gallery["delay"]).any():
        drawn.append(
            picture(
                "delays",
                drawings.delays(gallery),
                "Delay of start times behind the plane through the true core, perpendicular to the true axis:"
                " median and central 68 % of triggered stations. Dashed: the simulated front, a sphere around a"
                " point high up on the axis. A plane fit has no place for this curve; and what scatters about it is"
                " what the first of few particles does.",
                "Delay of the start time against the distance to the axis for steep and for inclined showers.",
            )
        )
    if not drawn:
        return None
    return Section(
        "How the simulated showers develop",
        "Depth of maximum: Gumbel distributions fitted to full simulations (JCAP 07 (2013) 050). Signals at the"
        " ground are universal functions of energy and depth behind the maximum; every particle that hits a station"
        " has an arrival time of its own. The study's page of the documentation has the formulae.",
        tuple(drawn),
    )
