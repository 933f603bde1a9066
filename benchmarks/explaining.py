"""How long does it take to explain one derivative? No peer does; PyTorch's backward is a scale.

Explained is an entry of the first kernel for one row, in double precision, from the model to the
text of the page. PyTorch's side works out the loss and all derivatives, and says nothing of them.
"""

import sys

import peers
from bench import Question, main, per


def ours(sizes):
    """The derivation as text."""
    model, (x, y) = peers.our_model(sizes), peers.data(sizes, 1)
    wrt, at = "dense/kernel", (0, 0)
    return per(lambda: [model.explain(x, y, wrt, at).text() for _ in range(3)], 3, 1e3)


def torch_backward(sizes):
    """A bare backward pass."""
    import torch

    torch.set_num_threads(1)
    x, y = (torch.from_numpy(a) for a in peers.data(sizes, 1))
    model, loss_of = peers.torch_model(sizes), peers.torch_loss(sizes)
    return per(lambda: [loss_of(model(x), y).backward() for _ in range(50)], 50, 1e3)


QUESTION = Question(
    "Explaining one derivative",
    "ms",
    {"-".join(map(str, s)): (s,) for s in ((2, 8, 8, 1), (784, 128, 10), (784, 512, 256, 10))},
    {"ours": ours, "PyTorch, backward alone": torch_backward},
    quick=("2-8-8-1",),
    peers=("PyTorch, backward alone",),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
