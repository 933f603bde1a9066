"""Convolutions: a kernel that slides over places, of pictures and of series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from trasluz import activations
from trasluz.autodiff import ops, windows
from trasluz.autodiff.tape import where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats
from trasluz.layers.pooling import each_place, first_to_last, last_to_first, places_of


class _Convolution(Layer):
    """What all convolutions share: sizes by axis, layouts, bias and activation."""

    rank: ClassVar[int]

    def _sizes(self) -> tuple[Any, Any, Any]:
        """Give size, stride and dilation of the kernel, by axis of places."""
        if getattr(self, "filters", 1) < 1:
            raise UserError(f"filters is {self.filters}", where(), "give 1 or more")  # type: ignore[attr-defined]
        fields = ("kernel_size", "strides", "dilation_rate")
        sizes, strides, dilation = (each_place(getattr(self, n), self.rank, n) for n in fields)
        for name in ("filters", "depth_multiplier", "groups"):
            if getattr(self, name, 1) < 1:
                raise UserError(f"{name} is {getattr(self, name)}", where(), "give 1 or more")
        if max(strides) > 1 and max(dilation) > 1:
            raise UserError(
                f"strides {strides} and dilation {dilation} are both above 1",
                where(),
                "leave one of them at 1",
            )
        return sizes, strides, dilation

    def _channels(self: Any, input_shape: Any) -> int:
        """Give how many channels come in."""
        if len(input_shape) != self.rank + 2:
            raise UserError(
                f"it reads (batch, {'places, ' * self.rank}channels), the shape is {input_shape}",
                where(),
                "add the missing axis, e.g. that of channels with x[..., None] or Reshape",
            )
        channels = input_shape[-1 if self.data_format != "channels_first" else 1]
        if channels is None:
            raise UserError(
                f"how many channels {input_shape} has is not known",
                where(),
                "begin with Input(shape)",
            )
        return int(channels)

    def _finished(self: Any, y: Any) -> Any:
        """Add the bias, give the activation and the layout that was asked for."""
        if self.use_bias:
            y = y + self.bias
        return last_to_first(activations.get(self.activation)(y), self.data_format)

    def _fits(self, x: Any, sizes: Any, pads: Any, dilation: Any) -> None:
        """Make sure that the kernel fits in.

        Raises:
            UserError: if nothing would be left.
        """
        reach = [(k - 1) * d + 1 for k, d in zip(sizes, dilation, strict=True)]
        left = [n + sum(p) - r for n, p, r in zip(places_of(x), pads, reach, strict=True)]
        if min(left) < 0:
            raise UserError(
                f"a kernel that spans {tuple(reach)} does not fit into {places_of(x)}",
                where(),
                'use padding="same", a smaller kernel, or larger inputs',
            )


class _Conv(_Convolution):
    filters: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: int | Sequence[int] = 1
    groups: int = 1
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        sizes, _, _ = self._sizes()
        check_padding(self.padding, self.rank == 1)
        channels = self._channels(input_shape)
        if channels % self.groups or self.filters % self.groups:
            raise UserError(
                f"{self.groups} groups do not divide {channels} channels and "
                f"{self.filters} filters evenly",
                where(),
                "choose a divisor of both",
            )
        self.kernel = self.param("kernel", (*sizes, channels // self.groups, self.filters))
        if self.use_bias:
            self.bias = self.param("bias", (self.filters,))

    def call(self, inputs: Any) -> Any:
        x = first_to_last(as_floats(inputs, self.kernel), self.data_format)
        sizes, strides, dilation = self._sizes()
        pads = windows.pads_of(self.padding, places_of(x), sizes, strides, dilation)
        self._fits(x, sizes, pads, dilation)
        return self._finished(
            windows.convolve_groups(x, self.kernel, self.groups, strides, pads, dilation)
        )


def check_padding(padding: str, causal: bool = False) -> None:
    """Make sure that a padding is known.

    Raises:
        UserError: if it is not.
    """
    known = ("valid", "same", *(["causal"] if causal else []))
    if padding not in known:
        raise UserError(f"padding is {shown(padding)}", where(), f"give one of {', '.join(known)}")


class Conv1D(_Conv):
    """A kernel slides along a series: `y_o = Σ_k Σ_c x_{s·o + d·k, c} W_{k, c} + b`.

    Shapes: `(n, time, c) → (n, time', filters)`; W `(size, c / groups, filters)`, b `(filters,)`.

    Args:
        filters: how many outputs a place.
        kernel_size: how many places the kernel sees.
        strides: how far it moves.
        padding: "valid" stays inside, "same" lays zeros around, "causal" before only.
        data_format: "channels_last", or "channels_first" for `(n, c, time)`.
        dilation_rate: how far apart the places are that it sees.
        groups: parts of the channels that do not see each other.
        activation: name or function; `None` is the identity.
        use_bias: whether there is a b.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    Raises:
        UserError: if the kernel does not fit in, or groups do not divide.

    >>> import numpy as np
    >>> Conv1D(4, 3, padding="causal")(np.zeros((2, 5, 1))).shape
    (2, 5, 4)
    """

    rank: ClassVar[int] = 1


class Conv2D(_Conv):
    """A kernel slides over a picture: `y_o = Σ_k Σ_c x_{s·o + d·k, c} W_{k, c} + b`.

    Shapes: `(n, h, w, c) → (n, h', w', filters)`; W `(kh, kw, c / groups, filters)`, b
    `(filters,)`. With padding "same" there are `⌈h / stride⌉` rows, and an odd row of zeros goes
    below.

    Args:
        filters: how many outputs a place.
        kernel_size: height and width of the kernel; a number for both.
        strides: how far it moves.
        padding: "valid" stays inside, "same" lays zeros around.
        data_format: "channels_last", or "channels_first" for `(n, c, h, w)`.
        dilation_rate: how far apart the places are that it sees.
        groups: parts of the channels that do not see each other.
        activation: name or function; `None` is the identity.
        use_bias: whether there is a b.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    Raises:
        UserError: if the kernel does not fit in, or groups do not divide.

    Source: LeCun et al., Backpropagation applied to handwritten zip code recognition (1989).

    >>> import numpy as np
    >>> Conv2D(4, 3, strides=2, padding="same")(np.zeros((2, 5, 5, 1))).shape
    (2, 3, 3, 4)
    """

    rank: ClassVar[int] = 2


class _ConvTranspose(_Convolution):
    filters: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    output_padding: Any = None
    data_format: str | None = None
    dilation_rate: int | Sequence[int] = 1
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        sizes, _, _ = self._sizes()
        check_padding(self.padding)
        self.kernel = self.param("kernel", (*sizes, self.filters, self._channels(input_shape)))
        if self.use_bias:
            self.bias = self.param("bias", (self.filters,))

    def call(self, inputs: Any) -> Any:
        x = first_to_last(as_floats(inputs, self.kernel), self.data_format)
        sizes, strides, dilation = self._sizes()
        more: Sequence[int | None] = [None] * self.rank
        if self.output_padding is not None:
            more = each_place(self.output_padding, self.rank, "output_padding", least=0)
        pads = [
            _around(self.padding, (k - 1) * d + 1, s, extra)
            for k, s, d, extra in zip(sizes, strides, dilation, more, strict=True)
        ]
        ones = (1,) * self.rank
        turned = windows.turned(self.kernel)
        return self._finished(windows.convolve(x, turned, ones, pads, dilation, strides))


def _around(padding: str, reach: int, stride: int, more: int | None) -> tuple[int, int]:
    """Tell how many zeros go around the entries that were laid apart, as Keras does.

    With "same" there are `n · stride` places out, with "valid" `(n − 1) · stride` and the reach of
    the kernel, `n · stride` at least.
    """
    if padding == "valid":
        return reach - 1, reach - 1 + (max(stride - reach, 0) if more is None else more)
    both = stride + reach - 2 if more is None else reach + reach % 2 - 2 + more
    before = min(-(-both // 2), reach - 1)
    return before, both - before


class Conv1DTranspose(_ConvTranspose):
    """What a convolution's derivative does to a series: entries laid apart, then a kernel slides.

    Shapes: `(n, time, c) → (n, time', filters)`; W `(size, filters, c)`; `time' = time · stride`
    with padding "same".

    Args:
        filters: how many outputs a place.
        kernel_size: how many places the kernel reaches.
        strides: how far apart the entries are laid.
        padding: "valid" or "same".
        output_padding: more places behind; what Keras takes for the usual length if not given.
        data_format, dilation_rate, activation, use_bias: as for `Conv1D`.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    >>> import numpy as np
    >>> Conv1DTranspose(3, 4, strides=2, padding="same")(np.zeros((1, 5, 2))).shape
    (1, 10, 3)
    """

    rank: ClassVar[int] = 1


class Conv2DTranspose(_ConvTranspose):
    """What a convolution's derivative does to a picture: entries laid apart, then a kernel slides.

    Shapes: `(n, h, w, c) → (n, h', w', filters)`; W `(kh, kw, filters, c)`; `h' = h · stride` with
    padding "same".

    Args:
        filters: how many outputs a place.
        kernel_size: height and width that the kernel reaches.
        strides: how far apart the entries are laid.
        padding: "valid" or "same".
        output_padding: more places behind; what Keras takes for the usual size if not given.
        data_format, dilation_rate, activation, use_bias: as for `Conv2D`.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    Source: Zeiler et al., Deconvolutional networks (CVPR 2010).

    >>> import numpy as np
    >>> Conv2DTranspose(3, 4, strides=2, padding="same")(np.zeros((1, 5, 5, 2))).shape
    (1, 10, 10, 3)
    """

    rank: ClassVar[int] = 2


class _DepthwiseConv(_Convolution):
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    depth_multiplier: int = 1
    data_format: str | None = None
    dilation_rate: int | Sequence[int] = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    bias_regularizer: Any = None
    depthwise_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        sizes, _, _ = self._sizes()
        check_padding(self.padding)
        channels = self._channels(input_shape)
        self.kernel = self.param("depthwise", (*sizes, channels, self.depth_multiplier))
        if self.use_bias:
            self.bias = self.param("bias", (channels * self.depth_multiplier,))

    def call(self, inputs: Any) -> Any:
        x = first_to_last(as_floats(inputs, self.kernel), self.data_format)
        sizes, strides, dilation = self._sizes()
        pads = windows.pads_of(self.padding, places_of(x), sizes, strides, dilation)
        self._fits(x, sizes, pads, dilation)
        return self._finished(windows.convolve_each(x, self.kernel, strides, pads, dilation))


class DepthwiseConv1D(_DepthwiseConv):
    """A kernel of its own slides along each channel of a series.

    Shapes: `(n, time, c) → (n, time', c · depth_multiplier)`; W `(size, c, depth_multiplier)`.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as for
            `Conv1D`.
        depth_multiplier: how many kernels each channel has.
        depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer,
            depthwise_constraint, bias_constraint: as for a kernel of `Dense`.

    >>> import numpy as np
    >>> DepthwiseConv1D(3, depth_multiplier=2)(np.zeros((1, 5, 4))).shape
    (1, 3, 8)
    """

    rank: ClassVar[int] = 1


class DepthwiseConv2D(_DepthwiseConv):
    """A kernel of its own slides over each channel of a picture.

    Shapes: `(n, h, w, c) → (n, h', w', c · depth_multiplier)`; W `(kh, kw, c, depth_multiplier)`.

    Args:
        kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias: as for
            `Conv2D`.
        depth_multiplier: how many kernels each channel has.
        depthwise_initializer, bias_initializer, depthwise_regularizer, bias_regularizer,
            depthwise_constraint, bias_constraint: as for a kernel of `Dense`.

    >>> import numpy as np
    >>> DepthwiseConv2D(3, padding="same")(np.zeros((1, 5, 5, 4))).shape
    (1, 5, 5, 4)
    """

    rank: ClassVar[int] = 2


class _SeparableConv(_Convolution):
    filters: int
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    data_format: str | None = None
    dilation_rate: int | Sequence[int] = 1
    depth_multiplier: int = 1
    activation: Any = None
    use_bias: bool = True
    depthwise_initializer: Any = "glorot_uniform"
    pointwise_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    depthwise_regularizer: Any = None
    pointwise_regularizer: Any = None
    bias_regularizer: Any = None
    depthwise_constraint: Any = None
    pointwise_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        sizes, _, _ = self._sizes()
        check_padding(self.padding)
        channels, many = self._channels(input_shape), self.depth_multiplier
        self.depthwise_kernel = self.param("depthwise", (*sizes, channels, many))
        ones = (1,) * self.rank
        self.pointwise_kernel = self.param("pointwise", (*ones, channels * many, self.filters))
        if self.use_bias:
            self.bias = self.param("bias", (self.filters,))

    def call(self, inputs: Any) -> Any:
        x = first_to_last(as_floats(inputs, self.pointwise_kernel), self.data_format)
        sizes, strides, dilation = self._sizes()
        pads = windows.pads_of(self.padding, places_of(x), sizes, strides, dilation)
        self._fits(x, sizes, pads, dilation)
        apart = windows.convolve_each(x, self.depthwise_kernel, strides, pads, dilation)
        shape = self.pointwise_kernel.shape
        mixed = ops.reshape(self.pointwise_kernel, (math.prod(shape[:-1]), shape[-1]))
        return self._finished(ops.dot_last(apart, mixed, self.precision))


class SeparableConv1D(_SeparableConv):
    """A kernel of its own for each channel of a series, then a mix of the channels at each place.

    Shapes: `(n, time, c) → (n, time', filters)`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias:
            as for `Conv1D`.
        depth_multiplier: how many kernels each channel has.
        depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
            pointwise_regularizer, bias_regularizer, depthwise_constraint, pointwise_constraint,
            bias_constraint: as for a kernel of `Dense`.

    >>> import numpy as np
    >>> SeparableConv1D(6, 3)(np.zeros((1, 5, 4))).shape
    (1, 3, 6)
    """

    rank: ClassVar[int] = 1


class SeparableConv2D(_SeparableConv):
    """A kernel of its own for each channel of a picture, then a mix of the channels at each place.

    Shapes: `(n, h, w, c) → (n, h', w', filters)`.

    Args:
        filters, kernel_size, strides, padding, data_format, dilation_rate, activation, use_bias:
            as for `Conv2D`.
        depth_multiplier: how many kernels each channel has.
        depthwise_initializer, pointwise_initializer, bias_initializer, depthwise_regularizer,
            pointwise_regularizer, bias_regularizer, depthwise_constraint, pointwise_constraint,
            bias_constraint: as for a kernel of `Dense`.

    Source: Chollet, Xception: deep learning with depthwise separable convolutions (CVPR 2017).

    >>> import numpy as np
    >>> SeparableConv2D(6, 3, padding="same")(np.zeros((1, 5, 5, 4))).shape
    (1, 5, 5, 6)
    """

    rank: ClassVar[int] = 2
