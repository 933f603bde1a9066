"""Attention: each place looks at all places, and takes of each what it is worth to it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trasluz import activations, initializers
from trasluz.autodiff import ops
from trasluz.autodiff.tape import note, where
from trasluz.errors import UserError, shown
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats
from trasluz.layers.regularization import Dropout
from trasluz.state.module import Param

_FAR = -1e9  # what stands for a score that does not count


class EinsumDense(Layer):
    """A weighted sum along the axes that an equation names: `activation(einsum(x, W) + b)`.

    It is worked out as one product of matrices, whatever axes lead.

    Args:
        equation: such as `"abc,cd->abd"`: axes of the input, of W, of the output; `...` stands for
            all that are not named.
        output_shape: of a row; a number, or one by axis, `None` where the input says it.
        activation: name or function; `None` is the identity.
        bias_axes: the axes of the output that b has; none without it.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.

    Raises:
        UserError: if the equation does not fit, or W shares an axis with both.

    >>> EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(np.zeros((1, 5, 4))).shape
    (1, 5, 2, 3)
    """

    equation: str
    output_shape: Any = None  # type: ignore[assignment]
    activation: Any = None
    bias_axes: str | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def build(self, input_shape: Any) -> None:
        given, own, out = self._axes(len(input_shape))
        sizes = dict(zip(given, input_shape, strict=True))
        wanted = self.output_shape
        if wanted is None:
            raise UserError("output_shape is missing", where(), "e.g. (None, 64)")
        wanted = (wanted,) if isinstance(wanted, (int, np.integer)) else tuple(wanted)
        for axis, size in zip(reversed(out), reversed(wanted), strict=False):
            if size is not None and sizes.setdefault(axis, size) != size:
                raise UserError(
                    f"the axis {axis!r} has {sizes[axis]} entries, output_shape says {size}",
                    where(),
                    "give None for axes that the input says",
                )
        missing = [axis for axis in own if sizes.get(axis) is None]
        if missing:
            raise UserError(
                f"how long the axes {', '.join(missing)} are is not known",
                where(),
                "say it in output_shape, or begin with Input(shape)",
            )
        self.kernel = self.param("kernel", tuple(sizes[axis] for axis in own))
        if self.bias_axes:
            first = min(out.index(axis) for axis in self.bias_axes if axis in out)
            shape = tuple(sizes[a] if a in self.bias_axes else 1 for a in out[first:])
            self.bias = self.param("bias", shape)

    def _axes(self, rank: int) -> tuple[str, str, str]:
        """Read the equation: the axes of input, kernel and output, a letter each."""
        parts = self.equation.replace(" ", "").replace("->", ",").split(",")
        if len(parts) != 3:
            raise UserError(
                f"the equation is {self.equation!r}", where(), 'write it like "abc,cd->abd"'
            )
        free = (chr(k) for k in range(ord("A"), ord("Z")))
        rest = "".join(next(free) for _ in range(rank - len(parts[0].replace("...", ""))))
        given, own, out = (part.replace("...", rest) for part in parts)
        new = [axis for axis in own if axis not in given]
        both = [axis for axis in own if axis in given and axis in out]
        fits = len(given) == rank and set(out) == {a for a in given if a not in own} | {*new}
        if not fits or both or any(len({*one}) != len(one) for one in (given, own, out)):
            raise UserError(
                f"the equation {self.equation!r} does not fit an input of {rank} axes",
                where(),
                "an axis of W is either summed over or new in the output, each axis stands once",
            )
        return given, own, out

    def call(self, inputs: Any) -> Any:
        x = as_floats(inputs, self.kernel)
        given, own, out = self._axes(len(x.shape))
        summed = [axis for axis in own if axis in given]
        stays = [axis for axis in given if axis not in own]
        new = [axis for axis in own if axis not in given]
        sizes = dict(zip(given, x.shape, strict=True))
        sizes |= dict(zip(own, self.kernel.shape, strict=True))
        rows = _arranged(x, given, [*stays, *summed])
        columns = _arranged(self.kernel, own, [*summed, *new])
        wide = math.prod(sizes[axis] for axis in summed)
        rows = ops.reshape(rows, (*(sizes[axis] for axis in stays), wide))
        columns = ops.reshape(columns, (wide, math.prod(sizes[axis] for axis in new)))
        y = ops.dot_last(rows, columns, self.precision)
        y = ops.reshape(y, tuple(sizes[axis] for axis in (*stays, *new)))
        y = _arranged(y, [*stays, *new], out)
        if self.bias_axes:
            y = y + self.bias
        return activations.get(self.activation)(y)


def _arranged(x: Any, have: Sequence[str], want: Sequence[str]) -> Any:
    """Put axes that are named into another order."""
    return x if [*have] == [*want] else ops.transpose(x, tuple(list(have).index(a) for a in want))


class MultiHeadAttention(Layer):
    """Several heads, each of which looks at all places: `softmax(Q Kᵀ / √d) V`, then a mix.

    Each head has its own `Q = q W_Q`, `K = k W_K`, `V = v W_V`; what the heads give is mixed by
    one more kernel. Shapes: `(n, t, d), (n, s, d') → (n, t, d)`; kernels `(d, heads, key_dim)`.

    Args:
        num_heads: how many heads.
        key_dim: length of Q and K in each head.
        value_dim: length of V in each head; `key_dim` unless given.
        dropout: part of the weights of places switched off in training.
        use_bias: whether the products have biases.
        output_shape: length of the output; that of the query unless given.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.
        seed: as for Dropout.

    Source: Vaswani et al., Attention is all you need (2017).

    >>> x = np.zeros((2, 5, 8))
    >>> MultiHeadAttention(num_heads=2, key_dim=4)(x, x).shape
    (2, 5, 8)
    """

    num_heads: int
    key_dim: int
    value_dim: int | None = None
    dropout: float = 0.0
    use_bias: bool = True
    output_shape: Any = None  # type: ignore[assignment]
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    seed: int | None = None

    def build(self, input_shape: Any) -> None:
        query = input_shape[0] if isinstance(input_shape, list) else input_shape
        if min(self.num_heads, self.key_dim, self.value_dim or 1) < 1:
            raise UserError(
                f"num_heads is {self.num_heads}, key_dim {self.key_dim}, value_dim "
                f"{self.value_dim}",
                where(),
                "give 1 or more of each",
            )
        heads, bias = self.num_heads, self.use_bias
        for name, size in (
            ("query", self.key_dim), ("key", self.key_dim),
            ("value", self.value_dim or self.key_dim),
        ):  # fmt: skip
            part = self._part("abc,cde->abde", (None, heads, size), "de" if bias else None, name)
            setattr(self, f"{name}_dense", part)
        wide = self.output_shape
        wide = wide[-1] if isinstance(wide, (tuple, list)) else wide
        self.output_dense = self._part(
            "abcd,cde->abe", (None, wide or query[-1]), "e" if bias else None, "attention_output"
        )
        self.dropout_layer = Dropout(self.dropout, seed=self.seed)

    def _part(self, equation: str, shape: Any, bias: str | None, name: str) -> EinsumDense:
        return EinsumDense(
            equation,
            shape,
            bias_axes=bias,
            kernel_initializer=self.kernel_initializer,
            bias_initializer=self.bias_initializer,
            kernel_regularizer=self.kernel_regularizer,
            bias_regularizer=self.bias_regularizer,
            kernel_constraint=self.kernel_constraint,
            bias_constraint=self.bias_constraint,
            name=name,
            dtype=self.dtype,
        )

    def call(  # type: ignore[override]
        self: Any,
        query: Any,
        value: Any = None,
        key: Any = None,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        """Look from the places of the query at those of the value.

        Args:
            query: `(n, t, d)`.
            value: `(n, s, d')`; the query itself unless given.
            key: what the query is compared with; the value unless given.
            query_mask: truths by place, `(n, t)`.
            value_mask: truths by place, `(n, s)`.
            key_mask: truths by place, `(n, s)`.
            attention_mask: truths by pair of places, `(n, t, s)`.
            return_attention_scores: whether to give the weights of places too, `(n, heads, t, s)`.
            training: whether dropout is on.
            use_causal_mask: whether no place looks at later ones.
        """
        value = query if value is None else value
        key = value if key is None else key
        for name, array in (("query", query), ("value", value), ("key", key)):
            if len(array.shape) != 3:
                raise UserError(
                    f"the {name} has the shape {tuple(array.shape)}",
                    where(),
                    "give (batch, places, features)",
                )
        q, k, v = (
            note(ops.transpose(dense(array), (0, 2, 1, 3)), name)  # (n, heads, places, length)
            for dense, array, name in (
                (self.query_dense, query, "queries"), (self.key_dense, key, "keys"),
                (self.value_dense, value, "values"),
            )
        )  # fmt: skip
        scores = ops.matmul(q * (1 / math.sqrt(self.key_dim)), k.mT, self.precision)
        scores = note(scores, "scores")
        counts = _counting(query, key, query_mask, value_mask, key_mask, attention_mask)
        if use_causal_mask:
            before = np.tril(np.ones((1, query.shape[1], key.shape[1]), bool))
            counts = before if counts is None else ops.logical_and(counts, before)
        shares = masked_softmax(scores, None if counts is None else ops.expand_dims(counts, 1))
        dropped = self.dropout_layer(note(shares, "shares"))
        taken = note(ops.matmul(dropped, v, self.precision), "taken")
        taken = ops.transpose(taken, (0, 2, 1, 3))
        y = self.output_dense(taken)
        return (y, shares) if return_attention_scores else y


def _counting(
    query: Any, key: Any, query_mask: Any, value_mask: Any, key_mask: Any, pairs: Any
) -> Any:
    """Tell which pairs of places count: `(n, t, s)`; `None` says all."""
    n, t, s = query.shape[0], query.shape[1], key.shape[1]
    masks = [
        (query_mask, (n, t), 2), (value_mask, (n, s), 1), (key_mask, (n, s), 1),
        (pairs, None, None),
    ]  # fmt: skip
    counts: Any = None
    for mask, shape, axis in masks:
        if mask is None:
            continue
        mask = ops.cast(mask, bool)
        if shape is not None and tuple(mask.shape) != shape:
            raise UserError(
                f"a mask of shape {shown(tuple(mask.shape))} came for places of shape {shape}",
                where(),
                "give a truth for each place",
            )
        mask = mask if axis is None else ops.expand_dims(mask, axis)
        counts = mask if counts is None else ops.logical_and(counts, mask)
    if counts is not None and np.broadcast_shapes(tuple(counts.shape), (n, t, s)) != (n, t, s):
        raise UserError(
            f"attention_mask has the shape {tuple(counts.shape)}, the pairs {(n, t, s)}",
            where(),
            "give a truth for each pair of places: (batch, places of query, places of key)",
        )
    return counts


def masked_softmax(scores: Any, counts: Any) -> Any:
    """Softmax over those that count; where none does, all are zero."""
    if counts is None:
        return ops.softmax(scores)
    far = np.asarray(_FAR, scores.dtype)
    shares = ops.softmax(ops.where(counts, scores, far))
    return ops.where(counts, shares, ops.zero(shares))


class _Lookup(Layer):
    """What attention without heads shares: masks, dropout, what is given back."""

    def call(
        self: Any,
        inputs: Any,
        mask: Any = None,
        return_attention_scores: bool = False,
        training: bool = False,
        use_causal_mask: bool = False,
    ) -> Any:
        if not isinstance(inputs, (list, tuple)) or not 2 <= len(inputs) <= 3:
            raise UserError(
                "it reads a list of query and value, and maybe of a key",
                where(),
                "call it on [query, value] or [query, value, key]",
            )
        query, value = inputs[0], inputs[1]
        key = inputs[2] if len(inputs) == 3 else value
        scores = note(self.scores(query, key), "scores")
        q_mask, v_mask = (*(mask or ()), None, None)[:2]
        counts = None if v_mask is None else ops.expand_dims(ops.cast(v_mask, bool), 1)
        if use_causal_mask:
            before = np.tril(np.ones((1, query.shape[1], key.shape[1]), bool))
            counts = before if counts is None else ops.logical_and(counts, before)
        if counts is not None:
            scores = ops.where(counts, scores, scores + np.asarray(_FAR, scores.dtype))
        shares = note(ops.softmax(scores), "shares")
        y = ops.matmul(self.dropout_layer(shares) if self.dropout else shares, value)
        if q_mask is not None:
            y = y * ops.expand_dims(ops.cast(q_mask, y.dtype), -1)
        return (y, shares) if return_attention_scores else y

    def scores(self, query: Any, key: Any) -> Any:
        """Say how much each place of the query has to do with each of the key."""
        raise NotImplementedError


class Attention(_Lookup):
    """Each place of a query takes a mean of values, by how it fits their keys: `softmax(Q Kᵀ) V`.

    Shapes: `[(n, t, d), (n, s, d), (n, s, d)] → (n, t, d)`.

    Args:
        use_scale: whether the scores have a factor that is trained.
        score_mode: "dot", or "concat" for `w Σ tanh(s (q + k))`.
        dropout: part of the weights of places switched off in training.
        seed: as for Dropout.

    Source: Luong, Pham, Manning, Effective approaches to attention-based neural machine
    translation (EMNLP 2015).

    >>> x = np.ones((1, 3, 2))
    >>> Attention()([x, x]).shape
    (1, 3, 2)
    """

    use_scale: bool = False
    score_mode: str = "dot"
    dropout: float = 0.0
    seed: int | None = None

    def build(self, input_shape: Any) -> None:
        if self.score_mode not in ("dot", "concat"):
            raise UserError(
                f"score_mode is {shown(self.score_mode)}", where(), "give 'dot' or 'concat'"
            )
        if self.use_scale:
            self.scale = Param((), initializers.Ones())
        if self.score_mode == "concat":
            self.concat_score_weight = Param((), initializers.Ones())
        if self.dropout:
            self.dropout_layer = Dropout(self.dropout, seed=self.seed)

    def scores(self, query: Any, key: Any) -> Any:
        """Compare by a product, or by a sum that is squashed."""
        if self.score_mode == "dot":
            scores = ops.matmul(query, key.mT)
            return scores * self.scale if self.use_scale else scores
        both = ops.expand_dims(query, 2) + ops.expand_dims(key, 1)
        both = both * self.scale if self.use_scale else both
        return self.concat_score_weight * ops.sum(ops.tanh(both), axis=-1)


class AdditiveAttention(_Lookup):
    """Each place of a query takes a mean of values, by `Σ w tanh(q + k)` of their keys.

    Shapes: `[(n, t, d), (n, s, d), (n, s, d)] → (n, t, d)`; w `(d,)`.

    Args:
        use_scale: whether there is a w.
        dropout: part of the weights of places switched off in training.
        seed: as for Dropout.

    Source: Bahdanau, Cho, Bengio, Neural machine translation by jointly learning to align and
    translate (ICLR 2015).

    >>> x = np.ones((1, 3, 2))
    >>> AdditiveAttention()([x, x]).shape
    (1, 3, 2)
    """

    use_scale: bool = True
    dropout: float = 0.0
    seed: int | None = None

    def build(self, input_shape: Any) -> None:
        if self.use_scale:
            self.scale = Param((input_shape[0][-1],), initializers.GlorotUniform())
        if self.dropout:
            self.dropout_layer = Dropout(self.dropout, seed=self.seed)

    def scores(self, query: Any, key: Any) -> Any:
        """Compare by a sum that is squashed."""
        both = ops.tanh(ops.expand_dims(query, 2) + ops.expand_dims(key, 1))
        return ops.sum(both * self.scale if self.use_scale else both, axis=-1)
