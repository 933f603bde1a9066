"""The same training in each library, as its users write it.

Each function takes the sizes of a stack of dense layers with tanh between them, the rows of a step,
the rows there are, and an optimizer, and gives a function that trains for so many epochs: whole
epochs with shuffling, in float32. Networks of one output learn numbers, others classes.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

Train = Callable[[int], object]
Sizes = tuple[int, ...]


def data(sizes: Sizes, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Make inputs and targets: numbers for one output, class numbers for several."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, sizes[0]), "float32")
    if sizes[-1] == 1:
        return x, x[:, :1] * x[:, 1:2]
    return x, rng.integers(0, sizes[-1], n)


# ---------------------------------------------------------------------------------------- ours


def our_model(sizes: Sizes, optimizer: Any = "adam") -> Any:
    """Make and compile a network of ours."""
    from trasluz import Sequential, layers, losses

    hidden = [layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = Sequential([layers.Input((sizes[0],)), *hidden, layers.Dense(sizes[-1])])
    loss = "mse" if sizes[-1] == 1 else losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss)
    return model


def ours(sizes: Sizes, size: int, n: int, optimizer: Any = "adam", engine: str = "xla") -> Train:
    """Ours."""
    model, (x, y) = our_model(sizes, optimizer), data(sizes, n)

    def train(epochs: int) -> None:
        model.fit(x, y, batch_size=size, epochs=epochs, verbose=0, engine=engine)

    return train


# ------------------------------------------------------------------------------------- PyTorch


def torch_model(sizes: Sizes) -> Any:
    """Make a network of PyTorch's."""
    import torch

    parts: list[torch.nn.Module] = []
    for i, (a, b) in enumerate(itertools.pairwise(sizes)):
        parts += [torch.nn.Linear(a, b)] + ([torch.nn.Tanh()] if i < len(sizes) - 2 else [])
    return torch.nn.Sequential(*parts)


def torch_loss(sizes: Sizes) -> Any:
    """Give PyTorch's loss for networks of these sizes."""
    import torch

    return torch.nn.MSELoss() if sizes[-1] == 1 else torch.nn.CrossEntropyLoss()


def best_threads(work: Callable[[], object]) -> None:
    """Let PyTorch use one thread or as many as it has cores, whichever is faster."""
    import torch

    affine = getattr(os, "sched_getaffinity", lambda _: range(os.cpu_count() or 1))

    def seconds_on(threads: int) -> float:
        torch.set_num_threads(threads)
        work()
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    torch.set_num_threads(min({1, len(affine(0))}, key=seconds_on))


def torch_eager(
    sizes: Sizes, size: int, n: int, optimizer: Any = None, compiled: bool = False
) -> Train:
    """PyTorch as its tutorials write it, less the DataLoader, on as many threads as suit it."""
    import torch

    x, y = (torch.from_numpy(a) for a in data(sizes, n))
    model, loss_of = torch_model(sizes), torch_loss(sizes)
    rule = (optimizer or torch.optim.Adam)(model.parameters())
    objective, move = lambda x, y: loss_of(model(x), y), rule.step
    if compiled:
        objective, move = torch.compile(objective), torch.compile(rule.step)

    def train(epochs: int) -> None:
        for _ in range(epochs):
            for rows in torch.randperm(n).split(size):
                rule.zero_grad()
                objective(x[rows], y[rows]).backward()
                move()

    best_threads(lambda: train(1))
    return train


def torch_compiled(sizes: Sizes, size: int, n: int) -> Train:
    """PyTorch with its loss and its optimizer's step compiled."""
    import torch

    torch._dynamo.reset()  # it counts what was compiled for the job before
    torch._logging.set_logs(all=logging.ERROR)
    warnings.simplefilter("ignore")
    return torch_eager(sizes, size, n, compiled=True)


# ------------------------------------------------------------------------- Keras, scikit-learn


