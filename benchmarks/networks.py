"""How long is a step of a network as people train them: of pictures, of a residual one, of a GPT?

The pictures' network of `layers.py`, a ResNet-8 on 28×28 and a small GPT on 64 words, in whole
epochs with shuffling, float32, Adam, data in memory. PyTorch with the
threads, the layout and the attention that suit it best, its optimizer fused, eager and compiled;
JAX with every product a batched one and an epoch in one scan.

    python benchmarks/networks.py
"""

import os
import sys

import numpy as np
import peers
from bench import Question, main, per

ROWS = 16  # batches an epoch
CLASSES = 10
WORDS, LONG, WIDE, HEADS, DEEP = 64, 64, 128, 4, 4


def data(kind, size):
    """Draw pictures and classes, or words and those that follow."""
    drawn = np.random.default_rng(0)
    if kind == "GPT":
        words = drawn.integers(0, WORDS, (size * ROWS, LONG + 1)).astype("int32")
        return words[:, :-1], words[:, 1:]
    x = drawn.standard_normal((size * ROWS, 28, 28, 1), "float32")
    return x, drawn.integers(0, CLASSES, len(x))


# -------------------------------------------------------------------- ours, and Keras, by its names


def _block(layers, x, filters, strides):
    """Two convolutions, and a way past them."""
    y = layers.Conv2D(filters, 3, strides, "same", use_bias=False)(x)
    y = layers.Activation("relu")(layers.BatchNormalization()(y))
    y = layers.Conv2D(filters, 3, padding="same", use_bias=False)(y)
    y = layers.BatchNormalization()(y)
    if strides > 1:
        x = layers.BatchNormalization()(layers.Conv2D(filters, 1, strides, use_bias=False)(x))
    return layers.Activation("relu")(layers.Add()([x, y]))


def _resnet(library):
    layers = library.layers
    inputs = library.Input((28, 28, 1))
    x = layers.Conv2D(16, 3, padding="same", use_bias=False)(inputs)
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    for filters, strides in ((16, 1), (32, 2), (64, 2)):
        x = _block(layers, x, filters, strides)
    return library.Model(inputs, layers.Dense(CLASSES)(layers.GlobalAveragePooling2D()(x)))


def _cnn(library):
    layers = library.layers
    return library.Sequential(
        [
            library.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(CLASSES),
        ]
    )


def _gpt(library):
    layers, ones = library.layers, (LONG,)
    inputs = library.Input(ones, dtype="int32")
    where = library.Input(ones, dtype="int32")  # which place each word has
    x = layers.Add()([layers.Embedding(WORDS, WIDE)(inputs), layers.Embedding(LONG, WIDE)(where)])
    for _ in range(DEEP):
        y = layers.LayerNormalization()(x)
        y = layers.MultiHeadAttention(HEADS, WIDE // HEADS)(y, y, use_causal_mask=True)
        x = layers.Add()([x, y])
        y = layers.Dense(4 * WIDE, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(WIDE)(y)])
    x = layers.Dense(WORDS)(layers.LayerNormalization()(x))
    return library.Model([inputs, where], x)


MAKERS = {"CNN": _cnn, "ResNet-8": _resnet, "GPT": _gpt}


def _named(library, kind, size, **how):
    """Make what trains a network of a library with Keras's names."""
    model, (x, y) = MAKERS[kind](library), data(kind, size)
    if kind == "GPT":
        x = [x, np.broadcast_to(np.arange(LONG, dtype="int32"), x.shape).copy()]
    model.compile("adam", library.losses.SparseCategoricalCrossentropy(from_logits=True), **how)
    return lambda epochs: model.fit(x, y, batch_size=size, epochs=epochs, verbose=0)


def ours(kind, size):
    """Ours, on XLA."""
    import trasluz

    return _named(trasluz, kind, size, engine="xla")


def keras_jax(kind, size):
    """Keras on jax."""
    os.environ["KERAS_BACKEND"] = "jax"
    import keras

    return _named(keras, kind, size)


