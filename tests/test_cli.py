"""The terminal from end to end: real files, real processes, exit codes, both languages."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import numpy as np
import polars as pl
import pytest

from trasluz import datasets, regularizers
from trasluz.autodiff import backend
from trasluz.cli import examples, explain
from trasluz.cli.app import app, run
from trasluz.cli.folder import KINDS
from trasluz.explain.asking import DEPTHS
from trasluz.explain.names import SCHEMES
from trasluz.saving import load_model
from trasluz.tables import Task
from trasluz.worksheets import sheet

QUICK = ["--hidden", "8", "--engine", "numpy", "--epochs", "15"]


def process(*arguments, **settings):
    """Start a command line as a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "trasluz", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


@pytest.fixture(scope="module")
def penguins(tmp_path_factory):
    """The folder of a training on the penguins."""
    folder = tmp_path_factory.mktemp("runs") / "penguins"
    words = ["train", "penguins", "--target", "species", "--quiet", "--out", str(folder)]
    assert run([*words, "--engine", "numpy", "--epochs", "30", "--learning-rate", "0.01"]) == 0
    return folder


def test_training_writes_all_its_files(penguins):
    written = {path.name for path in penguins.iterdir()}
    assert written == {
        "model.trasluz",
        "checkpoint.trasluz",
        "settings.json",
        "report.json",
        "history.csv",
        "learning_curve.png",
    }
    report = json.loads((penguins / "report.json").read_text())
    assert report["task"] == "multi-class"
    assert report["rows"] == {"train": 206, "validation": 69, "test": 69}
    assert report["parts"]["test"]["metrics"]["accuracy"] > 0.9
    assert np.sum(report["parts"]["test"]["confusion"]) == 69
    with open(penguins / "history.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert len(rows) == report["epochs"]
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    assert (penguins / "learning_curve.png").read_bytes().startswith(b"\x89PNG")


def test_training_says_what_it_found(trasluz, tmp_path):
    code, out, err = trasluz("train", "penguins", *QUICK, "--out", tmp_path)
    assert (code, err) == (0, "")
    for said in (
        "Predicting species: multi-class classification, from 7 columns (10 inputs)",
        "Classes: Adelie, Chinstrap, Gentoo",
        "train 206, validation 69, test 69",
        "accuracy",
        "Confusion matrix (test)",
        "Some predictions (test)",
        "trasluz predict",
        "penguins includes the rows of the training",
    ):
        assert said in out


def test_what_to_try_next_works_as_typed(trasluz, tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", [".venv/bin/trasluz", "train"])
    monkeypatch.setenv("PATH", str(tmp_path))
    words = ["train", "iris", *QUICK, "--out", tmp_path / "run"]
    assert f"  .venv/bin/trasluz evaluate {tmp_path / 'run'} iris\n" in trasluz(*words)[1]
    there = tmp_path / "trasluz"
    there.touch(mode=0o755)
    assert f"  trasluz evaluate {tmp_path / 'run'} iris\n" in trasluz(*words)[1]


def test_training_speaks_spanish(trasluz, tmp_path):
    code, out, _ = trasluz("train", "linnerud", *QUICK, "--out", tmp_path, "--lang", "es")
    assert code == 0
    assert "Se predice Weight, Waist, Pulse: regresión, a partir de 3 columnas" in out
    assert "Residuos, valor real menos predicción (prueba)" in out
    assert "Métricas" in out


def test_json_is_all_that_standard_output_gets(trasluz, tmp_path):
    code, out, err = trasluz("train", "iris", *QUICK, "--out", tmp_path, "--json")
    assert code == 0
    report = json.loads(out)
    assert report["targets"] == ["species"]
    assert report["folder"] == str(tmp_path)
    assert report["settings"]["hidden"] == [8]
    assert "Predicting species" in err
    assert json.loads((tmp_path / "report.json").read_text()).items() <= report.items()


def test_quiet_says_nothing(trasluz, tmp_path):
    assert trasluz("train", "iris", *QUICK, "--out", tmp_path, "--quiet") == (0, "", "")


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden", ""],
        ["--hidden", "8,4", "--batch-norm", "--dropout", "0.2"],
        ["--activation", "tanh", "--optimizer", "sgd", "--learning-rate", "0.1"],
        ["--l1", "1e-4", "--l2", "1e-3", "--clipnorm", "0.5"],
        ["--label-smoothing", "0.1"],
        ["--validation", "0", "--patience", "3"],
        ["--validation", "0", "--test", "0", "--patience", "0"],
        ["--task", "multi-class", "--batch-size", "7"],
    ],
)
@pytest.mark.parametrize("data", ["iris", "breast_cancer"])
def test_every_option_trains(trasluz, tmp_path, data, options):
    settings = ["--engine", "numpy", "--epochs", "3", "--out", tmp_path, "--json"]
    code, out, err = trasluz("train", data, *settings, *options)
    assert code == 0, err
    metrics = [part["metrics"] for part in json.loads(out)["parts"].values()]
    assert all(value is not None for found in metrics for value in found.values())


