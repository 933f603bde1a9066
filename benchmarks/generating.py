"""How long does a decoder take to write a letter, with and without a cache of keys and values?

4 blocks of 128 units, 4 heads, sequences of 256 letters, float32. Without a cache each letter takes
the whole sequence anew, of a fixed length so that it is compiled once.

    python benchmarks/generating.py
"""

import sys

import numpy as np
from bench import Question, main, per

LENGTH, WIDTH, HEADS, DEPTH, LETTERS = 256, 128, 4, 4, 65


def decoder():
    """Make the network."""
    from trasluz import Layer, layers, utils

    class Decoder(Layer):
        def build(self, input_shape):
            self.embed = layers.TokenAndPositionEmbedding(LETTERS, LENGTH, WIDTH)
            self.looks = [
                layers.CachedMultiHeadAttention(HEADS, WIDTH // HEADS) for _ in range(DEPTH)
            ]
            self.norms = [layers.LayerNormalization() for _ in range(2 * DEPTH)]
            self.wide = [layers.Dense(4 * WIDTH, "gelu") for _ in range(DEPTH)]
            self.narrow = [layers.Dense(WIDTH) for _ in range(DEPTH)]

        def call(self, words, caches=None, index=0):
            x, after = self.embed(words, start_index=index), []
            for k, look in enumerate(self.looks):
                y = self.norms[2 * k](x)
                if caches is None:
                    x = x + look(y, use_causal_mask=True)
                else:
                    y, cache = look(y, cache=caches[k], cache_update_index=index)
                    x = x + y
                    after.append(cache)
                x = x + self.narrow[k](self.wide[k](self.norms[2 * k + 1](x)))
            z = self.embed.token_embedding(x, reverse=True)
            return z if caches is None else (z, after)

    utils.set_random_seed(0)
    model = Decoder()
    model(np.zeros((1, 2), "int32"))
    return model


def cached(model, first, steps):
    """Write letter by letter with a cache."""
    from trasluz import ops
    from trasluz.autodiff.scan import scan

    def turn(carry, i, _):
        word, caches = carry
        z, caches = model(word, caches=caches, index=i)
        word = ops.cast(ops.argmax(z, axis=-1), "int32")
        return (word, caches), word[:, 0]

    caches = [look.empty_cache(1, LENGTH) for look in model.looks]
    return scan(turn, (first, caches), np.arange(steps, dtype="int32"))[1]


def whole(model, first, steps):
    """Write letter by letter, and work the whole sequence out each time."""
    from trasluz import ops
    from trasluz.autodiff.scan import scan

    def turn(words, i, _):
        z = ops.slice(model(words[:, :LENGTH]), (np.int32(0), i, np.int32(0)), (1, 1, LETTERS))
        word = ops.cast(ops.argmax(z, axis=-1), "int32")
        return ops.slice_update(words, (np.int32(0), i + 1), word), word[:, 0]

    start = ops.concatenate([first, np.zeros((1, LENGTH), "int32")], axis=1)
    return scan(turn, start, np.arange(steps, dtype="int32"))[1]


def writing(write):
    """Make a contestant of a way to write."""

    def prepare(engine, steps):
        from trasluz.autodiff import backend
        from trasluz.state.binding import bind, read

        model = decoder()
        run = backend.compiled(lambda arrays, x: write(bind(model, arrays), x, steps), engine)
        given = read(model), np.ones((1, 1), "int32")
        return per(lambda: np.asarray(run(*given)), steps, 1e3)

    return prepare


QUESTION = Question(
    "Writing a letter",
    "ms",
    {"XLA": ("xla", LENGTH), "NumPy": ("numpy", 16)},
    {"with a cache": writing(cached), "without": writing(whole)},
    bars={("XLA", "without"): 0.2, ("NumPy", "without"): 0.2},
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
