"""``cloudchamber sim radio -n 1000 -o traces.h5``: radio traces of an antenna with and without pulses of air showers.

HDF5: the columns of the study ``radio-denoising`` with axes and units, for ``cloudchamber evaluate RUN --data
traces.h5``; without a file, a table of the truth, one line a trace, with angles in degrees.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.sim.output import check_output
from cloudchamber.sim.settings import setting as option

if TYPE_CHECKING:
    from cloudchamber.simulators.airshower.radio_traces import RadioOptions

SUFFIXES = (".h5", ".hdf5")
BATCH = 1000
"""Traces simulated and written at once."""
IN_A_TABLE, IN_A_FILE = 10, 1000
"""Traces, if their number is not given."""
HEADER = "  trace pulse  lg(E/eV) zenith azimuth distance/m      SNR  fluence/(eV/m2)  peak/ns lines bursts"

OUTPUT, SHOWERS, NOISE, ANTENNA = "Output", "Showers", "Noise", "Antenna"

setting = partial(option, "cloudchamber.simulators.airshower.radio_traces:RadioOptions")

Number = Annotated[
    int | None,
    typer.Option(
        "-n",
        "--number",
        help=f"traces (default: {IN_A_FILE}, in a table {IN_A_TABLE})",
        rich_help_panel=OUTPUT,
    ),
]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="file .h5; default: a table", rich_help_panel=OUTPUT)
]
RandomSeed = Annotated[int, typer.Option(help="the same seed: the same traces", rich_help_panel=OUTPUT)]
PulseFraction = Annotated[float, setting("pulse_fraction", text="share of the traces with a pulse", panel=SHOWERS)]
LgEnergy = Annotated[
    str, setting("lg_energy_min", "lg_energy_max", text="log10(E/eV), uniform, or one number", panel=SHOWERS)
]
ZenithMax = Annotated[float, setting("zenith_max", text="largest zenith angle [degrees], up to 60", panel=SHOWERS)]
AxisDistanceMax = Annotated[float, setting("axis_distance_max", text="largest distance to the axis [m]", panel=SHOWERS)]
Primaries = Annotated[str, setting("primaries", text="H, He, C, N, O, Si, Fe; with commas", panel=SHOWERS)]
ChargeExcess = Annotated[
    float, setting("charge_excess", text="over the geomagnetic field, at 150 m and 40 degrees", panel=SHOWERS)
]
Snr = Annotated[
    str | None,
    typer.Option(
        metavar="LOW:HIGH", help="scale pulses to these SNR, log-uniform; default: physics", rich_help_panel=SHOWERS
    ),
]
GalacticTemperature = Annotated[float, setting("galactic_temperature", text="of the sky at 300 MHz [K]", panel=NOISE)]
ThermalTemperature = Annotated[float, setting("thermal_temperature", text="of the electronics [K]", panel=NOISE)]
LinesMax = Annotated[int, setting("lines_max", text="most transmitters in a trace", panel=NOISE)]
BurstRate = Annotated[float, setting("burst_rate", text="mean number of impulsive disturbances", panel=NOISE)]
Samples = Annotated[int, setting("samples", text="of a trace", panel=ANTENNA)]
Sampling = Annotated[float, setting("sampling", text="[MHz]", panel=ANTENNA)]
Band = Annotated[str, setting("band_low", "band_high", text="corners of the filter [MHz]", panel=ANTENNA)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="any other field of RadioOptions", rich_help_panel=ANTENNA),
]


def radio(
    *,
    number: Number = None,
    output: Output = None,
    random_seed: RandomSeed = 1,
    pulse_fraction: PulseFraction,
    lg_energy: LgEnergy,
    zenith_max: ZenithMax,
    axis_distance_max: AxisDistanceMax,
    primaries: Primaries,
    charge_excess: ChargeExcess,
    snr: Snr = None,
    galactic_temperature: GalacticTemperature,
    thermal_temperature: ThermalTemperature,
    lines_max: LinesMax,
    burst_rate: BurstRate,
    samples: Samples,
    sampling: Sampling,
    band: Band,
    settings: Settings = None,
) -> None:
    """Radio traces of one antenna: pulses of air showers in noise of the Galaxy, transmitters and sparks.

    Prints a table, or writes an HDF5 file: measured trace and the signal in it [uV/m], and the truth about each trace.
    """
    if output is not None:
        check_output(output, SUFFIXES)
    count = (IN_A_TABLE if output is None else IN_A_FILE) if number is None else number
    if count < 1:
        raise BadInput(f"{count} traces: give at least 1", status=2)
    if random_seed < 0:
        raise BadInput(f"random seed {random_seed}: need a whole number of at least 0", status=2)
    from cloudchamber.simulators.airshower.radio_traces import RadioOptions

    lowest, highest = _interval("lg-energy", lg_energy)
    low, high = _interval("band", band)
    changes: dict[str, object] = {
        "pulse_fraction": pulse_fraction, "lg_energy_min": lowest, "lg_energy_max": highest, "zenith_max": zenith_max,
        "axis_distance_max": axis_distance_max, "primaries": primaries, "charge_excess": charge_excess,
        "galactic_temperature": galactic_temperature, "thermal_temperature": thermal_temperature,
        "lines_max": lines_max, "burst_rate": burst_rate, "samples": samples, "sampling": sampling, "band_low": low,
        "band_high": high,
    }  # fmt: skip
    if snr is not None:
        changes["snr_min"], changes["snr_max"] = _interval("snr", snr)
    for one in settings or ():
        key, equals, value = one.partition("=")
        if not equals:
            raise BadInput(f"setting {one!r}: give KEY=VALUE, such as --set adc_bits=14", status=2)
        changes[key.strip()] = value.strip()
    options = RadioOptions().changed(changes)
    if output is None:
        _print(_batches(options, count, random_seed))
    else:
        _write(output, options, count, random_seed)


def _interval(name: str, text: str) -> tuple[float, float]:
    """``"17:18"`` to (17, 18), ``"4"`` to (4, 4)."""
    try:
        numbers = [float(one) for one in text.split(":")]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(map(math.isfinite, numbers)):
        raise BadInput(f"--{name} {text!r}: give LOW:HIGH, such as 2:10, or one number", status=2)
    return numbers[0], numbers[-1]


def _batches(options: RadioOptions, number: int, seed: int) -> Iterator[Arrays]:
    """The traces, some at a time; all from one stream of random numbers."""
    import numpy as np

    from cloudchamber.data.radio_traces import simulated

    rng = np.random.default_rng(seed)
    for first in range(0, number, BATCH):
        yield simulated(options, min(BATCH, number - first), rng)


def _print(batches: Iterator[Arrays]) -> None:
    typer.echo(HEADER)
    first = 0
    for arrays in batches:
        for i in range(len(arrays["snr"])):
            row = {name: values[i] for name, values in arrays.items() if values.ndim == 1}
            noise = f"{row['lines']:5d} {row['bursts']:6d}"
            if row["has_pulse"]:
                angles = f"{math.degrees(row['zenith']):6.1f} {math.degrees(row['azimuth']):7.1f}"
                shower = f"{row['lg_energy']:9.2f} {angles} {row['axis_distance']:10.1f}"
                pulse = f"{row['snr']:8.2f} {row['fluence']:16.4g} {row['peak_time']:8.1f}"
            else:
                shower, pulse = f"{'-':>9} {'-':>6} {'-':>7} {'-':>10}", f"{'-':>8} {'-':>16} {'-':>8}"
            typer.echo(f"{first + i:7d} {'yes' if row['has_pulse'] else 'no':>5} {shower} {pulse} {noise}")
        first += len(arrays["snr"])


def _write(path: Path, options: RadioOptions, number: int, seed: int) -> None:
    from cloudchamber.data.columns import checked_columns
    from cloudchamber.data.radio_traces import OBSERVED, TRUTH
    from cloudchamber.data.shards import growing

    schema = {**OBSERVED, **TRUTH}
    start, pulses = time.monotonic(), 0
    about = {"config": json.dumps(options.model_dump()), "seed": str(seed), "sampling_MHz": options.sampling}
    with growing(path, schema, about) as append:
        for arrays in _batches(options, number, seed):
            append(checked_columns(arrays, schema, {"sample": options.samples}))
            pulses += int(arrays["has_pulse"].sum())
    typer.echo(
        f"{path}: {number} traces of {options.samples} samples at {options.sampling:g} MHz, {pulses} with a pulse;"
        f" seed {seed}, {time.monotonic() - start:.1f} s"
    )