def test_the_options_reach_the_network(trasluz, tmp_path):
    options = ["--hidden", "5,3", "--batch-norm", "--dropout", "0.25", "--l2", "0.01"]
    code, *_ = trasluz("train", "iris", *options, "--epochs", "1", "--out", tmp_path, "--quiet")
    assert code == 0
    layers = load_model(tmp_path / "model.trasluz").layers
    assert [type(layer).__name__ for layer in layers] == [
        *(["Dense", "BatchNormalization", "Activation", "Dropout"] * 2),
        "Dense",
    ]
    assert [layer.units for layer in layers if type(layer).__name__ == "Dense"] == [5, 3, 3]
    assert layers[3].rate == 0.25
    assert regularizers.get(layers[0].kernel_regularizer).l2 == pytest.approx(0.01)


def test_xla_and_numpy_train_alike(trasluz, tmp_path):
    def metrics(engine):
        options = ["--engine", engine, "--epochs", "5", "--out", tmp_path / engine, "--json"]
        code, out, err = trasluz("train", "iris", *options)
        assert code == 0, err
        return json.loads(out)["parts"]["train"]["metrics"]

    assert metrics("xla") == pytest.approx(metrics("numpy"), rel=1e-3)


def test_regression_is_measured_in_the_units_of_the_target(trasluz, tmp_path):
    rows = "\n".join(f"{x};{1000 + 3 * x}" for x in range(100))
    (tmp_path / "line.csv").write_text(f"x;y\n{rows}\n")
    options = ["--target", "y", "--hidden", "", "--learning-rate", "0.1", "--out", tmp_path / "run"]
    code, out, err = trasluz("train", tmp_path / "line.csv", *options, "--json")
    assert code == 0, err
    report = json.loads(out)
    assert report["task"] == "regression"
    assert report["parts"]["test"]["metrics"]["r2"] > 0.999
    assert report["parts"]["test"]["metrics"]["rmse"] < 3
    assert "delimiter found: “;”" in err


def test_the_same_seed_gives_the_same_weights_and_another_others(trasluz, tmp_path):
    def weights(name, seed):
        options = [*QUICK, "--seed", seed, "--out", tmp_path / name, "--quiet"]
        assert trasluz("train", "iris", *options)[0] == 0
        return load_model(tmp_path / name / "model.trasluz").get_weights()

    first, again, other = weights("a", 1), weights("b", 1), weights("c", 2)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


# ------------------------------------------------------------------------ using what was trained


