"""Samples of every row: what the tables of tests and the golden file run through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest


@dataclass
class Sample:
    """Arguments on which a row is smooth, and its parameters."""

    args: tuple[Any, ...]
    params: dict[str, Any] = field(default_factory=dict)


def _draw(*shape: int, low: float = -2.0, high: float = 2.0, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng([seed, *shape])
    return generator.uniform(low, high, shape)


def _sliding(
    strides: tuple[int, ...],
    pads: list[tuple[int, int]],
    dilation: tuple[int, ...] | None = None,
    spread: tuple[int, ...] | None = None,
) -> dict[str, Any]:
    ones = (1,) * len(strides)
    return {
        "strides": strides, "pads": tuple(pads), "dilation": dilation or ones,
        "spread": spread or ones,
    }  # fmt: skip


A, B = _draw(2, 3), _draw(2, 3, seed=1)
AWAY = np.array([[-1.3, 0.4, 2.1], [0.9, -0.2, -1.7]])  # no zeros, no ties
POSITIVE = _draw(2, 3, low=0.3, high=2.5)
INDEX = np.array([[2, 0], [1, 2]])

SAMPLES: dict[str, list[Sample]] = {
    "add": [Sample((A, B)), Sample((A, B[0])), Sample((A, 2.0))],
    "subtract": [Sample((A, B)), Sample((A[:, :1], B))],
    "multiply": [Sample((A, B)), Sample((A, B[:1]))],
    "divide": [Sample((A, POSITIVE)), Sample((1.0, POSITIVE))],
    "negative": [Sample((A,))],
    "power": [Sample((POSITIVE, _draw(2, 3, seed=3))), Sample((A, 2)), Sample((A, 3))],
    "absolute": [Sample((AWAY,))],
    "sign": [Sample((AWAY,))],
    "floor": [Sample((AWAY,))],
    "exp": [Sample((A,))],
    "expm1": [Sample((A,))],
    "log": [Sample((POSITIVE,))],
    "log1p": [Sample((POSITIVE,))],
    "sqrt": [Sample((POSITIVE,))],
    "sin": [Sample((A,))],
    "cos": [Sample((A,))],
    "tanh": [Sample((A,))],
    "sigmoid": [Sample((A,)), Sample((A * 10,))],
    "softplus": [Sample((A,)), Sample((A * 10,))],
    "erf": [Sample((A,))],
    "relu": [Sample((AWAY,))],
    "maximum": [Sample((AWAY, B)), Sample((AWAY, 0.1))],
    "minimum": [Sample((AWAY, B)), Sample((AWAY, B[0]))],
    "where": [Sample((AWAY > 0, A, B)), Sample((AWAY > 0, A, B[0]))],
    "equal": [Sample((A, A))],
    "not_equal": [Sample((A, B))],
    "less": [Sample((A, B))],
    "less_equal": [Sample((A, B))],
    "greater": [Sample((A, B))],
    "greater_equal": [Sample((A, B))],
    "matmul": [
        Sample((A, _draw(3, 4))),
        Sample((_draw(5, 2, 3), _draw(3, 4))),
        Sample((_draw(5, 2, 3), _draw(5, 3, 4))),
        Sample((_draw(2, 3), _draw(5, 3, 4))),
    ],
    "sum": [
        Sample((A,)),
        Sample((A,), {"axis": 1}),
        Sample((_draw(2, 3, 4),), {"axis": (0, 2), "keepdims": True}),
        Sample((A,), {"axis": -1}),
    ],
    "cumsum": [Sample((A,), {"axis": 1}), Sample((A,), {"axis": 0})],
    "max": [Sample((AWAY,), {"axis": 1}), Sample((AWAY,)), Sample((AWAY,), {"axis": (0, 1)})],
    "min": [Sample((AWAY,), {"axis": 0, "keepdims": True}), Sample((AWAY,))],
    "logsumexp": [
        Sample((A,), {"axis": 1}),
        Sample((A * 20,), {"axis": 0, "keepdims": True}),
        Sample((A,)),
    ],
    "argmax": [Sample((AWAY,), {"axis": 1})],
    "argsort": [Sample((AWAY,), {"axis": 1})],
    "reshape": [Sample((A,), {"shape": (3, 2)}), Sample((A,), {"shape": (6,)})],
    "transpose": [
        Sample((A,), {"axes": (1, 0)}),
        Sample((_draw(2, 3, 4),), {"axes": (2, 0, 1)}),
    ],
    "broadcast_to": [Sample((A[:1],), {"shape": (4, 3)}), Sample((A,), {"shape": (5, 2, 3)})],
    "concatenate": [
        Sample((A, B[:1], A), {"axis": 0}),
        Sample((A, B[:, :1]), {"axis": -1}),
    ],
    "getitem": [
        Sample((A,), {"index": (slice(None), 1)}),
        Sample((A,), {"index": (Ellipsis, slice(None, None, -1))}),
        Sample((A,), {"index": 0}),
        Sample((A,), {"index": (np.array([0, 1, 1]), np.array([2, 0, 0]))}),
    ],
    "place": [
        Sample((A,), {"index": (slice(1, 3), slice(0, 3)), "shape": (4, 4)}),
        Sample((A[0],), {"index": (np.array([0, 1, 1]),), "shape": (2,)}),
    ],
    "take": [
        Sample((A, INDEX), {"axis": 1}),
        Sample((_draw(4, 3), INDEX), {"axis": 0}),
        Sample((_draw(4, 3), INDEX), {"axis": -1}),
        Sample((_draw(4, 3), INDEX), {"axis": 0, "table": "words"}),
    ],
    "slice": [
        Sample((A, np.array([0, 1])), {"shape": (2, 2)}),
        Sample((_draw(4), np.array([1])), {"shape": (3,)}),
    ],
    "slice_update": [
        Sample((A, _draw(1, 2), np.array([1, 1]))),
        Sample((_draw(4), _draw(2, seed=1), np.array([0]))),
    ],
    "scatter_add": [Sample((_draw(2, 2, 3), INDEX), {"axis": 0, "size": 4})],
    "convolve": [
        Sample((_draw(2, 5, 2), _draw(3, 2, 3)), _sliding((1,), [(1, 1)])),
        Sample((_draw(2, 6, 2), _draw(3, 2, 2)), _sliding((2,), [(0, 1)])),
        Sample((_draw(1, 7, 1), _draw(3, 1, 2)), _sliding((1,), [(2, 0)], (2,))),
        Sample((_draw(2, 3, 2), _draw(4, 2, 2)), _sliding((1,), [(2, 2)], spread=(2,))),
        Sample((_draw(2, 4, 5, 2), _draw(2, 3, 2, 2)), _sliding((2, 1), [(0, 0), (1, 1)])),
    ],
    "windows": [
        Sample((_draw(2, 5, 2),), {"sizes": (3,), **_sliding((1,), [(1, 1)])}),
        Sample((_draw(1, 6, 5, 1),), {"sizes": (2, 3), **_sliding((2, 1), [(0, 0), (1, 1)])}),
        Sample((_draw(1, 4, 2),), {"sizes": (3,), **_sliding((1,), [(1, 2)], spread=(2,))}),
    ],
    "fold": [
        Sample(
            (_draw(2, 5, 3, 2),),
            {"shape": (2, 5, 2), "sizes": (3,), **_sliding((1,), [(1, 1)])},
        ),
        Sample(
            (_draw(1, 2, 3, 1),), {"shape": (1, 6, 1), "sizes": (3,), **_sliding((2,), [(0, 0)])}
        ),
    ],
    "astype": [Sample((A,), {"dtype": np.dtype("float64")})],
    "stop_gradient": [Sample((A,))],
}


def each() -> list[Any]:
    """List every sample, named for pytest."""
    return [
        pytest.param(name, sample, id=f"{name}-{i}")
        for name, samples in SAMPLES.items()
        for i, sample in enumerate(samples)
    ]


def floats(sample: Sample) -> list[int]:
    """Say which arguments a derivative can be asked for."""
    return [
        i for i, a in enumerate(sample.args) if isinstance(a, np.ndarray) and a.dtype.kind == "f"
    ]
