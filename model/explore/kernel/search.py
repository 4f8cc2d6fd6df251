"""The search: breadth first, over packed states, in numba.

All states found are in one array in the order of discovery, so the array is the queue, and the states of a level are a slice of it.
The hash table is open-addressing and holds the states themselves; a first word of 0 marks a free slot. About a thousand successors
are gathered before they are looked up, and their slots are prefetched meanwhile, since waiting for memory is most of the cost.
Predecessors are not stored: a path is recovered by searching the level before (`predecessor`).

Cost: a few hundred operations to expand a state, one cache miss per successor; per state 8 bytes per word in the queue, and 16 to
32 in the table, which is a quarter to half full.
"""

from __future__ import annotations

from typing import Any

import llvmlite.binding as llvm
import numba as nb
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from model import cache
from model.explore.kernel.indices import (
    BROKEN_STATE,
    BROKEN_STEP,
    DEPTH,
    DONE,
    FLAGGED,
    FULL,
    GATHERED,
    HEAD,
    LEVEL_END,
    PAUSED,
    STUCK,
    TAIL,
)

if (own := cache.folder("numba")) is not None:  # before the first function, since numba reads it once
    nb.config.CACHE_DIR = str(own)
CACHED = own is not None
"""Whether numba may keep code. It unpickles what it kept, so nobody else may write there."""

AHEAD = 32
"""How many states in advance slots are prefetched when a table is filled."""

UNSIGNED = np.uint64


@intrinsic  # type: ignore[untyped-decorator]
def call1(typingctx: Any, address: Any, first: Any) -> Any:
    """Calls a compiled function with one pointer argument."""
    return types.uint64(types.uint64, types.uintp), _caller(1)


@intrinsic  # type: ignore[untyped-decorator]
def call2(typingctx: Any, address: Any, first: Any, second: Any) -> Any:
    """Calls a compiled function with two pointer arguments."""
    return types.uint64(types.uint64, types.uintp, types.uintp), _caller(2)


@intrinsic  # type: ignore[untyped-decorator]
def call3(typingctx: Any, address: Any, first: Any, second: Any, third: Any) -> Any:
    """Calls a compiled function with three pointer arguments."""
    return types.uint64(types.uint64, types.uintp, types.uintp, types.uintp), _caller(3)


