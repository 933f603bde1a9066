"""Steps that users write: variational autoencoders, adversaries, pairs, losses of one's own."""

from __future__ import annotations

import numpy as np
import pytest

import trasluz
from trasluz import (
    GradientTape,
    Input,
    Model,
    Sequential,
    Variable,
    callbacks,
    layers,
    losses,
    metrics,
    ops,
    optimizers,
    random,
    saving,
    tape,
)
from trasluz.autodiff.tape import Traced
from trasluz.errors import UserError
from trasluz.training.engine import Engine
from trasluz.training.finite import NonFiniteError

RNG = np.random.default_rng(0)
X = RNG.normal(1.0, 0.5, size=(70, 2)).astype("float32")  # 70 rows: the last batch is shorter
Y = (X @ np.array([[1.0], [-2.0]]) + 0.3).astype("float32")
ENGINES = ("numpy", "xla")


class Sampling(layers.Layer):
    """Draws around a mean, and adds the divergence from a standard normal to the loss."""

    def call(self, inputs):
        mean, log_var = inputs
        kl = -0.5 * ops.mean(ops.sum(1 + log_var - ops.square(mean) - ops.exp(log_var), axis=1))
        self.add_loss(0.1 * kl)
        return mean + ops.exp(0.5 * log_var) * random.normal(ops.shape(mean))


class VAE(Model):
    """As in Keras's example, with trackers of its own and the divergence by add_loss."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder, self.decoder = encoder, decoder
        self.total_tracker = metrics.Mean(name="loss")
        self.kl_tracker = metrics.Mean(name="kl_loss")

    @property
    def metrics(self):
        return [self.total_tracker, self.kl_tracker]

    def call(self, x):
        return self.decoder(self.encoder(x))

    def loss_of(self, x, training):
        kl = None
        rows = self(x, training=training)
        kl = self.losses[0]
        return ops.mean(ops.sum(ops.square(x - rows), axis=1)) + kl, kl

    def train_step(self, x):
        with GradientTape() as tape:
            loss, kl = self.loss_of(x, True)
        grads = tape.gradient(loss, self.trainable_weights)
        self.optimizer.apply_gradients(zip(grads, self.trainable_weights, strict=True))
        self.total_tracker.update_state(loss)
        self.kl_tracker.update_state(kl)
        return {m.name: m.result() for m in self.metrics}

    def test_step(self, x):
        self.total_tracker.update_state(self.loss_of(x, False)[0])
        return {"loss": self.total_tracker.result()}


class GAN(Model):
    """As in Keras's example: two optimizers, given to a compile of its own, and no call."""

    def __init__(self, discriminator, generator, **kwargs):
        super().__init__(**kwargs)
        self.discriminator, self.generator = discriminator, generator
        self.d_loss_tracker = metrics.Mean(name="d_loss")
        self.g_loss_tracker = metrics.Mean(name="g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn, **how):
        super().compile(**how)
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss_tracker, self.g_loss_tracker]

    def train_step(self, real):
        n = ops.shape(real)[0]
        fake = self.generator(random.normal(shape=(n, 3)))
        labels = ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))], axis=0)
        labels = labels + 0.05 * random.uniform(ops.shape(labels))
        with GradientTape() as tape:
            guesses = self.discriminator(ops.concatenate([fake, real], axis=0))
            d_loss = self.loss_fn(labels, guesses)
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))
        noise = random.normal(shape=(n, 3))
        with GradientTape() as tape:
            g_loss = self.loss_fn(ops.zeros((n, 1)), self.discriminator(self.generator(noise)))
        weights = self.generator.trainable_weights
        self.g_optimizer.apply(tape.gradient(g_loss, weights), weights)
        self.d_loss_tracker.update_state(d_loss)
        self.g_loss_tracker.update_state(g_loss)
        return {"d_loss": self.d_loss_tracker.result(), "g_loss": self.g_loss_tracker.result()}


