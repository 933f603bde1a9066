"""Are the networks as good as scikit-learn's? Five-fold cross-validation on its tables.

The same folds, standardisation, architecture (one hidden layer of 32 ReLU units), optimiser (Adam,
rate 0.01, batches of 32), L2 penalty (none) and number of epochs for both; the score is accuracy or
R². Worse by more than one standard error of the paired differences is a failure.

    python benchmarks/quality.py            writes benchmarks/quality.md
    python benchmarks/quality.py --quick    two tables, fewer epochs; writes nothing
"""

from __future__ import annotations

import argparse
import math
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

from trasluz import Sequential, layers, optimizers, utils

TABLES = ("iris", "wine", "breast_cancer", "digits", "diabetes", "linnerud")
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
        (HIDDEN,),
        alpha=0.0,
        batch_size=BATCH,
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


def folds(name: str, epochs: int, repeats: int) -> tuple[list[float], list[float]]:
    """Score both on the same folds."""
    x, y, is_classes = table(name)
    y = y if is_classes or y.ndim > 1 else y[:, None]
    scores: tuple[list[float], list[float]] = ([], [])
    for repeat in range(repeats):
        kind = StratifiedKFold if is_classes else KFold
        for train, test in kind(5, shuffle=True, random_state=repeat).split(x, y):
            scale = StandardScaler().fit(x[train])
            classes = int(y.max()) + 1 if is_classes else 0
            target = None if is_classes else StandardScaler().fit(y[train])
            goal = y[train] if target is None else target.transform(y[train])
            for side, fit in enumerate((ours, theirs)):
                p = fit(
                    scale.transform(x[train]),
                    goal,
                    scale.transform(x[test]),
                    classes,
                    epochs,
                    repeat,
                )
                if target is None:
                    scores[side].append(accuracy_score(y[test], p))
                else:
                    scores[side].append(r2_score(y[test], target.inverse_transform(p)))
    return scores


def main() -> int:
    """Run, print the table and say whether the bar holds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="two tables, fewer epochs")
    quick = parser.parse_args().quick
    names = ("iris", "diabetes") if quick else TABLES
    lines = [
        "| table | score | Trasluz | scikit-learn | difference ± standard error | holds |",
        "|---|---|---|---|---|---|",
    ]
    failed = 0
    for name in names:
        # Small tables with noisy targets are stopped early, as anybody would: both sides alike.
        epochs = {"diabetes": 20, "linnerud": 40}.get(name, 30) if not quick else 10
        a, b = folds(name, epochs, 1 if quick else 3)
        d = np.array(a) - np.array(b)
        error = d.std(ddof=1) / math.sqrt(len(d))
        holds = bool(d.mean() >= -error - 1e-12)
        failed += not holds
        score = "R²" if name in ("diabetes", "linnerud") else "accuracy"
        lines.append(
            f"| {name} | {score} | {np.mean(a):.4f} | {np.mean(b):.4f} | {d.mean():+.4f} ± {error:.4f} "
            f"| {'yes' if holds else 'NO'} |"
        )
        print(lines[-1], flush=True)
    if not quick:
        head = f"# Quality\n\n{__doc__.split('    python')[0].strip()}\n\n"
        (Path(__file__).parent / "quality.md").write_text(head + "\n".join(lines) + "\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
