"""Explore: every state of a bounded configuration, breadth first, so that the first violation found is a shortest one."""

from __future__ import annotations

import ctypes
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from model.explore.kernel import emit, search
from model.explore.kernel.compile import call, compile_module
from model.explore.kernel.emit import (
    ACTIONS,
    BROKEN,
    REACHED,
    STATE_BITS,
    TRANSITIONS,
    Claims,
    Emitter,
    claim_expressions,
    sorted_claims,
)
from model.explore.kernel.goals import goals_of
from model.explore.kernel.ground import Ground
from model.explore.kernel.layout import lay_out
from model.language import Eventuality, Promise, Protocol, Sometimes
from model.language.protocol import DEADLOCK
from model.reference.configuration import Configuration
from model.reference.cut import Cut, counted_by_number
from model.reference.interpreter import Interpreter
from model.reference.state import Occurrence, State, Trace, initial_state

STATES_MAX: Final = 200_000_000
"""The default maximum of states: about 6 GB with one word each. A larger exploration is undecided, never green."""

SLICE_STATES: Final = 1 << 17
"""States expanded between two progress reports."""

Verdict = Literal["holds", "violated", "undecided"]


@dataclass(frozen=True)
class Exploration:
    """The result of an exploration. Only `holds` is green."""

    configuration: str
    distinct: int
    transitions: int
    depth: int
    complete: bool
    verdict: Verdict
    violated: str
    """The name of the promise, `deadlock`, or the pinned count that was not reproduced; empty if nothing is violated."""
    trace: Trace | None
    """A shortest run to the violation."""
    reached: Mapping[str, int]
    """The reachable claims that were reached, with the depth; -1: in a step."""
    actions: frozenset[str]
    """Actions that were taken."""
    cut: Mapping[Cut, int]
    """Steps that were not taken, because they would have left the bounds, in the states whose steps were taken."""
    bounds: Mapping[str, int]
    seconds: float
    compile_seconds: float
    """Grounding, generating and compiling; close to zero from the second time on."""
    words: int
    bits: int
    constant: int
    """Fields left out because they have only one value."""
    unread: int
    """Fields left out because nothing reads them."""
    bytes_per_state: float
    """Of the search's arrays."""
    peak_bytes: int = 0
    """Of the whole process, when the search ended."""

    @property
    def said(self) -> str:
        """The verdict in words: what holds where steps were cut holds within the bounds only."""
        return "holds within the bounds" if self.verdict == "holds" and self.cut else self.verdict

    def as_json(self) -> dict[str, Any]:
        """The result as the command line writes it."""
        return {
            "config": self.configuration,
            "distinct": self.distinct,
            "transitions": self.transitions,
            "depth": self.depth,
            "complete": self.complete,
            "verdict": self.verdict,
            "violated": self.violated or None,
            "cut": counted_by_number(self.cut),
            "seconds": round(self.seconds, 3),
            "compile_seconds": round(self.compile_seconds, 3),
            "words": self.words,
        }


Progress = Callable[[int, int, float], None]
"""Called now and then with distinct states, depth and seconds."""


