"""Every row, by table: value, first and second derivative, engines, spelling.

python tests/test_ops.py     writes the golden file of spellings anew
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from rows import SAMPLES, Sample, each, floats
from trasluz import ops, tape
from trasluz.autodiff import slicing, windows  # noqa: F401 (their rows are in the table too)
from trasluz.errors import UserError
from trasluz.typeset import Symbol, derivative, pullback

GOLDEN = Path(__file__).parent / "golden" / "derivatives.txt"


@pytest.fixture(autouse=True)
def wide():
    """Double precision, and no silent promotion of types, under jax."""
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        yield


def run(name: str, sample: Sample, *values: np.ndarray):
    """Apply a row with other values in the places of its floating arguments."""
    args = list(sample.args)
    for place, value in zip(floats(sample), values, strict=True):
        args[place] = value
    return ops.PRIMITIVES[name](*args, **sample.params)


def weighted(name: str, sample: Sample):
    """Make a scalar of a row's result: a sum with fixed weights, smooth and not symmetric."""
    value = run(name, sample, *[sample.args[i] for i in floats(sample)])
    weights = np.cos(np.arange(np.size(value)) + 1.0).reshape(np.shape(value))
    return lambda args: ops.sum(run(name, sample, *args) * weights)


def differentiable(name: str) -> bool:
    return any(rule is not None for rule in ops.PRIMITIVES[name].rules)


def test_every_row_has_samples():
    rows, sampled = set(ops.PRIMITIVES), set(SAMPLES)
    assert rows <= sampled, f"add to SAMPLES in tests/rows.py: {rows - sampled}"
    assert sampled <= rows, f"SAMPLES in tests/rows.py names what is no row: {sampled - rows}"


@pytest.mark.parametrize(("name", "sample"), each())
def test_engines_agree(name, sample):
    args = [sample.args[i] for i in floats(sample)]
    here = run(name, sample, *args)
    there = jax.jit(lambda *a: run(name, sample, *a))(*args)
    np.testing.assert_allclose(there, here, rtol=1e-12, atol=1e-14)
    assert np.asarray(here).dtype == there.dtype


@pytest.mark.parametrize(("name", "sample"), each())
def test_dtype_is_kept(name, sample):
    if name in ("astype", "argmax", "argsort") or "equal" in name or name in ("less", "greater"):
        pytest.skip("gives another type on purpose")
    args = [sample.args[i].astype("float32") for i in floats(sample)]
    f = weighted(name, sample)
    assert np.asarray(run(name, sample, *args)).dtype == np.float32
    assert np.asarray(jax.jit(lambda *a: run(name, sample, *a))(*args)).dtype == np.float32
    if differentiable(name) and name != "power":
        single = tape.grad(lambda args: ops.sum(run(name, sample, *args)))
        assert all(g.dtype == np.float32 for g in single(args)), f


@pytest.mark.parametrize(("name", "sample"), each())
def test_first_derivative(name, sample):
    args = [sample.args[i] for i in floats(sample)]
    f = weighted(name, sample)
    if not differentiable(name):
        assert all(not np.any(g) for g in tape.grad(f)(args))
        return
    gradient = tape.grad(f)(args)
    direction = [np.sin(np.arange(a.size) + 2.0).reshape(a.shape) for a in args]
    step = 1e-6
    ahead = f([a + step * d for a, d in zip(args, direction, strict=True)])
    behind = f([a - step * d for a, d in zip(args, direction, strict=True)])
    expected = (ahead - behind) / (2 * step)
    found = sum(float(np.sum(g * d)) for g, d in zip(gradient, direction, strict=True))
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-8)
    assert all(g.shape == a.shape for g, a in zip(gradient, args, strict=True))
    compiled, oracle = jax.jit(lambda args: (tape.grad(f)(args), jax.grad(f)(args)))(args)
    for g, c, o in zip(gradient, compiled, oracle, strict=True):
        np.testing.assert_allclose(c, g, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(g, o, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "sample"), each())