class WGAN(GAN):
    """With a gradient penalty: a tape inside a tape; two steps of the critic for each other."""

    def penalty(self, real, fake):
        alpha = random.uniform((ops.shape(real)[0], 1))
        between = real + alpha * (fake - real)
        with GradientTape() as tape:
            tape.watch(between)
            guesses = self.discriminator(between, training=True)
        slopes = tape.gradient(guesses, [between])[0]
        lengths = ops.sqrt(ops.sum(ops.square(slopes), axis=1))
        return ops.mean((lengths - 1.0) ** 2)

    def train_step(self, real):
        n = ops.shape(real)[0]
        for _ in range(2):
            with GradientTape() as tape:
                fake = self.generator(random.normal((n, 3)), training=True)
                apart = ops.mean(self.discriminator(fake)) - ops.mean(self.discriminator(real))
                d_loss = apart + 10.0 * self.penalty(real, fake)
            weights = self.discriminator.trainable_variables
            self.d_optimizer.apply_gradients(
                zip(tape.gradient(d_loss, weights), weights, strict=True)
            )
        with GradientTape() as tape:
            fake = self.generator(random.normal((n, 3)), training=True)
            g_loss = -ops.mean(self.discriminator(fake))
        weights = self.generator.trainable_variables
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
        return {"d_loss": d_loss, "g_loss": g_loss}


class Siamese(Model):
    """One tower for both of a pair, and a contrastive loss."""

    def __init__(self, tower, **kwargs):
        super().__init__(**kwargs)
        self.tower = tower

    def call(self, inputs):
        one, other = inputs
        return ops.norm(self.tower(one) - self.tower(other), axis=1, keepdims=True)

    def compute_loss(self, x, y, y_pred, sample_weight, training=True):
        apart = ops.maximum(1.0 - y_pred, 0.0)
        return ops.mean(y * ops.square(y_pred) + (1 - y) * ops.square(apart))