@dataclass
class Kernel:
    """A compiled protocol in a configuration."""

    ground: Ground
    layout: Any
    claims: Claims
    compiled: Any
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
        forget_spent: bool = True,
        everything: bool = False,
        words_min: int = 1,
        eventualities: Sequence[Eventuality] = (),
        labelled: bool = False,
        level: int = 2,
        kept: bool = True,
    ) -> Kernel:
        """Grounds, packs, generates and compiles.

        `promises`: those to check; by default all but the lemmas.
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
        compiled = compile_module(text, ("expand", "check", "no_end", "cut", "goals"), level=level, kept=kept)
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

    def cut(self, state: State) -> dict[Cut, int]:
        """How many steps are cut in a state, by reason."""
        return self.cut_in(np.array(self.pack(state), np.uint64), 1)

    def cut_in(self, states: Any, count: int) -> dict[Cut, int]:
        """How many steps are cut in the first of these packed states, by reason."""
        cuts = self.ground.cut_reasons()
        counts = np.zeros(max(len(cuts), 1), np.uint64)
        if cuts:
            address = np.uint64(self.compiled.addresses["cut"])
            search.count_cut(address, states, self.layout.words, count, counts)
        return {cut: int(number) for cut, number in zip(cuts, counts, strict=False) if number}

    def broken(self, state: State) -> list[str]:
        """The promises about states that a state breaks."""
        mask = self.mask(state)
        return [promise.name for bit, promise in enumerate(self.claims.always) if mask >> bit & 1]


def explore(
    protocol: Protocol,
    configuration: Configuration,
    *,
    states_max: int = STATES_MAX,
    progress: Progress | None = None,
    deadlocks: bool = True,
    **options: Any,
) -> Exploration:
    """Visits every state; stops at the first violation, or undecided at `states_max`. Further options are those of `Kernel.of`."""
    kernel = Kernel.of(protocol, configuration, **options)
    try:
        return _Search(kernel, protocol, configuration, states_max, deadlocks).run(progress)
    except _UnseenStepsError:  # whether there is a deadlock can be seen only if no field is left out
        unpinned = replace(configuration, pinned={})
        whole: dict[str, Any] = {"promises": [], "sometimes": [], "everything": True, "forget_spent": False}
        exact = explore(protocol, unpinned, states_max=states_max, progress=progress, **whole)
        if exact.verdict != "holds":
            return exact
        return explore(protocol, configuration, states_max=states_max, progress=progress, deadlocks=False, **options)


def search_in(
    kernel: Kernel,
    protocol: Protocol,
    configuration: Configuration,
    *,
    states_max: int = STATES_MAX,
    deadlocks: bool = True,
    addresses: Sequence[int] = (),
) -> Exploration:
    """Explores with an existing kernel. `addresses`: for a switched kernel, the function to call for each action.

    The interpreter has not yet confirmed a deadlock that is found.
    """
    return _Search(kernel, protocol, configuration, states_max, deadlocks, addresses, confirm=False).run(None)


class _UnseenStepsError(Exception):
    """In a state without a step that is seen, steps that change only fields that are left out go on without end."""


class _Search:
    """The arrays of one search, and the evaluation of its result."""

    def __init__(
        self,
        kernel: Kernel,
        protocol: Protocol,
        configuration: Configuration,
        states_max: int,
        deadlocks: bool,
        addresses: Sequence[int] = (),
        *,
        confirm: bool = True,
    ) -> None:
        self._kernel = kernel
        self._confirm = confirm
        self._protocol = protocol
        self._configuration = configuration
        self._states_max = states_max
        self._words = kernel.layout.words
        self._shape = (0,) * self._words
        # A state has at most as many successors as there are instances of actions.
        self._gathering = search.GATHERED + len(kernel.ground.instances)
        expected = min(configuration.pinned.get("distinct", 0), states_max) + self._gathering
        self._states = np.zeros(max(expected, 1 << 16) * self._words, np.uint64)
        self._table = np.zeros(max(1 << (2 * expected).bit_length(), 1 << 17) * self._words, np.uint64)
        self._gathered = np.zeros(self._gathering * self._words, np.uint64)
        self._hashes = np.zeros(self._gathering, np.uint64)
        self._counters = np.array([0] * emit.ADDRESSES + list(addresses), np.uint64)
        self._progress = np.zeros(8, np.int64)
        self._first_seen = np.zeros(32, np.int64)
        wanted = (1 << len(kernel.claims.always)) - 1
        self._masks = np.array([wanted, 0, int(deadlocks)], np.uint64)
        compiled = kernel.compiled.addresses
        self._functions = tuple(np.uint64(compiled[name]) for name in ("expand", "check", "no_end"))

    def run(self, progress: Progress | None) -> Exploration:
        start = initial_state(self._protocol, self._configuration)
        self._states[: self._words] = self._kernel.pack(start)
        self._progress[search.TAIL] = self._progress[search.LEVEL_END] = 1
        levels = [0, 1]
        search.rehash(self._shape, self._states, 1, self._table)
        self._call(0)  # compiles the search, which is not part of its time
        started = time.perf_counter()
        self._masks[1] = self._kernel.mask(start) >> STATE_BITS  # claims that hold initially are reached at depth 0
        if self._kernel.broken(start):
            outcome, self._progress[search.FLAGGED] = search.BROKEN_STATE, 0
        else:
            outcome = self._slices(levels, started, progress)
        return self._result(outcome, levels, time.perf_counter() - started)

    def _call(self, states: int) -> int:
        outcome: int = search.run(
            self._shape,
            *self._functions,
            self._states,
            self._table,
            self._gathered,
            self._hashes,
            self._counters,
            self._progress,
            self._masks,
            self._first_seen,
            states,
            self._states_max,
        )
        return outcome

    def _slices(self, levels: list[int], started: float, progress: Progress | None) -> int:
        while True:
            outcome = self._call(SLICE_STATES)
            if progress is not None:
                elapsed = time.perf_counter() - started
                progress(int(self._progress[search.TAIL]), int(self._progress[search.DEPTH]), elapsed)
            if outcome == search.FULL:
                self._grow()
            elif outcome != search.PAUSED or self._progress[search.TAIL] > self._states_max:
                return outcome

    def _grow(self) -> None:
        """Makes room for the next successors: the queue doubles, the table is at most half full."""
        count = int(self._progress[search.TAIL])
        needed = (count + self._gathering) * self._words
        if 2 * needed > self._table.size:
            self._table = np.zeros(self._table.size * 4, np.uint64)
            search.rehash(self._shape, self._states, count, self._table)
        if needed > self._states.size:
            grown = np.zeros(self._states.size * 2, np.uint64)
            grown[: self._states.size] = self._states
            self._states = grown

    # ------------------------------------------------------------------------------------------------ results

    def _result(self, outcome: int, levels: list[int], seconds: float) -> Exploration:
        flagged = int(self._progress[search.FLAGGED])
        trace, violated = None, ""
        if outcome == search.BROKEN_STATE:
            trace = self._path(flagged)
            violated = self._kernel.broken(trace.states[-1])[0]
        elif outcome == search.BROKEN_STEP:
            trace = self._path(flagged)
            trace, violated = self._with_broken_step(trace)
        elif outcome == search.STUCK:
            trace, violated = self._path(flagged), DEADLOCK
            trace = self._at_rest(trace) if self._confirm else trace
        complete = outcome == search.DONE
        distinct, depth = int(self._progress[search.TAIL]), int(self._progress[search.DEPTH])
        transitions = int(self._counters[TRANSITIONS])
        found = {"distinct": distinct, "transitions": transitions, "depth": depth}
        if complete:
            for name, pinned in self._configuration.pinned.items():
                if found[name] != pinned and not violated:
                    violated = f"pinned {name} {pinned}, found {found[name]}"
        layout, claims = self._kernel.layout, self._kernel.claims
        reached = {
            claim.name: int(self._first_seen[bit])
            for bit, claim in enumerate(claims.in_states)
            if int(self._masks[1]) >> bit & 1
        }
        mask = int(self._counters[REACHED])
        reached |= {claim.name: -1 for bit, claim in enumerate(claims.in_steps) if mask >> bit & 1}
        taken = int(self._counters[ACTIONS])
        return Exploration(
            self._configuration.name,
            distinct,
            transitions,
            depth,
            complete,
            "violated" if violated else "holds" if complete else "undecided",
            violated,
            trace,
            reached,
            frozenset(action.name for bit, action in enumerate(self._kernel.ground.actions) if taken >> bit & 1),
            self._kernel.cut_in(self._states, int(self._progress[search.HEAD])),
            self._configuration.bounds,
            seconds,
            self._kernel.seconds,
            self._words,
            layout.bits,
            layout.constant,
            layout.unread,
            (self._states.nbytes + self._table.nbytes) / max(distinct, 1),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )

    def _path(self, number: int) -> Trace:
        """A shortest run to a state: backwards through the queue for its predecessors, forwards with the interpreter."""
        numbers = [number]
        counters = self._counters.copy()
        while numbers[-1] != 0:
            # Queue order is breadth first, so the first state that leads here is on the level before.
            at = numbers[-1] * self._words
            target = self._states[at : at + self._words].copy()
            found = search.predecessor(
                self._shape, self._functions[0], self._states, 0, numbers[-1], target, self._gathered, counters
            )
            assert found >= 0, "every state but the first has a predecessor"
            numbers.append(int(found))
        packed = [
            tuple(int(word) for word in self._states[each_number * self._words : (each_number + 1) * self._words])
            for each_number in reversed(numbers)
        ]
        interpreter = self._kernel.interpreter
        states = [initial_state(self._protocol, self._configuration)]
        steps: list[Occurrence] = []
        for target_words in packed[1:]:
            for occurrence in interpreter.enabled(states[-1]):
                after = interpreter.apply(states[-1], occurrence)[0]
                if self._kernel.forgets:
                    after = interpreter.forget_spent(after)
                if self._kernel.pack(after) == target_words:
                    steps.append(occurrence)
                    states.append(after)
                    break
            else:
                raise AssertionError("the interpreter does not find the step that the kernel took")
        return Trace(self._protocol.name, self._configuration, tuple(states), tuple(steps))

    def _at_rest(self, trace: Trace) -> Trace:
        """The run, continued by the steps that change only fields that are left out, until there are none."""
        interpreter, seen = self._kernel.interpreter, self._kernel.pack(trace.states[-1])
        states, steps = list(trace.states), list(trace.steps)
        while not interpreter.is_deadlock(states[-1]):
            moves = ((one, interpreter.apply(states[-1], one)[0]) for one in interpreter.enabled(states[-1]))
            step, after = next(
                (one, to)
                for one, to in moves
                if to != states[-1] and not interpreter.action(one.action).role.environment
            )
            shown = interpreter.forget_spent(after) if self._kernel.forgets else after
            assert self._kernel.pack(shown) == seen, "the interpreter takes a step that the kernel does not find"
            if after in states:
                raise _UnseenStepsError
            states.append(after)
            steps.append(step)
        return replace(trace, states=tuple(states), steps=tuple(steps))

    def _with_broken_step(self, trace: Trace) -> tuple[Trace, str]:
        interpreter, state = self._kernel.interpreter, trace.states[-1]
        for occurrence in interpreter.enabled(state):
            after, events = interpreter.apply(state, occurrence)
            promise = interpreter.violated(state, after, events, self._kernel.claims.two_state)
            if promise is not None:
                states, steps = (*trace.states, after), (*trace.steps, occurrence)
                return Trace(trace.protocol, trace.configuration, states, steps), promise.name
        raise AssertionError("the interpreter does not find the broken promise that the kernel found")


assert BROKEN == 2  # the search relies on this position
