"""The parts of a derivation: sections of steps, each with what it needs."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trasluz.base.messages import say, speaking

if TYPE_CHECKING:
    from trasluz.explain.derivation import Derivation

STAGES = {
    "data": "data",
    "forward": "forward",
    "loss": "loss",
    "factor": "chain",
    "chain": "chain",
    "backward": "backward",
    "update": "update",
}


class Section(NamedTuple):
    """Steps that follow each other in one stage and one layer."""

    stage: str
    where: str
    steps: list[Derivation]
    lang: str | None = None

    @property
    def title(self) -> str:
        """What is done here, in the language of messages."""
        from trasluz.pages.text import plain

        where = plain(self.where) if self.stage == "chain" else self.where
        with speaking(self.lang):
            return say(f"explain-stage-{self.stage}", part=where)
