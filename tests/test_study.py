"""Searches: reproducible, shared by processes, taken up again; real databases; what goes wrong."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState

from trasluz import Sequential, layers, saving, search
from trasluz.base.messages import speak, speaking
from trasluz.callbacks import Callback, EarlyStopping
from trasluz.errors import UserError
from trasluz.layers import Input
from trasluz.studies import search as study

SPACE = {
    "learning_rate": FloatDistribution(1e-3, 1.0, log=True),
    "l2": [0.0, 0.01],
    "batch_size": [8, 16],
    "dense/units": [2, 4, 8],
}


@pytest.fixture(autouse=True)
def english_again():
    yield
    speak(None)


def table(n=64):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 3)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2]).astype("float32")


def network(engine="numpy"):
    model = Sequential([Input((3,)), layers.Dense(4, "tanh", name="dense"), layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"], engine=engine)
    return model


def searched(trials=6, model=None, space=None, **how):
    x, y = table()
    how = {"validation_data": (x[:16], y[:16]), "epochs": 4, "verbose": 0, "seed": 7} | how
    return search(model or network(), x[16:], y[16:], space or SPACE, trials, **how)


def told(found):
    return [(t.state, t.value, t.params) for t in found.standing()]


class StopAt(Callback):
    """Presses Ctrl-C in some training."""

    def __init__(self, training):
        self.left = training

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1:
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt


# ------------------------------------------------------------------------------------- one process


def test_a_search_is_the_same_again_and_gives_the_model_of_a_trial():
    found, again = searched(14), searched(14)
    assert found.done == 14 and told(found) == told(again)
    states = {state for state, *_ in told(found)}
    assert states == {TrialState.COMPLETE, TrialState.PRUNED}
    assert found.study.best_trial.number == found.best.number
    x, y = table()
    held = found.model().evaluate(x[:16], y[:16], verbose=0)[0]
    assert held == found.best.value
    settings = found.settings()
    assert settings["seed"] == 7 + found.best.number
    assert found.model().layers[0].units == settings["dense/units"]
    assert set(found.importances()) == set(SPACE)
    assert told(searched(3, seed=8)) != told(found)[:3]


def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path):
    whole = searched(7)
    url = f"sqlite:///{tmp_path / 'study.db'}"
    stopped = searched(7, storage=url, callbacks=[StopAt(4)])
    assert stopped.interrupted and stopped.done == 3
    resumed = searched(7, storage=url)
    assert not resumed.interrupted and resumed.done == 7
    assert told(resumed) == told(whole)
    more = searched(9, storage=url)
    assert more.done == 9 and len(more.study.trials) == 10  # the interrupted one twice


def test_what_is_measured_may_have_to_become_large():
    x, y = table()
    model = Sequential([Input((3,)), layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"], engine="numpy")
    found = search(
        model, x, y > 0, {"learning_rate": [1e-9, 0.5]}, 8, monitor="accuracy", epochs=9, verbose=0
    )
    values = [t.value for t in found.study.trials if t.state is TrialState.COMPLETE]
    assert found.best.value == max(values) and found.study.direction.name == "MAXIMIZE"


def test_early_stopping_counts_with_the_weights_it_gives_back():
    stopping = EarlyStopping("val_loss", patience=1, restore_best_weights=True)
    space = {"learning_rate": [0.3, 0.6]}
    found = searched(2, space=space, epochs=12, callbacks=[stopping])
    x, y = table()
    model = found.model(found.study.trials[0])
    assert model.evaluate(x[:16], y[:16], verbose=0)[0] == found.study.trials[0].value
    assert found.study.trials[0].value == min(model.history.history["val_loss"])


def test_what_diverges_is_given_up_and_says_so():
    found = searched(4, space={"learning_rate": [1e30]}, epochs=9)
    assert found.done == 4 and all(t.user_attrs["diverged"] for t in found.study.trials)
    with pytest.raises(UserError, match="no trial has come to an end"):
        _ = found.best
    assert found.leading is None and found.importances() == {}


def test_a_mistake_ends_the_search_and_is_tried_again_a_few_times(tmp_path):
    calls = []

    def build(units):
        calls.append(units)
        if len(calls) > 1:
            raise UserError("not today")
        return network()

    url = f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(study._TRIES):
        with pytest.raises(UserError, match="not today"):
            searched(1, build, {"units": [1, 2]}, storage=url)
        calls.clear()
    found = searched(1, build, {"units": [1, 2]}, storage=url)
    assert found.done == 0 and len(found.study.trials) == study._TRIES
    assert len({t.params["units"] for t in found.study.trials}) == 1


class GivenAway(Callback):
    """Makes the first trial another process's, as if this one had been silent for too long."""

    def __init__(self, storage):
        self.storage = storage

    def on_epoch_end(self, epoch, logs=None):
        if epoch == 1 and self.storage is not None:
            study_id = self.storage.get_study_id_from_name("search")
            [trial] = self.storage.get_all_trials(study_id)
            self.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            self.storage = None


