"""Is a gradient through our tape as short as jax's own? Equations, instructions, and time.

The function is the loss of a batch as `fit` minimises it. Ours is the gradient by our rules, which
jax only traces; theirs is `jax.grad` of that very function, and of the loss written by hand.
Equations are those of the traced program with all programs in it; instructions are XLA's after
optimisation.
"""

import re
import sys

import peers
from bench import Question, main, per

NETWORKS = {
    "2-8-8-1, 32": ((2, 8, 8, 1), 32),
    "784-128-10, 128": ((784, 128, 10), 128),
    "8-64(×8)-3, 32": ((8, *[64] * 8, 3), 32),
}
KINDS = ("equations", "instructions", "µs")


def functions(sizes, size):
    """Give our loss of a batch, and what it depends on."""
    from trasluz import training
    from trasluz.autodiff import backend
    from trasluz.data import Batch
    from trasluz.state import Context
    from trasluz.training.engine import Engine
    from trasluz.training.state import TrainingState

    model, batch = peers.our_model(sizes), Batch(*peers.data(sizes, size))
    ready = training.Ready(model, batch)
    state = TrainingState(ready, Engine(model, "xla")).arrays
    problem = training.Problem(model, ready.objective)
    y = batch.y.astype("float32" if sizes[-1] == 1 else "int32")
    x, y = backend.to_engine((batch.x, y), "xla")

    def loss(params, x, y):
        context = Context(True, state["root"], state["step"])
        return problem.loss(params, state["buffers"], Batch(x, y), context)[0]

    return loss, (state["params"], x, y)


def equations(program):
    """Count the equations of a traced program, those of the programs in it too."""
    count = 0
    for equation in program.eqns:
        given = equation.params.values()
        inside = [getattr(v, "jaxpr", v) for v in given if hasattr(getattr(v, "jaxpr", v), "eqns")]
        count += sum(map(equations, inside)) if inside else 1
    return count


def counted(make):
    """Make a contestant of what gives a gradient and its arguments."""

    def prepare(sizes, size, kind):
        import jax

        gradient, given = make(sizes, size)
        if kind == "equations":
            number = float(equations(jax.make_jaxpr(gradient)(*given).jaxpr))
        compiled = jax.jit(gradient).lower(*given).compile()
        if kind == "instructions":
            lines = re.findall(r"^ +(?:ROOT )?\S+ = ", compiled.as_text(), re.MULTILINE)
            number = float(len(lines))
        if kind != "µs":
            return lambda: number
        return per(lambda: [jax.block_until_ready(compiled(*given)) for _ in range(200)], 200)

    return prepare


def ours(sizes, size):
    """The gradient through our tape."""
    from trasluz import tape

    loss, given = functions(sizes, size)
    return lambda params, x, y: tape.grad(lambda params: loss(params, x, y))(params), given


def of_the_same(sizes, size):
    """`jax.grad` of the same function."""
    import jax

    loss, given = functions(sizes, size)
    return jax.grad(loss), given


def by_hand(sizes, size):
    """`jax.grad` of a loss that is written by hand."""
    import jax

    x, y = peers.data(sizes, size)
    return jax.grad(peers.optax_loss(sizes)), (peers.optax_params(sizes), x, y)


SAME = "jax.grad of the same"

QUESTION = Question(
    "The gradient",
    "equations, instructions, µs",
    {f"{name}: {kind}": (*job, kind) for name, job in NETWORKS.items() for kind in KINDS},
    {"ours": counted(ours), SAME: counted(of_the_same), "jax.grad by hand": counted(by_hand)},
    bars={(f"{name}: {kind}", SAME): 1.05 for name in NETWORKS for kind in KINDS[:2]},
    rounds=5,
    quick=("2-8-8-1, 32: equations", "784-128-10, 128: equations"),
    peers=(SAME,),
    margin=1.05,
)

if __name__ == "__main__":
    sys.exit(main(__file__, QUESTION))
