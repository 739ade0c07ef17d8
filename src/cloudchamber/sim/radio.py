"""``cloudchamber sim radio -n 1000 -o traces.h5``: radio traces of an antenna with and without pulses of air showers.

HDF5: the columns of ``simulators.airshower.radio_traces.TRACE_SCHEMA`` with axes and units; without a file, a table of
the truth, one line a trace, with angles in degrees.
"""

from __future__ import annotations

import json
import math
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cloudchamber.schema import Arrays, BadInput
from cloudchamber.sim.output import check_output

if TYPE_CHECKING:
    from cloudchamber.simulators.airshower.radio_traces import RadioOptions

SUFFIXES = (".h5", ".hdf5")
BATCH = 1000
"""Traces simulated and written at once."""
HEADER = "  trace pulse  lg(E/eV) zenith azimuth distance/m      SNR  fluence/(eV/m2)  peak/ns lines bursts"

OUTPUT, SHOWERS, NOISE, ANTENNA = "Output", "Showers", "Noise", "Antenna"

Number = Annotated[int, typer.Option("-n", "--number", help="number of traces", rich_help_panel=OUTPUT)]
Output = Annotated[
    Path | None, typer.Option("-o", "--output", help="file .h5; default: a table", rich_help_panel=OUTPUT)
]
RandomSeed = Annotated[int | None, typer.Option(help="default: from the system", rich_help_panel=OUTPUT)]
PulseFraction = Annotated[float, typer.Option(help="share of the traces with a pulse", rich_help_panel=SHOWERS)]
LgEnergy = Annotated[
    str, typer.Option(metavar="LOW:HIGH", help="log10(E/eV), uniform, or one number", rich_help_panel=SHOWERS)
]
ZenithMax = Annotated[float, typer.Option(help="largest zenith angle [degrees], up to 60", rich_help_panel=SHOWERS)]
AxisDistanceMax = Annotated[float, typer.Option(help="largest distance to the axis [m]", rich_help_panel=SHOWERS)]
Primaries = Annotated[str, typer.Option(help="H, He, C, N, O, Si, Fe; with commas", rich_help_panel=SHOWERS)]
ChargeExcess = Annotated[
    float, typer.Option(help="over the geomagnetic field, at 150 m and 40 degrees", rich_help_panel=SHOWERS)
]
Snr = Annotated[
    str | None,
    typer.Option(
        metavar="LOW:HIGH", help="scale pulses to these SNR, log-uniform; default: physics", rich_help_panel=SHOWERS
    ),
]
GalacticTemperature = Annotated[float, typer.Option(help="of the sky at 300 MHz [K]", rich_help_panel=NOISE)]
ThermalTemperature = Annotated[float, typer.Option(help="of the electronics [K]", rich_help_panel=NOISE)]
LinesMax = Annotated[int, typer.Option(help="most transmitters in a trace", rich_help_panel=NOISE)]
BurstRate = Annotated[float, typer.Option(help="mean number of impulsive disturbances", rich_help_panel=NOISE)]
Samples = Annotated[int, typer.Option(help="of a trace", rich_help_panel=ANTENNA)]
Sampling = Annotated[float, typer.Option(help="[MHz]", rich_help_panel=ANTENNA)]
Band = Annotated[str, typer.Option(metavar="LOW:HIGH", help="corners of the filter [MHz]", rich_help_panel=ANTENNA)]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="any other field of RadioOptions", rich_help_panel=ANTENNA),
]


def radio(
    number: Number = 10,
    output: Output = None,
    random_seed: RandomSeed = None,
    pulse_fraction: PulseFraction = 0.5,
    lg_energy: LgEnergy = "17:18.5",
    zenith_max: ZenithMax = 60.0,
    axis_distance_max: AxisDistanceMax = 300.0,
    primaries: Primaries = "H,He,N,Fe",
    charge_excess: ChargeExcess = 0.14,
    snr: Snr = None,
    galactic_temperature: GalacticTemperature = 60.0,
    thermal_temperature: ThermalTemperature = 300.0,
    lines_max: LinesMax = 5,
    burst_rate: BurstRate = 0.2,
    samples: Samples = 500,
    sampling: Sampling = 180.0,
    band: Band = "30:80",
    settings: Settings = None,
) -> None:
    """Radio traces of one antenna: pulses of air showers in noise of the Galaxy, transmitters and sparks.

    Prints a table, or writes an HDF5 file: signal and noise [uV/m], and the truth about each trace.
    """
    if output is not None:
        check_output(output, SUFFIXES)
    if number < 1:
        raise BadInput(f"{number} traces: give at least 1", status=2)
    if random_seed is not None and random_seed < 0:
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
    seed = secrets.randbits(62) if random_seed is None else random_seed
    if output is None:
        _print(_batches(options, number, seed))
        return
    _write(output, options, number, seed)


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

    from cloudchamber.simulators.airshower.radio_traces import radio_traces

    rng = np.random.default_rng(seed)
    for first in range(0, number, BATCH):
        yield radio_traces(options, min(BATCH, number - first), rng)


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
    from cloudchamber.data.shards import growing
    from cloudchamber.simulators.airshower.radio_traces import TRACE_SCHEMA

    start, pulses = time.monotonic(), 0
    about = {"config": json.dumps(options.model_dump()), "seed": str(seed), "sampling_MHz": options.sampling}
    with growing(path, TRACE_SCHEMA, about) as append:
        for arrays in _batches(options, number, seed):
            append(checked_columns(arrays, TRACE_SCHEMA, {"sample": options.samples}))
            pulses += int(arrays["has_pulse"].sum())
    typer.echo(
        f"{path}: {number} traces of {options.samples} samples at {options.sampling:g} MHz, {pulses} with a pulse;"
        f" seed {seed}, {time.monotonic() - start:.1f} s"
    )
