"""The search's machine code, called without numba, which takes longer to load than most searches take.

numba compiles `model.explore.kernel.search` once for each number of words of a state; from then on the code comes from the cache.
"""

from __future__ import annotations

import ctypes
import mmap
from functools import cache
from typing import Any, Final

from model.bad_input import BadInput
from model.explore.kernel.compile import load

FUNCTIONS: Final = ("run", "rehash", "predecessor", "count_cut")

Words = ctypes.Array[ctypes.c_uint64]


def zeros(count: int) -> Words:
    """Words that are all zero, and take memory only when they are written.

    Raises:
        BadInput: the system does not have so much.
    """
    size = 8 * max(count, 1)
    try:
        return (ctypes.c_uint64 * count).from_buffer(mmap.mmap(-1, size))
    except (OSError, OverflowError, MemoryError) as problem:
        raise BadInput(
            f"The search needs {size:,} bytes at once, which the system does not have; use a smaller configuration, or lower "
            "--states-max"
        ) from problem


class Searching:
    """The functions of the search, for states of some number of words."""

    def __init__(self, words: int) -> None:
        def made() -> Any:
            from model.explore.kernel.search import module_for  # numba

            return module_for(words)

        self._compiled = load(f"search in {words} words", FUNCTIONS, made, level=3)

    def __call__(self, name: str, *arguments: int | Words) -> int:
        """Calls a function; of an array it gets the address and the length."""
        result, error = ctypes.c_int64(), ctypes.c_void_p()
        given: list[int] = []
        for argument in arguments:
            given += (argument,) if isinstance(argument, int) else (ctypes.addressof(argument), len(argument))
        kinds = [ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_uint64] * len(given)]
        function = ctypes.CFUNCTYPE(ctypes.c_int32, *kinds)(self._compiled.addresses[name])
        status = function(ctypes.addressof(result), ctypes.addressof(error), *given)
        assert status in OK, f"{name} ended with status {status}"
        return result.value


OK: Final = (0, -2)
"""What numba's functions return if nothing went wrong: a value, or None."""


@cache
def searching(words: int) -> Searching:
    """The search for states of this many words."""
    return Searching(words)
