"""A drawing of a network with its numbers, as SVG: units in columns, weights at the edges."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

import numpy as np

from trasluz.activations import get as activation_of
from trasluz.activations import linear
from trasluz.base.messages import say, speaking
from trasluz.base.numbers import in_language
from trasluz.pages.text import plain
from trasluz.state.registry import plain as plain_data
from trasluz.typeset.symbols import number

Entry = tuple[str, tuple[int, ...]]

RADIUS, ROW, LABEL, SIDE, TOP = 22, 92, 72, 116, 52
MOST_UNITS = 6
INK, EDGE, SOFT, PAPER = "#1a1a1a", "#8a8a8a", "#5f5f5f", "#ffffff"
STYLE = (
    f"text{{font:13px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:{INK};text-anchor:middle}}"
    f".edge{{stroke:{EDGE};stroke-width:1.3}}"
    f".unit{{fill:{PAPER};stroke:{INK};stroke-width:1.6}}"
    f".halo{{stroke:{PAPER};stroke-width:5;stroke-linejoin:round;fill:{PAPER}}}"
    f".soft{{fill:{SOFT};font-size:12px}}.start{{text-anchor:start}}.end{{text-anchor:end}}"
)


def network(
    model: Any,
    x: Any = None,
    y: Any = None,
    lang: str | None = None,
    names: Mapping[Entry, str] | None = None,
) -> str:
    """Draw a network as SVG, on white, so that it reads on any page.

    A chain of dense layers is drawn with its units and, where they fit, its weights; any other
    model is drawn as boxes. Units beyond `MOST_UNITS` a layer are left out in the middle.

    Args:
        model: a built model.
        x: inputs to write at the left: one row.
        y: targets to write at the right: one row.
        lang: the language of its words; that of messages unless given.
        names: names in LaTeX by path and entry: of weights, which otherwise stand as values
            alone, and of units, by the path of their layer.

    Returns:
        The text of an SVG file, its width and height set.

    >>> import numpy as np
    >>> from trasluz import Sequential, layers
    >>> model = Sequential([layers.Input((2,)), layers.Dense(1)])
    >>> network(model, [[0.1, 0.5]])[:4], network(model).count("<circle")
    ('<svg', 3)
    """
    with speaking(lang):
        dense = _dense_layers(model)
        if not dense:
            return _boxes(model)
        return _units(dense, _row(x), _row(y), names or {})


class Column(NamedTuple):
    """A column of units: which are shown, where, and what is written in and over them."""

    at: float
    shown: list[int]
    size: int
    units: dict[int, str]
    title: Sequence[str]


def _dense_layers(model: Any) -> list[tuple[Any, list[str]]]:
    """Give the dense layers of a chain, each with the names of what is done to its sums."""
    dense: list[tuple[Any, list[str]]] = []
    for layer in model.layers:
        if len(np.shape(getattr(layer, "kernel", 0))) == 2 and hasattr(layer, "units"):
            dense.append((layer, [_activation(layer)] if _activation(layer) else []))
        elif dense and not layer.weights:
            dense[-1][1].append(_activation(layer) or layer.name)
        elif layer.weights:
            return []
    fit = all(a.units == b.kernel.shape[0] for (a, _), (b, _) in itertools.pairwise(dense))
    return dense if fit else []


def _activation(layer: Any) -> str:
    activation = getattr(layer, "activation", None)
    if activation is None or activation_of(activation) is linear:
        return ""
    return (
        activation
        if isinstance(activation, str)
        else str(getattr(activation, "name", plain_data(activation)))
    )


def _row(values: Any) -> np.ndarray | None:
    return None if values is None else np.atleast_1d(np.asarray(values)).reshape(-1)


def _units(
    dense: list[tuple[Any, list[str]]],
    x: np.ndarray | None,
    y: np.ndarray | None,
    names: Mapping[Entry, str],
) -> str:
    columns = list(_columns(dense, names))
    tallest = max(len(column.shown) for column in columns)
    height = TOP + ROW * tallest
    place = {
        (n, unit): (column.at, TOP + ROW * (tallest - len(column.shown)) / 2 + ROW * (k + 0.42))
        for n, column in enumerate(columns)
        for k, unit in enumerate(column.shown)
    }
    edges, labels, units = [], [], []
    for n, (layer, _) in enumerate(dense):
        lines, texts = _edges(layer, n, columns, place, names)
        edges += lines
        labels += texts
    for n, column in enumerate(columns):
        labels += [
            _text(column.at, 18 + 16 * k, line, "soft" if k else "")
            for k, line in enumerate(column.title)
        ]
        units += _circles(n, column, place)
    for unit in columns[0].shown:
        cx, cy = place[0, unit]
        if unit >= 0 and x is not None and x.size == columns[0].size:
            labels.append(_text(cx - RADIUS - 8, cy + 4, _number(x[unit]), "end"))
    last = len(columns) - 1
    for unit in columns[last].shown:
        cx, cy = place[last, unit]
        if unit >= 0 and y is not None and y.size == columns[last].size:
            sign = plain(f"t_{{{unit + 1}}}")
            labels.append(_text(cx + RADIUS + 8, cy + 4, f"{sign} = {_number(y[unit])}", "start"))
    title = say("diagram-network", sizes="-".join(str(column.size) for column in columns))
    labels.sort(key=lambda text: 'halo"' not in text)  # no halo over another label
    return _svg(columns[-1].at + SIDE, height, title, [*edges, *units, *labels])


def _columns(dense: list[tuple[Any, list[str]]], names: Mapping[Entry, str]) -> Iterator[Column]:
    """Lay the columns out: the more edges reach a column, the more room before it."""
    first = dense[0][0].kernel.shape[0]
    at = float(SIDE)
    shown = _shown(first)
    units = {k: f"x_{{{k + 1}}}" for k in shown}
    yield Column(at, shown, first, units, [say("diagram-inputs")])
    for n, (layer, done) in enumerate(dense):
        last = n == len(dense) - 1
        shown = _shown(layer.units)
        at += max(210, LABEL * (len(shown) + 1))
        sign = r"\hat{y}" if last else f"a^{{({n + 1})}}"
        units = {k: names.get((layer._path, (k,)), f"{sign}_{{{k + 1}}}") for k in shown}
        yield Column(at, shown, layer.units, units, [titled(layer.name), ", ".join(done)])


def titled(layer: str | None) -> str:
    """Say the name of a layer; the usual ones of a small network in the language of messages."""
    known = {"hidden": say("diagram-hidden"), "output": say("diagram-output")}
    base, _, number = (layer or "").partition("_")
    return f"{known[base]} {number}".strip() if base in known else layer or ""


def _shown(size: int) -> list[int]:
    """Choose the units to draw; -1 stands for those left out."""
    return [*range(size)] if size <= MOST_UNITS else [0, 1, 2, -1, size - 1]


def _edges(
    layer: Any, n: int, columns: list[Column], place: Any, names: Mapping[Entry, str]
) -> tuple[list[str], list[str]]:
    """Draw the edges into a layer, their weights in a stack that never overlaps, its biases."""
    left, right = columns[n], columns[n + 1]
    kernel = np.asarray(layer.kernel)
    labelled = -1 not in (*left.shown, *right.shown)
    share = 1 / (len(right.shown) + 1)  # the labels of all edges then stand evenly apart
    lines, texts = [], []
    for i in left.shown:
        for j in right.shown:
            if -1 in (i, j):
                continue
            (x1, y1), (x2, y2) = place[n, i], place[n + 1, j]
            lines.append(f'<line class="edge" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>')
            if labelled:
                text = _named(names, f"{layer._path}/kernel", (i, j), kernel[i, j])
                at = x1 + share * (x2 - x1), y1 + share * (y2 - y1) + 4
                texts += _haloed(*at, text)
    if getattr(layer, "bias", None) is not None:
        bias = np.asarray(layer.bias)
        for j in right.shown:
            if j >= 0:
                entry = (j,) if bias.ndim else ()
                text = _named(names, f"{layer._path}/bias", entry, bias[entry], "b")
                texts += _haloed(place[n + 1, j][0], place[n + 1, j][1] + RADIUS + 17, text, "soft")
    return lines, texts


def _named(
    names: Mapping[Entry, str], path: str, entry: tuple[int, ...], value: Any, sign: str = ""
) -> str:
    name = plain(names[path, entry]) if (path, entry) in names else sign
    return f"{name} = {_number(value)}" if name else _number(value)


def _circles(n: int, column: Column, place: Any) -> list[str]:
    drawn = []
    for unit in column.shown:
        cx, cy = place[n, unit]
        if unit < 0:
            left_out = column.size - len(column.shown) + 1
            drawn.append(_text(cx, cy + 6, f"⋮ +{left_out}"))
            continue
        drawn.append(f'<circle class="unit" cx="{cx:g}" cy="{cy:g}" r="{RADIUS}"/>')
        drawn.append(_text(cx, cy + 5, plain(column.units[unit])))
    return drawn


def _boxes(model: Any) -> str:
    """Draw any other model: a box a layer, with its name, class and output's shape."""
    drawn, y = [], 14
    for n, layer in enumerate(model.layers):
        if n:
            drawn.append(f'<line class="edge" x1="150" y1="{y - 18}" x2="150" y2="{y}"/>')
        shape = getattr(layer, "_output_shape", None)
        about = type(layer).__name__ + (f" → {shape}" if shape else "")
        drawn.append(f'<rect class="unit" x="20" y="{y}" width="260" height="44" rx="6"/>')
        drawn.append(_text(150, y + 19, layer.name or ""))
        drawn.append(_text(150, y + 36, about, "soft"))
        y += 62
    return _svg(300, y, say("diagram-layers", count=len(model.layers)), drawn)


def _number(value: Any) -> str:
    return in_language(plain(number(float(value), 4)))


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    mark = f' class="{kind}"' if kind else ""
    return f'<text{mark} x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _haloed(x: float, y: float, text: str, kind: str = "") -> list[str]:
    """Write a text twice: the first time as a wide white line that parts it from edges."""
    return [_text(x, y, text, f"{kind} halo".strip()), _text(x, y, text, kind)]


def _svg(width: float, height: float, title: str, drawn: list[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}" role="img">\n<title>{escape(title)}</title>\n'
        f"<style>{STYLE}</style>\n"
        f'<rect width="100%" height="100%" fill="{PAPER}"/>\n' + "\n".join(drawn) + "\n</svg>\n"
    )


__all__ = ["network"]
