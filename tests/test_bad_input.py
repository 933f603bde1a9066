"""What a hurried, unlucky or hostile user gives: refused with a reason, and nothing is spoiled."""

import copy
import csv
import json
import os
import pickle
import re
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from trasluz import Model, Sequential, callbacks, optimizers, tape
from trasluz.base.files import write_atomically
from trasluz.base.messages import enumerated, language, say, suggest
from trasluz.cli.app import run
from trasluz.errors import UserError
from trasluz.layers import BatchNormalization, Dense, Input, Layer
from trasluz.models import load_model
from trasluz.saving import pack, unpack
from trasluz.state import current, read
from trasluz.tables import prepare, read_table
from trasluz.training import NonFiniteError
from trasluz.worksheets.answers import Answers, load_class

QUICK = ["--hidden", "4", "--engine", "numpy", "--epochs", "2"]
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X.sum(1, keepdims=True) > 0).astype("float32")


def table(row, rows=40, header="a,b,y"):
    return "\n".join([header, *(row(i) for i in range(rows))]) + "\n"


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def network(engine="numpy", optimizer="adam", loss="binary_crossentropy"):
    model = Sequential([Input((3,)), Dense(4, activation="relu"), Dense(1, activation="sigmoid")])
    model.compile(optimizer, loss, metrics=["accuracy"], engine=engine)
    return model


def assert_usable(model):
    """Hold that nothing of a step that failed is left in a model."""
    for array in read(model).values():
        assert isinstance(np.asarray(array), np.ndarray) and not isinstance(array, tape.Traced)
        assert np.isfinite(array).all()
    assert current() is None
    assert tape.where() == "top level"
    model.fit(X, Y, verbose=0)


# ------------------------------------------------------------------------------------- the terminal


@pytest.mark.parametrize(
    ("content", "options", "said"),
    [
        (table(lambda i: f"{'x' * 200_000},1,{i}"), [], "cell of more than 131,072 characters"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--target", "Y"], "did you mean “y”?"),
        (table(lambda i: f"1,x,{i % 2}"), [], "“b” is not used: it never changes"),
        (table(lambda i: f"{i},1,{i + 0.5 if i != 4 else 1e60}"), [], "row 5 of the column “y”"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--learning-rate", "nan"], "not a finite number"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--l2", "1e400"], "not a finite number"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--dropout", "nan"], "not a finite number"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--hidden", "99999999999999"], "would hold"),
        (table(lambda i: f"{i},1,{i % 2}"), ["--encoding", "\0"], "unknown encoding"),
    ],
)
@pytest.mark.parametrize("lang", ["en", "es"])
def test_a_mistake_is_said_in_one_document_and_leaves_nothing(
    trasluz, tmp_path, content, options, said, lang
):
    data = tmp_path / "data.csv"
    data.write_text(content)
    words = ["train", data, "--target", "y", *QUICK, "--out", tmp_path / "run", *options]
    code, out, err = trasluz(*words, "--json", "--lang", lang)
    assert code == 2
    assert json.loads(out)["error"]["what"]
    assert "Traceback" not in err
    assert lang == "es" or said in err
    assert files(tmp_path) == ["data.csv"]


