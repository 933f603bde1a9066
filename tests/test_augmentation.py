"""Augmentation: genuine Keras on the same draws, the draws themselves, and when it is off."""

from __future__ import annotations

import io
import itertools

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import map_coordinates

from trasluz import Sequential, layers, random
from trasluz.drawing.pictures import pictures
from trasluz.errors import UserError
from trasluz.layers.augmentation import FILLS, INTERPOLATIONS, sample
from trasluz.state.context import Context

KEY = random.key(7)
WAYS = list(itertools.product(FILLS, INTERPOLATIONS))


def photo(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).random(shape)


def in_step(layer, x, step=0):
    with Context(training=True, root=KEY, step=step):
        return layer(x)


def slope(n=9):
    """A picture whose two channels are how far down and right of the middle a place is."""
    down, right = np.meshgrid(np.arange(n) - n // 2, np.arange(n) - n // 2, indexing="ij")
    return np.stack([down, right], -1).astype("float64")


@pytest.mark.parametrize(("fill_mode", "interpolation"), WAYS)
def test_reading_between_places_is_that_of_scipy(fill_mode, interpolation):
    """Far outside too: another implementation of the four ways to go on over the edge."""
    x = photo(2, 5, 4, 3)
    rows, columns = np.random.default_rng(1).uniform(-13, 17, (2, 2, 6, 7))
    mine = sample(x, rows, columns, fill_mode, interpolation, fill_value=0.7)
    mode = {"wrap": "grid-wrap", "constant": "grid-constant"}.get(fill_mode, fill_mode)
    for k, c in itertools.product(range(2), range(3)):
        theirs = map_coordinates(
            x[k, :, :, c],
            (rows[k], columns[k]),
            order=int(interpolation == "bilinear"),
            mode=mode,
            cval=0.7,
        )
        np.testing.assert_allclose(mine[k, :, :, c], theirs, rtol=0, atol=1e-12)


FIXED = [
    ("RandomRotation", ((0.13, 0.13),)),
    ("RandomRotation", ((-0.4, -0.4),)),
    ("RandomTranslation", ((0.71, 0.71), (-0.43, -0.43))),
    ("RandomTranslation", ((0.5, 0.5), (1.0, 1.0))),
    ("RandomZoom", ((0.3, 0.3), (-0.4, -0.4))),
    ("RandomZoom", ((-0.5, -0.5),)),
    ("RandomZoom", ((0.9, 0.9),)),
]


@pytest.mark.interop
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(("name", "factors"), FIXED)
def test_pictures_are_those_of_keras(name, factors, data_format):
    keras = pytest.importorskip("keras")
    x = photo(*((2, 5, 6, 3) if data_format == "channels_last" else (2, 3, 5, 6))).astype("float32")
    for fill_mode, interpolation in WAYS:
        how = {"fill_mode": fill_mode, "interpolation": interpolation, "fill_value": 0.3}
        theirs = getattr(keras.layers, name)(*factors, data_format=data_format, **how)
        theirs.backend.set_backend("jax")  # on PyTorch it has neither "reflect" nor "wrap"
        drawn = theirs.get_random_transformation(x, training=True)
        expected = np.asarray(theirs.transform_images(x, drawn, training=True))
        ours = getattr(layers, name)(*factors, data_format=data_format, **how)
        np.testing.assert_allclose(in_step(ours, x), expected, rtol=0, atol=3e-6, err_msg=how)


@pytest.mark.interop
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # the peer's
def test_light_flips_and_sizes_are_those_of_keras():
    pytest.importorskip("keras")
    from peer import keras_in

    x = 255 * photo(6, 7, 8, 3)
    same = lambda a, b: np.testing.assert_allclose(a, np.asarray(b), rtol=0, atol=1e-9)  # noqa: E731
    with keras_in("float64") as keras:
        theirs, given = keras.layers, keras.ops.convert_to_tensor(x)
        same(
            in_step(layers.RandomBrightness((0.3, 0.3), dtype="float64"), x),
            theirs.RandomBrightness((0.3, 0.3), dtype="float64")(x, training=True),
        )
        contrast = layers.RandomContrast(0.5, (20, 230), dtype="float64")
        f = in_step(layers.RandomContrast(0.5, (-1e9, 1e9), dtype="float64"), x)
        mean = x.mean(axis=(1, 2), keepdims=True)
        f = keras.ops.convert_to_tensor(((f - mean) / (x - mean))[:, :1, :1, :1])
        told = theirs.RandomContrast(0.5, (20, 230), dtype="float64")
        same(
            in_step(contrast, x),
            told.transform_images(given, {"contrast_factor": f}, training=True),
        )
        for mode in ("horizontal", "vertical", "horizontal_and_vertical"):
            y = in_step(layers.RandomFlip(mode, dtype="float64"), x)
            flips = (y != x).any(axis=(1, 2, 3), keepdims=True)
            assert 0 < flips.sum() < 6
            same(
                y,
                theirs.RandomFlip(mode, dtype="float64").transform_images(
                    given, {"flips": flips}, training=True
                ),
            )
        for size in ((4, 4), (4, 2), (7, 3), (9, 10), (20, 4), (7, 8)):
            middle = theirs.Resizing(*size, crop_to_aspect_ratio=True, dtype="float64")(x)
            same(layers.RandomCrop(*size, dtype="float64")(x, training=False), middle)


def tells_of(layer, n=2000):
    """Give what a layer did to each of many equal pictures, read off the place in the middle."""
    y = in_step(layer, np.stack([slope()] * n))
    around = np.stack([y[:, 5, 4] - y[:, 3, 4], y[:, 4, 5] - y[:, 4, 3]], 1) / 2
    return y[:, 4, 4], around  # what is seen there; how it changes (down, right)


def is_even(drawn, low, high):
    """Tell whether draws are spread evenly, and know nothing of those before them."""
    assert low <= drawn.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < drawn.max() <= high
    assert drawn.mean() == pytest.approx((low + high) / 2, abs=0.03 * (high - low))
    assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 0.08


def test_draws_go_from_where_to_where_and_each_picture_has_its_own():
    _, turned = tells_of(layers.RandomRotation((-0.1, 0.2), dtype="float64"))
    is_even(np.arctan2(turned[:, 1, 0], turned[:, 0, 0]) / (2 * np.pi), -0.1, 0.2)
    moved, _ = tells_of(layers.RandomTranslation(0.3, (-0.1, 0.2), dtype="float64"))
    is_even(-moved[:, 0] / 9, -0.3, 0.3)
    is_even(-moved[:, 1] / 9, -0.1, 0.2)
    assert abs(np.corrcoef(moved.T)[0, 1]) < 0.08
    _, near = tells_of(layers.RandomZoom((-0.5, -0.1), 0.2, dtype="float64"))
    is_even(near[:, 0, 0] - 1, -0.5, -0.1)
    is_even(near[:, 1, 1] - 1, -0.2, 0.2)
    _, near = tells_of(layers.RandomZoom(0.3, dtype="float64"))
    np.testing.assert_allclose(near[:, 0, 0], near[:, 1, 1])
    _, far = tells_of(layers.RandomContrast(0.4, (-99, 99), dtype="float64"))
    is_even(far[:, 0, 0] - 1, -0.4, 0.4)
    _, far = tells_of(layers.RandomContrast((0.1, 0.4), (-99, 99), dtype="float64"))
    is_even(far[:, 0, 0] - 1, -0.1, 0.4)
    lit, _ = tells_of(layers.RandomBrightness(0.25, (-10, 10), dtype="float64"))
    is_even(lit[:, 0] / 20, -0.25, 0.25)
    _, flipped = tells_of(layers.RandomFlip("horizontal"))
    assert set(flipped[:, 1, 1]) == {-1, 1} and abs(flipped[:, 1, 1].mean()) < 0.06
    assert (flipped[:, 0, 0] == 1).all()


def test_a_window_is_cut_where_it_is_drawn_once_for_the_batch():
    x = np.stack([slope()] * 3)
    seen = set()
    for step in range(200):
        y = in_step(layers.RandomCrop(7, 9), x, step)
        assert (y == y[0]).all() and y.shape == (3, 7, 9, 2)
        seen.add((y[0, 0, 0, 0], y[0, 0, 0, 1]))
        np.testing.assert_array_equal(y[0], slope()[int(y[0, 0, 0, 0]) + 4 :][:7])
    assert seen == {(-4, -4), (-3, -4), (-2, -4)}
    x = x.astype("float32")
    large = in_step(layers.RandomCrop(12, 6), x)
    np.testing.assert_array_equal(large, layers.RandomCrop(12, 6)(x, training=False))


EACH = [
    layers.RandomFlip, lambda **how: layers.RandomRotation(0.2, **how),
    lambda **how: layers.RandomTranslation(0.2, 0.3, **how),
    lambda **how: layers.RandomZoom(0.2, 0.3, **how), lambda **how: layers.RandomCrop(4, 3, **how),
    lambda **how: layers.RandomContrast(0.4, (0, 1), **how),
    lambda **how: layers.RandomBrightness(0.2, (0, 1), **how),
]  # fmt: skip


@pytest.mark.parametrize("make", EACH)
def test_a_step_can_be_made_again_and_evaluation_leaves_pictures(make):
    x = photo(8, 6, 7, 2).astype("float32")
    layer = make()
    np.testing.assert_array_equal(in_step(layer, x, 3), in_step(make(), x, 3))
    assert any((in_step(layer, x, 3) != in_step(layer, x, step)).any() for step in (4, 5, 6))
    mine, other = make(seed=1), make(seed=2)
    with Context(training=True, root=random.key(1), step=3):
        np.testing.assert_array_equal(mine(x), in_step(mine, x, 3))
    assert any((in_step(mine, x, step) != in_step(other, x, step)).any() for step in range(4))
    model = Sequential([layers.Input((6, 7, 2)), layer])
    left = layer(x, training=False)
    np.testing.assert_array_equal(model.predict(x), left)
    np.testing.assert_array_equal(model(x), left)
    if not isinstance(layer, layers.RandomCrop):
        np.testing.assert_array_equal(left, x)
    assert any((layer(x) != left).any() for _ in range(5))  # by itself it augments, as in Keras
    one = layer(x[0], training=False)
    np.testing.assert_array_equal(one, left[0])
    assert in_step(layer, x[0]).shape == left[0].shape
    first = make(data_format="channels_first", seed=1)
    turned = in_step(first, x.transpose(0, 3, 1, 2), 3).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(turned, in_step(mine, x, 3))
    whole = (255 * x).astype("uint8")
    for training in (False, True):
        y = layer(whole, training=training)
        assert y.dtype == "float32"
    np.testing.assert_array_equal(in_step(layer, whole, 3), in_step(layer, whole.astype("f4"), 3))


def test_training_sees_the_same_pictures_on_both_engines():
    from trasluz import utils

    x = photo(12, 6, 6, 1).astype("float32")
    ends = []
    for engine in ("numpy", "xla"):
        utils.set_random_seed(4)
        model = Sequential([layers.Input((6, 6, 1)), *(make() for make in EACH), layers.Flatten()])
        model.add(layers.Dense(2))
        model.compile("sgd", "mse", engine=engine)
        model.fit(x, x[:, 0, :2, 0], batch_size=5, epochs=2, verbose=0)
        ends.append(model.get_weights())
    for a, b in zip(*ends, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_turned_picture_is_explained_to_the_weight_behind_it():
    model = Sequential(
        [
            layers.Input((3, 4, 1)),
            layers.Conv2D(1, 2),
            layers.RandomRotation(0.2),
            layers.RandomTranslation(0.2, 0.2, "constant", fill_value=0.5),
            layers.RandomContrast(0.3, (-1, 1)),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    model.compile("sgd", "mse", engine="numpy")
    x = photo(1, 3, 4, 1)
    seen = model.explain(x, np.ones((1, 1)), "conv2d/kernel", (0, 1, 0, 0), training=True)
    for value in seen.checks.values():
        assert float(value) == pytest.approx(float(seen.value), rel=1e-6, abs=1e-9)
    assert "layer random_rotation" in str(seen)
    assert "layer random_rotation" not in str(
        model.explain(x, np.ones((1, 1)), "conv2d/kernel", (0, 1, 0, 0))
    )


WRONG = [
    (lambda: layers.RandomFlip("horizontl"), "did you mean 'horizontal'"),
    (lambda: layers.RandomRotation(1.5), "factor is 1.5.*from -1 to 1"),
    (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "factor is"),
    (lambda: layers.RandomZoom(0.1, (0.2, 7.0)), "width_factor is"),
    (lambda: layers.RandomTranslation(-3, 0.1), "height_factor is"),
    (lambda: layers.RandomContrast(-0.1), "factor is -0.1.*from 0 to 1"),
    (lambda: layers.RandomContrast(0.1, (0, 1, 2)), "value_range"),
    (lambda: layers.RandomBrightness((0.1, 2)), "factor is"),
    (lambda: layers.RandomRotation(0.1, "reflet"), "did you mean 'reflect'"),
    (lambda: layers.RandomZoom(0.1, interpolation="cubic"), "unknown interpolation"),
    (lambda: layers.RandomFlip(data_format="last"), "data_format"),
    (lambda: layers.RandomCrop(0, 3), "height, width"),
    (lambda: layers.RandomCrop(10**6, 10**6), "numbers"),
]


@pytest.mark.parametrize(("make", "said"), WRONG)
def test_mistakes_are_told_when_the_model_is_drawn(make, said):
    with pytest.raises(UserError, match=said):
        Sequential([layers.Input((4, 4, 1)), make()])


def test_what_is_no_picture_is_told():
    with pytest.raises(UserError, match=r"the shape is \(3, 4\)"):
        layers.RandomFlip()(np.ones((3, 4)))


def test_pictures_are_drawn():
    dark, light = np.zeros((2, 3, 1), "uint8"), np.full((2, 3, 1), 255, "uint8")
    png = imread(io.BytesIO(pictures([dark, light], labels=["a", "b"], columns=2)))
    assert (png[..., :3] == 0).all(-1).mean() > 0.1
    assert pictures(photo(5, 4, 4, 3), title="$x^{").startswith(b"\x89PNG")
    for wrong, said in (
        ((np.ones((2, 3)),), "shape"),
        ((np.ones((2, 3, 3, 2)),), "channels"),
        ((np.ones((0, 3, 3, 1)),), "0 pictures"),
        ((np.ones((2, 3, 3)), None, ["one"]), "labels"),
        ((np.ones((2, 3, 3)), None, None, "", (1, 0)), "value_range"),
    ):
        with pytest.raises(UserError, match=said):
            pictures(*wrong)
