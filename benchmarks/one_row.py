"""How long does one row take to predict? Our side gets and gives NumPy's arrays."""

import sys

import peers
from bench import Question, main, per

CALLS = 200


def one_row(call):
    """Make a contestant of what gives a function for one row."""

    def prepare(sizes):
        predict = call(sizes, peers.data(sizes, CALLS)[0])
        return per(lambda: [predict(i) for i in range(CALLS)], CALLS)

    return prepare


def ours(sizes, x):
    """Our `predict`."""
    model = peers.our_model(sizes)
    return lambda i: model.predict(x[i : i + 1])


def torch_module(sizes, x):
    """A call of PyTorch's module, in inference mode, on a tensor."""
    import torch

    torch.set_num_threads(1)
    model, x = peers.torch_model(sizes), torch.from_numpy(x)

    def predict(i):
        with torch.inference_mode():
            return model(x[i : i + 1])

    return predict


def keras_predict(sizes, x):
    """Keras's `predict`."""
    model = peers.keras_model(sizes)
    return lambda i: model.predict(x[i : i + 1], verbose=0)


def keras_call(sizes, x):
    """A call of Keras's model, as its guide advises for few rows."""
    model = peers.keras_model(sizes)
    return lambda i: model(x[i : i + 1])


def sklearn_predict(sizes, x):
    """scikit-learn's `predict`."""
    model = peers.sklearn_mlp(sizes, 32, 320)(1)
    return lambda i: model.predict(x[i : i + 1])


QUESTION = Question(
    "One row",
    "µs",
    {"2-8-8-1": ((2, 8, 8, 1),), "784-128-10": ((784, 128, 10),)},
    {
        "ours": one_row(ours),
        "PyTorch, module": one_row(torch_module),
        "Keras, predict": one_row(keras_predict),
        "Keras, call": one_row(keras_call),
        "scikit-learn": one_row(sklearn_predict),
    },
    bars={("2-8-8-1", "PyTorch, module"): 0.5, ("2-8-8-1", "Keras, predict"): 0.2},
    rounds=9,
    quick=("2-8-8-1",),
    peers=("PyTorch, module",),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