class Doubled(Model):
    """Twice the loss of compile, and a term more; gives way to super everywhere."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = super().compute_loss(x, y, y_pred, sample_weight)
        return 2.0 * loss + 0.1 * ops.mean(ops.absolute(y_pred))

    def train_step(self, data):
        return super().train_step(data)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        return {**super().compute_metrics(x, y, y_pred, sample_weight), "twice": 2.0}


def vae(engine="numpy"):
    trasluz.utils.set_random_seed(1)
    inputs = Input((2,))
    hidden = layers.Dense(5, "tanh")(inputs)
    drawn = Sampling()([layers.Dense(2)(hidden), layers.Dense(2)(hidden)])
    decoder = Sequential([Input((2,)), layers.Dense(5, "relu"), layers.Dense(2)], name="decoder")
    model = VAE(Model(inputs, drawn, name="encoder"), decoder)
    model.compile(optimizers.Adam(0.01), engine=engine)
    return model


def gan(engine="numpy", kind=GAN):
    trasluz.utils.set_random_seed(1)
    last = "sigmoid" if kind is GAN else None
    critic = [Input((2,)), layers.Dense(8), layers.LeakyReLU(), layers.Dense(1, last)]
    maker = [Input((3,)), layers.Dense(8, "relu"), layers.BatchNormalization(), layers.Dense(2)]
    model = kind(Sequential(critic, name="d"), Sequential(maker, name="g"))
    rules = optimizers.Adam(0.01), optimizers.Adagrad(0.02)  # what Adagrad begins with is not 0
    model.compile(*rules, losses.BinaryCrossentropy(), engine=engine)
    return model


def wgan(engine="numpy"):
    return gan(engine, WGAN)


def doubled(engine="numpy", kind=Doubled, loss="mse", **how):
    trasluz.utils.set_random_seed(1)
    inputs = Input((2,))
    hidden = layers.Dense(4, "tanh", kernel_regularizer="l2")(inputs)
    model = kind(inputs, layers.Dense(1)(layers.Dropout(0.2)(hidden)))
    model.compile(optimizers.SGD(0.05, momentum=0.9), loss, engine=engine, **how)
    return model


def train(model, *data, epochs=3, **how):
    return model.fit(*data, epochs=epochs, batch_size=16, verbose=0, **how).history


def near(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=2e-6)


def same(one, other):
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


KINDS = {
    "vae": (vae, (X[:64],)),
    "gan": (gan, (X,)),
    "wgan": (wgan, (X[:64],)),
    "doubled": (lambda e="numpy": doubled(e, metrics=["mae"]), (X, Y)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_engines_agree_and_learn(kind):
    make, data = KINDS[kind]
    models = [make(engine) for engine in ENGINES]
    there, here = (train(model, *data) for model in models)
    near(*models)
    assert list(there) == list(here) and all(len(v) == 3 for v in here.values())
    for name, values in there.items():
        np.testing.assert_allclose(values, here[name], rtol=1e-4, atol=1e-5)
    if "loss" in there:
        assert there["loss"][-1] < there["loss"][0]


class Stop(callbacks.Callback):
    """Ends a run in the middle of an epoch, as Ctrl-C does."""

    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations == 8:
            raise KeyboardInterrupt


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_killed_goes_on_bit_for_bit(kind, engine, tmp_path):
    make, data = KINDS[kind]
    whole = make(engine)
    history = train(whole, *data)
    for often in (3, 5):  # 5: also just before an epoch's end, where its logs are all there is
        keep = callbacks.BackupAndRestore(tmp_path / f"{often}", save_freq=often)
        with pytest.raises(KeyboardInterrupt):
            train(make(engine), *data, callbacks=[keep, Stop()])
        resumed = make(engine)
        trasluz.utils.set_random_seed(99)  # the key of the run comes from the file
        assert train(resumed, *data, callbacks=[keep]) == history
        same(resumed, whole)


def test_a_run_moves_over_to_xla(monkeypatch):
    monkeypatch.setattr("trasluz.training.engine._WORTH_COMPILING", 0.002)
    moved, monkeypatched = gan("auto"), []
    monkeypatch.setattr(Engine, "move", _spied(Engine.move, monkeypatched))
    there = train(moved, X, epochs=6)
    assert monkeypatched == [True]
    stayed = gan("numpy")
    here = train(stayed, X, epochs=6)
    near(moved, stayed)
    assert list(there) == list(here)


def _spied(method, seen):
    def spy(self):
        seen.append(method(self))
        return seen[-1]

    return spy


def test_by_hand_is_the_same_as_in_fit():
    """The step, written out on the live arrays."""
    inside, by_hand = doubled(), doubled()
    for model in (inside, by_hand):
        model.get_layer("dropout").rate = 0.0
    reported = inside.train_on_batch(X, Y, return_dict=True)
    with GradientTape() as tape:
        loss = by_hand.compute_loss(X, Y, by_hand(X, training=True))
    weights = by_hand.trainable_weights
    by_hand.optimizer.apply(tape.gradient(loss, weights), weights)
    near(inside, by_hand)
    assert reported["loss"] == pytest.approx(float(loss), rel=1e-6)
    assert reported["twice"] == 2.0
    assert by_hand.optimizer.iterations == inside.optimizer.iterations == 1


def test_each_optimizer_keeps_what_it_moves():
    model = wgan()
    train(model, X, epochs=1)
    assert {name: len(state["slots"]) for name, state in model._slots.items()} == {
        "optimizer": 0,
        "d_optimizer": 4,
        "g_optimizer": 6,
    }
    assert [model.d_optimizer.iterations, model.g_optimizer.iterations] == [10, 5]
    before = model.discriminator.get_weights()
    model.discriminator.trainable = False
    with pytest.raises(UserError, match="no derivative for any variable"):
        train(model, X, epochs=1)
    model.d_optimizer.learning_rate = 0.0
    model.discriminator.trainable = True
    train(model, X, epochs=1)  # a rate that is assigned between runs counts
    for a, b in zip(before, model.discriminator.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_frozen_parts_of_a_model_stay():
    model = doubled()
    model.get_layer("dense").trainable = False
    before = model.get_weights()
    train(model, X, Y, epochs=1)
    after = model.get_weights()
    np.testing.assert_array_equal(before[0], after[0])
    assert (before[2] != after[2]).any()


def test_measuring_predicting_and_single_batches():
    model = vae()
    history = train(model, X, validation_data=None)
    measured = model.evaluate(X, verbose=0, batch_size=16)
    assert 0 < measured < history["loss"][0]
    assert model.evaluate(X, verbose=0, return_dict=True).keys() == {"loss"}
    assert model.test_on_batch(X[:4], return_dict=True).keys() == {"loss"}
    assert model.train_on_batch(X[:4], return_dict=True).keys() == {"loss", "kl_loss"}
    assert float(model.kl_tracker.result()) > 0  # as the last step left it
    assert model.predict(X).shape == X.shape
    assert model.metrics_names == ["loss", "kl_loss"]
    assert len(model.weights) == len(model.get_weights()) == 10  # metrics are no weights

    class Halves(Model):
        def predict_step(self, data):
            return self(data, training=False) / 2

    plain, halved = doubled(kind=Model), doubled(kind=Halves)
    for engine in ENGINES:
        plain._engine = halved._engine = engine
        np.testing.assert_allclose(halved.predict(X), plain.predict(X) / 2, rtol=1e-6)


def test_validation_in_fit():
    for make, data in KINDS["vae"], KINDS["doubled"]:
        for engine in ENGINES:
            model = make(engine)
            given = data if len(data) > 1 else iter_of(data[0])
            history = train(model, *data, epochs=2, validation_data=given)
            alone = model.evaluate(*data, verbose=0, batch_size=16, return_dict=True)
            assert alone["loss"] == pytest.approx(history["val_loss"][-1], rel=1e-4)


def iter_of(x):
    """Batches of inputs alone, as an iterable that can start anew."""
    return [(x[i : i + 16],) for i in range(0, len(x), 16)]


def test_pairs():
    trasluz.utils.set_random_seed(2)
    pairs = [X, X[::-1].copy()]
    alike = (np.abs(pairs[0] - pairs[1]).sum(1, keepdims=True) < 0.7).astype("float32")
    models = []
    for engine in ENGINES:
        trasluz.utils.set_random_seed(2)
        models.append(Siamese(Sequential([Input((2,)), layers.Dense(6, "tanh"), layers.Dense(2)])))
        models[-1].compile("adam", metrics=["mae"], engine=engine)
        history = train(models[-1], pairs, alike, epochs=4)
        assert history["loss"][-1] < history["loss"][0] and len(history["mae"]) == 4
    near(*models)


def test_keys_follow_from_root_step_and_call():
    drawn = []

    class Noisy(Model):
        def train_step(self, data):
            noise = random.normal((1,))
            self.seen.assign(ops.concatenate([noise, random.uniform((1,))], axis=0))
            self.steps.assign_add(1.0)
            return {"noise": noise[0], "steps": self.steps}

    class Look(callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            drawn[-1].append(self.model.seen.numpy())

    for engine in ENGINES:
        trasluz.utils.set_random_seed(4)
        model = Noisy(name="noisy")
        model.seen, model.steps = Variable(np.zeros(2), trainable=False), Variable(0.0)
        model.compile(engine=engine)
        drawn.append([])
        history = train(model, X, epochs=2, callbacks=[Look()])
        assert history["steps"] == [5.0, 10.0]
    np.testing.assert_allclose(drawn[0], drawn[1], atol=1e-6)
    assert len({float(both[0]) for both in drawn[0]}) == 10


def test_seeds_of_the_users_own():
    assert (random.normal((3,), seed=1) == random.normal((3,), seed=1)).all()
    source = random.SeedGenerator(3)
    assert (random.normal((3,), seed=source) != random.normal((3,), seed=source)).all()
    whole = random.randint((500,), 2, 5, seed=1)
    assert set(whole.tolist()) == {2, 3, 4}
    chosen = random.categorical(np.log([[0.2, 0.8, 1e-9]]), 4000, seed=2)
    assert chosen.shape == (1, 4000) and np.mean(chosen == 1) == pytest.approx(0.8, abs=0.03)
    kept = random.dropout(np.ones(1000), 0.25, seed=1)
    assert set(np.round(kept, 3)) == {0.0, 1.333}
    assert sorted(random.shuffle(np.arange(9), seed=1)) == list(range(9))
    spread = random.uniform((1000,), -1.0, 3.0, seed=1)
    assert -1 <= spread.min() < -0.9 and 2.9 < spread.max() < 3
    assert np.abs(random.truncated_normal((1000,), 1.0, 2.0, seed=1) - 1).max() <= 4
    assert random.normal(random.key(7), (2,)).shape == (2,)  # by key, as ever


# -------------------------------------------------------------------------------- gradient tapes


def test_gradients_nest_as_their_sources():
    x, w = Variable([1.0, 2.0]), Variable(3.0)
    far = Variable(1.0)
    with GradientTape(persistent=True) as book:
        y = ops.sum(w * x * x)
    given = book.gradient(y, {"x": [x], "w": w, "far": far})
    np.testing.assert_allclose(given["x"][0], [6.0, 12.0])
    assert float(given["w"]) == 5.0 and given["far"] is None
    assert float(book.gradient(y, far, unconnected_gradients="zero")) == 0.0
    np.testing.assert_allclose(book.gradient([y, y], x), [12.0, 24.0])
    np.testing.assert_allclose(book.gradient(y, x, output_gradients=np.float32(2.0)), [12.0, 24.0])
    assert float(y) == 15.0 and bool(y > 1)  # plain again, once the tape is closed


def test_what_stays_after_a_tape_is_plain_and_keeps_no_tape():
    model = Sequential(
        [Input((4, 3), batch_size=2), layers.BatchNormalization(), layers.LSTM(2, stateful=True)]
    )
    x, mean, rule = np.ones((2, 4, 3), "float32"), metrics.Mean(), optimizers.SGD(0.1)
    within, behind = (Variable(0.0, trainable=False) for _ in range(2))
    for _ in range(3):
        with GradientTape() as book:
            loss = model(x, training=True).sum()
            mean.update_state(loss)
            within.assign_add(loss)
        behind.assign(loss)
        rule.apply(book.gradient(loss, model.trainable_weights), model.trainable_weights)
    arrays = [weight.value for weight in (*model.weights, *mean.weights, within, behind)]
    given = [a for line in book._tape.lines if line for a in line.args]  # none of tapes before
    assert not any(isinstance(a, Traced) for a in arrays + given)
    np.testing.assert_allclose(mean.result() * 3, within.value, rtol=1e-6)


def test_what_is_watched():
    constant, frozen = np.array([1.0, 2.0]), Variable(2.0, trainable=False)
    with GradientTape() as book:
        x = book.watch(constant)
        book.watch(frozen)
        with book.stop_recording():
            ops.sum(x * x)
        middle = frozen * x
        y = ops.sum(middle * middle)
    dx, dmiddle, dfrozen = book.gradient(y, [x, middle, frozen])
    np.testing.assert_allclose(dx, 8 * constant)
    np.testing.assert_allclose(dmiddle, 4 * constant)
    assert float(dfrozen) == 20.0
    with GradientTape() as book:
        book.watch(constant)
        y = ops.sum(constant * constant)
    with pytest.raises(UserError, match="cannot be watched unseen"):
        book.gradient(y, constant)
    with GradientTape(watch_accessed_variables=False) as book:
        y = Variable(2.0) * 3.0
    assert book.gradient(y, Variable(1.0)) is None


def test_derivatives_of_derivatives_agree_with_the_tape():
    layer = layers.Dense(3, "tanh")
    with GradientTape() as outer:
        with GradientTape() as inner:
            x = inner.watch(X.astype("float64")[:4])
            y = layer(x)  # built here: watched nevertheless
        slopes = inner.gradient(y, x)
        size = ops.sum(ops.square(slopes))
    found = outer.gradient(size, layer.trainable_weights)

    def by_tape(kernel):
        f = lambda x: ops.sum(ops.tanh(ops.matmul(x, kernel) + layer.bias))  # noqa: E731
        return ops.sum(ops.square(tape.grad(f)(X.astype("float64")[:4])))

    expected = tape.grad(by_tape)(layer.kernel.astype("float64"))
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_tapes_say_what_they_cannot():
    with GradientTape() as book:
        y = Variable(2.0) * 2.0
    book.gradient(y, Variable(1.0))
    with pytest.raises(UserError, match="not persistent"):
        book.gradient(y, Variable(1.0))
    with pytest.raises(UserError, match="used already"), book:
        pass
    with pytest.raises(UserError, match="not open"):
        book.watch(y)
    with GradientTape() as book, pytest.raises(UserError, match="no value that was computed"):
        book.gradient(3.0, y)
    with pytest.raises(UserError, match="cannot watch"), GradientTape() as other:
        other.watch("x")


def test_a_model_is_a_function_of_its_arrays():
    model = doubled()
    train(model, X, Y, epochs=1)
    arrays = [w.value.astype("float64") for w in model.trainable_weights]
    wide = X.astype("float64")

    def loss(arrays):
        outputs, others, added = model.stateless_call(arrays, [], wide, return_losses=True)
        assert others == [] and len(added) == 1
        return ops.mean(ops.square(outputs - Y)) + added[0]

    value, grads = tape.value_and_grad(loss)(arrays)
    with GradientTape() as book:
        eager = ops.mean(ops.square(model(X) - Y)) + model.losses[0]
    found = book.gradient(eager, model.trainable_weights)
    assert float(value) == pytest.approx(float(eager), rel=1e-5)
    for a, b in zip(grads, found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
    with pytest.raises(UserError, match="3 arrays were given, the weights are 4"):
        model.stateless_call(arrays[1:], [], X)


def test_gradients_by_the_functional_tape_in_a_step():
    class Functional(Model):
        def train_step(self, data):
            x, y = data
            weights = self.trainable_weights

            def loss(arrays):
                for weight, array in zip(weights, arrays, strict=True):
                    weight.assign(array)
                return self.compute_loss(x, y, self(x, training=True))

            value, grads = tape.value_and_grad(loss)([w.value for w in weights])
            self.optimizer.apply(grads, weights)
            return {"loss": value}

    one, other = doubled(kind=Functional), doubled(kind=Model)
    train(one, X, Y, epochs=1)
    train(other, X, Y, epochs=1)
    near(one, other)


# ------------------------------------------------------------------------------- losses and more


def test_what_layers_add_counts_once():
    class Penalised(Model):
        def __init__(self):
            super().__init__()
            self.one, self.other = layers.Dense(3, activity_regularizer="l2"), layers.Dense(1)

        def call(self, x):
            h = self.one(x)
            self.add_loss([0.5 * ops.mean(h), ops.sum(h) * 0.0])
            return self.other(h)

    class Same(Penalised):
        def train_step(self, data):
            return super().train_step(data)

    trained = []
    for kind in (Penalised, Same):
        trasluz.utils.set_random_seed(3)
        model = kind()
        model.compile("sgd", "mse", engine="numpy")
        trained.append((train(model, X, Y)["loss"], model.get_weights()))
    np.testing.assert_allclose(trained[0][0], trained[1][0], rtol=1e-6)
    model(X[:4])
    assert len(model.losses) == 3  # two added, one of the activity
    alone = model.compute_loss(X[:4], Y[:4], model(X[:4]))
    assert float(alone) == pytest.approx(model.test_on_batch(X[:4], Y[:4]), rel=1e-6)


def test_a_loss_that_is_added_is_enough():
    trained = doubled(loss=None)  # the penalty on a kernel is all there is
    assert train(doubled(kind=Model, loss=None), X)["loss"][-1] > 0
    with pytest.raises(UserError, match="mean"):
        trained.compute_loss = lambda **given: given["y_pred"]
        train(trained, X, Y)
    bare = Sequential([Input((2,)), layers.Dense(1)])
    bare.compile("sgd")
    with pytest.raises(UserError, match="call add_loss in a layer"):
        bare.fit(X, verbose=0)


def test_explanations_are_of_the_own_loss():
    model = doubled()
    apart = model.check_gradients(X[:4], Y[:4], print_fn=str)
    assert max(apart.values()) < 1e-6
    checks = model.explain(X[:1], Y[:1], "dense/kernel", (0, 0)).checks
    assert checks["derived"] == pytest.approx(checks["backward"], abs=1e-12)
    assert checks["derived"] == pytest.approx(checks["central difference"], abs=1e-7)
    with pytest.raises(UserError, match="no call"):
        gan().explain(X[:1], Y[:1], "d/dense/kernel", (0, 0))


def test_files(tmp_path):
    model = doubled()
    train(model, X, Y, epochs=1)
    model.save(tmp_path / "model.trasluz")
    again = saving.load_model(tmp_path / "model.trasluz", {"Doubled": Doubled})
    assert train(again, X, Y, epochs=1) == train(model, X, Y, epochs=1)
    same(again, model)  # momentum was in the file too
    model = gan()
    train(model, X, epochs=1)
    model.save(tmp_path / "gan.trasluz")
    with pytest.warns(UserWarning, match="compile of its own"):
        again = saving.load_model(tmp_path / "gan.trasluz", {"GAN": GAN})
    same(again, model)


def test_many_trainings():
    runs = trasluz.fit_many(doubled("xla"), X, Y, seeds=2, epochs=2, verbose=0)
    assert runs.history["loss"].shape == (2, 2)
    assert runs.history["loss"][0, -1] != runs.history["loss"][1, -1]
    one = trasluz.fit_many(gan, X, None, seeds=1, epochs=2, batch_size=16, verbose=0)
    assert one.history["d_loss"][0].tolist() == train(gan(), X, epochs=2)["d_loss"]
    with pytest.raises(UserError, match="compile of its own"):
        trasluz.fit_many(gan(), X, None, epochs=1)


# ----------------------------------------------------------------------------------- bad steps


def _learn(self, data, factor=1.0):
    with GradientTape() as book:
        loss = ops.mean(ops.square(self(data[0]) - data[1])) * factor
    weights = self.trainable_weights
    self.optimizer.apply(book.gradient(loss, weights), weights)
    return {"loss": loss}


def _counts(self, data):
    self.count += 1
    return _learn(self, data)


def _branches(self, data):
    logs = _learn(self, data)
    return {"loss": logs["loss"] * 2 if logs["loss"] > 1 else logs["loss"]}


def _asks_a_weight(self, data):
    return _learn(self, data, 2.0 if float(self.optimizer.iterations) > 0 else 1.0)


def _reverses(self, data):
    with GradientTape() as book:
        loss = ops.mean(ops.square(self(data[0]) - data[1]))
    weights = self.trainable_weights
    self.optimizer.apply(book.gradient(loss, weights)[::-1], weights)
    return {"loss": loss}


def _takes_down_nothing(self, data):
    loss = ops.mean(ops.square(self(data[0]) - data[1]))
    with GradientTape() as book:
        pass
    self.optimizer.apply(book.gradient(loss, self.trainable_weights), self.trainable_weights)
    return {"loss": loss}


STRANGER = layers.Dense(1)
STRANGER(X)


def _moves_a_stranger(self, data):
    with GradientTape() as book:
        loss = ops.mean(ops.square(STRANGER(data[0]) - self(data[0])))
    weights = self.trainable_weights + STRANGER.trainable_weights
    self.optimizer.apply(book.gradient(loss, weights), weights)
    return {"loss": loss}


def _assigns_the_rate(self, data):
    self.optimizer.learning_rate = 0.1
    return _learn(self, data)


def _makes_a_layer(self, data):
    return {"loss": ops.mean(layers.Dense(1)(data[0]))}


BAD = {
    "its train_step gives None": lambda self, data: _learn(self, data) and None,
    "reports 'low' as 'loss'": lambda self, data: _learn(self, data) | {"loss": "low"},
    "moves no weight": lambda self, data: {"loss": 0.0},
    "ops.where": _branches,
    "numbers of a value": lambda self, data: {"loss": np.mean(data[0])},
    "A NumPy function|a NumPy function": lambda self, data: {"loss": np.sqrt(data[0])},
    "look at numbers in a callback": lambda self, data: {"loss": float(data[0][0, 0])},
    "assigns 'count'.*Variable": _counts,
    "of shape .* the variable has": _reverses,
    "no derivative for any variable": _takes_down_nothing,
    "no weight of the model": _moves_a_stranger,
    "assigns the learning rate": _assigns_the_rate,
    "gets its weights in a step": _makes_a_layer,
    "a batch of 4 parts": lambda self, data: Model.train_step(self, (*data, None, None)),
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("said", BAD)
def test_mistakes_are_told(said, engine):
    bad = type("Bad", (Model,), {"train_step": BAD[said]})
    model = doubled(engine, bad)
    model.count = 0
    before = model.get_weights()
    with pytest.raises(UserError, match=said):
        train(model, X, Y)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_what_only_xla_cannot_is_told():
    asks = type("Asks", (Model,), {"train_step": _asks_a_weight})
    train(doubled("numpy", asks), X, Y)
    with pytest.raises(UserError, match="a compiled step does not have"):
        train(doubled("xla", asks), X, Y)


@pytest.mark.parametrize("engine", ENGINES)
def test_numbers_that_break(engine):
    class Breaks(Model):
        def train_step(self, data):
            with GradientTape() as book:
                loss = ops.mean(ops.log(self(data[0]) - 100.0 + 0.0 * data[1]))
            weights = self.trainable_weights
            self.optimizer.apply(book.gradient(loss, weights), weights)
            return {"loss": loss}

    model = doubled(engine, Breaks)
    before = model.get_weights()
    with pytest.raises(NonFiniteError, match=r"step 1, first in the forward pass, in .*log"):
        train(model, X, Y)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_without_weights_are_told():
    model = GAN(Sequential([layers.Dense(1)]), Sequential([layers.Dense(2)]))
    model.compile("sgd", "sgd", None)
    with pytest.raises(UserError, match="no weights yet, and the model has no call"):
        train(model, X)
    with pytest.raises(UserError, match="inputs without targets"):
        doubled(kind=Model).fit(X, verbose=0)


@pytest.mark.parametrize("engine", ["numpy", "xla"])
def test_plain_arrays_stand_left_of_values_of_a_step(engine):
    class Softened(Model):
        def train_step(self, data):
            labels = ops.zeros((4, 1))
            labels += 0.5 * ops.mean(data[0]) + 1.0
            others = [np.float32(6.0) - labels, np.ones((4, 1), "float32") / labels]
            others += [np.ones((4, 1)) < labels, np.ones((1, 4)) @ labels]
            with GradientTape() as book:
                loss = ops.mean(ops.square(self(data[0]) - labels))
            weights = self.trainable_weights
            self.optimizer.apply(book.gradient(loss, weights), weights)
            others = [ops.mean(ops.astype(one, dtype="float32")) for one in others]
            return dict(zip("abcd", others, strict=True))

    inputs = Input((2,))
    model = Softened(inputs, layers.Dense(1)(inputs))
    model.compile("sgd", engine=engine)
    seen = model.fit(np.full((4, 2), 2.0), np.ones((4, 1)), verbose=0, batch_size=4).history
    assert [seen[name][0] for name in "abcd"] == pytest.approx([4.0, 0.5, 1.0, 8.0])


def test_measuring_without_a_call_says_what_to_write():
    model = gan()
    for ask in (model.evaluate, model.predict):
        with pytest.raises(UserError, match=r"GAN has no call method.*test_step"):
            ask(X, verbose=0)