# ------------------------------------------------------------------------------------- PyTorch


def _torch_model(kind):
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self, before, filters, strides):
            super().__init__()
            conv = lambda a, b, size, s, around: nn.Conv2d(a, b, size, s, around, bias=False)  # noqa: E731
            self.inner = nn.Sequential(
                conv(before, filters, 3, strides, 1), nn.BatchNorm2d(filters), nn.ReLU(),
                conv(filters, filters, 3, 1, 1), nn.BatchNorm2d(filters),
            )  # fmt: skip
            past = [conv(before, filters, 1, strides, 0), nn.BatchNorm2d(filters)]
            self.past = nn.Sequential(*past if strides > 1 else [])

        def forward(self, x):
            return functional.relu(self.past(x) + self.inner(x))

    class Layer(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.LayerNorm(WIDE), nn.LayerNorm(WIDE)
            self.three, self.out = nn.Linear(WIDE, 3 * WIDE), nn.Linear(WIDE, WIDE)
            self.wide = nn.Sequential(
                nn.Linear(WIDE, 4 * WIDE), nn.GELU(), nn.Linear(4 * WIDE, WIDE)
            )

        def forward(self, x):
            parts = self.three(self.first(x)).chunk(3, -1)
            q, k, v = (a.reshape(*a.shape[:2], HEADS, -1).transpose(1, 2) for a in parts)
            y = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            x = x + self.out(y.transpose(1, 2).reshape(x.shape))
            return x + self.wide(self.second(x))

    class Words(nn.Module):
        def __init__(self):
            super().__init__()
            self.words, self.places = nn.Embedding(WORDS, WIDE), nn.Embedding(LONG, WIDE)
            self.layers = nn.Sequential(*[Layer() for _ in range(DEEP)])
            self.last = nn.Sequential(nn.LayerNorm(WIDE), nn.Linear(WIDE, WORDS))

        def forward(self, x):
            return self.last(self.layers(self.words(x) + self.places.weight))

    if kind == "GPT":
        return Words()
    if kind == "CNN":
        return nn.Sequential(
            nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(),
            nn.MaxPool2d(2), nn.Flatten(), nn.Linear(1600, CLASSES),
        )  # fmt: skip
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    first = [nn.Conv2d(1, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    last = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES)]
    return nn.Sequential(*first, *blocks, *last)


def _torch(kind, size, channels_last, compiled=False):
    import torch

    x, y = (torch.from_numpy(np.array(a)) for a in data(kind, size))
    x, y = (x if kind == "GPT" else x.permute(0, 3, 1, 2).contiguous()), y.long()
    model, loss_of = _torch_model(kind), torch.nn.CrossEntropyLoss()
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    rule = torch.optim.Adam(model.parameters(), fused=True)

    def objective(x, y):
        p = model(x)
        return loss_of(p.reshape(-1, p.shape[-1]), y.reshape(-1))

    objective = torch.compile(objective) if compiled else objective

    def train(epochs):
        for _ in range(epochs):
            for rows in torch.randperm(len(x)).split(size):
                rule.zero_grad(set_to_none=True)
                objective(x[rows], y[rows]).backward()
                rule.step()

    return train


def torch_eager(kind, size):
    """PyTorch, its threads and layout those that suit it."""
    ways = [_torch(kind, size, last) for last in ([False] if kind == "GPT" else [False, True])]
    for way in ways:
        way(1)
    best = min(ways, key=lambda way: min(per(lambda: way(1), 1)() for _ in range(2)))
    peers.best_threads(lambda: best(1))
    return best


def torch_compiled(kind, size):
    """PyTorch with its loss compiled."""
    import torch

    torch._dynamo.reset()
    return _torch(kind, size, kind != "GPT", compiled=True)


# --------------------------------------------------------------------------------- JAX and optax


def jax_scan(kind, size):
    """JAX and optax by hand, products batched, an epoch in one scan; the GPT alone."""
    if kind != "GPT":
        return None
    import jax
    import jax.numpy as jnp
    import optax

    drawn = np.random.default_rng(0)
    draw = lambda *s: jnp.asarray(drawn.normal(size=s) * s[0] ** -0.5, "float32")  # noqa: E731
    norm = lambda: (jnp.ones(WIDE), jnp.zeros(WIDE))  # noqa: E731
    dense = lambda a, b: (draw(a, b), jnp.zeros(b))  # noqa: E731
    shapes = [(WIDE, 3 * WIDE), (WIDE, WIDE), (WIDE, 4 * WIDE), (4 * WIDE, WIDE)]
    params = {
        "words": draw(WORDS, WIDE), "places": draw(LONG, WIDE),
        "last": (norm(), dense(WIDE, WORDS)),
        "layers": [(norm(), norm(), *[dense(*s) for s in shapes]) for _ in range(DEEP)],
    }  # fmt: skip
    seen = jnp.tril(jnp.ones((LONG, LONG), bool))

    def normal(x, p):
        centred = x - x.mean(-1, keepdims=True)
        return centred * jax.lax.rsqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * p[0] + p[1]

    def loss_of(params, x, y):
        z = params["words"][x] + params["places"]
        for first, second, three, out, wide, narrow in params["layers"]:
            parts = jnp.split(normal(z, first) @ three[0] + three[1], 3, -1)
            q, k, v = (a.reshape(*a.shape[:2], HEADS, -1) for a in parts)
            scores = jnp.einsum("nthd,nshd->nhts", q, k) * (WIDE // HEADS) ** -0.5
            shares = jax.nn.softmax(jnp.where(seen, scores, -jnp.inf))
            taken = jnp.einsum("nhts,nshd->nthd", shares, v).reshape(z.shape)
            z = z + taken @ out[0] + out[1]
            inner = jax.nn.gelu(normal(z, second) @ wide[0] + wide[1], approximate=False)
            z = z + inner @ narrow[0] + narrow[1]
        norms, (w, b) = params["last"]
        logits = normal(z, norms) @ w + b
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    rule = optax.adam(1e-3)
    state, (x, y) = (params, rule.init(params)), map(jnp.asarray, data(kind, size))

    def step(state, rows):
        loss, grads = jax.value_and_grad(loss_of)(state[0], x[rows], y[rows])
        updates, slots = rule.update(grads, state[1], state[0])
        return (optax.apply_updates(state[0], updates), slots), loss

    @jax.jit
    def epoch(state, key):
        order = jax.random.permutation(key, len(x)).reshape(-1, size)
        return jax.lax.scan(step, state, order)

    def train(epochs):
        nonlocal state
        for number in range(epochs):
            state, losses = epoch(state, jax.random.key(number))
            losses.mean().block_until_ready()

    return train


# ------------------------------------------------------------------------------------ the question


def side(make):
    """Make a contestant: milliseconds a step."""

    def prepare(kind, size):
        train = make(kind, size)
        return train and per(lambda: train(1), ROWS, 1e3)

    return prepare


JOBS = {"CNN, 64": ("CNN", 64), "ResNet-8, 64": ("ResNet-8", 64), "GPT 4 × 128, 32": ("GPT", 32)}
CNN, RESNET, GPT = JOBS
EAGER, COMPILED = "PyTorch eager", "PyTorch compiled"
KERAS, SCAN = "Keras (jax)", "JAX + optax, one scan"

QUESTION = Question(
    "A step of whole networks",
    "ms a step",
    JOBS,
    {
        "ours": side(ours),
        EAGER: side(torch_eager),
        COMPILED: side(torch_compiled),
        KERAS: side(keras_jax),
        SCAN: side(jax_scan),
    },
    bars={
        **{
            (job, t): most
            for t in (EAGER, COMPILED)
            for job, most in zip(JOBS, (1.0, 1.3, 1.3), strict=True)
        },
        **{(job, KERAS): 0.8 for job in (CNN, RESNET)},
        (GPT, SCAN): 0.8,
    },
    quick=(CNN,),
    peers=(EAGER,),
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
