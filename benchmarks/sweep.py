"""How long does a sweep take? A process reads 500 rows, trains 4 rates × 3 batch sizes × 3 seeds.

`trasluz sweep` also prepares the table, draws the figure, and keeps curves and the best model. The
others are written as a loop, as their users write it, and only train and measure.
"""

import sys

from bench import Question, main
from cold import READ, process

RATES, SIZES, SEEDS, EPOCHS = (0.001, 0.003, 0.01, 0.03), (16, 32, 64), 3, 30
OURS = [
    "-m", "trasluz", "sweep", "table.csv", "--target", "y", "--epochs", str(EPOCHS), "--quiet",
    "--learning-rates", ",".join(map(str, RATES)), "--batch-sizes", ",".join(map(str, SIZES)),
    "--seeds", str(SEEDS),
]  # fmt: skip
GRID = f"grid = [(r, n, s) for r in {RATES} for n in {SIZES} for s in range({SEEDS})]"
SKLEARN = f"""{READ}
import warnings
from sklearn.neural_network import MLPRegressor
warnings.simplefilter("ignore")
{GRID}
for rate, size, seed in grid:
    MLPRegressor(
        hidden_layer_sizes=(32, 16), learning_rate_init=rate, batch_size=size, random_state=seed,
        alpha=0.0, max_iter={EPOCHS}, n_iter_no_change={EPOCHS + 1},
    ).fit(x[:300], y[:300].ravel()).score(x[300:400], y[300:400])
"""
TORCH = f"""{READ}
import torch
from torch import nn
torch.set_num_threads(1)
x, y = torch.from_numpy(x[:400]), torch.from_numpy(y[:400])
{GRID}
for rate, size, seed in grid:
    torch.manual_seed(seed)
    hidden = nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU()
    model = nn.Sequential(*hidden, nn.Linear(16, 1))
    optimizer, loss_of = torch.optim.Adam(model.parameters(), rate), nn.MSELoss()
    for _ in range({EPOCHS}):
        for rows in torch.randperm(300).split(size):
            optimizer.zero_grad()
            loss_of(model(x[rows]), y[rows]).backward()
            optimizer.step()
        with torch.no_grad():
            loss_of(model(x[300:]), y[300:])
"""


QUESTION = Question(
    "A sweep",
    "s, whole process",
    {"36 trainings, 30 epochs": ()},
    {
        "`trasluz sweep`": process(*OURS),
        "scikit-learn": process("-c", SKLEARN),
        "PyTorch eager": process("-c", TORCH),
    },
    rounds=3,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
