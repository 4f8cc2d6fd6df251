"""The state graph as arrays, with the queries on it: fair components and shortest paths.

States are numbered in breadth-first order, starting with 0. The steps out of state `s` are those from `offsets[s]` to `offsets[s +
1]`: `targets` gives the target of each, `labels` its action instance. Steps that change nothing are omitted, so an instance is
enabled in the sense of weak fairness exactly if it labels a step.

Cost: one cache miss per step when the graph is built, 8 bytes per step, and about 40 bytes per state besides its words. A goal
costs one depth-first pass over the part of the graph where it is unmet.
"""

from __future__ import annotations

from typing import Any

import numba as nb
import numpy as np

from model.explore.kernel.search import CACHED, call2, call3, hash_of, same

# The indices of `progress`, and the results of `grow`.
HEAD, TAIL, STEPS, LEVEL_END, DEPTH = range(5)
DONE, PAUSED, FULL = range(3)

UNSIGNED = np.uint64


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def enter(shape: Any, states: Any, count: int, table: Any) -> None:
    """Enters the numbers of all states, plus one, into an empty table; 0 marks a free slot."""
    words = len(shape)
    mask = UNSIGNED(table.size - 1)
    for number in range(count):
        slot = hash_of(states, number * words, words) & mask
        while table[np.int64(slot)] != 0:
            slot = (slot + UNSIGNED(1)) & mask
        table[np.int64(slot)] = number + 1


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def grow(
    shape: Any,
    expand: Any,
    states: Any,
    table: Any,
    offsets: Any,
    targets: Any,
    labels: Any,
    gathered: Any,
    counters: Any,
    progress: Any,
    slice_states: int,
    states_max: int,
    steps_max: int,
) -> int:
    """Continues for about `slice_states` expanded states, or until a bound is exceeded; returns why it stopped.

    `shape`: a tuple with one number for each word of a state. `gathered`: room for the successors of one state.
    """
    words = len(shape)
    stride = words + 1
    head, tail, steps = progress[HEAD], progress[TAIL], progress[STEPS]
    level_end, depth = progress[LEVEL_END], progress[DEPTH]
    mask = UNSIGNED(table.size - 1)
    room = gathered.size // stride
    stop = head + slice_states
    outcome = DONE
    while head < tail:
        if head >= stop or tail > states_max or steps > steps_max:
            outcome = PAUSED
            break
        if (
            (tail + room) * words > states.size
            or 2 * (tail + room) > table.size
            or steps + room > targets.size
            or head + 2 > offsets.size
        ):
            outcome = FULL
            break
        count = call3(expand, states.ctypes.data + head * words * 8, gathered.ctypes.data, counters.ctypes.data)
        for successor in range(count):
            at = successor * stride
            slot = hash_of(gathered, at, words) & mask
            while True:
                number = np.int64(table[np.int64(slot)]) - 1
                if number < 0:
                    number = tail
                    table[np.int64(slot)] = number + 1
                    for word in range(words):
                        states[number * words + word] = gathered[at + word]
                    tail += 1
                    break
                if same(states, number * words, gathered, at, words):
                    break
                slot = (slot + UNSIGNED(1)) & mask
            targets[steps] = number
            labels[steps] = np.int32(gathered[at + words])
            steps += 1
        head += 1
        offsets[head] = steps
        if head == level_end and tail > level_end:
            level_end = tail
            depth += 1
    progress[HEAD], progress[TAIL], progress[STEPS] = head, tail, steps
    progress[LEVEL_END], progress[DEPTH] = level_end, depth
    return outcome


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def evaluate(address: Any, states: Any, words: int, count: int, out: Any) -> None:
    """Calls a compiled function on every state; its results for state `s` are in row `s` of `out`."""
    for number in range(count):
        call2(address, states.ctypes.data + number * words * 8, out.ctypes.data + number * out.shape[1] * 8)


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def split(answers: Any, word: int, place: int, opening: Any, unmet: Any) -> int:
    """A goal's bits: `unmet` if its conclusion does not hold, `opening` if in addition its premise does; counts these."""
    count = 0
    for number in range(answers.shape[0]):
        bits = answers[number, word] >> UNSIGNED(2 * place)
        unmet[number] = (bits & UNSIGNED(2)) == 0
        opening[number] = (bits & UNSIGNED(3)) == 1
        count += opening[number]
    return count


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def fair_components(
    offsets: Any, targets: Any, labels: Any, fair: Any, opening: Any, unmet: Any, order: Any, low: Any, marked: Any
) -> int:
    """Marks the states of all fair components of the unmet part that can be reached from an opening of the goal; counts them.

    A component is *fair* if a run may stay in it forever: each fair instance is disabled in some state of it, or labels a step
    within it. Checking maximal components is sufficient for weak fairness: if a run stays forever in a part of a component, the
    whole component has all its states and steps and more, so it satisfies every condition that the part satisfies. A run that
    visits all of a fair component forever is fair. A single state without a step to itself is a component: staying there is
    stuttering.

    The components are Tarjan's, with an explicit stack. `order` and `low` are zero, with one entry per state.
    """
    count = order.size
    stack = np.empty(count, np.int32)
    path = np.empty(count, np.int32)
    edge = np.empty(count, np.int64)
    where = np.zeros(count, np.bool_)  # whether a state is on the stack of components
    enabled = np.zeros(fair.size, np.int64)
    taken = np.zeros(fair.size, np.bool_)
    found = 0
    visited = 0
    height = 0
    for start in range(count):
        if not opening[start] or order[start] != 0:
            continue
        depth = 0
        path[0] = start
        edge[0] = offsets[start]
        visited += 1
        order[start] = low[start] = visited
        stack[height] = start
        height += 1
        where[start] = True
        while depth >= 0:
            state = path[depth]
            if edge[depth] < offsets[state + 1]:
                target = targets[edge[depth]]
                edge[depth] += 1
                if not unmet[target]:
                    continue
                if order[target] == 0:
                    visited += 1
                    order[target] = low[target] = visited
                    stack[height] = target
                    height += 1
                    where[target] = True
                    depth += 1
                    path[depth] = target
                    edge[depth] = offsets[target]
                elif where[target]:
                    low[state] = min(low[state], order[target])
                continue
            depth -= 1
            if depth >= 0:
                low[path[depth]] = min(low[path[depth]], low[state])
            if low[state] != order[state]:
                continue
            base = height - 1
            while stack[base] != state:
                base -= 1
            size = height - base
            for place in range(base, height):
                member = stack[place]
                for step in range(offsets[member], offsets[member + 1]):
                    label = labels[step]
                    if fair[label]:
                        enabled[label] += 1
                        # All states above this one on the stack belong to this component.
                        if where[targets[step]] and order[targets[step]] >= order[state]:
                            taken[label] = True
            is_fair = True
            for step in range(offsets[state], offsets[state + 1]):
                label = labels[step]
                if fair[label] and enabled[label] == size and not taken[label]:
                    is_fair = False
            for place in range(base, height):
                member = stack[place]
                where[member] = False
                marked[member] = is_fair
                for step in range(offsets[member], offsets[member + 1]):
                    enabled[labels[step]] = 0
                    taken[labels[step]] = False
            height = base
            found += is_fair
    return found


