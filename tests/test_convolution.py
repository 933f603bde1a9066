"""Convolutions and pooling: genuine Keras on random configurations, forwards and backwards."""

from __future__ import annotations

import random

import numpy as np
import pytest

from trasluz import Input, Sequential, layers, tape
from trasluz.errors import UserError
from trasluz.layers import convolution as conv
from trasluz.layers import pooling as pool
from trasluz.state.binding import bind, read

keras = pytest.importorskip("keras")
from peer import keras_in  # noqa: E402


def drawn(kind, chance):
    """Draw a configuration of a kind of layer, and the shape of its input."""
    rank = 1 if kind.__name__[-2:] == "1D" or "1D" in kind.__name__ else 2
    each = lambda low, high: tuple(chance.randint(low, high) for _ in range(rank))  # noqa: E731
    how: dict = {}
    places, channels = tuple(chance.randint(7, 11) for _ in range(rank)), chance.choice([1, 2, 4])
    name = kind.__name__
    if "Conv" in name:
        how["kernel_size"] = each(1, 4)
        how["padding"] = chance.choice(["valid", "same"])
        if chance.random() < 0.5:
            how["strides"] = (chance.randint(1, 3),) * rank
        elif chance.random() < 0.5:
            how["dilation_rate"] = (chance.randint(1, 2),) * rank
        if name == "Conv1D" and chance.random() < 0.3:
            how["padding"] = "causal"
        if not name.startswith("Depthwise"):
            how["filters"] = chance.choice([2, 4])
        if name in ("Conv1D", "Conv2D") and chance.random() < 0.4:
            how["groups"] = chance.choice(
                [g for g in (1, 2, 4) if not channels % g and g <= how["filters"]]
            )
        if name.startswith(("Depthwise", "Separable")):
            how["depth_multiplier"] = chance.randint(1, 2)
        if "Transpose" in name and chance.random() < 0.4:  # Keras takes less than a stride only
            how["output_padding"] = chance.randrange(how.get("strides", (1,))[0])
        how["use_bias"] = chance.random() < 0.7
        how["activation"] = chance.choice([None, "tanh"])
    elif "Global" in name:
        how["keepdims"] = chance.random() < 0.5
    elif "Pooling" in name:
        how["pool_size"] = each(1, 3)
        how["padding"] = chance.choice(["valid", "same"])
        if name.startswith("Average"):  # on PyTorch Keras repeats the edge: see below
            how["padding"] = "valid"
        if chance.random() < 0.5:
            how["strides"] = each(1, 3)
    elif "Padding" in name:
        how["padding"] = tuple(each(0, 3) for _ in range(rank)) if rank == 2 else (1, 2)
        if rank == 2:
            how["padding"] = tuple((chance.randint(0, 2), chance.randint(0, 2)) for _ in range(2))
    elif "Cropping" in name:
        how["cropping"] = ((1, 2), (0, 3)) if rank == 2 else (chance.randint(0, 2), 1)
    return how, (2, *places, channels)


KINDS = [
    conv.Conv1D, conv.Conv2D, conv.Conv1DTranspose, conv.Conv2DTranspose, conv.DepthwiseConv1D,
    conv.DepthwiseConv2D, conv.SeparableConv1D, conv.SeparableConv2D, pool.MaxPooling1D,
    pool.MaxPooling2D, pool.AveragePooling1D, pool.AveragePooling2D, pool.GlobalMaxPooling1D,
    pool.GlobalMaxPooling2D, pool.GlobalAveragePooling1D, pool.GlobalAveragePooling2D,
    pool.ZeroPadding1D, pool.ZeroPadding2D, pool.Cropping1D, pool.Cropping2D,
]  # fmt: skip


def of_keras(kind, how, x, weights, g):
    """Give Keras's output, and its derivatives in the input and in each weight."""
    import torch

    with keras_in("float64"):
        layer = getattr(keras.layers, kind.__name__)(**how, dtype="float64")
        layer.build(x.shape)
        layer.set_weights(weights)
        if "Transpose" in kind.__name__:  # PyTorch wants kernels to lie as it keeps them
            value, rank = layer.kernel.value, len(x.shape) - 2
            order, back = (rank + 1, rank, *range(rank)), (*range(2, rank + 2), 1, 0)
            value.data = value.data.permute(order).contiguous().permute(back)
        given = torch.tensor(x, requires_grad=True)
        y = layer(given)
        inputs = [given, *(w.value for w in layer.weights)]
        grads = torch.autograd.grad((y * torch.tensor(g)).sum(), inputs)
        return y.detach().numpy(), [d.numpy() for d in grads]