def test_second_derivative(name, sample):
    if not differentiable(name) or name == "stop_gradient":
        pytest.skip("has no derivative")
    args = [sample.args[i] for i in floats(sample)]
    f = weighted(name, sample)
    curved = lambda args: f(args) ** 2 + f(args)  # noqa: E731 (linear rows get curvature too)
    v = [np.cos(np.arange(a.size) + 0.5).reshape(a.shape) for a in args]
    found = tape.hvp(curved, args, v)
    step = 1e-6
    ahead = tape.grad(curved)([a + step * d for a, d in zip(args, v, strict=True)])
    behind = tape.grad(curved)([a - step * d for a, d in zip(args, v, strict=True)])
    for h, a, b in zip(found, ahead, behind, strict=True):
        np.testing.assert_allclose(h, (a - b) / (2 * step), rtol=2e-5, atol=2e-6)


def spelled() -> str:
    """Spell every row and every derivative, with names and with numbers."""
    lines = []
    for name, samples in SAMPLES.items():
        row, sample = ops.PRIMITIVES[name], samples[0]
        letters = "xbcdef" if len(sample.args) == 1 else "abcdef"
        if row.kind == "elementwise":
            scalars = [np.asarray(a).ravel()[0] for a in sample.args]
            args = [Symbol(letters[i], a) for i, a in enumerate(scalars)]
        else:
            args = [Symbol(letters[i].upper(), a) for i, a in enumerate(sample.args)]
        value = row.forward(*(a.value for a in args), **sample.params)
        y = Symbol("y" if row.kind == "elementwise" else "Y", value)
        lines.append(f"{name}: {row(*args, **sample.params).latex}")
        for i in range(len(args)):
            if row.kind == "structural":
                g = Symbol("G", np.ones(np.shape(value)))
                d = pullback(row, i, g, y, *args, **sample.params)
                lines.append(f"  {args[i].latex}: {'-' if d is None else d.latex}")
                continue
            d = derivative(row, i, y, *args)
            if d is None:
                lines.append(f"  {args[i].latex}: -")
                continue
            lines.append(f"  {args[i].latex}: {d.latex}  =  {d.numbers()}  =  {float(d.value):.6g}")
    return "\n".join(lines) + "\n"


def test_spelling_against_golden_file():
    assert spelled() == GOLDEN.read_text(), (
        "is the new spelling right? python tests/test_ops.py writes it"
    )


def test_an_altered_rule_alters_the_spelling(monkeypatch):
    altered = (lambda y, x: 2 - y**2,)
    monkeypatch.setattr(ops.PRIMITIVES["tanh"], "rules", altered)
    assert "2 - y^{2}" in spelled()


# ---------------------------------------------------------------------------- kinks and edges


def test_kinks_are_as_written():
    zero = np.zeros(1)
    total = lambda f: lambda x: ops.sum(f(x))  # noqa: E731
    assert tape.grad(total(ops.relu))(zero) == 0
    assert tape.grad(total(ops.absolute))(zero) == 0
    assert tape.grad(total(ops.norm))(np.zeros(3)).tolist() == [0, 0, 0]
    assert tape.grad(total(lambda x: ops.clip(x, 0.0, 1.0)))(zero) == 0.5
    assert tape.grad(ops.max)(np.array([1.0, 1.0, 0.0])).tolist() == [0.5, 0.5, 0]


def test_powers_at_the_origin():
    """Derivatives of x⁰, x¹ and x² at 0, to the third."""
    for n, wanted in ((0, (0, 0, 0)), (1, (1, 0, 0)), (2, (0, 2, 0)), (3, (0, 0, 6))):
        f = lambda x, n=n: x**n  # noqa: E731
        for order in wanted:
            f = tape.grad(f)
            assert f(np.array(0.0)) == order


def test_no_derivative_passes_through_whole_numbers():
    """d/dx Σ ⌊x⌋·x is ⌊x⌋: the cast is a constant."""

    def f(x):
        return ops.sum(ops.astype(ops.astype(x, dtype=np.dtype("int32")), dtype=x.dtype) * x)

    assert tape.grad(f)(np.array([1.7, 2.3])).tolist() == [1, 2]
    truth = lambda x: ops.sum(ops.astype(x > 1, dtype=x.dtype) * x)  # noqa: E731
    assert tape.grad(truth)(np.array([0.5, 2.0])).tolist() == [0, 1]


def test_derivatives_keep_the_type_of_their_argument():
    x = np.ones(3, "float32")
    wide = np.array([1.0, 2.0, 3.0])
    assert tape.grad(lambda x: ops.sum(x * wide))(x).dtype == np.float32


