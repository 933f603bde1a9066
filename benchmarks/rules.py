"""How long is a training step, by optimizer?"""

import sys

import peers
from bench import Question, main
from steps import SCAN, TORCH, side

JOB = ((8, 64, 64, 3), 32, 3_200, 5)
# the name of the table: ours by name, PyTorch's class with arguments, optax's function
RULES = {
    "SGD": ("sgd", "SGD", {"lr": 0.01}, "sgd"),
    "SGD, momentum": (("SGD", {"momentum": 0.9}), "SGD", {"lr": 0.01, "momentum": 0.9}, "sgd"),
    "RMSprop": ("rmsprop", "RMSprop", {}, "rmsprop"),
    "Adam": ("adam", "Adam", {}, "adam"),
    "AdamW": ("adamw", "AdamW", {}, "adamw"),
    "Nadam": ("nadam", "NAdam", {}, "nadam"),
    "Adagrad": ("adagrad", "Adagrad", {}, "adagrad"),
    "Adadelta": ("adadelta", "Adadelta", {}, "adadelta"),
}


def ours(rule):
    """Ours with a rule."""
    from trasluz import optimizers

    own = RULES[rule][0]
    made = own if isinstance(own, str) else getattr(optimizers, own[0])(**own[1])
    return side(peers.ours)(*JOB, optimizer=made)


def torch_eager(rule):
    """PyTorch with a rule."""
    import torch

    _, name, how, _ = RULES[rule]
    make = lambda parameters: getattr(torch.optim, name)(parameters, **how)  # noqa: E731
    return side(peers.torch_eager)(*JOB, optimizer=make)


def jax_scan(rule):
    """JAX and optax with a rule."""
    import optax

    _, _, how, name = RULES[rule]
    momentum = {"momentum": how["momentum"]} if "momentum" in how else {}
    return side(peers.jax_scan)(*JOB, optimizer=getattr(optax, name)(0.01, **momentum))


QUESTION = Question(
    "By optimizer",
    "µs a step, 8-64-64-3, 32",
    {rule: (rule,) for rule in RULES},
    {"ours": ours, TORCH: torch_eager, SCAN: jax_scan},
    rounds=3,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
