"""Pictures seen another way at each step of training: turned, moved, cut, lit."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from functools import reduce
from numbers import Real
from typing import Any, ClassVar

import numpy as np

from trasluz.autodiff import ops, random
from trasluz.autodiff.tape import composite, where
from trasluz.errors import UserError, shown, unknown
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats
from trasluz.layers.pooling import each_place, first_to_last, last_to_first, places_of
from trasluz.state.limits import check_row

INTERPOLATIONS = ("bilinear", "nearest")
FLIPS = ("horizontal", "vertical", "horizontal_and_vertical")


def _rest(k: Any, n: int) -> Any:
    """Give what is left of whole numbers when n is taken off as often as it goes."""
    return k - n * ops.floor((k + 0.5) / n)  # a quotient never near a whole number: none is missed


# Which of n places stands for place k, inside or outside, by how the outside is filled.
FILLS: dict[str, Callable[[Any, int], Any]] = {
    "reflect": lambda k, n: ops.minimum(_rest(k, 2 * n), 2 * n - 1 - _rest(k, 2 * n)),
    "wrap": _rest,
    "constant": lambda k, n: ops.clip(k, 0, n - 1),
    "nearest": lambda k, n: ops.clip(k, 0, n - 1),
}


def _around(at: Any, n: int, fill_mode: str, interpolation: str) -> list[tuple[Any, Any]]:
    """Give the places around where is looked, along one axis, and the share of each."""
    if interpolation == "nearest":
        k = ops.sign(at) * ops.floor(ops.absolute(at) + 0.5)  # halves go outwards
        around = [(k, ops.ones_like(k))]
    else:
        k = ops.floor(at)
        around = [(k, 1 - (at - k)), (k + 1, at - k)]
    if fill_mode == "constant":
        around = [(k, u * ops.astype((k >= 0) * (k < n), dtype=u.dtype)) for k, u in around]
    return [(ops.cast(FILLS[fill_mode](k, n), "int32"), u) for k, u in around]


@composite
def sample(
    x: Any,
    rows: Any,
    columns: Any,
    fill_mode: str = "constant",
    interpolation: str = "bilinear",
    fill_value: float = 0.0,
) -> Any:
    """Read pictures between their places: each of the four around counts the more the nearer it is.

    `y = Σ u v x[i, j]`: rows i with shares u, columns j with shares v. What is outside has the
    number of a place inside (see `FILLS`), so this is four reads, and their derivative.

    Shapes: `(n, h, w, c)`, and places that make `(n, h', w')` together, give `(n, h', w', c)`.

    Args:
        x: the pictures.
        rows: where to look, counted in rows from the first.
        columns: where to look, counted in columns from the first.
        fill_mode: "reflect" `(b a | a b c | c b)`, "wrap" `(b c | a b c | a b)`, "nearest"
            `(a a | a b c | c c)`, or "constant".
        interpolation: "bilinear", or "nearest" for the one place that is nearest.
        fill_value: what stands outside if that is constant.

    >>> picture, middle = np.array([[[[0.0], [8.0]]]]), np.array([[[0.25]]])
    >>> sample(picture, np.zeros((1, 1, 1)), middle).ravel()
    array([2.])
    """
    n, h, w, c = x.shape
    flat = ops.reshape(x, shape=(n * h * w, c))
    start = (np.arange(n, dtype=np.int32) * np.int32(h * w)).reshape(n, 1, 1)
    seen = [
        (start + i * w + j, ops.expand_dims(u * v, -1))
        for i, u in _around(rows, h, fill_mode, interpolation)
        for j, v in _around(columns, w, fill_mode, interpolation)
    ]
    y = reduce(operator.add, [ops.take(flat, place, axis=0) * share for place, share in seen])
    if fill_mode == "constant" and fill_value != 0:
        y = y + fill_value * (1 - reduce(operator.add, [share for _, share in seen]))
    return y


class _Augmentation(Layer):
    """What changes pictures in training, each by its own draw, and leaves them elsewhere."""

    factors: ClassVar[tuple[str, ...]] = ()  # the fields that say between what to draw
    limits: ClassVar[tuple[float, float]] = (-1, 1)

    def build(self, input_shape: Any) -> None:
        self.check()

    def check(self) -> None:
        """Make sure that what the layer was given makes sense."""
        for name in self.factors:
            self.bounds(name)

    def bounds(self, name: str) -> tuple[float, float]:
        """Read between what a factor is drawn: two numbers, or minus one and one.

        Raises:
            UserError: if it is something else, or goes too far.
        """
        given, (least, most) = getattr(self, name), self.limits
        alone = isinstance(given, Real)
        pair = [given] if alone else list(given)
        if len(pair) != 2 - alone or not all(least <= f <= most for f in pair):
            raise UserError(
                f"{name} is {shown(given)}",
                where(),
                f"give a number from {least} to {most}, or two: from where to where",
            )
        return (-abs(given), abs(given)) if alone else (min(pair), max(pair))

    def draw(self: Any, x: Any, name: str) -> Any:
        """Draw a factor for each picture: `(n, 1, 1)`."""
        low, high = self.bounds(name)
        return low + (high - low) * random.uniform(self.key(self.seed), (x.shape[0], 1, 1), x.dtype)

    def call(self: Any, inputs: Any, training: bool = True) -> Any:
        if len(inputs.shape) not in (3, 4):
            raise UserError(
                f"it reads pictures, (batch, height, width, channels), the shape is "
                f"{tuple(inputs.shape)}",
                where(),
                "add the missing axis, e.g. with Reshape",
            )
        x = as_floats(inputs, np.empty(0, self.compute_dtype))
        several = x if len(x.shape) == 4 else ops.expand_dims(x, 0)
        several = first_to_last(several, self.data_format)
        y = last_to_first((self.change if training else self.leave)(several), self.data_format)
        return y if len(x.shape) == 4 else ops.squeeze(y, 0)

    def change(self, x: Any) -> Any:
        """Give the pictures of a training step."""
        raise NotImplementedError

    def leave(self, x: Any) -> Any:
        """Give the pictures outside of training."""
        return x


class RandomFlip(_Augmentation):
    """Mirror every other picture in training, by chance.

    Shapes: `(n, h, w, c) → (n, h, w, c)`, or one picture `(h, w, c)`. Whole numbers become floats.
    As all augmentation it is off in `evaluate` and `predict`; called by itself, outside of a
    model, it is on, unless `training=False`.

    Args:
        mode: "horizontal" exchanges left and right, "vertical" top and bottom,
            "horizontal_and_vertical" both at once.
        seed: makes the draws depend on it, on the step and on the call alone.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if there is no such mode, or the inputs are not pictures.

    >>> picture = np.array([[[1.0], [2.0], [3.0]]])
    >>> [RandomFlip(seed=seed)(picture).ravel().tolist() for seed in (1, 2)]
    [[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]
    """

    mode: str = "horizontal_and_vertical"
    seed: int | None = None
    data_format: str | None = None

    def check(self) -> None:
        """Make sure that there is such a mode."""
        if self.mode not in FLIPS:
            raise unknown("mode", self.mode, FLIPS)

    def change(self, x: Any) -> Any:
        """Mirror the pictures that are drawn."""
        turned = x
        for axis, name in ((1, "vertical"), (2, "horizontal")):
            turned = ops.flip(turned, axis) if name in self.mode else turned
        return ops.where(
            random.bernoulli(self.key(self.seed), 0.5, (x.shape[0], 1, 1, 1)), turned, x
        )


class _Moved(_Augmentation):
    """What looks at pictures from elsewhere."""

    def check(self: Any) -> None:
        super().check()
        if self.fill_mode not in FILLS:
            raise unknown("fill_mode", self.fill_mode, FILLS)
        if self.interpolation not in INTERPOLATIONS:
            raise unknown("interpolation", self.interpolation, INTERPOLATIONS)

    def change(self: Any, x: Any) -> Any:
        middles = [(n - 1) / 2 for n in places_of(x)]
        down = np.arange(x.shape[1], dtype=x.dtype)[:, None] - middles[0]
        right = np.arange(x.shape[2], dtype=x.dtype) - middles[1]
        down, right = self.look(x, down, right)
        return sample(
            x, down + middles[0], right + middles[1],
            fill_mode=self.fill_mode, interpolation=self.interpolation, fill_value=self.fill_value,
        )  # fmt: skip

    def look(self, x: Any, down: Any, right: Any) -> tuple[Any, Any]:
        """Say where to look instead: so far down, and so far right, of the middle."""
        raise NotImplementedError


class RandomRotation(_Moved):
    """Turn pictures about their middle in training, each by an angle of its own.

    Where `(a, b)` is as far down and right of the middle, `y(a, b) = x(a cos φ + b sin φ,
    b cos φ − a sin φ)`, read between places by `sample`. Shapes, training: as for RandomFlip.

    Args:
        factor: the angle φ, as a part of a whole turn to the left: drawn between two numbers, or
            between −factor and factor.
        fill_mode: what stands outside: "reflect", "wrap", "nearest" or "constant".
        interpolation: "bilinear" or "nearest".
        seed: as for RandomFlip.
        fill_value: the constant outside.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if the factor is not from −1 to 1, or a name is not known.

    >>> picture = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> RandomRotation((0.25, 0.25))(picture)[..., 0].round(3)
    array([[2., 4.],
           [1., 3.]], dtype=float32)
    """

    factor: float | Sequence[float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    factors: ClassVar[tuple[str, ...]] = ("factor",)

    def look(self, x: Any, down: Any, right: Any) -> tuple[Any, Any]:
        """Look along the angle."""
        angle = 2 * math.pi * self.draw(x, "factor")
        cos, sin = ops.cos(angle), ops.sin(angle)
        return down * cos + right * sin, right * cos - down * sin


class RandomTranslation(_Moved):
    """Move pictures down and right in training, each by steps of its own.

    `y(a, b) = x(a − h s, b − w t)`, read between places by `sample`. Shapes, training: as for
    RandomFlip.

    Args:
        height_factor: how far down, s, as a part of the height: drawn between two numbers, or
            between minus it and it.
        width_factor: how far right, t, as a part of the width.
        fill_mode, interpolation, seed, fill_value, data_format: as for RandomRotation.

    Raises:
        UserError: if a factor is not from −1 to 1, or a name is not known.

    >>> picture = np.array([[[1.0], [2.0], [3.0], [4.0]]])
    >>> RandomTranslation(0, (0.25, 0.25), "constant")(picture).ravel()
    array([0., 1., 2., 3.], dtype=float32)
    """

    height_factor: float | Sequence[float]
    width_factor: float | Sequence[float]
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    factors: ClassVar[tuple[str, ...]] = ("height_factor", "width_factor")

    def look(self, x: Any, down: Any, right: Any) -> tuple[Any, Any]:
        """Look from where the picture came."""
        h, w = places_of(x)
        return down - h * self.draw(x, "height_factor"), right - w * self.draw(x, "width_factor")


class RandomZoom(_Moved):
    """Look at pictures from nearer or farther in training, each from where it is drawn.

    `y(a, b) = x((1 + s) a, (1 + t) b)`, a and b being counted from the middle: above zero more
    than the picture is seen, below zero a part of it. Shapes, training: as for RandomFlip.

    Args:
        height_factor: s, drawn between two numbers, or between minus it and it.
        width_factor: t; with `None` it is s.
        fill_mode, interpolation, seed, fill_value, data_format: as for RandomRotation.

    Raises:
        UserError: if a factor is not from −1 to 1, or a name is not known.

    >>> picture = np.array([[[1.0], [2.0], [3.0], [4.0], [5.0]]])
    >>> RandomZoom((-0.5, -0.5))(picture).ravel()
    array([2. , 2.5, 3. , 3.5, 4. ], dtype=float32)
    """

    height_factor: float | Sequence[float]
    width_factor: float | Sequence[float] | None = None
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    seed: int | None = None
    fill_value: float = 0.0
    data_format: str | None = None

    @property
    def factors(self) -> tuple[str, ...]:  # type: ignore[override]
        """The fields that say between what to draw."""
        return ("height_factor",) if self.width_factor is None else RandomTranslation.factors

    def look(self, x: Any, down: Any, right: Any) -> tuple[Any, Any]:
        """Look at more or less."""
        drawn = [1 + self.draw(x, name) for name in self.factors]
        return down * drawn[0], right * drawn[-1]


class RandomCrop(_Augmentation):
    """Cut a window out of pictures in training: one draw says where for the whole batch.

    Elsewhere, and where a picture is smaller than the window, the largest part in the middle that
    has the window's proportions is made as large as it.

    Shapes: `(n, h, w, c) → (n, height, width, c)`, or one picture. Training: as for RandomFlip.

    Args:
        height: rows of the window.
        width: columns of the window.
        seed: as for RandomFlip.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if a size is not positive.

    >>> RandomCrop(1, 2)(np.array([[[1.0], [2.0], [3.0], [4.0]]]), training=False).ravel()
    array([2., 3.], dtype=float32)
    """

    height: int
    width: int
    seed: int | None = None
    data_format: str | None = None

    def check(self) -> None:
        """Make sure that there is a window."""
        each_place((self.height, self.width), 2, "(height, width)")

    def change(self, x: Any) -> Any:
        """Cut out what is drawn."""
        h, w = places_of(x)
        if h < self.height or w < self.width:
            return self.leave(x)
        drawn = random.uniform(self.key(self.seed), (2,))
        down, right = (
            ops.cast(ops.floor(drawn[k] * (n - m + 1)), "int32") + np.arange(m, dtype=np.int32)
            for k, (n, m) in enumerate(((h, self.height), (w, self.width)))
        )
        return ops.take(ops.take(x, down, axis=1), right, axis=2)

    def leave(self, x: Any) -> Any:
        """Give the middle, as large as the window."""
        check_row((self.height, self.width, x.shape[3]), where())
        h, w = places_of(x)
        sizes = (self.height, self.width)
        seen = max(min(h, w * sizes[0] // sizes[1]), 1), max(min(w, h * sizes[1] // sizes[0]), 1)
        start = [(n - m) // 2 for n, m in zip((h, w), seen, strict=True)]
        x = x[:, start[0] : start[0] + seen[0], start[1] : start[1] + seen[1]]
        if seen == sizes:
            return x
        rows, columns = (
            (np.arange(m, dtype=x.dtype) + 0.5) * (n / m) - 0.5
            for n, m in zip(seen, sizes, strict=True)
        )
        return sample(x, rows[:, None], columns, fill_mode="nearest")


class RandomContrast(_Augmentation):
    """Bring pictures nearer to, or farther from, their mean in training: `m + f (x − m)`.

    m is the mean of a picture's channel, f a draw for the picture; what leaves `value_range` is
    kept at its ends. Shapes, training: as for RandomFlip.

    Args:
        factor: f is drawn between `1 − lower` and `1 + upper`; one number is both.
        value_range: the least and greatest number of pictures.
        seed: as for RandomFlip.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if the factor is not from 0 to 1.

    >>> picture = np.array([[[10.0], [20.0]]])
    >>> RandomContrast((0.0, 0.0))(picture).ravel()
    array([10., 20.], dtype=float32)
    """

    factor: float | Sequence[float]
    value_range: Sequence[float] = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors: ClassVar[tuple[str, ...]] = ("factor",)
    limits: ClassVar[tuple[float, float]] = (0, 1)

    def check(self) -> None:
        """Make sure that factor and range make sense."""
        super().check()
        _range(self.value_range)

    def bounds(self, name: str) -> tuple[float, float]:
        """Read between what f is drawn."""
        lower, upper = super().bounds(name)
        return 1 - abs(lower), 1 + upper

    def change(self, x: Any) -> Any:
        """Draw f, and go so far from the mean."""
        mean = ops.mean(x, axis=(1, 2), keepdims=True)
        f = ops.expand_dims(self.draw(x, "factor"), -1)
        return ops.clip((x - mean) * f + mean, *_range(self.value_range))


class RandomBrightness(_Augmentation):
    """Make pictures lighter or darker in training: `x + f (high − low)`, f a draw for each.

    What leaves `value_range = (low, high)` is kept at its ends. Shapes, training: as for
    RandomFlip.

    Args:
        factor: f is drawn between two numbers, or between −factor and factor.
        value_range: the least and greatest number of pictures.
        seed: as for RandomFlip.
        data_format: "channels_last" or "channels_first".

    Raises:
        UserError: if the factor is not from −1 to 1.

    >>> RandomBrightness((0.2, 0.2))(np.array([[[10.0], [250.0]]])).ravel()
    array([ 61., 255.], dtype=float32)
    """

    factor: float | Sequence[float]
    value_range: Sequence[float] = (0, 255)
    seed: int | None = None
    data_format: str | None = None

    factors: ClassVar[tuple[str, ...]] = ("factor",)

    def check(self) -> None:
        """Make sure that factor and range make sense."""
        super().check()
        _range(self.value_range)

    def change(self, x: Any) -> Any:
        """Draw f, and add that part of the range."""
        low, high = _range(self.value_range)
        f = ops.expand_dims(self.draw(x, "factor"), -1)
        return ops.clip(x + f * (high - low), low, high)


def _range(given: Sequence[float]) -> tuple[float, float]:
    """Read the least and greatest number of pictures."""
    if len(given) != 2:
        raise UserError(f"value_range is {shown(given)}", where(), "give two numbers: (0, 255)")
    return min(given), max(given)
