"""Which lines of the cores a run executes: a mutant of other lines follows that run as the cores themselves do.

That is exact, not an estimate: until a run reaches the changed line, nothing is different. What a module executes when it is
imported (constants, defaults, the bodies of classes) has no lines here, and counts as executed by every run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any, Final

from conformance.mutation.cores.modules import MODULES
from conformance.mutation.cores.source import Mutant

Lines = frozenset[tuple[str, int]]
"""Modules with numbers of lines."""

_MODULES: Final = {import_module(module).__file__: module for modules in MODULES.values() for module in modules}
"""By file."""


def lines_of(run: Callable[[], object]) -> Lines:
    """The lines of the cores that are executed while something runs."""
    seen: set[tuple[str, int]] = set()

    def called(frame: FrameType, event: str, argument: Any) -> Callable[..., Any] | None:
        module = _MODULES.get(frame.f_code.co_filename)
        if module is None:
            return None

        def stepped(frame: FrameType, event: str, argument: Any) -> Callable[..., Any]:
            seen.add((module, frame.f_lineno))
            return stepped

        return stepped(frame, event, argument)

    with _traced(called):
        run()
    return frozenset(seen)


@contextmanager
def _traced(called: Callable[..., Any]) -> Iterator[None]:
    before = sys.gettrace()
    sys.settrace(called)
    try:
        yield
    finally:
        sys.settrace(before)


def comes_to(executed: Lines, mutant: Mutant | None) -> bool:
    """Whether a run that executes these lines may notice a mutant; none: a change that is planted by hand, anywhere."""
    if mutant is None or mutant.lines is None:
        return True
    return any((mutant.module, line) in executed for line in mutant.lines)