def test_evaluate_measures_all_rows(trasluz, penguins):
    code, out, err = trasluz("evaluate", penguins, "penguins", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["rows"] == 344
    assert found["metrics"]["accuracy"] > 0.9
    code, out, _ = trasluz("evaluate", penguins / "model.trasluz", "penguins")
    assert code == 0
    assert "Confusion matrix (all rows)" in out


def test_predict_writes_the_rows_with_their_predictions(trasluz, penguins, tmp_path):
    for name, read in (("p.csv", pl.read_csv), ("p.parquet", pl.read_parquet)):
        code, out, err = trasluz("predict", penguins, "penguins", "--out", tmp_path / name)
        assert code == 0, err
        assert "344 rows with predictions" in out
        frame = read(tmp_path / name)
        assert frame.columns[-4:] == [
            "predicted_species",
            "probability_Adelie",
            "probability_Chinstrap",
            "probability_Gentoo",
        ]
        assert (frame["species"] == frame["predicted_species"]).mean() > 0.9
        shares = frame.select(pl.sum_horizontal(frame.columns[-3:])).to_series()
        np.testing.assert_allclose(shares, 1, rtol=1e-5)


def test_predict_needs_no_targets_and_writes_to_standard_output(trasluz, penguins, tmp_path):
    columns = "sex,year,island,bill_length_mm,bill_depth_mm,flipper_length_mm,body_mass_g"
    (tmp_path / "new.csv").write_text(f"{columns}\nNA,2009,Biscoe,50,15,220,5500\n")
    code, out, err = trasluz("predict", penguins, tmp_path / "new.csv")
    assert (code, err) == (0, "")
    assert next(csv.DictReader(out.splitlines()))["predicted_species"] == "Gentoo"
    code, out, _ = trasluz("predict", penguins, tmp_path / "new.csv", "--json")
    assert json.loads(out)["predictions"][0]["predicted_species"] == "Gentoo"


def test_summary_shows_layers_and_columns(trasluz, penguins):
    code, out, _ = trasluz("summary", penguins)
    assert code == 0
    for said in ("dense", "Dense", "32", "Reads: bill_length_mm", "Predicts: species"):
        assert said in out
    code, out, _ = trasluz("summary", penguins, "--json")
    assert json.loads(out)["preparation"]["classes"] == ["Adelie", "Chinstrap", "Gentoo"]


@pytest.mark.parametrize("command", ["evaluate", "predict", "summary"])
def test_a_model_is_read_by_a_process_that_has_made_none(penguins, command):
    data = [] if command == "summary" else ["penguins"]
    running = process(command, penguins, *data, "--json", env={**os.environ, "TRASLUZ_LANG": "es"})
    out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert json.loads(out)


@pytest.mark.parametrize("rows", [1, 10_000])
def test_a_reader_that_leaves_early_is_not_told_of_a_defect(penguins, tmp_path, rows):
    many = pl.concat([datasets.load("penguins").frame] * (1 + rows // 344)).head(rows)
    many.write_csv(tmp_path / "many.csv")
    running = process("predict", penguins, tmp_path / "many.csv")
    running.stdout.close()
    said = running.stderr.read()
    running.stderr.close()
    assert running.wait(timeout=60) in (0, 1)
    assert said == ""


def test_datasets_are_listed(trasluz):
    code, out, _ = trasluz("datasets")
    assert code == 0
    assert "penguins" in out and "344 rows" in out
    assert len(json.loads(trasluz("datasets", "--json")[1])["datasets"]) == 7


# --------------------------------------------------------------------------- going on with a run


def test_resuming_gives_the_weights_of_a_run_that_was_not_interrupted(trasluz, tmp_path):
    def train(name, epochs, *more):
        options = ["--hidden", "8", "--engine", "numpy", "--dropout", "0.1", "--batch-norm"]
        options += ["--epochs", epochs, "--out", tmp_path / name, "--quiet", *more]
        assert trasluz("train", "iris", *options)[0] == 0
        history = (tmp_path / name / "history.csv").read_text()
        return load_model(tmp_path / name / "model.trasluz").get_weights(), history

    whole, history = train("whole", 12)
    train("parts", 5)
    parts, resumed = train("parts", 12, "--resume")
    assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))
    assert history == resumed


def test_resuming_remembers_early_stopping(trasluz, tmp_path):
    def train(name, epochs, *more):
        options = ["--learning-rate", "0.05", "--patience", "4", "--engine", "numpy"]
        options += ["--epochs", epochs, "--out", tmp_path / name, "--quiet", *more]
        assert trasluz("train", "wine", *options)[0] == 0
        return (
            load_model(tmp_path / name / "model.trasluz").get_weights(),
            json.loads((tmp_path / name / "report.json").read_text())["epochs"],
        )

    whole, stopped = train("whole", 200)
    assert 6 < stopped < 200
    train("parts", stopped - 2)
    for _ in range(2):
        parts, epochs = train("parts", 200, "--resume")
        assert epochs == stopped
        assert all(np.array_equal(a, b) for a, b in zip(whole, parts, strict=True))


def test_early_stopping_is_said(trasluz, tmp_path):
    options = ["--learning-rate", "0.05", "--patience", "3", "--engine", "numpy"]
    code, out, _ = trasluz("train", "wine", *options, "--out", tmp_path)
    assert code == 0
    epochs = json.loads((tmp_path / "report.json").read_text())["epochs"]
    assert f"Stopped after {epochs} epochs: no progress in the last 3" in out
    assert f"the weights of epoch {epochs - 3} are kept" in out


def test_resuming_with_other_settings_is_refused(trasluz, tmp_path):
    assert trasluz("train", "iris", *QUICK, "--out", tmp_path, "--quiet")[0] == 0
    code, _, err = trasluz(
        "train", "iris", *QUICK, "--dropout", "0.5", "--out", tmp_path, "--resume"
    )
    assert code == 2
    assert "had dropout 0.0, and now it is 0.5" in err


def test_resuming_for_fewer_epochs_than_were_done_is_refused(trasluz, tmp_path):
    words = ["train", "iris", *QUICK, "--out", tmp_path, "--quiet"]
    assert trasluz(*words)[0] == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    code, _, err = trasluz(*words, "--resume", "--epochs", "4")
    assert code == 2
    assert "the training has 15 epochs behind it, and --epochs asks for 4" in err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert trasluz(*words, "--resume")[0] == 0


def test_resuming_nothing_is_refused(trasluz, tmp_path):
    code, _, err = trasluz("train", "iris", *QUICK, "--out", tmp_path / "none", "--resume")
    assert code == 2
    assert "no interrupted training" in err
    assert not (tmp_path / "none").exists()


def test_a_run_of_the_first_version_is_resumed(trasluz, tmp_path):
    folder = shutil.copytree(Path(__file__).parent / "fixtures" / "run-0.1", tmp_path / "run")
    before = (folder / "history.csv").read_text()
    words = ["--target", "species", "--epochs", "4", "--hidden", "4", "--out", folder, "--resume"]
    code, _, err = trasluz("train", "penguins", *words)
    assert (code, err) == (0, "")
    after = (folder / "history.csv").read_text()
    assert after.startswith(before) and len(after.splitlines()) == 5
    assert json.loads((folder / "report.json").read_text())["epochs"] == 4


LONG = ["--epochs", "1000000", "--patience", "0", "--engine", "numpy", "--hidden", "8"]


def interrupted(folder, sign):
    """Train for long in a process, and send it a signal once there is a checkpoint."""
    running = process("train", "iris", *LONG, "--out", folder)
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.trasluz").exists():
        assert time.monotonic() < deadline and running.poll() is None, running.communicate()
        time.sleep(0.05)
    time.sleep(0.3)
    running.send_signal(sign)
    out, err = running.communicate(timeout=60)
    return running.returncode, out, err


def test_control_c_saves_and_says_how_to_go_on(trasluz, tmp_path):
    code, out, err = interrupted(tmp_path / "run", signal.SIGINT)
    assert code == 130
    assert "Traceback" not in err
    assert err.count("Interrupted") == 1
    said = err[err.index("trasluz train iris") :].splitlines()[0].split()
    assert said[-1] == "--resume"
    assert not (tmp_path / "run" / "model.trasluz").exists()
    done = json.loads(_position(tmp_path / "run"))["epoch"]
    said[said.index("--epochs") + 1] = str(done + 2)
    code, out, err = trasluz(*said[1:], "--json")
    assert code == 0, err
    assert json.loads(out)["epochs"] == done + 2


@pytest.mark.skipif(sys.platform == "win32", reason="a signal of POSIX")
def test_a_killed_training_goes_on_from_its_last_checkpoint(trasluz, tmp_path):
    code, *_ = interrupted(tmp_path / "run", signal.SIGKILL)
    assert code == -signal.SIGKILL
    done = json.loads(_position(tmp_path / "run"))["epoch"]
    options = [*LONG, "--epochs", done + 2, "--out", tmp_path / "run", "--resume", "--json"]
    code, out, err = trasluz("train", "iris", *options)
    assert code == 0, err
    assert json.loads(out)["epochs"] == done + 2


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_a_folder_that_is_removed_meanwhile_is_a_mistake(tmp_path):
    folder = tmp_path / "run"
    options = ["--epochs", "300", "--patience", "0", "--engine", "numpy", "--out", folder]
    running = process("train", "iris", *options)
    deadline = time.monotonic() + 60
    while not (folder / "checkpoint.trasluz").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    folder.rename(tmp_path / "elsewhere")
    _, err = running.communicate(timeout=120)
    assert running.returncode == 2, err
    assert "the folder was removed or replaced while the training ran" in err
    assert not (folder / "model.trasluz").exists()


@pytest.mark.parametrize("command", ["train", "sweep"])
def test_files_of_others_in_a_run_folder_are_left_alone(trasluz, tmp_path, monkeypatch, command):
    """Whatever they are called: a run touches what has one of its own names."""
    monkeypatch.chdir(tmp_path)
    mine = ["next/thesis.txt", "next/next/whole", "next/next/report.json", "next/.movie.mkv.part"]
    for name in mine:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"my {name}")
    options = ["iris", "--epochs", "1", "--engine", "numpy", "--hidden", "3", "--out", "next"]
    options += ["--learning-rates", "0.1", "--batch-sizes", "32"] if command == "sweep" else []
    for _ in range(2):
        code, _, err = trasluz(command, *options)
        assert code == 0, err
        assert trasluz("summary", "next")[0] == 0
        assert all((tmp_path / name).read_text() == f"my {name}" for name in mine)
    assert not list(tmp_path.glob("next/.trasluz*"))


