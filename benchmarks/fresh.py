"""How long does a network as people train them take to start, and how much memory, at its peak?

A process that has imported its library makes the network and trains one epoch, with nothing kept
of programs compiled before; two more epochs, and the memory at the peak less what it was before.

    python benchmarks/fresh.py
"""

import os
import subprocess
import sys

from bench import HERE, Question, main
from networks import COMPILED, EAGER, JOBS, KERAS, SCAN

SCRIPT = """
import resource, time
import networks, peers
peers.best_threads = lambda work: None  # it would train more
{imports}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, begin = peak(), time.perf_counter()
train = {make}
train(1)
took = time.perf_counter() - begin
train(2)
print(took, peak() - before)
"""
XLA = "import jax; jax.numpy.zeros(2) + 1"
SIDES = {
    "ours": (f"import trasluz.layers, trasluz.losses; {XLA}", "ours({job})"),
    EAGER: ("import torch; torch.ones(2) + 1", "_torch({job}, {job}[0] != 'GPT')"),
    COMPILED: ("import torch; torch.ones(2) + 1", "torch_compiled({job})"),
    KERAS: (
        f"import os; os.environ['KERAS_BACKEND'] = 'jax'; import keras; {XLA}",
        "keras_jax({job})",
    ),
    SCAN: (f"import optax; {XLA}", "jax_scan({job})"),
}


def fresh(imports, make):
    """Make a contestant: seconds, or MiB."""

    def prepare(kind, size, memory):
        if make.startswith("jax_scan") and kind != "GPT":
            return None
        given = make.replace("{job}[0]", repr(kind)).replace("{job}", f"{kind!r}, {size}")
        script = SCRIPT.format(imports=imports, make=f"networks.{given}")
        paths = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
        kept = {"TRASLUZ_CACHE": "", "TORCHINDUCTOR_FORCE_DISABLE_CACHES": "1"}
        env = {**os.environ, "PYTHONPATH": paths, **kept}

        def turn():
            asked = [sys.executable, "-c", script]
            done = subprocess.run(asked, env=env, capture_output=True, text=True, check=True)
            return float(done.stdout.split()[-1 if memory else -2])

        return turn

    return prepare


FIRST = {f"{job}: s": (*given, False) for job, given in JOBS.items()}
PEAK = {f"{job}: MiB": (*given, True) for job, given in JOBS.items()}

QUESTION = Question(
    "The first epoch of whole networks, and their memory",
    "s until an epoch is done; MiB beside the library",
    FIRST | PEAK,
    {name: fresh(*how) for name, how in SIDES.items()},
    bars={
        **{(job, KERAS): 1.0 for job in FIRST},
        **{(job, EAGER): 1.0 for job in PEAK},
    },
    rounds=2,
    warm=0,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
