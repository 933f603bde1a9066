"""How much memory does training take at its peak? The whole process, with the library in it.

Two epochs: as `engine="auto"` takes them (on NumPy, for so few), and on XLA, where the program is
kept from a process before or is compiled.
"""

import os
import subprocess
import sys
import tempfile

from bench import HERE, Question, main

SCRIPT = """
import peers
peers.best_threads = lambda work: None  # it would train more
peers.{name}(*{job}, **{how})(2)
status = open("/proc/self/status").read()
print(int(status.split("VmHWM:")[1].split()[0]) / 1024)
"""


def peak(name):
    """Make a contestant of a function of `peers`: MiB at the peak of a process that trains."""

    def prepare(sizes, size, n, engine, cache=""):
        if engine == "xla" and name not in ("ours", "torch_eager"):
            return None  # they stand in the rows above
        how = {"engine": engine} if name == "ours" else {}
        script = SCRIPT.format(name=name, job=(sizes, size, n), how=how)
        paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        kept = tempfile.TemporaryDirectory() if cache == "kept" else None
        env = {**os.environ, "PYTHONPATH": paths, "TRASLUZ_CACHE": kept.name if kept else ""}

        def turn(kept=kept):  # which is removed with it
            asked = [sys.executable, "-c", script]
            done = subprocess.run(asked, env=env, capture_output=True, text=True, check=True)
            return float(done.stdout)

        if kept and name == "ours":
            turn()
        return turn

    return prepare


JOBS = {
    "2-8-8-1, 32; 3,200 rows": ((2, 8, 8, 1), 32, 3_200),
    "784-128-10, 128; 3,200 rows": ((784, 128, 10), 128, 3_200),
    "784-128-10, 128; 25,600 rows": ((784, 128, 10), 128, 25_600),
    "784-1024-1024-10, 512; 2,560 rows": ((784, 1024, 1024, 10), 512, 2_560),
}
NETWORKS = {
    **{job: (*given, "auto") for job, given in JOBS.items()},
    **{f"{job}, XLA": (*given, "xla", "kept") for job, given in JOBS.items()},
    **{f"{job}, XLA compiles": (*JOBS[job], "xla") for job in list(JOBS)[::3]},
}
TORCH = "PyTorch eager"

QUESTION = Question(
    "Peak memory of training",
    "MiB, whole process",
    NETWORKS,
    {
        "ours": peak("ours"),
        TORCH: peak("torch_eager"),
        "Keras (jax)": peak("keras_jax"),
        "scikit-learn": peak("sklearn_mlp"),
        "JAX + optax, one scan": peak("jax_scan"),
    },
    bars={(job, TORCH): 0.7 for job in NETWORKS},
    rounds=1,
    warm=0,
    quick=("2-8-8-1, 32; 3,200 rows, XLA",),
    peers=(TORCH,),
    margin=1.3,
    note="Two epochs; on XLA with a program kept from the process before, but where it compiles.",
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
