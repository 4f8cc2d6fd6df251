"""Explore: every state of a bounded configuration, breadth first, so that the first violation found is a shortest one."""

from __future__ import annotations

import ctypes
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

from model import cache
from model.explore.kernel import emit, indices
from model.explore.kernel.compile import Compiled, call, load_kept
from model.explore.kernel.emit import (
    ACTIONS,
    BROKEN,
    REACHED,
    STATE_BITS,
    TRANSITIONS,
)
from model.explore.kernel.kernel import FUNCTIONS, Kernel, cut_in
from model.explore.kernel.outline import Outline
from model.explore.kernel.searching import searching, zeros
from model.language import Protocol
from model.language.declaration import content
from model.language.protocol import DEADLOCK
from model.proof.forgetting import may_forget
from model.reference.configuration import Configuration
from model.reference.cut import Cut, counted_by_number
from model.reference.deadlock import is_deadlock, moves
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
    forgets: bool
    """Whether spent messages were forgotten, or there are none."""
    uncompared: bool
    """There are pinned counts, and they say nothing: they are those of a search that forgets, and this one does not."""
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
            "forgets": self.forgets,
        }


Progress = Callable[[int, int, float], None]
"""Called now and then with distinct states, depth and seconds."""


def explore(
    protocol: Protocol,
    configuration: Configuration,
    *,
    states_max: int = STATES_MAX,
    progress: Progress | None = None,
    deadlocks: bool = True,
    forget_spent: bool = True,
    kept: bool = True,
    **options: Any,
) -> Exploration:
    """Visits every state; stops at the first violation, or undecided at `states_max`. Further options are those of `Kernel.of`.

    `forget_spent`: forget spent messages, if it is proved of this protocol that they enable nothing; proving it takes some seconds,
    the first time. What cannot be proved is explored with all messages. `kept`: whether what is compiled is kept in the cache.
    """
    claims = (*(options.get("promises") or ()), *(options.get("sometimes") or ()))
    forgets = forget_spent and may_forget(protocol, claims)

    def made() -> Kernel:
        return Kernel.of(protocol, configuration, forget_spent=forgets, kept=kept, **options)

    started = time.perf_counter()
    shown = {name: [*map(content, value)] if name in CLAIMED and value else value for name, value in options.items()}
    key = cache.key_of(protocol.digest(), configuration.content(), forgets, sorted(shown.items()))
    outline = Outline.read(key) if kept else None
    compiled = load_kept(outline.code, FUNCTIONS) if outline is not None else None
    if outline is None or compiled is None:
        kernel = made()
        outline, compiled = kernel.outline, kernel.compiled
        if kept:
            outline.write(key)
        made = lambda: kernel  # noqa: E731 - the same, at hand
    seconds = time.perf_counter() - started
    asked = (protocol, configuration, states_max, deadlocks, forgets, seconds)
    try:
        return _Search(outline, compiled, made, *asked).run(progress)
    except _UnseenStepsError:  # whether there is a deadlock can be seen only if no field is left out
        unpinned = replace(configuration, pinned={})
        whole: dict[str, Any] = {
            "promises": [],
            "sometimes": [],
            "everything": True,
            "forget_spent": False,
            "kept": kept,
        }
        exact = explore(protocol, unpinned, states_max=states_max, progress=progress, **whole)
        if exact.verdict != "holds":
            return exact
        same: dict[str, Any] = {**options, "deadlocks": False, "forget_spent": forget_spent, "kept": kept}
        return explore(protocol, configuration, states_max=states_max, progress=progress, **same)


