"""How fast are many small trainings at once? Against PyTorch, one after the other.

256 networks 2-8-8-1 from seeds of their own, each with its own order of rows: 1,000 rows, batches
of 32, float32, Adam. PyTorch trains four of them in a turn, on one thread, which is scaled up.
"""

import sys

import peers
from bench import Question, main, per

SIZES, NETWORKS, ROWS, SIZE = (2, 8, 8, 1), 256, 1_000, 32
MEASURED = 4  # networks that PyTorch trains in a turn
TORCH = "PyTorch eager, one by one"


def ours(epochs):
    """All networks by `fit_many`."""
    from trasluz import fit_many

    x, y = peers.data(SIZES, ROWS)
    model = peers.our_model(SIZES)
    how = {"epochs": epochs, "batch_size": SIZE, "verbose": 0, "engine": "xla"}
    return per(lambda: fit_many(model, x, y, NETWORKS, **how), 1, 1)


def torch_eager(epochs):
    """A few networks as PyTorch's tutorials train them, less the DataLoader."""
    import torch

    torch.set_num_threads(1)  # more are slower for networks of this size
    x, y = (torch.from_numpy(a) for a in peers.data(SIZES, ROWS))

    def work():
        for seed in range(MEASURED):
            torch.manual_seed(seed)
            model, loss_of = peers.torch_model(SIZES), peers.torch_loss(SIZES)
            optimizer = torch.optim.Adam(model.parameters())
            for _ in range(epochs):
                for rows in torch.randperm(ROWS).split(SIZE):
                    optimizer.zero_grad()
                    loss_of(model(x[rows]), y[rows]).backward()
                    optimizer.step()

    return per(work, MEASURED / NETWORKS, 1)


QUESTION = Question(
    "256 small networks at once",
    "s",
    {"5 epochs": (5,), "50 epochs": (50,)},
    {"fit_many": ours, TORCH: torch_eager},
    bars={("5 epochs", TORCH): 1 / 50, ("50 epochs", TORCH): 1 / 50},
    quick=("5 epochs",),
    peers=(TORCH,),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