def test_a_mistake_does_not_cost_the_checkpoint_of_an_earlier_training(trasluz, tmp_path):
    words = ["train", "iris", *QUICK, "--out", tmp_path, "--quiet"]
    assert trasluz(*words)[0] == 0
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}
    for wrong in (["--activation", "rleu"], ["--learning-rate", "inf"], ["--optimizer", "adm"]):
        assert trasluz(*words, *wrong)[0] == 2
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def test_an_earlier_training_stays_until_another_is_whole(trasluz, tmp_path):
    words = ["train", "iris", "--hidden", "4", "--engine", "numpy", "--quiet", "--out"]
    run, alone = tmp_path / "run", tmp_path / "alone"
    assert trasluz(*words, run, "--epochs", 3)[0] == 0
    before = {name: (run / name).read_bytes() for name in files(run)}
    asked = [*words, run, "--epochs", 9, "--seed", 7]

    def until(epoch):
        def stop(self, number, logs=None):
            if number == epoch:
                raise KeyboardInterrupt

        return mock.patch("trasluz.cli.progress.Progress.on_epoch_end", stop)

    with until(4):
        assert trasluz(*asked)[0] == 130
    (run / ".model.trasluz.a1.part").write_bytes(b"left by one that was killed")
    assert {name: (run / name).read_bytes() for name in before} == before
    assert trasluz("evaluate", run, "iris", "--quiet")[0] == 0
    with mock.patch("trasluz.cli.folder.settle", side_effect=KeyboardInterrupt):
        assert trasluz(*asked, "--resume")[0] == 130  # before anything
    with mock.patch.object(Path, "replace", side_effect=KeyboardInterrupt):
        assert trasluz(*asked, "--resume")[0] == 130  # when all is written, and nothing moved
    assert {name: (run / name).read_bytes() for name in before} == before
    assert trasluz("evaluate", run, "iris", "--quiet")[0] == 0  # moves it
    assert files(run) == sorted(before)
    assert trasluz(*words, alone, "--epochs", 9, "--seed", 7)[0] == 0
    ours, theirs = (load_model(folder / "model.trasluz").get_weights() for folder in (run, alone))
    assert all((a == b).all() for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_damaged_settings_are_said(trasluz, tmp_path, content):
    words = ["train", "iris", *QUICK, "--out", tmp_path, "--quiet"]
    assert trasluz(*words)[0] == 0
    (tmp_path / "settings.json").write_bytes(content)
    code, _, err = trasluz(*words, "--resume")
    assert code == 2 and "settings of the interrupted run cannot be read" in err


@pytest.mark.skipif(os.name != "posix", reason="locks of folders")
def test_two_trainings_do_not_mix_their_files(trasluz, tmp_path):
    from trasluz.cli.folder import entered

    with entered(tmp_path, "train"):
        code, _, err = trasluz("train", "iris", *QUICK, "--out", tmp_path)
        assert code == 2
        assert "another training is running" in err
    assert files(tmp_path) == []
    assert trasluz("train", "iris", *QUICK, "--out", tmp_path, "--quiet")[0] == 0


def test_many_columns_and_classes_are_listed_in_short(trasluz, tmp_path):
    wide = tmp_path / "wide.csv"
    names = [f"a_rather_long_column_name_{i}" for i in range(300)]
    wide.write_text(",".join(names) + "\n" + ",".join("1" * 300) + "\n")
    code, _, err = trasluz("train", wide)
    assert code == 2
    assert "no target was given" in err
    assert len(err) < 2500
    assert enumerated(["x"] * 41).endswith("… (+1)")
    assert "did you mean “Price”" in suggest("price", ["Price", *names])
    assert len(say("table-delimiter", delimiter="x" * 5000)) < 1000
    many = tmp_path / "many.csv"
    many.write_text(table(lambda i: f"{i},class {i % 300}", rows=900, header="a,y"))
    words = ["train", many, "--target", "y", *QUICK, "--epochs", "1", "--out", tmp_path / "run"]
    assert trasluz(*words, "--quiet")[0] == 0


@pytest.mark.parametrize(
    "text", ["año,b\nñ,1\né,2\n", "größe,b\nstraße,1\n", "nombre,b\nMuñoz,3\nPérez,4\n"]
)
def test_a_few_accents_read_as_western(tmp_path, text):
    path = tmp_path / "data.csv"
    path.write_bytes(text.encode("cp1252"))
    assert read_table(path).frame.columns[0] == text.split(",")[0]


def test_utf_32_is_read(tmp_path):
    path = tmp_path / "data.csv"
    path.write_bytes("año,b\n1,2\n".encode("utf-32"))
    assert read_table(path).frame.columns == ["año", "b"]


NAMES = [
    "two$ $signs^{",
    "x_{$\\frac$}",
    "tar$get$\\",
    "\x1b]0;title\x07",
    "\x9b2J\u202e",
    "<b>&amp;",
]
ACTING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]")