def _caller(count: int) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(64)
        kind = ir.FunctionType(word, [word] * count)
        function = builder.inttoptr(arguments[0], kind.as_pointer())
        return builder.call(function, list(arguments[1:]))

    return generate


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch(typingctx: Any, address: Any) -> Any:
    """Prefetches the cache line at an address."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        pointer = builder.inttoptr(arguments[0], byte)
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(types.uintp), generate


@nb.njit(inline="always")  # type: ignore[untyped-decorator]
def hash_of(states: Any, at: int, words: int) -> Any:
    """The hash of the words of a state."""
    mixed = states[at] * UNSIGNED(0x9E3779B97F4A7C15)
    for word in range(1, words):
        mixed = (mixed ^ (mixed >> UNSIGNED(29)) ^ states[at + word]) * UNSIGNED(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> UNSIGNED(32))


@nb.njit(inline="always")  # type: ignore[untyped-decorator]
def same(left: Any, at: int, right: Any, there: int, words: int) -> bool:
    """Whether two states are equal."""
    for word in range(words):  # noqa: SIM110 - numba unrolls this, but not a generator
        if left[at + word] != right[there + word]:
            return False
    return True


@nb.njit(boundscheck=False)  # type: ignore[untyped-decorator]
def rehash(shape: Any, states: Any, count: int, table: Any) -> None:
    """Enters all states into an empty table."""
    words = len(shape)
    mask = UNSIGNED(table.size // words - 1)
    table_address = table.ctypes.data
    for number in range(count):
        if number + AHEAD < count:
            ahead = hash_of(states, (number + AHEAD) * words, words) & mask
            _prefetch(table_address + np.int64(ahead) * words * 8)
        slot = hash_of(states, number * words, words) & mask
        while table[np.int64(slot) * words] != 0:
            slot = (slot + UNSIGNED(1)) & mask
        for word in range(words):
            table[np.int64(slot) * words + word] = states[number * words + word]


@nb.njit(boundscheck=False)  # type: ignore[untyped-decorator]
def run(
    shape: Any,
    expand: Any,
    check: Any,
    no_end: Any,
    states: Any,
    table: Any,
    gathered: Any,
    hashes: Any,
    counters: Any,
    progress: Any,
    masks: Any,
    first_seen: Any,
    slice_states: int,
    states_max: int,
) -> int:
    """Continues for about `slice_states` expanded states, or until more than `states_max` are known; returns why it stopped.

    `shape`: a tuple with one number for each word of a state. Its length is part of its type, so numba unrolls loops over words.
    `masks`: promises about states to check; claims about states reached so far; whether to look for deadlocks. `first_seen`: the
    depth at which each claim about states was first reached.
    """
    words = len(shape)
    head, tail = progress[HEAD], progress[TAIL]
    level_end, depth = progress[LEVEL_END], progress[DEPTH]
    mask = UNSIGNED(table.size // words - 1)
    states_address = states.ctypes.data
    gathered_address = gathered.ctypes.data
    counters_address = counters.ctypes.data
    table_address = table.ctypes.data
    room = gathered.size // words  # `GATHERED`, plus the maximum number of successors of one state
    wanted, reached, deadlocks = masks[0], masks[1], masks[2]
    stop = head + slice_states
    outcome = DONE
    while head < tail and outcome == DONE:
        if head >= stop or tail > states_max:
            outcome = PAUSED
            break
        if (tail + room) * words > states.size or 2 * (tail + room) * words > table.size:
            outcome = FULL
            break
        count = 0
        while head < level_end and count < GATHERED and outcome == DONE:
            counters[1] = UNSIGNED(0)
            count += call3(
                expand,
                states_address + head * words * 8,
                gathered_address + count * words * 8,
                counters_address,
            )
            if counters[2] != UNSIGNED(0):
                progress[FLAGGED] = head
                outcome = BROKEN_STEP
            elif counters[1] == UNSIGNED(0) and deadlocks and call1(no_end, states_address + head * words * 8) != 0:
                progress[FLAGGED] = head
                outcome = STUCK
            head += 1
        for successor in range(count):
            hashed = hash_of(gathered, successor * words, words)
            hashes[successor] = hashed
            _prefetch(table_address + np.int64(hashed & mask) * words * 8)
        for successor in range(count):
            slot = hashes[successor] & mask
            while True:
                at = np.int64(slot) * words
                if table[at] == 0:
                    for word in range(words):
                        table[at + word] = gathered[successor * words + word]
                        states[tail * words + word] = gathered[successor * words + word]
                    found = call1(check, states_address + tail * words * 8)
                    new = (found >> UNSIGNED(32)) & ~reached
                    if new != 0:
                        reached |= new
                        for bit in range(32):
                            if (new >> UNSIGNED(bit)) & UNSIGNED(1):
                                first_seen[bit] = depth + 1
                    if found & wanted and outcome == DONE:
                        progress[FLAGGED] = tail
                        outcome = BROKEN_STATE
                    tail += 1
                    break
                if same(table, at, gathered, successor * words, words):
                    break
                slot = (slot + UNSIGNED(1)) & mask
        if head == level_end and outcome == DONE and tail > level_end:
            level_end = tail
            depth += 1
    progress[HEAD], progress[TAIL], progress[LEVEL_END], progress[DEPTH] = head, tail, level_end, depth
    masks[1] = reached
    return outcome


@nb.njit(boundscheck=False)  # type: ignore[untyped-decorator]
def count_cut(cut: Any, states: Any, words: int, count: int, counts: Any) -> None:
    """Adds up the steps that are cut in the first states."""
    for number in range(count):
        call2(cut, states.ctypes.data + number * words * 8, counts.ctypes.data)


@nb.njit(boundscheck=False)  # type: ignore[untyped-decorator]
def predecessor(
    shape: Any, expand: Any, states: Any, start: int, end: int, target: Any, gathered: Any, counters: Any
) -> int:
    """The number of the first state in a range that has `target` as a successor; -1 if there is none."""
    words = len(shape)
    for number in range(start, end):
        count = call3(expand, states.ctypes.data + number * words * 8, gathered.ctypes.data, counters.ctypes.data)
        for successor in range(count):
            if same(gathered, successor * words, target, 0, words):
                return number
    return -1


# ------------------------------------------------------------------------------------------------ without numba

_WORDS, _NUMBER = types.CPointer(types.uint64), types.int64
_INDICES = types.CPointer(types.int64)


def module_for(words: int) -> Any:
    """The functions of `searching`, as one LLVM module that needs nothing of numba.

    In place of an array each takes its address and length. The number of words is a constant in it.
    """
    shape = (0,) * words

    def run_(
        expand: Any, check: Any, no_end: Any, states: Any, a: Any, table: Any, b: Any, gathered: Any, c: Any, hashes: Any, d: Any,
        counters: Any, e: Any, progress: Any, f: Any, masks: Any, g: Any, first_seen: Any, h: Any, states_now: Any, states_max: Any,
    ) -> Any:  # fmt: skip
        return run(
            shape, expand, check, no_end, nb.carray(states, a), nb.carray(table, b), nb.carray(gathered, c), nb.carray(hashes, d),
            nb.carray(counters, e), nb.carray(progress, f), nb.carray(masks, g), nb.carray(first_seen, h), states_now, states_max,
        )  # fmt: skip

    def rehash_(states: Any, a: Any, count: Any, table: Any, b: Any) -> Any:
        rehash(shape, nb.carray(states, a), count, nb.carray(table, b))

    def predecessor_(
        expand: Any,
        states: Any,
        a: Any,
        start: Any,
        end: Any,
        target: Any,
        b: Any,
        gathered: Any,
        c: Any,
        counters: Any,
        d: Any,
    ) -> Any:
        found, room = nb.carray(target, b), nb.carray(gathered, c)
        return predecessor(shape, expand, nb.carray(states, a), start, end, found, room, nb.carray(counters, d))

    def count_cut_(cut: Any, states: Any, a: Any, count: Any, counts: Any, b: Any) -> Any:
        count_cut(cut, nb.carray(states, a), words, count, nb.carray(counts, b))

    array, address = (_WORDS, _NUMBER), types.uint64
    kinds = {
        "run": (run_, (address,) * 3 + array * 5 + (_INDICES, _NUMBER, *array, _INDICES, _NUMBER, _NUMBER, _NUMBER)),
        "rehash": (rehash_, (*array, _NUMBER, *array)),
        "predecessor": (predecessor_, (address, *array, _NUMBER, _NUMBER, *array * 3)),
        "count_cut": (count_cut_, (address, *array, _NUMBER, *array)),
    }
    whole = llvm.parse_assembly("")
    for name, (function, signature) in kinds.items():
        compiled = nb.njit(signature, boundscheck=False, no_cpython_wrapper=True)(function)
        (overload,) = compiled.overloads.values()
        module = llvm.parse_assembly(str(overload.library._final_module))
        for each in (*module.functions, *module.global_variables):
            if each.name == overload.fndesc.llvm_func_name:
                each.name = name
            elif not each.is_declaration:
                each.linkage = "internal"
        whole.link_in(module)
    return whole
