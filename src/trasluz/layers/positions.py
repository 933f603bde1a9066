"""Words and where they stand: tables of positions, learned or of waves, and of words both ways."""

from __future__ import annotations

from typing import Any

import numpy as np

from trasluz import initializers
from trasluz.autodiff import ops
from trasluz.autodiff.tape import where
from trasluz.errors import UserError
from trasluz.layers.base import Layer
from trasluz.layers.core import as_floats, looked_up
from trasluz.state.module import Param
from trasluz.state.symbolic import is_drawing


class PositionEmbedding(Layer):
    """A learned vector for each place of a sequence: `y_t = P[start + t]`, to be added to it.

    Shapes: `(…, t, d) → (…, t, d)`; P `(sequence_length, d)`. The numbers of the input do not
    matter, only its shape does.

    Args:
        sequence_length: the most places there are.
        initializer: how P starts.

    Raises:
        UserError: if there are more places than that. XLA cannot tell where `start_index` is
            computed; it gives NaN there.

    Source: Devlin et al., BERT (NAACL 2019).

    >>> PositionEmbedding(5)(np.zeros((2, 3, 4))).shape
    (2, 3, 4)
    """

    sequence_length: int
    initializer: Any = "glorot_uniform"

    supports_masking = True

    def build(self, input_shape: Any) -> None:
        if self.sequence_length < 1:
            raise UserError(f"sequence_length is {self.sequence_length}", where(), "give 1 or more")
        shape = (self.sequence_length, _sequence(input_shape)[-1])
        self.position_embeddings = Param(shape, initializers.get(self.initializer))

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:  # type: ignore[override]
        """Give the vectors of the places.

        Args:
            inputs: `(…, t, d)`; its shape says how many places there are.
            start_index: which place the first one is: where generation stands.
            positions: the number of each place, `(…, t)`; from `start_index` on unless given.
        """
        shape, table = _sequence(inputs.shape), ops.convert_to_tensor(self.position_embeddings)
        if shape[-1] != table.shape[-1]:
            raise UserError(
                f"inputs of shape {shape} do not fit a table of shape {tuple(table.shape)}",
                where(),
                f"the last axis has to have {table.shape[-1]} entries",
            )
        if positions is None and isinstance(start_index, (int, np.integer)):
            end = start_index + shape[-2]
            fits = start_index >= 0 and end <= self.sequence_length
            if not fits and not is_drawing():
                raise UserError(
                    f"the places go from {start_index} to {end - 1}, as inputs of shape {shape} "
                    f"say; the table has {self.sequence_length}",
                    where(),
                    "give a larger sequence_length, or shorter sequences",
                )
            if fits:
                return ops.broadcast_to(table[start_index:end], shape)
        return ops.broadcast_to(looked_up(table, _standing(shape, start_index, positions)), shape)


