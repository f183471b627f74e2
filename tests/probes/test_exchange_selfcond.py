"""selfcond's expertise.csv: its columns, known values, a full circle, and what is refused."""

import csv
import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.metrics import average_precision_score

from neurotrace.probes.exchange import expertise_table, read_expertise, write_expertise

COLUMNS = "ap,off_mean,on_p50,on_p90,layer,unit,uuid,concept,group"
ROW = "0.75,-0.5,1.25,2.5,transformer.h.0.mlp.c_fc,0,0,football-1_04_00__,sense"


def planted(seed=0, n=40, widths=(5, 3)):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, sum(widths)))
    y = np.arange(n) % 3 == 0
    layers = {f"h.{at}": width for at, width in enumerate(widths)}
    return X, y, layers


def table(seed=0, **changes):
    X, y, layers = planted(seed)
    return expertise_table(X, y, layers=layers, concept="house", group="sense").assign(**changes)


def written(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_the_units_of_selfconds_own_test_have_its_average_precisions():
    rng = np.random.RandomState(1234)  # the stream of their test
    X = np.concatenate([rng.rand(10, 6).T for _ in "ab"], axis=1)
    found = expertise_table(X, [1, 1, 0, 1, 0, 0], layers={"a": 10, "b": 10}, concept="any")
    expected = [0.72222, 0.55556, 1, 1, 1, 0.63333, 0.91667, 0.7, 0.80556, 0.72222]
    assert found["ap"][:10].tolist() == pytest.approx(expected, abs=1e-5)
    assert found["layer"].tolist() == ["a"] * 10 + ["b"] * 10
    assert found["unit"].tolist() == [*range(10), *range(10)]
    assert found["uuid"].tolist() == list(range(20))


def test_forcing_values_of_one_neuron_by_hand():
    X = [[4.0], [0.0], [1.0], [10.0], [7.0]]
    found = expertise_table(X, [1, 1, 1, 0, 0], layers={"h": 1}, concept="c").iloc[0]
    assert (found["on_p50"], found["on_p90"], found["off_mean"]) == (1, pytest.approx(3.4), 8.5)


def test_every_column_is_what_numpy_and_scikit_learn_say():
    X, y, _ = planted()
    found = table()
    assert found["ap"].tolist() == pytest.approx([average_precision_score(y, x) for x in X.T])
    assert found["on_p50"].tolist() == pytest.approx(np.median(X[y], axis=0))
    assert found["on_p90"].tolist() == pytest.approx(np.percentile(X[y], 90, axis=0))
    assert found["off_mean"].tolist() == pytest.approx(X[~y].mean(0))


def test_unknown_labels_are_neither_positive_nor_negative():
    X, y, layers = planted()
    labels = y.astype(int)
    labels[::4] = -1
    known = labels >= 0
    found = expertise_table(X, labels, layers=layers, concept="c")
    assert_frame_equal(found, expertise_table(X[known], y[known], layers=layers, concept="c"))


def test_half_precision_is_summed_in_double():
    X, y, layers = planted()
    half = (X * 1000).astype(np.float16)
    assert_frame_equal(
        expertise_table(half, y, layers=layers, concept="c"),
        expertise_table(half.astype(float), y, layers=layers, concept="c"),
    )


def test_what_is_written_is_read_back_to_the_last_bit(tmp_path):
    found = table(concept='NA, "null"\nor not', layer="h,0")
    found["unit"] = range(len(found))
    assert_frame_equal(read_expertise(write_expertise(tmp_path / "expertise.csv", found)), found)
    narrow = table().astype({"ap": np.float32, "unit": np.uint32})
    again = read_expertise(write_expertise(tmp_path / "expertise.csv", narrow))
    assert (again["ap"] == narrow["ap"].astype(float)).all()
    assert [path.name for path in sorted(tmp_path.iterdir())] == [
        "expertise.csv",
        "expertise_info.json",
    ]


def test_the_file_is_the_one_selfcond_loads(tmp_path):
    found = table(ap=[1.0, 0.9, 0.5, 0.501, 0.2, 0.3, 0.75, 0.7499])
    file = write_expertise(tmp_path / "expertise.csv", found)
    assert file.read_text().splitlines()[0] == COLUMNS
    info = json.loads((tmp_path / "expertise_info.json").read_text())
    assert (info["concept"], info["group"], info["total_neurons"]) == ("house", "sense", 8)
    assert (info["max_ap"], info["layer_names"]) == (1.0, ["h.0", "h.1"])
    assert len(info["neurons_at_ap"]) == 501
    at = info["neurons_at_ap"]
    assert (at["0.50000"], at["0.75000"], at["1.00000"]) == (5, 2, 0)


def test_a_file_of_selfcond_is_read_as_it_stands(tmp_path):
    lines = [COLUMNS, ROW, "0.25,,0.1,0.2,transformer.h.10.mlp.c_fc,3,1,NA,null"]
    found = read_expertise(written(tmp_path / "expertise.csv", *lines))
    assert found["layer"].tolist() == ["transformer.h.0.mlp.c_fc", "transformer.h.10.mlp.c_fc"]
    assert found["concept"].tolist() == ["football-1_04_00__", "NA"]
    assert found["off_mean"].isna().tolist() == [False, True]
    assert found["unit"].dtype == np.int64
    assert found["ap"].tolist() == [0.75, 0.25]


def test_a_file_without_forcing_values_has_none(tmp_path):
    file = written(tmp_path / "x.csv", "ap,layer,unit,uuid,concept,group", "0.5,h,0,0,c,g")
    assert list(read_expertise(file)) == ["ap", "layer", "unit", "uuid", "concept", "group"]
    copy = write_expertise(tmp_path / "y.csv", read_expertise(file))
    assert_frame_equal(read_expertise(copy), read_expertise(file))


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["ap,layer,unit", "1,h,0"], "got columns ap, layer, unit; expected ap, off_mean, on_p50"),
        ([COLUMNS + ",auroc", ROW + ",1"], "group, auroc; expected"),
        ([COLUMNS.replace("on_p90,", ""), ROW], "got columns ap, off_mean, on_p50, layer"),
        ([COLUMNS], "got no row"),
        ([], "got an empty file"),
        ([COLUMNS, '"' + ROW], "got no CSV"),
        ([COLUMNS, ROW, ROW.replace("0.75", "1.01")], "row 2: got ap 1.01, expected a fraction"),
        ([COLUMNS, ROW.replace("0.75", "nan")], "row 1: got ap nan"),
        ([COLUMNS, ROW.replace("0.75", "")], "row 1: got ap '', expected a number"),
        ([COLUMNS, ROW.replace("1.25", "high")], "row 1: got on_p50 'high', expected a number"),
        ([COLUMNS, ROW.replace(",0,0,", ",0.5,0,")], "got unit '0.5', expected a whole number"),
        ([COLUMNS, ROW.replace(",0,0,", ",-1,0,")], "row 1: got unit -1, expected 0 or more"),
        ([COLUMNS, ROW.replace(",0,0,", f",{'9' * 30},0,")], "expected a whole number"),
        ([COLUMNS, ROW, ROW.replace(",0,0,", ",0,1,")], "row 2: got unit 0 a second time"),
        ([COLUMNS, ROW, ROW + ",more"], "row 2: got 10 cells, expected 9"),
        ([COLUMNS, ROW.removesuffix(",sense")], "row 1: got 8 cells, expected 9"),
    ],
)
def test_another_file_is_refused_in_one_line_with_its_name(tmp_path, lines, message):
    with pytest.raises(ValueError, match=message) as refused:
        read_expertise(written(tmp_path / "strange.csv", *lines))
    assert str(refused.value).startswith("strange.csv: ")
    assert "\n" not in str(refused.value)


