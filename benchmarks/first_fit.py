"""How long does the first epoch on XLA take in a process, with nothing kept and with programs kept?

The peers keep programs too here, by jax's own cache. The imports are not counted.
"""

import os
import subprocess
import sys
import tempfile

from bench import HERE, Question, main

NETWORKS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 3_200),
    "784-128-10, 128": ((784, 128, 10), 128, 3_200),
}
SCRIPT = """
import os, time, jax, peers
import {imports}
begin = time.perf_counter()
peers.{name}(*{job})(1)
print(time.perf_counter() - begin)
"""


def first(name, imports):
    """Make a contestant of a function of `peers`: seconds of its first epoch in a process."""

    def prepare(job, kept):
        folders = tempfile.TemporaryDirectory()

        def turn():
            cache = folders.name if kept else tempfile.mkdtemp(dir=folders.name)
            env = {
                **os.environ,
                "TRASLUZ_CACHE": cache,
                "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
            }
            if name != "ours":
                env |= {
                    "JAX_COMPILATION_CACHE_DIR": cache,
                    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
                }
            script = SCRIPT.format(name=name, imports=imports, job=job)
            asked = [sys.executable, "-c", script]
            done = subprocess.run(asked, env=env, capture_output=True, text=True, check=True)
            return float(done.stdout)

        return turn

    return prepare


QUESTION = Question(
    "The first fit: compiling",
    "s",
    {
        f"{name}, {how}": (job, how == "kept")
        for name, job in NETWORKS.items()
        for how in ("nothing kept", "kept")
    },
    {
        "ours": first("ours", "trasluz"),
        "Keras (jax)": first("keras_jax", "os; os.environ['KERAS_BACKEND'] = 'jax'; import keras"),
        "JAX + optax, one scan": first("jax_scan", "optax"),
    },
    rounds=3,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