@pytest.fixture
def signs(tmp_path):
    """A table whose columns, classes and path are made of signs that others obey."""
    rng = np.random.default_rng(0)
    file = tmp_path / os.fsdecode(b"pri$ce$s^{ \xe9: a\nb.csv")
    with open(file, "w", encoding="utf-8", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow([*NAMES, "kind"])
        rows.writerows([*rng.normal(size=len(NAMES)), NAMES[i % 4]] for i in range(80))
    return file


def test_signs_in_names_are_shown_and_not_obeyed(trasluz, signs, tmp_path):
    run, found = tmp_path / "run$", tmp_path / "found$"
    many = ["--target", "kind", "--epochs", "2", "--engine", "numpy"]
    for words in (
        ["train", signs, *many, "--out", run],
        ["train", signs, *many, "--out", run, "--json"],
        ["train", signs, "--target", NAMES[2], "--epochs", 2, "--out", tmp_path / "regression"],
        ["sweep", signs, *many, "--learning-rates", "0.1,0.01", "--out", tmp_path / "swept"],
        ["sweep", signs, *many, "--learning-rates", "0.1..0.2", "--trials", 3, "--out", found],
        ["evaluate", run, signs],
        ["predict", run, signs, "--json"],
        ["summary", run],
        ["explain", run, signs, "--row", 1, "--wrt", "dense/kernel[0,0]"],
        ["explain", run, signs, "--row", 1, "--wrt", "dense/kernel[0,0]", "--json"],
    ):
        code, out, err = trasluz(*words)
        assert code == 0, (words, err)
        assert not ACTING.search(out + err), (words, ascii(ACTING.findall(out + err)))
    asked = ["explain", run, signs, "--row", 1, "--wrt", "dense/kernel[0,0]", "--quiet"]
    for form in ("html", "latex", "markdown"):
        assert trasluz(*asked, "--format", form, "--out", tmp_path / form)[0] == 0
        assert not ACTING.search((tmp_path / form).read_text(encoding="utf-8")), form
    for words in (
        ["train", signs, "--target", "kin"],
        ["explain", run, signs, "--row", 1, "--wrt", "\x1b[2J"],
        ["evaluate", f"{run}\x1b[2J", signs],
    ):
        code, out, err = trasluz(*words)
        assert code == 2 and not ACTING.search(out + err), words


def test_a_number_immensely_far_from_the_training_is_refused(trasluz, tmp_path):
    assert trasluz("train", "iris", *QUICK, "--out", tmp_path, "--quiet")[0] == 0
    new = tmp_path / "new.csv"
    columns = json.loads((tmp_path / "report.json").read_text())["features"]
    new.write_text(",".join(columns) + "\n5,3,1e100,1\n")
    code, out, err = trasluz("predict", tmp_path, new)
    assert (code, out) == (2, "")
    assert f"row 1 of the column “{columns[2]}” holds 1e+100" in err


def test_predictions_do_not_replace_the_model(trasluz, tmp_path):
    assert trasluz("train", "iris", *QUICK, "--out", tmp_path, "--quiet")[0] == 0
    code, _, err = trasluz("predict", tmp_path, "iris", "--out", tmp_path / "model.trasluz")
    assert code == 2
    assert "this is the file of the model" in err
    load_model(tmp_path / "model.trasluz")


@pytest.mark.skipif(os.name != "posix", reason="pipes with names")
def test_what_is_no_plain_file_is_written_to_and_not_replaced(tmp_path):
    pipe, got = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_atomically(pipe, b"abc")
    reader.join(timeout=10)
    assert got == [b"abc"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_a_full_disk_under_standard_output_is_no_defect():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "trasluz", "datasets"], stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


def test_a_terminal_without_unicode_is_no_defect():
    surroundings = {**os.environ, "PYTHONIOENCODING": "ascii", "TRASLUZ_LANG": "es"}
    for more in ([], ["--json"]):
        done = subprocess.run(
            [sys.executable, "-m", "trasluz", "datasets", *more],
            capture_output=True,
            env={**surroundings, "TERM": "dumb", "NO_COLOR": "1", "COLUMNS": "40"},
        )
        assert done.returncode == 0, done.stderr
        if more:
            about = json.loads(done.stdout)["datasets"][-1]["about"]
            assert "química" in about


def test_an_unknown_language_around_is_english(monkeypatch):
    monkeypatch.setenv("TRASLUZ_LANG", "fr_FR.UTF-8")
    assert language() == "en"


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_any_interruptions_and_kills_leave_the_run_as_it_would_have_been(tmp_path):
    options = [
        "penguins",
        "--epochs",
        "200",
        "--patience",
        "0",
        "--engine",
        "numpy",
        "--hidden",
        "4",
    ]
    words = [sys.executable, "-m", "trasluz", "train", *options, "--dropout", "0.1", "--quiet"]
    subprocess.run([*words, "--out", tmp_path / "whole"], check=True)
    part = tmp_path / "part"
    for signs in ([signal.SIGKILL], [signal.SIGINT] * 3):
        going_on = ["--resume"] if (part / "checkpoint.trasluz").exists() else []
        running = subprocess.Popen(
            [*words, "--out", part, *going_on], stderr=subprocess.PIPE, text=True
        )
        # Before Python has read the program, nobody can hear an interruption.
        began, deadline = time.time(), time.monotonic() + 30
        file = part / "checkpoint.trasluz"
        while time.monotonic() < deadline and running.poll() is None:
            if file.exists() and file.stat().st_mtime > began:
                break
            time.sleep(0.02)
        time.sleep(0.2)
        for sign in signs:
            running.send_signal(sign)
            time.sleep(0.01)
        _, err = running.communicate(timeout=60)
        assert running.returncode in (0, 130, -signal.SIGKILL), err
        assert "Traceback" not in err
    subprocess.run([*words, "--out", part, "--resume"], check=True)
    for name in ("whole", "part"):
        assert not list((tmp_path / name).glob("*.part"))
    whole, again = (load_model(tmp_path / n / "model.trasluz") for n in ("whole", "part"))
    pairs = zip(whole.get_weights(), again.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("wait", [0.3, 0.45, 0.6])
def test_many_interruptions_at_once_are_one(tmp_path, wait):
    words = ["train", "penguins", "--epochs", "5000", "--patience", "0", "--engine", "numpy"]
    running = subprocess.Popen(
        [sys.executable, "-m", "trasluz", *words, "--out", tmp_path / "run"],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    heard = time.monotonic() + 30
    while time.monotonic() < heard and not _hears(running.pid):  # before, nobody can
        time.sleep(0.01)
    time.sleep(wait)
    for _ in range(12):
        running.send_signal(signal.SIGINT)
        time.sleep(0.0005)
    _, err = running.communicate(timeout=120)
    assert running.returncode in (0, 130) and "Traceback" not in err, err


def _hears(process):
    """Tell whether a process has a way of its own to be interrupted, or its system does not say."""
    status = Path(f"/proc/{process}/status")
    if not status.exists():
        return True
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt"))
    return int(caught.split()[1], 16) >> (signal.SIGINT - 1) & 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_what_is_no_file_is_not_waited_for(trasluz, tmp_path):
    os.mkfifo(tmp_path / "t.csv")
    (tmp_path / "zero.csv").symlink_to("/dev/zero")
    for name in ("t.csv", "zero.csv"):
        code, _, err = trasluz("train", tmp_path / name, "--target", "x")
        assert code == 2 and "a pipe or a device" in err
    os.mkfifo(tmp_path / "s.json")
    (tmp_path / "a.md").write_text("q1 = 2")
    assert trasluz("grade", tmp_path / "s.json", tmp_path / "a.md")[0] == 2


def test_answers_are_read_in_no_time_however_they_are_written(tmp_path):
    """Looking for the sheet's name does not go over the same signs again and again."""
    file = tmp_path / "a.md"
    file.write_text("q1 = 1\nsheet" + "\t" * 200_000 + "x")
    began = time.process_time()
    assert Answers.load(file).texts == {"q1": "1"}
    table = tmp_path / "class.csv"
    table.write_text("name,q1\n" + "sheet-01,1\n" * 20_000)
    answers, _ = load_class(table)
    assert len(answers) == 20_000 and "sheet-01 (20000)" in answers
    assert time.process_time() - began < 5


@pytest.mark.parametrize("kind", ["BF16", "F8_E4M3", "F8_E5M2", "C64"])
def test_types_that_numpy_lacks_are_no_model(tmp_path, kind):
    size = 16 if kind == "C64" else 4 if kind == "BF16" else 2
    head = json.dumps({"w": {"dtype": kind, "shape": [2], "data_offsets": [0, size]}}).encode()
    (tmp_path / "m").write_bytes(len(head).to_bytes(8, "little") + head + bytes(size))
    with pytest.raises(UserError) as caught:
        load_model(tmp_path / "m")
    assert caught.value.mend


# -------------------------------------------------------------------------------------- model files


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A model that was trained on a table, as arrays and document."""
    folder = tmp_path_factory.mktemp("trained")
    assert run(["train", "penguins", *QUICK, "--quiet", "--out", str(folder)]) == 0
    return unpack(folder / "model.trasluz")


def forged(path, arrays, document):
    """Write a file whose checksum fits, whatever it says."""
    path.write_bytes(pack(arrays, {k: v for k, v in document.items() if k != "format"}))
    return path


NONSENSE = [b"{", b"[]", b"{}", b'{"version": 1, "task": "x"}', b"[" * 10**6]


@pytest.mark.parametrize("content", NONSENSE, ids=range(len(NONSENSE)))
def test_a_preparation_that_makes_no_sense_is_refused(trained, trasluz, tmp_path, content):
    arrays, document = trained
    held = {**arrays, "extra|preparation.json": np.frombuffer(content, np.uint8)}
    assert trasluz("summary", forged(tmp_path / "evil", held, document))[0] == 2


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("model", "class_name"), "eval"),
        (("model",), "os.system"),
        (("model", "config", "layers"), None),
        (("model", "config", "layers", 0, "class_name"), "subprocess.Popen"),
        (("model", "config", "layers", 0, "config", "units"), 10**15),
        (("model", "config", "layers", 0, "config", "units"), 10**8),
        (("model", "config", "layers", 0, "config", "units"), "x"),
        (("model", "config", "layers", 0, "config", "activation"), "__import__"),
        (("model", "config", "input"), [[None, 10**12], "float32", None]),
        (("model", "config", "input"), [[None, -5], "float32", None]),
        (("compile", "loss"), "eval"),
        (("compile", "whatever"), 1),
        (("iterations",), "x"),
    ],
)
def test_a_document_that_asks_for_the_unknown_or_the_absurd_is_refused(
    trained, tmp_path, place, value
):
    arrays, document = trained
    document = copy.deepcopy(document)
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    start = time.perf_counter()
    with pytest.raises(UserError):
        load_model(forged(tmp_path / "evil", arrays, document))
    assert time.perf_counter() - start < 5


def test_one_altered_bit_anywhere_is_found(trained, tmp_path):
    whole = forged(tmp_path / "whole", *trained).read_bytes()
    for place in np.random.default_rng(1).integers(0, len(whole), 60):
        altered = bytearray(whole)
        altered[place] ^= 1 << (int(place) % 8)
        (tmp_path / "altered").write_bytes(altered)
        with pytest.raises(UserError):
            load_model(tmp_path / "altered")


# ------------------------------------------------------------------------------------------- Python


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"x": np.ma.masked_greater(X, 0)}, "masked"),
        ({"x": {"a": X}}, "one input"),
        ({"epochs": 1.5}, "epochs has to be a whole number"),
        ({"initial_epoch": "a"}, "initial_epoch has to be a whole number"),
        ({"validation_split": 0.2, "validation_freq": 0}, "validation_freq"),
        ({"validation_split": "a"}, "between 0 and 1"),
        ({"validation_data": X}, "inputs and targets"),
        ({"sample_weight": np.ones((40, 7))}, "weights of shape"),
        ({"class_weight": "balanced"}, "weights of classes"),
        ({"x": X.astype("f8") * 1e39}, "the inputs of its batch hold NaN or infinity"),
        ({"y": np.full_like(Y, np.nan)}, "the targets of its batch hold NaN or infinity"),
    ],
)
def test_what_fit_cannot_take_is_said(given, said):
    with pytest.raises(UserError, match=said):
        network().fit(**{"x": X, "y": Y, "verbose": 0, **given})


@pytest.mark.parametrize(
    "make",
    [
        lambda: Dense(3, dtype="int32"),
        lambda: Dense(3, dtype="float23"),
        lambda: BatchNormalization(axis=9),
        lambda: Dense(10**14),
    ],
)
def test_what_a_layer_cannot_be_is_said(make):
    with pytest.raises(UserError):
        Sequential([Input((3,)), make()])


class Raises(callbacks.Callback):
    """Fails at a moment of its second epoch."""

    def __init__(self, moment, error):
        self.error = error
        setattr(self, moment, self.fail)
        self.calls = 0

    def fail(self, *_):
        self.calls += 1
        if self.calls > 1:
            raise self.error


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
@pytest.mark.parametrize("moment", ["on_epoch_begin", "on_train_batch_end", "on_test_batch_end"])
def test_a_callback_that_fails_leaves_the_model_usable(engine, error, moment):
    model = network(engine)
    with pytest.raises(error):
        model.fit(
            X, Y, epochs=3, validation_split=0.2, verbose=0, callbacks=[Raises(moment, error)]
        )
    assert_usable(model)


class Fragile(Layer):
    """Fails when it is told to."""

    broken = False

    def call(self, x):
        if Fragile.broken:
            raise ZeroDivisionError
        return x


def test_two_threads_do_not_train_one_model():
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse", engine="numpy")
    x, told, begun, ended = np.ones((8, 2)), [], threading.Event(), threading.Event()

    def fit_too():
        begun.wait(10)
        try:
            model.fit(x, x[:, :1], verbose=0)
        except UserError as error:
            told.append(error)
        ended.set()

    def hold(epoch, logs):
        begun.set()
        assert ended.wait(10)

    other = threading.Thread(target=fit_too)
    other.start()
    model.fit(x, x[:, :1], verbose=0, callbacks=callbacks.LambdaCallback(on_epoch_end=hold))
    other.join()
    assert "trained by another thread" in str(told[0]) and told[0].mend
    assert model.optimizer.iterations == 1
    model.fit(x, x[:, :1], verbose=0)


DATA_MISTAKES = [
    (lambda m, x, y: m.train_on_batch(iter([(x, y)])), "an iterable of batches came"),
    (lambda m, x, y: m.test_on_batch(iter([(x, y)])), "an iterable of batches came"),
    (lambda m, x, y: m.explain(iter([(x, y)]), None, "dense/kernel"), "an iterable of batches"),
    (lambda m, x, y: m.train_on_batch(None), "there are no inputs"),
    (lambda m, x, y: m.evaluate(), "there are no inputs"),
    (lambda m, x, y: m.predict(None), "there are no inputs"),
    (lambda m, x, y: m.fit(x), "inputs without targets"),
    (lambda m, x, y: m.evaluate(x), "inputs without targets"),
    (lambda m, x, y: m.test_on_batch(x), "inputs without targets"),
    (lambda m, x, y: m.explain(x, None, "dense/kernel"), "inputs without targets"),
]


@pytest.mark.parametrize(("ask", "said"), DATA_MISTAKES)
def test_data_of_the_wrong_kind_are_named(ask, said):
    model = Sequential([Input((2,)), Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(UserError, match=said) as caught:
        ask(model, np.ones((3, 2)), np.ones((3, 1)))
    assert caught.value.mend


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_a_layer_that_fails_leaves_the_model_usable(engine, monkeypatch):
    model = Sequential([Input((3,)), Dense(4), Fragile(), Dense(1)])
    model.compile("sgd", "mse", engine=engine)
    with monkeypatch.context() as patch:
        patch.setattr(Fragile, "broken", True)
        for use in (lambda: model.fit(X, Y, verbose=0), lambda: model.predict(X)):
            with pytest.raises(ZeroDivisionError):
                use()
    assert_usable(model)


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_one_step_on_a_batch_with_nan_keeps_the_weights_too(engine):
    model = network(engine)
    before = model.get_weights()
    with pytest.raises(NonFiniteError, match=r"training step 1, .*sequential/dense"):
        model.train_on_batch(X * np.nan, Y)
    assert all(map(np.array_equal, before, model.get_weights()))
    assert_usable(model)


def test_a_run_that_terminates_on_nan_has_it_in_its_history():
    model = network(optimizer=optimizers.SGD(0.1))
    history = model.fit(X * np.nan, Y, verbose=0, callbacks=[callbacks.TerminateOnNaN()])
    assert np.isnan(history.history["loss"][-1])
    assert_usable(model)


class Endless(Layer):
    """Calls itself."""

    def call(self, x):
        return self(x)


def test_recursion_without_end_is_said():
    with pytest.raises(UserError, match="calls itself without end"):
        Sequential([Input((3,)), Endless()])
    with pytest.raises(UserError, match="calls itself without end"):
        Endless()(X)
    model = Sequential([Dense(3)])
    with pytest.raises(UserError, match="layer of itself"):
        model.add(model)


def test_two_hundred_layers_train_and_are_saved(tmp_path):
    x = inputs = Input((3,))
    for _ in range(200):
        x = Dense(3, activation="tanh")(x)
    model = Model(inputs, Dense(1)(x))
    model.compile("sgd", "mse", engine="numpy")
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "deep")
    np.testing.assert_array_equal(load_model(tmp_path / "deep").predict(X), model.predict(X))


@pytest.mark.parametrize("engine", ["numpy", "xla"])
@pytest.mark.parametrize("made", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_a_copy_is_a_model_of_its_own(engine, made):
    model = network(engine)
    model.fit(X, Y, verbose=0)
    twin, before = made(model), model.get_weights()
    np.testing.assert_array_equal(twin.predict(X), model.predict(X))
    twin.fit(X, Y, verbose=0)
    assert all(map(np.array_equal, before, model.get_weights()))


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_threads_may_predict_at_the_same_time(engine):
    model = network(engine)
    want, wrong = model.predict(X), []

    def predict():
        try:
            for _ in range(10):
                np.testing.assert_array_equal(model.predict(X), want)
        except Exception as error:
            wrong.append(error)

    threads = [threading.Thread(target=predict) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_preparing_checks_the_range_of_rows_that_are_not_trained_on(tmp_path):
    path = tmp_path / "data.csv"
    for far in range(0, 40, 7):
        path.write_text(table(lambda i, far=far: f"{i if i != far else 1e70},1,{i + 0.5}"))
        found = read_table(path)
        try:
            parts = prepare(found, ("y",)).parts
        except UserError as error:
            assert f"row {far + 1} of the column “a” holds" in str(error)
        else:  # in the training part it is the scale
            assert parts["train"].frame["a"].max() == 1e70