@nb.njit(cache=CACHED, boundscheck=False)  # type: ignore[untyped-decorator]
def way(offsets: Any, targets: Any, opening: Any, unmet: Any, ends: Any, via: Any, queue: Any) -> Any:
    """A shortest path from the initial state to an opening of the goal, and on through unmet states to one of the ends.

    The nodes are states before the goal opens, and, offset by `count`, states after it. Returns the node where the path ends, or
    -1. `via` tells how each node was reached: by step `via - 1`; -1 by the opening of the goal, which takes no step; -2 at the
    start.
    """
    count = unmet.size
    first, last = 0, 1
    queue[0] = 0
    via[0] = -2
    if opening[0]:
        queue[last] = count
        via[count] = -1
        last += 1
    while first < last:
        node = queue[first]
        first += 1
        after = node >= count
        state = node - count if after else node
        if after and ends[state]:
            return node
        for step in range(offsets[state], offsets[state + 1]):
            target = targets[step]
            if after:
                if unmet[target] and via[count + target] == 0:
                    via[count + target] = step + 1
                    queue[last] = count + target
                    last += 1
            elif via[target] == 0:
                via[target] = step + 1
                queue[last] = target
                last += 1
                if opening[target] and via[count + target] == 0:
                    via[count + target] = -1
                    queue[last] = count + target
                    last += 1
    return -1
