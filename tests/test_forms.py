"""Forms that are faster: they give what the plain ones give, on random shapes, in float64."""

from __future__ import annotations

import numpy as np
import pytest

from trasluz import tape
from trasluz.autodiff import backend, moments, windows
from trasluz.autodiff.scan import unrolled

CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def _plain(x, gamma, axes, epsilon):
    with unrolled():
        return moments.normalised(x, *moments.moments(x, axes), gamma, axes, epsilon)


def _collected(x, gamma, axes, epsilon):
    return moments.normalised(x, *moments.moments(x, axes), gamma, axes, epsilon)


@pytest.mark.parametrize("seed", range(6))
def test_normalising_by_one_rule_is_normalising_by_three_paths(seed):
    drawn = np.random.default_rng(seed)
    shape = tuple(drawn.integers(2, 5, drawn.integers(2, 5)))
    axes = tuple(sorted(drawn.permutation(len(shape))[: drawn.integers(1, len(shape))].tolist()))
    of_axes = bool(seed % 2)  # as LayerNormalization has it; else as BatchNormalization
    own = tuple(n if (i in axes) == of_axes else 1 for i, n in enumerate(shape))
    x, gamma, g = drawn.normal(size=shape), drawn.normal(size=own), drawn.normal(size=shape)
    found = []
    for form in (_plain, _collected):
        f = lambda x, gamma, form=form: form(x, gamma, axes, 1e-3)  # noqa: E731
        value, back = tape.vjp(f, x, gamma)
        slope = lambda x, gamma, f=f: tape.vjp(f, x, gamma)[1](g)  # noqa: E731
        first = slope(x, gamma)
        _, again = tape.vjp(slope, x, gamma)
        found.append([value, *back(g), *again(first)])
    for plain, collected in zip(*found, strict=True):
        np.testing.assert_allclose(collected, plain, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_a_kernel_of_one_place_is_a_product(seed):
    drawn = np.random.default_rng(seed)
    rank, (n, c, f) = 1 + seed % 2, drawn.integers(1, 4, 3)
    strides = tuple(drawn.integers(1, 4, rank).tolist())
    x = drawn.normal(size=(n, *drawn.integers(3, 8, rank), c))
    w = drawn.normal(size=(*[1] * rank, c, f))
    ones, none = (1,) * rank, ((0, 0),) * rank
    how = {"strides": strides, "pads": none, "dilation": ones, "spread": ones}
    value, back = tape.vjp(lambda x, w: windows.convolve(x, w, strides, none), x, w)
    plain, slow = tape.vjp(lambda x, w: windows.convolve_row(x, w, **how), x, w)
    for one, other in zip((value, *back(value)), (plain, *slow(plain)), strict=True):
        np.testing.assert_allclose(one, other, **CLOSE)


@pytest.mark.parametrize(
    "strides, dilation", [((1, 1), (1, 1)), ((2, 1), (1, 1)), ((1, 1), (2, 1))]
)
def test_one_channel_laid_out_is_xla_s_convolution(strides, dilation):
    drawn = np.random.default_rng(3)
    x, w = drawn.normal(size=(2, 7, 6, 1)), drawn.normal(size=(3, 2, 1, 4))
    pads, ones = ((1, 2), (0, 1)), (1, 1)
    ours = backend.compiled(lambda x, w: windows.convolve(x, w, strides, pads, dilation), "xla")(
        x, w
    )
    theirs = backend.compiled(
        lambda x, w: backend.convolve(x, w, strides, pads, dilation, ones), "xla"
    )(x, w)
    np.testing.assert_allclose(ours, theirs, **CLOSE)
    np.testing.assert_allclose(ours, windows.convolve(x, w, strides, pads, dilation), **CLOSE)


@pytest.mark.parametrize(
    "index",
    [
        (slice(1, 3),), (slice(None), slice(0, 7, 3)), (slice(4, 5, 2), slice(-3, None)),
        (slice(None, None, -1), slice(0, 2)), (2, slice(0, 2)), (Ellipsis, slice(1, 2)),
    ],
)  # fmt: skip
def test_what_slices_place_is_padded_with_zeros(index):
    shape = (6, 7)
    x = np.random.default_rng(0).normal(size=np.zeros(shape)[index].shape)
    put = backend.compiled(lambda x: backend.place_slice(x, index, shape), "xla")
    np.testing.assert_array_equal(put(x), backend.place_slice(x, index, shape))


def test_what_compiles_convolutions_leaves_products_and_sums_as_they_are():
    names = backend._compiler_options().values()
    assert all("CONVOLUTION" not in name and "REDUCE" in name for name in names)
