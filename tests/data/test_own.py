"""A user's own files: HDF5, Parquet and ROOT give the same records; what does not fit is refused in one line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import awkward as ak
import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
import uproot

from cloudchamber.data import shards
from cloudchamber.data.own import read_own
from cloudchamber.data.shards import write_shard
from cloudchamber.data.store import Dataset
from cloudchamber.schema import Array, Arrays, BadInput

SCHEMA = {
    "energy": Array("event", "GeV", "energy", low=0),
    "layer": Array("event", "", "number", dtype="int32"),
    "hits": Array("event row column", "fm", "deposits"),
}
LENGTHS = {"row": 3, "column": 4}
MAPPING = {"hits": "tree/deposits"}
KINDS = ("h5", "parquet", "root")


def arrays_of(count: int = 50) -> Arrays:
    rng = np.random.default_rng(5)
    return {
        "energy": rng.exponential(size=count),
        "layer": np.arange(count),
        "hits": rng.normal(size=(count, 3, 4)).astype(np.float32),
    }


def written(path: Path, kind: str, arrays: Arrays) -> Path:
    """A file whose name says nothing, with ``hits`` under another name and one column too many."""
    file = path / f"mine-{kind}"
    if kind == "h5":
        with h5py.File(file, "w") as out:
            for name, values in arrays.items():
                out[MAPPING.get(name, name)] = values
            out["comment"] = "spam"
            out["energy"].attrs["unit"] = "GeV"
    elif kind == "parquet":
        columns: dict[str, Any] = {
            MAPPING.get(name, name): pa.array(values.tolist() or values) for name, values in arrays.items()
        }
        pyarrow.parquet.write_table(pa.table(columns | {"comment": ["spam"] * len(arrays["energy"])}), file)
    else:
        kind_of = {"deposits" if name == "hits" else name: values for name, values in arrays.items()}
        with uproot.recreate(file) as out:
            if kind == "root":
                tree = out.mktree("tree", {name: np.dtype((v.dtype, v.shape[1:])) for name, v in kind_of.items()})
                tree.extend(kind_of)
            else:
                out.mkrntuple("tree", {name: ak.Array(values.tolist()) for name, values in kind_of.items()})
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_file_gives_the_same_records(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "CHUNK_BYTES", 300)
    arrays = arrays_of()
    records = read_own(written(tmp_path, kind, arrays), SCHEMA, LENGTHS, MAPPING)
    assert len(records) == 50
    indices = np.array([3, 49, 0, 3])
    for name, values in records.read(indices).items():
        assert values.dtype == np.dtype(SCHEMA[name].dtype)
        np.testing.assert_array_equal(values, arrays[name][indices].astype(SCHEMA[name].dtype))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("hits", np.zeros((50, 3, 5), np.float32), r"'hits': expected \(event, row=3, column=4\) in fm, found shape"),
        ("hits", np.zeros(50, np.float32), r"found shape \(50,\)"),
        ("hits", np.where(np.arange(600).reshape(50, 3, 4) == 599, np.nan, 1), "finite values: remove NaN"),
        ("energy", np.linspace(-1, 1, 50), "'energy': .* below 0"),
        ("layer", np.arange(50) + 0.5, "'layer': expected whole numbers that fit int32"),
        ("layer", np.arange(50) + 2**40, "'layer': expected whole numbers that fit int32"),
        ("energy", np.full(50, 1e200), "'energy': .*finite values"),
    ],
)
def test_values_outside_the_schema_are_refused_by_column(
    tmp_path: Path, kind: str, name: str, values: Any, message: str
) -> None:
    file = written(tmp_path, kind, arrays_of() | {name: values})
    with pytest.raises(BadInput, match=message) as caught:
        read_own(file, SCHEMA, LENGTHS, MAPPING)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_column_names_the_nearest_one(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, kind, arrays_of())
    with pytest.raises(BadInput, match="no column 'energies'; did you mean 'energy'"):
        read_own(file, SCHEMA, LENGTHS, MAPPING | {"energy": "energies"})
    with pytest.raises(BadInput, match=r"no such column; did you mean 'hits'\?") as caught:
        read_own(file, SCHEMA, LENGTHS, {"hit": "tree/deposits"})
    assert caught.value.status == 2
    some = {name: SCHEMA[name] for name in ("energy", "hits")}
    assert set(read_own(file, some, LENGTHS, MAPPING).read(np.arange(2))) == {"energy", "hits"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_in_half_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    file = written(tmp_path, kind, arrays_of())
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadInput, match=f"{file} cannot be read"):
        read_own(file, SCHEMA, LENGTHS, MAPPING)


def test_what_is_no_data_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="No such file"):
        read_own(tmp_path / "nothing.h5", SCHEMA, LENGTHS, None)
    with pytest.raises(BadInput, match="Is a directory"):
        read_own(tmp_path, SCHEMA, LENGTHS, None)
    (tmp_path / "mine.h5").write_text("energy,layer\n1,2\n")
    with pytest.raises(BadInput, match="not HDF5, Parquet or ROOT"):
        read_own(tmp_path / "mine.h5", SCHEMA, LENGTHS, None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_without_records_is_refused(tmp_path: Path, kind: str) -> None:
    one = {"energy": SCHEMA["energy"]}
    empty = written(tmp_path, kind, {"energy": np.zeros(0), "layer": np.zeros(0)})
    with pytest.raises(BadInput, match="holds no records"):
        read_own(empty, one, {}, None)


def test_lists_of_different_lengths_and_gaps_are_refused(tmp_path: Path) -> None:
    schema = {"x": Array("event bin", "ns", "times")}
    lists = [[1.0, 2.0], [3.0], [4.0, 5.0]]
    pyarrow.parquet.write_table(pa.table({"x": lists}), tmp_path / "mine.parquet")
    pyarrow.parquet.write_table(pa.table({"x": [[1.0, 2.0], None, [3.0, 4.0]]}), tmp_path / "gap.parquet")
    with uproot.recreate(tmp_path / "mine.root") as out:
        tree = out.mktree("events", {"x": "var * float64"})
        tree.extend({"x": ak.Array(lists)})
    for name in ("mine.parquet", "mine.root"):
        with pytest.raises(BadInput, match=r"'x': expected \(event, bin\) in ns, found lists of 1 to 2 values"):
            read_own(tmp_path / name, schema, {}, None)
    with pytest.raises(BadInput, match="or gaps"):
        read_own(tmp_path / "gap.parquet", schema, {}, None)


def test_several_trees_need_their_names(tmp_path: Path) -> None:
    with uproot.recreate(tmp_path / "mine.root") as out:
        for number, tree in enumerate(("one", "dir/two")):
            out.mktree(tree, {"x": np.dtype("f8")}).extend({"x": np.full(3, float(number))})
    schema = {"x": Array("event", "", "")}
    with pytest.raises(BadInput, match=r"no column 'x'.*one/x"):
        read_own(tmp_path / "mine.root", schema, {}, None)
    records = read_own(tmp_path / "mine.root", schema, {}, {"x": "dir/two/x"})
    np.testing.assert_array_equal(records.read(np.arange(3))["x"], np.ones(3))


def test_root_rntuples_are_read_like_trees(tmp_path: Path) -> None:
    arrays = arrays_of()
    records = read_own(written(tmp_path, "rntuple", arrays), SCHEMA, LENGTHS, MAPPING)
    np.testing.assert_array_equal(records.read(np.arange(50))["hits"], arrays["hits"])


def test_text_and_units_are_refused(tmp_path: Path) -> None:
    schema = {"energy": SCHEMA["energy"]}
    with h5py.File(tmp_path / "text.h5", "w") as out:
        out["energy"] = ["much", "little"]
    pyarrow.parquet.write_table(pa.table({"energy": ["much", "little"]}), tmp_path / "text.parquet")
    for name in ("text.h5", "text.parquet"):
        with pytest.raises(BadInput, match="give numbers"):
            read_own(tmp_path / name, schema, {}, None)
    with h5py.File(tmp_path / "unit.h5", "w") as out:
        out["energy"] = [1.0, 2.0]
        out["energy"].attrs["unit"] = "MeV"
    with pytest.raises(BadInput, match="expected unit 'GeV', found 'MeV'"):
        read_own(tmp_path / "unit.h5", schema, {}, None)


def test_columns_of_different_lengths_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "mine.h5", "w") as out:
        out["energy"], out["layer"] = np.ones(3), np.arange(4)
    with pytest.raises(BadInput, match="column 'layer' has 4 records, other columns 3"):
        read_own(tmp_path / "mine.h5", {name: SCHEMA[name] for name in ("energy", "layer")}, {}, None)


def test_hdf5_stays_on_disk_and_our_own_checksum_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "ours.h5"
    arrays = arrays_of()
    typed = {name: values.astype(SCHEMA[name].dtype) for name, values in arrays.items()}
    write_shard(path, typed, SCHEMA, {})
    records = read_own(path, SCHEMA, LENGTHS, None)
    assert isinstance(records, Dataset)
    whole = path.read_bytes()
    place = whole.index(typed["energy"].tobytes())
    altered = bytearray(whole)
    altered[place] ^= 1  # a value that still makes sense
    path.write_bytes(altered)
    with pytest.raises(BadInput, match="truncated or altered: its checksum"):
        read_own(path, SCHEMA, LENGTHS, None)


@pytest.mark.parametrize(("kind", "package"), [("root", "uproot"), ("parquet", "pyarrow")])
def test_a_missing_reader_names_its_extra(
    tmp_path: Path, kind: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, kind, arrays_of())
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BadInput, match=rf"pip install cloudchamber\[{kind}\]"):
        read_own(file, SCHEMA, LENGTHS, MAPPING)
