"""Windows that slide over the places of pictures and series: convolution and pooling.

Arrays are `(batch, *places, channels)`. One row is convolution with all that its own derivatives
ask for: the derivative in the input is a convolution of what comes back with the kernel turned
round, that in the kernel one of the input with what comes back. So the family is closed, and a
transposed convolution is a member of it.

Where it is read aloud (`explain`), a convolution is taken apart into the windows, laid side by
side, and one product: each entry then says which places it looked at.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trasluz.autodiff import backend, ops
from trasluz.autodiff.ops import PRODUCT, concatenate, function, structural
from trasluz.autodiff.scan import is_unrolled

Pads = Sequence[tuple[int, int]]


def _kernel_back(g: Any, y: Any, x: Any, w: Any, **how: Any) -> Any:
    """Derivative in the kernel: the input, batch and channels exchanged, meets what comes back."""
    strides, pads, dilation, spread = _how(how, len(x.shape) - 2)
    sizes = w.shape[:-2]
    ends = [  # what a stride left over at the end was looked at by no window
        (lo, (k - 1) * d + (o - 1) * s + 1 - ((n - 1) * u + 1) - lo)
        for n, o, k, s, d, u, (lo, _) in zip(
            x.shape[1:-1], g.shape[1:-1], sizes, strides, dilation, spread, pads, strict=True
        )
    ]
    last = len(x.shape) - 1
    swapped = ops.transpose(x, (last, *range(1, last), 0))
    windows = ops.transpose(g, (*range(1, last), 0, last))
    found = convolve_row(
        swapped, windows, strides=dilation, pads=tuple(ends), dilation=strides, spread=spread
    )
    return ops.transpose(found, (*range(1, last), 0, last))


def _input_back(g: Any, y: Any, x: Any, w: Any, **how: Any) -> Any:
    """Derivative in the input: what comes back meets the kernel turned round."""
    strides, pads, dilation, spread = _how(how, len(x.shape) - 2)
    around = []
    for n, o, k, s, d, u, (lo, _) in zip(
        x.shape[1:-1], g.shape[1:-1], w.shape[:-2], strides, dilation, spread, pads, strict=True
    ):
        wide, before = (k - 1) * d, (k - 1) * d - lo
        around.append((before, (n - 1) * u + 1 + wide - ((o - 1) * s + 1) - before))
    return convolve_row(
        g, turned(w), strides=spread, pads=tuple(around), dilation=dilation, spread=strides
    )


def turned(w: Any) -> Any:
    """Turn a kernel round: every axis of places reversed, inputs and outputs exchanged."""
    for axis in range(len(w.shape) - 2):
        w = ops.flip(w, axis)
    return ops.swapaxes(w, -1, -2)


# fmt: off
# name, reads as, pullback of g to each argument
convolve_row = structural("convolve", r"{0:2} * {1:2}", _input_back, _kernel_back,
                          forward=lambda x, w, **how: _convolved(x, w, **how), binds=PRODUCT)
windows: Any = structural("windows", function(r"\operatorname{{windows}}"),
                     lambda g, y, x, **how: fold(g, shape=x.shape, **how),
                     forward=lambda x, **how: _windows(x, **how))
fold: Any = structural("fold", function(r"\operatorname{{fold}}"),
                  lambda g, y, x, shape, **how: windows(g, **how),
                  forward=lambda x, shape, **how: _fold(x, shape, **how))
# fmt: on


def _how(how: dict[str, Any], places: int) -> tuple[Any, Any, Any, Any]:
    ones = (1,) * places
    return how["strides"], how["pads"], how["dilation"], how.get("spread") or ones


def convolve(
    x: Any,
    kernel: Any,
    strides: Sequence[int],
    pads: Pads,
    dilation: Sequence[int] | None = None,
    spread: Sequence[int] | None = None,
) -> Any:
    """Slide a kernel over all places: `y_o = Σ_k Σ_c x_{s·o + d·k − lo, c} w_{k, c}`.

    Shapes: `(n, *places, c), (*sizes, c, f) → (n, *places, f)`.

    Args:
        x: pictures, series.
        kernel: the weights.
        strides: how far the kernel moves, by axis.
        pads: zeros before and after, by axis; a negative number cuts off.
        dilation: how far apart the places are that the kernel sees; 1 unless given.
        spread: how far apart the entries of `x` are laid before, zeros between them: that makes
            the transposed convolution.

    >>> x, w = np.arange(4.0).reshape(1, 4, 1), np.array([1.0, -1.0]).reshape(2, 1, 1)
    >>> convolve(x, w, (1,), [(0, 0)]).ravel()
    array([-1., -1., -1.])
    """
    ones = (1,) * (len(x.shape) - 2)
    how = {
        "strides": tuple(strides), "pads": tuple(map(tuple, pads)),
        "dilation": tuple(dilation or ones), "spread": tuple(spread or ones),
    }  # fmt: skip
    sizes = tuple(kernel.shape[:-2])
    if not is_unrolled():
        if sizes == ones and how["spread"] == ones and all(pad == (0, 0) for pad in how["pads"]):
            at = (slice(None), *(slice(None, None, s) for s in how["strides"]))
            seen = x if how["strides"] == ones else ops.getitem(x, index=at)
            return ops.dot_last(seen, ops.reshape(kernel, tuple(kernel.shape[-2:])))
        return convolve_row(x, kernel, **how)
    laid = windows(x, sizes=sizes, **how)
    wide = math.prod(kernel.shape[:-1])
    flat = ops.reshape(laid, (*laid.shape[: len(ones) + 1], wide))
    return ops.dot_last(flat, ops.reshape(kernel, (wide, kernel.shape[-1])))


def _convolved(x: Any, w: Any, strides: Any, pads: Any, dilation: Any, spread: Any = None) -> Any:
    spread = spread or (1,) * len(strides)
    if backend.namespace(x, w) is not np and not _laid_out(x, spread):
        dtype = np.promote_types(x.dtype, w.dtype)  # XLA does not take two types here
        return backend.convolve(x.astype(dtype), w.astype(dtype), strides, pads, dilation, spread)
    laid = _windows(x, w.shape[:-2], strides, pads, dilation, spread)
    flat = laid.reshape(-1, math.prod(w.shape[:-1]))
    y = flat @ w.reshape(flat.shape[-1], w.shape[-1])
    return y.reshape(*laid.shape[: len(strides) + 1], w.shape[-1])


def _laid_out(x: Any, spread: Any) -> bool:
    """Tell whether XLA is to lay windows side by side and multiply, as NumPy does.

    That takes half as long where there is one channel, and up to four times where there are more
    (docs/speed.md).
    """
    return x.shape[-1] == 1 and all(u == 1 for u in spread) and backend.on_processor()


def _windows(x: Any, sizes: Any, strides: Any, pads: Any, dilation: Any, spread: Any = None) -> Any:
    """Lay windows side by side: `(n, *places, *sizes, c)`."""
    xp, places = backend.namespace(x), len(sizes)
    x = _spread(x, pads, spread or (1,) * places)
    if xp is not np:
        taps = [x[tap] for tap in _taps(x.shape, sizes, strides, dilation)]
        stacked = xp.stack(taps, axis=places + 1)
        return stacked.reshape(*stacked.shape[: places + 1], *sizes, x.shape[-1])
    reach = [(k - 1) * d + 1 for k, d in zip(sizes, dilation, strict=True)]
    views = np.lib.stride_tricks.sliding_window_view(x, reach, axis=tuple(range(1, places + 1)))
    index = [slice(None), *(slice(None, None, s) for s in strides), slice(None)]
    views = views[(*index, *(slice(None, None, d) for d in dilation))]
    order = (*range(places + 1), *range(places + 2, 2 * places + 2), places + 1)
    return np.ascontiguousarray(views.transpose(order))


def _fold(
    x: Any, shape: Any, sizes: Any, strides: Any, pads: Any, dilation: Any, spread: Any = None
) -> Any:
    """Add windows up again at the places that they were taken from."""
    xp, places = backend.namespace(x), len(sizes)
    spread = spread or (1,) * places
    laid = [(n - 1) * u + 1 for n, u in zip(shape[1:-1], spread, strict=True)]
    wide = [max(0, n + lo + hi) for n, (lo, hi) in zip(laid, pads, strict=True)]
    flat = x.reshape(*x.shape[: places + 1], -1, x.shape[-1])
    total = xp.zeros((x.shape[0], *wide, x.shape[-1]), x.dtype)
    for number, tap in enumerate(_taps(total.shape, sizes, strides, dilation)):
        part = flat[(slice(None),) * (places + 1) + (number,)]
        if xp is np:
            total[tap] += part
        else:
            total = total.at[tap].add(part)
    around = [(-lo, n + lo - w) for n, w, (lo, _) in zip(laid, wide, pads, strict=True)]
    total = _spread(total, around, (1,) * places)
    return total[(slice(None), *(slice(None, None, u) for u in spread))]


def _taps(shape: Any, sizes: Any, strides: Any, dilation: Any) -> Iterator[tuple[slice, ...]]:
    """Give, for each place of a kernel, the slices of the input that it meets."""
    for tap in itertools.product(*map(range, sizes)):
        yield (slice(None), *(
            slice(t * d, t * d + ((n - (k - 1) * d - 1) // s) * s + 1, s)
            for t, n, k, s, d in zip(tap, shape[1:-1], sizes, strides, dilation, strict=True)
        ))  # fmt: skip


def _spread(x: Any, pads: Any, spread: Any) -> Any:
    """Lay entries apart, then zeros around them; negative numbers cut off."""
    shape = x.shape
    if any(u > 1 for u in spread):
        wide = [(n - 1) * u + 1 if n else 0 for n, u in zip(shape[1:-1], spread, strict=True)]
        index = (slice(None), *(slice(None, None, u) for u in spread))
        x = backend.place_slice(x, index, (shape[0], *wide, shape[-1]))
    if all(pad == (0, 0) for pad in pads):
        return x
    cut = tuple(
        slice(max(0, -lo), n - max(0, -hi)) for n, (lo, hi) in zip(x.shape[1:-1], pads, strict=True)
    )
    x = x[(slice(None), *cut)]
    widths = [(0, 0), *((max(0, lo), max(0, hi)) for lo, hi in pads), (0, 0)]
    return backend.namespace(x).pad(x, widths)


def taps(x: Any, sizes: Sequence[int], strides: Any, pads: Pads, dilation: Any) -> list[Any]:
    """Give what each place of a kernel meets, everywhere: shifted copies of the input."""
    if any(pad != (0, 0) for pad in pads):
        x = ops.pad(x, [(0, 0), *pads, (0, 0)])
    return [ops.getitem(x, index=tap) for tap in _taps(x.shape, sizes, strides, dilation)]


def convolve_each(x: Any, kernel: Any, strides: Any, pads: Pads, dilation: Any) -> Any:
    """Slide a kernel of its own over each channel: a sum of shifted products.

    Shapes: `(n, *places, c), (*sizes, c, m) → (n, *places, c·m)`.
    """
    sizes, (c, m) = kernel.shape[:-2], kernel.shape[-2:]
    flat = ops.reshape(kernel, (math.prod(sizes), c, m))
    total: Any = None
    for number, part in enumerate(taps(x, sizes, strides, pads, dilation)):
        weights = ops.getitem(flat, index=number)
        term = part * ops.reshape(weights, (c,)) if m == 1 else ops.expand_dims(part, -1) * weights
        total = term if total is None else total + term
    return total if m == 1 else ops.reshape(total, (*total.shape[:-2], c * m))


def convolve_groups(
    x: Any, kernel: Any, groups: int, strides: Any, pads: Pads, dilation: Any
) -> Any:
    """Part channels into groups, each with a part of the kernels: `(*sizes, c / groups, f)`."""
    if groups == 1:
        return convolve(x, kernel, strides, pads, dilation)
    c, f = kernel.shape[-2], kernel.shape[-1] // groups
    if c == 1:  # a kernel of its own, or several, for each channel
        each = ops.reshape(kernel, (*kernel.shape[:-2], groups, f))
        return convolve_each(x, each, strides, pads, dilation)
    whole = (slice(None),) * (len(x.shape) - 1)
    parts = [
        convolve(
            ops.getitem(x, index=(*whole, slice(g * c, (g + 1) * c))),
            ops.getitem(kernel, index=(*whole, slice(g * f, (g + 1) * f))),
            strides, pads, dilation,
        )
        for g in range(groups)
    ]  # fmt: skip
    return concatenate(parts, axis=-1)


def _tiles(x: Any, sizes: Any, strides: Any, pads: Pads) -> Any:
    """Part places into tiles, where windows do not overlap: one reshape of those that are seen."""
    places = [n // k * k for n, k in zip(x.shape[1:-1], sizes, strict=True)]
    if tuple(sizes) != tuple(strides) or any(pad != (0, 0) for pad in pads) or not all(places):
        return None
    if places != list(x.shape[1:-1]):  # what is left over at the end belongs to no window
        x = ops.getitem(x, index=(slice(None), *(slice(0, n) for n in places)))
    parted = itertools.chain(*((n // k, k) for n, k in zip(places, sizes, strict=True)))
    return ops.reshape(x, (x.shape[0], *parted, x.shape[-1]))


def max_pool(x: Any, sizes: Any, strides: Any, pads: Pads) -> Any:
    """The greatest entry of each window, channel by channel; what lies around counts for nothing.

    >>> max_pool(np.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1), (2,), (2,), [(0, 0)]).ravel()
    array([3., 2.])
    """
    tiles = _tiles(x, sizes, strides, pads)
    if tiles is not None:
        return ops.max(tiles, axis=tuple(range(2, 2 * len(sizes) + 1, 2)))
    around = any(pad != (0, 0) for pad in pads)
    if around:  # the least number there is stands around
        inside = np.pad(np.ones(x.shape[1:-1], bool), list(pads))[None, ..., None]
        padded = ops.pad(x, [(0, 0), *pads, (0, 0)])
        least = np.finfo(x.dtype).min if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        x = ops.where(inside, padded, np.asarray(least, x.dtype))
    ones, none = (1,) * len(sizes), [(0, 0)] * len(sizes)
    laid = windows(x, sizes=tuple(sizes), strides=tuple(strides), pads=tuple(none), dilation=ones)
    first = len(sizes) + 1
    return ops.max(laid, axis=tuple(range(first, first + len(sizes))))


def average_pool(x: Any, sizes: Any, strides: Any, pads: Pads) -> Any:
    """The mean of each window, channel by channel, over the places that are there.

    >>> average_pool(np.array([1.0, 3.0, 2.0, 0.0]).reshape(1, 4, 1), (2,), (2,), [(0, 0)]).ravel()
    array([2., 1.])
    """
    tiles = _tiles(x, sizes, strides, pads)
    if tiles is not None:
        return ops.mean(tiles, axis=tuple(range(2, 2 * len(sizes) + 1, 2)))
    ones = (1,) * len(sizes)
    parts = taps(x, sizes, strides, pads, ones)
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    there = np.pad(np.ones(x.shape[1:-1]), list(pads))[None, ..., None]
    counts = sum(there[tap] for tap in _taps(there.shape, sizes, strides, ones))
    return total / np.asarray(counts, x.dtype)


def pads_of(
    padding: str, places: Sequence[int], sizes: Any, strides: Any, dilation: Any
) -> list[tuple[int, int]]:
    """Tell how many zeros go before and after: Keras's "valid", "same" and "causal".

    With "same" there are `⌈n / stride⌉` windows, and an odd zero goes behind.

    >>> pads_of("same", [6], (3,), (2,), (1,)), pads_of("causal", [6], (3,), (1,), (2,))
    ([(0, 1)], [(4, 0)])
    """
    if padding == "valid":
        return [(0, 0)] * len(sizes)
    reach = [(k - 1) * d for k, d in zip(sizes, dilation, strict=True)]
    if padding == "causal":
        return [(wide, 0) for wide in reach]
    around = [
        max(0, (-(-n // s) - 1) * s + wide + 1 - n)
        for n, s, wide in zip(places, strides, reach, strict=True)
    ]
    return [(zeros // 2, zeros - zeros // 2) for zeros in around]
