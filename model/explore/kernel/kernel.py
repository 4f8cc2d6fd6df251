"""A protocol in a configuration as machine code, and the same for Python: states are packed, and looked at one by one."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from model.explore.kernel.compile import Compiled, call, compile_module
from model.explore.kernel.emit import Claims, Emitter, claim_expressions, sorted_claims
from model.explore.kernel.goals import goals_of
from model.explore.kernel.ground import Ground
from model.explore.kernel.layout import Layout, lay_out
from model.explore.kernel.outline import Outline
from model.explore.kernel.searching import Words, searching, zeros
from model.language import Eventuality, Promise, Protocol, Sometimes
from model.reference.configuration import Configuration
from model.reference.cut import Cut
from model.reference.interpreter import Interpreter
from model.reference.state import State

FUNCTIONS: Final = ("expand", "check", "no_end", "cut", "goals")
"""Of a kernel's code."""


@dataclass
class Kernel:
    """A compiled protocol in a configuration."""

    ground: Ground
    layout: Layout
    claims: Claims
    compiled: Compiled
    interpreter: Interpreter
    forgets: bool
    """Whether spent messages are cleared."""
    seconds: float
    fields: list[int] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        protocol: Protocol,
        configuration: Configuration,
        *,
        promises: Sequence[Promise] | None = None,
        sometimes: Sequence[Sometimes] | None = None,
        forget_spent: bool = False,
        everything: bool = False,
        words_min: int = 1,
        eventualities: Sequence[Eventuality] = (),
        labelled: bool = False,
        level: int = 2,
        kept: bool = True,
    ) -> Kernel:
        """Grounds, packs, generates and compiles.

        `promises`: those to check; by default all but the lemmas. `forget_spent`: clear spent messages, proved or not.
        `everything`: keep even the fields that nothing reads. `words_min`: use at least this many words. `eventualities`: those
        whose goals are evaluated. `labelled`: store with each successor the instance that leads to it. `level`, `kept`: those of
        `compile_module`.
        """
        started = time.perf_counter()
        ground = Ground(protocol, configuration)
        checked = [promise for promise in protocol.promises if not promise.lemma] if promises is None else promises
        claims = replace(
            sorted_claims(checked, protocol.sometimes if sometimes is None else sometimes),
            goals=goals_of(ground, eventualities),
        )
        layout = lay_out(ground, claim_expressions(ground, claims), everything=everything, words_min=words_min)
        text = Emitter(ground, layout, claims, forget_spent=forget_spent, labelled=labelled).text()
        compiled = compile_module(text, FUNCTIONS, level=level, kept=kept)
        interpreter = Interpreter(protocol, configuration)
        seconds = time.perf_counter() - started
        return cls(ground, layout, claims, compiled, interpreter, forget_spent, seconds, list(ground.initial))

    def pack(self, state: State) -> tuple[int, ...]:
        """The words of a state."""
        self.ground.load(state, self.fields)
        return tuple(self.layout.pack(self.fields))

    def successors(self, state: State) -> set[tuple[int, ...]]:
        """The packed successors of a state that differ from it."""
        words = self.layout.words
        into = (ctypes.c_uint64 * words)(*self.pack(state))
        out = (ctypes.c_uint64 * (words * max(len(self.ground.instances), 1)))()
        counters = (ctypes.c_uint64 * 6)()
        count = call(self.compiled.addresses["expand"], into, out, counters)
        return {tuple(out[number * words : (number + 1) * words]) for number in range(count)}

    def mask(self, state: State) -> int:
        """The result of `check` for a state: promises broken, and from bit `STATE_BITS` on claims reached."""
        into = (ctypes.c_uint64 * self.layout.words)(*self.pack(state))
        return call(self.compiled.addresses["check"], into)

    @property
    def outline(self) -> Outline:
        """What a search needs of it."""
        return Outline.of(self.compiled.key, self.ground, self.layout, self.claims)

    def cut(self, state: State) -> dict[Cut, int]:
        """How many steps are cut in a state, by reason."""
        return self.cut_in((ctypes.c_uint64 * self.layout.words)(*self.pack(state)), 1)

    def cut_in(self, states: Words, count: int) -> dict[Cut, int]:
        """How many steps are cut in the first of these packed states, by reason."""
        return cut_in(states, count, self.outline, self.compiled)

    def broken(self, state: State) -> list[str]:
        """The promises about states that a state breaks."""
        mask = self.mask(state)
        return [promise.name for bit, promise in enumerate(self.claims.always) if mask >> bit & 1]


def cut_in(states: Words, count: int, outline: Outline, compiled: Compiled) -> dict[Cut, int]:
    """How many steps are cut in the first of these packed states, by reason."""
    cuts = outline.reasons()
    counts = zeros(len(cuts))
    if cuts:
        searching(outline.words)("count_cut", compiled.addresses["cut"], states, count, counts)
    return {cut: number for cut, number in zip(cuts, counts, strict=False) if number}