def test_a_run_of_another_kind_takes_the_place_of_all_of_the_one_before(trasluz, tmp_path):
    options = ["iris", "--epochs", "1", "--engine", "numpy", "--hidden", "3", "--out", tmp_path]
    assert trasluz("train", *options)[0] == 0
    (tmp_path / "notes.txt").write_text("mine")
    assert trasluz("sweep", *options, "--learning-rates", "0.1", "--batch-sizes", "32")[0] == 0
    assert {f.name for f in tmp_path.iterdir()} == {*KINDS["sweep"], "notes.txt"}
    assert trasluz("train", *options)[0] == 0
    left = {*KINDS["train"], "notes.txt"} - {"last-finite.trasluz"}
    assert {f.name for f in tmp_path.iterdir()} == left


@pytest.mark.parametrize("moved", range(4))
def test_a_run_that_was_killed_while_it_took_its_place_is_moved_by_the_next_who_comes(
    trasluz, tmp_path, moved
):
    """What is to be moved is written down first; other names in there count for nothing."""
    options = ["iris", "--engine", "numpy", "--hidden", "3"]
    old, new = tmp_path / "old", tmp_path / "new"
    assert trasluz("train", *options, "--epochs", "1", "--out", old)[0] == 0
    assert trasluz("train", *options, "--epochs", "2", "--out", new)[0] == 0
    wanted = {file.name: file.read_bytes() for file in new.iterdir()}
    aside = old / ".trasluz-next"
    new.rename(aside)
    told = {"moved": [*wanted, "../thesis.txt", 3], "removed": ["../../thesis.txt", "notes.txt"]}
    (aside / "whole.json").write_text(json.dumps(told))
    (old / "notes.txt").write_text("mine")
    (tmp_path / "thesis.txt").write_text("mine")
    for name in sorted(wanted)[:moved]:
        (aside / name).replace(old / name)
    assert trasluz("summary", old)[0] == 0
    assert {f.name: f.read_bytes() for f in old.iterdir()} == wanted | {"notes.txt": b"mine"}
    assert (tmp_path / "thesis.txt").read_text() == "mine"


