"""Sweeps in the terminal: all settings side by side, and searches; figures; what goes wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import polars as pl
import pytest

from trasluz import datasets
from trasluz.base.messages import speaking
from trasluz.cli.app import run
from trasluz.drawing.curves import Curves, side_by_side
from trasluz.drawing.searches import Slice, searched
from trasluz.saving import load_model

GRID = ["--learning-rates", "0.001,0.1", "--batch-sizes", "16,64", "--hidden", "8"]


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """The folder of a sweep over the penguins."""
    folder = tmp_path_factory.mktemp("sweeps") / "penguins"
    words = ["sweep", "penguins", *GRID, "--seeds", "3", "--epochs", "12", "--quiet"]
    assert run([*words, "--engine", "numpy", "--out", str(folder)]) == 0
    return folder


def rows(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# ------------------------------------------------------------------------------- side by side


def test_a_sweep_writes_its_files(swept):
    assert {path.name for path in swept.iterdir()} == {
        "model.trasluz", "report.json", "results.csv", "curves.csv", "sweep.png"
    }  # fmt: skip
    report = json.loads((swept / "report.json").read_text())
    assert report["axes"] == {"learning_rate": [0.001, 0.1], "batch_size": [16, 64]}
    assert report["seeds"] == 3 and not report["interrupted"]
    results = rows(swept / "results.csv")
    assert list(results[0])[:5] == ["learning_rate", "batch_size", "runs", "diverged", "loss"]
    losses = [float(row["val_loss"]) for row in results]
    assert len(losses) == 4 and losses == sorted(losses)
    curves = rows(swept / "curves.csv")
    assert len(curves) == 2 * 2 * 3 * 12
    first = results[0]
    ends = [
        float(row["val_loss"])
        for row in curves
        if row["epoch"] == "12"
        and (row["learning_rate"], row["batch_size"])
        == (first["learning_rate"], first["batch_size"])
    ]
    np.testing.assert_allclose(float(first["val_loss"]), np.mean(ends))
    np.testing.assert_allclose(float(first["val_loss_std"]), np.std(ends, ddof=1))
    best = report["best"]
    assert str(best["learning_rate"]) == first["learning_rate"]
    mine = {row["seed"]: float(row["val_loss"]) for row in curves if row["epoch"] == "12"
            and float(row["learning_rate"]) == best["learning_rate"]
            and int(row["batch_size"]) == best["batch_size"]}  # fmt: skip
    assert mine[str(best["seed"])] == min(mine.values())


def test_the_best_model_is_used_as_after_train(trasluz, swept, tmp_path):
    out = tmp_path / "predicted.csv"
    assert trasluz("predict", swept, "penguins", "--out", out)[0] == 0
    predicted = pl.read_csv(out, null_values="NA")
    truth = datasets.load("penguins").frame["species"]
    assert (predicted["predicted_species"] == truth).mean() > 0.9
    code, text, _ = trasluz("evaluate", swept, "penguins", "--json")
    report = json.loads((swept / "report.json").read_text())
    assert code == 0 and json.loads(text)["metrics"]["accuracy"] > 0.9
    assert report["parts"]["test"]["rows"] == 69


def test_a_member_is_what_train_gives(trasluz, swept, tmp_path):
    how = ["--epochs", "12", "--hidden", "8", "--patience", "0", "--engine", "numpy", "--quiet"]
    words = ["--learning-rate", "0.1", "--batch-size", "16", *how, "--out", tmp_path]
    assert trasluz("train", "penguins", *words)[0] == 0
    alone = rows(tmp_path / "history.csv")
    which = ("learning_rate", "batch_size", "seed")
    mine = [
        row
        for row in rows(swept / "curves.csv")
        if [row[name] for name in which] == ["0.1", "16", "0"]
    ]
    for name in ("loss", "val_loss", "val_accuracy"):
        assert [row[name] for row in mine] == [row[name] for row in alone]


def test_a_sweep_says_what_it_found_in_spanish(trasluz, tmp_path):
    words = ["sweep", "iris", *GRID, "--epochs", "3", "--out", tmp_path, "--lang", "es"]
    code, out, err = trasluz(*words, "--engine", "numpy")
    assert (code, err) == (0, "")
    for said in (
        "4 entrenamientos: 4 combinaciones de ajustes, 1 semilla",
        "Resultados tras 3 épocas, primero lo mejor",
        "Lo mejor: tasa de aprendizaje 0.1, tamaño de lote 16, semilla 0",
        f"trasluz predict {tmp_path} iris",
        "trasluz train iris --hidden 8 --learning-rate 0.1",
    ):
        assert said in out


def test_other_options_may_have_several_values(trasluz, tmp_path):
    words = [
        "--learning-rates",
        "0.01",
        "--batch-sizes",
        "32",
        "--hidden",
        "4/8,4/",
        "--l2",
        "0,0.1",
    ]
    more = ["--activation", "tanh", "--optimizer", "sgd,adam", "--label-smoothing", "0.1"]
    code, out, err = trasluz(
        "sweep", "iris", *words, *more, "--epochs", "2", "--out", tmp_path, "--engine", "numpy",
        "--json",
    )  # fmt: skip
    assert code == 0, err
    report = json.loads(out)
    assert len(report["results"]) == 3 * 2 * 2 and report["monitor"] == "val_data_loss"
    assert {row["hidden"] for row in report["results"]} == {"4", "8,4", ""}
    model = load_model(tmp_path / "model.trasluz")
    widths = [int(units) for units in report["best"]["hidden"].split(",") if units]
    assert [layer.units for layer in model.layers] == [*widths, 3]


def test_penalties_are_not_held_against_a_setting(trasluz, tmp_path):
    words = [
        "sweep",
        "diabetes",
        "--learning-rates",
        "0.01",
        "--batch-sizes",
        "32",
        "--l2",
        "0,0.5",
    ]
    code, out, _ = trasluz(
        *words, "--epochs", "4", "--out", tmp_path, "--engine", "numpy", "--json"
    )
    heavy = next(row for row in json.loads(out)["results"] if row["l2"] == 0.5)
    none = next(row for row in json.loads(out)["results"] if row["l2"] == 0)
    assert code == 0 and heavy["val_loss"] > heavy["val_data_loss"] + 0.01
    np.testing.assert_allclose(none["val_loss"], none["val_data_loss"], rtol=1e-5)


def test_what_diverges_is_marked(trasluz, tmp_path):
    words = ["sweep", "diabetes", "--optimizer", "sgd", "--epochs", "6", "--engine", "numpy"]
    rates = ["--learning-rates", "0.01,1e12", "--batch-sizes", "32", "--out", tmp_path]
    code, out, _ = trasluz(*words, *rates)
    assert code == 0
    table = [line.split("│") for line in out.splitlines() if line.startswith("│ 1000000000000")]
    assert [cell.strip() for cell in table[0][1:-1]] == ["1000000000000", "–", "–", "1/1"]
    assert rows(tmp_path / "results.csv")[1]["val_loss"] == ""
    code, _, err = trasluz(*words, "--learning-rates", "1e12", "--out", tmp_path / "all")
    assert code == 2 and "no training came to an end" in err and "lower learning rates" in err
    rates = ["--learning-rates", "3", "--batch-sizes", "256", "--out", tmp_path / "late"]
    code, _, err = trasluz(*words, *rates, "--epochs", "60", "--hidden", "")
    assert code == 2 and "no training came to an end" in err
    assert (tmp_path / "late" / "sweep.png").exists()


def test_a_sweep_that_comes_to_nothing_leaves_the_one_before(trasluz, tmp_path):
    """Its files change together, when all of it is there."""
    options = [
        "iris",
        "--epochs",
        "2",
        "--engine",
        "numpy",
        "--batch-sizes",
        "32",
        "--out",
        tmp_path,
    ]
    assert trasluz("sweep", *options, "--learning-rates", "0.1")[0] == 0
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    code, _, err = trasluz("sweep", *options, "--learning-rates", "1e30")
    assert code == 2 and "no training came to an end" in err
    assert before == {file: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert trasluz("sweep", *options, "--learning-rates", "0.2")[0] == 0
    after = {file: file.read_bytes() for file in tmp_path.iterdir()}
    assert after.keys() == before.keys()
    assert all(after[f] != before[f] for f in before if f.name != "sweep.png")


def test_interrupting_a_sweep_keeps_what_was_reached(tmp_path):
    words = ["sweep", "digits", "--epochs", "100000", "--engine", "numpy", "--out", str(tmp_path)]
    sweep = subprocess.Popen(
        [sys.executable, "-m", "trasluz", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    while "trainings" not in sweep.stdout.readline():
        pass
    time.sleep(1.5)
    sweep.send_signal(signal.SIGINT)
    _, err = sweep.communicate(timeout=60)
    assert sweep.returncode == 130 and "what was reached so far is in" in err
    assert json.loads((tmp_path / "report.json").read_text())["interrupted"]
    assert load_model(tmp_path / "model.trasluz").optimizer.iterations > 10


# -------------------------------------------------------------------------------------- a search

SEARCH = ["sweep", "iris", "--learning-rates", "1e-3..1e-1", "--dropout", "0..0.5",
          "--batch-sizes", "8..32", "--hidden", "4/8,4", "--l2", "1e-6..1e-2",
          "--epochs", "12", "--engine", "numpy"]  # fmt: skip


def test_a_search_writes_its_files_and_goes_on(trasluz, tmp_path):
    code, out, err = trasluz(*SEARCH, "--trials", "11", "--out", tmp_path, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert {path.name for path in tmp_path.iterdir()} == {
        "model.trasluz", "report.json", "trials.csv", "sweep.png", "study.db"
    }  # fmt: skip
    trials = rows(tmp_path / "trials.csv")
    assert len(trials) == 11 and {row["state"] for row in trials} <= {"complete", "pruned"}
    values = [float(row["val_data_loss"]) for row in trials if row["val_data_loss"]]
    assert report["best"]["val_data_loss"] == min(values)
    assert all(1e-3 <= float(row["learning_rate"]) <= 0.1 for row in trials)
    assert all(8 <= int(row["batch_size"]) <= 32 for row in trials)
    assert {row["hidden"] for row in trials} == {"4", "8,4"}
    assert [int(row["seed"]) for row in trials] == list(range(11))
    assert trasluz("evaluate", tmp_path, "iris", "--quiet")[0] == 0
    code, out, _ = trasluz(*SEARCH, "--trials", "13", "--out", tmp_path, "--lang", "es")
    assert code == 0 and "Los mejores ensayos" in out and "hasta el final" in out
    more = rows(tmp_path / "trials.csv")
    assert more[:11] == trials and len(more) == 13
    code, _, err = trasluz(*SEARCH, "--trials", "13", "--out", tmp_path, "--seed", "1")
    assert code == 2 and "the study was begun with" in err


# ----------------------------------------------------------------------------- what is not right


@pytest.mark.parametrize(
    ("options", "says", "dice"),
    [
        (["--learning-rates", "1e-4..1e-1"], "only a search", "solo una búsqueda"),
        (["--learning-rates", "fast"], "fast", "fast"),
        (["--learning-rates", "0.1,"], "Invalid value", "Invalid value"),
        (["--learning-rates", "0"], "Invalid value", "Invalid value"),
        (["--learning-rates", "1..2..3", "--trials", "2"], "not a range", "no es un intervalo"),
        (["--learning-rates", "1e-1..1e-4", "--trials", "2"], "ends before", "acaba antes"),
        (["--l2", "0..1", "--trials", "2"], "begin above 0", "por encima de 0"),
        (["--dropout", "0..1", "--trials", "2"], "Invalid value", "Invalid value"),
        (["--batch-sizes", "8,1.5"], "1.5", "1.5"),
        (["--hidden", "8/x"], "not a list of whole numbers", "no es una lista"),
        (["--activation", "relu,rleu"], "did you mean 'relu'", "did you mean 'relu'"),
        (["--storage", "sqlite:///a.db"], "for a search", "es para una búsqueda"),
        (["--study", "a"], "for a search", "es para una búsqueda"),
        (["--patience", "3"], "for a search", "es para una búsqueda"),
        (["--seeds", "2", "--trials", "2"], "seed of its own", "su propia semilla"),
        (
            ["--trials", "2", "--learning-rates", "0.1", "--batch-sizes", "8"],
            "nothing to choose", "no hay nada que elegir",
        ),
        (["--trials", "2", "--storage", "nonsense"], "not the address", "no es la dirección"),
        (
            ["--trials", "2", "--storage", "postgresql+psycopg://a:secret@127.0.0.1:9/b"],
            "does not answer", "no responde",
        ),
    ],
)  # fmt: skip
def test_mistakes_are_named_in_both_languages(trasluz, tmp_path, options, says, dice):
    for lang, text in (("en", says), ("es", dice)):
        code, out, err = trasluz(
            "sweep", "iris", *options, "--epochs", "1", "--engine", "numpy",
            "--out", tmp_path / "x", "--lang", lang,
        )  # fmt: skip
        assert code == 2, out
        assert text in err and "secret" not in err and "Traceback" not in err


def test_without_optuna_it_says_what_to_install(trasluz, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    code, _, err = trasluz("sweep", "iris", "--trials", "2", "--out", tmp_path)
    assert code == 2 and "pip install 'trasluz[search]'" in err


def test_a_sweep_needs_no_optuna_and_its_folder_for_itself(trasluz, tmp_path, monkeypatch):
    from trasluz.cli.folder import entered

    monkeypatch.setitem(sys.modules, "optuna", None)
    words = ["sweep", "iris", *GRID, "--epochs", "1", "--engine", "numpy", "--out", tmp_path]
    assert trasluz(*words, "--quiet") == (0, "", "")
    with entered(tmp_path, "train"):
        code, _, err = trasluz(*words)
    assert code == 2 and "another training is running in this folder" in err


# --------------------------------------------------------------------------------------- figures


def colours(png):
    import io

    from matplotlib.image import imread

    picture = imread(io.BytesIO(png))
    return picture, lambda hexa: (
        np.abs(picture[..., :3] - np.array(list(bytes.fromhex(hexa))) / 255).max(axis=-1) < 0.02
    ).sum()


def test_a_figure_has_a_panel_for_each_setting():
    rng = np.random.default_rng(0)
    curve = np.exp(-np.arange(20) / 5)
    fine = Curves(curve + rng.uniform(0, 0.1, (3, 20)), curve + 0.2 + rng.uniform(0, 0.1, (3, 20)),
                  [None] * 3)  # fmt: skip
    lost = Curves(np.where(np.arange(20) < 4, 1e9, np.nan) * np.ones((3, 1)), None, [9, 9, 9])
    for panels in ([[fine]], [[fine, lost], [lost, fine]], [[lost]]):
        count = len(panels)
        names = [str(number) for number in range(count)]
        picture, amount = colours(side_by_side(panels, names, names, (0, 0)))
        assert picture.shape[1] == 312 * count and picture.shape[0] == 246 * count
        assert amount("009e73") > 200  # the frame of the best
        assert (amount("d55e00") > 50) == (panels[0][0] is fine)
    plain = side_by_side([[fine]], ["a"], ["b"])
    with speaking("es"):
        assert side_by_side([[fine]], ["a"], ["b"]) != plain


def test_losses_of_nothing_and_of_many_sizes_are_drawn():
    for values in (np.zeros((1, 3)), np.array([[1.0, 1e-30, 0.0]]), np.full((2, 3), np.nan)):
        steps = [None if np.isfinite(one).all() else 1 for one in values]
        assert side_by_side([[Curves(values, values, steps)]], ["a"], ["b"])[1:4] == b"PNG"


def test_a_search_is_drawn_by_settings():
    reached = [3.0, None, 2.0, 900.0, 1.0]
    slices = [
        Slice("learning rate", [0.1, 0.01, 0.2, 0.3, 0.001], log=True, share=0.75),
        Slice("hidden", [0, 1, 1, 0, 0], choices=["16", "32"]),
        Slice("dropout", [0.0, 0.1, 0.2, 0.3, 0.4]),
    ]
    picture, amount = colours(searched(reached, slices, "val_loss", title="a"))
    assert picture.shape[1] == 1296 and amount("0072b2") > 20 and amount("009e73") > 300
    assert searched([None], [slices[1]._replace(values=[0])], "loss")[1:4] == b"PNG"
    assert searched(reached, slices, "val_accuracy", greater=True)[1:4] == b"PNG"


def test_the_rows_and_columns_of_a_figure_have_an_end(trasluz, tmp_path):
    rates = ",".join(str(0.001 * n) for n in range(1, 12))
    words = ["--learning-rates", rates, "--batch-sizes", "64", "--hidden", ""]
    code, *_ = trasluz(
        "sweep", "iris", *words, "--epochs", "1", "--engine", "numpy", "--out", tmp_path
    )
    picture, _ = colours((tmp_path / "sweep.png").read_bytes())
    assert code == 0 and picture.shape[1] == 8 * 312
