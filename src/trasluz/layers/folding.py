"""A cell folded over time: states, masks, directions, what is given back; cells of any kind."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, ClassVar

import numpy as np

from trasluz.autodiff import ops
from trasluz.autodiff.scan import scan, unrolled
from trasluz.autodiff.tape import note, where
from trasluz.base.tree import fill, leaves, tree_map
from trasluz.errors import UserError, shown
from trasluz.initializers import Zeros
from trasluz.layers.base import Layer, registry
from trasluz.state.binding import Binding, read
from trasluz.state.context import current
from trasluz.state.module import Buffer, assign_paths, modules_in
from trasluz.state.symbolic import SymbolicTensor, drawing


class _Folded(Layer):
    """What layers that fold a cell over time share.

    A subclass has the fields `return_sequences`, `return_state`, `go_backwards`, `stateful`,
    `unroll` and `zero_output_for_mask`, and of its cell `declare(step_shape)`, which declares its
    arrays, `begin(rows)`, the states to start from, nested as the cell's, and
    `prepared(x, training)`, which takes in all steps: what each turn sees, what all see, and
    `turn(x, states, constants) -> (output, states)`.
    """

    _rows: ClassVar[int] = 0  # how many rows a batch has, where states are carried on

    def build(self: Any, input_shape: Any) -> None:
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        if len(shape) < 3 or shape[-1] is None:
            raise UserError(
                f"a recurrent layer reads (batch, time, features), the shape is {shape}",
                where(),
                "after another recurrent layer, give that one return_sequences=True; else add a "
                "time axis, e.g. x[..., None] or Reshape",
            )
        self.declare((shape[0], *shape[2:]))
        if self.stateful:
            for i, state in enumerate(leaves(self.begin(self._rows))):
                setattr(self, f"state_{i}", Buffer(state.shape, Zeros(), carried=True))

    def _draw_call(self: Any, inputs: Any, training: Any, options: dict[str, Any]) -> Any:
        x = inputs[0]
        if self.stateful and isinstance(x, SymbolicTensor) and x.shape[0] is None:
            raise UserError(
                "stateful=True carries states on from batch to batch, and how many rows a batch "
                f"has is not known: the shape is {x.shape}",
                self.name or type(self).__name__,
                "begin the model with Input(shape, batch_size=…)",
            )
        return super()._draw_call(inputs, training, options)

    def _build_for(self: Any, inputs: tuple[Any, ...]) -> None:
        self._rows = inputs[0].shape[0] if inputs[0].shape else 0
        super()._build_for(inputs)

    @property
    def states(self: Any) -> list[Any]:
        """The states that the next batch starts from; none unless `stateful`."""
        return [getattr(self, name) for name in self._carried()]

    def _carried(self: Any) -> list[str]:
        return [name for name, spec in self._specs.items() if spec.carried]

    def reset_state(self: Any) -> None:
        """Let the next batch start from zeros again.

        Raises:
            UserError: if the layer carries no states on.
        """
        if not self.stateful:
            raise UserError("it carries no states on", self.name or "", "give stateful=True")
        for name in self._carried():
            setattr(self, name, np.zeros_like(getattr(self, name)))

    reset_states = reset_state

    def call(
        self: Any, inputs: Any, initial_state: Any = None, mask: Any = None, training: bool = False
    ) -> Any:
        x = inputs if inputs.dtype.kind == "f" else ops.astype(inputs, dtype=self.compute_dtype)
        x = ops.transpose(x, axes=(1, 0, *range(2, x.ndim)))  # (time, batch, …)
        time, rows = x.shape[:2]
        turns, constants, take = self.prepared(x, training)
        states = self._first(initial_state, rows, turns.dtype)
        xs = {"x": turns}
        if mask is not None:
            xs["valid"] = _valid(mask, rows, time)

        def body(states: Any, turn: dict[str, Any], constants: Any) -> tuple[Any, Any]:
            output, new = take(turn["x"], states, constants)
            if "valid" not in turn:
                return new, note(output, "state")
            count = lambda n, s: ops.where(_beside(turn["valid"], n), n, s)  # noqa: E731
            other = ops.zero(output) if self.zero_output_for_mask else _like(output, states)
            kept = tree_map(count, new, states)
            is_state = output is leaves(new)[0] and not self.zero_output_for_mask
            output = leaves(kept)[0] if is_state else count(output, other)
            return kept, note(output, "state")

        with unrolled() if self.unroll else nullcontext():
            last, outputs = scan(body, states, xs, constants, reverse=self.go_backwards)
        if self.stateful:
            for name, state in zip(self._carried(), leaves(last), strict=True):
                setattr(self, name, ops.stop_gradient(state))
        if self.return_sequences:
            outputs = ops.flip(outputs, 0) if self.go_backwards else outputs
            output = ops.transpose(outputs, axes=(1, 0, *range(2, outputs.ndim)))
        else:
            output = self.last_output(last, outputs, mask is not None)
        return (output, *(_alone(state) for state in last)) if self.return_state else output

    def compute_mask(self: Any, inputs: Any, mask: Any = None) -> Any:
        """Tell which steps of the output count; the states count as a whole."""
        return [mask if self.return_sequences else None]

    def last_output(self: Any, last: Any, outputs: Any, masked: bool) -> Any:
        """Give the output of the last turn."""
        return outputs[0 if self.go_backwards else -1]

    def _first(self: Any, given: Any, rows: int, dtype: Any) -> Any:
        """Give the states to start from: those given, those carried on, or zeros."""
        zeros = tree_map(lambda zero: zero.astype(dtype), self.begin(rows))
        if given is None and self.stateful:
            if rows != self._rows:
                raise UserError(
                    f"the batch has {rows} rows, and the states are carried on for {self._rows}",
                    where(),
                    "give batches of one size (a batch_size that divides the number of rows), "
                    "and begin the model with Input(shape, batch_size=…)",
                )
            given = self.states
        if given is None:
            return zeros
        wanted, states = leaves(zeros), leaves(given)
        if len(states) != len(wanted):
            raise UserError(
                f"{len(states)} initial states were given, the layer has {len(wanted)}",
                where(),
                "give one for each, as return_state=True gives them",
            )
        for state, zero in zip(states, wanted, strict=True):
            if np.shape(state) != zero.shape:
                raise UserError(
                    f"an initial state has the shape {np.shape(state)}, it should be {zero.shape}",
                    where(),
                    "give (rows, units), as return_state=True gives them",
                )
        return fill(zeros, [_of_type(dtype, state) for state in states])


def _alone(states: Any) -> Any:
    """Take the one state of a cell among others out of its list."""
    return states[0] if isinstance(states, (list, tuple)) and len(states) == 1 else states


def _of_type(dtype: Any, state: Any) -> Any:
    state = state if hasattr(state, "dtype") else np.asarray(state, dtype)
    return state if state.dtype == dtype else ops.astype(state, dtype=dtype)


def _valid(mask: Any, rows: int, time: int) -> Any:
    """Take in a mask: a truth for each step of each row; the steps come first."""
    mask = mask if hasattr(mask, "dtype") else np.asarray(mask)
    if tuple(mask.shape) != (rows, time):
        raise UserError(
            f"the mask has the shape {tuple(mask.shape)}, the sequences have {(rows, time)}",
            where(),
            "give one truth for each step: (rows, time)",
        )
    return ops.transpose(mask if mask.dtype.kind == "b" else mask != 0, axes=(1, 0))


def _beside(valid: Any, x: Any) -> Any:
    """Give a truth a row the rank of what it chooses."""
    return ops.reshape(valid, shape=(-1, *[1] * (len(x.shape) - 1)))


def _like(output: Any, states: Any) -> Any:
    """Give what a step that does not count repeats: the first state, of the last cell if many."""
    first = states[-1] if isinstance(states[0], (list, tuple)) else states
    before = first[0] if isinstance(first, (list, tuple)) else first
    if before.shape != output.shape:
        raise UserError(
            f"a step that does not count repeats the first state, of shape {before.shape}, "
            f"where the cell gives {output.shape}",
            where(),
            "give zero_output_for_mask=True",
        )
    return before


def _after(states: Any, new: Any) -> Any:
    """Take in the states that a cell gives, nested as those before.

    Raises:
        UserError: if there are not as many, or one has another shape.
    """
    given = leaves(new)
    shapes = [[np.shape(state) for state in several] for several in (leaves(states), given)]
    if shapes[0] != shapes[1]:
        raise UserError(
            f"a cell gives states of shapes {shapes[1]}, its state_size says {shapes[0]}",
            where(),
            "give (output, states) with a state for each size",
        )
    return fill(states, given)


def zeros_for(cell: Any, rows: int) -> Any:
    """Give the states a cell starts from, as a list."""
    own = getattr(cell, "get_initial_state", None)
    if own is not None:
        states = own(batch_size=rows)
        return states if isinstance(states, (list, tuple)) else [states]
    size = cell.state_size
    sizes = size if isinstance(size, (list, tuple)) else [size]
    return [np.zeros((rows, n), cell.compute_dtype) for n in sizes]


def build_cell(cell: Any, step_shape: Any) -> None:
    """Build a cell, and the layers in it that are not built before they are called."""
    if not cell.built:
        cell.build(step_shape)
    context = current()
    assert context is not None
    if all(one.built for one in modules_in(cell) if isinstance(one, Layer)):
        return
    within = context.again(False)
    within.losses, within.owners, within.calls = [], [], {}
    with within, drawing():
        cell(np.zeros((1, *step_shape[1:]), cell.compute_dtype), zeros_for(cell, 1))
    context.root = within.root


def checked_cell(given: Any) -> Any:
    """Take in a cell, or what one was written down as.

    Raises:
        UserError: if it is none.
    """
    cell = registry.get(given) if isinstance(given, dict) else given
    if not isinstance(cell, Layer) or isinstance(cell, _Folded):
        raise UserError(f"{shown(given)} is not a cell", where(), "e.g. LSTMCell(8)")
    if getattr(cell, "state_size", None) is None:
        raise UserError(
            f"{shown(cell)} does not say how large its states are",
            where(),
            "give it a state_size: a number, or a list of one for each state",
        )
    return cell


class RNN(_Folded):
    """A cell folded over time: `output_t, states_t = cell(x_t, states_{t−1})`.

    A cell is a layer with a `state_size`, a number or a list of one for each state, that is called
    on the input of a step and a list of states and gives its output and the new states. It may say
    its `output_size` and have `get_initial_state(batch_size)`. Random numbers drawn in a cell are
    the same at every step.

    Shapes: `(batch, time, …) → (batch, units)`, or `(batch, time, units)` with `return_sequences`.

    Args:
        cell: the cell, or a list of cells, each on the outputs of the one before.
        return_sequences: give all outputs instead of the last.
        return_state: give the last states too.
        go_backwards: read the sequence from its end.
        stateful: start each batch from the states that the one before ended with; see `LSTM`.
        unroll: take the turns one by one in the compiled program instead of in a loop.
        zero_output_for_mask: whether a step that does not count gives zeros; else it repeats.

    Raises:
        UserError: if it is no cell.

    >>> import numpy as np
    >>> from trasluz.layers import GRUCell, LSTMCell
    >>> RNN([LSTMCell(4), GRUCell(2)], return_sequences=True)(np.zeros((2, 5, 3))).shape
    (2, 5, 2)
    """

    cell: Any
    return_sequences: bool = False
    return_state: bool = False
    go_backwards: bool = False
    stateful: bool = False
    unroll: bool = False
    zero_output_for_mask: bool = False

    @property
    def state_size(self) -> Any:
        """How large the states are: a list, one for each."""
        size = self.cell.state_size
        return list(size) if isinstance(size, (list, tuple)) else [size]

    def declare(self, step_shape: Any) -> None:
        """Declare the cell's arrays for inputs of this shape at each step."""
        several = isinstance(self.cell, (list, tuple))
        self.cell = StackedRNNCells(list(self.cell)) if several else checked_cell(self.cell)
        assign_paths(self, self._path)
        build_cell(self.cell, step_shape)

    def begin(self, rows: int) -> Any:
        """Give the states to start from."""
        return zeros_for(self.cell, rows)

    def get_initial_state(self, batch_size: int) -> Any:
        """Give the states that so many rows start from."""
        return self.begin(batch_size)

    def prepared(self, x: Any, training: bool) -> Any:
        """Take in all steps; the cell's arrays are what all turns see."""
        cell, context = self.cell, current()
        assert context is not None
        binding, calls = Binding(cell), dict(context.calls)

        def turn(x: Any, states: Any, arrays: Any) -> tuple[Any, Any]:
            within = context.again(training)
            within.losses, within.calls = [], dict(calls)  # each turn draws the same
            twins = binding.twins(arrays)
            with within:
                output, new = twins[0](x, states)
            if within.losses:
                raise UserError(
                    "a cell adds to the loss",
                    where(),
                    "add penalties on what the whole layer gives",
                )
            after = binding.read(twins)
            moved = [path for path, array in arrays.items() if after[path] is not array]
            if moved:
                raise UserError(
                    f"a cell moves {moved[0]!r} at each step, and what it assigns would be lost",
                    where(),
                    "keep it among the states; LayerNormalization keeps nothing",
                )
            context.calls.update(within.calls)
            return output, _after(states, new)

        own = getattr(cell, "all_steps", None)
        return (x, read(cell), turn) if own is None else own(x, training)