def test_resuming_with_other_rows_says_so(trasluz, tmp_path):
    table = tmp_path / "t.csv"
    table.write_text("x,y\n" + "".join(f"{k % 7},{k}\n" for k in range(40)))
    options = [*QUICK, "--target", "y", "--out", tmp_path / "run"]
    assert trasluz("train", table, *options)[0] == 0
    with table.open("a") as file:
        file.write("9,9\n")
    code, _, err = trasluz("train", table, *options, "--resume")
    assert code == 2
    assert "are not those of the interrupted training" in err and "give the same file" in err


def _position(folder):
    from trasluz.saving import unpack

    return json.dumps(unpack(folder / "checkpoint.trasluz")[1]["position"])


# ------------------------------------------------------------------------------ mistakes to mend


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        ("", [], "the file is empty"),
        ("x,y\n1,2\n3\n", [], "line 3 has 1 cell where the first line has 2"),
        ("x,y\n1,2\n3,4\n", ["--target", "z"], "no column “z” to predict"),
        ("x,y\n1,2\n3,4\n", ["--target", ""], "no target was given"),
        ("x,y\n1,2\n", [], "“y” is “2” in every row"),
        ("x,y\n1,a\n2,a\n3,a\n4,a\n", [], "“a” in every row"),
        ("x,y\n1,2\n1,3\n1,4\n1,9\n1,5\n", [], "no column is left"),
        ("x,y\n1,2\ninf,3\n2,4\n1,9\n3,5\n", [], "row 2 of the column “x” holds inf"),
        ("x,x\n1,2\n", [], "same name, “x”"),
        ("x;y\n1;2\n3;4\n", ["--delimiter", ","], "single column; the table seems to use “;”"),
        ("x,y\n1,2\n3,4\n", ["--encoding", "utf-99"], "unknown encoding"),
        ("x,y\n1,2\n3,4\n", ["--lr", "1"], "No such option"),
        ("x,y\n1,2\n3,4\n", ["--hidden", "8,x"], "“8,x” is not a list of whole numbers"),
        ("x,y\n1,2\n3,4\n", ["--epochs", "0"], "0 is not in the range"),
        ("x,y\n1,2\n3,4\n", ["--validation", "0.6", "--test", "0.6"], "nothing to train on"),
    ],
)
def test_mistakes_end_with_2_and_leave_no_file(trasluz, tmp_path, content, options, said):
    path = tmp_path / "data.csv"
    path.write_text(content)
    target = [] if "--target" in options else ["--target", "y"]
    code, out, err = trasluz("train", path, *target, "--out", tmp_path / "run", *options)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
    assert out == ""
    assert files(tmp_path) == ["data.csv"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--activation", "rleu"], "did you mean 'relu'"),
        (["--optimizer", "rmsporp"], "did you mean 'rmsprop'"),
    ],
)
def test_unknown_names_suggest_the_nearest(trasluz, tmp_path, options, said):
    code, _, err = trasluz("train", "iris", *options, "--out", tmp_path / "run")
    assert code == 2
    assert said in err