def test_a_process_that_was_silent_for_too_long_goes_on_with_other_trials():
    storage = optuna.storages.InMemoryStorage()
    found = searched(4, storage=storage, callbacks=[GivenAway(storage)])
    assert told(found) == told(searched(4))
    first, second, *_ = found.study.trials
    assert first.state is TrialState.FAIL and second.system_attrs["failed_trial"] == 0


def test_a_study_in_memory_has_an_address_too():
    assert told(searched(3, storage="sqlite:///:memory:")) == told(searched(3))


def test_optuna_s_own_objects(capsys):
    storage = optuna.storages.InMemoryStorage()
    sampler, pruner = optuna.samplers.RandomSampler(seed=1), optuna.pruners.NopPruner()
    found = searched(5, storage=storage, study="mine", sampler=sampler, pruner=pruner, verbose=1)
    assert [t.state for t in found.study.trials] == [TrialState.COMPLETE] * 5
    assert optuna.load_study(study_name="mine", storage=storage).best_value == found.best.value
    assert "5 of 5 trials, best val_loss" in capsys.readouterr().out
    assert repr(found) == "<Search 'mine': 5 of 5 trials>"


# ------------------------------------------------------------------------------ several processes

WORKER = textwrap.dedent(
    """
    import sys
    sys.path.insert(0, sys.argv[2])
    import test_study
    space = {"learning_rate": [0.01, 0.1]}
    print("ready", flush=True)
    input()
    found = test_study.searched(40, space=space, storage=sys.argv[1], epochs=1)
    print(found.done)
    """
)


