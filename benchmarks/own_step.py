"""What does a step of one's own cost, beside the built-in one?

The same network, loss and optimizer: once by `fit` alone, once by a `train_step` that is written
out with a tape, once with a `compute_loss` that is written out. Whole epochs with shuffling, on XLA
unless the job says NumPy.

    python benchmarks/own_step.py
"""

import sys

import numpy as np
from bench import Question, main, per

# sizes, rows a step, steps an epoch, epochs a turn, engine
JOBS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32, 100, 15, "xla"),
    "784-128-10, 128": ((784, 128, 10), 128, 100, 5, "xla"),
    "784-512-256-10, 64": ((784, 512, 256, 10), 64, 50, 2, "xla"),
    "2-8-8-1, 32, NumPy": ((2, 8, 8, 1), 32, 100, 2, "numpy"),
    "784-512-256-10, 64, NumPy": ((784, 512, 256, 10), 64, 20, 1, "numpy"),
}
BUILT_IN = "the built-in step"


def _kinds():
    """Give the classes of the contestants."""
    from trasluz import GradientTape, Model, ops

    class Stepping(Model):
        def train_step(self, data):
            x, y = data
            with GradientTape() as tape:
                y_pred = self(x, training=True)
                loss = self.compute_loss(x, y, y_pred)
            weights = self.trainable_weights
            self.optimizer.apply(tape.gradient(loss, weights), weights)
            return {"loss": loss, **self.compute_metrics(x, y, y_pred)}

    class Losing(Model):
        def compute_loss(self, x, y, y_pred, sample_weight, training=True):
            return ops.mean(ops.square(y_pred - y))

    return {"step": Stepping, "loss": Losing, "built-in": Model}


def side(kind):
    """Make a contestant of a class."""

    def prepare(sizes, size, steps, epochs, engine):
        from trasluz import Input, layers

        rng = np.random.default_rng(0)
        x = rng.standard_normal((size * steps, sizes[0]), "float32")
        y = rng.standard_normal((size * steps, sizes[-1]), "float32")
        hidden = inputs = Input((sizes[0],))
        for units in sizes[1:-1]:
            hidden = layers.Dense(units, "relu")(hidden)
        model = _kinds()[kind](inputs, layers.Dense(sizes[-1])(hidden))
        model.compile("adam", "mse", metrics=["mae"], engine=engine)
        fit = lambda: model.fit(x, y, batch_size=size, epochs=epochs, verbose=0)  # noqa: E731
        return per(fit, epochs * steps)

    return prepare


QUESTION = Question(
    "A step of one's own",
    "µs a step",
    JOBS,
    {
        "a train_step": side("step"),
        "a compute_loss": side("loss"),
        BUILT_IN: side("built-in"),
    },
    bars={(job, BUILT_IN): 1.3 for job in JOBS if "NumPy" not in job},
    quick=("784-128-10, 128",),
    peers=(BUILT_IN,),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