def test_a_loss_that_breaks_stops_and_keeps_the_last_good_epoch(trasluz, tmp_path):
    options = ["--optimizer", "sgd", "--learning-rate", "1e30", "--engine", "numpy"]
    code, _, err = trasluz("train", "diabetes", *options, "--out", tmp_path)
    assert code == 2
    assert "not finite any more at training step" in err and "--clipnorm 1" in err
    assert "Traceback" not in err
    kept = tmp_path / "last-finite.trasluz"
    assert f"kept (in {kept})" in err
    assert all(np.isfinite(w).all() for w in load_model(kept).get_weights())
    assert trasluz("summary", kept)[0] == 0
    assert trasluz("train", "diabetes", *QUICK, "--out", tmp_path)[0] == 0
    assert not kept.exists()


def test_mistakes_are_documents_too(trasluz):
    code, out, err = trasluz("train", "nothing.csv", "--target", "y", "--json")
    assert code == 2
    error = json.loads(out)["error"]
    assert error["where"] == "nothing.csv"
    assert error["what"] == "there is no such file"
    assert "nothing.csv" in err


def test_mistakes_are_said_in_spanish(trasluz, monkeypatch):
    code, _, err = trasluz("train", "nada.csv", "--target", "y", "--lang", "es")
    assert code == 2
    assert err == "Error: nada.csv: el archivo no existe\nPara arreglarlo: revisa la ruta\n"
    monkeypatch.setenv("TRASLUZ_LANG", "es")
    assert "el archivo no existe" in trasluz("train", "nada.csv", "--target", "y")[2]