def keras_model(sizes: Sizes) -> Any:
    """Make and compile a network of Keras's, on jax."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    hidden = [keras.layers.Dense(units, "tanh") for units in sizes[1:-1]]
    model = keras.Sequential([keras.Input((sizes[0],)), *hidden, keras.layers.Dense(sizes[-1])])
    several = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", "mse" if sizes[-1] == 1 else several)
    return model


def keras_jax(sizes: Sizes, size: int, n: int) -> Train:
    """Keras on jax."""
    model, (x, y) = keras_model(sizes), data(sizes, n)

    def train(epochs: int) -> None:
        model.fit(x, y, batch_size=size, epochs=epochs, verbose=0)

    return train


def sklearn_mlp(sizes: Sizes, size: int, n: int) -> Train:
    """scikit-learn's MLP."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore")
    x, y = data(sizes, n)
    kind = MLPRegressor if sizes[-1] == 1 else MLPClassifier

    def train(epochs: int) -> Any:
        how = {"batch_size": size, "max_iter": epochs, "n_iter_no_change": epochs + 1, "alpha": 0.0}
        model = kind(hidden_layer_sizes=sizes[1:-1], activation="tanh", **how)
        return model.fit(x, y.ravel())

    return train


# --------------------------------------------------------------------------------- JAX and optax


def optax_loss(sizes: Sizes) -> Callable[..., Any]:
    """Write by hand the loss of a batch as a function of the parameters."""
    import jax.numpy as jnp
    import optax

    def loss_of(params: Any, x: Any, y: Any) -> Any:
        for w, b in params[:-1]:
            x = jnp.tanh(x @ w + b)
        w, b = params[-1]
        out = x @ w + b
        if sizes[-1] == 1:
            return jnp.mean((out - y) ** 2)
        return optax.softmax_cross_entropy_with_integer_labels(out, y).mean()

    return loss_of


def optax_params(sizes: Sizes) -> list:
    """Draw parameters."""
    import jax.numpy as jnp

    rng = np.random.default_rng(0)
    draw = lambda a, b: jnp.asarray(rng.normal(size=(a, b)) * a**-0.5, "float32")  # noqa: E731
    return [(draw(a, b), jnp.zeros(b)) for a, b in itertools.pairwise(sizes)]


def _optax_step(sizes: Sizes, optimizer: Any) -> tuple:
    """Write a step by hand, and give what it starts from."""
    import jax
    import optax

    params, rule, loss_of = optax_params(sizes), optimizer or optax.adam(1e-3), optax_loss(sizes)

    def step(state: Any, x: Any, y: Any) -> Any:
        params, slots = state
        loss, grads = jax.value_and_grad(loss_of)(params, x, y)
        updates, slots = rule.update(grads, slots, params)
        return (optax.apply_updates(params, updates), slots), loss

    return step, (params, rule.init(params))


def jax_steps(sizes: Sizes, size: int, n: int) -> Train:
    """JAX and optax, one compiled call a step."""
    import jax

    step, state = _optax_step(sizes, None)
    step, (x, y) = jax.jit(step, donate_argnums=0), data(sizes, n)
    rng = np.random.default_rng(0)

    def train(epochs: int) -> None:
        nonlocal state
        for _ in range(epochs):
            order = rng.permutation(n)
            for i in range(0, n, size):
                rows = order[i : i + size]
                state, _ = step(state, x[rows], y[rows])
        jax.block_until_ready(state)

    return train


def jax_scan(sizes: Sizes, size: int, n: int, optimizer: Any = None) -> Train:
    """JAX and optax, an epoch in one lax.scan, the data on the device."""
    import jax
    import jax.numpy as jnp

    step, state = _optax_step(sizes, optimizer)
    x, y = (jnp.asarray(a) for a in data(sizes, n))
    key = jax.random.key(0)

    @jax.jit
    def epoch(state: Any, key: Any, x: Any, y: Any) -> Any:
        order = jax.random.permutation(key, n).reshape(-1, size)
        state, losses = jax.lax.scan(lambda s, rows: step(s, x[rows], y[rows]), state, order)
        return state, losses.mean()

    def train(epochs: int) -> None:
        nonlocal state, key
        for _ in range(epochs):
            key, now = jax.random.split(key)
            state, loss = epoch(state, now, x, y)
            float(loss)  # people look at it

    return train