def test_bytes_and_missing_files_are_refused_by_name(tmp_path):
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe" + COLUMNS.encode("utf-16-le"))
    with pytest.raises(ValueError, match="bytes.csv: got no CSV"):
        read_expertise(tmp_path / "bytes.csv")
    with pytest.raises(FileNotFoundError, match="expected a file"):
        read_expertise(tmp_path / "absent.csv")


def test_a_table_with_half_a_unit_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="e.csv: row 3: got unit 0.5, expected a whole number"):
        write_expertise(tmp_path / "e.csv", table(unit=[0.0, 1.0, 0.5, 3, 4, 0, 1, 2]))
    assert not list(tmp_path.iterdir())


def test_a_refused_or_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    file = write_expertise(tmp_path / "expertise.csv", table())
    before = file.read_bytes()
    two = pd.concat([table(), table(concept="joy")])
    with pytest.raises(ValueError, match="got concepts 'house', 'joy', expected one"):
        write_expertise(file, two)
    monkeypatch.setattr("pathlib.Path.replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_expertise(file, table(seed=1))
    assert file.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2  # no temporary file stays behind


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": {"h.0": 5}}, r"got layers of \[5\] neurons, expected 8 in all"),
        ({"y": np.ones(40)}, "got no negative"),
        ({"y": np.zeros(40)}, "got no positive"),
        ({"y": np.eye(40, 2)}, "got labels of 2 concepts"),
        ({"y": np.ones(3)}, "got labels of shape"),
    ],
)
def test_labels_and_layers_that_do_not_fit_are_refused(changes, message):
    X, y, layers = planted()
    given = {"y": y, "layers": layers} | changes
    with pytest.raises(ValueError, match=message):
        expertise_table(X, given["y"], layers=given["layers"], concept="c")


def test_the_csv_is_plain_enough_for_any_reader(tmp_path):
    with write_expertise(tmp_path / "e.csv", table()).open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    assert [float(row["ap"]) for row in rows] == table()["ap"].tolist()


def test_what_reads_files_loads_when_a_file_is_read():
    code = "import neurotrace.probes.exchange, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"h5py", "torch"} & set(done.stdout.split())
