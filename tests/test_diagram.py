"""Drawings of networks: valid, complete, and without a label over another."""

import itertools
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from trasluz import Sequential, layers
from trasluz.drawing.network import MOST_UNITS, network

SVG = "{http://www.w3.org/2000/svg}"


def net(*widths, activation="sigmoid"):
    model = Sequential(
        [
            layers.Input((widths[0],)),
            *(layers.Dense(n, activation, dtype="float64") for n in widths[1:]),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.uniform(-1, 1, v.shape).round(2) for v in model.weights])
    return model


def texts(svg, kind=None):
    found = ET.fromstring(svg).iter(f"{SVG}text")
    return [t for t in found if kind is None or kind in t.get("class", "").split()]


@pytest.mark.parametrize("widths", [(1, 1), (2, 2, 2), (1, 2, 1), (2, 3, 2), (3, 4, 3), (5, 5, 5)])
def test_a_small_network_is_drawn_with_all_its_numbers(widths):
    model = net(*widths)
    svg = network(model)
    root = ET.fromstring(svg)
    assert float(root.get("width")) > 0 and float(root.get("height")) > 0
    assert len(list(root.iter(f"{SVG}circle"))) == sum(widths)
    edges = sum(a * b for a, b in itertools.pairwise(widths))
    assert len(list(root.iter(f"{SVG}line"))) == edges
    written = " ".join(t.text for t in texts(svg)).replace("−", "-")
    for weight in model.weights:
        for value in np.ravel(weight.numpy()):
            assert f"{value:.4g}" in written


@pytest.mark.parametrize("widths", [(2, 2, 2), (2, 3, 2), (3, 4, 3), (4, 2, 4), (5, 5, 5), (6, 6)])
def test_no_label_covers_another(widths):
    names = {("dense/kernel", (i, j)): f"w_{{{10 * i + j}}}" for i in range(6) for j in range(6)}
    places = [(float(t.get("x")), float(t.get("y")), t.text)
              for t in texts(network(net(*widths), names=names), "halo")]  # fmt: skip
    for (x1, y1, one), (x2, y2, other) in itertools.combinations(places, 2):
        wide = 3.4 * (len(one) + len(other))
        assert abs(x1 - x2) >= wide or abs(y1 - y2) >= 12, (one, other)


def test_everything_stays_inside():
    svg = network(net(3, 6, 2), np.full((1, 3), -0.125), np.full((1, 2), -0.125))
    root = ET.fromstring(svg)
    wide, high = float(root.get("width")), float(root.get("height"))
    for text in texts(svg):
        x, y, room = float(text.get("x")), float(text.get("y")), 6.8 * len(text.text)
        kind = text.get("class", "")
        left = x if "start" in kind else x - room if "end" in kind else x - room / 2
        assert left >= 0 and left + room <= wide and 0 < y <= high, text.text


def test_units_are_left_out_in_the_middle_of_large_layers():
    svg = network(net(784, 32, 10))
    circles = list(ET.fromstring(svg).iter(f"{SVG}circle"))
    assert len(circles) == 3 * (MOST_UNITS - 2)
    said = [t.text for t in texts(svg) if "⋮" in t.text]
    assert said == ["⋮ +780", "⋮ +28", "⋮ +6"]


def test_inputs_targets_and_names_are_written():
    names = {("dense/kernel", (0, 0)): "w_{1}", ("dense", (0,)): "n_{1}"}
    svg = network(net(2, 2, 1), [[0.1, 0.5]], [[0.95]], names=names)
    said = {t.text for t in texts(svg)}
    assert {"0.1", "0.5", "t₁ = 0.95", "n₁", "ŷ₁"} <= said
    assert any(text.startswith("w₁ = ") for text in said)


def test_words_and_decimals_are_of_the_language():
    svg = network(net(2, 1), [[0.1, 0.5]], lang="es")
    assert "entradas" in svg and ">0,5<" in svg and "<title>red 2-1</title>" in svg


def test_other_models_are_boxes():
    model = Sequential(
        [layers.Input((4,)), layers.Embedding(9, 3, name="a<b"), layers.Flatten(), layers.Dense(1)]
    )
    svg = network(model)
    assert len(list(ET.fromstring(svg).iter(f"{SVG}rect"))) == 4
    assert not re.search("<circle", svg) and "a&lt;b" in svg


def test_layers_without_weights_are_named_over_what_they_change():
    model = Sequential(
        [layers.Input((2,)), layers.Dense(3), layers.ReLU(), layers.Dropout(0.5), layers.Dense(1)]
    )
    svg = network(model)
    assert svg.count("<circle") == 6
    assert any("dropout" in t.text for t in texts(svg))
