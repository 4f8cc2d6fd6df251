"""The live engine: decides eventualities over every state of a bounded configuration.

The question is TLA+'s: does every run that starts in an initial state, takes the protocol's steps or stutters, and is weakly fair
for each fair action and each choice of its parameters, satisfy that a premise leads to a conclusion? An action with its choices is
*enabled* only where it changes the state, so a step that changes nothing is no progress; an action that the configuration forbids
does not exist, and need not be treated fairly.

An eventuality is broken exactly if from a reachable state with the premise and without the conclusion, through states without the
conclusion, a *fair component* can be reached (`model.explore.kernel.graph`): a set of states in which a run can stay forever and be
fair. The plain interpreter replays every result before it is reported.

Where a fair step is cut by a bound, the protocol goes on and the bounded model does not: a run that stays there decides nothing. So
an eventuality that only such runs break is undecided (`model.explore.kernel.beyond`).

Fields that neither guards nor these eventualities read are left out, as in exploration. This is sound: a step that changes only
such fields looks like stuttering, and an action that has no other effect counts as not enabled, so fairness requires nothing more
of it; inserting such steps turns any run found here into a fair run of the complete protocol.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from model.explore.kernel import graph
from model.explore.kernel.beyond import Arrays, with_cut_steps
from model.explore.kernel.goals import GOALS_OF_A_WORD, Goal
from model.explore.kernel.graph import DEPTH, LEVEL_END, STEPS, TAIL
from model.explore.kernel.kernel import Kernel
from model.explore.liveness import Liveness, Outcome
from model.language import Eventuality, Protocol
from model.proof.forgetting import may_forget
from model.reference.configuration import Configuration
from model.reference.lasso import why_no_counterexample
from model.reference.state import Occurrence, State, Trace, initial_state

STATES_MAX: Final = 4_000_000
"""The default maximum of states: 0.8 GB with two words and seven steps each. Beyond it the result is undecided, never green."""

STEPS_MAX: Final = 100_000_000
"""The default maximum of steps between states: 0.8 GB. Beyond it the result is undecided, never green."""

SLICE_STATES: Final = 1 << 15
"""States expanded between two progress reports."""

Progress = Callable[[str, int, int | None], None]
"""Called now and then with the current phase, the amount done, and the total if it is known."""


def live(
    protocol: Protocol,
    configuration: Configuration,
    *,
    eventualities: Sequence[Eventuality] | None = None,
    states_max: int = STATES_MAX,
    steps_max: int = STEPS_MAX,
    forget_spent: bool = True,
    everything: bool = False,
    progress: Progress | None = None,
) -> Liveness:
    """Decides the given eventualities; by default those that the configuration names, or else all of the protocol's.

    `forget_spent`: as in exploration, forget spent messages if that is proved of this protocol. `everything`: keep even the fields
    that nothing reads.
    """
    named = configuration.eventually
    meant = protocol.eventualities if eventualities is None else eventualities
    wanted = [eventuality for eventuality in meant if named is None or eventuality.name in named]
    kernel = Kernel.of(
        protocol,
        configuration,
        promises=[],
        sometimes=[],
        eventualities=wanted,
        labelled=True,
        forget_spent=forget_spent and may_forget(protocol, wanted),
        everything=everything,
    )
    try:
        return _Engine(kernel, wanted, states_max, steps_max).run(progress or (lambda what, done, total: None))
    except _UnreadOwedError:  # it is broken; a second search without leaving out fields finds a run to show
        return live(
            protocol,
            configuration,
            eventualities=wanted,
            states_max=states_max,
            steps_max=steps_max,
            forget_spent=forget_spent,
            everything=True,
            progress=progress,
        )


class _UnreadOwedError(Exception):
    """In a loop a fair action could change an unread field: the loop is one of the complete protocol only with that step in it."""


class _Engine:
    """The graph of one configuration, as arrays, and the decisions about it."""

    def __init__(self, kernel: Kernel, wanted: Sequence[Eventuality], states_max: int, steps_max: int) -> None:
        self._kernel = kernel
        self._wanted = wanted
        self._bounds = states_max, steps_max
        self._words = kernel.layout.words
        self._shape = (0,) * self._words
        instances = max(len(kernel.ground.instances), 1)
        room = 1 << max(instances.bit_length() + 1, 14)
        self._gathered = np.zeros(instances * (self._words + 1), np.uint64)
        self._states = np.zeros(room * self._words, np.uint64)
        self._table = np.zeros(2 * room, np.int32)
        self._offsets = np.zeros(room + 1, np.int64)
        self._targets = np.zeros(4 * room, np.int32)
        self._labels = np.zeros(4 * room, np.int32)
        self._counters = np.zeros(8, np.uint64)
        self._progress = np.zeros(8, np.int64)
        self._fair = np.array([instance.action.fair for instance in kernel.ground.instances] or [False], np.bool_)

    def run(self, progress: Progress) -> Liveness:
        self._states[: self._words] = self._kernel.pack(self._start())
        self._progress[TAIL] = self._progress[LEVEL_END] = 1
        graph.enter(self._shape, self._states, 1, self._table)
        self._call(0)  # compiles the search, which is not part of its time
        started = time.perf_counter()
        complete = self._grow_all(progress)
        count = int(self._progress[TAIL])
        self._offsets = self._offsets[: count + 1]
        answers = np.zeros((count, -(-len(self._kernel.claims.goals) // GOALS_OF_A_WORD) or 1), np.uint64)
        graph.evaluate(np.uint64(self._address("goals")), self._states, self._words, count, answers)
        outcomes = self._decided(answers, progress) if complete else self._undecided()
        kept = (self._states, self._table, self._offsets, self._targets, self._labels, answers)
        return Liveness(
            self._kernel.interpreter.configuration.name,
            count,
            int(self._progress[STEPS]),
            int(self._progress[DEPTH]),
            tuple(outcomes),
            time.perf_counter() - started,
            self._kernel.seconds,
            self._words,
            self._kernel.layout.bits,
            sum(entry.nbytes for entry in kept) + 40 * count,
            complete,
            self._left_out(),
            self._kernel.forgets or not self._kernel.interpreter.protocol.messages,
            self._kernel.cut_in(
                (ctypes.c_uint64 * self._states.size).from_buffer(self._states.data), int(self._progress[graph.HEAD])
            ),
            self._kernel.interpreter.configuration.bounds,
        )

    def _left_out(self) -> tuple[str, ...]:
        protocol, configuration = self._kernel.interpreter.protocol, self._kernel.interpreter.configuration
        if configuration.eventually is not None:
            return ()
        forbidden = configuration.without | {name for name, allowed in configuration.only.items() if not allowed}
        return tuple(action.name for action in protocol.actions if action.fair and action.name in forbidden)

    def _start(self) -> State:
        interpreter = self._kernel.interpreter
        return initial_state(interpreter.protocol, interpreter.configuration)

    def _address(self, name: str) -> int:
        return int(self._kernel.compiled.addresses[name])

    # -------------------------------------------------------------------------------------------------- the graph

    def _call(self, states: int) -> int:
        outcome: int = graph.grow(
            self._shape,
            np.uint64(self._address("expand")),
            self._states,
            self._table,
            self._offsets,
            self._targets,
            self._labels,
            self._gathered,
            self._counters,
            self._progress,
            states,
            *self._bounds,
        )
        return outcome

    def _grow_all(self, progress: Progress) -> bool:
        """Builds the whole graph; returns whether it is within the bounds."""
        states_max, steps_max = self._bounds
        while True:
            outcome = self._call(SLICE_STATES)
            count, steps = int(self._progress[TAIL]), int(self._progress[STEPS])
            progress("states", count, None)
            if count > states_max or steps > steps_max:
                return False
            if outcome == graph.DONE:
                return True
            if outcome == graph.FULL:
                self._make_room(count, steps)

    def _make_room(self, count: int, steps: int) -> None:
        """Doubles every array that is more than half full."""
        if 2 * count * self._words >= self._states.size or 4 * count >= self._table.size:
            self._states = _doubled(self._states)
            self._offsets = _doubled(self._offsets)
            self._table = np.zeros(2 * self._table.size, np.int32)
            graph.enter(self._shape, self._states, count, self._table)
        if 2 * steps >= self._targets.size:
            self._targets, self._labels = _doubled(self._targets), _doubled(self._labels)

    # -------------------------------------------------------------------------------------------------- decisions

    def _undecided(self) -> list[Outcome]:
        return [Outcome(eventuality, "undecided", len(self._goals(eventuality)), 0) for eventuality in self._wanted]

    def _goals(self, eventuality: Eventuality) -> list[tuple[int, Goal]]:
        return [
            (number, goal) for number, goal in enumerate(self._kernel.claims.goals) if goal.eventuality is eventuality
        ]

    def _decided(self, answers: Any, progress: Progress) -> list[Outcome]:
        count = answers.shape[0]
        # One more than there are states: none of a goal's states is outside the bounds.
        opening, unmet = (np.zeros(count + 1, np.bool_) for _ in range(2))
        within = self._graph()
        outcomes = []
        total = len(self._kernel.claims.goals)
        for eventuality in self._wanted:
            goals, occurred, outcome = self._goals(eventuality), 0, Outcome(eventuality, "holds", 0, 0)
            for number, goal in goals:
                progress(eventuality.name, number, total)
                word, place = divmod(number, GOALS_OF_A_WORD)
                if not graph.split(answers, word, place, opening, unmet):
                    continue
                occurred += 1
                if outcome.verdict == "violated" or self._fair_part(opening[:count], unmet[:count]) is None:
                    continue
                outcome = self._outside(goal, opening, unmet, count)
                self._use(within)
            outcomes.append(replace(outcome, goals=len(goals), occurred=occurred))
        return outcomes

    def _outside(self, goal: Goal, opening: Any, unmet: Any, count: int) -> Outcome:
        """The outcome for a goal that a run breaks that is fair within the bounds: is it also fair where steps are cut?"""
        wider = self._wider
        if wider is not None:
            self._use(wider)
            count += 1
        marked = self._fair_part(opening[:count], unmet[:count])
        if marked is None:
            return Outcome(goal.eventuality, "undecided", 0, 0, goal.values)
        return Outcome(
            goal.eventuality, "violated", 0, 0, goal.values, self._lasso(goal, opening[:count], unmet[:count], marked)
        )

    def _fair_part(self, opening: Any, unmet: Any) -> Any:
        """The states in which a fair run that breaks a goal may stay; None if there are none."""
        order, low, marked = np.zeros(opening.size, np.int32), np.zeros(opening.size, np.int32), np.zeros_like(opening)
        found = graph.fair_components(*self._graph(), opening, unmet, order, low, marked)
        return marked if found else None

    def _graph(self) -> Arrays:
        return self._offsets, self._targets, self._labels, self._fair

    def _use(self, arrays: Arrays) -> None:
        self._offsets, self._targets, self._labels, self._fair = arrays

    @cached_property
    def _wider(self) -> Arrays | None:
        count = self._offsets.size - 1
        states = self._states[: count * self._words].reshape(count, self._words)
        return with_cut_steps(self._kernel.ground, self._kernel.layout, states, self._graph())

    # ----------------------------------------------------------------------------------------------------- lassos

    def _lasso(self, goal: Goal, opening: Any, unmet: Any, marked: Any) -> Trace:
        """A fair run that breaks a goal, as short as is cheap to find: the prefix is a shortest one.

        If a run may end forever, it is shown instead of a cycle, since it is easier to follow.
        """
        quiet = marked & self._nothing_owed()
        prefix = self._prefix(opening, unmet, quiet if quiet.any() else marked)
        entry = int(self._targets[prefix[-1]]) if prefix else 0
        cycle = [] if quiet.any() else self._cycle(entry, marked & self._component(entry, marked))
        trace = self._replayed(prefix, cycle)
        why = why_no_counterexample(
            self._kernel.interpreter, trace, goal.eventuality, dict(goal.values), forget_spent=self._kernel.forgets
        )
        if why and self._kernel.layout.unread:
            raise _UnreadOwedError(why)
        assert not why, f"the interpreter does not agree that {goal.eventuality.name} is broken: {why}"
        return trace

    def _out(self, state: int) -> range:
        return range(int(self._offsets[state]), int(self._offsets[state + 1]))

    def _nothing_owed(self) -> Any:
        """The states in which no fair instance is enabled: a run may end there."""
        steps = int(self._offsets[-1])
        fair_before = np.zeros(steps + 1, np.int64)
        np.cumsum(self._fair[self._labels[:steps]], out=fair_before[1:])
        return np.diff(fair_before[self._offsets]) == 0

    def _owed(self, state: int) -> frozenset[int]:
        """The enabled fair instances."""
        labels = (int(self._labels[step]) for step in self._out(state))
        return frozenset(label for label in labels if self._fair[label])

    def _prefix(self, opening: Any, unmet: Any, ends: Any) -> list[int]:
        """The steps of a shortest path to one of the ends."""
        count = unmet.size
        via, queue = np.zeros(2 * count, np.int64), np.empty(2 * count, np.int32)
        node = int(graph.way(self._offsets, self._targets, opening, unmet, ends, via, queue))
        assert node >= 0, "a state reached depth first has a path to it"
        steps: list[int] = []
        while via[node] != -2:
            if via[node] == -1:
                node -= count
                continue
            step = int(via[node]) - 1
            steps.append(step)
            source = int(np.searchsorted(self._offsets, step, side="right")) - 1
            node = source + (count if node >= count else 0)
        return steps[::-1]

    def _component(self, entry: int, marked: Any) -> Any:
        """The states of the entry's component: those that it reaches through marked states and that reach it."""
        # A fair component may lead to another one, so the reached states are not yet the component.
        ahead = self._reached(entry, marked)
        inside = np.zeros_like(marked)
        inside[entry] = True
        sources = np.repeat(np.arange(marked.size), np.diff(self._offsets))
        targets = self._targets[: sources.size]
        between = ahead[sources] & ahead[targets]
        sources, targets = sources[between], targets[between]
        while True:
            before = int(inside.sum())
            inside[sources[inside[targets]]] = True
            if int(inside.sum()) == before:
                return inside

    def _reached(self, entry: int, allowed: Any) -> Any:
        found = np.zeros_like(allowed)
        found[entry] = True
        waiting = [entry]
        while waiting:
            for step in self._out(waiting.pop()):
                target = int(self._targets[step])
                if allowed[target] and not found[target]:
                    found[target] = True
                    waiting.append(target)
        return found

    def _cycle(self, entry: int, inside: Any) -> list[int]:
        """The steps of a fair cycle: repeatedly to the nearest state or step that meets an open fairness condition, and back."""
        steps: list[int] = []
        at, owed = entry, self._owed(entry)
        while owed:
            more = self._nearest(at, inside, self._settling(owed))
            for step in more:
                at = int(self._targets[step])
                owed = (owed - {int(self._labels[step])}) & self._owed(at)
            steps += more
        if at != entry or not steps:
            steps += self._nearest(at, inside, lambda step: int(self._targets[step]) == entry)
        return steps

    def _settling(self, owed: frozenset[int]) -> Callable[[int], bool]:
        """Whether a step takes an owed instance, or leads to a state where it is disabled."""
        return lambda step: int(self._labels[step]) in owed or bool(owed - self._owed(int(self._targets[step])))

    def _nearest(self, start: int, inside: Any, wanted: Callable[[int], bool]) -> list[int]:
        """A shortest path within a component whose last step is wanted."""
        came: dict[int, tuple[int, int]] = {}
        queue = [start]
        for state in queue:
            for step in self._out(state):
                target = int(self._targets[step])
                if not inside[target]:
                    continue
                if wanted(step):
                    found = [step]
                    while state != start:
                        step, state = came[state]
                        found.append(step)
                    return found[::-1]
                if target not in came and target != start:
                    came[target] = (step, state)
                    queue.append(target)
        raise AssertionError("a fair component satisfies every fairness condition that is open in it")

    # ---------------------------------------------------------------------------------------------------- replay

    def _replayed(self, prefix: Sequence[int], cycle: Sequence[int]) -> Trace:
        """The lasso in full states. Unread fields may differ after one round, so rounds are repeated until a state recurs."""
        interpreter = self._kernel.interpreter
        states = [self._start()]
        steps: list[Occurrence] = []
        for step in prefix:
            self._take(step, states, steps)
        rounds = {states[-1]: len(steps)}
        while cycle:
            for step in cycle:
                self._take(step, states, steps)
            if states[-1] in rounds:
                break
            rounds[states[-1]] = len(steps)
        loop = rounds[states[-1]]
        return Trace(interpreter.protocol.name, interpreter.configuration, tuple(states), tuple(steps), loop=loop)

    def _take(self, step: int, states: list[State], steps: list[Occurrence]) -> None:
        interpreter, ground = self._kernel.interpreter, self._kernel.ground
        instance = ground.instances[int(self._labels[step])]
        sorts = [variable.sort for variable in instance.action.parameters]
        names = (variable.name for variable in instance.action.parameters)
        choices = tuple(zip(names, ground.names(sorts, instance.choices), strict=True))
        occurrence = Occurrence(instance.action.name, choices)
        assert interpreter.is_enabled(states[-1], occurrence), f"the interpreter cannot take {occurrence}"
        after = interpreter.apply(states[-1], occurrence)[0]
        after = interpreter.forget_spent(after) if self._kernel.forgets else after
        at = int(self._targets[step]) * self._words
        packed = tuple(int(word) for word in self._states[at : at + self._words])
        assert self._kernel.pack(after) == packed, f"the interpreter takes {occurrence} elsewhere"
        states.append(after)
        steps.append(occurrence)


def _doubled(array: Any) -> Any:
    grown = np.zeros(2 * array.size, array.dtype)
    grown[: array.size] = array
    return grown
