"""A user's own catalogue of cosmic rays: text (CSV or columns), a FITS table, or HDF5, as energies and directions.

Conventions: energies in EeV, directions as unit vectors in Galactic coordinates, x to the Galactic centre, z to the
north Galactic pole. A file holds one sky, or several of equal size told apart by a column ``sky``. Equatorial
coordinates are ICRS (J2000).
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from cloudchamber.data.files import open_file, reading
from cloudchamber.data.seal import is_sealed
from cloudchamber.schema import Arrays, BadInput, did_you_mean

FEWEST = 10
"""Fewest cosmic rays of a sky."""

NAMES: dict[str, tuple[str, ...]] = {
    "energy": ("energy", "e", "e_eev", "energy_eev", "e_ev", "energy_ev", "e_gev", "energy_gev", "e_pev", "energy_pev"),
    "l": ("l", "glon", "gal_lon", "gal_l", "galactic_longitude", "l_deg"),
    "b": ("b", "glat", "gal_lat", "gal_b", "galactic_latitude", "b_deg"),
    "ra": ("ra", "raj2000", "ra_j2000", "_raj2000", "right_ascension", "ra_deg"),
    "dec": ("dec", "dej2000", "dec_j2000", "_dej2000", "declination", "decl", "dec_deg"),
    "x": ("x",),
    "y": ("y",),
    "z": ("z",),
    "direction": ("direction",),
    "exposure": ("exposure",),
    "sky": ("sky",),
}
"""Names of columns that are known, whatever their case."""

SYSTEMS = {
    "Galactic": ("l", "b"),
    "equatorial": ("ra", "dec"),
    "Cartesian": ("x", "y", "z"),
    "vectors": ("direction",),
}

UNITS = {"eV": 1e18, "GeV": 1e9, "TeV": 1e6, "PeV": 1e3, "EeV": 1.0}
"""How many of it are an EeV."""

NORM_TOLERANCE = 1e-3


def is_catalogue(path: Path) -> bool:
    """Whether the file is a FITS file or text, by its first bytes. BadInput if it cannot be read."""
    start = _start(path)
    return start.startswith(b"SIMPLE  =") or _is_text(start)


def _start(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4096)
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None


def _is_text(start: bytes) -> bool:
    """UTF-8 (its last character may be cut) without control characters other than white space."""
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(start) - 3:
            return False
    return bool(start) and not re.search(rb"[\x00-\x08\x0e-\x1f]", start)


def read_catalogue(path: Path, minimum_energy: float | None, mapping: Mapping[str, str] | None = None) -> Arrays:
    """Energies and directions of a catalogue.

    Args:
        path: text with a header (comma, semicolon or white space between columns), a FITS file (its first table), or
            HDF5 with one-dimensional columns, or ``energy`` and ``direction`` as this package writes them.
        minimum_energy: EeV that no energy may be below; None: any.
        mapping: our name (energy, l, b, ra, dec, x, y, z, direction, exposure, sky) to the file's, where it is not
            found by itself. With it one also chooses between two coordinate systems.

    Returns:
        ``energy`` (sky, cosmic_ray) in EeV, ``direction`` (sky, cosmic_ray, 3) of unit length in Galactic coordinates,
        and ``exposure`` (sky, cosmic_ray) if the file has it; float32.

    Raises:
        BadInput: not readable, no such columns (did-you-mean), both Galactic and equatorial coordinates, NaN, wrong
            unit, directions out of range or not of unit length, energies below the minimum, fewer than 10 cosmic rays,
            or skies of different sizes.
    """
    for name in mapping or {}:
        if name not in NAMES:
            raise BadInput(f"--map {name}: no such column{did_you_mean(name, NAMES)}", status=2)
    start = _start(path)
    if not start:
        raise BadInput(f"{path} is empty: give a table with a header")
    if start.startswith(b"SIMPLE  ="):
        table, units = _read_fits(path)
    elif _is_text(start):
        table, units = _read_text(path), {}
    elif is_sealed(path) or h5py.is_hdf5(path):
        table, units = _read_hdf5(path)
    else:
        raise BadInput(f"{path} is not text, FITS or HDF5 (by its first bytes): convert it to one of these")
    try:
        return _skies(_Columns(table, units, dict(mapping or {})), minimum_energy)
    except BadInput as error:
        raise BadInput(f"{path}: {error}", status=error.status) from None


# --- files to columns -------------------------------------------------------------------------------------------------


def _read_text(path: Path) -> Arrays:
    """Columns of a text table by the names of its header, which may begin with ``#``."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as text: {error}") from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1) if line.strip()]
    rows = [(number, line) for number, line in numbered if not line.startswith("#")]
    comments = [line.lstrip("# ") for _, line in numbered if line.startswith("#")]
    first = rows[0][1] if rows else ""
    if rows and all(_number(cell) is not None for cell in _cells(first, first)):  # the header is the last comment
        if not comments or len(_cells(comments[-1], first)) != len(_cells(first, first)):
            raise BadInput(f"{path}: line {rows[0][0]} is numbers: begin with a line that names the columns")
        header = _cells(comments[-1], first)
    elif rows:
        header, rows = _cells(first, first), rows[1:]
    else:
        raise BadInput(f"{path} holds no table: give a header and one line a cosmic ray")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise BadInput(f"{path}: two columns are named {twice!r}: rename one")
    values = np.empty((len(rows), len(header)))
    words: set[int] = set()
    for row, (number, line) in enumerate(rows):
        cells = _cells(line, first)
        if len(cells) != len(header):
            raise BadInput(
                f"{path}: line {number} has {len(cells)} cells, the header {len(header)}: complete it (truncated?)"
            )
        for column, cell in enumerate(cells):
            value = _number(cell)
            if value is None:
                words.add(column)
            values[row, column] = np.nan if value is None else value
    table: Arrays = {name: values[:, column] for column, name in enumerate(header)}
    for column in words:  # a column of words is refused only if it is asked for
        table[header[column]] = np.array([_cells(line, first)[column] for _, line in rows], dtype=object)
    return table


