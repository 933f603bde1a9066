"""Several devices and several processes: real ones, in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from trasluz import distribution
from trasluz.distribution import LOST, Place, place_in
from trasluz.errors import UserError
from trasluz.saving import load_model, unpack

HERE = Path(__file__).parent


def environment(**more):
    return {**os.environ, "PYTHONUNBUFFERED": "1", **more}


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.slow
def test_on_four_devices():
    four = environment(XLA_FLAGS="--xla_force_host_platform_device_count=4")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", HERE / "on_devices.py"],
        env=four, cwd=HERE.parent, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# ------------------------------------------------------------------------------------- processes


class Pair:
    """Two processes of one program that are to meet."""

    def __init__(self, *command):
        where = f"127.0.0.1:{free_port()}"
        self.processes = [
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                env=environment(
                    JAX_COORDINATOR_ADDRESS=where, JAX_NUM_PROCESSES="2", JAX_PROCESS_ID=str(number)
                ),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            for number in range(2)
        ]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.communicate()

    def ended(self):
        """Wait: exit code, output and errors of each."""
        said = [process.communicate(timeout=120) for process in self.processes]
        codes = [process.returncode for process in self.processes]
        return [(code, *texts) for code, texts in zip(codes, said, strict=True)]


def train(folder, epochs, *more):
    options = ["--dropout", "0.2", "--batch-size", "64", "--validation", "0", "--patience", "0"]
    return ["train", "iris", *options, "--epochs", epochs, "--out", folder, *more]


def weights(folder):
    return load_model(folder / "model.trasluz").get_weights()


@pytest.mark.slow
def test_two_processes_train_one_model_and_go_on_after_one_was_killed(tmp_path, trasluz):
    killed = tmp_path / "killed"
    kept = killed / "checkpoint.trasluz"

    with Pair("-m", "trasluz", *train(killed, 100_000, "--distributed", "--quiet")) as pair:
        end = time.monotonic() + 100
        while not kept.exists() or unpack(kept)[1]["position"]["epoch"] < 1:
            assert time.monotonic() < end and pair.processes[0].poll() is None
            time.sleep(0.05)
        pair.processes[1].send_signal(signal.SIGKILL)
        at = time.monotonic()
        (code, out, err), _ = pair.ended()
        assert time.monotonic() - at < 20
    assert (code, out) == (LOST, "")
    assert "process 1 of 2 is gone (in epoch" in err
    assert "start all of them again: trasluz train iris" in err and "--resume" in err
    assert "Traceback" not in err

    epochs = int(unpack(kept)[1]["position"]["epoch"]) + 3
    whole, alone = tmp_path / "whole", tmp_path / "alone"
    with Pair(
        "-m", "trasluz", *train(killed, epochs, "--distributed", "--quiet", "--resume")
    ) as pair:
        assert [code for code, _, _ in pair.ended()] == [0, 0]
    with Pair("-m", "trasluz", *train(whole, epochs, "--distributed", "--json")) as pair:
        first, second = pair.ended()
    assert first[0] == second[0] == 0, first[2] + second[2]
    assert json.loads(first[1])["epochs"] == epochs
    assert second[1:] == ("", "")
    assert trasluz(*train(alone, epochs, "--engine", "xla", "--quiet"))[0] == 0

    for v, w in zip(weights(whole), weights(killed), strict=True):
        np.testing.assert_array_equal(v, w)  # as if it had never been interrupted
    for v, w in zip(weights(whole), weights(alone), strict=True):
        np.testing.assert_allclose(v, w, rtol=1e-3, atol=1e-4)  # hundreds of steps


PROGRAM = """
import os, sys, time
import numpy as np
from trasluz import Sequential, callbacks, distribution, layers, utils
from trasluz.errors import UserError

distribution._GRACE = 1.0
distribution.initialize()
mine = distribution.process_index()

def fit(seed, shift=0.0, epochs=2, **how):
    utils.set_random_seed(seed)
    model = Sequential([layers.Input((4,)), layers.Dense(1)])
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(30, 4)) + shift
    return model.fit(x, x[:, :1], batch_size=8, epochs=epochs, devices="all", verbose=2, **how)

def refused(*how, **more):
    try:
        fit(*how, **more)
    except UserError as error:
        print(error.what, file=sys.stderr)

refused(seed=mine)
refused(0, shift=mine)
refused(0, epochs=2 + mine)
log = callbacks.CSVLogger(f"{sys.argv[1]}/log-{mine}.csv")
print(fit(0, callbacks=[log]).history["loss"], file=sys.stderr)

def leave(epoch, logs):
    if epoch == 1 and mine:
        os._exit(0)
    if epoch == 1:
        time.sleep(60)  # where no error reaches it

