"""How long do `predict` and `evaluate` take on many rows? In batches of 32 and of 1,024."""

import sys

import numpy as np
import peers
from bench import Question, main, per


def ours(sizes, n, size, what, engine="auto"):
    """Ours."""
    model, (x, y) = peers.our_model(sizes), peers.data(sizes, n)
    model.compile("adam", model._compiled_with["loss"], engine=engine)
    if what == "predict":
        return per(lambda: model.predict(x, size), n)
    return per(lambda: model.evaluate(x, y, size, verbose=0), n)


def torch_eager(sizes, n, size, what):
    """PyTorch, batch by batch in inference mode."""
    import torch

    x, y = (torch.from_numpy(a) for a in peers.data(sizes, n))
    model, loss_of = peers.torch_model(sizes), peers.torch_loss(sizes)

    def predict():
        with torch.inference_mode():
            return torch.cat([model(rows) for rows in x.split(size)]).numpy()

    def evaluate():
        with torch.inference_mode():
            batches = zip(x.split(size), y.split(size), strict=True)
            return np.mean([loss_of(model(rows), goal).item() for rows, goal in batches])

    work = predict if what == "predict" else evaluate
    peers.best_threads(work)
    return per(work, n)


def keras_jax(sizes, n, size, what):
    """Keras on jax."""
    model, (x, y) = peers.keras_model(sizes), peers.data(sizes, n)
    if what == "predict":
        return per(lambda: model.predict(x, size, verbose=0), n)
    return per(lambda: model.evaluate(x, y, size, verbose=0), n)


def sklearn_mlp(sizes, n, size, what):
    """scikit-learn, which takes all rows at once."""
    if what != "predict":
        return None
    model, (x, _) = peers.sklearn_mlp(sizes, size, n)(1), peers.data(sizes, n)
    return per(lambda: model.predict(x), n)


JOBS = [((2, 8, 8, 1), 16_384, 32), ((784, 128, 10), 8_192, 32), ((784, 128, 10), 8_192, 1024)]

QUESTION = Question(
    "Predicting and measuring many rows",
    "µs a row",
    {
        f"{what}, {'-'.join(map(str, sizes))}, batch {size}": (sizes, n, size, what)
        for what in ("predict", "evaluate")
        for sizes, n, size in JOBS
    },
    {
        "ours": ours,
        "PyTorch eager": torch_eager,
        "Keras (jax)": keras_jax,
        "scikit-learn": sklearn_mlp,
        "ours on XLA": lambda *job: ours(*job, engine="xla"),
    },
    quick=("predict, 2-8-8-1, batch 32",),
    peers=("PyTorch eager",),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
