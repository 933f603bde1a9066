"""Are the networks as good as scikit-learn's? Five-fold cross-validation on its tables.

Both sides get the same folds, standardised inputs, architecture (one hidden layer of 32 ReLUs),
optimiser (Adam, rate 0.01, batches of 32, no penalty) and number of epochs. The score of a fold is
accuracy or R², averaged over three seeds. The bar: not below scikit-learn's mean by more than one
standard error of its five folds. The paired difference is shown beside it.

    python benchmarks/quality.py            writes its section of benchmarks/results.md
    python benchmarks/quality.py --quick    two of the tables, one seed; writes nothing
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from typing import Any

import bench
import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from trasluz import Sequential, layers, optimizers, utils

# Enough to converge; the two small tables with noisy targets stop before they are learnt by heart.
EPOCHS = {
    "iris": 100, "wine": 100, "breast_cancer": 100, "digits": 40, "diabetes": 20, "linnerud": 40
}  # fmt: skip
TABLES = tuple(EPOCHS)
HIDDEN, RATE, BATCH = 32, 0.01, 32


def table(name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Load one of scikit-learn's tables: inputs, targets, whether they are classes."""
    bunch = getattr(datasets, f"load_{name}")()
    return bunch.data, bunch.target, name not in ("diabetes", "linnerud")


def ours(x: Any, y: Any, x_test: Any, classes: int, epochs: int, seed: int) -> np.ndarray:
    """Train a network of ours and predict."""
    utils.set_random_seed(seed)
    out = classes or y.shape[1]
    last = layers.Dense(out, activation="softmax" if classes else None)
    model = Sequential([layers.Input((x.shape[1],)), layers.Dense(HIDDEN, "relu"), last])
    loss = "sparse_categorical_crossentropy" if classes else "mse"
    model.compile(optimizers.Adam(RATE), loss)
    model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)
    p = model.predict(x_test)
    return p.argmax(1) if classes else p


def theirs(x: Any, y: Any, x_test: Any, classes: int, epochs: int, seed: int) -> np.ndarray:
    """Train scikit-learn's network and predict."""
    kind = MLPClassifier if classes else MLPRegressor
    model = kind(
        hidden_layer_sizes=(HIDDEN,),
        alpha=0.0,
        batch_size=min(BATCH, len(x)),
        learning_rate_init=RATE,
        max_iter=epochs,
        n_iter_no_change=epochs,
        tol=0.0,
        random_state=seed,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(x, y if classes else (y if y.shape[1] > 1 else y[:, 0]))
    p = model.predict(x_test)
    return p if classes else p.reshape(len(p), -1)


def folds(name: str, epochs: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Score both on the same five folds, each averaged over seeds."""
    x, y, is_classes = table(name)
    y = y if is_classes or y.ndim > 1 else y[:, None]
    classes = int(y.max()) + 1 if is_classes else 0
    scores = np.zeros((2, 5))
    kind = StratifiedKFold if is_classes else KFold
    for fold, (train, test) in enumerate(kind(5, shuffle=True, random_state=0).split(x, y)):
        scale = StandardScaler().fit(x[train])
        target = None if is_classes else StandardScaler().fit(y[train])
        goal = y[train] if target is None else target.transform(y[train])
        for side, fit in enumerate((ours, theirs)):
            for seed in range(seeds):
                inputs = scale.transform(x[train]), goal, scale.transform(x[test])
                p = fit(*inputs, classes, epochs, seed)
                if target is None:
                    score = accuracy_score(y[test], p)
                else:
                    score = r2_score(y[test], target.inverse_transform(p))
                scores[side, fold] += score / seeds
    return scores[0], scores[1]


def main() -> int:
    """Run, print the table and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two of the tables")
    quick = parser.parse_args().quick
    names = ("iris", "diabetes") if quick else TABLES
    lines = [
        "| table | score | Trasluz | scikit-learn ± standard error | paired difference | holds |",
        "|---|---|---|---|---|---|",
    ]
    failed = 0
    for name in names:
        a, b = folds(name, EPOCHS[name], 1 if quick else 3)
        error = b.std(ddof=1) / math.sqrt(len(b))
        paired = (a - b).std(ddof=1) / math.sqrt(len(b))
        holds = bool(a.mean() >= b.mean() - error)
        failed += not holds
        score = "accuracy" if table(name)[2] else "R²"
        lines.append(
            f"| {name} | {score} | {a.mean():.4f} | {b.mean():.4f} ± {error:.4f} "
            f"| {a.mean() - b.mean():+.4f} ± {paired:.4f} | {'yes' if holds else 'NO'} |"
        )
        print(lines[-1], flush=True)
    if not quick:
        bench.write("quality", "Quality", __doc__.split("    python")[0], "\n".join(lines))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