fit(0, epochs=9, callbacks=[callbacks.LambdaCallback(on_epoch_end=leave)])
"""


def test_processes_agree_before_they_start_and_do_not_wait_for_ever(tmp_path):
    with Pair("-W", "error", "-c", PROGRAM, tmp_path) as pair:
        (code, out, err), (_, silence, other) = pair.ended()
    told = err.splitlines()
    for what, line in zip(("weights", "data", "settings"), told, strict=False):
        assert line == f"the {what} of process 1 differ from those of process 0", err
    assert told[:4] == other.splitlines(), other  # the losses too
    assert (tmp_path / "log-0.csv").read_text().startswith("epoch,loss")
    assert not (tmp_path / "log-1.csv").exists()
    assert "Epoch 1/9" in out and silence == ""
    assert code == LOST and "process 1 of 2 is gone (in epoch" in told[4]


# ----------------------------------------------------------------------------- how they find out

JAX = {"JAX_COORDINATOR_ADDRESS": "a:1", "JAX_NUM_PROCESSES": "2", "JAX_PROCESS_ID": "1"}
TORCH = {"MASTER_ADDR": "b", "MASTER_PORT": "29500", "WORLD_SIZE": "4", "RANK": "3"}
SLURM = {"SLURM_JOB_ID": "5000", "SLURM_NTASKS": "8", "SLURM_PROCID": "7", "SLURM_LOCALID": "3"}
MPI = {
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1:34911",
    "OMPI_COMM_WORLD_SIZE": "2",
    "OMPI_COMM_WORLD_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
}


@pytest.mark.parametrize(
    "variables, place",
    [
        (JAX, Place("a:1", 2, 1)),
        (TORCH, Place("b:29500", 4, 3)),
        (TORCH | {"LOCAL_RANK": "1"}, Place("b:29500", 4, 3, 1)),
        (TORCH | {"TORCHELASTIC_USE_AGENT_STORE": "True"}, Place("b:29501", 4, 3)),
        (JAX | TORCH, Place("a:1", 2, 1)),
        (SLURM | {"SLURM_STEP_NODELIST": "n[007,011-015],m2"}, Place("n007:62344", 8, 7, 3)),
        (SLURM | {"SLURM_STEP_NODELIST": "n1,m2"}, Place("n1:62344", 8, 7, 3)),
        (SLURM | {"JAX_COORDINATOR_ADDRESS": "c:5"}, Place("c:5", 8, 7, 3)),
        (MPI, Place("10.96.0.1:62624", 2, 0, 0)),
        (JAX | {"JAX_COORDINATOR_ADDRESS": "[::1]:7"}, Place("[::1]:7", 2, 1)),
        (JAX | {"JAX_LOCAL_DEVICE_IDS": "0", "LOCAL_RANK": "1"}, Place("a:1", 2, 1)),
    ],
)
def test_launchers_say_where_a_process_stands(variables, place):
    assert place_in(variables) == place


@pytest.mark.parametrize(
    "variables, named",
    [
        ({}, "JAX_COORDINATOR_ADDRESS: where the first process is"),
        (JAX | {"JAX_NUM_PROCESSES": ""}, "JAX_NUM_PROCESSES: how many processes there are"),
        ({k: v for k, v in JAX.items() if k != "JAX_PROCESS_ID"}, "JAX_PROCESS_ID: which process"),
        (JAX | {"JAX_PROCESS_ID": "2"}, "JAX_PROCESS_ID and JAX_NUM_PROCESSES: process 2 of 2"),
        (TORCH | {"RANK": "-1"}, "RANK and WORLD_SIZE: process -1 of 4"),
        (JAX | {"JAX_PROCESS_ID": "one"}, "JAX_PROCESS_ID: 'one' is not a whole number"),
        (JAX | {"JAX_COORDINATOR_ADDRESS": "a"}, "'a' is not host:port"),
        (JAX | {"JAX_COORDINATOR_ADDRESS": "a:70000"}, "'a:70000' is not host:port"),
        ({k: v for k, v in TORCH.items() if k != "MASTER_PORT"}, "'b:' is not host:port"),
    ],
)
def test_what_is_missing_or_wrong_is_named(variables, named):
    with pytest.raises(UserError) as caught:
        place_in(variables)
    assert named in str(caught.value)


@pytest.mark.parametrize(
    "number, told",
    [(0, "of 3 processes, 1 came within 0 s; missing: 1, 2"), (1, "the first process did not")],
)
def test_nobody_waits_for_ever_for_the_others(number, told):
    with pytest.raises(UserError, match=told):
        distribution.initialize(f"127.0.0.1:{free_port()}", 3, number, timeout=0.2)
    assert distribution.process_count() == 1


def test_processes_that_do_not_belong_together_are_told_so():
    port, found = free_port(), []

    def first():
        try:
            distribution.initialize(f"127.0.0.1:{port}", 3, 0, timeout=20)
        except UserError as error:
            found.append(error.what)

    waiting = threading.Thread(target=first)
    waiting.start()
    place = Place(f"127.0.0.1:{port}", 3, 1)
    with distribution._connected(place, time.monotonic() + 10, 10) as stranger:
        stranger.sendall(b"GET / HTTP/1.1\n")
    with pytest.raises(UserError, match="process 1 of 2 came to the first of 3"):
        distribution.initialize(f"127.0.0.1:{port}", 2, 1, timeout=20)
    waiting.join(20)
    assert found == ["process 1 of 2 came to the first of 3"]


def test_a_port_that_is_taken_is_said():
    with socket.create_server(("", 0)) as server:
        taken = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UserError, match="cannot be listened on"):
            distribution.initialize(taken, 2, 0, timeout=1)


# ---------------------------------------------------------------------------------- command line


def test_the_command_line_names_what_is_missing(trasluz, tmp_path, monkeypatch):
    for name in (*JAX, *TORCH):
        monkeypatch.delenv(name, raising=False)
    code, _, err = trasluz("train", "iris", "--distributed", "--out", tmp_path)
    assert code == 2 and "JAX_COORDINATOR_ADDRESS" in err
    code, _, err = trasluz("train", "iris", "--devices", "none", "--lang", "es")
    assert code == 2 and "«none» no es ni un número desde 1 ni «all»" in err


def test_the_command_line_splits_batches_among_devices(trasluz, tmp_path):
    how = ["--epochs", "2", "--out", tmp_path, "--quiet"]
    assert trasluz("train", "iris", "--devices", "1", *how)[0] == 0
    code, _, err = trasluz("train", "iris", "--devices", "all", "--engine", "numpy", *how)
    assert code == 2 and "computes on one device" in err
    code, _, err = trasluz("train", "iris", "--distributed", "--engine", "numpy", *how)
    assert code == 2 and "computes on one device" in err  # before anybody is waited for