CLAIMED: Final = ("promises", "sometimes", "eventualities")
"""The options of `explore` that are claims, which the cache knows by what they state."""


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

    Raises:
        UnconfirmedError: the kernel forgets spent messages, and found a violation in a run that is none.
    """
    outline, compiled = kernel.outline, kernel.compiled
    asked = (protocol, configuration, states_max, deadlocks, kernel.forgets, kernel.seconds)
    return _Search(outline, compiled, lambda: kernel, *asked, addresses, confirm=False).run(None)


class UnconfirmedError(Exception):
    """A run that was found while spent messages were forgotten is none of the interpreter, which forgets nothing."""


class _UnseenStepsError(Exception):
    """In a state without a step that is seen, steps that change only fields that are left out go on without end."""


class _Search:
    """The arrays of one search, and the evaluation of its result."""

    def __init__(
        self,
        outline: Outline,
        compiled: Compiled,
        made: Callable[[], Kernel],
        protocol: Protocol,
        configuration: Configuration,
        states_max: int,
        deadlocks: bool,
        forgets: bool,
        seconds: float,
        addresses: Sequence[int] = (),
        *,
        confirm: bool = True,
    ) -> None:
        """`made`: the kernel, if a violation is found; `seconds`: that making it took."""
        self._outline = outline
        self._compiled = compiled
        self._made = made
        self._forgets = forgets
        self._seconds = seconds
        self._confirm = confirm
        self._protocol = protocol
        self._configuration = configuration
        self._states_max = states_max
        self._words = outline.words
        self._search = searching(self._words)
        # A state has at most as many successors as there are instances of actions.
        self._gathering = indices.GATHERED + outline.instances
        expected = min(configuration.pinned.get("distinct", 0), states_max) + self._gathering
        self._states = zeros(max(expected, 1 << 16) * self._words)
        self._table = zeros(max(1 << (2 * expected).bit_length(), 1 << 17) * self._words)
        self._gathered = zeros(self._gathering * self._words)
        self._hashes = zeros(self._gathering)
        self._counters = zeros(emit.ADDRESSES + len(addresses))
        self._counters[emit.ADDRESSES :] = [*addresses]
        self._progress = zeros(8)
        self._first_seen = zeros(32)
        wanted = (1 << len(outline.always)) - 1
        self._masks = (ctypes.c_uint64 * 3)(wanted, 0, int(deadlocks))
        self._functions = tuple(compiled.addresses[name] for name in ("expand", "check", "no_end"))

    @cached_property
    def _kernel(self) -> Kernel:
        return self._made()

    def run(self, progress: Progress | None) -> Exploration:
        self._states[: self._words] = [*self._outline.start]
        self._progress[indices.TAIL] = self._progress[indices.LEVEL_END] = 1
        levels = [0, 1]
        self._search("rehash", self._states, 1, self._table)
        started = time.perf_counter()
        mask = call(self._compiled.addresses["check"], (ctypes.c_uint64 * self._words)(*self._outline.start))
        self._masks[1] = mask >> STATE_BITS  # claims that hold initially are reached at depth 0
        if mask & self._masks[0]:
            outcome, self._progress[indices.FLAGGED] = indices.BROKEN_STATE, 0
        else:
            outcome = self._slices(levels, started, progress)
        return self._result(outcome, levels, time.perf_counter() - started)

    def _call(self, states: int) -> int:
        return self._search(
            "run",
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

    def _slices(self, levels: list[int], started: float, progress: Progress | None) -> int:
        while True:
            outcome = self._call(SLICE_STATES)
            if progress is not None:
                elapsed = time.perf_counter() - started
                progress(int(self._progress[indices.TAIL]), int(self._progress[indices.DEPTH]), elapsed)
            if outcome == indices.FULL:
                self._grow()
            elif outcome != indices.PAUSED or self._progress[indices.TAIL] > self._states_max:
                return outcome

    def _grow(self) -> None:
        """Makes room for the next successors: the queue doubles, the table is at most half full."""
        count = int(self._progress[indices.TAIL])
        needed = (count + self._gathering) * self._words
        if 2 * needed > len(self._table):
            self._table = zeros(len(self._table) * 4)
            self._search("rehash", self._states, count, self._table)
        if needed > len(self._states):
            grown = zeros(len(self._states) * 2)
            ctypes.memmove(grown, self._states, ctypes.sizeof(self._states))
            self._states = grown

    # ------------------------------------------------------------------------------------------------ results

    def _result(self, outcome: int, levels: list[int], seconds: float) -> Exploration:
        flagged = int(self._progress[indices.FLAGGED])
        trace, violated = None, ""
        if outcome == indices.BROKEN_STATE:
            trace = self._path(flagged)
            violated = self._kernel.broken(trace.states[-1])[0]
        elif outcome == indices.BROKEN_STEP:
            trace = self._path(flagged)
            trace, violated = self._with_broken_step(trace)
        elif outcome == indices.STUCK:
            trace, violated = self._path(flagged), DEADLOCK
            trace = self._at_rest(trace) if self._confirm else trace
        complete = outcome == indices.DONE
        distinct, depth = int(self._progress[indices.TAIL]), int(self._progress[indices.DEPTH])
        transitions = int(self._counters[TRANSITIONS])
        found = {"distinct": distinct, "transitions": transitions, "depth": depth}
        forgets = self._forgets or not self._protocol.messages
        uncompared = complete and not violated and bool(self._configuration.pinned) and not forgets
        if complete and not uncompared:
            for name, pinned in self._configuration.pinned.items():
                if found[name] != pinned and not violated:
                    violated = f"pinned {name} {pinned}, found {found[name]}"
        outline = self._outline
        reached = {
            name: int(self._first_seen[bit])
            for bit, name in enumerate(outline.in_states)
            if int(self._masks[1]) >> bit & 1
        }
        mask = int(self._counters[REACHED])
        reached |= {name: -1 for bit, name in enumerate(outline.in_steps) if mask >> bit & 1}
        taken = int(self._counters[ACTIONS])
        return Exploration(
            self._configuration.name,
            distinct,
            transitions,
            depth,
            complete,
            "violated" if violated else "holds" if complete and not uncompared else "undecided",
            violated,
            trace,
            reached,
            frozenset(name for bit, name in enumerate(outline.actions) if taken >> bit & 1),
            forgets,
            uncompared,
            cut_in(self._states, int(self._progress[indices.HEAD]), outline, self._compiled),
            self._configuration.bounds,
            seconds,
            self._seconds,
            self._words,
            outline.bits,
            outline.constant,
            outline.unread,
            (ctypes.sizeof(self._states) + ctypes.sizeof(self._table)) / max(distinct, 1),
            resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        )

    def _path(self, number: int) -> Trace:
        """A shortest run to a state: backwards through the queue for its predecessors, forwards with the interpreter.

        The interpreter forgets no message: its states have those that the search has, and perhaps spent ones.

        Raises:
            UnconfirmedError: that is no run of the protocol; the search forgot what may not be forgotten.
        """
        numbers = [number]
        counters = zeros(len(self._counters))
        counters[:] = [*self._counters]
        while numbers[-1] != 0:
            # Queue order is breadth first, so the first state that leads here is on the level before.
            at = numbers[-1] * self._words
            target = zeros(self._words)
            target[:] = [*self._states[at : at + self._words]]
            expand = self._functions[0]
            found = self._search("predecessor", expand, self._states, 0, numbers[-1], target, self._gathered, counters)
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
                if self._packed(after) == target_words:
                    steps.append(occurrence)
                    states.append(after)
                    break
            else:
                assert self._forgets, "the interpreter does not find the step that the kernel took"
                raise UnconfirmedError
        return Trace(self._protocol.name, self._configuration, tuple(states), tuple(steps))

    def _packed(self, state: State) -> tuple[int, ...]:
        """The words of a state, as the search has it."""
        return self._kernel.pack(self._kernel.interpreter.forget_spent(state) if self._forgets else state)

    def _at_rest(self, trace: Trace) -> Trace:
        """The run, continued by the steps that change only fields that are left out, until there are none."""
        interpreter, seen = self._kernel.interpreter, self._packed(trace.states[-1])
        states, steps = list(trace.states), list(trace.steps)
        while not is_deadlock(interpreter, states[-1]):
            step, after = next(moves(interpreter, states[-1]))
            if self._packed(after) != seen:
                assert self._forgets, "the interpreter takes a step that the kernel does not find"
                raise UnconfirmedError
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