class SinePositionEncoding(Layer):
    """Waves for each place: `y_{t,2i} = sin(t / m^{2i/d})`, `y_{t,2i+1} = cos(t / m^{2i/d})`.

    Shapes: `(…, t, d) → (…, t, d)`, to be added to the input, of which only the shape matters.

    Args:
        max_wavelength: m; the slowest wave is nearly `2π m` places long.

    Source: Vaswani et al., Attention is all you need (2017).

    >>> SinePositionEncoding()(np.zeros((1, 2, 4))).round(2)
    array([[[0.  , 1.  , 0.  , 1.  ],
            [0.84, 0.54, 0.01, 1.  ]]], dtype=float32)
    """

    max_wavelength: float = 10000

    supports_masking = True

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:  # type: ignore[override]
        """Give the waves at the places; the arguments are those of `PositionEmbedding`."""
        if self.max_wavelength <= 0:
            raise UserError(
                f"max_wavelength is {self.max_wavelength}", where(), "give a positive number"
            )
        shape = _sequence(inputs.shape)
        wave = np.arange(shape[-1])
        speed = self.max_wavelength ** -(2 * (wave // 2) / shape[-1])
        standing = ops.cast(_standing(shape, start_index, positions), self.compute_dtype)
        angles = ops.expand_dims(standing, -1) * speed.astype(self.compute_dtype)
        return ops.broadcast_to(ops.where(wave % 2 == 0, ops.sin(angles), ops.cos(angles)), shape)


def _sequence(shape: Any) -> tuple[int, ...]:
    """Make sure that a shape is that of a sequence."""
    shape = tuple(shape)
    if len(shape) < 2:
        raise UserError(f"the inputs have the shape {shape}", where(), "give (…, places, features)")
    return shape


def _standing(shape: tuple[int, ...], start_index: Any, positions: Any) -> Any:
    """Number the places."""
    if positions is None:
        return ops.cast(start_index, "int32") + np.arange(shape[-2], dtype="int32")
    positions = ops.convert_to_tensor(positions)
    if tuple(positions.shape) not in (shape[-2:-1], shape[:-1]):
        raise UserError(
            f"positions have the shape {tuple(positions.shape)}, the places {shape[:-1]}",
            where(),
            "give a number for each place",
        )
    return positions


class ReversibleEmbedding(Layer):
    """A table of vectors that is read both ways: `y = E[x]`, and back, `z = h Eᵀ`.

    Shapes: `(…) → (…, output_dim)`, and with `reverse=True` `(…, output_dim) → (…, input_dim)`; E
    `(input_dim, output_dim)`.

    Args:
        input_dim: how many vectors.
        output_dim: how long each is.
        tie_weights: whether the way back is by E as well; by a kernel of its own if not.
        embeddings_initializer, embeddings_regularizer, embeddings_constraint: as for a kernel.
        mask_zero: whether the number 0 stands for no word (inputs are whole numbers then).
        reverse_dtype: the floating type of the way back.
        logit_soft_cap: what the way back gives stays below it: `c · tanh(z / c)`.

    Raises:
        UserError: as `Embedding`.

    Source: Press, Wolf, Using the output embedding to improve language models (EACL 2017).

    >>> words = ReversibleEmbedding(10, 4)
    >>> words(words(np.array([[1, 2, 3]])), reverse=True).shape
    (1, 3, 10)
    """

    input_dim: int
    output_dim: int
    tie_weights: bool = True
    embeddings_initializer: Any = "uniform"
    embeddings_regularizer: Any = None
    embeddings_constraint: Any = None
    mask_zero: bool = False
    reverse_dtype: str | None = None
    logit_soft_cap: float | None = None

    @property
    def supports_masking(self) -> bool:  # type: ignore[override]
        """Whether the output has a mask."""
        return self.mask_zero

    def build(self, input_shape: Any = None) -> None:
        for name in ("input_dim", "output_dim"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}", where(), "give 1 or more")
        self.embeddings = self.param("embeddings", (self.input_dim, self.output_dim))
        if not self.tie_weights:
            start = initializers.get(self.embeddings_initializer)
            self.reverse_embeddings = Param((self.output_dim, self.input_dim), start)

    def call(self, inputs: Any, reverse: bool = False) -> Any:  # type: ignore[override]
        """Look words up, or with `reverse` say how near each word of the table is."""
        if not reverse:
            return looked_up(self.embeddings, inputs)
        kernel = self.embeddings.T if self.tie_weights else self.reverse_embeddings
        if not inputs.shape or inputs.shape[-1] != self.output_dim:
            raise UserError(
                f"inputs of shape {tuple(inputs.shape)} do not fit a table of shape "
                f"{tuple(self.embeddings.shape)}",
                where(),
                f"on the way back the last axis has to have {self.output_dim} entries",
            )
        h = as_floats(inputs, kernel)
        if self.reverse_dtype is not None:
            h, kernel = ops.cast(h, self.reverse_dtype), ops.cast(kernel, self.reverse_dtype)
        z = ops.dot_last(h, kernel, self.precision)
        cap = self.logit_soft_cap
        return z if cap is None else ops.tanh(z / cap) * cap

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell which places hold a word, where 0 stands for none; nothing on the way back."""
        if not self.mask_zero or inputs.dtype.kind == "f":
            return None
        return ops.not_equal(inputs, 0)

    def index_limits(self, inputs: Any, reverse: bool = False) -> tuple[int | None, ...]:  # type: ignore[override]
        return () if reverse else (self.input_dim,)


class TokenAndPositionEmbedding(Layer):
    """Words by what they are and where they stand: `y_t = E[x_t] + P[start + t]`.

    Shapes: `(n, t) → (n, t, embedding_dim)`; E `(vocabulary_size, embedding_dim)`, P
    `(sequence_length, embedding_dim)`.

    Args:
        vocabulary_size: how many words there are.
        sequence_length: the most places there are.
        embedding_dim: how long the vectors are.
        tie_weights: as for `ReversibleEmbedding`, which `token_embedding` is.
        embeddings_initializer: how both tables start.
        mask_zero: whether the number 0 stands for no word.

    Raises:
        UserError: as `Embedding` and `PositionEmbedding`.

    >>> TokenAndPositionEmbedding(10, 5, 4)(np.array([[1, 2, 3]])).shape
    (1, 3, 4)
    """

    vocabulary_size: int
    sequence_length: int
    embedding_dim: int
    tie_weights: bool = True
    embeddings_initializer: Any = "uniform"
    mask_zero: bool = False

    def build(self, input_shape: Any) -> None:
        self.token_embedding = ReversibleEmbedding(
            self.vocabulary_size,
            self.embedding_dim,
            self.tie_weights,
            self.embeddings_initializer,
            mask_zero=self.mask_zero,
            dtype=self.dtype,
            name="token_embedding",
        )
        self.position_embedding = PositionEmbedding(
            self.sequence_length,
            self.embeddings_initializer,
            dtype=self.dtype,
            name="position_embedding",
        )

    def call(self, inputs: Any, start_index: Any = 0, positions: Any = None) -> Any:  # type: ignore[override]
        """Look words up and add where they stand; see `PositionEmbedding`."""
        words = self.token_embedding(inputs)
        return words + self.position_embedding(words, start_index=start_index, positions=positions)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Tell which places hold a word, where 0 stands for none."""
        return self.token_embedding.compute_mask(inputs, mask)

    def index_limits(self, inputs: Any, **options: Any) -> tuple[int | None, ...]:  # type: ignore[override]
        return (self.vocabulary_size,)