def test_models_that_are_not_whole_are_refused(trasluz, penguins, tmp_path):
    whole = (penguins / "model.trasluz").read_bytes()
    cut, altered = tmp_path / "cut", tmp_path / "altered"
    cut.write_bytes(whole[: len(whole) // 2])
    altered.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    for path in (cut, altered, tmp_path / "missing"):
        code, _, err = trasluz("predict", path, "penguins", "--out", tmp_path / "out.csv")
        assert code == 2
        assert str(path) in err
        assert not (tmp_path / "out.csv").exists()


def test_tables_that_do_not_fit_the_model_are_refused(trasluz, penguins):
    code, _, err = trasluz("predict", penguins, "iris")
    assert code == 2
    assert "no column “bill_length_mm”, which the model reads" in err


@pytest.mark.parametrize(
    "command", [["evaluate"], ["predict"], ["explain", "--wrt", "dense/kernel[0, 0]"]]
)
def test_numbers_that_cannot_be_read_are_said(trasluz, penguins, tmp_path, command):
    frame = datasets.load("penguins").frame
    mass = frame["body_mass_g"].cast(pl.String)
    path = tmp_path / "given.csv"
    name, *options = command
    words = [name, penguins, path, *options]
    spoilt = pl.Series(mass.name, ["heavy", *mass[1:]])
    frame.with_columns(spoilt).write_csv(path)
    code, out, err = trasluz(*words)
    assert code == 0, err
    assert "1 cell is not one (“heavy” in row 1)" in (err if name == "predict" else out)
    for spoilt in (mass.str.replace("$", ",5"), pl.Series(mass.name, ["abc"] * len(mass))):
        frame.with_columns(spoilt).write_csv(path)
        code, out, err = trasluz(*words, "--lang", "es")
        assert (code, out) == (2, "")
        assert "el modelo lee «body_mass_g» como números, y ninguna celda puede leerse así" in err


def test_notes_are_kept_out_of_formulas(trasluz, small, tmp_path):
    path = tmp_path / "given.csv"
    datasets.load("penguins").frame.write_csv(path, separator=";")
    words = ["--wrt", "dense/kernel[0, 0]", "--format", "json"]
    code, out, err = trasluz("explain", small, path, *words)
    assert code == 0, err
    assert json.loads(out)
    assert "delimiter found: “;”" in err


def test_a_defect_is_one_sentence_and_a_file_with_the_trace(trasluz, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def broken(*arguments, **settings):
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("trasluz.datasets.find", broken)
    code, _, err = trasluz("train", "iris")
    (trace,) = tmp_path.iterdir()
    assert code == 70 and "Traceback" not in err
    assert "this is a defect of Trasluz" in err and "(ZeroDivisionError: a defect)" in err
    assert str(trace) in err and "Traceback" in trace.read_text()
    code, out, err = trasluz("train", "iris", "--lang", "es", "--json")
    assert code == 70 and "Es un defecto" not in err and "es un defecto de Trasluz" in err
    assert json.loads(out)["error"]["mend"]


def test_what_the_system_refuses_is_a_sentence(trasluz):
    code, out, err = trasluz("train", "x" * 300 + ".csv")
    assert code == 2 and out == "" and "the system refuses this: File name too long" in err


def test_help_has_examples_in_both_languages(trasluz):
    code, out, _ = trasluz("train", "--help")
    assert code == 0
    assert "trasluz train penguins --target species" in out
    assert "Units of the hidden layers" in out
    assert "Unidades de las capas ocultas" in trasluz("train", "--lang", "es", "--help")[1]
    for command in ("evaluate", "predict", "summary", "datasets"):
        assert "Examples" in trasluz(command, "--help")[1]


def test_no_arguments_show_the_help(trasluz):
    code, out, err = trasluz()
    assert (code, err) == (0, "")
    assert "Train neural networks on tables" in out


def test_the_command_is_installed():
    done = subprocess.run(
        [os.path.join(os.path.dirname(sys.executable), "trasluz"), "--version"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0
    assert "0.1.0" in done.stdout


# ------------------------------------------------------------------------------------- explaining


def test_options_offer_what_there_is():
    """Choices are spelled out in app.py, which starts without what they are choices of."""
    there = {
        "task": Task,
        "engine": backend.CHOICES,
        "depth": DEPTHS,
        "names": SCHEMES,
        "form": explain.FORMATS,
        "page_form": examples.FORMATS,
        "sheet_form": sheet.FORMATS,
    }
    offered = {
        (command.name, parameter.name): list(parameter.type.choices)
        for command in app.commands.values()
        for parameter in command.params
        if isinstance(parameter.type, click.Choice) and parameter.name != "lang"
    }
    assert {option for _, option in offered} == set(there)
    assert offered == {(name, option): list(there[option]) for name, option in offered}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A network small enough to be spelled."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    words = ["train", "penguins", "--target", "species", "--quiet", "--out", str(folder)]
    assert run([*words, "--hidden", "3", "--engine", "numpy", "--epochs", "5"]) == 0
    return folder


def test_a_row_is_explained(trasluz, small):
    words = ["explain", small, "penguins", "--row", 17, "--wrt", "dense/kernel[0, 2]"]
    code, out, _ = trasluz(*words)
    assert code == 0
    assert "bill_length_mm" in out
    assert "x₁ = (bill_length_mm - " in out
    assert "[island = " in out
    assert "∂E/∂w⁽¹⁾₁,₃ = " in out
    assert "central difference" in out
    code, out, _ = trasluz(*words, "--json", "--update", "--lang", "es")
    document = json.loads(out)
    assert document["checks"]["derived"] == pytest.approx(document["checks"]["backward"])
    model = load_model(small / "model.trasluz")
    assert document["value"] != model.layers[0].kernel[0, 2]
    for form, sign in (
        ("latex", r"\section"), ("markdown", "#"), ("json", "{"), ("html", "<!DOCTYPE html>"),
    ):  # fmt: skip
        assert trasluz(*words, "--format", form)[1].startswith(sign)


def test_a_derivation_goes_to_a_file(trasluz, small, tmp_path):
    words = ["explain", small, "penguins", "--row", "3,5", "--wrt", "dense/kernel"]
    code, out, _ = trasluz(*words, "--out", tmp_path / "a.pdf", "--lang", "es")
    assert code == 0
    assert "La derivación está en" in out
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF-")
    assert trasluz(*words, "--out", tmp_path / "a.html")[0] == 0
    assert "<math" in (tmp_path / "a.html").read_text(encoding="utf-8")
    code, _, err = trasluz(*words, "--out", tmp_path / "a.docx")
    assert code == 2
    assert "end it in one of .txt, .tex, .md" in " ".join(err.split())


@pytest.mark.parametrize(
    ("row", "wrt", "said"),
    [
        (345, "dense/kernel[0,0]", "no row 345; the table has 344"),
        (0, "dense/kernel[0,0]", "no row 0"),
        (1, "[0]", "does not say which entry"),
        ("1,b", "dense/kernel[0,0]", "is not a row"),
        (1, "dense/kernel[a]", "does not say which entry"),
        (1, "dens/kernel[0,0]", "did you mean “dense/kernel”"),
        (1, "dense/kernel[0,9]", r"no entry \(0, 9\)"),
    ],
)
def test_what_cannot_be_explained(trasluz, small, row, wrt, said):
    import re

    code, out, err = trasluz("explain", small, "penguins", "--row", row, "--wrt", wrt)
    assert code == 2
    assert out == ""
    assert re.search(said, " ".join(err.split()))
