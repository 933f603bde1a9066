"""What layers know of the step they run in."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from trasluz.autodiff import random
from trasluz.autodiff.tape import outermost, released


class Context:
    """What layers know of the step they run in; `with` makes it the current one.

    Args:
        training: whether layers behave as in training (dropout, batch statistics).
        root: the key that all randomness of the run comes from; a fresh one if it is not given.
        step: the number of the training step.
        factors: numbers that the step is given for penalties to take, by name.

    Attributes:
        losses: the terms that were added to the loss.
        owners: for each, the layer that added it, and the outermost call in which it did.
        acting: the model whose own step is running, and what its step knows; else `None`.
    """

    __slots__ = (
        "_tokens", "acting", "calls", "factors", "losses", "masks", "owners", "root", "step",
        "training",
    )  # fmt: skip

    def __init__(
        self,
        training: bool = False,
        root: Any = None,
        step: Any = 0,
        factors: Mapping[str, Any] | None = None,
    ) -> None:
        self.training, self.root, self.step = training, root, step
        self.factors: Mapping[str, Any] = factors or {}
        self.losses: list[Any] = []
        self.owners: list[tuple[Any, Any]] = []
        self.acting: Any = None
        self.calls: dict[str, int] = {}
        self.masks: dict[int, tuple[Any, Any]] = {}  # arrays and theirs; see `state.masks`
        self._tokens: list[Any] = []  # layers enter the context of the layer that calls them

    def key_for(self, path: str, seed: int | None = None) -> Any:
        """Give a layer's key in this step, another one at each call of a shared layer.

        Args:
            path: the layer's path.
            seed: makes the key depend on seed, step and call alone.
        """
        call = self.calls[path] = self.calls.get(path, -1) + 1
        if seed is not None:
            return random.fold(random.key(seed), self.step, call)
        self.root = random.next_key() if self.root is None else self.root
        return random.fold(self.root, self.step, f"{path}#{call}")

    def add(self, owner: Any, term: Any) -> None:
        """Add a term to the loss."""
        self.losses.append(released(term))
        self.owners.append((owner, outermost()))

    def added_by(self, owners: set[int]) -> list[Any]:
        """List the terms that some layers (by `id`) added in the last outermost call of each."""
        last = {id(owner): call for owner, call in self.owners}
        pairs = zip(self.losses, self.owners, strict=True)
        return [
            term for term, (owner, call) in pairs if id(owner) in owners and last[id(owner)] is call
        ]

    def again(self, training: bool) -> Context:
        """The same step with another training flag."""
        other = Context(training, self.root, self.step, self.factors)
        other.losses, other.calls, other.masks = self.losses, self.calls, self.masks
        other.owners, other.acting = self.owners, self.acting
        return other

    def __enter__(self) -> Context:
        self._tokens.append(_current.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _current.reset(self._tokens.pop())


_opened: ContextVar[tuple[Any, ...]] = ContextVar("opened", default=())
_current: ContextVar[Context | None] = ContextVar("context", default=None)


def opened() -> tuple[Any, ...]:
    """Give the gradient tapes that are open, the outermost first."""
    return _opened.get()


def current() -> Context | None:
    """Give the context of the step that is running, if one is."""
    return _current.get()