@pytest.mark.interop
@pytest.mark.parametrize("kind", KINDS, ids=lambda k: k.__name__)
def test_it_is_keras_forwards_and_backwards(kind):
    chance, drawer = random.Random(kind.__name__), np.random.default_rng(5)
    done = 0
    for _ in range(60):
        how, shape = drawn(kind, chance)
        x = drawer.normal(size=shape)
        layer = kind(**how, dtype="float64")
        try:
            y = layer(x)
        except UserError as error:  # what leaves nothing
            assert "does not fit" in str(error) or "do not fit" in str(error)
            continue
        weights = [drawer.normal(size=w.shape) for w in layer.weights]
        layer.set_weights(weights)
        arrays = read(layer)
        g = drawer.normal(size=y.shape)

        def value(x, arrays, layer=layer, g=g):
            return (bind(layer, arrays)(x) * g).sum()

        ours = tape.vjp(value, x, arrays)[1](np.float64(1))
        wanted, slopes = of_keras(kind, how, x, weights, g)
        np.testing.assert_allclose(layer(x), wanted, rtol=1e-9, atol=1e-9, err_msg=str(how))
        np.testing.assert_allclose(ours[0], slopes[0], rtol=1e-9, atol=1e-9, err_msg=str(how))
        for weight, slope in zip(layer.weights, slopes[1:], strict=True):
            np.testing.assert_allclose(
                ours[1][weight.path], slope, rtol=1e-9, atol=1e-9, err_msg=str(how)
            )
        done += 1
        if done == 12:
            return
    assert done >= 8


@pytest.mark.parametrize(("size", "stride"), [(2, 2), (3, 2), (3, 1), (4, 3)])
def test_a_mean_is_over_the_places_that_are_there(size, stride):
    x = np.random.default_rng(0).normal(size=(1, 7, 1))
    y = pool.AveragePooling1D(size, stride, padding="same", dtype="float64")(x).ravel()
    count = -(-7 // stride)
    before = max(0, (count - 1) * stride + size - 7) // 2
    starts = [o * stride - before for o in range(count)]
    wanted = [x[0, max(0, s) : s + size, 0].mean() for s in starts]
    np.testing.assert_allclose(y, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    "stack",
    [
        lambda: [layers.Conv2D(2, 2, activation="tanh"), layers.MaxPooling2D(), layers.Flatten()],
        lambda: [layers.Conv2D(2, 2, strides=2, padding="same"), layers.GlobalMaxPooling2D()],
        lambda: [layers.SeparableConv2D(2, 2), layers.GlobalAveragePooling2D()],
        lambda: [
            layers.Conv2DTranspose(2, 2, strides=2),
            layers.AveragePooling2D(),
            layers.Flatten(),
        ],
        lambda: [
            layers.ZeroPadding2D(),
            layers.Conv2D(2, 3),
            layers.Cropping2D(1),
            layers.Flatten(),
        ],
    ],
    ids=["valid", "strided", "separable", "transposed", "around"],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_any_weight_of_a_filter_opens_into_its_derivation(stack, rows):
    """It is read as windows and a product; the number is that of the row's own rule."""
    drawer = np.random.default_rng(3)
    x, y = drawer.normal(size=(rows, 4, 4, 1)), drawer.normal(size=(rows, 1))
    model = Sequential([Input((4, 4, 1)), *stack(), layers.Dense(1)])
    model.compile("sgd", "mse", engine="numpy")
    worst = model.check_gradients(x, y, print_fn=lambda text: None)
    assert max(worst.values()) < 1e-6
    for weight in model.weights:
        place = tuple(n - 1 for n in weight.shape)
        derivation = model.explain(x, y, weight.path, place)
        checks = [float(value) for value in derivation.checks.values()]
        np.testing.assert_allclose(checks, derivation.value, rtol=1e-5, atol=1e-9)
        assert "windows" not in derivation.text() and "*" not in derivation.text()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: layers.Conv2D(2, 5), r"a kernel that spans \(5, 5\) does not fit into \(3, 3\)"),
        (lambda: layers.Conv2D(3, 2, groups=2), "2 groups do not divide 2 channels and 3 filters"),
        (lambda: layers.Conv2D(2, 2, strides=2, dilation_rate=2), "both above 1"),
        (lambda: layers.Conv2D(2, (2, 2, 2)), "kernel_size is"),
        (lambda: layers.Conv2D(2, 2, padding="causal"), "padding is 'causal'"),
        (lambda: layers.Conv2D(2, 2, data_format="last"), "unknown data_format"),
        (lambda: layers.Conv1D(2, 2), r"it reads \(batch, places, channels\)"),
        (lambda: layers.MaxPooling2D(4), r"windows of \(4, 4\) do not fit into \(3, 3\)"),
        (lambda: layers.Cropping2D(2), "leaves nothing"),
        (lambda: layers.ZeroPadding2D(-1), "padding is"),
    ],
)
def test_what_leaves_nothing_is_told_with_its_mend(make, said):
    with pytest.raises(UserError, match=said) as caught:
        Sequential([Input((3, 3, 2)), make()])
    assert caught.value.mend
