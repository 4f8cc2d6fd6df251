"""What a search needs of a kernel beside its code: kept in the cache, so that a protocol is not grounded for each search."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final, Self

from model import cache
from model.explore.kernel.emit import Claims
from model.explore.kernel.ground import Ground
from model.explore.kernel.layout import Layout
from model.reference.cut import Cut

KIND: Final = "kernels"
"""The folder of the cache."""


@dataclass(frozen=True)
class Outline:
    """A kernel without its ground protocol. Names are in the order of the masks' bits."""

    code: str
    """The digest of its text."""
    words: int
    bits: int
    constant: int
    unread: int
    start: Sequence[int]
    """The packed initial state."""
    instances: int
    actions: Sequence[str]
    always: Sequence[str]
    in_states: Sequence[str]
    in_steps: Sequence[str]
    cuts: Sequence[Sequence[str | bool]]
    """Action, number, and whether it would be above its bound."""

    @classmethod
    def of(cls, code: str, ground: Ground, layout: Layout, claims: Claims) -> Self:
        """The outline of a kernel."""
        return cls(
            code,
            layout.words,
            layout.bits,
            layout.constant,
            layout.unread,
            layout.pack(ground.initial),
            len(ground.instances),
            [action.name for action in ground.actions],
            [promise.name for promise in claims.always],
            [claim.name for claim in claims.in_states],
            [claim.name for claim in claims.in_steps],
            [(cut.action, cut.number, cut.above) for cut in ground.cut_reasons()],
        )

    @classmethod
    def read(cls, key: str) -> Self | None:
        """The one that is kept under this key; None if there is none."""
        data = cache.read(KIND, key)
        return cls(**json.loads(data)) if data is not None else None

    def write(self, key: str) -> None:
        """Keeps it under this key."""
        cache.write(KIND, key, json.dumps(asdict(self)).encode())

    def reasons(self) -> list[Cut]:
        """The reasons for which steps may be cut."""
        return [Cut(str(action), str(number), bool(above)) for action, number, above in self.cuts]
