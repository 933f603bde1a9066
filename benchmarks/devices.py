"""What does it cost to split a step among devices, or processes? Against one device.

    python benchmarks/devices.py              writes its section of results.md
    python benchmarks/devices.py --quick      one network, few repetitions; fails far off the bar

Whole epochs of `fit`, float32, Adam. The devices are forced upon one processor, and the processes
share it, so nothing can be gained here: what is measured is the price of splitting, of the sums
over all devices, and of waiting for each other. The contestants take turns.
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import time

import numpy as np
from bench import write

# sizes, rows a step, rows
NETWORKS = {
    "784-1024-1024-10, 512": ((784, 1024, 1024, 10), 512, 2_048),
    "784-128-10, 128": ((784, 128, 10), 128, 6_400),
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 1_600),
}
# devices a process, processes
CONTESTANTS = {
    "one device": (1, 1),
    "2 devices": (2, 1),
    "4 devices": (4, 1),
    "2 processes": (1, 2),
}
BARS = {"2 devices": 6.0, "2 processes": 20.0}  # times as long as one; two cores may be busy


def contest(network: str, alone: bool) -> None:
    """Serve as a contestant: for each line read, train an epoch and print microseconds a step."""
    from trasluz import Sequential, distribution, layers, utils

    if "JAX_PROCESS_ID" in os.environ:
        distribution.initialize()
    sizes, size, rows = NETWORKS[network]
    utils.set_random_seed(0)
    hidden = [layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = Sequential([layers.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])
    model.compile("adam", "mse", engine="xla")
    rng = np.random.default_rng(0)
    x, y = (rng.normal(size=(rows, units)).astype("float32") for units in (sizes[0], sizes[-1]))
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        model.fit(x, y, batch_size=size, verbose=0, devices=None if alone else "all")
        print((time.perf_counter() - begin) / (rows / size) * 1e6, flush=True)


class Contestant:
    """One or more processes that take turns when asked."""

    def __init__(self, name: str, network: str) -> None:
        devices, processes = CONTESTANTS[name]
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = f"127.0.0.1:{free.getsockname()[1]}"
        command = [sys.executable, __file__, "--contest", network]
        command += ["--alone"] if devices == processes == 1 else []
        self.processes = []
        for number in range(processes):
            forced = f"--xla_force_host_platform_device_count={devices}"
            several = {
                "JAX_COORDINATOR_ADDRESS": address,
                "JAX_NUM_PROCESSES": str(processes),
                "JAX_PROCESS_ID": str(number),
            }
            self.processes.append(
                subprocess.Popen(
                    command,
                    env={**os.environ, "XLA_FLAGS": forced, **(several if processes > 1 else {})},
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            )
        self._lines()

    def _lines(self) -> list[str]:
        return [process.stdout.readline().strip() for process in self.processes]

    def turn(self) -> float:
        for process in self.processes:
            process.stdin.write("go\n")
            process.stdin.flush()
        return max(float(line) for line in self._lines())

    def leave(self) -> None:
        for process in self.processes:
            process.stdin.close()
        for process in self.processes:
            process.wait()


def measure(network: str, names: list[str], rounds: int) -> dict[str, float]:
    """Let contestants take turns: medians of microseconds by name."""
    there = {name: Contestant(name, network) for name in names}
    for contestant in there.values():
        contestant.turn()  # compiles
        contestant.turn()
    turns = [{name: c.turn() for name, c in there.items()} for _ in range(rounds)]
    for contestant in there.values():
        contestant.leave()
    return {name: statistics.median(turn[name] for turn in turns) for name in there}


def main() -> int:
    """Measure, print, and in quick mode say whether it is far off."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--contest", help=argparse.SUPPRESS)
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.contest:
        contest(asked.contest, asked.alone)
        return 0
    names = ["one device", *BARS] if asked.quick else [*CONTESTANTS]
    off, lines = [], [f"| µs a step | {' | '.join(names)} |", f"{'|---' * (len(names) + 1)}|"]
    for network in list(NETWORKS)[: 1 if asked.quick else None]:
        found = measure(network, names, 3 if asked.quick else 7)
        times = {name: found[name] / found["one device"] for name in names}
        cells = [f"{found[name]:,.0f} ({times[name]:.2f})" for name in names]
        lines.append(f"| {network} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
        off += [
            f"{name}: {times[name]:.1f} times" for name, bar in BARS.items() if times[name] > bar
        ]
    if not asked.quick:
        title, note = "Several devices", "In brackets: as many times as long as on one device."
        write("devices", title, "\n".join(lines), f"{note} All of them share one processor.")
    if asked.quick and off:
        print("far off:", *off)
    return int(asked.quick and bool(off))


if __name__ == "__main__":
    sys.exit(main())