class StackedRNNCells(Layer):
    """Cells on top of each other as one: each reads the outputs of the one before.

    Args:
        cells: the cells.

    >>> import numpy as np
    >>> from trasluz.layers import SimpleRNNCell
    >>> cells = StackedRNNCells([SimpleRNNCell(4), SimpleRNNCell(2)])
    >>> output, states = cells(np.zeros((2, 3)), cells.get_initial_state(2))
    >>> output.shape, [state[0].shape for state in states]
    ((2, 2), [(2, 4), (2, 2)])
    """

    cells: Any

    @property
    def state_size(self) -> list[Any]:
        """How large the states of each cell are."""
        return [cell.state_size for cell in self._taken()]

    @property
    def output_size(self) -> int:
        """How many numbers the last cell gives."""
        return _output_size(self._taken()[-1])

    def get_initial_state(self, batch_size: int) -> list[Any]:
        """Give the states that so many rows start from: zeros, a list for each cell."""
        return [zeros_for(cell, batch_size) for cell in self._taken()]

    def _taken(self) -> list[Any]:
        """Take in the cells, those too that are written down."""
        if any(isinstance(cell, dict) for cell in self.cells):
            self.cells = [checked_cell(cell) for cell in self.cells]
        return self.cells  # type: ignore[no-any-return]

    def build(self, input_shape: Any) -> None:
        self.cells = [checked_cell(cell) for cell in self.cells]
        if not self.cells:
            raise UserError("there are no cells", where(), "give a list, e.g. [LSTMCell(8)]")
        assign_paths(self, self._path)
        shape = input_shape[0] if isinstance(input_shape, list) else input_shape
        for cell in self.cells:
            build_cell(cell, shape)
            shape = (shape[0], _output_size(cell))

    def call(self, inputs: Any, states: Any) -> Any:  # type: ignore[override]
        new = []
        for cell, own in zip(self.cells, states, strict=True):
            inputs, after = cell(inputs, own)
            new.append(_after(own, after))
        return inputs, new


def _output_size(cell: Any) -> int:
    size = getattr(cell, "output_size", None) or cell.state_size
    return size[0] if isinstance(size, (list, tuple)) else size  # type: ignore[no-any-return]
