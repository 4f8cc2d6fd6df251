"""Sets of tuples whose last argument counts, kept as intervals of numbers: their size is that of the gaps, not of the content.

A counting argument is a number, or text that ends in one: `17`, or `3.17`, whose part before the point identifies the series. Other
last arguments are kept individually. Anything that would still grow is given up from below, and then counts as contained: old
series, and gaps far below. `is_sure` tells whether an answer depends on this.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any, Final

from model.reference.state import Tuple

SERIES_MAX: Final = 3
"""Series kept per beginning; older ones are given up."""

RUNS_MAX: Final = 16
"""The minimum number of intervals kept per series; at twice as many, the lowest ones are merged."""

Series = tuple[Tuple, str | None]
"""The arguments before the last one, and for text the part before the point; None: it is a number."""


class IntervalSet:
    """A set of tuples; it may only report too much, and only for the distant past."""

    def __init__(self) -> None:
        self._runs: dict[Series, list[list[int]]] = {}
        """First and last number of each interval, in order."""
        self._sure_from: dict[Series, int] = {}
        self._series: dict[Tuple, list[int]] = {}
        """The series kept for a beginning, in order."""
        self._kept_from: dict[Tuple, int] = {}
        """The first series that is kept, if some were given up."""
        self._others: set[Tuple] = set()
        self._asked: Tuple = ()
        self._asked_place: tuple[Series, int] | None = None
        """For the last query: adding that tuple queries it again."""

    def _place(self, arguments: Tuple) -> tuple[Series, int] | None:
        if arguments is not self._asked:
            self._asked, self._asked_place = arguments, _place(arguments)
        return self._asked_place

    def __contains__(self, arguments: Tuple) -> bool:
        place = self._place(arguments)
        if place is None:
            return arguments in self._others
        series, number = place
        runs = self._runs.get(series)
        if runs is None:
            return self._is_given_up(series)
        if number > runs[-1][1]:
            return False
        at = bisect_right(runs, number, key=_first) - 1
        return at >= 0 and number <= runs[at][1]

    def is_sure(self, arguments: Tuple) -> bool:
        """Whether it is certain that a tuple is in the set, or that it is not."""
        place = _place(arguments)
        if place is None:
            return True
        series, number = place
        return not self._is_given_up(series) and number >= self._sure_from.get(series, 0)

    def add(self, arguments: Tuple) -> None:
        """Adds a tuple."""
        place = self._place(arguments)
        if place is None:
            self._others.add(arguments)
            return
        series, number = place
        runs = self._runs.get(series)
        if runs is None:
            if not self._is_given_up(series):
                self._begin(series, number)
        elif number == (last := runs[-1][1]) + 1:
            runs[-1][1] = number
        elif number > last:
            runs.append([number, number])
            self._bound(series, runs)
        elif arguments not in self:
            at = bisect_right(runs, number, key=_first)
            runs.insert(at, [number, number])
            self._joined(series, runs, at)

    def discard(self, arguments: Tuple) -> None:
        """Removes a tuple; what was given up stays."""
        place = self._place(arguments)
        if place is None:
            self._others.discard(arguments)
        elif arguments in self and place[0] in self._runs:
            series, number = place
            runs = self._runs[series]
            at = bisect_right(runs, number, key=_first) - 1
            first, last = runs[at]
            runs[at : at + 1] = [run for run in ([first, number - 1], [number + 1, last]) if run[0] <= run[1]]
            if not runs:
                del self._runs[series]
                if series[1]:
                    self._series[series[0]].remove(int(series[1]))

    def __iter__(self) -> Iterator[Tuple]:
        """The content, tuple by tuple, without what was given up."""
        for (before, text), runs in self._runs.items():
            for first, last in runs:
                for number in range(first, last + 1):
                    yield (*before, number if text is None else f"{text}.{number}" if text else str(number))
        yield from self._others

    def beginnings(self) -> set[Tuple]:
        """The arguments before the last one, for the whole content; for what was given up only while some of it is left."""
        return {before for before, _ in self._runs} | {other[:-1] for other in self._others}

    def __len__(self) -> int:
        """The stored size: intervals, and tuples that do not count."""
        return sum(map(len, self._runs.values())) + len(self._others)

    def copy(self) -> IntervalSet:
        """An independent set with the same content."""
        return IntervalSet.of(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """The complete set, for storing in a file."""
        return {
            "runs": [
                [*series, self._sure_from.get(series, 0), [list(run) for run in runs]]
                for series, runs in self._runs.items()
            ],
            "given_up": [[list(before), series] for before, series in self._kept_from.items()],
            "others": [list(other) for other in self._others],
        }

    @classmethod
    def of(cls, kept: dict[str, Any]) -> IntervalSet:
        """The set that `as_json` has written."""
        made = cls()
        for before, text, sure_from, runs in kept["runs"]:
            series = tuple(before), text
            made._runs[series] = [list(run) for run in runs]
            if sure_from:
                made._sure_from[series] = sure_from
            if text:
                made._series.setdefault(series[0], []).append(int(text))
        for some in made._series.values():
            some.sort()
        made._kept_from = {tuple(before): series for before, series in kept["given_up"]}
        made._others = {tuple(entry) for entry in kept["others"]}
        return made

    # --------------------------------------------------------------------------------------------------- inside

    def _is_given_up(self, series: Series) -> bool:
        before, text = series
        return bool(text) and int(text or 0) < self._kept_from.get(before, 0)

    def _begin(self, series: Series, number: int) -> None:
        self._runs[series] = [[number, number]]
        before, text = series
        if not text:
            return
        some = self._series.setdefault(before, [])
        some.append(int(text))
        some.sort()
        if len(some) > SERIES_MAX:
            oldest = some.pop(0)
            self._kept_from[before] = oldest + 1
            del self._runs[before, str(oldest)]
            self._sure_from.pop((before, str(oldest)), None)

    def _joined(self, series: Series, runs: list[list[int]], at: int) -> None:
        """Merges an interval with its neighbors, and the lowest intervals if there are too many."""
        if at + 1 < len(runs) and runs[at][1] + 1 == runs[at + 1][0]:
            runs[at : at + 2] = [[runs[at][0], runs[at + 1][1]]]
        if at > 0 and runs[at - 1][1] + 1 == runs[at][0]:
            runs[at - 1 : at + 1] = [[runs[at - 1][0], runs[at][1]]]
        self._bound(series, runs)

    def _bound(self, series: Series, runs: list[list[int]]) -> None:
        if len(runs) > 2 * RUNS_MAX:
            first, last = runs[0], runs[-RUNS_MAX]
            self._sure_from[series] = max(last[0], self._sure_from.get(series, 0))
            runs[: -RUNS_MAX + 1] = [[first[0], last[1]]]


def _first(run: list[int]) -> int:
    return run[0]


def _place(arguments: Tuple) -> tuple[Series, int] | None:
    """The position of a tuple; None if its last argument does not count."""
    last: Any = arguments[-1]
    if type(last) is int:
        return (arguments[:-1], None), last
    before, point, digits = last.rpartition(".")
    if not _counts(digits) or (point and not _counts(before)):
        return None
    return (arguments[:-1], before), int(digits)


def _counts(text: str) -> bool:
    return text.isascii() and text.isdecimal() and (text[0] != "0" or text == "0")
