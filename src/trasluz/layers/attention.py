"""Attention: each place looks at all places, and takes of each what it is worth to it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from trasluz import initializers
from trasluz.autodiff import ops
from trasluz.autodiff.slicing import slice_update
from trasluz.autodiff.tape import note, where
from trasluz.errors import UserError, shown
from trasluz.layers.activation import FAR, masked_softmax
from trasluz.layers.base import Layer, twin_of
from trasluz.layers.einsum import EinsumDense
from trasluz.layers.regularization import Dropout
from trasluz.state.masks import set_mask
from trasluz.state.module import Param, assign_paths
from trasluz.state.symbolic import placeholder, shapes_of


class MultiHeadAttention(Layer):
    """Several heads, each of which looks at all places: `softmax(Q Kᵀ / √d) V`, then a mix.

    Each head has its own `Q = q W_Q`, `K = k W_K`, `V = v W_V`; what the heads give is mixed by
    one more kernel. Shapes: `(n, t, d), (n, s, d') → (n, t, d)`; kernels `(d, heads, key_dim)`.
    Inputs may have more axes of places; those of `attention_axes` are looked along together, the
    others are as many batches.

    Args:
        num_heads: how many heads.
        key_dim: length of Q and K in each head.
        value_dim: length of V in each head; `key_dim` unless given.
        dropout: part of the weights of places switched off in training.
        use_bias: whether the products have biases.
        output_shape: lengths of the output's last axes; that of the query unless given.
        attention_axes: the axes of places to look along, a number or several; all unless given.
        sliding_window: a place looks at those less than so many places away; at all unless given.
        flash_attention: taken for the sake of programs that give it; it makes no difference.
        kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer,
            kernel_constraint, bias_constraint: as for `Dense`.
        use_gate: whether what the heads give is multiplied by `σ(q W_G)` before it is mixed.
        seed: as for Dropout.

    Raises:
        UserError: if shapes or masks do not fit, or there is no such axis.

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
    attention_axes: Any = None
    sliding_window: int | None = None
    flash_attention: bool | None = None
    kernel_initializer: Any = "glorot_uniform"
    bias_initializer: Any = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None
    use_gate: bool = False
    seed: int | None = None

    supports_masking = True

    def build(self, query_shape: Any, value_shape: Any = None, key_shape: Any = None) -> None:
        query = query_shape[0] if isinstance(query_shape[0], (list, tuple)) else query_shape
        if min(self.num_heads, self.key_dim, self.value_dim or 1, self.sliding_window or 1) < 1:
            raise UserError(
                f"num_heads is {self.num_heads}, key_dim {self.key_dim}, value_dim "
                f"{self.value_dim}, sliding_window {self.sliding_window}",
                where(),
                "give 1 or more of each",
            )
        wide = self.value_dim or self.key_dim
        self.query_dense = self._part("query", "...c,cde->...de", (self.num_heads, self.key_dim))
        self.key_dense = self._part("key", "...c,cde->...de", (self.num_heads, self.key_dim))
        if self.use_gate:
            self.gate_dense = self._part("gate", "...c,cde->...de", (self.num_heads, wide))
            self.gate_dense.activation = "sigmoid"
        self.value_dense = self._part("value", "...c,cde->...de", (self.num_heads, wide))
        given = self.output_shape
        last = (query[-1],) if given is None else np.atleast_1d(given).tolist()
        new = "efghij"[: len(last)]
        self.output_dense = self._part("attention_output", f"...cd,cd{new}->...{new}", last)
        self.dropout_layer = Dropout(self.dropout, seed=self.seed)
        if value_shape is not None:  # asked for by hand; else the parts see their inputs
            assign_paths(self, self._path)
            self.query_dense.build(query)
            self.key_dense.build(key_shape or value_shape)
            self.value_dense.build(value_shape)
            self.output_dense.build((*query[:-1], self.num_heads, wide))
            if self.use_gate:
                self.gate_dense.build(query)

    def compute_output_shape(  # type: ignore[override]
        self, query_shape: Any, value_shape: Any = None, key_shape: Any = None
    ) -> Any:
        """Tell the shape of the output by running zeros through the layer.

        Args:
            query_shape: that of the query; or a list of all of them.
            value_shape: that of the value; as the query's unless given.
            key_shape: that of the key; as the value's unless given.
        """
        several = isinstance(query_shape[0], (list, tuple))
        given = [query_shape, value_shape, key_shape]
        shapes = query_shape if several else [s for s in given if s is not None]
        inputs = [placeholder(tuple(shape), self.compute_dtype) for shape in shapes]
        return shapes_of(twin_of(self)(*inputs))

    def _part(self, name: str, equation: str, shape: Any) -> EinsumDense:
        return EinsumDense(
            equation,
            tuple(shape),
            bias_axes=equation.rpartition("...")[2] if self.use_bias else None,
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
            query: `(n, t, d)`, or with more axes of places.
            value: `(n, s, d')`; the query itself unless given.
            key: what the query is compared with; the value unless given.
            query_mask: truths by place, `(n, t)`.
            value_mask: truths by place, `(n, s)`.
            key_mask: truths by place, `(n, s)`.
            attention_mask: truths by pair of places, `(n, t, s)`, or by head, `(n, heads, t, s)`.
            return_attention_scores: whether to give the weights of places too, `(n, heads, t, s)`.
            training: whether dropout is on.
            use_causal_mask: whether no place looks at later ones.
        """
        value = query if value is None else value
        key = value if key is None else key
        for array in (query, value, key):
            set_mask(array, None)  # as in Keras: what attention used is used up
        places = Places(self.attention_axes, query, value, key)
        counts = [
            places.of_query(query_mask),
            places.of_key("value_mask", value_mask),
            places.of_key("key_mask", key_mask),
            places.of_pairs(attention_mask, self.num_heads),
        ]
        near = self._near(np.arange(places.t), np.arange(places.s), use_causal_mask)
        q, k, v = self.query_dense(query), self.key_dense(key), self.value_dense(value)
        taken, shares = self._attend(places, q, k, v, counts, near)
        y = self.output_dense(taken * self.gate_dense(query) if self.use_gate else taken)
        return (y, places.laid_out(shares)) if return_attention_scores else y

    def _near(self, t: Any, s: Any, causal: bool) -> Any:
        """Tell which places of the query may look at which of the key by where they stand."""
        t, near = ops.expand_dims(t, -1), None
        if causal:
            near = t >= s
        if self.sliding_window is not None:
            band = (t - s < self.sliding_window) * (s - t < self.sliding_window)
            near = band if near is None else ops.logical_and(near, band)
        return near

    def _attend(self, places: Places, q: Any, k: Any, v: Any, masks: list[Any], near: Any) -> Any:
        """Take of the values what they are worth, head by head: `softmax(Q Kᵀ / √d) V`."""
        named = ((q, "queries"), (k, "keys"), (v, "values"))
        q, k, v = (note(places.by_head(x), n) for x, n in named)  # (…, heads, places, length)
        scores = ops.matmul(q * (1 / math.sqrt(self.key_dim)), k.mT, self.precision)
        scores = note(scores, "scores")
        counts = near
        for mask in masks:
            if mask is not None:
                counts = mask if counts is None else ops.logical_and(counts, mask)
        shares = note(masked_softmax(scores, counts), "shares")
        taken = ops.matmul(self.dropout_layer(shares), v, self.precision)
        return places.from_heads(note(taken, "taken")), shares


class CachedMultiHeadAttention(MultiHeadAttention):
    """Heads that remember the keys and values of earlier places: generation place by place.

    A new place looks at those before it without working them out again. With a cache, the call
    gives `(output, cache)`; the cache holds `(n, 2, length, heads, key_dim)`: keys, then values.
    Arguments and weights are those of `MultiHeadAttention`.

    Raises:
        UserError: if the cache does not fit, or has no room left at the index. XLA cannot tell
            where an index ends that is computed; beyond the end it gives NaN.

    >>> layer = CachedMultiHeadAttention(num_heads=2, key_dim=4)
    >>> x = np.random.default_rng(0).normal(size=(1, 3, 8)).astype("float32")
    >>> whole = layer(x, x, use_causal_mask=True)
    >>> cache = layer.empty_cache(rows=1, length=3)
    >>> for i in range(3):
    ...     y, cache = layer(x[:, i : i + 1], cache=cache, cache_update_index=i)
    >>> bool(abs(y[:, 0] - whole[:, 2]).max() < 1e-6)
    True
    """

    def call(  # type: ignore[override]
        self: Any,
        query: Any,
        value: Any = None,
        key: Any = None,
        attention_mask: Any = None,
        cache: Any = None,
        cache_update_index: Any = None,
        training: bool = False,
        use_causal_mask: bool = False,
        query_mask: Any = None,
        value_mask: Any = None,
        key_mask: Any = None,
    ) -> Any:
        """Look from the places of the query at those of the value and of the cache.

        Args:
            query: `(n, t, d)`: the new places.
            value: `(n, t, d')`; the query itself unless given.
            key: the value unless given.
            attention_mask: truths by pair of places, `(n, t, s)`, s the length of the cache.
            cache: keys and values, as `empty_cache` or the call before gave them.
            cache_update_index: where the new places stand: their keys and values are written there
                and on; none are where it is not given, and all of the cache is looked at.
            training: whether dropout is on.
            use_causal_mask: whether no place looks at later ones. With an index that is always so.
            query_mask: truths by place, where there is no cache; a cache has places of earlier
                calls too, which `attention_mask` leaves out.
            value_mask: likewise.
            key_mask: likewise.
        """
        if cache is None:
            return super().call(
                query, value, key, query_mask, value_mask, key_mask, attention_mask,
                use_causal_mask=use_causal_mask,
            )  # fmt: skip
        value = query if value is None else value
        key = value if key is None else key
        self._check_cache(cache, query)
        length, near = cache.shape[2], None
        if cache_update_index is not None:
            new = ops.stack([self.key_dense(key), self.value_dense(value)], axis=1)
            cache = self._written(cache, new, cache_update_index)
            standing, every = (np.arange(n, dtype="int32") for n in (query.shape[1], length))
            near = self._near(standing + ops.cast(cache_update_index, "int32"), every, True)
        k, v = cache[:, 0], cache[:, 1]
        places = Places(None, query, k[..., 0], k[..., 0])
        masks = [places.of_pairs(attention_mask, self.num_heads)]
        taken, _ = self._attend(places, self.query_dense(query), k, v, masks, near)
        taken = taken * self.gate_dense(query) if self.use_gate else taken
        return self.output_dense(taken), cache

    def empty_cache(self, rows: int, length: int) -> Any:
        """Make a cache without anything in it.

        Args:
            rows: how many sequences there are.
            length: how many places each may come to have.
        """
        return np.zeros((rows, 2, length, self.num_heads, self.key_dim), self.compute_dtype)

    def _check_cache(self, cache: Any, query: Any) -> None:
        if (self.value_dim or self.key_dim) != self.key_dim:
            raise UserError(
                f"key_dim is {self.key_dim}, value_dim {self.value_dim}: a cache holds both",
                where(),
                "let them be equal",
            )
        shape, rows = tuple(cache.shape), query.shape[0]
        wanted = (rows, 2, shape[2] if len(shape) == 5 else "length", self.num_heads, self.key_dim)
        if shape != wanted or len(query.shape) != 3:
            raise UserError(
                f"the cache has the shape {shape}, for a query of shape {tuple(query.shape)} "
                f"it has to have {shown(wanted)}",
                where(),
                "make it with empty_cache(rows, length)",
            )

    def _written(self, cache: Any, new: Any, index: Any) -> Any:
        """Write new keys and values into the cache."""
        length, end = cache.shape[2], index + new.shape[2]
        if isinstance(index, (int, np.integer)):
            if index < 0 or end > length:
                raise UserError(
                    f"{new.shape[2]} places from {index} on do not fit into a cache of {length}",
                    where(),
                    "make a longer one with empty_cache, or begin anew",
                )
        else:  # XLA would move what reaches beyond the end
            new = ops.where(end <= length, new, np.asarray(math.nan, new.dtype))
        zero = np.int32(0)
        return slice_update(cache, (zero, zero, index, zero, zero), new)


class Places:
    """Where attention looks from and at: which axes are places, which heads and batches.

    Args:
        axes: those of the places, as `MultiHeadAttention` takes them.
        query: what looks, `(n, …, d)`.
        value: what is looked at.
        key: what it is compared with.

    Raises:
        UserError: if there is no such axis, or the shapes do not go together.
    """

    def __init__(self, axes: Any, query: Any, value: Any, key: Any) -> None:
        shapes = [tuple(x.shape) for x in (query, value, key)]
        rank = len(shapes[0])
        said = "the query has the shape {}, the value {}, the key {}".format(*shapes)
        if rank < 3 or any(len(shape) != rank for shape in shapes):
            raise UserError(said, where(), "give (batch, places, features), each as many axes")
        given = range(1, rank - 1) if axes is None else np.atleast_1d(axes).tolist()
        self.axes = [axis + rank if axis < 0 else axis for axis in given]
        if not {*self.axes} <= {*range(1, rank - 1)} or len({*self.axes}) < max(1, len(self.axes)):
            raise UserError(
                f"attention_axes is {shown(axes)}, and {said}",
                where(),
                f"give axes of places, from 1 to {rank - 2}, each once",
            )
        self.others = [axis for axis in range(rank - 1) if axis not in self.axes]
        self.query, self.key = shapes[0], shapes[2]
        if shapes[1][:-1] != shapes[2][:-1] or any(
            shapes[0][axis] != shapes[2][axis] for axis in self.others
        ):
            raise UserError(
                said, where(), "give as many values as keys, and as many batches of them as queries"
            )
        self.t, self.s = (math.prod(s[axis] for axis in self.axes) for s in (self.query, self.key))

    def by_head(self, x: Any) -> Any:
        """Put `(n, …, heads, length)` as `(batches, heads, places, length)`."""
        rank = len(x.shape)
        x = ops.transpose(x, (*self.others, rank - 2, *self.axes, rank - 1))
        return ops.reshape(x, (*x.shape[: len(self.others) + 1], -1, x.shape[-1]))

    def from_heads(self, x: Any) -> Any:
        """Put `(batches, heads, places, length)` as `(n, …, heads, length)`."""
        lengths = [self.query[axis] for axis in self.axes]
        x = ops.reshape(x, (*x.shape[:-2], *lengths, x.shape[-1]))
        order = (*self.others, len(self.query) - 1, *self.axes, len(self.query))
        return ops.transpose(x, ops.inverse(order))

    def laid_out(self, shares: Any) -> Any:
        """Give the places of query and key their axes back: `(batches, heads, …, …)`."""
        lengths = [shape[axis] for shape in (self.query, self.key) for axis in self.axes]
        return ops.reshape(shares, (*shares.shape[:-2], *lengths))

    def of_query(self, mask: Any) -> Any:
        """Read truths by place of the query: `(batches, 1, places, 1)`."""
        return None if mask is None else self._by_place("query_mask", mask, self.query, -1)

    def of_key(self, name: str, mask: Any) -> Any:
        """Read truths by place of the key: `(batches, 1, 1, places)`."""
        return None if mask is None else self._by_place(name, mask, self.key, -2)

    def _by_place(self, name: str, mask: Any, shape: tuple[int, ...], axis: int) -> Any:
        mask = ops.cast(mask, bool)
        if tuple(mask.shape) != shape[:-1]:
            raise UserError(
                f"a mask of shape {tuple(mask.shape)} came for places of shape {shape[:-1]}",
                where(),
                f"give {name} a truth for each place",
            )
        mask = ops.transpose(mask, (*self.others, *self.axes))
        mask = ops.reshape(mask, (*mask.shape[: len(self.others)], 1, -1))
        return ops.expand_dims(mask, axis)

    def of_pairs(self, mask: Any, heads: int) -> Any:
        """Read truths by pair of places, for all heads or by head: `(batches, heads, t, s)`."""
        if mask is None:
            return None
        mask, given = ops.cast(mask, bool), tuple(mask.shape)
        pairs = [shape[axis] for shape in (self.query, self.key) for axis in self.axes]
        whole = (*(self.query[axis] for axis in self.others), heads, *pairs)
        fits = len(pairs) <= len(given) <= len(whole)
        if fits:  # axes that are not given stand before the pairs
            left = len(given) - len(pairs)
            laid = (*given[:left], *(1,) * (len(whole) - len(given)), *given[left:])
            fits = all(n in (1, m) for n, m in zip(laid, whole, strict=True))
        if not fits:
            raise UserError(
                f"attention_mask has the shape {given}, the pairs of places (batches, heads, "
                f"places of query, places of key) have {whole}",
                where(),
                "give a truth for each pair: (batch, places of query, places of key)",
            )
        mask = ops.reshape(mask, laid)
        if len(self.axes) > 1:
            mask = ops.broadcast_to(mask, (*laid[: -len(pairs)], *pairs))
            mask = ops.reshape(mask, (*laid[: -len(pairs)], self.t, self.s))
        return mask


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
            scores = ops.where(counts, scores, scores + np.asarray(FAR, scores.dtype))
        shares = note(ops.softmax(scores), "shares")
        y = ops.matmul(self.dropout_layer(shares) if self.dropout else shares, value)
        if q_mask is not None:
            y = y * ops.expand_dims(ops.cast(q_mask, y.dtype), -1)
        return (y, shares) if return_attention_scores else y

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell which places of the output count: those of the query."""
        return None if mask is None else mask[0]

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