def _cells(line: str, like: str) -> list[str]:
    """The cells of a line, separated as in the line ``like``."""
    mark = next((mark for mark in (",", ";") if mark in like), None)
    if mark is None:
        return line.split()
    return [cell.strip() for cell in next(csv.reader([line], delimiter=mark, skipinitialspace=True))]


def _number(cell: str) -> float | None:
    """The number in a cell, NaN if it is empty, None if it is a word."""
    if cell in {"", "--", "null", "NULL", "N/A"}:
        return float("nan")
    try:
        return float(cell)
    except ValueError:
        return None


def _read_fits(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Columns and their units of the first table of a FITS file."""
    from astropy.io import fits

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a truncated file is only a warning there
            with fits.open(path, memmap=False) as file:
                tables = [unit for unit in file if isinstance(unit, fits.BinTableHDU | fits.TableHDU)]
                if not tables:
                    raise BadInput(f"{path} holds no table: give a FITS file with a table extension")
                columns = tables[0].columns
                table = {name: np.array(tables[0].data[name]) for name in columns.names}
                return table, {column.name: column.unit for column in columns if column.unit}
    except BadInput:
        raise
    except Exception as error:  # astropy raises nearly everything on a broken file
        reason = " ".join(str(error).split())[:120]
        raise BadInput(f"{path} cannot be read (truncated, altered, or not FITS): {reason}") from None


def _read_hdf5(path: Path) -> tuple[Arrays, dict[str, str]]:
    """Every numeric column of an HDF5 file by its path, and the units that are noted."""
    table: Arrays = {}
    units: dict[str, str] = {}
    with reading(path), open_file(path) as file:

        def keep(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub" and item.ndim:
                table[name] = item[()]
                units.update({name: str(item.attrs["unit"])} if item.attrs.get("unit") else {})

        file.visititems(keep)
    return table, units


# --- columns to skies -------------------------------------------------------------------------------------------------


class _Columns:
    """The columns of a file by our names: which there are, and their checked values."""

    def __init__(self, table: Arrays, units: Mapping[str, str], mapping: Mapping[str, str]) -> None:
        self.table, self.units = table, units
        self.found = dict(mapping)
        for name, place in mapping.items():
            if place not in table:
                raise BadInput(f"no column {place!r} for {name}{did_you_mean(place, table)}")
        for name, known in NAMES.items():
            if name in mapping:
                continue
            near = [place for place in table if place.lower() in known and place not in mapping.values()]
            if len(near) > 1:
                raise BadInput(
                    f"columns {near[0]!r} and {near[1]!r} both look like {name}: say --map {name}={near[0]}", status=2
                )
            if near:
                self.found[name] = near[0]
        self.mapped = set(mapping)

    def system(self) -> str:
        """The coordinate system: the one that is complete, or among several the one that the mapping names."""
        complete = [system for system, names in SYSTEMS.items() if self.found.keys() >= set(names)]
        named = [system for system in complete if self.mapped & set(SYSTEMS[system])]
        if len(named) == 1 or len(complete) == 1:
            return (named or complete)[0]
        if complete:
            first, second = ("/".join(SYSTEMS[system]) for system in complete[:2])
            chosen = " ".join(f"--map {name}={self.found[name]}" for name in SYSTEMS[complete[0]])
            raise BadInput(f"directions are given as {first} and as {second}: choose one, for instance {chosen}")
        for names in SYSTEMS.values():
            for name in names:
                if set(names) & self.found.keys() and name not in self.found:
                    raise BadInput(self._missing(name, NAMES[name]))
        raise BadInput(
            f"no directions: expected columns l and b, ra and dec, or x, y and z; found {', '.join(self.table)}: "
            "say --map l=YOURS --map b=YOURS"
        )

    def _missing(self, name: str, known: Sequence[str]) -> str:
        free = [place for place in self.table if place not in self.found.values()]
        hint = did_you_mean(name, free) if free else f"; found only {', '.join(self.table)}"
        return f"no column {name!r} (also known as {', '.join(known[1:4]) or name}){hint} (--map {name}=YOURS)"

    def values(self, name: str) -> NDArray[np.float64]:
        """The values of one of our columns in float64; BadInput if it is missing, not numbers, or not finite."""
        if name not in self.found:
            raise BadInput(self._missing(name, NAMES[name]))
        place = self.found[name]
        raw = np.asarray(self.table[place])
        if raw.dtype.kind not in "fiub":
            words = (cell for cell in raw.ravel().tolist() if not isinstance(cell, str) or _number(cell) is None)
            raise BadInput(f"column {place!r} holds {next(words, 'words')!r}: give numbers")
        values = np.asarray(raw, dtype=np.float64)
        wrong = ~np.isfinite(values)
        if wrong.any():
            rows = int(wrong.reshape(len(values), -1).any(axis=1).sum())
            raise BadInput(f"column {place!r}: {rows} of {len(values)} rows are NaN, infinite or empty: remove them")
        return values


def _skies(columns: _Columns, minimum_energy: float | None) -> Arrays:
    energy = columns.values("energy")
    direction = _directions(columns)
    several = energy.ndim == 2
    if energy.ndim > 2 or direction.shape != (*energy.shape, 3):
        raise BadInput(
            f"energy has shape {energy.shape}, directions {direction.shape}: expected (cosmic_ray) and "
            "(cosmic_ray, 3), or both with a first axis sky"
        )
    arrays = {"energy": _energies(columns, energy, minimum_energy), "direction": direction}
    if "exposure" in columns.found:
        exposure = columns.values("exposure")
        if exposure.shape != energy.shape or (exposure < 0).any():
            raise BadInput(f"column {columns.found['exposure']!r}: expected one number a cosmic ray, not negative")
        arrays["exposure"] = exposure
    if "sky" in columns.found and not several:
        arrays = _by_sky(arrays, columns.values("sky"))
    elif not several:
        arrays = {name: values[None] for name, values in arrays.items()}
    count = arrays["energy"].shape[1]
    if count < FEWEST:
        raise BadInput(f"{count} cosmic rays a sky: expected at least {FEWEST}")
    return {name: np.ascontiguousarray(values, dtype=np.float32) for name, values in arrays.items()}


def _by_sky(arrays: Arrays, sky: NDArray[np.float64]) -> Arrays:
    """Rows (cosmic_ray, ...) to (sky, cosmic_ray, ...): skies ascending, their cosmic rays in the order of the file."""
    labels, counts = np.unique(sky, return_counts=True)
    if sky.ndim != 1 or (counts != counts[0]).any():
        few, many = labels[counts.argmin()], labels[counts.argmax()]
        raise BadInput(
            f"sky {few:g} has {counts.min()} cosmic rays, sky {many:g} has {counts.max()}: expected the same number in "
            "each (cut to the most energetic, or give a file a sky)"
        )
    order = np.argsort(sky, kind="stable")
    return {name: values[order].reshape(len(labels), counts[0], *values.shape[1:]) for name, values in arrays.items()}


def _energies(columns: _Columns, energy: NDArray[np.float64], minimum_energy: float | None) -> NDArray[np.float64]:
    """Energies in EeV, from the unit that the file or the column's name says; BadInput if they look like another."""
    place = columns.found["energy"]
    said = columns.units.get(place, place.rpartition("_")[2])
    unit = next((unit for unit in UNITS if unit.lower() == said.lower()), "EeV")
    if place in columns.units and unit.lower() != said.lower():
        raise BadInput(f"column {place!r} is in {said!r}: expected EeV, or {', '.join(UNITS)}, which are converted")
    energy = energy / UNITS[unit]
    if not energy.size:
        return energy
    median = float(np.median(energy))
    if median > 1e3 and unit == "EeV":  # no cosmic ray above 320 EeV was ever seen
        for wrong, factor in UNITS.items():
            if 1 <= median / factor < 1e3:
                raise BadInput(
                    f"energies look like {wrong} (median {median:.3g}): divide by 1e{round(np.log10(factor))} for EeV"
                )
    if median > 1e3 or energy.min() <= 0:
        raise BadInput(f"energies from {energy.min():.4g} to {energy.max():.4g} EeV: expected 1 to 1000 EeV")
    low = energy < (minimum_energy or 0.0) * (1 - 1e-6)  # float32 of the minimum itself is not below it
    if minimum_energy is not None and low.any():
        if energy.min() > 17 and energy.max() < 21.5:
            raise BadInput(f"energies look like log10(E/eV) (median {median:.4g}): give 10**(value - 18) in EeV")
        raise BadInput(
            f"{low.sum()} of {energy.size} energies are below {minimum_energy:g} EeV (smallest {energy.min():.4g}): "
            f"cut them, or say --set minimum_energy={np.floor(energy.min() * 100) / 100:g}"
        )
    return energy


def _directions(columns: _Columns) -> NDArray[np.float64]:
    """Unit vectors (..., 3) in Galactic coordinates."""
    system = columns.system()
    names = SYSTEMS[system]
    parts = [columns.values(name) for name in names]
    if len({part.shape for part in parts}) > 1:
        raise BadInput(f"columns {', '.join(columns.found[name] for name in names)} have different lengths")
    if system in ("Galactic", "equatorial"):
        from cloudchamber.simulators.cosmicrays.directions import to_galactic

        longitude, latitude = (_degrees(columns, name) for name in names)
        said = any(columns.found[name] in columns.units for name in names)
        if not said and longitude.size and np.abs(longitude).max() <= 2 * np.pi and np.abs(latitude).max() <= np.pi / 2:
            raise BadInput(f"{names[0]} and {names[1]} look like radians (largest {longitude.max():.3g}): give degrees")
        vectors = _unit_vectors(np.radians(longitude), np.radians(latitude))
        return vectors if system == "Galactic" else to_galactic(vectors)
    vectors = parts[0] if system == "vectors" else np.stack(parts, axis=-1)
    if vectors.ndim < 2 or vectors.shape[-1] != 3:
        raise BadInput(f"column 'direction' has shape {vectors.shape}: expected (cosmic_ray, 3)")
    norm = np.linalg.norm(vectors, axis=-1, keepdims=True)
    off = np.abs(norm - 1)
    if (off > NORM_TOLERANCE).any():
        raise BadInput(
            f"{(off > NORM_TOLERANCE).sum()} of {off.size} directions are not of unit length (worst norm "
            f"{norm.ravel()[off.argmax()]:.4g}): expected 1 within {NORM_TOLERANCE:g}, divide them by their norm"
        )
    return np.where(off > 1e-6, vectors / norm, vectors)  # what is of unit length in float32 stays bit for bit


def _degrees(columns: _Columns, name: str) -> NDArray[np.float64]:
    values = columns.values(name)
    place = columns.found[name]
    unit = columns.units.get(place, "deg").lower()
    if unit in ("rad", "radian", "radians"):
        values = np.degrees(values)
    elif unit not in ("deg", "degree", "degrees"):
        raise BadInput(f"column {place!r} is in {unit!r}: expected degrees")
    low, high = (-180, 360) if name in ("l", "ra") else (-90, 90)
    wrong = (values < low) | (values > high)
    if wrong.any():
        worst = values[np.abs(values - (low + high) / 2).argmax()]
        raise BadInput(
            f"column {place!r}: {wrong.sum()} of {values.size} values are outside {low} to {high} degrees "
            f"(worst {worst:.6g}): check the column and its unit"
        )
    return values


def _unit_vectors(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radians (...) to unit vectors (..., 3)."""
    flat = np.cos(latitude)
    return np.stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)], axis=-1)