def test_processes_share_a_file_and_never_a_trial(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    words = [sys.executable, "-c", WORKER, url, str(Path(__file__).parent)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(words, **pipes) for _ in range(3)]
    assert [one.stdout.readline() for one in workers] == ["ready\n"] * 3
    for one in workers:
        one.stdin.write("\n")
        one.stdin.flush()
    assert [one.communicate(timeout=120)[0] for one in workers] == ["40\n"] * 3
    with looking_into(url) as trials_of:
        trials = trials_of("search")
    ended = [t for t in trials if t.state.is_finished()]
    assert len(ended) == 40 and len({t.number for t in trials}) == len(trials)
    assert len({t.user_attrs["process"] for t in ended}) > 1


def program(name):
    """Find a program of PostgreSQL's, which Debian keeps out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return str(found[-1]) if found else shutil.which(name)


@pytest.fixture(scope="module")
def postgresql():
    """A server of its own, in a temporary folder, on a free port of this machine."""
    if not (program("initdb") and program("pg_ctl")):
        pytest.skip("PostgreSQL is not installed (no initdb): Debian's package is postgresql")
    folder = tempfile.mkdtemp(prefix="pg")
    who = {}
    if os.geteuid() == 0:  # the server refuses to run as root
        names = [entry.pw_name for entry in pwd.getpwall()]
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(*words):
        subprocess.run(words, check=True, cwd=folder, stdout=subprocess.DEVNULL, timeout=120, **who)

    data = f"{folder}/data"
    call(program("initdb"), "-D", data, "-U", "trasluz", "-A", "trust", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(program("pg_ctl"), "-D", data, "-w", "-l", f"{folder}/log", "-o", options, "start")
    stop = [program("pg_ctl"), "-D", data, "-w", "-m", "immediate", "stop"]
    # If the tests are killed, the server ends too: it would stay for good.
    orphan = f"while [ -d /proc/{os.getpid()} ]; do sleep 1; done; {shlex.join(stop)}"
    watch = subprocess.Popen(["sh", "-c", orphan], cwd="/", start_new_session=True, **who)
    try:
        yield f"postgresql+psycopg://trasluz@127.0.0.1:{port}/postgres"
    finally:
        watch.kill()
        watch.wait()
        call(*stop)
        shutil.rmtree(folder)


def words(url, out, trials, *more):
    return [
        "sweep", "penguins", "--trials", trials, "--storage", url, "--study", "shared",
        "--heartbeat", 1, "--learning-rates", "1e-3..1e-1", "--dropout", "0..0.5",
        "--hidden", "16/8,8", "--epochs", 30, "--patience", 0, "--engine", "numpy",
        "--out", out, "--json", *more,
    ]  # fmt: skip


def worker(*how):
    return subprocess.Popen(
        [sys.executable, "-m", "trasluz", *map(str, words(*how))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@contextlib.contextmanager
def looking_into(url):
    """Give what lists the trials of the study in a database."""
    storage = optuna.storages.RDBStorage(url)

    def trials(study_name):
        known = optuna.get_all_study_names(storage)
        if study_name not in known:
            return []
        return optuna.load_study(study_name=study_name, storage=storage).trials

    yield trials
    storage.remove_session()
    storage.engine.dispose()


def until(true, seconds=60):
    """Wait for something to become true."""
    end = time.monotonic() + seconds
    while not (found := true()):
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)
    return found


def test_workers_share_a_database_and_take_over_from_a_killed_one(postgresql, trasluz, tmp_path):
    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    with looking_into(postgresql) as trials_of:
        of = lambda *states: [t for t in trials_of("shared") if t.state in states]  # noqa: E731
        first = worker(postgresql, tmp_path / "a", 8)
        until(lambda: [t for t in of(TrialState.RUNNING) if len(t.params) == 4])
        first.send_signal(signal.SIGKILL)
        first.communicate()
        [lost] = of(TrialState.RUNNING)

        workers = [worker(postgresql, tmp_path / name, 8) for name in "bc"]
        told = [one.communicate(timeout=120) for one in workers]
        assert [one.returncode for one in workers] == [0, 0], told
        reports = [json.loads(out) for out, _ in told]
        done = of(*ended)
        assert len(done) == 8 and [t.number for t in of(TrialState.FAIL)] == [lost.number]
        again = [t for t in done if t.system_attrs.get("failed_trial") == lost.number]
        assert len(again) == 1 and again[0].params == lost.params
        assert again[0].user_attrs["process"] != lost.user_attrs["process"]
        best = min(of(TrialState.COMPLETE), key=lambda t: t.value)
        assert (
            reports[0]["best"] == reports[1]["best"] and reports[0]["best"]["trial"] == best.number
        )
        models = [saving.load_model(tmp_path / name / "model.trasluz") for name in "bc"]
        for a, b in zip(*(model.get_weights() for model in models), strict=True):
            np.testing.assert_array_equal(a, b)

        code, out, err = trasluz(*words(postgresql, tmp_path / "b", 9))
        assert code == 0, err
        assert json.loads(out)["trials"] == 9 and len(of(*ended)) == 9
        code, _, err = trasluz(
            *words(postgresql, tmp_path / "b", 9, "--epochs", 31, "--lang", "es")
        )
        assert code == 2 and len(of(*ended)) == 9
        assert "Error: shared: el estudio empezó con epochs 30, y ahora es 31" in err


# ------------------------------------------------------------------------------ what is not right


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"trials": 0}, "number of trials is 0"),
        ({"space": {"learning_rate": 0.1}}, "does not say what can be chosen"),
        ({"space": {"learning_rate": []}}, "does not say what can be chosen"),
        ({"space": {"seed": [1, 2]}}, "a seed of its own"),
        ({"model": [network(), network()]}, "is for one model"),
        ({"space": {"dense/unit": [3]}}, "did you mean 'dense/units'"),
        ({"validation_data": [(0, 1)]}, "not in memory"),
        ({"monitor": "val_los"}, "did you mean 'val_loss'"),
        ({"storage": "not an address"}, "not the address of a storage"),
        ({"storage": "nosuch://ana:secret@host/base"}, "no driver for this storage"),
        ({"storage": "oracle://ana:secret@host/base"}, "no driver for this storage"),
        ({"storage": "sqlite:////nowhere/at/all.db"}, "does not answer"),
        ({"storage": "postgresql+psycopg://ana:secret@127.0.0.1:9/base"}, "does not answer"),
    ],
)
def test_mistakes_are_named(how, says):
    with pytest.raises(UserError, match=says) as caught:
        searched(**how)
    assert "secret" not in str(caught.value)


def test_the_study_has_to_be_the_same_search(tmp_path):
    url = f"sqlite:///{tmp_path / 'study.db'}"
    searched(1, storage=url)
    for how, says in [
        ({"epochs": 5}, "begun with epochs 4, and now it is 5"),
        ({"seed": 8}, "seed 7"),
        ({"space": {"l2": [0.0, 0.1]}}, "space"),
        ({"about": {"hidden": "3"}}, "hidden null"),
    ]:
        with pytest.raises(UserError, match=says):
            searched(1, storage=url, **how)
    optuna.create_study(study_name="other", storage=url).optimize(lambda trial: 1.0, n_trials=1)
    with speaking("es"), pytest.raises(UserError, match="hay un estudio con este nombre"):
        searched(1, storage=url, study="other")


def test_without_optuna_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UserError, match=r"pip install 'trasluz\[search\]'"):
        searched()