def test_a_learnt_option_of_a_composite():
    from trasluz.activations import leaky_relu

    f = lambda a: ops.sum(leaky_relu(np.array([-2.0, 1.0]) * 1.0, negative_slope=a))  # noqa: E731
    g = lambda a: ops.sum(leaky_relu(-a, negative_slope=a))  # noqa: E731
    assert tape.grad(f)(np.array(0.3)) == pytest.approx(-2)
    assert tape.grad(g)(np.array(0.3)) == pytest.approx(-0.6)


def test_where_hides_what_is_not_chosen():
    x = np.array([0.0, 4.0])
    safe = lambda x: ops.sum(ops.where(x > 0, ops.sqrt(ops.where(x > 0, x, 1.0)), 0.0))  # noqa: E731
    assert tape.grad(safe)(x).tolist() == [0, 0.25]


def test_prod_with_a_zero_factor():
    x = np.array([2.0, 0.0, 3.0])
    assert tape.grad(lambda x: ops.sum(ops.prod(x)))(x).tolist() == [0, 6, 0]


@pytest.mark.parametrize("f", [ops.softmax, ops.log_softmax, ops.sigmoid, ops.softplus])
def test_extreme_arguments_stay_finite(f):
    x = np.array([[-1e4, 0.0, 1e4], [1e4, 1e4, -1e4]], "float32")
    assert np.isfinite(f(x)).all()
    assert np.isfinite(tape.grad(lambda x: ops.sum(f(x) * f(x)))(x * 0.01)).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((4, 2, 3), (3,)), ((3,), (4, 3, 2))],
)
def test_matmul_of_vectors(a, b):
    x, w = np.random.default_rng(0).normal(size=a), np.random.default_rng(1).normal(size=b)
    np.testing.assert_allclose(tape.vjp(ops.matmul, x, w)[0], x @ w)
    got = tape.grad(lambda p: ops.sum(ops.square(ops.matmul(*p))))((x, w))
    want = jax.grad(lambda p: jnp.sum((p[0] @ p[1]) ** 2))((x, w))
    for g, o in zip(got, want, strict=True):
        np.testing.assert_allclose(g, o, rtol=1e-10)


def test_matmul_says_both_shapes():
    with pytest.raises(UserError, match=r"\(2, 3\) and \(4, 5\)"):
        tape.grad(lambda x: ops.sum(ops.matmul(x, np.ones((4, 5)))))(np.ones((2, 3)))


def test_a_branch_on_a_box_names_the_place():
    def f(x):
        with tape.scope("dense_1"):
            return x * 2 if x > 0 else x

    with pytest.raises(UserError, match=r"dense_1.*truth"):
        tape.grad(f)(np.array(1.0))


def test_a_stray_numpy_call_fails_at_once():
    with pytest.raises((UserError, TypeError)):
        tape.grad(lambda x: np.sum(np.tanh(x)))(np.ones(2))


def test_gradient_of_a_vector_is_refused():
    with pytest.raises(UserError, match=r"scalar.*\(2,\)"):
        tape.grad(lambda x: x * 2)(np.ones(2))


def test_plain_numbers_will_do():
    assert tape.grad(lambda x: x**3)(2.0) == 12
    assert tape.hvp(lambda x: x**3, 2, 1.0) == 12


def test_has_aux_and_shared_inputs():
    (value, aux), g = tape.value_and_grad(lambda x: (ops.sum(x * x), {"twice": x + x}), True)(
        np.array([3.0])
    )
    assert (value, aux["twice"][0], g[0]) == (9, 6, 6)


def test_made_by_sees_through_an_activation():
    def f(x):
        p = ops.softmax(x)
        assert tape.made_by(p, ops.softmax) is x
        assert tape.made_by(p, ops.sigmoid) is None
        s = ops.sigmoid(x)
        logits = tape.made_by(s, ops.sigmoid)
        assert logits.index == x.index
        return ops.sum(logits)

    assert tape.grad(f)(np.ones(3)).tolist() == [1, 1, 1]


def test_tape_is_free_of_cycles():
    import gc
    import weakref

    class Marked(np.ndarray):
        pass

    x = np.ones(5).view(Marked)
    gone = weakref.ref(x)
    gc.disable()
    try:
        tape.grad(lambda x: ops.sum(ops.tanh(x) * x))(x)
        del x
        assert gone() is None
    finally:
        gc.enable()


if __name__ == "__main__":
    GOLDEN.write_text(spelled())
