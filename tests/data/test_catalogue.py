"""A user's own catalogue: the same sky from every kind of file, and one clear line for everything that cannot be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cloudchamber.data.catalogue import is_catalogue, read_catalogue
from cloudchamber.schema import BadInput

N = 40


def sky(n: int = N, seed: int = 1) -> dict[str, NDArray[np.float64]]:
    """Energies in EeV and directions in every system, each made with astropy from l and b."""
    from astropy import units
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(seed)
    galactic = SkyCoord(
        l=rng.uniform(0, 360, n) * units.deg, b=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * units.deg,
        frame="galactic",
    )  # fmt: skip
    x, y, z = galactic.cartesian.xyz.value
    return {
        "energy": rng.uniform(40, 150, n), "l": galactic.l.deg, "b": galactic.b.deg,
        "ra": galactic.icrs.ra.deg, "dec": galactic.icrs.dec.deg, "x": x, "y": y, "z": z,
    }  # fmt: skip


def write_csv(path: Path, columns: dict[str, Any], mark: str = ",") -> Path:
    rows = [mark.join(columns), *(mark.join(map(repr, map(float, row))) for row in zip(*columns.values(), strict=True))]
    path.write_text("\n".join(rows) + "\n")
    return path


def write_fits(path: Path, columns: dict[str, Any], units: dict[str, str] | None = None) -> Path:
    from astropy.table import Table

    table = Table({name: np.asarray(values) for name, values in columns.items()})
    for name, unit in (units or {}).items():
        table[name].unit = unit
    table.write(path, format="fits")
    return path


def pick(*names: str, **other: Any) -> dict[str, Any]:
    whole = sky()
    return {name: whole[name] for name in names} | other


@pytest.mark.parametrize("names", [("l", "b"), ("ra", "dec"), ("x", "y", "z")])
@pytest.mark.parametrize("kind", ["csv", "space", "fits", "hdf5"])
def test_every_kind_of_file_and_system_gives_the_same_sky(names: tuple[str, ...], kind: str, tmp_path: Path) -> None:
    """ICRS to Galactic within 2e-7 of astropy: its frame and that of Hipparcos differ by 0.02 arcseconds = 1e-7 rad."""
    columns, path = pick("energy", *names), tmp_path / "sky"
    if kind == "fits":
        write_fits(path, columns)
    elif kind == "hdf5":
        with h5py.File(path, "w") as file:
            for name, values in columns.items():
                file[name] = values
    else:
        write_csv(path, columns, "," if kind == "csv" else "  ")
    found, whole = read_catalogue(path, 40.0), sky()
    assert found["energy"].shape == (1, N)
    assert found["direction"].shape == (1, N, 3)
    assert all(values.dtype == np.float32 for values in found.values())
    np.testing.assert_allclose(found["energy"][0], whole["energy"], rtol=1e-7)
    truth = np.stack([whole["x"], whole["y"], whole["z"]], axis=-1)
    np.testing.assert_allclose(found["direction"][0], truth, atol=2e-7)
    assert is_catalogue(path) == (kind != "hdf5")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            st.floats(40, 300, width=32), st.floats(-180, 360), st.floats(-90, 90).filter(lambda b: abs(b) > 2)
        ),
        min_size=10, max_size=30,
    ),
    mark=st.sampled_from([",", ", ", ";", "\t", " "]),
    header=st.sampled_from(["energy {0} l {0} b", "E {0} GLON {0} GLAT", "# energy_EeV {0} l {0} b"]),
)  # fmt: skip
def test_any_text_table_of_a_sky_is_read_exactly(
    rows: list[tuple[float, float, float]], mark: str, header: str, tmp_path: Path
) -> None:
    path = tmp_path / "sky.csv"
    lines = [mark.join(header.format("").split()[-3:]), *(mark.join(map(repr, row)) for row in rows)]
    path.write_text(("# " if header.startswith("#") else "") + "\n".join(lines) + "\n")
    found = read_catalogue(path, 40.0)
    energy, longitude, latitude = (np.array(column) for column in zip(*rows, strict=True))
    assert np.array_equal(found["energy"][0], energy.astype(np.float32))
    x, y, z = found["direction"][0].astype(np.float64).T
    np.testing.assert_allclose(np.degrees(np.arctan2(z, np.hypot(x, y))), latitude, atol=2e-5)  # float32 of a vector
    turn = np.degrees(np.arctan2(y, x)) - longitude
    np.testing.assert_allclose((turn + 180) % 360 - 180, 0, atol=1e-5 / np.cos(np.radians(latitude)).clip(1e-4).min())


def test_own_file_comes_back_bit_for_bit(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    direction = rng.normal(size=(3, N, 3))
    direction = (direction / np.linalg.norm(direction, axis=-1, keepdims=True)).astype(np.float32)
    energy = rng.uniform(40, 100, (3, N)).astype(np.float32)
    with h5py.File(tmp_path / "own.h5", "w") as file:
        file["energy"], file["direction"] = energy, direction
        file["energy"].attrs["unit"] = "EeV"
        file["signal"] = np.zeros((3, N), np.uint8)
    found = read_catalogue(tmp_path / "own.h5", 40.0)
    assert found.keys() == {"energy", "direction"}
    assert np.array_equal(found["energy"], energy)
    assert np.array_equal(found["direction"], direction)


def test_columns_for_sky_exposure_and_units_are_understood(tmp_path: Path) -> None:
    number = np.arange(N) % 2
    path = write_csv(tmp_path / "many.csv", pick("energy", "l", "b", sky=number, exposure=np.arange(N)))
    found = read_catalogue(path, None)
    assert found["energy"].shape == (2, N // 2)
    assert np.array_equal(found["exposure"], [np.arange(0, N, 2), np.arange(1, N, 2)])
    np.testing.assert_allclose(found["energy"][1], sky()["energy"][1::2], rtol=1e-7)
    whole = sky()
    table = {"sd_energy": whole["energy"] * 1e18, "one": whole["l"], "two": whole["b"], "ra": whole["ra"]}
    path = write_fits(tmp_path / "units.fits", table, {"sd_energy": "eV"})
    found = read_catalogue(path, 40.0, {"energy": "sd_energy", "l": "one", "b": "two"})
    np.testing.assert_allclose(found["energy"][0], whole["energy"], rtol=1e-7)
    path = write_csv(tmp_path / "name.csv", pick("l", "b", energy_eV=whole["energy"] * 1e18))
    np.testing.assert_allclose(read_catalogue(path, 40.0)["energy"][0], whole["energy"], rtol=1e-7)
    both = write_csv(tmp_path / "both.csv", pick("energy", "l", "b", "ra", "dec"))
    chosen = read_catalogue(both, 40.0, {"ra": "ra", "dec": "dec"})
    np.testing.assert_allclose(chosen["direction"], read_catalogue(both, 40.0, {"l": "l"})["direction"], atol=3e-7)


def test_words_in_other_columns_do_no_harm(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "sky.csv", pick("energy", "l", "b"))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([f"name,{lines[0]}", *(f'"PAO, {i}",{line}' for i, line in enumerate(lines[1:]))]))
    assert read_catalogue(path, 40.0)["energy"].shape == (1, N)


def spoiled(name: str, row: int, value: float) -> dict[str, Any]:
    columns = pick("energy", "l", "b")
    columns[name] = columns[name].copy()
    columns[name][row] = value
    return columns


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (pick("l", "b", energy=sky()["energy"] * 1e18), ["look like eV", "divide by 1e18"]),
        (pick("l", "b", energy=sky()["energy"] * 1e9), ["look like GeV", "divide by 1e9"]),
        (pick("l", "b", energy=sky()["energy"] * 1e3), ["look like PeV", "divide by 1e3"]),
        (pick("l", "b", energy=18 + np.log10(sky()["energy"])), ["log10"]),
        (pick("l", "b", energy=-sky()["energy"]), ["energies from -"]),
        (spoiled("energy", 3, 39.5), ["1 of 40", "below 40", "39.5", "--set minimum_energy=39.5"]),
        (spoiled("energy", 3, np.nan), ["'energy'", "1 of 40"]),
        (spoiled("b", 4, np.nan), ["'b'", "1 of 40"]),
        (spoiled("l", 4, 361.0), ["'l'", "outside -180 to 360", "361"]),
        (spoiled("b", 4, -91.0), ["'b'", "outside -90 to 90", "-91"]),
        (pick("energy", l=np.radians(sky()["l"]), b=np.radians(sky()["b"])), ["radians"]),
        (pick("energy", "y", "z", x=1.1 * sky()["x"]), ["not of unit length", "worst norm 1."]),
        ({name: values[:9] for name, values in pick("energy", "l", "b").items()}, ["9 cosmic rays", "at least 10"]),
        ({name: values[:0] for name, values in pick("energy", "l", "b").items()}, ["0 cosmic rays", "at least 10"]),
        (pick("l", "b", enrgy=sky()["energy"]), ["no column 'energy'", "did you mean 'enrgy'"]),
        (pick("energy", "ra", decl_=sky()["dec"]), ["no column 'dec'", "did you mean 'decl_'"]),
        (pick("energy"), ["no directions"]),
        (pick("energy", "l", "b", "ra", "dec"), ["l/b", "ra/dec", "--map"]),
        (pick("energy", "l", "b", E=sky()["energy"]), ["both look like energy", "--map energy="]),
        (pick("energy", "l", "b", sky=np.arange(N) // 15), ["sky 2 has 10", "sky 0 has 15"]),
        (pick("energy", "l", "b", exposure=-np.ones(N)), ["exposure", "not negative"]),
    ],
)  # fmt: skip
def test_a_wrong_column_is_refused_in_one_clear_line(columns: dict[str, Any], words: list[str], tmp_path: Path) -> None:
    for path in (write_csv(tmp_path / "bad.csv", columns), write_fits(tmp_path / "bad.fits", columns)):
        if len(columns) == len({name.lower() for name in columns}):
            with pytest.raises(BadInput) as error:
                read_catalogue(path, 40.0)
            assert str(error.value).startswith(str(path))
            assert "\n" not in str(error.value)
            for word in words:
                assert word in str(error.value)


def test_a_misspelt_mapping_names_the_nearest_column(tmp_path: Path) -> None:
    path = write_csv(tmp_path / "sky.csv", pick("l", "b", my_col=sky()["energy"]))
    with pytest.raises(BadInput, match="did you mean 'energy'"):
        read_catalogue(path, 40.0, {"enrgy": "my_col"})
    with pytest.raises(BadInput, match="did you mean 'my_col'"):
        read_catalogue(path, 40.0, {"energy": "mycol"})
    assert read_catalogue(path, 40.0, {"energy": "my_col"})["energy"].shape == (1, N)


def test_a_damaged_or_foreign_file_is_refused_by_name(tmp_path: Path) -> None:
    whole = write_fits(tmp_path / "whole.fits", pick("energy", "l", "b")).read_bytes()
    csv = write_csv(tmp_path / "whole.csv", pick("energy", "l", "b")).read_text()
    contents = {
        "cut.fits": (whole[: len(whole) - 2880 + 100], "cut.fits"),
        "header.fits": (whole[:4000], "header.fits"),
        "cut.csv": (csv[: csv.rindex(",")].encode(), "line 41 has 2 cells"),
        "empty.csv": (b"", "is empty"),
        "numbers.csv": (csv.partition("\n")[2].encode(), "names the columns"),
        "words.csv": (csv.replace("\n", "\nx", 1).encode(), "give numbers"),
        "noise.bin": (bytes(range(256)) * 4, "not text, FITS or HDF5"),
        "twice.csv": (csv.replace("energy,l,b", "l,l,b").encode(), "two columns are named"),
    }
    for name, (content, word) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInput, match=word):
            read_catalogue(tmp_path / name, 40.0)
    with pytest.raises(BadInput, match="cannot read"):
        read_catalogue(tmp_path / "nowhere.csv", 40.0)
    with h5py.File(tmp_path / "whole.h5", "w") as file:
        for key, values in pick("energy", "l", "b").items():
            file[key] = values
    (tmp_path / "cut.h5").write_bytes((tmp_path / "whole.h5").read_bytes()[:1500])
    with pytest.raises(BadInput, match=r"cut\.h5"):
        read_catalogue(tmp_path / "cut.h5", 40.0)
